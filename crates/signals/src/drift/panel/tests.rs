//! Tests of the panel: alarms, culprits, hold, seasons, replicas, and what is refused.

use super::*;
use crate::cells::{HOUR_NS, Season};

/// Draws by a seed.
struct Draw(u64);

impl Draw {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        (share(self.0, 77) * 9_007_199_254_740_992.0) as u64
    }

    fn uniform(&mut self) -> f64 {
        share(self.bits(), 5)
    }
}

fn cells(draw: &mut Draw, rows: usize) -> Arc<Cells> {
    Arc::new(Cells::numbers((0..rows).map(|_| Value::Number(draw.uniform()))))
}

fn settings(every: Every) -> Settings {
    Settings { every, enforced: false, hold: Hold { nanos: 1_000, rows: 100 }, seasons: None }
}

fn panel(streams: usize, every: Every) -> Panel {
    let mut draw = Draw(1);
    let weight = 1.0 / f64::from(u32::try_from(streams).expect("few"));
    let watched =
        |at: usize| Watched { name: format!("feature:{at}"), weight, cells: vec![cells(&mut Draw(at as u64), 2_000)] };
    draw.bits();
    Panel::new(settings(every), (0..streams).map(watched).collect()).expect("sound")
}

/// Plays rows of uniform numbers, of which stream `of` is shifted by `by`; returns the first alarm.
fn play(panel: &mut Panel, draw: &mut Draw, (of, by): (usize, f64), rows: std::ops::Range<u64>) -> Option<Evidence> {
    let streams = panel.names().count();
    for at in rows {
        let row: Vec<_> =
            (0..streams).map(|it| Some(Value::Number(draw.uniform() + if it == of { by } else { 0.0 }))).collect();
        let seen = panel.update(at, draw.bits(), &row);
        if seen.is_some() {
            return seen;
        }
    }
    None
}

#[test]
fn a_shift_of_one_stream_alarms_names_it_and_says_since_when() {
    let mut panel = panel(10, Every::Rows(100_000));
    let mut draw = Draw(9);
    assert_eq!(play(&mut panel, &mut draw, (0, 0.0), 0..3_000), None);
    assert_eq!((panel.read(3_000).state, panel.evidence()), (State::Stable, None));
    let seen = play(&mut panel, &mut draw, (4, 0.2), 3_000..4_000).expect("an alarm");
    assert_eq!(seen.culprits.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["feature:4"]);
    assert!(seen.new && seen.wealth >= 1.0 && seen.since.abs_diff(3_000) < 100 && seen.at < 3_300, "{seen:?}");
    let reading = panel.read(seen.at);
    assert_eq!((reading.state, reading.samples), (State::Drift, seen.rows));
    assert!(reading.quantise().0 == 2 && reading.quantise().1 >= 1_000);
    assert_eq!(panel.read_stream(seen.at, 4).map(|it| it.state), Some(State::Drift));
    assert_eq!(panel.read_stream(seen.at, 3).map(|it| it.state), Some(State::Stable));
    assert_eq!(panel.evidence(), Some(&seen));
    assert!(panel.wealths().iter().all(|it| *it == 0.0), "DRI-2: all purses start anew");
}

#[test]
fn dri_2_an_alarm_is_renewed_while_it_lasts_and_ends_after_time_and_rows() {
    let mut panel = panel(2, Every::Rows(10_000));
    let mut draw = Draw(3);
    let first = play(&mut panel, &mut draw, (1, 0.3), 0..1_000).expect("an alarm");
    let second = play(&mut panel, &mut draw, (1, 0.3), first.at + 1..first.at + 1_000).expect("another");
    assert!(first.new && !second.new, "an episode, not two");
    assert_eq!(play(&mut panel, &mut draw, (1, 0.0), second.at + 1..second.at + 1_000), None);
    assert_eq!(panel.read(second.at + 999).state, State::Drift, "the rows are over, the time is not");
    assert_eq!(play(&mut panel, &mut draw, (1, 0.0), second.at + 1_000..second.at + 1_002), None);
    assert!(panel.read(second.at + 1_001).state < State::Drift);
    let again = play(&mut panel, &mut draw, (1, 0.3), second.at + 1_002..second.at + 2_000).expect("a new one");
    assert!(again.new);
}

