//! The verbs of those who work on Evenkeel: `cargo xtask tidy|bless|mutate|scorecard`.

mod bless;
mod mutate;
mod scorecard;
mod tidy;

use std::{path::Path, process::ExitCode};

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let report = tidy::run(root())?;
            report.warnings.iter().for_each(|line| println!("warning: {line}"));
            report.errors.iter().for_each(|line| println!("error: {line}"));
            println!("tidy: {} errors, {} warnings", report.errors.len(), report.warnings.len());
            Ok(ExitCode::from(u8::from(!report.errors.is_empty())))
        }
        Some("bless") => bless::run(root()),
        Some("mutate") => mutate::run(root(), std::env::args().nth(2).as_deref()),
        Some("scorecard") => scorecard::run(root(), &std::env::args().skip(2).collect::<Vec<_>>()),
        _ => anyhow::bail!("usage: cargo xtask tidy|bless|mutate [RULE]|scorecard [ROW…]"),
    }
}

/// The folder of the whole repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
