//! Risk: how likely the first tier's answer will not do, learnt in this process from what became of requests that looked alike.
//!
//! Counted are requests whose first tier has answered, well or not well enough: what is rejected, breaks the contract, is not
//! sure enough or is wrong by its label has failed. Labels come later, so what was told of an answer is kept until then. A server
//! that is down says nothing of inputs, and counts for nothing.
//!
//! # When it misleads
//! Where it sends requests past the first tier, nothing more is learnt of those; what was counted fades, until too little is left to
//! say anything, and the first tier is tried again.

use std::sync::Arc;

use evenkeel_core::{Decision, End, Nanos};
use evenkeel_signals::risk::{FallbackRisk, Seen};
use parking_lot::Mutex;

/// Reasons of the group that speaks of the quality of an answer.
const QUALITY: std::ops::Range<u16> = 400..500;

/// What became of requests, by how they looked.
#[derive(Debug, Default)]
pub(crate) struct Risk(Mutex<FallbackRisk>);

impl Risk {
    /// Returns the probability that the first tier's answer will not do; none where too few looked like that.
    pub(super) fn read(&self, now: Nanos, seen: &Seen) -> Option<f64> {
        self.0.lock().read(now, seen).map(|it| it.p)
    }

    /// Learns from a request that is over; returns what its label may change, where the first tier's answer was given.
    pub(crate) fn learn(self: &Arc<Self>, now: Nanos, seen: Seen, decision: &Decision) -> Option<Lesson> {
        let failed = failed(decision)?;
        self.0.lock().update(now, &seen, failed);
        (!failed).then(|| Lesson { risk: self.clone(), seen, at: now, wrong: false })
    }
}

/// An answer of the first tier that counts as good until a label says that it is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Lesson {
    risk: Arc<Risk>,
    /// What the request looked like: no value of it.
    seen: Seen,
    at: Nanos,
    wrong: bool,
}

impl Lesson {
    /// Takes in whether labels say that it is wrong; the last word counts.
    pub(crate) fn hear(&mut self, wrong: bool) {
        if wrong != self.wrong {
            self.wrong = wrong;
            self.risk.0.lock().amend(self.at, &self.seen, wrong);
        }
    }
}

/// Says whether the first tier's answer was not good enough; none where it gave none.
fn failed(decision: &Decision) -> Option<bool> {
    if decision.outcome.tier == Some(0) && decision.outcome.end == End::Answered && !decision.attempts.is_empty() {
        return Some(false);
    }
    let first = decision.candidates.iter().find(|it| it.tier == 0)?;
    let quality = first.reasons.iter().any(|it| QUALITY.contains(&it.number()));
    (quality && decision.attempts.iter().any(|it| it.tier == 0)).then_some(true)
}
