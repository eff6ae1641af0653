//! What an attempt takes of the room of its replica, from its start until its close is seen (F-080, F-172).

use crate::{
    class::ResultCode,
    clock::Nanos,
    id::AttemptId,
    limiter::Said,
    limits::{Leaving, PATIENCE},
    request::{Request, World},
    timer::Owner,
};

impl Request {
    /// Takes the running attempt out of flight: it has ended, and said what it had to say.
    pub(super) fn land(&self, now: Nanos, world: &mut World<'_>, result: ResultCode) {
        let Some((attempt, limiter)) = self.in_flight() else { return };
        world.limits.at_mut(limiter).end(now, attempt, Said::by(result));
    }

    /// Leaves the running attempt in flight, which is being cancelled, until its close is seen.
    pub(super) fn leave(&self, now: Nanos, world: &mut World<'_>) {
        let Some((attempt, limiter)) = self.in_flight() else { return };
        let path = self.current.as_ref().expect("it is in flight").path;
        world.limits.leave(attempt, Leaving { limiter, revision: self.generation.revision.clone(), path });
        world.timers.arm(Owner::Leaving(attempt), now.saturating_add(PATIENCE));
    }

    fn in_flight(&self) -> Option<(AttemptId, u32)> {
        let attempt = self.current.as_ref()?;
        Some((attempt.id, self.generation.limiter(attempt.path, attempt.replica)?))
    }
}
