//! Times a run of each network in `tests/networks` by its rows: `rows`, for `bench/networks`.
//!
//! Every run has its inputs copied and its outputs made, as in the gateway. What is told is the CPU time of the thread, so that
//! other work of the machine counts little.

use std::{hint::black_box, path::Path};

use evenkeel_onnx::{Data, Model, Tensor};

const ROWS: [usize; 6] = [1, 2, 4, 16, 64, 256];
/// Seconds of CPU for each count of rows: the system counts in steps of some milliseconds.
const LEAST: f64 = 0.3;

fn main() {
    println!("| network | {} | at once |", ROWS.map(|it| format!("{it} rows, µs a row")).join(" | "));
    println!("|---|{}", "---:|".repeat(ROWS.len() + 1));
    for name in ["network-layers", "network-wide", "network-attention", "network-image"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/networks/{name}.onnx"));
        let model = Model::load(&std::fs::read(file).expect("it is committed")).expect("it is sound");
        let micros = ROWS.map(|rows| time(&model, rows) * 1e6 / rows as f64);
        let gain = micros[0] / micros[ROWS.len() - 1];
        println!("| `{name}` | {} | {gain:.1} times |", micros.map(|it| format!("{it:.2}")).join(" | "));
    }
}

/// Returns the seconds of CPU that a run of so many rows takes.
fn time(model: &Model, rows: usize) -> f64 {
    let input = |port: &evenkeel_onnx::Port| {
        let shape: Vec<usize> = port.shape.iter().map(|it| it.map_or(rows, |it| it as usize)).collect();
        let values = (0..shape.iter().product()).map(|at: usize| (at * 7 % 101) as f32 / 25.0 - 2.0).collect();
        (port.name.clone(), Tensor::new(shape, Data::F32(values)).expect("it fits"))
    };
    let inputs: Vec<_> = model.inputs().iter().map(input).collect();
    let (began, mut runs) = (spent(), 0_u32);
    loop {
        for _ in 0..8 {
            let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
            black_box(model.run(&inputs).expect("it runs"));
        }
        runs += 8;
        let all = spent() - began;
        if all >= LEAST {
            return all / f64::from(runs);
        }
    }
}

/// Returns the seconds of CPU that this thread has had.
fn spent() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let nanos: u64 = told.split_whitespace().next().and_then(|it| it.parse().ok()).expect("nanoseconds come first");
    nanos as f64 / 1e9
}
