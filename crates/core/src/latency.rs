//! Latency: how long a path takes to commit, as an upper quantile that is known within a quarter (F-027).
//!
//! Not a metric: metrics are the shell's. This is the one number that the time reserve of lower tiers is made of.
//!
//! # Why buckets
//! A tail estimate must survive a burst and forget a bad hour. Buckets, four to the octave, halved when they are full,
//! do both in a fixed half KiB and without a clock.
//!
//! # When it misleads
//! Right after a path has become slower, half of the buckets still speak of before: the reserve lags by up to
//! 1,024 answers.

use crate::{clock::Nanos, histogram::Histogram};

/// Samples below which the path has no history to speak of (F-027).
const ENOUGH: u32 = 50;
/// Samples at which all buckets are halved.
const FULL: u32 = 1_024;
/// Samples between two computations.
const EVERY: u32 = 10;

/// Times of one path and operation, to commit unless its owner says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    histogram: Histogram,
    full: u32,
    every: u32,
    /// As it was when it was last computed: it is asked far more often than it moves.
    p95: Option<Nanos>,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self::keeping(FULL, EVERY)
    }

    /// Begins with another memory: `full` samples at which all buckets are halved, `every` so many the quantile is computed.
    pub(crate) fn keeping(full: u32, every: u32) -> Self {
        Self { histogram: Histogram::default(), full, every, p95: None }
    }

    pub(crate) fn record(&mut self, took: Nanos) {
        self.histogram.record(took);
        if self.histogram.samples() >= self.full {
            self.histogram.halve();
        }
        let samples = self.histogram.samples();
        if samples >= ENOUGH && (samples.is_multiple_of(self.every) || self.p95.is_none()) {
            self.p95 = Some(self.histogram.reaches(samples / 20));
        }
    }

    /// Takes in a time that was at least so long, of an attempt that nobody waited for to the end: it only ever slows (F-173).
    pub(crate) fn at_least(&mut self, took: Nanos) {
        if self.p95.is_some_and(|p95| took > p95) {
            self.record(took);
        }
    }

    /// Returns the upper edge of the bucket that holds the 95th percentile; none below 50 samples.
    pub(crate) fn p95(&self) -> Option<Nanos> {
        self.p95
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    #[test]
    fn f_027_p95_is_known_from_50_samples_and_within_a_quarter() {
        let mut latency = Latency::new();
        for n in 1..=49 {
            latency.record(n * MILLISECOND);
        }
        assert_eq!(latency.p95(), None);
        for n in 50..=100 {
            latency.record(n * MILLISECOND);
        }
        let p95 = latency.p95().expect("100 samples are enough");
        assert!((95 * MILLISECOND..=119 * MILLISECOND).contains(&p95), "{p95}");
    }

    #[test]
    fn old_times_are_forgotten() {
        let mut latency = Latency::new();
        (0..500).for_each(|_| latency.record(1_000 * MILLISECOND));
        (0..10_000).for_each(|_| latency.record(10 * MILLISECOND));
        assert!(latency.p95().expect("samples") < 20 * MILLISECOND);
    }
}
