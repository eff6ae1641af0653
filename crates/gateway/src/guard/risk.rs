//! Risk: how likely the first tier's answer will not do, learnt in this process from what became of requests that looked alike.
//!
//! Counted are requests whose first tier has answered, well or not well enough: what is rejected, breaks the contract or is not
//! sure enough has failed. A server that is down says nothing of inputs, and counts for nothing.
//!
//! # When it misleads
//! Where it sends requests past the first tier, nothing more is learnt of those; what was counted fades, until too little is left to
//! say anything, and the first tier is tried again.

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

    /// Learns from a request that is over.
    pub(crate) fn learn(&self, now: Nanos, seen: &Seen, decision: &Decision) {
        if let Some(failed) = failed(decision) {
            self.0.lock().update(now, seen, failed);
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
