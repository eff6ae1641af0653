//! A vote: the members of an ensemble are asked at once, and what they say decides together (F-031).
//!
//! Who says what, and who leads, is the shell's to count ([`Tally`]); this says when that is enough. To everything else an
//! ensemble is one tier with one attempt: it is entered once, counts once, and ends in one of three ways: decided, without
//! quorum, or in too much disagreement.
//!
//! # Invariants
//! - `VOTE-1`: members are started at one moment; none later, and none a second time: the others are its second try.
//! - `VOTE-2`: it is over as soon as nobody who still runs can change it: the leader cannot be passed, or the quorum is out of
//!   reach; then, and when the tier's time is over, none of its members runs any more.
//! - `VOTE-3`: what a member's end says about its path is recorded as for any attempt; who is not waited for says nothing.
//!
//! # Source
//! `docs/design/signals.md`, section 10; ADR 8.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    attempt::Attempt,
    class::{Class, Next, ResultCode},
    clock::Nanos,
    decision::{AttemptRecord, KeptRows},
    ensemble::{Ensemble, Tally},
    fact::{Fact, Signal},
    output::Cancelled,
    request::{Ended, Request, Retry, World},
    revision::OnPolicy,
    rows::RowRule,
    unit::Permille,
};

/// A vote that is being taken.
#[derive(Debug)]
pub(super) struct Vote {
    tier: u8,
    quorum: u8,
    agree: Permille,
    /// Members that run, but for the one that was heard last.
    pub(super) others: Vec<Attempt>,
    /// Members that have answered.
    answered: Vec<Attempt>,
    /// Members that have ended, however.
    ended: u8,
    tally: Option<Tally>,
    /// A member was started, and one elsewhere.
    started: bool,
    remote: bool,
}

/// What the start of an attempt counts for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// It may be the first of its request.
    pub(super) deposit: bool,
    /// It is one more of those that a request may make elsewhere.
    pub(super) remote: bool,
}

impl Vote {
    fn new(tier: u8, ensemble: &Ensemble, min: Option<Permille>) -> Self {
        Self {
            tier,
            quorum: ensemble.quorum,
            // Where that is how likely the answer is right, it is what the client asks for, too.
            agree: min.map_or(ensemble.agree, |min| min.max(ensemble.agree)),
            others: Vec::with_capacity(ensemble.members.len()),
            answered: Vec::with_capacity(ensemble.members.len()),
            ended: 0,
            tally: None,
            started: false,
            remote: false,
        }
    }

    /// Counts a start: all members together are one attempt (F-031).
    pub(super) fn count(&mut self, remote: bool) -> Counts {
        let counts = Counts { deposit: !self.started, remote: remote && !self.remote };
        (self.started, self.remote) = (true, self.remote || remote);
        counts
    }

    fn votes(&self) -> u64 {
        // Nobody votes who has not answered.
        let answered = self.answered.len() as u64;
        self.tally.map_or(0, |tally| u64::from(tally.votes).min(answered))
    }

    /// Says whether the leader cannot be passed by those who still run. Where so much agreement is asked, every vote counts.
    fn is_settled(&self) -> bool {
        self.agree == Permille::new(0) && self.tally.is_some_and(|tally| tally.open == 0)
    }
}

impl Request {
    /// Turns to an attempt that runs beside the one that was heard last, where one is meant.
    pub(super) fn turn_to(&mut self, which: impl Fn(&Attempt) -> bool) {
        if self.beside.as_ref().is_some_and(&which) {
            core::mem::swap(&mut self.current, &mut self.beside);
        }
        let Some(vote) = &mut self.vote else { return };
        if let Some(at) = vote.others.iter().position(which) {
            let other = vote.others.remove(at);
            vote.others.extend(self.current.replace(other));
        }
    }

    /// Asks every member of a tier that may be asked; says whether there was one.
    pub(super) fn convene(&mut self, now: Nanos, world: &mut World<'_>, tier: u8) -> bool {
        let Some(ensemble) = self.route().tiers[usize::from(tier)].ensemble.clone() else { return false };
        self.vote = Some(Box::new(Vote::new(tier, &ensemble, self.admit.min_confidence)));
        for (member, path) in (0..).zip(&ensemble.members) {
            let slot = self.generation.slot(*path);
            world.paths.state_mut(slot).lane(self.generation.path(*path), self.admit.operation);
            // Members that were started before have taken some of the room.
            let plan = self.plan(now, world).at(tier, Some(member));
            let (mut against, replica) = (plan.against_member(tier, member), plan.replica(tier, None));
            if replica.is_none() && against.is_empty() {
                against.push(Fact::new(tier, Signal::Replicas, 0, 1).of(Some(member)));
            }
            against.retain(|fact| !self.facts.contains(fact));
            let barred = self.facts.iter().any(|fact| fact.tier == tier && fact.member == Some(member));
            let barred = barred || !against.is_empty();
            self.facts.extend(against);
            if let Some(replica) = replica.filter(|_| !barred) {
                let before = self.current.take();
                self.vote.iter_mut().for_each(|vote| vote.others.extend(before.clone()));
                self.start(now, world, Retry { member: Some(member), ..Retry::first(tier, replica) });
            }
        }
        if self.current.is_none() {
            self.vote = None;
            self.facts.push(Fact::new(tier, Signal::Members, 0, ensemble.quorum.into()));
            return false;
        }
        self.decide(now, world);
        true
    }

    /// Hears how the votes stand.
    pub(super) fn voted(&mut self, now: Nanos, tally: Tally, world: &mut World<'_>) {
        let Some(vote) = &mut self.vote else { return };
        vote.tally = Some(tally);
        // Else it is told of a member whose end comes next.
        if tally.heard == vote.ended {
            self.decide(now, world);
        }
    }

