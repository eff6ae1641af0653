//! Watchers over rows that are made by seed: what is like the reference, what has moved, and what is not compared.

use std::time::Duration;

use evenkeel_config::{Answers, Drift, DriftWatch};
use evenkeel_signals::{
    anomaly::RowScore,
    drift::{Hold, Refused, Settings, State},
    eproc::Every,
    reference::{Column, ColumnKind, Plan as Profile, Reference, Repeats, Role, SourceRow},
    row::Value,
};

use super::{
    monitor::{Made, Monitor},
    plan::{Of, Plan},
    row::{Held, Lot, Row, drawn},
    watcher::Watcher,
};

pub(super) const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
pub(super) const ALL: DriftWatch = DriftWatch { inputs: true, row_score: true, outputs: true };

/// The numbers of a row: three features and what the first tier makes of them. By day `b` is larger than by night.
pub(super) fn numbers(seed: u64, at: u64, cycle: bool) -> [f64; 4] {
    let uniform = |n: u64| (drawn(seed ^ (n << 56), Lot::Row) >> 11) as f64 / (1_u64 << 53) as f64;
    let day = if cycle && at / HOUR % 24 >= 12 { 2.0 } else { 0.0 };
    let [a, b, c] = [0, 1, 2].map(uniform);
    [a, b + day, c, a + c]
}

/// The reference of as many rows, a minute apart.
pub(super) fn reference(rows: u64, repeats: Repeats, cycle: bool) -> Reference {
    let column = |name: &str, role| Column::new(name, ColumnKind::Number, role);
    let [a, b, c] = ["a", "b", "c"].map(|name| column(name, Role::Input));
    let profile = Profile { repeats, ..Profile::new("value", vec![a, b, c, column("score", Role::Output)]) };
    let row = |number: u64| {
        let at = number * 60 * SECOND;
        let values = numbers(number ^ 0xFEED_0000, at, cycle).map(Value::Number).to_vec();
        SourceRow { number, at: Some(at), values }
    };
    Reference::build(&profile, [7; 32], &(0..rows).map(row).collect::<Vec<_>>()).expect("sound")
}

fn settings(reference: &Reference) -> Settings {
    let hold = Hold { nanos: 60 * SECOND, rows: 100 };
    Settings { every: Every::Nanos(30 * 24 * HOUR), enforced: false, hold, seasons: reference.seasons().cloned() }
}

pub(super) fn watcher(reference: &Reference, watch: DriftWatch) -> Result<Watcher, Refused> {
    let of = Of { reference, watch, primary: "primary", answers: Answers { tensors: true, sure: true } };
    let (plan, panel) = Plan::new(of, settings(reference))?;
    Ok(Watcher::new(plan, panel))
}

/// A row like those of the reference, but for what is done to it.
pub(super) fn row(score: &Option<RowScore>, (n, at): (u64, u64), cycle: bool, change: impl Fn(&mut [f64; 4])) -> Row {
    let mut values = numbers(n ^ 0xBEEF_0000, at, cycle);
    change(&mut values);
    let inputs: Vec<Value<'_>> = values[..3].iter().map(|it| Value::Number(*it)).collect();
    let score = score.as_ref().and_then(|it| it.score(&inputs).ok()).map(|it| f64::from(it.s));
    Row {
        at,
        entropy: drawn(n ^ 0x5EED, Lot::Row),
        session: None,
        inputs: values[..3].iter().map(|it| evenkeel_signals::row::Value::Number(*it)).collect(),
        score,
        outputs: vec![Some(Held::Number(values[3]))],
        text: None,
    }
}

#[test]
fn s_drift_rows_like_the_reference_bring_no_alarm_and_before_the_first_there_is_no_signal() {
    let reference = reference(5_000, Repeats::Never, false);
    let score = reference.row_score().ok();
    let mut watcher = watcher(&reference, ALL).expect("there is something to watch");
    assert_eq!(watcher.read(0), None, "DRW-2");
    for n in 0..5_000 {
        assert_eq!(watcher.take(row(&score, (n, n * SECOND), false, |_| ())), []);
    }
    let seen = watcher.read(5_000 * SECOND).expect("rows came");
    assert_eq!((seen.state, seen.value, seen.rows, seen.as_of), (State::Stable, 0, 5_000, 4_999 * SECOND));
    let names: Vec<_> = watcher.streams(0).into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["feature:a", "feature:b", "feature:c", "row_score", "output:primary.score"]);
}

#[test]
fn s_drift_a_feature_that_moves_is_named_and_the_alarm_ends_after_its_hold() {
    let reference = reference(5_000, Repeats::Never, false);
    let score = reference.row_score().ok();
    let mut watcher = watcher(&reference, ALL).expect("there is something to watch");
    let moved = |values: &mut [f64; 4]| values[1] += 0.6;
    let from = 1_000;
    let mut alarms = Vec::new();
    for n in 0..2_000 {
        let it = if n < from {
            row(&score, (n, n * SECOND), false, |_| ())
        } else {
            row(&score, (n, n * SECOND), false, moved)
        };
        alarms.extend(watcher.take(it));
    }
    let first = &alarms[0];
    assert!(first.new && (from * SECOND..(from + 200) * SECOND).contains(&first.at), "{first:?}");
    assert_eq!(first.culprits[0].name, "feature:b");
    assert!(first.since.abs_diff(from * SECOND) < 60 * SECOND, "since about when: {first:?}");
    let seen = watcher.read(2_000 * SECOND).expect("rows came");
    assert_eq!((seen.state, seen.value), (State::Drift, 2));
    assert!(seen.score >= 1_000 && watcher.evidence().is_some());
    for n in 2_000..2_400 {
        watcher.take(row(&score, (n, n * SECOND), false, |_| ()));
    }
    assert_eq!(watcher.read(2_400 * SECOND).expect("rows came").state, State::Stable, "its hold is over");
}

