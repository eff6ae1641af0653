//! Breaker: cuts off a path that fails, and lets it back by leases and a ramp (`failures.md`, section 4).
//!
//! It judges one path and operation, or one replica of it. It does not choose tiers, and it hears verified ends only:
//! success is recorded when the whole answer was good, failure when it happens (F-061).
//!
//! *Closed* admits, *Open* rejects, *HalfOpen* admits leased probes, *Ramp* admits a share.
//!
//! # Invariants
//! - `BRK-1`: while Open nothing is admitted; while HalfOpen at most `probes` leases are out, one until it shows content.
//! - `BRK-2`: every lease ends: by a verdict, by release, or by its expiry, which is a failure (F-069).
//! - `BRK-3`: caller faults, cancellations and push-back move nothing but their own lease.
//! - `BRK-4`: an open time is at least `open` and at most the longest of `open_max`, and `flap_max` where it flaps, plus a
//!   fifth. Only what readiness has taken out is open for as long as that says so.
//! - `BRK-5`: readiness moves what is Closed or in Ramp to Open, and what it opened itself to HalfOpen, and nothing else: what
//!   real outcomes have opened comes back by real outcomes (F-112, F-116).
//!
//! What trips it is counted by `outcomes`; how it comes back, step by step, is `ramp`.

mod outcomes;

use alloc::vec::Vec;

use self::outcomes::Outcomes;
use crate::{
    change::BreakerTurn,
    class::{Evidence, ResultCode},
    clock::Nanos,
    fact::Signal,
    flap::Flap,
    id::AttemptId,
    probe,
    ramp::{Ramp, Turn},
    reason::Reason,
    revision::BreakerPolicy,
    transition::Trip,
    unit::Permille,
};

/// Whether a path is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// Admits everything.
    Closed,
    /// Admits a growing share.
    Ramp,
    /// Admits leased probes.
    HalfOpen,
    /// Admits nothing.
    Open,
}

impl BreakerState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Closed, Self::Ramp, Self::HalfOpen, Self::Open];

    /// Returns the word that records and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Ramp => "ramp",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

#[derive(Clone, Debug)]
enum State {
    Closed,
    Open {
        until: Nanos,
    },
    /// Open since so many probes in a row were refused (F-113).
    Out {
        refusals: u32,
    },
    HalfOpen(HalfOpen),
    Ramp(Ramp),
}

#[derive(Clone, Debug, Default)]
struct HalfOpen {
    leases: Vec<Lease>,
    good: u32,
    /// A probe has shown content, so more than one may be out.
    shown: bool,
}

/// The right of one attempt to try a path that is not open for business yet.
#[derive(Clone, Copy, Debug)]
struct Lease {
    attempt: AttemptId,
    /// When it is a failure.
    expires: Nanos,
    /// Since when content has come without a break.
    content_since: Option<Nanos>,
    /// It came later than it may: it will not be good (F-070).
    late: bool,
}

/// How a breaker comes to be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// By a rule that counts outcomes, while Closed or in Ramp.
    Trip,
    /// By a probe that failed.
    Probe,
    /// By the first step of a ramp.
    FirstStep,
}

/// What the breaker compares when it is asked: a fact for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) signal: Signal,
    pub(crate) value: u64,
    pub(crate) threshold: u64,
}

impl Question {
    /// Returns the same as it is for a request that nobody else can answer: the share of a ramp is there to leave the rest to
    /// others, and binds nobody where there are none (F-071). The leases of a half-open path bind all (rule 4).
    #[must_use]
    pub(crate) fn for_one_alone(self) -> Self {
        match self.signal {
            Signal::RampLot => Self { threshold: u64::from(Permille::ALL.thousandths()), ..self },
            _ => self,
        }
    }

    pub(crate) fn admits(self) -> bool {
        !self.signal.breached_when().holds(self.value, self.threshold)
    }
}

/// One outcome, with what decides how it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) attempt: AttemptId,
    pub(crate) result: ResultCode,
    pub(crate) status: Option<u16>,
    /// What it says about the path.
    pub(crate) evidence: Evidence,
    /// The request has already been counted in the streak (F-065).
    pub(crate) repeated: bool,
    /// Bits for the jitter of an open time.
    pub(crate) entropy: u64,
}

