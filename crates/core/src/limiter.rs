//! Limiter: how much work one replica has at once (F-080 to F-086).
//!
//! It counts the weight of attempts in flight and compares. It does not queue: a request that finds no room takes the next tier
//! at once (F-045). It does not watch latency: batching raises that by design (F-082).
//!
//! # Why push-back
//! A server that says "not now" is the only witness of its own room. So the limit falls fast on its word and rises slowly on good
//! answers, and only where it was in use: a limit that nobody touches proves nothing.
//!
//! # Invariants
//! - `LIM-1`: what is in flight is the weight of the attempts that were started and have not ended, each counted once.
//! - `LIM-2`: a limit that adapts stays within its range; a fixed one stays.
//! - `LIM-3`: it falls at most once per median latency, and rises by at most one in that time, only while half of it is used.
//! - `LIM-4`: an attempt finds room where nothing is in flight, whatever it weighs, and where none was started for a second.
//! - `LIM-5`: the same question in the same state has the same answer; the entropy decides only within [`EDGE`] of a class's stop.
//!
//! # When it misleads
//! By `LIM-4`, attempts that last long may go beyond the limit by one for each second that they last, if nothing ends in it.
//! Attempts of others on the same server are not seen, only their push-back.
//!
//! # Source
//! Additive increase, multiplicative decrease (Chiu and Jain, 1989), on weights in place of packets.

use alloc::collections::BTreeMap;

use crate::{
    clock::{MILLISECOND, Nanos, SECOND},
    id::AttemptId,
    median::Running,
    priority::Priority,
    unit::Permille,
};

/// Tokens, and bytes of tensors, that weigh one (F-080).
const TOKENS: u64 = 1_024;
const BYTES: u64 = 1_024 * 1_024;
/// Below the stop of a class, but for the highest, requests are shed by lot in this share of the limit (F-085), so that the
/// edge is a slope and not a cliff.
const EDGE: Permille = Permille::new(50);
/// What push-back leaves of the limit (F-081).
const FALLS_TO: Permille = Permille::new(700);
/// The shortest time between two changes, and the time while no latency is known.
const SHORTEST: Nanos = 100 * MILLISECOND;
const UNKNOWN: Nanos = SECOND;
/// Where nothing was started for this long, one attempt is (F-086).
const ALIVE: Nanos = SECOND;

/// Returns the weight of a chat request (F-080).
pub(crate) fn weight_of_chat(prompt_tokens: u64, max_tokens: u64) -> u64 {
    (prompt_tokens.saturating_add(max_tokens / 2) / TOKENS).max(1)
}

/// Returns the weight of an inference over tensors (F-080).
pub(crate) fn weight_of_tensors(bytes: u64) -> u64 {
    (bytes / BYTES).max(1)
}

/// How a limit is found (F-081).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitPolicy {
    /// It adapts within a range.
    Auto { start: u64, min: u64, max: u64 },
    /// An operator has said it.
    Fixed(u64),
}

impl Default for LimitPolicy {
    fn default() -> Self {
        Self::Auto { start: 64, min: 4, max: 1_024 }
    }
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

/// The limiter of one replica.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    policy: LimitPolicy,
    limit: u64,
    in_flight: u64,
    flights: BTreeMap<AttemptId, Flight>,
    /// How long good attempts take.
    latency: Running,
    /// When an attempt was started, the server pushed back, and the limit fell or moved, the last time.
    started: Option<Nanos>,
    pushed: Option<Nanos>,
    lowered: Option<Nanos>,
    moved: Nanos,
}

impl Limiter {
    pub(crate) fn new(policy: LimitPolicy) -> Self {
        let limit = match policy {
            LimitPolicy::Auto { start, min, max } => start.clamp(min, max.max(min)),
            LimitPolicy::Fixed(limit) => limit,
        };
        let (flights, latency) = (BTreeMap::new(), Running::default());
        Self { policy, limit, in_flight: 0, flights, latency, started: None, pushed: None, lowered: None, moved: 0 }
    }

