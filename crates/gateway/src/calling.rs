//! Calling: one call of a server that is asked beside the tiers, which ends with its breaker, however it ends.

use evenkeel_core::{Aside, AttemptId, Nanos, ResultCode};
use parking_lot::Mutex;

use crate::clock::Clock;

/// A call that has started.
pub(crate) struct Calling<'a> {
    aside: &'a Mutex<Aside>,
    clock: Clock,
    call: Option<AttemptId>,
    entropy: u64,
}

impl<'a> Calling<'a> {
    /// Starts a call that takes so long at most; none where the breaker lets none start.
    pub(crate) fn start(aside: &'a Mutex<Aside>, clock: Clock, (entropy, most): (u64, Nanos)) -> Option<Self> {
        let now = clock.now();
        let call = aside.lock().start(now, entropy, now.saturating_add(most))?;
        Some(Self { aside, clock, call: Some(call), entropy })
    }

    /// Ends it.
    pub(crate) fn end(&mut self, result: ResultCode) {
        if let Some(call) = self.call.take() {
            self.aside.lock().end(self.clock.now(), call, (Some(result), self.entropy));
        }
    }
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            // Whoever asked is gone, which says nothing of the server.
            self.aside.lock().end(self.clock.now(), call, (None, self.entropy));
        }
    }
}
