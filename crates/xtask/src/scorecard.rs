//! Scorecard: writes `docs/fault-scorecard.md` from a run of the fault bench: minutes of real time, over real sockets.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

/// Plays rows, with the order to write their lines; all rows where none is named.
pub(crate) fn run(root: &Path, rows: &[String]) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "-q", "-p", "evenkeel", "--test", "faults", "--"]);
    if rows.is_empty() {
        command.arg("every_row_is_survived")
    } else {
        command.args(rows)
    };
    let status = command.current_dir(root).env("EVENKEEL_SCORECARD", "1").status().context("cannot run cargo")?;
    println!("read what moved: git diff docs/fault-scorecard.md");
    Ok(ExitCode::from(u8::from(!status.success())))
}
