//! Drift keeps its promise (`S-DRIFT` 1, 2 in small; `bench/signals/drift` is the large run, by the same code).

mod protocol;

use std::sync::Arc;

use evenkeel_signals::{
    cells::{Cells, Value},
    drift::{Hold, Panel, Settings, Stream, Watched, delay as told, place},
    eproc::{Every, Form},
    sketch::Sketch,
};
use protocol::{CASES, CHANGES, Draw, Nulls, Runs, clocked, delay, median, nulls, panel, stream};

/// Mixes a number into a digest (FNV-1a over its bits).
fn mix(digest: u64, x: f64) -> u64 {
    x.to_bits().to_le_bytes().iter().fold(digest, |it, byte| (it ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Small enough for seconds.
const SMALL: Nulls = Nulls { streams: 150, every: 1_000, cut: 4, reference: 1_000, enforced: false };

#[test]
fn s_drift_1_null_streams_keep_the_promised_time_between_false_alarms() {
    for case in CASES {
        for (reference, enforced) in [(1_000, false), (5_000, false), (1_000, true)] {
            let runs = nulls(case, Nulls { reference, enforced, ..SMALL });
            assert!(
                runs.low >= 1_000.0,
                "{}, n_ref {reference}, cusum {enforced}: a mean run of {:.0}",
                case.name(),
                runs.mean
            );
        }
    }
}

#[test]
fn s_drift_1_the_clocked_form_keeps_its_time_at_a_rate_that_changes_tenfold() {
    let runs = clocked(Nulls { streams: 100, ..SMALL });
    assert!(runs.low >= 1_000.0 && runs.alarms > 0, "{:.0}, {} alarms", runs.mean, runs.alarms);
}

#[test]
fn s_drift_1_without_its_discount_the_promise_is_broken_and_the_protocol_sees_it() {
    let cut = 30_000;
    let run = |seed: u64| {
        let mut draw = Draw::of(seed);
        let cells = Cells::numbers((0..1_000).map(|_| Value::Number(draw.normal())).collect::<Vec<_>>());
        let mut stream = Stream::new(Form::Sr(Every::Rows(10_000)));
        let alarms = |at: &u64| {
            let cell = cells.cell(Value::Number(draw.normal()));
            // As if the reference had no end, so that nothing is paid for it.
            stream.update(*at, place(&cells, cell, draw.uniform()), u64::MAX);
            stream.wealth().number() >= 1.0
        };
        (1..cut).find(alarms).unwrap_or(cut)
    };
    let runs = Runs::of(&(0..60).map(run).collect::<Vec<_>>(), cut);
    assert!(runs.mean < 10_000.0, "{:.0}", runs.mean);
}

#[test]
fn s_drift_2_half_a_standard_deviation_is_noticed_within_120_rows_and_as_is_told() {
    let streams: Vec<_> = (0..41).map(|seed| stream(seed, 5_000)).collect();
    let medians = CHANGES.map(|change| {
        median(streams.iter().map(|it| delay(it, 5_000, (100_000, false), change)).collect()).0.expect("noticed")
    });
    assert!(medians[1] <= 120, "{medians:?}");
    let told = told(100_000, 5_000, false);
    for (found, told) in medians.iter().zip([told.quarter, told.half, told.whole]) {
        let told = told.expect("noticed") as f64;
        assert!((0.6..1.6).contains(&(*found as f64 / told)), "{medians:?} {told}");
    }
}

#[test]
fn s_drift_1_streams_that_are_all_one_keep_the_promise_of_their_panel() {
    let (every, cut) = (1_000, 4_000);
    let run = |seed: u64| {
        let mut draw = Draw::of(seed + 3_000_000);
        let cells = Arc::new(Cells::numbers((0..1_000).map(|_| Value::Number(draw.normal())).collect::<Vec<_>>()));
        let watched = |at: usize| Watched { name: at.to_string(), weight: 0.25, cells: vec![Arc::clone(&cells)] };
        let settings = Settings { every: Every::Rows(every), enforced: false, hold: Hold::default(), seasons: None };
        let mut panel = Panel::new(settings, (0..4).map(watched).collect()).expect("a sound panel");
        let alarms = |at: &u64| panel.update(*at, draw.bits(), &[Some(Value::Number(draw.normal())); 4]).is_some();
        (1..cut).find(alarms).unwrap_or(cut)
    };
    let runs = Runs::of(&(0..60).map(run).collect::<Vec<_>>(), cut);
    assert!(runs.low >= 1_000.0, "{:.0}", runs.mean);
}

#[test]
fn the_same_bits_on_every_machine() {
    let mut digest = 0xcbf2_9ce4_8422_2325;
    for case in CASES {
        let mut draw = Draw::of(42);
        let mut panel = panel(case.cells(&mut draw, 1_000), Every::Nanos(1_000_000_000), false);
        let mut sketch = Sketch::default();
        for at in 1..3_000 {
            let value = case.value(&mut draw);
            let seen = panel.update(at * 1_000, draw.bits(), &[Some(value)]);
            digest = mix(mix(digest, panel.wealths()[0]), seen.map_or(0.0, |it| it.wealth));
            sketch.update(at, draw.uniform() * 1e6);
        }
        digest = mix(digest, sketch.quantile(0.95).expect("numbers"));
    }
    assert_eq!(digest, 15_382_221_717_439_467_339, "golden: the digest that every machine finds");
}
