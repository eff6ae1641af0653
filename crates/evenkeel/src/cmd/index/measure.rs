//! Measure: how well an index finds what answers questions whose answers are known, and declines the others.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, ensure};
use clap::Args;
use evenkeel_retrieval::{Asked, Embedder as _, Measured};
use jiff::Timestamp;
use serde_json::json;

use super::{embed::Embeddings, place::Place};
use crate::output;

/// Documents among which the right one must be.
const MOST: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Measure {
    /// The folder of the index, or a database, as `index build` has it.
    index: String,
    /// The table in that database, `documents` where it is not said.
    #[arg(long)]
    table: Option<String>,
    /// Files of questions, one a line: `{"question": "…", "documents": ["id", …]}`; without documents, none answers it.
    #[arg(required = true)]
    questions: Vec<PathBuf>,
    /// The confidence from which on a question is answered, as in the configuration.
    #[arg(long, default_value_t = 0.5)]
    min_score: f64,
    #[command(flatten)]
    embeddings: Embeddings,
    /// Prints one object in JSON instead of a table.
    #[arg(long)]
    json: bool,
}

impl Measure {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::read(&self.index, self.table.as_deref())?;
        let index = place.open().context("cannot search")?;
        let mut embedder = self.embeddings.client_of((&place, &index))?;
        let (mut measured, now) = (Measured::default(), Timestamp::now().as_second());
        for path in &self.questions {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            for asked in Asked::read(&text).with_context(|| path.display().to_string())? {
                let vector = match &mut embedder {
                    Some(it) => it.embed(std::slice::from_ref(&asked.question)).map_err(anyhow::Error::msg)?.pop(),
                    None => None,
                };
                let hits = index.search((&asked.question, vector.as_deref()), now, MOST).context("cannot search")?;
                measured.count(&asked, &hits, self.min_score);
            }
        }
        ensure!(measured.asked + measured.off > 0, "there is no question");
        if self.json {
            let Measured { asked, first, among_three, answered, off, declined } = measured;
            output::line(
                json!({"asked": asked, "first": first, "among_three": among_three, "answered": answered, "off": off, "declined": declined}),
            )?;
        } else {
            output::line("| what | of | share | 95 % interval (Wilson) |\n|---|---|---|---|")?;
            measured.shares().iter().try_for_each(|share| output::line(share.cells()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