    /// Goes on under another policy; what is in flight stays, and a limit that adapts goes on from where it stood.
    pub(crate) fn adopt(&mut self, policy: LimitPolicy) {
        self.limit = match (self.policy, policy) {
            (LimitPolicy::Auto { .. }, LimitPolicy::Auto { min, max, .. }) => self.limit.clamp(min, max.max(min)),
            _ => Self::new(policy).limit,
        };
        self.policy = policy;
    }

    /// Returns what it compares for a request of this weight. Changes nothing.
    pub(crate) fn ask(&self, now: Nanos, entropy: u64, weight: u64, priority: Priority) -> Room {
        let value = self.in_flight.saturating_add(weight);
        let silent = self.started.is_none_or(|started| now.saturating_sub(started) >= ALIVE);
        let stop = nearest(self.limit, stop_of(priority, entropy));
        Room { value, threshold: if silent || self.in_flight == 0 { stop.max(value) } else { stop } }
    }

    /// Lets an attempt start that [`Self::ask`] admitted.
    pub(crate) fn start(&mut self, now: Nanos, attempt: AttemptId, weight: u64) {
        self.take_out(attempt);
        self.in_flight = self.in_flight.saturating_add(weight);
        self.flights.insert(attempt, Flight { weight, since: now });
        self.started = Some(now);
    }

    /// Takes an attempt out of flight and hears what it says; of an attempt that is not in flight nothing is heard.
    pub(crate) fn end(&mut self, now: Nanos, attempt: AttemptId, said: Said) {
        let used = self.in_flight;
        let Some(flight) = self.take_out(attempt) else { return };
        match said {
            Said::Pushed => self.fall(now),
            Said::Good => {
                self.latency.record(now.saturating_sub(flight.since));
                self.rise(now, used);
            }
            Said::Other => {}
        }
    }

    /// Returns the weight in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Returns the limit as it stands.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns when the server pushed back the last time.
    pub(crate) fn pushed(&self) -> Option<Nanos> {
        self.pushed
    }

    /// Returns when the limit fell the last time.
    pub(crate) fn lowered(&self) -> Option<Nanos> {
        self.lowered
    }

    /// Returns how long until an attempt is admitted for certain (F-086).
    pub(crate) fn recovers_in(&self, now: Nanos) -> Nanos {
        if self.in_flight == 0 {
            return 0;
        }
        self.started.map_or(0, |started| started.saturating_add(ALIVE).saturating_sub(now))
    }

    fn take_out(&mut self, attempt: AttemptId) -> Option<Flight> {
        let flight = self.flights.remove(&attempt)?;
        self.in_flight = self.in_flight.saturating_sub(flight.weight);
        Some(flight)
    }

    /// One median latency: what a change of the limit needs to show.
    fn pause(&self) -> Nanos {
        self.latency.value().map_or(UNKNOWN, |median| median.max(SHORTEST))
    }

    fn fall(&mut self, now: Nanos) {
        self.pushed = Some(now);
        let LimitPolicy::Auto { min, .. } = self.policy else { return };
        if self.lowered.is_some_and(|lowered| now.saturating_sub(lowered) < self.pause()) {
            return;
        }
        self.limit = FALLS_TO.of(self.limit).max(min);
        (self.lowered, self.moved) = (Some(now), now);
    }

    fn rise(&mut self, now: Nanos, used: u64) {
        let LimitPolicy::Auto { max, .. } = self.policy else { return };
        let half_used = used.saturating_mul(2) >= self.limit;
        if self.limit < max && half_used && now.saturating_sub(self.moved) >= self.pause() {
            self.limit += 1;
            self.moved = now;
        }
    }
}

/// Returns the share of the limit at which this request stops being admitted: its class's, less its lot in the edge.
fn stop_of(priority: Priority, entropy: u64) -> Permille {
    let edge = match priority {
        Priority::Critical => 0,
        Priority::Default | Priority::Sheddable => u32::from(EDGE.thousandths()),
    };
    let lot = (u32::from(Permille::lot(entropy)) * edge / 1_000) as u16;
    Permille::new(priority.share().thousandths() - lot)
}

/// Returns a share of a limit, rounded to the nearest, so that a limit of two is not one.
fn nearest(limit: u64, share: Permille) -> u64 {
    share.of(limit.saturating_mul(2)).saturating_add(1) / 2
}

#[cfg(test)]
mod tests;