#[test]
fn hold_2_outputs_that_are_wrong_for_good_are_tried_ever_more_rarely_and_what_is_mended_comes_back() {
    // So seldom by chance that nothing but the outputs alarms in these rows.
    let mut panel = panel(2, Every::Rows(100_000_000));
    let (mut draw, mut held, mut back) = (Draw(3), false, Vec::new());
    // As under `enforce`: while the alarm stands nobody asks the first tier, whose outputs the second stream is.
    let mut rows = |panel: &mut Panel, rows: std::ops::Range<u64>, by: f64| {
        for at in rows {
            let alarm = panel.read(at).state == State::Drift;
            if held && !alarm {
                back.push(at);
            }
            held = alarm;
            let (input, output) = (Value::Number(draw.uniform()), Value::Number(draw.uniform() + by));
            panel.update(at, draw.bits(), &[Some(input), Some(output).filter(|_| !alarm)]);
        }
        std::mem::take(&mut back)
    };
    let tried = rows(&mut panel, 0..150_000, 0.4);
    let apart: Vec<u64> = tried.windows(2).map(|it| it[1] - it[0]).collect();
    for (apart, holds) in apart.iter().zip([2, 4, 8, 16, 32, 32, 32]) {
        assert!((holds * 1_000..holds * 1_000 + 200).contains(apart), "{apart} {tried:?}");
    }
    assert!(apart.len() >= 6 && tried[0] < 1_200, "the first hold is as it is set: {tried:?}");
    // Mended: the next try is the last one, and after the rows of a hold an alarm is as short as the first.
    assert_eq!(rows(&mut panel, 150_000..200_000, 0.0).len(), 1);
    let again = rows(&mut panel, 200_000..201_500, 0.4);
    assert!(again.len() == 1 && again[0] < 201_300, "HOLD-1: {again:?}");
}

#[test]
fn hold_1_inputs_are_seen_while_the_route_is_held_so_its_hold_stays_as_it_is() {
    let mut panel = panel(2, Every::Rows(10_000));
    let mut draw = Draw(3);
    let mut from = 0;
    for _ in 0..4 {
        let seen = play(&mut panel, &mut draw, (1, 0.4), from..from + 1_000).expect("an alarm");
        assert!(seen.new);
        from = seen.at + 1_001;
        assert_eq!(play(&mut panel, &mut draw, (1, 0.0), seen.at + 1..from), None);
        assert!(panel.read(from).state < State::Drift);
    }
}

#[test]
fn a_value_that_does_not_count_changes_nothing_of_its_stream() {
    let mut panel = panel(2, Every::Rows(10_000));
    panel.update(1, 2, &[Some(Value::Number(0.4)), None]);
    assert!(panel.wealths()[0] > 0.0 && panel.wealths()[1] == 0.0);
    assert_eq!((panel.read_stream(1, 1), panel.read_stream(1, 2)), (None, None));
    for value in
        [Value::Number(f64::NAN), Value::Number(f64::INFINITY), Value::Category("x"), Value::Missing, Value::Invalid]
    {
        panel.update(2, 3, &[Some(value), Some(value)]);
        assert!(panel.wealths().iter().all(|it| it.is_finite()), "{value:?}");
    }
    let (mut gone, mut at) = (panel.clone(), 10);
    while gone.update(at, at, &[Some(Value::Missing), None]).is_none() {
        at += 1;
    }
    assert!(at < 60, "a null rate that jumps is drift: row {at}");
}

#[test]
fn seasons_compare_each_hour_with_its_own_reference() {
    let mut draw = Draw(4);
    let hour =
        |draw: &mut Draw, high: f64| Arc::new(Cells::numbers((0..1_000).map(|_| Value::Number(draw.uniform() + high))));
    let watched = |cells| vec![Watched { name: "load".into(), weight: 1.0, cells }];
    let seasons = Seasons::of(Season::Day, (0..24).map(|it| it / 12).collect()).expect("two halves");
    let seasonal = Settings { seasons: Some(seasons), ..settings(Every::Rows(10_000)) };
    let both = vec![hour(&mut draw, 0.0), hour(&mut draw, 3.0)];
    let mut seasonal = Panel::new(seasonal, watched(both.clone())).expect("sound");
    let mut plain = Panel::new(settings(Every::Rows(10_000)), watched(vec![both[0].clone()])).expect("sound");
    let mut alarms = [0, 0];
    for at in 0..2_400_u64 {
        let (now, high) = (at * HOUR_NS / 100, if at / 1_200 == 1 { 3.0 } else { 0.0 });
        let row = [Some(Value::Number(draw.uniform() + high))];
        for (alarms, panel) in alarms.iter_mut().zip([&mut seasonal, &mut plain]) {
            *alarms += u32::from(panel.update(now, draw.bits(), &row).is_some());
        }
    }
    assert!(alarms[0] == 0 && alarms[1] > 5, "{alarms:?}");
}

