//! Aside: the breaker of a server that is asked beside the tiers, such as one that brings features (F-037).
//!
//! It is the [`Breaker`] of paths, with its trips, its leases and its ramp (`failures.md`, section 4), for a shell that asks
//! such a server itself: no request waits for it, no tier stands behind it, and what came of it enters the core with
//! [`Admit`](crate::Admit).
//!
//! # Invariants
//! - `ASIDE-1`: each call that was let start ends once; one that ends after that, or that is not known, says nothing.

use alloc::vec::Vec;

use crate::{
    breaker::{Breaker, BreakerState, Verdict},
    change::BreakerTurn,
    class::ResultCode,
    clock::Nanos,
    id::AttemptId,
    revision::BreakerPolicy,
};

/// The breaker of one server that is asked beside the tiers.
#[derive(Clone, Debug)]
pub struct Aside {
    breaker: Breaker,
    /// Calls so far: each has a number of its own.
    calls: u64,
    /// Calls that have not ended.
    open: Vec<AttemptId>,
}

impl Aside {
    /// Makes one that is Closed.
    pub fn new(policy: BreakerPolicy) -> Self {
        Self { breaker: Breaker::new(policy), calls: 0, open: Vec::new() }
    }

    /// Returns the state as it is at a moment.
    pub fn state(&self, now: Nanos) -> BreakerState {
        let mut then = self.breaker.clone();
        then.tick(now, 0);
        then.state()
    }

    /// Lets a call start, where it may: it takes until `expires` at most, and ends with [`end`](Self::end).
    ///
    /// # Units
    /// `entropy` is 64 uniform bits: a ramp draws the lot of the call from it.
    pub fn start(&mut self, now: Nanos, entropy: u64, expires: Nanos) -> Option<AttemptId> {
        self.breaker.tick(now, entropy);
        if !self.breaker.ask(now, entropy).admits() {
            return None;
        }
        self.calls += 1;
        let call = AttemptId(self.calls);
        self.breaker.start(now, call, expires);
        self.open.push(call);
        Some(call)
    }

    /// Counts the end of a call; none as its result is one that says nothing of the server, and only gives the lease back.
    pub fn end(&mut self, now: Nanos, call: AttemptId, (result, entropy): (Option<ResultCode>, u64)) {
        let Some(at) = self.open.iter().position(|open| *open == call) else { return };
        self.open.swap_remove(at);
        let Some(result) = result else { return self.breaker.release(call) };
        let evidence = result.evidence();
        self.breaker.tick(now, entropy);
        // Each call is of another request.
        let verdict = Verdict { attempt: call, result, status: None, evidence, repeated: false, entropy };
        self.breaker.record(now, verdict);
    }

    /// Tells once how it has moved since it was last asked (F-060).
    pub fn tell(&mut self) -> Option<BreakerTurn> {
        self.breaker.tell()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SECOND, fact::Signal};

    /// Makes one call that ends so; says whether it was let start.
    fn call(aside: &mut Aside, now: Nanos, result: Option<ResultCode>) -> bool {
        let Some(call) = aside.start(now, 0, now + SECOND) else { return false };
        aside.end(now, call, (result, 0));
        true
    }

    #[test]
    fn f_037_f_062_hard_failures_open_it_and_it_comes_back_by_probes_and_a_ramp() {
        let mut aside = Aside::new(BreakerPolicy::default());
        for now in 0..5 {
            assert_eq!(aside.state(now * SECOND), BreakerState::Closed);
            // What says nothing of the server counts nothing.
            assert!(call(&mut aside, now * SECOND, None));
            assert!(call(&mut aside, now * SECOND, Some(ResultCode::RateLimited)));
            assert!(call(&mut aside, now * SECOND, Some(ResultCode::ConnectFailed)));
            if aside.state(now * SECOND) == BreakerState::Open {
                break;
            }
        }
        let turn = aside.tell().expect("it has moved");
        assert_eq!(
            (turn.to, turn.trip.and_then(|it| it.result)),
            (BreakerState::Open, Some(ResultCode::ConnectFailed))
        );
        assert_eq!(aside.tell(), None, "told once");
        assert!(!call(&mut aside, 6 * SECOND, None), "while it is open nobody asks");
        let later = 60 * SECOND;
        assert_eq!(aside.state(later), BreakerState::HalfOpen);
        let probe = aside.start(later, 0, later + SECOND).expect("one may try");
        assert_eq!(aside.start(later, 0, later + SECOND), None, "and no other beside it");
        aside.end(later, probe, (Some(ResultCode::Ok), 0));
        aside.end(later, probe, (Some(ResultCode::Reset), 0));
        assert_eq!(aside.state(later), BreakerState::HalfOpen, "ASIDE-1");
        assert!(call(&mut aside, later, Some(ResultCode::Ok)));
        assert_eq!(aside.state(later), BreakerState::Ramp);
        assert_eq!(aside.breaker.ask(later, 0).signal, Signal::RampLot);
    }

    #[test]
    fn f_037_f_069_a_lease_that_nobody_gives_back_expires() {
        let mut aside = Aside::new(BreakerPolicy::default());
        while call(&mut aside, 0, Some(ResultCode::Reset)) {}
        let later = 60 * SECOND;
        aside.start(later, 0, later + SECOND).expect("one may try");
        assert_eq!(aside.state(later + SECOND), BreakerState::Open);
    }
}
