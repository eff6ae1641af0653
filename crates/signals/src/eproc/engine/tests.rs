//! Tests of the engine: the oracles of `signals.md` §4, its promises in small, merges, and that nothing breaks it.

use proptest::prelude::*;

use super::*;
use crate::eproc::{combined, culprits};

/// Draws by a seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn played(null: Null, rows: &[f64]) -> EProc {
    let mut engine = EProc::new(Form::Plain, null);
    rows.iter().for_each(|x| engine.update(0, *x));
    engine
}

#[test]
fn the_plain_form_has_the_wealth_of_the_oracles() {
    let margin = Null::at_most(0.02, (-1.0, 1.0)).expect("sound");
    for (null, rows, wealth) in [
        (Null::BET, &[1.0][..], 1.261_666_7),
        (Null::BET, &[1.0, 1.0], 1.665_483_3),
        (Null::BET, &[-1.0], 0.738_333_3),
        (margin, &[1.0, 0.0, -1.0], 0.849_978_8),
    ] {
        let found = played(null, rows).wealth().number();
        assert!((found - wealth).abs() < 1e-7, "{rows:?}: {found}");
    }
    let first = (1..).find(|n| played(margin, &vec![1.0; *n]).reaches(100.0));
    assert_eq!(first, Some(12), "always the worst: odds of 100 at row 12");
}

#[test]
fn the_certificate_of_section_6_passes_at_the_rows_of_its_oracle() {
    // d = 0 always; x = −d, lo = −1, m = −ε.
    for (epsilon, delta, row) in [(0.01, 0.05, 576), (0.01, 0.1, 478), (0.02, 0.05, 286)] {
        let mut engine = EProc::new(Form::Plain, Null::at_most(-epsilon, (-1.0, 1.0)).expect("sound"));
        let first = (1..).find(|at| {
            engine.update(*at, 0.0);
            engine.reaches(1.0 / delta)
        });
        assert_eq!(first, Some(row), "ε {epsilon}, δ {delta}");
    }
}

#[test]
fn epr_1_a_million_lost_rows_are_won_back() {
    let mut engine = played(Null::BET, &vec![-1.0; 1_000_000]);
    let lost = engine.wealth().log10();
    assert!(lost < -8_000.0 && lost.is_finite(), "{lost}");
    (0..2_000_000).for_each(|at| engine.update(at, 1.0));
    assert!(engine.reaches(1e300) && engine.wealth().log10().is_finite());
    for form in [
        Form::Sr(Every::Rows(100)),
        Form::Cusum(Every::Rows(100)),
        Form::Sr(Every::Nanos(1)),
        Form::Cusum(Every::Nanos(0)),
    ] {
        let mut engine = EProc::new(form, Null::BET);
        (0..100_000).for_each(|_| engine.update(5, -1.0));
        assert!(engine.wealth().number() < 1.0, "{form:?}: a clock that stands still gives nothing");
        (0..100_000).for_each(|_| engine.update(6, 1.0));
        assert!(engine.wealth().log10() > 0.0 || engine.wealth().number() == 0.0, "{form:?}");
    }
}

#[test]
fn epr_3_the_clocked_form_gives_by_time_whatever_the_rate_of_rows() {
    let (mut seldom, mut often) = (
        EProc::new(Form::Sr(Every::Nanos(1_000_000)), Null::BET),
        EProc::new(Form::Sr(Every::Nanos(1_000_000)), Null::BET),
    );
    (0..=10).for_each(|at| seldom.update(at * 100, 0.0));
    (0..=100).for_each(|at| often.update(at * 10, 0.0));
    assert!((seldom.wealth().number() - 1e-3).abs() < 1e-12 && (often.wealth().number() - 1e-3).abs() < 1e-12);
    seldom.update(900_000_000, 0.0);
    assert!((seldom.wealth().number() - 2e-3).abs() < 1e-12, "a silence of 900 T gives a thousandth");
    assert!(!seldom.read(0).state);
    seldom.restart();
    assert_eq!(seldom.wealth().number(), 0.0);
}

#[test]
fn epr_4_what_is_no_number_is_not_bet_on() {
    let mut engine = EProc::new(Form::Plain, Null::at_most(0.5, (0.0, 1.0)).expect("sound"));
    [0.7, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.0].iter().for_each(|x| engine.update(9, *x));
    assert_eq!(engine.counts(), [2, 1, 3]);
    let mut same = EProc::new(Form::Plain, Null::at_most(0.5, (0.0, 1.0)).expect("sound"));
    [0.7, 1.0].iter().for_each(|x| same.update(9, *x));
    assert_eq!(engine.wealth(), same.wealth());
    assert_eq!((same.read(9).samples, same.read(9).as_of), (2, 9));
    assert_eq!(same.quantise(), quantise(same.wealth().log10(), 1_000));
    assert_eq!(EProc::new(Form::Sr(Every::Rows(9)), Null::BET).quantise(), None, "an empty purse has no logarithm");
}

#[test]
fn since_about_when_is_the_time_of_the_change() {
    for form in [Form::Sr(Every::Rows(10_000)), Form::Cusum(Every::Rows(10_000))] {
        let off = |seed: u64| {
            let (mut engine, mut draw) = (EProc::new(form, Null::BET), Draw(seed << 32));
            for at in 1.. {
                engine.update(at, if at < 1_000 { 2.0 * draw.next() - 1.0 } else { 2.0 * draw.next() - 0.7 });
                if engine.reaches(1.0) {
                    break;
                }
            }
            engine.since().abs_diff(1_000)
        };
        let mut off: Vec<u64> = (0..51).map(off).collect();
        off.sort_unstable();
        assert!(off[25] <= 10 && off[40] <= 50, "{form:?}: off by {off:?}");
    }
}