    /// Settles a member that is over, and looks whether that decides.
    pub(super) fn member_ended(&mut self, now: Nanos, (attempt, how): (Attempt, Ended), world: &mut World<'_>) {
        let result = self.heed(&attempt, attempt.verified(how.result));
        let how = Ended { result, ..how };
        self.keep(attempt.record(now, self.at, result, how.status));
        self.crashes += u8::from(matches!(result, ResultCode::Reset | ResultCode::PathPanic));
        self.tell_gates(now, world, &attempt, how);
        self.tell_streams(now, world, &attempt, result);
        self.settle(now, world, (&attempt, result, how.status), None);
        if result.class() == Class::Policy && self.route().on_policy == OnPolicy::Error {
            // To count the others would be to route around a refusal, which is for people to decide (F-008).
            self.first_failure.get_or_insert((attempt.id, result));
            self.dismiss(now, world);
            return self.after(now, &attempt, result, world);
        }
        if let Some(vote) = &mut self.vote {
            vote.ended += 1;
            vote.answered.extend(Some(attempt).filter(|_| result.is_ok()));
        }
        self.decide(now, world);
    }

    /// Reads the answer of a member: with none of its rows is it sure enough to vote.
    fn heed(&mut self, attempt: &Attempt, result: ResultCode) -> ResultCode {
        let accept = self.generation.path(attempt.path).accept;
        let Some(low) = attempt.low.filter(|_| result.is_ok() && accept.is_some()) else { return result };
        let low = if attempt.rows > 0 { low.min(attempt.rows) } else { low };
        let fact = Fact::new(attempt.tier, Signal::RowsLow, low, RowRule::All.borne(attempt.rows)).of(attempt.member);
        self.facts.push(fact);
        if fact.breached() { ResultCode::LowConfidence } else { result }
    }

    /// Looks whether the vote is over (VOTE-2).
    fn decide(&mut self, now: Nanos, world: &mut World<'_>) {
        let out = self.attempts_that_run().count() as u64;
        let Some(vote) = &self.vote else { return };
        let (tier, quorum, votes) = (vote.tier, u64::from(vote.quorum), vote.votes());
        if votes + out < quorum {
            self.facts.push(Fact::new(tier, Signal::Votes, votes + out, quorum));
            return self.fall_through(now, world, ResultCode::QuorumNotReached);
        }
        if votes >= quorum && (out == 0 || vote.is_settled()) {
            self.close(now, world, out);
        }
    }

    /// Takes the vote as it stands.
    fn close(&mut self, now: Nanos, world: &mut World<'_>, out: u64) {
        let Some(vote) = self.vote.as_mut() else { return };
        let (tier, quorum, votes, agree) = (vote.tier, u64::from(vote.quorum), vote.votes(), vote.agree);
        let (tally, mut answered) = (vote.tally, core::mem::take(&mut vote.answered));
        self.facts.push(Fact::new(tier, Signal::Votes, votes, quorum));
        if out > 0 {
            self.facts.push(Fact::new(tier, Signal::VoteOpen, 0, 0));
        }
        let agreement = tally.map_or(0, |tally| u64::from(tally.agreement.thousandths()));
        let agreement = Fact::new(tier, Signal::Agreement, agreement, agree.thousandths().into());
        self.facts.push(agreement);
        let leads = |it: &Attempt| tally.is_some_and(|tally| tally.leader == it.id);
        let leader = answered.iter().position(leads).map(|at| answered.swap_remove(at));
        let Some(mut leader) = leader.filter(|_| !agreement.breached()) else {
            return self.fall_through(now, world, ResultCode::Disagreement);
        };
        self.dismiss(now, world);
        // Rows without a vote were counted: the answer of all is as whole as that of one.
        leader.low = None;
        let (result, rows) = self.judge(&leader, ResultCode::Ok);
        for it in self.attempts.iter_mut().filter(|it| it.tier == tier && it.result.is_ok()) {
            if result == ResultCode::OkPart {
                it.result = result;
            }
            it.rows = it.rows.map(|KeptRows { asked, .. }| KeptRows { asked, kept: 0 });
            if it.attempt == leader.id {
                it.rows = rows;
            }
        }
        self.after(now, &leader, result, world);
    }

    /// Leaves a tier whose members have come to no answer, and asks those below.
    fn fall_through(&mut self, now: Nanos, world: &mut World<'_>, why: ResultCode) {
        let Some(tier) = self.vote.as_ref().map(|vote| vote.tier) else { return };
        self.dismiss(now, world);
        let here = |it: &AttemptRecord| it.tier == tier && it.result != ResultCode::VoteOver;
        self.attempts.iter_mut().filter(|it| here(it) && it.result.is_ok()).for_each(|it| it.result = why);
        // That the request is more than a member can do is the word of the tier only where it is that of all (F-009).
        let able = |it: &&AttemptRecord| it.result.next() == Next::Yes;
        let tried = || self.attempts.iter().filter(|it| here(it));
        let first = tried().find(able).or_else(|| tried().next()).map(|it| (it.attempt, it.result));
        self.first_failure = self.first_failure.or(first);
        self.advance(now, world);
    }

    /// Ends the vote; who still runs is not waited for (VOTE-3).
    fn dismiss(&mut self, now: Nanos, world: &mut World<'_>) {
        let others = self.vote.take().map(|vote| vote.others).into_iter().flatten();
        for attempt in self.current.take().into_iter().chain(others) {
            self.cancel(now, world, &attempt, (Cancelled::VoteOver, ResultCode::VoteOver));
        }
    }
}
