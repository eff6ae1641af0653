//! Waits: for the pause before a retry, for a gate to open, for a tier to recover (F-041, F-052, F-166), for what another request
//! gets (`flight`).
//!
//! A wait holds no connection and no slot but its place in a queue of few; everybody else takes the next tier at once.
//!
//! # Invariants
//! - `WAIT-1`: a place that was taken is given back exactly once, however the wait ends.
//! - `WAIT-2`: a request waits at most once for a gate. For a recovery it may wait again and again, each time [`LEAST`] or longer
//!   unless an attempt of its route ends before, but in all no longer, from its first such wait on, than [`MOST`] and half of
//!   what was left of its time then.
//! - `WAIT-3`: what an attempt of the route frees is for who has waited longest, before anybody who comes then.

use crate::{
    clock::{MILLISECOND, Nanos, SECOND},
    fact::{Fact, Signal},
    output::Refusal,
    request::{Request, Retry, World, retry::Another},
    revision::WhenExhausted,
};

/// The longest wait for a gate, or for recoveries in all (F-052, F-166).
const MOST: Nanos = 3 * SECOND;
/// The shortest wait for a recovery: whoever looks again and again does not spin (F-166).
const LEAST: Nanos = 10 * MILLISECOND;
/// Requests of a route that may wait for a recovery (F-166).
const WAITERS: usize = 4;

/// What a request waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) until: Nanos,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// Another try, and the gate at which it has a place.
    Again { retry: Retry, gate: Option<u32> },
    /// Some tier that may be asked again.
    Recovery,
    /// What another request gets (F-145).
    Flight,
}

/// What a request has waited for already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waited {
    pub(super) gate: bool,
    recovery: Option<Patience>,
}

/// How long a request waits for recoveries: since its first wait for one, and at most.
#[derive(Clone, Copy, Debug)]
struct Patience {
    since: Nanos,
    most: Nanos,
}

impl Request {
    /// Lets another try wait for its pause, or for its gate.
    pub(super) fn await_another(&mut self, now: Nanos, world: &mut World<'_>, another: Another) {
        let Another { pause, retry, gate, .. } = another;
        let place = gate.and_then(|gate| Some((gate, world.gates.at_mut(gate).wait(self.admit.entropy >> 8)?)));
        let until = place.map_or(now.saturating_add(pause), |(_, until)| until);
        self.waited.gate |= gate.is_some();
        self.wait = Some(Wait { until, what: What::Again { retry, gate: place.map(|(gate, _)| gate) } });
    }

    /// Goes on after a wait.
    pub(super) fn waited_out(&mut self, now: Nanos, world: &mut World<'_>) {
        if matches!(self.wait, Some(Wait { what: What::Flight, .. })) && self.stays_aboard(now, world) {
            return;
        }
        match self.leave_wait(world) {
            Some(What::Flight) => self.leaves_flight(now, world),
            Some(What::Again { retry, .. }) => self.start_again(now, world, retry),
            Some(What::Recovery) => {
                // Compared again from the top; what barred a tier before it was waited for is not what decides now.
                self.next = 0;
                let mut facts = core::mem::take(&mut self.facts);
                facts.retain(|fact| self.asked(fact.tier) || fact.signal == Signal::Waited);
                self.facts = facts;
                self.advance(now, world);
            }
            None => {}
        }
    }

    /// Looks whether the room is there that it waits for, before its time: an attempt of its route has ended.
    pub(crate) fn look_again(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(Wait { what: What::Recovery, .. }) = self.wait else { return };
        let waited = self.waited.recovery.map_or(0, |it| now.saturating_sub(it.since));
        let fact = self.facts.iter_mut().find(|fact| fact.signal == Signal::Waited);
        if let Some(fact) = fact {
            fact.value = fact.value.min(waited);
        }
        self.waited_out(now, world);
    }

    /// Gives up the wait and its place, whatever it was for.
    pub(super) fn leave_wait(&mut self, world: &mut World<'_>) -> Option<What> {
        let what = self.wait.take()?.what;
        match what {
            What::Again { gate: Some(gate), .. } => world.gates.at_mut(gate).leave(),
            What::Recovery => world.waiting.retain(|(_, request)| *request != self.admit.request),
            What::Flight => self.leave_flight(world),
            What::Again { gate: None, .. } => {}
        }
        Some(what)
    }

    /// Returns the longest time that this request may wait for a gate: 3 s, or a quarter of what is left (F-052).
    pub(super) fn patience(&self, now: Nanos) -> Nanos {
        MOST.min(self.deadline_at.saturating_sub(now) / 4)
    }

    /// Waits for the soonest recovery instead of a refusal, where that is near and a place is free (F-166).
    pub(super) fn awaits_recovery(&mut self, now: Nanos, world: &mut World<'_>, why: Refusal) -> bool {
        let may = matches!(why, Refusal::Exhausted | Refusal::Overloaded)
            && self.route().when_exhausted == WhenExhausted::Wait
            && world.waiting.len() < WAITERS;
        if !may {
            return false;
        }
        let (first, near) = (self.waited.recovery.is_none(), MOST.min(self.deadline_at.saturating_sub(now) / 2));
        let Patience { since, most } = self.waited.recovery.unwrap_or(Patience { since: now, most: near });
        let left = most.saturating_sub(now.saturating_sub(since));
        // Who waits already lets no guess end that, which may be wrong again; nor does it go because others were a moment quicker.
        let guess = if first { Nanos::MAX } else { left };
        let soonest = self.recovery(now, world, guess).filter(|soonest| *soonest > 0 || !first);
        let Some(wait) = soonest.map(|soonest| soonest.max(LEAST)).filter(|wait| *wait <= left) else {
            return false;
        };
        let until = now.saturating_add(wait);
        self.waited.recovery = Some(Patience { since, most });
        world.waiting.push((since, self.admit.request));
        world.waiting.sort_unstable();
        self.facts.retain(|fact| fact.signal != Signal::Waited);
        self.facts.push(Fact::new(0, Signal::Waited, until.saturating_sub(since), most));
        self.wait = Some(Wait { until, what: What::Recovery });
        true
    }
}
