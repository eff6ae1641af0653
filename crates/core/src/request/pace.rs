//! How long an answer took, and what that says of its path (F-064, F-070).
//!
//! A path that is slow fails nobody, so it is left only for somebody who can answer: a lower tier that is admitted and is
//! no safe default.

use crate::{
    attempt::Attempt,
    breaker::BreakerState,
    class::ResultCode,
    clock::Nanos,
    reason::Reason,
    request::{Request, World},
    size::Size,
    slow::{Late, Made, Slow},
    transition::Trip,
};

impl Request {
    /// Takes in the time to the first content of a stream, or to an answer in one piece.
    pub(super) fn pace(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt) {
        let took = now.saturating_sub(attempt.started);
        let (slot, path) = (self.generation.slot(attempt.path), self.generation.path(attempt.path));
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        if lane.breaker.state() == BreakerState::HalfOpen {
            // What was slow before an outage is not what the first probes after it are judged with.
            lane.pace.forget();
        }
        let Some(Late { made, slow }) = lane.pace.record(now, Size::of_request(&self.admit), took) else { return };
        if self.plan(now, world).last_of_its_kind(attempt.tier) {
            return;
        }
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        let reason = match made {
            Made::Objective => Reason::LatencySloBreach,
            Made::Median => Reason::LatencySpike,
        };
        let entropy = self.admit.entropy ^ attempt.id.0;
        let trip = |rule, counts| Trip { reason, ..Trip::new(rule, ResultCode::Slow, counts) };
        lane.breaker.late(now, attempt.id, (entropy, trip("F-070", (1, 1))));
        if let Some(Slow { bad, of }) = slow {
            lane.breaker.slow(now, (entropy, trip("F-064", (bad, of))));
        }
        world.touched.push(slot);
    }
}
