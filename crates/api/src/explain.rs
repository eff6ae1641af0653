//! Explain: a decision in words, step by step, rendered from the codes and numbers of its record (G-113).
//!
//! The same record gives the same words, and nothing is said that is not in it: there is no free text to leak or to disagree.
//! A section is a file: what a record has nothing of is left out.

mod attempts;
mod cache;
mod guards;
mod outcome;
mod post;
mod results;
mod signals;
mod tiers;

use std::fmt;

use crate::decision::Decision;

/// A part of an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about; empty for the first, which says what came of it.
    pub title: &'static str,
    /// Its lines; those that belong to the one above are indented by two blanks more.
    pub lines: Vec<String>,
}

/// A decision in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it is about, in order.
    pub sections: Vec<Section>,
}

/// Says in words why this tier answered, and what was done on the way.
pub fn explain(it: &Decision) -> Explained {
    let sections = [
        Section { title: "", lines: outcome::lines(it) },
        Section { title: "What was fetched before", lines: outcome::fetched(it) },
        Section { title: "What its input was like", lines: guards::lines(it) },
        Section { title: "What was kept of earlier answers", lines: cache::lines(it) },
        Section { title: "The tiers, in order", lines: tiers::lines(it) },
        Section { title: "What was asked", lines: attempts::lines(it) },
        Section { title: "What was done to the answer", lines: post::lines(it) },
    ];
    Explained { sections: sections.into_iter().filter(|it| !it.lines.is_empty()).collect() }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Section { title, lines } in &self.sections {
            if !title.is_empty() {
                writeln!(f, "\n{title}")?;
            }
            let margin = if title.is_empty() { "" } else { "  " };
            for line in lines {
                writeln!(f, "{margin}{line}")?;
            }
        }
        Ok(())
    }
}

/// Writes a number of things, as people say it.
fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Writes microseconds as milliseconds.
fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}

#[cfg(test)]
mod tests;
