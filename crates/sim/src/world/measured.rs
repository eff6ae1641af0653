//! What is measured of inputs: detectors that say how a route stands, and guards that find a request suspicious.

use evenkeel_core::{GuardVerdict, Input, Nanos, Route, SECOND, Signal};

use super::{What, World};
use crate::dice::{Dice, Purpose};

/// From one word of a detector to the next.
const EVERY: Nanos = 10 * SECOND;
/// Rows that a detector has seen.
const ROWS: u64 = 5_000;

impl World<'_> {
    /// Looks forward to the drifts of the scenario.
    pub(super) fn expect_drifts(&mut self, seed: u64) {
        let mut dice = Dice::new(seed, Purpose::Drifts);
        for (at, drift) in (0..).zip(&self.scenario.drifts) {
            let from = drift.at + if drift.spread > 0 { dice.below(drift.spread) } else { 0 };
            self.queue.add(from, What::Drift(at, from + drift.length));
        }
    }

    /// A detector says that a route drifts, or no more.
    pub(super) fn drift(&mut self, at: u32, until: Nanos) {
        let drift = &self.scenario.drifts[at as usize];
        let over = self.now >= until;
        if over && drift.silent {
            return;
        }
        let value = if over { 0 } else { 2 };
        self.feed(Input::Signal { route: drift.route, name: drift.of, value, samples: ROWS }, None);
        if !over {
            self.queue.add((self.now + EVERY).min(until), What::Drift(at, until));
        }
    }
}

/// What the guards of a route find: nothing that it does not take, or all of it.
pub(super) fn verdict(route: &Route, suspicious: bool) -> GuardVerdict {
    let measured = |signal: Signal, threshold: u64| match (suspicious, signal) {
        (true, Signal::AnomalyP | Signal::DistanceP) => 0,
        (false, Signal::AnomalyP | Signal::DistanceP) => threshold + 1,
        (true, _) => threshold + 1,
        (false, _) => 0,
    };
    route.guards.iter().map(|guard| (guard.signal, measured(guard.signal, guard.threshold))).collect()
}
