//! Certificate: a route whose cheaper models answer from a threshold on that was promised to cost little, and did not keep that.
//!
//! It tests nothing: the shell does, by labels, and says as a signal how many steps the route has gone back. A step asks more of the
//! models above the one with which the promise compares; beyond the last threshold they are not asked, and that one answers alone.
//!
//! # Why by the request
//! A threshold is held against a float, which is the shell's. So each attempt is told how many steps its request was admitted under, and
//! the shell reads the threshold of those from the ladder of the revision: a replay gives the same.
//!
//! # Invariants
//! - `STEP-1`: what an attempt is told is what was said last when its request was admitted; what is said later is for others.
//! - `STEP-2`: no time takes a route back up, and no silence: nobody has shown that the promise is kept again. The shell says when.
//! - `STEP-3`: beyond the last threshold no tier above the one that is compared with is asked, and the route starts there.
//!
//! # Source
//! `docs/design/signals.md`, sections 2 and 6.

use crate::{fact::Signal, reason::Reason, transition::Trip};

/// What a certificate promises, as far as a route can step back from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    /// The tier with which it compares: what is promised is promised of those above.
    pub last: u8,
    /// How many thresholds are safer than those of the configuration.
    pub thresholds: u8,
}

/// How far a route has gone back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stepped {
    policy: StepPolicy,
    steps: u8,
}

impl Stepped {
    /// Returns how a route stands that has gone back so far; none where that means nothing to it.
    pub(crate) fn of(steps: u8, policy: Option<StepPolicy>) -> Option<Self> {
        policy.filter(|_| steps > 0).map(|policy| Self { policy, steps })
    }

    /// Returns how many steps safer a tier must be than its configuration says.
    pub(crate) fn at(self, tier: u8) -> u8 {
        if tier < self.policy.last { self.steps } else { 0 }
    }

    /// Compares for a tier; none where nothing is promised of that.
    pub(crate) fn ask(self, tier: u8) -> Option<(Signal, u64, u64)> {
        let (steps, thresholds) = (self.at(tier), self.policy.thresholds);
        (steps > 0).then(|| (Signal::CertificateSteps, steps.into(), thresholds.into()))
    }

    /// Returns the tier above which none is asked.
    pub(crate) fn above(self) -> u8 {
        if self.steps > self.policy.thresholds { self.policy.last } else { 0 }
    }

    /// Returns what took the route down.
    pub(crate) fn trip(self) -> Trip {
        let (bad, of) = (self.steps.into(), self.policy.thresholds.into());
        Trip { rule: "certificate", result: None, bad, of, reason: Reason::ConceptDrift }
    }
}
