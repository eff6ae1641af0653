//! A request in a flight: it leads, or waits for what the leader gets (F-145).
//!
//! # Invariants
//! - `WAITS-1`: who waits keeps the time that the tiers below the leader's need, and leaves with it.
//! - `WAITS-2`: a tier that is passed over for a flight has a fact that says so.

use alloc::vec::Vec;

use crate::{
    class::ResultCode,
    clock::Nanos,
    decision::End,
    fact::{Fact, Signal},
    flight::After,
    output::{Refusal, Source},
    request::{
        Request, World,
        wait::{Wait, What},
    },
    revision::Where,
};

/// Its place in a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    Leads(u64),
    Waits(Waiting),
}

/// How a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    key: u64,
    since: Nanos,
    /// The longest that it waits.
    most: Nanos,
}

impl Request {
    /// Takes its place among the requests that may have the same answer; says whether it waits for one.
    pub(super) fn board(&mut self, now: Nanos, world: &mut World<'_>) -> bool {
        let Some(policy) = self.route().cache.filter(|policy| policy.fresh && policy.waiters > 0) else { return false };
        let Some(key) = self.admit.cache.key.filter(|_| !self.admit.cache.wants_new()) else { return false };
        let Some(found) = world.flights.find(key, &self.route().name) else {
            let leads = world.flights.lead(key, &self.route().name, self.admit.request);
            self.seat = leads.then_some(Seat::Leads(key));
            return false;
        };
        if self.admit.bodies > self.route().priority.share_of_bodies() {
            // There is no memory to wait in; what that means for models the ladder says (F-087).
            return false;
        }
        let most = self.deadline_at.saturating_sub(now).saturating_sub(self.plan(now, world).reserve(found.tier));
        let full = Fact::new(0, Signal::FlightWaiters, found.waiters, policy.waiters.into());
        if full.breached() {
            self.pass_over(found.tier, full);
            return false;
        }
        if most == 0 {
            return false;
        }
        let waiting = Waiting { key, since: now, most };
        world.flights.join(key, self.admit.request);
        self.seat = Some(Seat::Waits(waiting));
        // A stream takes as long as it takes, and its deadline ends with its first word: halfway it is seen whether it speaks.
        let first = if self.admit.operation.is_stream() { most / 2 } else { most };
        self.wait = Some(Wait { until: now.saturating_add(first.max(1)), what: What::Flight });
        true
    }

    /// Says whether it goes on waiting for its flight, at a time at which it wanted to look.
    pub(super) fn stays_aboard(&mut self, now: Nanos, world: &World<'_>) -> bool {
        let Some(Seat::Waits(Waiting { key, since, most })) = self.seat else { return false };
        let end = since.saturating_add(most);
        if now >= end || world.flights.has_begun(key) {
            return false;
        }
        if let Some(wait) = &mut self.wait {
            wait.until = end;
        }
        true
    }

    /// Goes on without its flight: by itself where that has begun to speak, else with the tiers below the one that is asked.
    pub(super) fn leaves_flight(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(Seat::Waits(Waiting { key, .. })) = self.seat else { return };
        let (tier, waited) = (world.flights.tier(key), self.waited_aboard(now));
        self.seat = None;
        match waited.breached() {
            true => self.pass_over(tier, waited),
            false => self.facts.push(waited),
        }
        self.advance(now, world);
    }

    /// Leaves its place, so that nobody waits for it, and it for nobody.
    pub(super) fn leave_flight(&mut self, world: &mut World<'_>) {
        if let Some(Seat::Waits(Waiting { key, .. })) = self.seat {
            world.flights.leave(key, self.admit.request);
        }
    }

    /// Compares how long it has waited with what it may.
    fn waited_aboard(&self, now: Nanos) -> Fact {
        let (since, most) = match self.seat {
            Some(Seat::Waits(it)) => (it.since, it.most),
            _ => (now, 1),
        };
        Fact::new(0, Signal::FlightWaited, now.saturating_sub(since), most)
    }

    /// Goes past tiers down to this one, each for the same fact (WAITS-2).
    fn pass_over(&mut self, tier: u8, fact: Fact) {
        let last = tier.min((self.route().tiers.len() - 1) as u8);
        // What cannot fail asks nobody, and is passed over for nobody.
        let asks = |tier: &u8| {
            let path = self.route().tiers[usize::from(*tier)].path;
            matches!(self.generation.path(path).place, Where::Remote(_) | Where::Local | Where::Ensemble)
        };
        let passed: Vec<Fact> = (0..=last).take_while(asks).map(|tier| Fact { tier, ..fact }).collect();
        self.next = passed.len() as u8;
        self.facts.extend(passed);
    }

    /// Answers with what its leader got.
    pub(crate) fn share(&mut self, now: Nanos, world: &mut World<'_>, tier: u8) {
        let waited = Fact { tier, ..self.waited_aboard(now) };
        (self.wait, self.seat) = (None, None);
        if self.admit.max_tier.is_some_and(|most| tier > most) {
            self.pass_over(tier, Fact::new(0, Signal::FlightFailed, 1, 0));
            return self.advance(now, world);
        }
        let policy = self.route().cache.expect("only with a cache does anybody wait for the same answer");
        let fresh = Fact::new(tier, Signal::CacheFresh, 0, self.admit.cache.fresh_for(policy));
        self.facts.extend([waited, fresh]);
        self.finish(now, world, End::Answered, Some(Source::Stored(tier)));
    }

    /// Asks for itself; where it leads now, with others behind it.
    pub(crate) fn fly_alone(&mut self, now: Nanos, world: &mut World<'_>, leads: bool) {
        let (waited, key) = (self.waited_aboard(now), self.admit.cache.key);
        (self.wait, self.seat) = (None, key.filter(|_| leads).map(Seat::Leads));
        if !waited.breached() {
            self.facts.push(waited);
        }
        self.advance(now, world);
    }

    /// Goes on from a tier, since those above have just failed its leader.
    pub(crate) fn go_below(&mut self, now: Nanos, world: &mut World<'_>, next: u8) {
        (self.wait, self.seat) = (None, None);
        if next > 0 {
            self.pass_over(next - 1, Fact::new(0, Signal::FlightFailed, 1, 0));
        }
        self.advance(now, world);
    }

    /// Says what its end means for those who wait for it.
    pub(super) fn lands(&self, world: &mut World<'_>, end: End, source: Option<Source>) {
        let Some(Seat::Leads(key)) = self.seat else { return };
        let last = self.attempts.iter().map(|attempt| attempt.tier + 1).max().unwrap_or(0);
        world.flights.over(
            key,
            match (end, source) {
                (End::Answered, Some(Source::Attempt(id))) => {
                    let tier = self.attempts.iter().find(|attempt| attempt.attempt == id).map(|attempt| attempt.tier);
                    tier.map_or(After::Own, After::Whole)
                }
                (End::Error(_), _) => After::Own,
                (End::Refused(Refusal::ClientGone) | End::Broken(ResultCode::ClientSlow), _) => After::Left,
                _ => After::Failed(last),
            },
        );
    }

    /// Says whether it goes on for others, now that its client is gone.
    pub(super) fn goes_on_for_others(&mut self, world: &mut World<'_>) -> bool {
        let Some(Seat::Leads(key)) = self.seat else { return false };
        self.abandoned = world.flights.abandon(key);
        self.abandoned
    }
}