/// How many of `runs` fair games of `rows` rows end with an alarm.
fn alarms(form: Form, threshold: f64, (runs, rows): (u64, u64)) -> u64 {
    let game = |seed: u64| {
        let (mut engine, mut draw) = (EProc::new(form, Null::BET), Draw(seed << 32));
        (0..rows).any(|at| {
            engine.update(at, if draw.next() < 0.5 { -1.0 } else { 1.0 });
            engine.reaches(threshold)
        })
    };
    (0..runs).filter(|seed| game(*seed)).count() as u64
}

#[test]
fn a_plain_test_is_wrong_at_most_as_often_as_promised_however_often_one_looks() {
    let wrong = alarms(Form::Plain, 20.0, (2_000, 2_000));
    // 100 are allowed; three standard errors are 30.
    assert!(wrong <= 130, "{wrong} of 2,000 at a level of 0.05");
    assert!(wrong >= 10, "{wrong} of 2,000: a test that is never wrong is no test");
}

#[test]
fn the_mean_time_to_a_false_alarm_is_at_least_the_promised() {
    // In T rows a form whose mean run is T or more alarms in less than all runs; Markov allows W ≥ 1 in all of them, the form is better.
    for (form, most) in [(Form::Sr(Every::Rows(1_000)), 800), (Form::Cusum(Every::Rows(1_000)), 300)] {
        let wrong = alarms(form, 1.0, (1_000, 1_000));
        assert!(wrong <= most, "{form:?}: {wrong} of 1,000 within T");
    }
}

#[test]
fn another_test_or_another_clock_is_refused() {
    let sr = |rows| EProc::new(Form::Sr(Every::Rows(rows)), Null::BET);
    let mut engine = sr(100);
    assert_eq!(engine.merge(&sr(101), Overlap::Disjoint), Err(Incompatible::Setting));
    assert_eq!(engine.merge(&sr(100).discounted(0.1), Overlap::Disjoint), Err(Incompatible::Setting));
    let margin = Null::at_most(0.1, (0.0, 1.0)).expect("sound");
    assert_eq!(
        engine.merge(&EProc::new(Form::Sr(Every::Rows(100)), margin), Overlap::Disjoint),
        Err(Incompatible::Setting)
    );
    assert_eq!(engine.merge(&sr(100), Overlap::Disjoint), Ok(()));
}

#[test]
fn one_stream_of_many_brings_the_alarm_and_is_named() {
    let mut streams: Vec<EProc> = (0..5).map(|_| EProc::new(Form::Sr(Every::Rows(1_000)), Null::BET)).collect();
    let (mut draw, weights) = (Draw(3), [0.2; 5]);
    let wealths = |streams: &[EProc]| streams.iter().map(|it| it.wealth().number()).collect::<Vec<_>>();
    let mut at = 0;
    while combined(&weights, &wealths(&streams)) < 1.0 {
        at += 1;
        for (of, stream) in streams.iter_mut().enumerate() {
            stream.update(at, 2.0 * draw.next() - if of == 3 { 0.3 } else { 1.0 });
        }
    }
    assert_eq!(culprits(&weights, &wealths(&streams)), [3], "at row {at}");
}

proptest! {
    #[test]
    fn epr_2_order_does_not_matter_and_halves_are_the_whole(rows in prop::collection::vec(-1.0_f64..1.0, 1..200), at in 0_usize..200) {
        let whole = played(Null::BET, &rows).wealth();
        let mut back = rows.clone();
        back.reverse();
        prop_assert!((played(Null::BET, &back).wealth().ln() - whole.ln()).abs() < 1e-9);
        let (one, other) = rows.split_at(at.min(rows.len()));
        let mut halves = played(Null::BET, one);
        halves.merge(&played(Null::BET, other), Overlap::Disjoint).expect("alike");
        prop_assert!((halves.wealth().ln() - whole.ln()).abs() < 1e-9);
        prop_assert_eq!(halves.counts()[0], rows.len() as u64);
    }

    #[test]
    fn restarted_forms_average_in_any_order(seeds in prop::collection::vec(any::<u64>(), 3), cusum in any::<bool>()) {
        let form = if cusum { Form::Cusum(Every::Rows(500)) } else { Form::Sr(Every::Rows(500)) };
        let all: Vec<EProc> = seeds.iter().map(|seed| {
            let (mut engine, mut draw) = (EProc::new(form, Null::BET), Draw(*seed));
            (0..300).for_each(|at| engine.update(at, 2.0 * draw.next() - 0.9));
            engine
        }).collect();
        let merged = |order: [usize; 3]| {
            let mut first = all[order[0]].clone();
            first.merge(&all[order[1]], Overlap::Disjoint).expect("alike");
            first.merge(&all[order[2]], Overlap::Disjoint).expect("alike");
            first
        };
        let mean = all.iter().map(|it| it.wealth().number()).sum::<f64>() / 3.0;
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let it = merged(order);
            prop_assert!((it.wealth().number() / mean - 1.0).abs() < 1e-12);
            prop_assert!(it.since() <= 300 && it.counts()[0] == 900);
        }
    }
}
