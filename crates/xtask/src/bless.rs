//! Bless: writes the golden outputs of the scenarios anew, by the test that compares them.
//!
//! What moved is shown by `git diff scenarios/golden`, and read there before it is kept.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

/// Runs the test with the order to write.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "-q", "-p", "evenkeel-sim", "--test", "it", "golden_output"]);
    let status = command.current_dir(root).env("EVENKEEL_BLESS", "1").status().context("cannot run cargo")?;
    println!("read what moved: git diff scenarios/golden");
    Ok(ExitCode::from(u8::from(!status.success())))
}
