//! Measures on data from elsewhere and writes `bench/signals/*.csv` and `docs/quality.md`: see `bench/signals`.
//!
//! `quality WHAT [--page]`: with `--page` only the table is made anew of what was kept.

use std::{path::Path, process::ExitCode};

#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/accuracy.rs"]
mod accuracy;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/canaries.rs"]
mod canaries;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/certificates.rs"]
mod certificates;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/curve.rs"]
mod curve;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/draw.rs"]
mod draw;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/forecasts.rs"]
mod forecasts;
#[allow(dead_code, reason = "what only the tests run")]
#[path = "../tests/quality/page.rs"]
mod page;

use page::Line;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let anew = !asked.iter().any(|it| it == "--page");
    match asked.first().map(String::as_str) {
        Some(certificates::NAME) => {
            let folder = page::data("cascade").expect("../shared/data/cascade");
            page::drawing("quality-cascade", &certificates::draw(&folder));
            let run = || certificates::run(&folder);
            let lines = lines(anew, certificates::NAME, certificates::COLUMNS, run);
            told(certificates::NAME, &certificates::table(&lines), &certificates::misses(&lines))
        }
        Some(canaries::NAME) => {
            let run = || canaries::run_real(&page::data("canary").expect("../shared/data/canary"));
            let real = lines(anew, "canaries-real", canaries::REAL_COLUMNS, run);
            let nulls = lines(anew, "canaries-null", canaries::NULL_COLUMNS, canaries::run_nulls);
            told(canaries::NAME, &canaries::tables(&nulls, &real), &canaries::misses(&nulls, &real))
        }
        Some(accuracy::NAME) => {
            let found = accuracy_found(anew, asked.get(1).map(Path::new));
            told(accuracy::NAME, &found.tables(), &found.misses())
        }
        Some(forecasts::NAME) => {
            let run = || forecasts::run(&page::data("load").expect("../shared/data/load"));
            let lines = lines(anew, forecasts::NAME, forecasts::COLUMNS, run);
            told(forecasts::NAME, &forecasts::table(&lines), &forecasts::misses(&lines))
        }
        _ => {
            eprintln!("quality: say what to measure: certificates, canaries, accuracy FOLDER, forecasts");
            ExitCode::from(2)
        }
    }
}

/// What is found of accuracy: the employment set as `bench/signals/accuracy` has put it into a folder, and replays.
fn accuracy_found(anew: bool, folder: Option<&Path>) -> accuracy::Found {
    let peer = std::fs::read_to_string(page::file("accuracy-peer")).expect("what nannyml said");
    let (peer, theirs) = accuracy::peer(&peer);
    let set = |name: &str| accuracy::read(&folder.expect("the folder of reference.csv and analysis.csv").join(name));
    let chunks = || accuracy::chunks(&set("reference.csv"), &set("analysis.csv"));
    let times = || vec![accuracy::times(&set("reference.csv"), &set("analysis.csv")), theirs.clone()];
    let replays = || accuracy::run_replays(&page::data("cascade").expect("../shared/data/cascade"));
    accuracy::Found {
        chunks: lines(anew, "accuracy-chunks", accuracy::CHUNK_COLUMNS, chunks),
        peer,
        times: lines(anew, "accuracy-times", accuracy::TIME_COLUMNS, times),
        replays: lines(anew, "accuracy-replays", accuracy::REPLAY_COLUMNS, replays),
        sequences: lines(anew, "accuracy-sequences", accuracy::SEQUENCE_COLUMNS, accuracy::run_sequences),
    }
}

/// What is found now, and kept; or what was kept.
fn lines(anew: bool, name: &str, columns: &str, run: impl FnOnce() -> Vec<Line>) -> Vec<Line> {
    if anew {
        page::keep(name, columns, &run());
    }
    page::kept(name, columns)
}

/// Writes the table, and says what is not as promised.
fn told(name: &str, table: &str, misses: &[String]) -> ExitCode {
    println!("{table}");
    page::write(name, table);
    misses.iter().for_each(|it| eprintln!("{it}"));
    if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
