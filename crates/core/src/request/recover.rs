//! Recover: what follows when a stream breaks that its client has begun to get (F-122 to F-127).
//!
//! First a splice: another path gets the same request, what it repeats is dropped, what follows goes on from there. Where
//! it says something else, a path that can go on with a begun answer may do so. Else the client is told that the stream
//! broke. Which text is the same is the shell's to see; here is who is asked, by what right, and for how long.
//!
//! # Invariants
//! - `REC-1`: a stream is recovered once: at most one splice, and at most one continuation of what the splice found.
//! - `REC-2`: an answer that was recovered counts as one only at its own verified end (F-125).
//! - `REC-3`: whatever the recovery meets, the failure that the client is told is the first (F-007).

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    commit::Commit,
    decision::{End, Role},
    fact::{Fact, Signal},
    id::ReplicaId,
    input::Splice,
    output::{Cancelled, Output, Source},
    plan::Plan,
    request::{Ended, Request, Retry, World},
    revision::{Features, Method, Where},
};

/// A stream that broke, while it is mended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recovery {
    tier: u8,
    replica: ReplicaId,
    /// How it broke.
    result: ResultCode,
}

impl Request {
    /// Hears whether an attempt says the same as what was sent.
    pub(crate) fn spliced(&mut self, now: Nanos, splice: Splice, world: &mut World<'_>) {
        let Some(attempt) = self.current.as_mut().filter(|attempt| attempt.catches_up()) else { return };
        match splice {
            Splice::Matched => {
                attempt.content(now);
                attempt.sent = true;
                self.renew(world);
            }
            Splice::Diverged => {
                let (request, id) = (self.admit.request, attempt.id);
                world.outputs.push_back(Output::Cancel { request, attempt: id, why: Cancelled::Diverged });
                self.leave(now, world, self.current.as_ref().expect("it was looked at"));
                let result = ResultCode::SpliceDiverged;
                self.ended(now, id, Ended { result, status: None, after: None }, world);
            }
        }
    }

    /// Returns the other replica that may mend what broke, so that it counts against this one alone (F-073).
    pub(super) fn elsewhere(
        &self,
        now: Nanos,
        world: &World<'_>,
        (attempt, result): (&Attempt, ResultCode),
    ) -> Option<Retry> {
        let broke = self.commit == Commit::Given(attempt.id) && self.may_recover(result);
        let plan = self.plan(now, world);
        let other = plan.replica(attempt.tier, Some(attempt.replica)).filter(|_| broke && plan.admits(attempt.tier))?;
        Some(Retry { elsewhere: true, role: Role::Splice, ..Retry::first(attempt.tier, other) })
    }

    /// Ends a stream that its client has begun to get, or has it mended.
    pub(super) fn stream_ended(
        &mut self,
        now: Nanos,
        world: &mut World<'_>,
        (attempt, result): (&Attempt, ResultCode),
    ) {
        if result.is_ok() {
            return self.finish(now, world, End::Answered, Some(Source::Attempt(attempt.id)));
        }
        let mended = match attempt.role {
            Role::Answer => {
                let Attempt { tier, replica, .. } = *attempt;
                self.recovery = Some(Recovery { tier, replica, result });
                self.may_recover(result) && self.may_be_said_again(tier) && self.recover(now, world, Role::Splice)
            }
            Role::Splice => {
                let tier = self.recovery.map_or(attempt.tier, |it| it.tier);
                result == ResultCode::SpliceDiverged && self.may_go_on(tier) && self.recover(now, world, Role::Continue)
            }
            Role::Continue => false,
        };
        if !mended {
            self.flush(now, world);
            let Commit::Given(began) = self.commit else { unreachable!("only a stream that has begun is mended") };
            let first = self.recovery.map_or(result, |it| it.result);
            self.finish(now, world, End::Broken(first), Some(Source::Broken(began, first)));
        }
    }

    /// Says whether a stream that ended so may go on elsewhere.
    fn may_recover(&self, result: ResultCode) -> bool {
        self.route().rescue && result.is_break()
    }

    /// Compares whether what was sent can be said again: one text, by a request that may be asked twice (F-034, F-124).
    fn may_be_said_again(&mut self, tier: u8) -> bool {
        let several = self.admit.needs.missing_in(Features::N) != self.admit.needs;
        let path = self.route().tiers[usize::from(tier)].path;
        let value = u64::from(self.unrepeatable || several || !self.may_repeat(path));
        self.facts.push(Fact::new(tier, Signal::Unrepeatable, value, 0));
        value == 0
    }