/// The breaker of one path and operation, or of one replica of it.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    pub(crate) policy: BreakerPolicy,
    state: State,
    outcomes: Outcomes,
    /// Open times since it was last closed.
    opened: u32,
    flap: Flap,
    trip: Option<Trip>,
    /// Real requests have closed it since readiness last took something out.
    returned: bool,
    /// The state that was told last.
    told: BreakerState,
}

impl Breaker {
    pub(crate) fn new(policy: BreakerPolicy) -> Self {
        let (outcomes, flap, told) = (Outcomes::new(&policy), Flap::default(), BreakerState::Closed);
        Self { policy, state: State::Closed, outcomes, opened: 0, flap, trip: None, returned: false, told }
    }

    /// Goes on under another policy; windows are counted anew only where their lengths differ.
    pub(crate) fn adopt(&mut self, policy: &BreakerPolicy) {
        self.outcomes.adopt(&self.policy, policy);
        self.policy = policy.clone();
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } | State::Out { .. } => BreakerState::Open,
            State::HalfOpen(_) => BreakerState::HalfOpen,
            State::Ramp(_) => BreakerState::Ramp,
        }
    }

    /// Says whether an attempt that started at a time would be a probe.
    pub(crate) fn half_open_by(&self, now: Nanos) -> bool {
        matches!(self.state, State::HalfOpen(_)) || matches!(self.state, State::Open { until } if until <= now)
    }

    /// Tells once how it has moved since it was last asked (F-060).
    pub(crate) fn tell(&mut self) -> Option<BreakerTurn> {
        let (before, now) = (self.told, self.state());
        self.told = now;
        (before != now).then(|| BreakerTurn::new(before, now, self.trip))
    }

    /// Returns what tripped it, until it is closed again.
    pub(crate) fn trip(&self) -> Option<Trip> {
        self.trip
    }

    /// Returns what it compares for a request with this entropy. Changes nothing.
    pub(crate) fn ask(&self, now: Nanos, entropy: u64) -> Question {
        match &self.state {
            State::Closed => Question { signal: Signal::OpenFor, value: 0, threshold: 0 },
            State::Open { until } => {
                Question { signal: Signal::OpenFor, value: until.saturating_sub(now), threshold: 0 }
            }
            State::Out { refusals } => Question {
                signal: Signal::Refusals,
                value: u64::from(*refusals),
                threshold: u64::from(probe::OUT_AFTER),
            },
            State::HalfOpen(half) => Question {
                signal: Signal::Leases,
                value: half.leases.len() as u64,
                threshold: u64::from(if half.shown { self.policy.probes } else { 1 }),
            },
            State::Ramp(ramp) => Question {
                signal: Signal::RampLot,
                value: u64::from(Permille::lot(entropy)),
                threshold: u64::from(ramp.share(now).thousandths()),
            },
        }
    }

    /// Lets an attempt start that [`Self::ask`] admitted; says whether it is a leased probe.
    pub(crate) fn start(&mut self, now: Nanos, attempt: AttemptId, expires: Nanos) -> bool {
        self.tick(now, 0);
        match &mut self.state {
            State::HalfOpen(half) => {
                half.leases.push(Lease { attempt, expires, content_since: None, late: false });
                true
            }
            State::Ramp(ramp) => {
                ramp.admit(now);
                false
            }
            State::Closed | State::Open { .. } | State::Out { .. } => false,
        }
    }

    /// Renews the lease of an attempt that goes on (F-069).
    pub(crate) fn renew(&mut self, attempt: AttemptId, expires: Nanos) {
        if let State::HalfOpen(half) = &mut self.state {
            half.leases.iter_mut().filter(|lease| lease.attempt == attempt).for_each(|lease| lease.expires = expires);
        }
    }

    /// Notes content of a probe: the others may come, and once content has come long enough the probe is good (F-070).
    pub(crate) fn content(&mut self, now: Nanos, attempt: AttemptId) {
        let long_enough = self.policy.open;
        let State::HalfOpen(half) = &mut self.state else { return };
        let Some(lease) = half.leases.iter_mut().find(|lease| lease.attempt == attempt) else { return };
        half.shown = true;
        let since = *lease.content_since.get_or_insert(now);
        if now.saturating_sub(since) >= long_enough && !lease.late {
            self.good_probe(now, attempt);
        }
    }

    /// Returns a lease without a verdict.
    pub(crate) fn release(&mut self, attempt: AttemptId) {
        if let State::HalfOpen(half) = &mut self.state {
            half.leases.retain(|lease| lease.attempt != attempt);
        }
    }

    /// Hears that an attempt is later than it may be. A probe that is late is not good (F-070): where the path was left for
    /// being slow it opens again, else that is not what it was tried for, and it proves nothing.
    pub(crate) fn late(&mut self, now: Nanos, attempt: AttemptId, (entropy, trip): (u64, Trip)) {
        let State::HalfOpen(half) = &mut self.state else { return };
        let Some(lease) = half.leases.iter_mut().find(|lease| lease.attempt == attempt) else { return };
        lease.late = true;
        if self.trip.is_some_and(|before| before.result == Some(ResultCode::Slow)) {
            self.open(now, entropy, (trip, How::Probe));
        }
    }

    /// Hears that it is worse than it may be, and others are there to answer: a path that is slow (F-064), a replica that is
    /// worse than its peers (F-103).
    pub(crate) fn worse(&mut self, now: Nanos, (entropy, trip): (u64, Trip)) {
        if matches!(self.state, State::Closed | State::Ramp(_)) {
            self.open(now, entropy, (trip, How::Trip));
        }
    }

    /// Counts the end of an attempt.
    pub(crate) fn record(&mut self, now: Nanos, verdict: Verdict) {
        let evidence = verdict.evidence;
        if evidence == Evidence::None {
            return self.release(verdict.attempt);
        }
        match &mut self.state {
            State::Open { .. } | State::Out { .. } => {}
            State::HalfOpen(half) => {
                let lease = half.leases.iter().find(|lease| lease.attempt == verdict.attempt);
                match lease.map(|lease| lease.late) {
                    Some(false) if verdict.result.is_answer() => self.good_probe(now, verdict.attempt),
                    Some(true) if verdict.result.is_answer() => self.release(verdict.attempt),
                    Some(_) => {
                        let trip = Trip::new("F-068", verdict.result, (1, 1));
                        self.open(now, verdict.entropy, (trip, How::Probe));
                    }
                    None => {}
                }
            }
            State::Closed | State::Ramp(_) => self.count(now, verdict),
        }
    }

    /// Moves what time alone moves: an open time that ends, a lease that expires, a ramp step that rises.
    pub(crate) fn tick(&mut self, now: Nanos, entropy: u64) {
        match &mut self.state {
            State::Open { until } if *until <= now => self.state = State::HalfOpen(HalfOpen::default()),
            State::HalfOpen(half) if half.leases.iter().any(|lease| lease.expires <= now) => {
                let trip = Trip::new("F-069", ResultCode::TotalTimeout, (1, 1));
                self.open(now, entropy, (trip, How::Probe));
            }
            State::Ramp(ramp) => {
                let turn = ramp.judge(now);
                self.turn(now, turn, ResultCode::Ok, entropy);
            }
            _ => {}
        }
    }

    /// Returns when time alone would move it.
    pub(crate) fn due(&self, now: Nanos) -> Option<Nanos> {
        match &self.state {
            State::Closed | State::Out { .. } => None,
            State::Open { until } => Some(*until),
            State::HalfOpen(half) => half.leases.iter().map(|lease| lease.expires).min(),
            State::Ramp(ramp) => Some(ramp.due(now)),
        }
    }

    /// Returns how long until a request may be admitted again, as far as it is known.
    pub(crate) fn recovers_in(&self, now: Nanos) -> Nanos {
        match &self.state {
            State::Open { until } => until.saturating_sub(now),
            // Nobody knows; it is not worth more of a client's patience than a first open time.
            State::Out { .. } => self.policy.open,
            _ => 0,
        }
    }

    /// Hears what readiness says: so many refusals in a row that it is out, or that it is not out (BRK-5).
    pub(crate) fn stand(&mut self, out: Option<u32>) {
        self.returned &= out.is_none();
        match (&self.state, out) {
            (State::Closed | State::Ramp(_), Some(refusals)) => {
                self.outcomes.clear();
                self.trip = Some(Trip::refused(refusals));
                self.state = State::Out { refusals };
            }
            (State::Out { .. }, None) => self.state = State::HalfOpen(HalfOpen::default()),
            _ => {}
        }
    }

    /// Follows another operation of the same path: what readiness alone had opened, and nobody has asked since, is closed once
    /// real requests have closed the other.
    pub(crate) fn follow(&mut self, other: &Self) {
        let untouched = matches!(&self.state, State::HalfOpen(half) if half.leases.is_empty() && half.good == 0);
        let by_readiness = self.trip.is_some_and(|trip| trip.reason == Reason::HealthcheckFailed);
        let proven = other.returned && matches!(other.state, State::Closed);
        if untouched && by_readiness && proven {
            (self.state, self.opened, self.trip) = (State::Closed, 0, None);
        }
    }

    /// Hears that what readiness says of its one replica is from now on that replica's own.
    pub(crate) fn hand_over(&mut self) {
        if matches!(self.state, State::Out { .. }) {
            (self.state, self.opened, self.trip) = (State::Closed, 0, None);
        }
    }

    fn count(&mut self, now: Nanos, verdict: Verdict) {
        let bad = self.outcomes.record(now, verdict);
        if !bad {
            self.flap.succeed(now);
        }
        let ramp = match &mut self.state {
            State::Ramp(ramp) => Some(ramp.record(now, !bad)),
            _ => None,
        };
        let trip = if bad { self.outcomes.judge(now, &self.policy, (verdict.result, ramp.is_some())) } else { None };
        match trip {
            Some(trip) => self.open(now, verdict.entropy, (trip, How::Trip)),
            None => self.turn(now, ramp.unwrap_or(Turn::Stay), verdict.result, verdict.entropy),
        }
    }

    fn good_probe(&mut self, now: Nanos, attempt: AttemptId) {
        let State::HalfOpen(half) = &mut self.state else {
            return;
        };
        half.leases.retain(|lease| lease.attempt != attempt);
        half.good += 1;
        half.shown = true;
        if half.good >= self.policy.successes {
            self.outcomes.clear();
            self.state = State::Ramp(Ramp::start(now, &self.policy.ramp, self.policy.open));
        }
    }

    fn turn(&mut self, now: Nanos, turn: Turn, result: ResultCode, entropy: u64) {
        match turn {
            Turn::Stay | Turn::Up | Turn::Down => {}
            Turn::Close => {
                self.outcomes.clear();
                self.returned = true;
                (self.state, self.opened, self.trip) = (State::Closed, 0, None);
                self.flap.close(now);
            }
            Turn::Reopen { bad, of } => {
                self.open(now, entropy, (Trip::new("F-072", result, (bad, of)), How::FirstStep));
            }
        }
    }

    /// Opens for longer each time, until it has been closed again; after a bad first step for as long as the last time
    /// (F-066, F-067, F-072).
    fn open(&mut self, now: Nanos, entropy: u64, (trip, how): (Trip, How)) {
        if how == How::Trip {
            self.flap.trip(now, &self.policy);
        }
        if how != How::FirstStep || self.opened == 0 {
            self.opened = self.opened.saturating_add(1);
        }
        let base = self.flap.base(&self.policy);
        let length = base.saturating_mul(Nanos::from(self.opened)).min(self.policy.open_max.max(base));
        let jitter = Permille::new(Permille::lot(entropy) / 5).of(length);
        self.outcomes.clear();
        self.trip = Some(trip);
        self.state = State::Open { until: now + length + jitter };
    }
}

#[cfg(test)]
mod tests;