#[test]
fn s_drift_each_kind_is_compared_only_where_it_is_watched() {
    let reference = reference(5_000, Repeats::Never, false);
    let none = DriftWatch { inputs: false, row_score: false, outputs: false };
    let names = |watch| {
        let watcher = watcher(&reference, watch).expect("there is something to watch");
        watcher.streams(0).into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(names(DriftWatch { inputs: true, ..none }), ["feature:a", "feature:b", "feature:c"]);
    assert_eq!(names(DriftWatch { row_score: true, ..none }), ["row_score"]);
    assert_eq!(names(DriftWatch { outputs: true, ..none }), ["output:primary.score"]);
    assert_eq!(watcher(&reference, none).err(), Some(Refused::Nothing));
}

#[test]
fn s_drift_an_output_counts_in_the_rows_that_the_first_tier_has_answered() {
    let reference = reference(5_000, Repeats::Never, false);
    let score = None;
    let alarms = |answered: bool| {
        let outputs = DriftWatch { inputs: false, row_score: false, outputs: true };
        let mut watcher = watcher(&reference, outputs).expect("there is something to watch");
        let shown = |n: u64| {
            let mut it = row(&score, (n, n * SECOND), false, |values| values[3] += 1.0);
            it.outputs.retain(|_| answered);
            watcher.take(it).len()
        };
        (0..1_000).map(shown).sum::<usize>()
    };
    assert!(alarms(true) > 0);
    assert_eq!(alarms(false), 0);
}

#[test]
fn drw_3_outputs_alone_have_moved_until_something_else_carries_the_alarm_too() {
    let reference = reference(5_000, Repeats::Never, false);
    let score = reference.row_score().ok();
    let mut watcher = watcher(&reference, ALL).expect("there is something to watch");
    let outputs = |values: &mut [f64; 4]| values[3] += 1.0;
    let both = |values: &mut [f64; 4]| (values[1], values[3]) = (values[1] + 0.6, values[3] + 1.0);
    let mut seen = |rows: std::ops::Range<u64>, change: &dyn Fn(&mut [f64; 4])| {
        let at = rows.end;
        rows.for_each(|n| drop(watcher.take(row(&score, (n, n * SECOND), false, change))));
        let seen = watcher.read(at * SECOND).expect("rows came");
        (seen.state, seen.outputs_alone)
    };
    assert_eq!(seen(0..500, &|_| ()), (State::Stable, false));
    assert_eq!(seen(500..800, &outputs), (State::Drift, true));
    assert_eq!(seen(800..1_100, &both), (State::Drift, false));
    assert_eq!(seen(1_100..1_200, &outputs), (State::Drift, false), "of this alarm it stays so");
    assert_eq!(seen(1_200..1_700, &|_| ()), (State::Stable, false));
    assert_eq!(seen(1_700..2_000, &outputs), (State::Drift, true), "the next one is another");
}

#[test]
fn s_drift_what_repeats_every_day_is_compared_with_its_hours() {
    let quiet = |repeats| {
        let reference = reference(20_000, repeats, true);
        let (inputs, score) = (DriftWatch { inputs: true, row_score: false, outputs: false }, None);
        let mut watcher = watcher(&reference, inputs).expect("there is something to watch");
        (0..4_000).map(|n| watcher.take(row(&score, (n, n * 30 * SECOND), true, |_| ())).len()).sum::<usize>()
    };
    assert!(quiet(Repeats::Never) > 0, "half a day is not like the whole");
    assert_eq!(quiet(Repeats::Daily), 0);
}

#[test]
fn watch_1_what_has_too_few_rows_is_named_and_not_compared() {
    let small = reference(900, Repeats::Never, false);
    assert_eq!(watcher(&small, ALL).err(), Some(Refused::Nothing));
    // A quarter of the rows calibrates.
    let some = reference(2_000, Repeats::Never, false);
    let watcher = watcher(&some, ALL).expect("the features have enough");
    let (name, rows) = &watcher.plan().too_few[0];
    assert_eq!((name.as_str(), watcher.plan().too_few.len()), ("row_score", 1));
    assert!((400..1_000).contains(rows), "{rows}");
}

#[tokio::test(start_paused = true)]
async fn the_wanted_interval_of_a_route_says_how_soon_it_alarms() {
    let reference = reference(5_000, Repeats::Never, false);
    let score = reference.row_score().ok();
    let rows = async |every: u64| {
        let drift = Drift { every, hold: (60 * SECOND, 100), enforced: false, watch: ALL };
        let (route, primary) = ("value".to_owned(), "primary".to_owned());
        let made = Made { route, reference: [0; 32], drift, primary, tensors: true, sure: None };
        let monitor = Monitor::start(made, &reference).expect("there is something to watch");
        for n in 0..2_000 {
            monitor.offer(n, || row(&score, (n, n * SECOND), false, |values| values[1] += 0.3));
            let standing = loop {
                let standing = monitor.standing(n * SECOND);
                if standing.seen.as_ref().is_some_and(|it| it.rows > n) {
                    break standing;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            };
            if standing.alarm.is_some() {
                return n;
            }
        }
        panic!("no alarm within 2,000 rows");
    };
    let found = [rows(HOUR).await, rows(24 * HOUR).await, rows(300 * 24 * HOUR).await];
    assert!(found[0] < found[1] && found[1] < found[2], "{found:?}");
}
