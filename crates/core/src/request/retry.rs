//! Whether the same path is asked again, when, and who pays (F-040 to F-046, F-051).
//!
//! A retry is the exception: it is for what never started or broke early, once, after a pause, from one purse; and for what one
//! replica has no room for, once, at another. All else falls on to the next tier, which is not a retry and is not paid here
//! (F-045).

use crate::{
    attempt::Attempt,
    class::{Again, ResultCode},
    clock::Nanos,
    commit::Commit,
    domain::WAITERS,
    fact::{Fact, Signal},
    plan::CHANCE,
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
    /// It turns from a replica that said "not now" to another (F-051).
    turns: bool,
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
                self.note_barred(now, world, again.tier);
                self.flush(now, world);
                self.advance(now, world);
            }
        }
    }

    /// Says whether the failure allows another try on the same path, and after which pause (F-040 to F-043); what speaks against
    /// one that the failure itself would allow goes on the record.
    pub(super) fn retry(
        &mut self,
        now: Nanos,
        world: &World<'_>,
        (attempt, how): (&Attempt, Ended),
    ) -> Option<Another> {
        if !self.is_worth_another(attempt, how) {
            return None;
        }
        let another = self.another(now, world, (attempt, how));
        if another.is_ok_and(|it| !it.paid) {
            self.free += 1;
        }
        another.map_err(|against| against.into_iter().for_each(|fact| self.note_against(fact))).ok()
    }

    /// Says whether another try could help at all, as the record shows by itself.
    fn is_worth_another(&self, attempt: &Attempt, how: Ended) -> bool {
        let path = self.generation.path(attempt.path);
        let open = self.commit == Commit::Held && !attempt.leased.path && matches!(path.place, Where::Remote(_));
        // Of this attempt its class says so; it may also be another replica that kept silent, beside this one (F-026).
        let mut others = self.attempts.iter().filter(|it| it.tier == attempt.tier && it.attempt != attempt.id);
        let open = open && !others.any(|it| it.result.is_silence());
        let turns = self.may_turn(attempt, how.result);
        open && match how.result.again_at(how.status) {
            Again::No => turns,
            Again::Told => turns || self.may_wait(how),
            Again::Once => self.retried < path.retries,
            Again::Unsent => self.free < FREE,
            Again::OtherReplica => self.free < FREE && self.has_several(attempt.tier),
        }
    }

    /// Says whether another replica may be asked for what one has no room for (F-051).
    fn may_turn(&self, attempt: &Attempt, result: ResultCode) -> bool {
        !self.turned && self.closes_one_of_several(attempt, result)
    }

    /// Says whether the gate that has just closed may be waited for (F-052).
    fn may_wait(&self, how: Ended) -> bool {
        how.after.is_some() && !self.waited.gate
    }

    /// Returns the other try, or what speaks against it.
    fn another(
        &self,
        now: Nanos,
        world: &World<'_>,
        (attempt, how): (&Attempt, Ended),
    ) -> Result<Another, Option<Fact>> {
        let (tier, result) = (attempt.tier, how.result);
        let against = |signal, value, threshold| Err(Some(Fact::new(tier, signal, value, threshold)));
        // What may have changed something is not asked for again (F-034).
        let resent = result == ResultCode::Unsent && self.may_resend(attempt.path);
        if !self.may_repeat(attempt.path) && !result.left_nothing() && !resent {
            return against(Signal::Unrepeatable, 1, 0);
        }
        let most = self.route().max_attempts;
        if self.remote >= most {
            return against(Signal::Attempts, self.remote.into(), most.into());
        }
        let plan = self.plan(now, world);
        if plan.suspects(tier) {
            return against(Signal::Crashes, self.crashes.into(), CHANCE);
        }
        let other = plan.replica(tier, Some(attempt.replica));
        let retry = Retry { elsewhere: other.is_some(), ..Retry::first(tier, attempt.replica) };
        if other.is_some() && self.may_turn(attempt, result) {
            // The others have heard nothing of it: there is no reason to pause.
            return Ok(Another { pause: 0, paid: true, retry, gate: None, turns: true });
        }
        match result.again_at(how.status) {
            Again::No => against(Signal::Replicas, 0, 1),
            Again::Told if !self.may_wait(how) => against(Signal::Replicas, 0, 1),
            Again::Told => {
                let gate = self.gate_of(attempt, result).ok_or(None)?;
                let it = world.gates.at(gate);
                if !it.has_place() {
                    return against(Signal::GateWaiters, it.waiting().into(), WAITERS.into());
                }
                // Others may have been told to stay away for longer: it is the gate that is waited for.
                let (pause, most) = (it.opens_in(now), self.patience(now));
                if pause > most {
                    return against(Signal::GateFor, pause, most);
                }
                // Whoever waits for a replica waits for this one.
                let retry = Retry { elsewhere: false, ..retry };
                Ok(Another { pause: pause.max(1), paid: true, retry, gate: Some(gate), turns: false })
            }
            Again::OtherReplica if other.is_none() => against(Signal::Replicas, 0, 1),
            Again::OtherReplica | Again::Unsent => {
                let retry = Retry { fresh: other.is_none(), ..retry };
                Ok(Another { pause: 0, paid: false, retry, gate: None, turns: false })
            }
            Again::Once => Ok(Another { pause: plan.pause(), paid: true, retry, gate: None, turns: false }),
        }
    }

    /// Says whether a tier has more than one replica.
    pub(super) fn has_several(&self, tier: u8) -> bool {
        let path = self.generation.path(self.route().tiers[usize::from(tier)].path);
        let Where::Remote(upstream) = path.place else { return false };
        self.generation.revision.upstreams[upstream.index()].replicas.len() > 1
    }

    /// Puts on the record what bars another attempt on a tier now.
    pub(super) fn note_barred(&mut self, now: Nanos, world: &World<'_>, tier: u8) {
        let mut facts = self.plan(now, world).facts(tier);
        facts.retain(Fact::breached);
        if facts.is_empty() {
            facts.push(Fact::new(tier, Signal::Replicas, 0, 1));
        }
        facts.into_iter().for_each(|fact| self.note_against(fact));
    }

    /// Puts on the record, once, what speaks against another attempt on a tier.
    pub(super) fn note_against(&mut self, fact: Fact) {
        let fact = fact.for_another();
        if !self.facts.contains(&fact) {
            self.facts.push(fact);
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
        let (signal, value) = (Signal::RetryBudget, self.cost(self.route().tiers[usize::from(tier)].path));
        let fact = Fact::new(tier, signal, value, world.budget.purse(now));
        self.facts.push(fact);
        if !fact.breached() {
            world.budget.withdraw(now, value);
            self.retried += 1;
            self.turned |= another.turns;
        }
        !fact.breached()
    }
}
