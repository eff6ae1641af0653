//! The large run of `S-DRIFT`, for `bench/signals/drift`: `streams FOLDER` writes what the peers are to be judged by, `page FOLDER` runs
//! our own, reads what the peers gave, and writes the tables of `docs/quality.md`.

#[path = "drift/page.rs"]
mod page;
#[path = "../tests/drift/protocol.rs"]
mod protocol;

use std::{env, fs, path::Path, process::ExitCode};

use protocol::{AFTER, BEFORE, CASES, CHANGES, Case, Nulls, Runs, clocked, delay, median, nulls, stream};

/// Null streams of each kind.
const STREAMS: u64 = 1_000;
/// Streams by which delays are judged, ours and the peers'.
const JUDGED: u64 = 200;
/// Rows of the reference in the comparison.
const REFERENCE: usize = 5_000;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["streams", folder] => streams(Path::new(folder)),
        ["page", folder] => tables(Path::new(folder)),
        _ => {
            eprintln!("usage: drift streams FOLDER | drift page FOLDER (bench/signals/drift calls both)");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Writes the streams of the comparison: doubles, little-endian, one stream after the other.
fn streams(folder: &Path) {
    let doubles = (0..JUDGED).flat_map(|seed| stream(seed, REFERENCE)).flat_map(f64::to_le_bytes);
    fs::write(folder.join("streams.f64"), doubles.collect::<Vec<u8>>()).expect("the streams are written");
    let about = format!("{JUDGED} {REFERENCE} {BEFORE} {AFTER}\n");
    fs::write(folder.join("streams.txt"), about).expect("their shape is written");
}

/// Writes the tables.
fn tables(folder: &Path) {
    let peers = fs::read_to_string(folder.join("peers.csv")).expect("what the peers gave");
    page::write(&[("drift-nulls", nulls_table()), ("drift-delays", delays_table(&peers))]);
}

fn nulls_table() -> String {
    let columns =
        ["stream", "reference, rows", "form", "T", "cut at", "alarms by then", "mean run ≥", "99 % lower bound"];
    let mut table = page::head(&columns);
    let of = |reference, enforced| Nulls { streams: STREAMS, every: 10_000, cut: 3, reference, enforced };
    let mut line = |name: &str, of: Nulls, runs: &Runs| {
        let verdict = if runs.low >= of.every as f64 { "" } else { " **below T**" };
        let form = if of.enforced { "cusum" } else { "sr" };
        let share = runs.alarms as f64 / of.streams as f64 * 100.0;
        eprintln!("{name}, {} rows, {form}: {:.0}", of.reference, runs.mean);
        table += &format!("| {name} | {} | {form} | {} | {} T ", of.reference, of.every, of.cut);
        table += &format!("| {share:.1} % | {:.0} | {:.0}{verdict} |\n", runs.mean, runs.low);
    };
    for case in CASES {
        for reference in [1_000, 5_000] {
            let of = of(reference, false);
            line(case.name(), of, &nulls(case, of));
        }
    }
    let cusum = of(1_000, true);
    line(Case::Normal.name(), cusum, &nulls(Case::Normal, cusum));
    let clock = of(5_000, false);
    line("normal, T in units of time, 10 rows a unit by day, 1 by night", clock, &clocked(clock));
    table
}

fn delays_table(peers: &str) -> String {
    let columns =
        ["detector", "T", "what was tuned", "mean between false alarms", "+¼ sd", "+½ sd", "+1 sd", "sd × 1.5"];
    let mut table = page::head(&columns);
    let all: Vec<_> = (0..JUDGED).map(|seed| stream(seed, REFERENCE)).collect();
    for (every, enforced) in [(10_000, false), (10_000, true), (100_000, false), (100_000, true)] {
        let form = if enforced { "cusum" } else { "sr" };
        let runs = nulls(Case::Normal, Nulls { streams: JUDGED, every, cut: 3, reference: REFERENCE, enforced });
        table += &format!("| **evenkeel, {form}** | {every} | nothing | ≥ {:.0} ({} alarms) ", runs.mean, runs.alarms);
        for change in CHANGES {
            let (median, missed) =
                median(all.iter().map(|it| delay(it, REFERENCE, (every, enforced), change)).collect());
            table += &format!("| {} ", cell(median, missed));
        }
        table += "|\n";
        eprintln!("delays, T {every}, {form}");
    }
    for line in peers.lines() {
        table += &format!("| {} |\n", line.split(';').collect::<Vec<_>>().join(" | "));
    }
    table += "| always | – | – | 1 | 1 | 1 | 1 | 1 |\n| never | – | – | never | never | never | never | never |\n";
    table
}

/// A median with the share that was missed, where one was.
fn cell(median: Option<usize>, missed: usize) -> String {
    let median = median.map_or("missed".into(), |it| it.to_string());
    let share = missed as f64 / JUDGED as f64 * 100.0;
    if missed == 0 { median } else { format!("{median} ({share:.1} % missed)") }
}
