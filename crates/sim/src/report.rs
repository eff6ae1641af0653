//! Report: what a run, or many, came to: tables for people, JSON for programs.
//!
//! `tally` counts while a world runs, `verdict` holds the counts against what the scenario expects, the others print.

mod compare;
mod histogram;
mod json;
mod tally;
mod text;
mod verdict;

use evenkeel_core::{Nanos, SECOND};

pub use self::compare::compare;
pub(crate) use self::{
    tally::{Counts, Tally},
    verdict::verdict,
};
use crate::{oracle::Violation, scenario::Scenario, world::Outcome};

/// What one run came to.
#[derive(Clone, Debug)]
pub struct Report {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) file: String,
    pub(crate) outcome: Outcome,
    pub(crate) misses: Vec<String>,
    /// Requests of the whole run, where fewer arrived; then nothing is said about what is expected.
    pub(crate) short_of: Option<u64>,
    /// The one command that shows again what does not hold.
    pub(crate) command: Option<String>,
}

impl Report {
    /// Judges a run with so many requests; one that is not whole by its rules alone.
    pub(crate) fn new(scenario: &Scenario, outcome: Outcome, requests: u64) -> Self {
        let short_of = Some(scenario.requests).filter(|all| requests < *all);
        let whole = short_of.is_none() && outcome.violation.is_none();
        let misses = if whole { verdict(scenario, &outcome.tally) } else { Vec::new() };
        let (name, about, file) = (scenario.name.clone(), scenario.about.clone(), scenario.file.clone());
        Self { name, about, file, outcome, misses, short_of, command: None }
    }

    /// Says whether every rule held, and, of a whole run, every expectation.
    pub fn holds(&self) -> bool {
        self.outcome.violation.is_none() && self.misses.is_empty()
    }

    /// Returns the promise that was broken.
    pub fn violation(&self) -> Option<&Violation> {
        self.outcome.violation.as_ref()
    }
}

/// A seed that fails, and how to see it again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was broken, or missed.
    pub what: Vec<String>,
    /// The one command that shows it: where a rule was broken before all requests had arrived, with the fewest that still
    /// break one; what is expected, and that all is well again, is judged of whole runs.
    pub command: String,
}

/// What many seeds of one scenario came to.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub(crate) name: String,
    /// Route and name of every path, in the order of the revision.
    pub(crate) paths: Vec<String>,
    /// How many seeds were run.
    pub seeds: u64,
    pub(crate) counts: Counts,
    /// Sorted, of the seeds that had one.
    pub(crate) failovers: Vec<Nanos>,
    pub(crate) recoveries: Vec<Nanos>,
    /// By seed.
    pub failures: Vec<Failure>,
}

impl Sweep {
    /// Says whether every rule and every expectation held for every seed.
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }

    /// Counts the requests that were decided.
    pub fn requests(&self) -> u64 {
        self.counts.requests
    }
}

/// Returns the middle and the last of sorted times.
fn middle_and_last(times: &[Nanos]) -> Option<(Nanos, Nanos)> {
    Some((*times.get(times.len() / 2)?, *times.last()?))
}

/// Writes a time for people.
pub(crate) fn time(nanos: Nanos) -> String {
    match nanos {
        0..10_000_000 => format!("{}.{:02} ms", nanos / 1_000_000, nanos % 1_000_000 / 10_000),
        10_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{}.{:03} s", nanos / SECOND, nanos % SECOND / 1_000_000),
    }
}

/// Writes a share for people, in tenths of a hundredth; what is not all never reads as all.
pub(crate) fn share(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1_000 / u128::from(whole.max(1))) as u64;
    format!("{}.{} %", permille / 10, permille % 10)
}
