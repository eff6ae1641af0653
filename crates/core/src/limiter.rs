//! Limiter: how much work one model has at once at one replica (F-080 to F-086).
//!
//! It counts the weight of attempts in flight and compares. It does not queue: a request that finds no room takes the next
//! tier at once (F-083). It does not watch latency: batching raises that by design (F-082).
//!
//! # Why push-back
//! A server that says "not now" is the only witness of its own room. So there is no limit until it does; then the limit falls
//! fast on its word and rises slowly on good answers, and only where it is in use: a limit that nobody touches proves nothing.
//! What is known beforehand, such as the slots of a GPU, an operator says with a number.
//!
//! # Invariants
//! - `LIM-1`: what is in flight is the weight of the attempts that were started and have not ended, each counted once.
//! - `LIM-2`: a limit that was learned is at least [`LEAST`]; one that was said stays, and is exceeded by nothing but a single
//!   attempt that weighs more than all of it.
//! - `LIM-3`: it falls at most once per median latency, and rises by at most one in that time, only while half of it is used.
//! - `LIM-4`: an attempt finds room where nothing is in flight, whatever it weighs; under a learned limit also where none was
//!   started for a second.
//! - `LIM-5`: the same question in the same state has the same answer; the entropy decides only within [`EDGE`] of a class's
//!   stop.
//!
//! # When it misleads
//! By `LIM-4`, attempts that last long may go beyond a learned limit by one for each second that they last, if nothing ends in
//! it. Attempts of others on the same server are not seen, only their push-back. A quota by the minute that answers 429 is
//! taken for a lack of room, too, until ten minutes have passed without one.
//!
//! # Source
//! Additive increase, multiplicative decrease (Chiu and Jain, 1989), on weights in place of packets; idle until the first
//! push-back, and the factor, as in the adaptive retry mode of the AWS SDKs.

use alloc::collections::BTreeMap;

use crate::{
    class::{Closes, ResultCode},
    clock::{MILLISECOND, Nanos, SECOND},
    histogram::Histogram,
    id::AttemptId,
    priority::Priority,
    revision::LimitPolicy,
    unit::Permille,
};

/// Tokens, and bytes of tensors, that weigh one (F-080).
const TOKENS: u64 = 1_024;
const BYTES: u64 = 1_024 * 1_024;
/// Below the stop of a class that others have a claim before, requests are shed by lot in this share of the limit (F-085), so
/// that the edge is a slope and not a cliff.
const EDGE: Permille = Permille::new(50);
/// What push-back leaves of the limit; of this much where less was in flight when it came the first time; and at least (F-081).
const FALLS_TO: Permille = Permille::new(700);
const ASSUMED: u64 = 64;
/// The most that one attempt counts in what was in flight then: a window of 131,072 tokens. How much a client lets an answer
/// have says little about how much it will.
const SHARE: u64 = 128;
const LEAST: u64 = 4;
/// After this long without push-back what was learned is forgotten.
const FORGOTTEN: Nanos = 600 * SECOND;
/// The shortest time between two changes, and the time while no latency is known.
const SHORTEST: Nanos = 100 * MILLISECOND;
const UNKNOWN: Nanos = SECOND;
/// Where nothing was started for this long, one attempt is (F-086).
const ALIVE: Nanos = SECOND;
/// Latencies at which all counts are halved, so that the median is one of now.
const FULL: u32 = 128;

/// Returns the weight of a chat or embeddings request (F-080).
///
/// # Units
/// Tokens of the prompt, and the most that the answer may have.
pub fn weight_of_tokens(prompt: u64, max_tokens: u64) -> u64 {
    (prompt.saturating_add(max_tokens / 2) / TOKENS).max(1)
}

/// Returns a weight as it counts at a model that is told so many tokens more: all of it and its answer fit in the window, where
/// that is declared (F-080).
pub(crate) fn in_window(weight: u64, added: u64, context: Option<u64>) -> u64 {
    let weight = weight.saturating_add(added / TOKENS);
    context.map_or(weight, |context| weight.min((context / TOKENS).max(1)))
}

/// Returns the weight of an inference over tensors of so many bytes (F-080).
pub fn weight_of_bytes(bytes: u64) -> u64 {
    (bytes / BYTES).max(1)
}

/// What an attempt's end says about the room of the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// There was none: told to slow down.
    Pushed,
    /// There was room: answered well.
    Good,
    /// Nothing.
    Other,
}

impl Said {
    pub(crate) fn by(result: ResultCode) -> Self {
        match result.closes() {
            Closes::Rate | Closes::Replica => Self::Pushed,
            _ if result.is_answer() => Self::Good,
            _ => Self::Other,
        }
    }
}

/// What is compared when an attempt asks for room: a fact for the record. Above the threshold there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// What would be in flight with it.
    pub(crate) value: u64,
    pub(crate) threshold: u64,
}

impl Room {
    pub(crate) fn admits(self) -> bool {
        self.value <= self.threshold
    }
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    weight: u64,
    since: Nanos,
}

/// What push-back has taught.
#[derive(Clone, Copy, Debug)]
struct Learned {
    limit: u64,
    pushed: Nanos,
    /// When the limit fell, and when it changed at all, the last time.
    lowered: Nanos,
    moved: Nanos,
}

/// The limiter of one model at one replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limiter {
    policy: LimitPolicy,
    learned: Option<Learned>,
    in_flight: u64,
    flights: BTreeMap<AttemptId, Flight>,
    /// How long good attempts take.
    latency: Histogram,
    /// When an attempt was started the last time.
    started: Option<Nanos>,
    /// The highest class that has a claim on it; none before a revision says so.
    highest: Option<Priority>,
}

