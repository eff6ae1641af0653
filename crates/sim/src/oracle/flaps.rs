//! Flaps: how often a path has come back in vain, and so how long it may stay away at the most (F-066, F-067).
//!
//! It counts by the states alone and never takes a flap back, so it is a bound for the core, not a copy of it.

use evenkeel_core::{BreakerPolicy, BreakerState, Nanos, SECOND};

/// How soon after a close a trip is a flap (F-067).
const SOON: Nanos = 600 * SECOND;

/// What one path and operation has shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flaps {
    closed: Option<Nanos>,
    count: u32,
}

impl Flaps {
    /// Notes that the breaker has moved.
    pub(super) fn turned(&mut self, now: Nanos, before: BreakerState, state: BreakerState) {
        use BreakerState::{Closed, HalfOpen, Open, Ramp};
        match (before, state) {
            (HalfOpen, Open) => {}
            (Closed | Ramp, Open) if self.closed.is_some_and(|closed| now - closed < SOON) => self.count += 1,
            (_, Closed) => self.closed = Some(now),
            _ => {}
        }
    }

    /// Returns the longest open time that there may be.
    pub(super) fn longest(&self, policy: &BreakerPolicy) -> Nanos {
        let doubled = policy.open.saturating_mul(1 << self.count.min(20));
        let base = doubled.min(policy.flap_max).max(policy.open_max);
        base + base / 5
    }

    /// Returns by how much that is longer than that of a path that never flapped.
    pub(super) fn longer(&self, policy: &BreakerPolicy) -> Nanos {
        self.longest(policy) - Self::default().longest(policy)
    }
}
