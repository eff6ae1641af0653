//! Slow: finds a path that answers, but far later than it should (F-064).
//!
//! It judges one path and operation by the times to first content (of answers in one piece: to the answer), and returns what it
//! found. It opens nothing: that takes a lower tier that is admitted, which the caller knows (`request::pace`).
//!
//! # Why a share of a second
//! A mean is moved by one long answer, and a tail says nothing about the rest. When four of five requests in a second are beyond
//! their bound, the path is slow for everybody, and a second of it is enough to know.
//!
//! # Invariants
//! - `SLOW-1`: below 20 judged times nothing is found; a time without a bound is not judged.
//! - `SLOW-2`: without an objective a bound exists only from 50 times of the same size in the last hour on, and is never below
//!   50 ms.
//! - `SLOW-3`: a time is held against the bound that stood before it came.
//!
//! # When it misleads
//! A path that stays slow for half an hour has taught the median that this is normal. An objective does not learn.
//! The median is known within a quarter, so "three times" is up to 3.75 times. Below two requests a second it is silent.

use crate::{
    clock::{MILLISECOND, Nanos, SECOND},
    fading::Fading,
    size::{SIZES, Size},
    window::{Counts, Window},
};

/// Half of the hour that the median speaks of: two such periods are held.
const HALF_HOUR: Nanos = 1_800 * SECOND;
/// Times of one size without which it has no median to speak of.
const HISTORY: u32 = 50;
/// How many medians long a time must be to be beyond, and how long at least: where answers take a millisecond, a new
/// connection or a busy moment is many medians, and nobody is better served by a smaller model for it.
const TIMES: Nanos = 3;
const LEAST: Nanos = 50 * MILLISECOND;
/// Times of one size between two computations of its median.
const EVERY: u8 = 16;
/// Judged times without which a window says nothing.
const ENOUGH: u32 = 20;
/// The share, in tenths, that must be beyond.
const BAD_TENTHS: u32 = 8;

/// What a bound was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// The objective of the route.
    Objective,
    /// The median of the last hour of the same size.
    Median,
}

/// How long a first content may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) limit: Nanos,
    pub(crate) made: Made,
}

/// A path that is slow: how many times were beyond their bounds, of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slow {
    pub(crate) bad: u32,
    pub(crate) of: u32,
}

/// A time that was beyond its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// What the bound was made of.
    pub(crate) made: Made,
    /// Where it is not alone: the path is slow.
    pub(crate) slow: Option<Slow>,
}

/// The times of one size, and three times their median.
#[derive(Clone, Debug)]
struct History {
    times: Fading,
    /// As it was when it was last computed: it is asked far more often than it moves.
    limit: Option<Nanos>,
    /// Times that came since.
    since: u8,
}

impl History {
    fn new() -> Self {
        Self { times: Fading::new(HALF_HOUR), limit: None, since: 0 }
    }

    fn limit(&self, now: Nanos) -> Option<Nanos> {
        self.limit.filter(|_| self.times.samples(now) >= HISTORY)
    }

    fn record(&mut self, now: Nanos, took: Nanos) {
        self.times.record(now, took);
        self.since += 1;
        if self.since >= EVERY || self.limit(now).is_none() {
            let limit = |median: Nanos| median.saturating_mul(TIMES).max(LEAST);
            (self.limit, self.since) = (self.times.reaches(now, 2, HISTORY).map(limit), 0);
        }
    }
}

/// The times of one path and operation.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    objective: Option<Nanos>,
    history: [History; SIZES],
    second: Window,
    ten: Window,
}

impl Pace {
    /// Begins without a history; `objective` is the route's `slo.latency.p95`, where it has one.
    pub(crate) fn new(objective: Option<Nanos>) -> Self {
        let history = core::array::from_fn(|_| History::new());
        Self { objective, history, second: Window::new(SECOND, 10), ten: Window::new(10 * SECOND, 10) }
    }

    /// Goes on under another objective; what was judged by the old one is forgotten, the history is not.
    pub(crate) fn adopt(&mut self, objective: Option<Nanos>) {
        if self.objective != objective {
            self.objective = objective;
            self.forget();
        }
    }

    /// Returns how long a first content of this size may take; none where nothing is known.
    pub(crate) fn bound(&self, now: Nanos, size: Size) -> Option<Bound> {
        if let Some(limit) = self.objective {
            return Some(Bound { limit, made: Made::Objective });
        }
        let limit = self.history[size.index()].limit(now)?;
        Some(Bound { limit, made: Made::Median })
    }

    /// Takes in the time of one first content, and says whether it was late, and the path slow.
    pub(crate) fn record(&mut self, now: Nanos, size: Size, took: Nanos) -> Option<Late> {
        let bound = self.bound(now, size);
        self.history[size.index()].record(now, took);
        let Bound { limit, made } = bound?;
        let late = took > limit;
        self.second.record(now, late);
        self.ten.record(now, late);
        // Only what is late can be the last straw, so that the end of a slow time finds nothing.
        late.then(|| Late { made, slow: self.slow(now) })
    }

    /// Takes in that nothing had come after this time, when its client left: where that is late it counts as such, but what is
    /// no evidence is not the last straw (F-173, core rule 5).
    pub(crate) fn silent(&mut self, now: Nanos, size: Size, took: Nanos) {
        if self.bound(now, size).is_some_and(|bound| took > bound.limit) {
            self.second.record(now, true);
            self.ten.record(now, true);
        }
    }

    /// Clears what was judged: what was before an outage says nothing about after it.
    pub(crate) fn forget(&mut self) {
        self.second.clear();
        self.ten.clear();
    }

    /// Judges the shortest window that says something.
    fn slow(&self, now: Nanos) -> Option<Slow> {
        let counts = [&self.second, &self.ten].map(|window| window.counts(now));
        let Counts { bad, all } = counts.into_iter().find(|counts| counts.all >= ENOUGH)?;
        (u64::from(bad) * 10 >= u64::from(all) * u64::from(BAD_TENTHS)).then_some(Slow { bad, of: all })
    }
}

#[cfg(test)]
mod tests;