impl Limiter {
    /// Goes on under another policy, with nobody's claim on it yet; what is in flight stays.
    pub(crate) fn adopt(&mut self, policy: LimitPolicy) {
        (self.policy, self.highest) = (policy, None);
    }

    /// Gives a class a claim on it.
    pub(crate) fn claim(&mut self, class: Priority) {
        self.highest = Some(self.highest.map_or(class, |highest| highest.min(class)));
    }

    /// Returns what it compares for a request of this weight; none where there is no limit. Changes nothing.
    pub(crate) fn ask(&self, now: Nanos, entropy: u64, weight: u64, class: Priority) -> Option<Room> {
        let limit = self.limit(now)?;
        let value = self.in_flight.saturating_add(weight);
        let stop = match self.highest.is_some_and(|highest| highest < class) {
            true => stop(limit, class, entropy),
            false => limit,
        };
        let free = self.in_flight == 0 || self.silent_for(now) >= ALIVE && self.policy == LimitPolicy::Auto;
        Some(Room { value, threshold: if free { stop.max(value) } else { stop } })
    }

    /// Lets an attempt start that [`Self::ask`] admitted.
    pub(crate) fn start(&mut self, now: Nanos, attempt: AttemptId, weight: u64) {
        self.take_out(attempt);
        self.in_flight = self.in_flight.saturating_add(weight);
        self.flights.insert(attempt, Flight { weight, since: now });
        self.started = Some(now);
    }

    /// Takes an attempt out of flight and hears what it says; says whether it was there.
    pub(crate) fn end(&mut self, now: Nanos, attempt: AttemptId, said: Said) -> bool {
        let used = self.in_flight;
        // Only the first push-back asks for it.
        let shared = (said == Said::Pushed && self.learned(now).is_none()).then(|| self.shared());
        let Some(flight) = self.take_out(attempt) else { return false };
        match said {
            Said::Pushed => self.fall(now, shared.unwrap_or(0)),
            Said::Good => {
                self.latency.record(now.saturating_sub(flight.since));
                if self.latency.samples() >= FULL {
                    self.latency.halve();
                }
                self.rise(now, used);
            }
            Said::Other => {}
        }
        true
    }

    /// Returns the weight in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Returns the limit as it stands; none where there is none.
    pub(crate) fn limit(&self, now: Nanos) -> Option<u64> {
        match self.policy {
            LimitPolicy::Fixed(limit) => Some(limit),
            LimitPolicy::Auto => self.learned(now).map(|it| it.limit),
        }
    }

    /// Returns when the server pushed back the last time, where that is not forgotten.
    pub(crate) fn pushed(&self, now: Nanos) -> Option<Nanos> {
        self.learned(now).map(|it| it.pushed)
    }

    /// Returns when the limit fell the last time.
    pub(crate) fn lowered(&self, now: Nanos) -> Option<Nanos> {
        self.learned(now).filter(|_| self.policy == LimitPolicy::Auto).map(|it| it.lowered)
    }

    /// Returns how long until the next attempt is expected to end, or until one is admitted for certain (F-086).
    pub(crate) fn recovers_in(&self, now: Nanos) -> Nanos {
        let next = self.pause() / self.flights.len().max(1) as u64;
        match self.policy {
            LimitPolicy::Auto => next.min(ALIVE.saturating_sub(self.silent_for(now))),
            LimitPolicy::Fixed(_) => next,
        }
    }

    fn learned(&self, now: Nanos) -> Option<Learned> {
        self.learned.filter(|it| now.saturating_sub(it.pushed) < FORGOTTEN)
    }

    fn silent_for(&self, now: Nanos) -> Nanos {
        self.started.map_or(Nanos::MAX, |started| now.saturating_sub(started))
    }

    /// Returns what is in flight, each attempt up to its share.
    fn shared(&self) -> u64 {
        self.flights.values().map(|flight| flight.weight.min(SHARE)).sum()
    }

    fn take_out(&mut self, attempt: AttemptId) -> Option<Flight> {
        let flight = self.flights.remove(&attempt)?;
        self.in_flight = self.in_flight.saturating_sub(flight.weight);
        Some(flight)
    }

    /// One median latency: what a change of the limit needs to show.
    fn pause(&self) -> Nanos {
        match self.latency.samples() {
            0 => UNKNOWN,
            samples => self.latency.reaches(samples / 2).max(SHORTEST),
        }
    }

    fn fall(&mut self, now: Nanos, used: u64) {
        let fallen = |from: u64| FALLS_TO.of(from).max(LEAST);
        let limit = match self.learned(now) {
            Some(it) if now.saturating_sub(it.lowered) < self.pause() => {
                self.learned = Some(Learned { pushed: now, ..it });
                return;
            }
            Some(it) => fallen(it.limit),
            None => fallen(used.max(ASSUMED)),
        };
        self.learned = Some(Learned { limit, pushed: now, lowered: now, moved: now });
    }

    fn rise(&mut self, now: Nanos, used: u64) {
        let Some(it) = self.learned(now) else { return };
        if used.saturating_mul(2) >= it.limit && now.saturating_sub(it.moved) >= self.pause() {
            self.learned = Some(Learned { limit: it.limit.saturating_add(1), moved: now, ..it });
        }
    }
}

/// Returns where a class stops that others have a claim before: its share of the limit, rounded to the nearest so that a limit
/// of two is not one, less the request's lot in the edge.
fn stop(limit: u64, class: Priority, entropy: u64) -> u64 {
    let share = class.share().of(limit.saturating_mul(2)).saturating_add(1) / 2;
    share.saturating_sub(Permille::new(Permille::lot(entropy)).of(EDGE.of(limit)))
}

#[cfg(test)]
mod tests;
