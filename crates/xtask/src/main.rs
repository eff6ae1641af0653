//! The verbs of those who work on Evenkeel: `cargo xtask tidy|bless|mutate`.

mod bless;
mod mutate;
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
        _ => anyhow::bail!("usage: cargo xtask tidy|bless|mutate [RULE]"),
    }
}

/// The folder of the whole repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
