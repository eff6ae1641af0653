//! Hedge: when a second attempt beside a slow first one pays (F-090 to F-094).
//!
//! It says when, and why not. To whom a hedge goes (F-092), which requests may have one (F-090) and who wins (F-095) is the machine's.
//!
//! # Why so many reasons not to
//! A hedge buys the tail with load. That is cheap while a slow answer is bad luck, and ruinous when all are slow: then every
//! request is two. So each sign that slowness is shared stops it: push-back, a breaker that is not closed, little room, many past
//! the delay, hedges that do not win. Whatever is missed, the purse bounds.
//!
//! # Invariants
//! - `HEDGE-1`: without 200 times to first content of the request's size there is no delay, and so no hedge.
//! - `HEDGE-2`: the first sign in their order is returned, with the numbers that were compared.
//! - `HEDGE-3`: what hedges cost is at most the policy's share of what first attempts cost in the period before.
//! - `HEDGE-4`: losing does not stop hedges for ever: ten minutes without one, and the wins are counted anew.
//!
//! # When it misleads
//! The delay lags by up to two minutes behind a path that has become slower; until then the share past the delay stops it.
//! Where a route has little traffic, a twentieth of it never pays for one request.
//!
//! # Source
//! Dean and Barroso, *The Tail at Scale* (2013).

use alloc::collections::VecDeque;

use crate::{
    breaker::BreakerState,
    budget::Budget,
    clock::{MILLISECOND, Nanos, SECOND},
    fact::Signal,
    fading::Fading,
    revision::{BudgetPolicy, Operation},
    size::{SIZES, Size},
    unit::Permille,
    window::{Counts, Window},
};

/// Times without which a size has no p95 (F-091), and how long they are held: at least.
const HISTORY: u32 = 200;
const MEMORY: Nanos = 60 * SECOND;
/// How long a push-back, and attempts past the delay, are held against hedges; and the period of the purse.
const RECENT: Nanos = 10 * SECOND;
/// The share of the limit beyond which there is no room for a hedge.
const FULL: u64 = 800;
/// The share of attempts past the delay beyond which slowness is shared, and the attempts without which it says nothing; so many
/// are looked at as the last ones, too.
const LATE: u64 = 200;
const LATE_OF: u32 = 20;
/// The last hedges that are looked at, and the share of them that has to win.
const HEDGES: usize = 200;
const WON: u64 = 50;
/// When the wins are counted anew (HEDGE-4).
const FORGIVEN: Nanos = 600 * SECOND;

/// How hedges are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HedgePolicy {
    /// What hedges may cost, of the cost of the route.
    pub(crate) share: Permille,
    /// The shortest delay.
    pub(crate) floor: Nanos,
}

impl HedgePolicy {
    /// Returns the default for an operation (F-091, F-093).
    pub(crate) const fn of(operation: Operation) -> Self {
        let floor = match operation {
            Operation::Chat | Operation::ChatStream => 500 * MILLISECOND,
            Operation::Embeddings | Operation::Infer => MILLISECOND,
        };
        Self { share: Permille::new(50), floor }
    }

    /// Returns the purse of a route: first attempts deposit into it, hedges withdraw. It comes on top of the route's own, which
    /// pays hedges too (rule 6).
    pub(crate) const fn purse(&self) -> BudgetPolicy {
        BudgetPolicy { ratio: self.share, floor: 0, per: RECENT }
    }
}

/// Why there is no hedge: a fact for the record (OV-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suppressed {
    pub(crate) signal: Signal,
    pub(crate) value: u64,
    pub(crate) threshold: u64,
}

/// How things stand around a request that may be hedged. Of several replicas: those of the one that the hedge would go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// When the upstream pushed back, and a limiter lowered its limit, the last time.
    pub(crate) pushed: Option<Nanos>,
    pub(crate) lowered: Option<Nanos>,
    pub(crate) breaker: BreakerState,
    /// The weight in flight, and the limit.
    pub(crate) in_flight: u64,
    pub(crate) limit: u64,
    /// What the hedge costs, and the lower of what the two purses hold.
    pub(crate) cost: u64,
    pub(crate) purse: u64,
}

/// The hedges of one path and operation.
#[derive(Clone, Debug)]
pub(crate) struct Hedging {
    pub(crate) policy: HedgePolicy,
    history: [Fading; SIZES],
    late: Window,
    /// The same of the last attempts, a bit each.
    recent: u32,
    /// Whether the last hedges won, the newest last.
    settled: VecDeque<bool>,
    last: Nanos,
}

