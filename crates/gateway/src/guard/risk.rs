//! Risk: how likely the first tier's answer will not do, learnt in this process from what became of requests that looked alike.
//!
//! Counted are requests whose first tier has answered, well or not well enough: what is rejected, breaks the contract, is not
//! sure enough or is wrong by its label has failed. Labels come later, so what was told of an answer is kept until then. A server
//! that is down says nothing of inputs, and counts for nothing.
//!
//! # Invariants
//! - `TRY-1`: of the requests that it would send past the first tier every twentieth is asked of it all the same, and nothing is said of its
//!   risk: else a first tier that is well again would be passed over until what was counted has faded, for weeks.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use evenkeel_core::{Decision, End, Nanos};
use evenkeel_signals::risk::{FallbackRisk, Seen};
use parking_lot::Mutex;

/// Reasons of the group that speaks of the quality of an answer.
const QUALITY: std::ops::Range<u16> = 400..500;

/// Of so many requests that would be sent past the first tier it is asked for one.
const TRIED: u64 = 20;

/// What became of requests, by how they looked.
#[derive(Debug, Default)]
pub(crate) struct Risk {
    counts: Mutex<FallbackRisk>,
    /// How many requests were in breach.
    breached: AtomicU64,
}

impl Risk {
    /// Returns the probability that the first tier's answer will not do, in ten-thousandths; none where too few looked like that. A request
    /// that this would move, since it is `at_least` so much, may be the one that is tried (TRY-1).
    pub(super) fn read(&self, now: Nanos, seen: &Seen, at_least: Option<u64>) -> Option<u64> {
        let p = super::look::quantised(self.counts.lock().read(now, seen)?.p)?;
        let moves = at_least.is_some_and(|it| p >= it);
        let tried = moves && self.breached.fetch_add(1, Relaxed) % TRIED == TRIED - 1;
        (!tried).then_some(p)
    }

    /// Learns from a request that is over; returns what its label may change, where the first tier's answer was given.
    pub(crate) fn learn(self: &Arc<Self>, now: Nanos, seen: Seen, decision: &Decision) -> Option<Lesson> {
        let failed = failed(decision)?;
        self.counts.lock().update(now, &seen, failed);
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
            self.risk.counts.lock().amend(self.at, &self.seen, wrong);
        }
    }
}

/// Says whether the first tier's answer was not good enough; none where it gave none.
fn failed(decision: &Decision) -> Option<bool> {
    if decision.outcome.tier == Some(0) && decision.outcome.end == End::Answered && !decision.attempts.is_empty() {
        // One that was not accepted may be given after all, where nobody did better.
        return Some(QUALITY.contains(&decision.reason.number()));
    }
    let first = decision.candidates.iter().find(|it| it.tier == 0)?;
    let quality = first.reasons.iter().any(|it| QUALITY.contains(&it.number()));
    (quality && decision.attempts.iter().any(|it| it.tier == 0)).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen { missing_ratio: 0.5, p: None, drift: 0, noisy: false };

    #[test]
    fn try_1_a_first_tier_that_is_well_again_is_found_out() {
        let risk = Risk::default();
        (0..1_000).for_each(|_| risk.counts.lock().update(0, &SEEN, true));
        let asked = |at_least| (0..100).filter(|_| risk.read(0, &SEEN, at_least).is_none()).count();
        assert_eq!(
            (asked(Some(5_000)), asked(Some(10_001)), asked(None)),
            (5, 0, 0),
            "of a hundred in breach five are tried"
        );
        // What is tried goes well now: as many good ones as there were bad ones are enough.
        let mut requests = 0;
        while risk.read(0, &SEEN, None).is_some_and(|p| p >= 5_000) {
            requests += 1;
            if risk.read(0, &SEEN, Some(5_000)).is_none() {
                risk.counts.lock().update(0, &SEEN, false);
            }
        }
        assert!((15_000..25_000).contains(&requests), "{requests}");
    }
}
