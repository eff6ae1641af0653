//! Histogram: times in buckets, four to the octave, so that a quantile is known within a quarter.
//!
//! Not a policy: what a quantile is compared with, and when, is said by those who hold one.
//!
//! # Invariants
//! - `HIST-1`: a time lies below the upper edge of its bucket, and above it by less than a quarter of itself.

use alloc::{vec, vec::Vec};

use crate::clock::{MICROSECOND, Nanos};

/// Buckets: 64 octaves of microseconds would be too many; 32 reach 71 minutes.
const BUCKETS: usize = 32 * 4;

/// Counts of times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// Empty until the first time comes: most histograms of a path are never used.
    buckets: Vec<u32>,
    samples: u32,
}

impl Histogram {
    pub(crate) fn record(&mut self, took: Nanos) {
        if self.buckets.is_empty() {
            self.buckets = vec![0; BUCKETS];
        }
        let count = &mut self.buckets[bucket(took)];
        *count = count.saturating_add(1);
        self.samples = self.samples.saturating_add(1);
    }

    pub(crate) fn samples(&self) -> u32 {
        self.samples
    }

    /// Halves every count, so that what comes weighs more than what was.
    pub(crate) fn halve(&mut self) {
        self.buckets.iter_mut().for_each(|count| *count /= 2);
        self.samples = self.buckets.iter().sum();
    }

    /// Returns how many times lie in a bucket.
    pub(crate) fn count(&self, at: usize) -> u32 {
        self.buckets.get(at).copied().unwrap_or(0)
    }

    /// Returns the upper edge of the bucket at which the `beyond` longest times are reached.
    pub(crate) fn reaches(&self, beyond: u32) -> Nanos {
        reaches(|at| self.count(at), beyond)
    }
}

/// Returns the upper edge of the bucket at which the `beyond` longest times are reached, whoever counted them.
pub(crate) fn reaches(count: impl Fn(usize) -> u32, mut beyond: u32) -> Nanos {
    // From above: the tail is where the answers are, so few buckets are looked at.
    for at in (1..BUCKETS).rev() {
        let count = count(at);
        match beyond.checked_sub(count) {
            Some(rest) if count == 0 || rest > 0 => beyond = rest,
            _ => return upper_edge(at),
        }
    }
    upper_edge(0)
}

fn bucket(took: Nanos) -> usize {
    let micros = (took / MICROSECOND).max(1);
    let octave = micros.ilog2();
    let quarter = if octave >= 2 { (micros >> (octave - 2)) & 3 } else { (micros << (2 - octave)) & 3 };
    (octave as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

fn upper_edge(at: usize) -> Nanos {
    let (octave, quarter) = ((at / 4) as u32, (at % 4) as u64);
    let micros = ((1u64 << octave) * (5 + quarter)).div_ceil(4);
    micros * MICROSECOND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    #[test]
    fn every_time_lies_below_the_edge_of_its_bucket() {
        for took in (0..60).map(|shift| 1u64 << shift).chain([0, 999, 1_001, 123_456_789, 40 * 60 * 1_000_000_000]) {
            let at = bucket(took);
            assert!(at == BUCKETS - 1 || took <= upper_edge(at), "HIST-1: {took} in bucket {at}");
            assert!(
                took < 4_000 || at == BUCKETS - 1 || upper_edge(at) <= took + took / 4 + MICROSECOND,
                "HIST-1: {took}"
            );
        }
    }

    #[test]
    fn halving_keeps_the_shape() {
        let mut histogram = Histogram::default();
        (0..100).for_each(|n| histogram.record(if n < 90 { MILLISECOND } else { 100 * MILLISECOND }));
        histogram.halve();
        assert_eq!(histogram.samples(), 50);
        assert!(histogram.reaches(5) >= 100 * MILLISECOND && histogram.reaches(6) < 2 * MILLISECOND);
    }
}
