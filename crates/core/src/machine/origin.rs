//! Origin: what a core starts from, and what of a lost one the next goes on with.

use alloc::sync::Arc;

use super::Core;
use crate::{clock::Nanos, revision::Revision};

/// What a core starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The revision in force.
    pub revision: Arc<Revision>,
    /// Attempts that earlier cores have numbered.
    pub attempts: u64,
    /// Probes that they have numbered.
    pub probes: u64,
    /// The process stops.
    pub draining: bool,
}

impl Origin {
    /// Starts with a revision and nothing else.
    pub const fn new(revision: Arc<Revision>) -> Self {
        Self { revision, attempts: 0, probes: 0, draining: false }
    }
}

impl Core {
    /// Starts, all breakers closed.
    pub fn begin(now: Nanos, origin: Origin) -> Self {
        let mut core = Self::new(now, origin.revision);
        (core.attempts, core.draining) = (origin.attempts, origin.draining);
        core.probes.number_from(origin.probes);
        core
    }

    /// Returns what a core would start from that takes the place of this one.
    pub fn origin(&self) -> Origin {
        let revision = self.generation.revision.clone();
        Origin { revision, attempts: self.attempts, probes: self.probes.asked(), draining: self.draining }
    }

    /// Starts anew after a panic, with the same revision and nothing else but the counts of attempts and of probes, so that what
    /// is still said of an old one is not heard as a new one's; and a process that stops goes on stopping.
    #[must_use]
    pub fn restarted(&self, now: Nanos) -> Self {
        Self::begin(now, self.origin())
    }
}