impl Hedging {
    pub(crate) fn new(policy: HedgePolicy) -> Self {
        let history = core::array::from_fn(|_| Fading::new(MEMORY));
        Self { policy, history, late: Window::new(RECENT, 10), recent: 0, settled: VecDeque::new(), last: 0 }
    }

    /// Returns after how long without first content a request of this size is hedged; none while too little is known.
    pub(crate) fn delay(&self, now: Nanos, size: Size) -> Option<Nanos> {
        let p95 = self.history[size.index()].reaches(now, 20, HISTORY)?;
        Some(p95.max(self.policy.floor))
    }

    /// Notes that the delay of an attempt has passed without first content, whether or not it is hedged then.
    pub(crate) fn passed(&mut self, now: Nanos) {
        self.note(now, true);
    }

    /// Takes in the time to first content of a first attempt; `passed` says that its delay had passed before.
    pub(crate) fn content(&mut self, now: Nanos, size: Size, took: Nanos, passed: bool) {
        self.history[size.index()].record(now, took);
        if !passed {
            self.note(now, false);
        }
    }

    fn note(&mut self, now: Nanos, late: bool) {
        self.late.record(now, late);
        self.recent = (self.recent << 1 | u32::from(late)) & ((1 << LATE_OF) - 1);
    }

    /// Notes whether a hedge was first.
    pub(crate) fn settle(&mut self, now: Nanos, won: bool) {
        if now.saturating_sub(self.last) >= FORGIVEN {
            self.settled.clear();
        }
        if self.settled.len() >= HEDGES {
            self.settled.pop_front();
        }
        self.settled.push_back(won);
        self.last = now;
    }

    /// Returns the first sign that speaks against a hedge, once the delay has passed; none lets it start. Changes nothing.
    pub(crate) fn ask(&self, now: Nanos, size: Size, standing: &Standing) -> Option<Suppressed> {
        let since = |then: Option<Nanos>| then.map_or(Nanos::MAX, |then| now.saturating_sub(then));
        let in_flight = u128::from(standing.in_flight) * 1_000 / u128::from(standing.limit.max(1));
        [
            (Signal::HedgeSamples, self.history[size.index()].samples(now).into(), HISTORY.into()),
            (Signal::HedgePushed, since(standing.pushed), RECENT),
            (Signal::HedgeLowered, since(standing.lowered), RECENT),
            (Signal::HedgeBreaker, standing.breaker as u64, BreakerState::Closed as u64),
            (Signal::HedgeRoom, in_flight.min(u128::from(u64::MAX)) as u64, FULL),
            (Signal::HedgeLate, self.late_permille(now), LATE),
            (Signal::HedgeWins, self.won_permille(now), WON),
            (Signal::HedgeCost, standing.cost, standing.purse),
        ]
        .into_iter()
        .find(|(signal, value, threshold)| signal.breached_when().holds(*value, *threshold))
        .map(|(signal, value, threshold)| Suppressed { signal, value, threshold })
    }

    /// Returns the larger of the shares in the last while and among the last few: a purse that was filled for ten seconds would
    /// be empty before the first of them shows that all are slow.
    fn late_permille(&self, now: Nanos) -> u64 {
        let Counts { bad, all } = self.late.counts(now);
        let window = if all < LATE_OF { 0 } else { u64::from(bad) * 1_000 / u64::from(all) };
        let last = u64::from(self.recent.count_ones()) * 1_000 / u64::from(LATE_OF);
        if all == 0 { 0 } else { window.max(last) }
    }

    /// Returns the share that won; all of it while too few have settled, or all is forgiven (HEDGE-4).
    fn won_permille(&self, now: Nanos) -> u64 {
        if self.settled.len() < HEDGES || now.saturating_sub(self.last) >= FORGIVEN {
            return 1_000;
        }
        self.settled.iter().filter(|won| **won).count() as u64 * 1_000 / HEDGES as u64
    }
}

/// Returns the lower of what the route's own purse and that of its hedges hold.
pub(crate) fn purse(now: Nanos, route: &Budget, hedges: &Budget) -> u64 {
    route.purse(now).min(hedges.purse(now))
}

#[cfg(test)]
mod tests;
