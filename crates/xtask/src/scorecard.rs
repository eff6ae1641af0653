//! Scorecard: writes `docs/fault-scorecard.md` from a run of the fault bench: minutes of real time, over real sockets.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Context;

/// All rows, as the bench names them together.
const EVERY: &str = "every_row_is_survived";

/// Plays rows, with the order to write their lines; all rows where none is named.
///
/// # Errors
/// The bench cannot be built, or has no row of a name.
pub(crate) fn run(root: &Path, rows: &[String]) -> anyhow::Result<ExitCode> {
    let listed = bench(root).arg("--list").output().context("cannot run cargo")?;
    anyhow::ensure!(listed.status.success(), "cannot list the rows:\n{}", String::from_utf8_lossy(&listed.stderr));
    let wanted = named(&String::from_utf8_lossy(&listed.stdout), rows)?;
    let status = bench(root).args(wanted).env("EVENKEEL_SCORECARD", "1").status().context("cannot run cargo")?;
    println!("read what moved: git diff docs/fault-scorecard.md");
    Ok(ExitCode::from(u8::from(!status.success())))
}

fn bench(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["test", "--locked", "-q", "-p", "evenkeel", "--test", "faults", "--"]).current_dir(root);
    command
}

/// Returns the names by which the bench finds some rows, which may be written as in the catalogue (`UP-34`), or as tests are
/// named, or a part of that (`up_3`).
///
/// # Errors
/// Some are not in the list of the bench: a card that lacks them without a word would pass for theirs.
fn named(listed: &str, rows: &[String]) -> anyhow::Result<Vec<String>> {
    let known: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let wanted: Vec<String> = rows.iter().map(|row| row.to_lowercase().replace('-', "_")).collect();
    let missing = rows.iter().zip(&wanted).filter(|(_, name)| !known.iter().any(|it| it.contains(name.as_str())));
    let missing: Vec<String> = missing.map(|(row, _)| format!("`{row}`")).collect();
    anyhow::ensure!(
        missing.is_empty(),
        "the fault bench plays no row {}; docs/fault-scorecard.md lists the rows, and why some are not played",
        missing.join(", ")
    );
    Ok(if wanted.is_empty() { vec![EVERY.to_owned()] } else { wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_of(rows: &[&str]) -> Result<Vec<String>, String> {
        let listed = "up_33: test\nup_34: test\nthe_scorecard_lists_the_catalogue: test\n";
        let rows: Vec<String> = rows.iter().map(|it| (*it).to_owned()).collect();
        named(listed, &rows).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_may_be_named_as_the_catalogue_writes_it() {
        assert_eq!(named_of(&["UP-34", "up_33"]), Ok(vec!["up_34".to_owned(), "up_33".to_owned()]));
        assert_eq!(named_of(&["up_3"]), Ok(vec!["up_3".to_owned()]));
        assert_eq!(named_of(&[]), Ok(vec![EVERY.to_owned()]));
    }

    #[test]
    fn what_the_bench_does_not_play_is_named() {
        let error = named_of(&["UP-34", "UP-12", "nonsense"]).expect_err("two are not played");
        assert!(error.contains("no row `UP-12`, `nonsense`;"), "{error}");
    }
}