#[test]
fn dri_3_replicas_average_and_an_old_hint_is_forgotten() {
    let (mut one, other) = (panel(2, Every::Rows(1_000)), panel(2, Every::Rows(1_000)));
    let row = [Some(Value::Number(0.9)); 2];
    (15..20).for_each(|at| drop(one.update(at, at, &row)));
    let alone = one.read(20);
    one.hear(20, 7, &other.wealths()).expect("alike");
    let with = one.read(20);
    assert!((with.value - (alone.value - 2.0_f64.log10() / 6.0)).abs() < 1e-9, "half of it: {with:?} {alone:?}");
    assert_eq!(one.read(20 + FRESH_NS).value, alone.value, "alone again");
    assert_eq!([one.hear(1, 2, &[1.0]), one.hear(1, 2, &[f64::NAN, 0.0])], [Err(Incompatible::Reference); 2]);
    let mut both = one.clone();
    both.merge(&other).expect("alike");
    assert!((both.wealths()[0] - one.wealths()[0] / 2.0).abs() < 1e-15);
    one.hear(20, 8, &[3.0, 3.0]).expect("alike");
    let seen = one.update(21, 1, &row).expect("the fleet's alarm");
    assert!(seen.wealth >= 1.0 && one.wealths() == [0.0, 0.0]);
}

#[test]
fn merged_panels_keep_the_alarm_of_either_and_other_references_are_refused() {
    let (mut calm, mut drifted) = (panel(2, Every::Rows(1_000)), panel(2, Every::Rows(1_000)));
    let seen = play(&mut drifted, &mut Draw(5), (0, 0.4), 0..500).expect("an alarm");
    calm.merge(&drifted).expect("alike");
    assert_eq!((calm.read(seen.at).state, calm.evidence()), (State::Drift, Some(&seen)));
    assert_eq!(calm.merge(&panel(3, Every::Rows(1_000))), Err(Incompatible::Reference));
    assert_eq!(calm.merge(&panel(2, Every::Rows(1_001))), Err(Incompatible::Setting));
    let cells = cells(&mut Draw(99), 2_000);
    let other =
        ["feature:0", "feature:1"].map(|it| Watched { name: it.into(), weight: 0.5, cells: vec![cells.clone()] });
    let other = Panel::new(settings(Every::Rows(1_000)), other.into()).expect("sound");
    assert_eq!(calm.merge(&other), Err(Incompatible::Reference));
}

#[test]
fn dri_4_what_cannot_be_watched_is_refused_by_name() {
    let small = cells(&mut Draw(1), 999);
    let watched = |weight, cells: &[&Arc<Cells>]| Watched {
        name: "feature:a".into(),
        weight,
        cells: cells.iter().map(|it| Arc::clone(it)).collect(),
    };
    let large = cells(&mut Draw(1), 1_000);
    for (given, refused) in [
        (vec![], Refused::Nothing),
        (vec![watched(1.0, &[&small])], Refused::Rows("feature:a".into(), 999)),
        (vec![watched(1.0, &[&large, &large])], Refused::Buckets("feature:a".into())),
        (vec![watched(0.6, &[&large]), watched(0.5, &[&large])], Refused::Weights),
        (vec![watched(0.0, &[&large])], Refused::Weights),
        (vec![watched(f64::NAN, &[&large])], Refused::Weights),
    ] {
        assert_eq!(Panel::new(settings(Every::Rows(9)), given).err(), Some(refused));
    }
}

#[test]
fn names_by_the_million_are_what_was_never_seen_and_leave_nothing_behind() {
    let known: Vec<String> = (0..2_000).map(|at| (at % 20).to_string()).collect();
    let cells = Arc::new(Cells::categories(known.iter().map(|it| Value::Category(it))));
    let watched = || vec![Watched { name: "feature:key".into(), weight: 1.0, cells: vec![cells.clone()] }];
    let of = || Panel::new(settings(Every::Rows(10_000)), watched()).expect("sound");
    let (mut million, mut one) = (of(), of());
    for at in 0..1_000_000_u64 {
        let lot = at.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        million.update(at, lot, &[Some(Value::Category(&format!("key {at}")))]);
        one.update(at, lot, &[Some(Value::Category("another"))]);
    }
    assert_eq!((million.read(1_000_000).state, million.read(1_000_000).samples), (State::Drift, 1_000_000));
    assert!(million == one, "a million names, or one: the same state to the bit");
}
