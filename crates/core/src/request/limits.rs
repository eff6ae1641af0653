//! What an attempt takes: of the room of its replica, from its start until its close is seen (F-080, F-172), and of the purses that pay
//! for another (F-044).

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    id::PathId,
    limiter::{Said, in_window},
    limits::{Leaving, PATIENCE},
    request::{Request, World},
    timer::Owner,
};

impl Request {
    /// Returns what it counts at a path, with what that puts before it (F-080).
    pub(crate) fn weight(&self, path: PathId) -> u64 {
        let path = self.generation.path(path);
        in_window(self.admit.weight, path.added.most, path.context)
    }

    /// Returns what it costs to try a path once, with what that puts before it, which is no more than its window holds (F-044).
    pub(crate) fn cost(&self, path: PathId) -> u64 {
        self.generation.path(path).cost(self.admit.cost)
    }

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
