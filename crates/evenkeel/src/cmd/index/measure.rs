//! Measure: how well an index finds what answers questions whose answers are known, and declines the others.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context, ensure};
use clap::Args;
use evenkeel_retrieval::{Embedder as _, Index as Documents};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::embed::Embeddings;

/// Documents among which the right one must be.
const MOST: usize = 3;

#[derive(Debug, Args)]
pub(super) struct Measure {
    /// The folder of the index.
    index: PathBuf,
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

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    documents: Vec<String>,
}

/// What came of the questions.
#[derive(Default)]
struct Counts {
    asked: u32,
    first: u32,
    three: u32,
    answered: u32,
    off: u32,
    declined: u32,
}

impl Measure {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let index = Documents::open(&self.index).context("cannot search")?;
        let mut embedder = self.embeddings.client()?;
        let (mut counts, now) = (Counts::default(), Timestamp::now().as_second());
        for path in &self.questions {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let asked: Asked =
                    serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), at + 1))?;
                let vector = match &mut embedder {
                    Some(it) => it.embed(std::slice::from_ref(&asked.question)).map_err(anyhow::Error::msg)?.pop(),
                    None => None,
                };
                let hits = index.search_with((&asked.question, vector.as_deref()), now, MOST)?;
                let hits: Vec<_> = hits.iter().map(|hit| (&*hit.id, hit.confidence)).collect();
                counts.add(&asked, &hits, self.min_score);
            }
        }
        ensure!(counts.asked + counts.off > 0, "there is no question");
        if self.json {
            let Counts { asked, first, three, answered, off, declined } = counts;
            println!(
                "{}",
                json!({"asked": asked, "first": first, "among_three": three, "answered": answered, "off": off, "declined": declined})
            );
        } else {
            print!("{}", counts.table());
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Counts {
    fn add(&mut self, asked: &Asked, hits: &[(&str, f64)], min_score: f64) {
        let is_answered = hits.first().is_some_and(|hit| hit.1 >= min_score);
        if asked.documents.is_empty() {
            self.off += 1;
            self.declined += u32::from(!is_answered);
            return;
        }
        let found = hits.iter().position(|hit| asked.documents.iter().any(|it| it == hit.0));
        self.asked += 1;
        self.first += u32::from(found == Some(0));
        self.three += u32::from(found.is_some());
        self.answered += u32::from(is_answered);
    }

    fn table(&self) -> String {
        let mut table = String::from("| what | of | share | 95 % interval (Wilson) |\n|---|---|---|---|\n");
        for (what, of, all) in [
            ("a document that answers is among the first three (recall@3)", self.three, self.asked),
            ("it is the first", self.first, self.asked),
            ("a question that documents answer is answered", self.answered, self.asked),
            ("a question that none answers is declined", self.declined, self.off),
        ] {
            if all > 0 {
                let (share, (low, high)) = (f64::from(of) / f64::from(all), wilson(of, all));
                let _ = writeln!(table, "| {what} | {of} of {all} | {share:.3} | {low:.3} to {high:.3} |");
            }
        }
        table
    }
}

/// Returns the 95 % interval of a share (E. B. Wilson, 1927).
fn wilson(of: u32, all: u32) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let (n, p) = (f64::from(all), f64::from(of) / f64::from(all));
    let middle = p + Z * Z / (2.0 * n);
    let width = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    ((middle - width) / whole, (middle + width) / whole)
}
