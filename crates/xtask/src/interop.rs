//! Interop: writes `docs/interop.md` from a run of real clients against real servers.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

/// Runs the test that sees the table, with the order to write it.
///
/// # Errors
/// The test cannot be run.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "-q", "-p", "evenkeel", "--test", "it", "interop", "--", "--nocapture"]);
    let status = command.current_dir(root).env("EVENKEEL_INTEROP", "1").status().context("cannot run cargo")?;
    println!("read what moved: git diff docs/interop.md");
    Ok(ExitCode::from(u8::from(!status.success())))
}
