//! `evenkeel profile merge`: the reference that the rows of several would have made.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::{files, show};
use crate::{
    cmd::over::{Made, may_write},
    output,
    profile::show::Shown,
};

/// Puts references together. Their order does not matter, and rows of a file that stands in several count once.
///
/// They merge where they were made by one plan: the same columns, route, seed, rate and seasons. Private columns merge where their
/// cells are the same, as those of files that were built together; else they are dropped, and named.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The references.
    #[arg(required = true, num_args = 1..)]
    references: Vec<PathBuf>,
    /// The file of the new one.
    #[arg(short, long, value_name = "REF")]
    output: PathBuf,
    /// Replaces the file of -o where one of the kind is there: a running gateway that uses it takes the new one at once.
    #[arg(long)]
    force: bool,
    /// Prints one object in JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl Merge {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        merge(&self.references, &self.output, (self.json, self.force))
    }
}

/// Merges references, writes what comes of it, and says what did not merge.
pub(super) fn merge(from: &[PathBuf], to: &Path, (json, force): (bool, bool)) -> anyhow::Result<ExitCode> {
    may_write(to, Made::Reference, from.iter().map(PathBuf::as_path), force)?;
    let (first, others) = from.split_first().context("name the references")?;
    let mut whole = files::reference(first)?;
    let mut dropped = Vec::new();
    for file in others {
        let other = files::reference(file)?;
        let merged =
            whole.merge(&other).with_context(|| format!("cannot merge {} with {}", file.display(), first.display()))?;
        dropped.extend(merged.dropped);
        whole = merged.reference;
    }
    files::write(to, &whole.encode())?;
    for name in &dropped {
        output::note(format_args!(
            "private column `{name}` is dropped: its cells are not the same; files that are built by one `profile` have the same"
        ));
    }
    let shown = Shown::of(&whole, show::EVERY_NS);
    match json {
        true => {
            let mut told = shown.json();
            told["dropped"] = json!(dropped);
            output::line(told)?;
        }
        false => output::text(shown.text(&to.display().to_string()))?,
    }
    Ok(ExitCode::SUCCESS)
}
