//! Scenario: a script that was read and found right: what is tried, who calls, what breaks, what is expected.
//!
//! The configuration in it is compiled as `serve` compiles it. A scenario may run under another configuration; then its
//! servers and routes must be there, too.

mod check;
mod schema;

use std::{path::Path, sync::Arc};

use evenkeel_config::{Deployment, Diagnostic, Severity};
use evenkeel_core::{Nanos, Revision, RouteId, RouteSignal};

pub(crate) use schema::{Server, WhenFull};

use crate::{fault::Fault, server::Model, workload::Load};

/// What to do about a file that is no scenario at all.
const HINT: &str = "see scenarios/plain.yaml for one that works";

/// A scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: that of its file, without the ending.
    pub name: String,
    /// The file, as it was named.
    pub file: String,
    /// The configuration that it runs under in place of its own, as it was named: for the command that shows a seed again.
    pub config: Option<String>,
    /// What it shows.
    pub about: String,
    /// Requests that arrive.
    pub requests: u64,
    pub(crate) revision: Arc<Revision>,
    /// By upstream.
    pub(crate) servers: Vec<Model>,
    /// Work in the gateway's own process.
    pub(crate) local: Model,
    pub(crate) workload: Vec<Load>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) drifts: Vec<Drift>,
    /// From, until, every.
    pub(crate) reloads: Option<(Nanos, Nanos, Nanos)>,
    pub(crate) expect: Expect,
}

/// A time in which the detector of a route stands at drift.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    pub(crate) route: RouteId,
    pub(crate) at: Nanos,
    pub(crate) length: Nanos,
    pub(crate) spread: Nanos,
    /// Nothing is said when it is over.
    pub(crate) silent: bool,
    /// As what it is told.
    pub(crate) of: RouteSignal,
}

/// What must hold for every seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    pub(crate) failed: Option<u64>,
    pub(crate) broken: Option<u64>,
    pub(crate) mended_permille: Option<u64>,
    pub(crate) failover: Option<Nanos>,
    pub(crate) back: Option<Nanos>,
    pub(crate) transitions: Option<u64>,
    pub(crate) tried_in_fault: Option<u64>,
    pub(crate) found: Option<Nanos>,
    pub(crate) carried: Option<u64>,
    pub(crate) refused_within: Option<Nanos>,
    pub(crate) p999: Option<Nanos>,
    pub(crate) attempts_permille: Option<u64>,
    pub(crate) tier0_permille: Option<u64>,
    pub(crate) restored_permille: u64,
    pub(crate) recover_within: Nanos,
}

impl Scenario {
    /// Reads a scenario; with `deployment` it runs under that configuration in place of its own.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and a hint.
    pub fn load(path: &Path, deployment: Option<&Deployment>) -> Result<Self, Vec<Diagnostic>> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::read(&file, &text, deployment),
            Err(error) => Err(vec![Diagnostic {
                code: "unreadable",
                severity: Severity::Error,
                file,
                line: 0,
                column: 0,
                key: String::new(),
                message: format!("cannot be read: {error}"),
                hint: HINT.into(),
            }]),
        }
    }

    /// Reads a scenario from a text, under the name that diagnostics shall show.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and a hint.
    pub fn read(file: &str, text: &str, deployment: Option<&Deployment>) -> Result<Self, Vec<Diagnostic>> {
        let base = Path::new(file).parent().unwrap_or(Path::new("."));
        evenkeel_config::read_document(file, text, HINT, |script, findings| {
            check::compile(script, findings, check::Around { file, base, deployment })
        })
    }

    /// Returns when everything that is out of the ordinary begins, and when it is over, at the latest: faults, drifts, and
    /// clients that come for a time only.
    pub(crate) fn trouble(&self, spells: &[crate::fault::Spell]) -> Option<(Nanos, Nanos)> {
        let faults = spells.iter().map(|spell| (spell.from, spell.until));
        let passing = self.workload.iter().filter_map(|load| load.until.map(|until| (load.from, until)));
        let reloads = self.reloads.map(|(from, until, _)| (from, until));
        let drifts = self.drifts.iter().map(|it| (it.at, it.at + it.spread + it.length));
        faults.chain(passing).chain(reloads).chain(drifts).reduce(|all, it| (all.0.min(it.0), all.1.max(it.1)))
    }
}
