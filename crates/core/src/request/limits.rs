//! What an attempt takes of the room of its replica, from its start until its close is seen (F-080, F-172).

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    limiter::Said,
    limits::{Leaving, PATIENCE},
    request::{Request, World},
    timer::Owner,
};

impl Request {
    /// Takes the running attempt out of flight: it has ended, and said what it had to say.
    pub(super) fn land(&self, now: Nanos, world: &mut World<'_>, result: ResultCode) {
        let Some(attempt) = self.current.as_ref() else { return };
        if let Some(limiter) = self.generation.limiter(attempt.path, attempt.replica) {
            world.limits.at_mut(limiter).end(now, attempt.id, Said::by(result));
        }
    }

    /// Leaves an attempt in flight that is being cancelled, until its close is seen.
    pub(super) fn leave(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt) {
        let (id, path) = (attempt.id, attempt.path);
        let Some(limiter) = self.generation.limiter(path, attempt.replica) else { return };
        world.limits.leave(id, Leaving { limiter, revision: self.generation.revision.clone(), path });
        world.timers.arm(Owner::Leaving(id), now.saturating_add(PATIENCE));
    }
}