    /// Compares whether an answer may be gone on with in the middle: not where a machine reads it (F-126).
    fn may_go_on(&mut self, tier: u8) -> bool {
        let strict = Features::TOOLS.with(Features::TOOL_REQUIRED).with(Features::JSON).with(Features::SCHEMA);
        let free = self.admit.needs.missing_in(strict) == self.admit.needs;
        if !free {
            self.note_against(Fact::new(tier, Signal::Unrepeatable, 1, 0));
        }
        free
    }

    /// Starts a recovery where somebody may be asked and it can be paid; says whether it did (F-122, F-123).
    fn recover(&mut self, now: Nanos, world: &mut World<'_>, role: Role) -> bool {
        let Some((tier, replica)) = self.who_mends(now, world, role) else { return false };
        let (signal, value) = (Signal::RetryBudget, self.cost(self.route().tiers[usize::from(tier)].path));
        let fact = Fact::new(tier, signal, value, world.budget.purse(now));
        self.facts.push(fact);
        if fact.breached() {
            return false;
        }
        world.budget.withdraw(now, value);
        if self.recovery.is_some_and(|it| it.tier != tier) {
            // Another path says nothing about whether this one was to blame.
            self.flush(now, world);
        }
        self.start(now, world, Retry { role, ..Retry::first(tier, replica) });
        true
    }

    /// Returns who is asked: another replica of the same path, else the next model below, else, after a cut, the same one
    /// again.
    fn who_mends(&mut self, now: Nanos, world: &mut World<'_>, role: Role) -> Option<(u8, ReplicaId)> {
        let Recovery { tier, replica, result } = self.recovery?;
        let other = |plan: &Plan<'_>| plan.replica(tier, Some(replica));
        let other = if self.has_several(tier) { self.asked_again(now, world, (tier, role), other) } else { None };
        if let Some(other) = other {
            return Some((tier, other));
        }
        for below in tier + 1..self.route().tiers.len() as u8 {
            if let Some(first) = self.model_below(now, world, (below, role)) {
                return Some((below, first));
            }
        }
        let same = |plan: &Plan<'_>| plan.admits_replica(tier, replica).then_some(replica);
        // A path that fell silent in the middle is not waited for a second time.
        let again = if result == ResultCode::Stall { None } else { self.asked_again(now, world, (tier, role), same) };
        again.map(|replica| (tier, replica))
    }

    /// Returns a replica of a path that was asked before, where it may be asked again.
    fn asked_again(
        &mut self,
        now: Nanos,
        world: &World<'_>,
        (tier, role): (u8, Role),
        choose: impl Fn(&Plan<'_>) -> Option<ReplicaId>,
    ) -> Option<ReplicaId> {
        if let Some(lack) = self.lack(tier, role) {
            self.note_against(lack);
            return None;
        }
        let plan = self.plan(now, world);
        let (chosen, closed) = (choose(&plan).filter(|_| plan.admits(tier)), plan.is_closed(tier));
        let Some(chosen) = chosen else {
            self.note_barred(now, world, tier);
            return None;
        };
        self.facts.push(closed);
        (!closed.breached()).then_some(chosen)
    }

    /// Returns a replica of a tier below, where it is a model that may be asked.
    fn model_below(&mut self, now: Nanos, world: &mut World<'_>, (tier, role): (u8, Role)) -> Option<ReplicaId> {
        let asked = self.attempts.iter().rev().find(|attempt| attempt.tier == tier);
        match asked {
            // The one that said something else may be able to go on with what the first has said.
            Some(asked) if role == Role::Continue && asked.role == Role::Splice => {
                return self.asked_again(now, world, (tier, role), |plan| plan.replica(tier, None));
            }
            Some(_) => return None,
            None => {}
        }
        if let Some(lack) = self.lack(tier, role) {
            self.facts.push(lack);
            return None;
        }
        let facts = self.plan(now, world).facts(tier);
        let barred = facts.iter().any(Fact::breached);
        self.facts.extend(facts);
        if barred {
            return None;
        }
        let path = self.route().tiers[usize::from(tier)].path;
        let slot = self.generation.slot(path);
        world.paths.state_mut(slot).lane(self.generation.path(path), self.admit.operation);
        self.plan(now, world).replica(tier, None)
    }

    /// Returns what a tier lacks to take this role: a model may lack prefill; what is none is not meant to mend.
    fn lack(&self, tier: u8, role: Role) -> Option<Fact> {
        let it = &self.route().tiers[usize::from(tier)];
        let path = self.generation.path(it.path);
        let model = matches!(path.place, Where::Remote(_)) && matches!(it.method, Method::Primary | Method::Distilled);
        match role {
            _ if !model => Some(Fact::new(tier, Signal::NoModel, 1, 0)),
            Role::Continue if !path.prefill => {
                Some(Fact::new(tier, Signal::FeaturesMissing, Features::PREFILL.0.into(), 0))
            }
            _ => None,
        }
    }
}
