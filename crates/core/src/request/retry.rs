//! Whether the same path is asked again, when, and who pays (F-040 to F-046).
//!
//! A retry is the exception: it is for what never started or broke early, once, after a pause, from one purse. All else
//! falls on to the next tier, which is not a retry and is not paid here (F-045).

use crate::{
    attempt::Attempt,
    class::{Again, ResultCode},
    clock::Nanos,
    commit::Commit,
    fact::{Fact, Signal},
    plan::Plan,
    request::{Request, Retry, World},
    revision::Where,
};

/// Free retries per request (F-043).
const FREE: u8 = 2;

impl Request {
    /// Starts a retry if its path still admits one, else goes on with the next tier.
    pub(super) fn start_again(&mut self, now: Nanos, world: &mut World<'_>, again: Retry) {
        let plan = Plan { now, request: self, paths: world.paths };
        let admitted = plan.admits(again.tier);
        let replica = if again.elsewhere { plan.other_replica(again.tier, again.tried) } else { Some(again.tried) };
        match replica.filter(|_| admitted) {
            Some(replica) => self.start(now, world, Retry { tried: replica, ..again }),
            None => {
                self.flush(now, world);
                self.advance(now, world);
            }
        }
    }

    /// Decides whether the same path is asked again, after which pause (F-040 to F-046).
    pub(super) fn retry(
        &mut self,
        now: Nanos,
        world: &mut World<'_>,
        ended: (&Attempt, ResultCode),
    ) -> Option<(Nanos, Retry)> {
        let (attempt, result) = ended;
        let path = self.generation.path(attempt.path);
        let spent = self.remote >= self.route().max_attempts || !matches!(path.place, Where::Remote(_));
        if self.commit != Commit::Held || attempt.probe || spent {
            return None;
        }
        let plan = Plan { now, request: self, paths: world.paths };
        let other = plan.other_replica(attempt.tier, attempt.replica);
        let again = Retry { tier: attempt.tier, tried: attempt.replica, elsewhere: other.is_some(), fresh: false };
        match result.again() {
            Again::No => None,
            Again::OtherReplica if other.is_none() => None,
            Again::OtherReplica | Again::Unsent => {
                self.free += 1;
                (self.free <= FREE).then_some((0, Retry { fresh: other.is_none(), ..again }))
            }
            Again::Once => {
                let (pause, in_time) = plan.pause(attempt.tier);
                if self.retried >= path.retries || !in_time || !plan.admits(attempt.tier) {
                    return None;
                }
                self.retried += 1;
                self.pay(now, world, attempt.tier).then_some((pause, again))
            }
        }
    }

    /// Asks the purse for a retry, on the record.
    fn pay(&mut self, now: Nanos, world: &mut World<'_>, tier: u8) -> bool {
        let (signal, value) = (Signal::RetryBudget, self.admit.cost);
        let fact = Fact { tier, signal, value, threshold: world.budget.purse(now) };
        self.facts.push(fact);
        if !fact.breached() {
            world.budget.withdraw(now, value);
        }
        !fact.breached()
    }
}
