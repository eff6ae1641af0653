//! What an update of a scalar costs: `cargo run --release -p evenkeel-signals --example updates [WHAT ROWS]`.
//!
//! Without arguments it prints nanoseconds; with them it does so many updates and prints nothing, for a counter of instructions
//! (`bench/signals/updates`).

use std::{hint::black_box, sync::Arc, time::Instant};

use evenkeel_signals::{
    cells::{Cells, Live, Value},
    drift::{Hold, Panel, Settings, Watched, share},
    eproc::{EProc, Every, Form, Means, Null},
    sketch::Sketch,
};

const ALL: [&str; 7] = ["drift", "drift-clocked", "drift-names", "eproc", "histogram", "sketch", "sequence"];
/// Streams of a panel.
const STREAMS: u64 = 30;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [what, rows] = args.as_slice() {
        let rows = rows.parse().expect("a count of updates");
        black_box(run(what, rows));
        return;
    }
    println!("{:>14} {:>12}", "update of", "nanoseconds");
    for what in ALL {
        let updates = if what == "sequence" { 3_000 } else { 300_000 };
        let time = |updates| {
            #[expect(clippy::disallowed_methods, reason = "it measures time")]
            let begun = Instant::now();
            black_box(run(what, black_box(updates)));
            begun.elapsed().as_secs_f64()
        };
        // The difference of two lengths: what is built before the first row does not count.
        let best = (0..5).map(|_| time(2 * updates) - time(updates)).fold(f64::INFINITY, f64::min);
        println!("{what:>14} {:>12.1}", best / updates as f64 * 1e9);
    }
}

/// Does so many updates; returns something that depends on all of them.
fn run(what: &str, updates: u64) -> f64 {
    match what {
        "drift" => drift(updates, Every::Rows(100_000), false),
        "drift-clocked" => drift(updates, Every::Nanos(2_592_000_000_000_000), false),
        "drift-names" => drift(updates, Every::Nanos(2_592_000_000_000_000), true),
        "eproc" => {
            let null = Null::at_most(0.5, (0.0, 1.0)).expect("sound");
            let mut engine = EProc::new(Form::Sr(Every::Rows(100_000)), null);
            (0..updates).for_each(|at| engine.update(at, share(at, 0)));
            engine.wealth().number()
        }
        "histogram" => {
            let mut live = Live::new(258);
            let cells = cells(1);
            (0..updates).for_each(|at| live.update(at * 1_000_000, cells.cell(Value::Number(share(at, 0)))));
            f64::from(live.counts()[1])
        }
        "sketch" => {
            let mut sketch = Sketch::default();
            (0..updates).for_each(|at| sketch.update(at, share(at, 0) * 1e6));
            sketch.quantile(0.95).unwrap_or(0.0)
        }
        "sequence" => {
            let mut means = Means::default();
            (0..updates).for_each(|at| means.update(at, share(at, 0)));
            means.read(0.05).lo
        }
        other => panic!("no `{other}`: one of {}", ALL.join(", ")),
    }
}

fn cells(seed: u64) -> Cells {
    Cells::numbers((0..5_000).map(|at| Value::Number(share(at, seed as usize))).collect::<Vec<_>>())
}

/// Updates of scalars, thirty in a row: numbers, or names of four.
fn drift(updates: u64, every: Every, names: bool) -> f64 {
    let settings = Settings { every, enforced: false, hold: Hold::default(), seasons: None };
    let weight = 1.0 / STREAMS as f64;
    let name = |at: u64| Value::Category(["0", "1", "2", "3"][(share(at, 0) * 4.0) as usize]);
    let cells = |at: u64| if names { Cells::categories((0..5_000).map(name)) } else { cells(at) };
    let watched = |at: u64| Watched { name: at.to_string(), weight, cells: vec![Arc::new(cells(at))] };
    let mut panel = Panel::new(settings, (0..STREAMS).map(watched).collect()).expect("sound");
    let mut row = [None; STREAMS as usize];
    for at in 0..updates / STREAMS {
        for (index, value) in row.iter_mut().enumerate() {
            let drawn = at * STREAMS + index as u64;
            *value = Some(if names { name(drawn) } else { Value::Number(share(at, index + 100)) });
        }
        panel.update(at * 1_000_000, at.wrapping_mul(0x9e37_79b9_7f4a_7c15), &row);
    }
    panel.wealths().iter().sum()
}
