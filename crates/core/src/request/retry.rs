//! Whether the same path is asked again, when, and who pays (F-040 to F-046).
//!
//! A retry is the exception: it is for what never started or broke early, once, after a pause, from one purse. All else
//! falls on to the next tier, which is not a retry and is not paid here (F-045).

use crate::{
    attempt::Attempt,
    class::Again,
    clock::Nanos,
    commit::Commit,
    fact::{Fact, Signal},
    request::{Ended, Request, Retry, World},
    revision::Where,
};

/// Free retries per request (F-043).
const FREE: u8 = 2;

/// Another try that a failure allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Another {
    /// What it waits before it starts.
    pub(super) pause: Nanos,
    /// Whether it costs anything (F-043).
    paid: bool,
    pub(super) retry: Retry,
    /// The gate that it waits for (F-052).
    pub(super) gate: Option<u32>,
}

impl Request {
    /// Starts a retry if its path still admits one, else goes on with the next tier.
    pub(super) fn start_again(&mut self, now: Nanos, world: &mut World<'_>, again: Retry) {
        let plan = self.plan(now, world);
        let admitted = plan.admits(again.tier);
        let same = Some(again.tried).filter(|tried| !again.elsewhere && plan.admits_replica(again.tier, *tried));
        let replica = same.or_else(|| plan.replica(again.tier, Some(again.tried)));
        match replica.filter(|_| admitted) {
            Some(replica) => self.start(now, world, Retry { tried: replica, ..again }),
            None => {
                self.flush(now, world);
                self.advance(now, world);
            }
        }
    }

    /// Says whether the failure allows another try on the same path, and after which pause (F-040 to F-043).
    pub(super) fn retry(
        &mut self,
        now: Nanos,
        world: &World<'_>,
        (attempt, how): (&Attempt, Ended),
    ) -> Option<Another> {
        let result = how.result;
        let path = self.generation.path(attempt.path);
        let spent = self.remote >= self.route().max_attempts || !matches!(path.place, Where::Remote(_));
        // What may have changed something is not asked for again (F-034).
        let lost = !self.may_repeat(attempt.path) && !result.left_nothing();
        if self.commit != Commit::Held || attempt.leased.path || spent || lost {
            return None;
        }
        let plan = self.plan(now, world);
        if plan.suspects(attempt.tier) {
            return None;
        }
        let other = plan.replica(attempt.tier, Some(attempt.replica));
        let again = Retry { elsewhere: other.is_some(), ..Retry::first(attempt.tier, attempt.replica) };
        match result.again_at(how.status) {
            Again::No => None,
            Again::Told => {
                how.after.filter(|_| !self.waited.gate)?;
                let gate = self.gate_of(attempt, result).filter(|&gate| world.gates.at(gate).has_place())?;
                // Others may have been told to stay away for longer: it is the gate that is waited for.
                let pause = Some(world.gates.at(gate).opens_in(now)).filter(|pause| *pause <= self.patience(now))?;
                // Whoever waits for a replica waits for this one.
                let retry = Retry { elsewhere: false, ..again };
                Some(Another { pause: pause.max(1), paid: true, retry, gate: Some(gate) })
            }
            Again::OtherReplica if other.is_none() => None,
            Again::OtherReplica | Again::Unsent => {
                let retry = Retry { fresh: other.is_none(), ..again };
                self.free += 1;
                (self.free <= FREE).then_some(Another { pause: 0, paid: false, retry, gate: None })
            }
            Again::Once => {
                let pause = plan.pause();
                (self.retried < path.retries).then_some(Another { pause, paid: true, retry: again, gate: None })
            }
        }
    }

    /// Says whether another try gets what it needs: a free one needs nothing; a paid one a Closed path, time and money,
    /// each on the record (F-040, F-044, F-046).
    pub(super) fn grant(&mut self, now: Nanos, world: &mut World<'_>, another: &Another) -> bool {
        if !another.paid {
            return true;
        }
        let tier = another.retry.tier;
        let facts = self.plan(now, world).retry_facts(tier, another.pause);
        self.facts.extend(facts);
        if facts.iter().any(Fact::breached) {
            return false;
        }
        let (signal, value) = (Signal::RetryBudget, self.admit.cost);
        let fact = Fact { tier, signal, value, threshold: world.budget.purse(now) };
        self.facts.push(fact);
        if !fact.breached() {
            world.budget.withdraw(now, value);
            self.retried += 1;
        }
        !fact.breached()
    }
}
