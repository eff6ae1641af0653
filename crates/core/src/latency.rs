//! Latency: how long a path takes to commit, as an upper quantile that is known within a quarter (F-027).
//!
//! Not a metric: metrics are the shell's. This is the one number that the time reserve of lower tiers is made of.
//!
//! # Why buckets
//! A tail estimate must survive a burst and forget a bad hour. Buckets, four to the octave, halved when they are full,
//! do both in a fixed 256 bytes and without a clock.
//!
//! # When it misleads
//! Right after a path has become slower, half of the buckets still speak of before: the reserve lags by up to
//! 1,024 answers.

use alloc::{vec, vec::Vec};

use crate::clock::{MICROSECOND, Nanos};

/// Buckets: 64 octaves of microseconds would be too many; 32 reach 71 minutes.
const BUCKETS: usize = 32 * 4;
/// Samples below which the path has no history to speak of (F-027).
const ENOUGH: u32 = 50;
/// Samples at which all buckets are halved.
const FULL: u32 = 1_024;
/// Samples between two computations.
const EVERY: u32 = 10;

/// Times to commit of one path and operation.
#[derive(Clone, Debug)]
pub(crate) struct Latency {
    buckets: Vec<u16>,
    samples: u32,
    /// As it was when it was last computed: it is asked far more often than it moves.
    p95: Option<Nanos>,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], samples: 0, p95: None }
    }

    pub(crate) fn record(&mut self, took: Nanos) {
        self.buckets[bucket(took)] += 1;
        self.samples += 1;
        if self.samples >= FULL {
            self.buckets.iter_mut().for_each(|count| *count /= 2);
            self.samples = self.buckets.iter().map(|&count| u32::from(count)).sum();
        }
        if self.samples >= ENOUGH && (self.samples.is_multiple_of(EVERY) || self.p95.is_none()) {
            self.p95 = Some(self.compute());
        }
    }

    /// Returns the upper edge of the bucket that holds the 95th percentile; none below 50 samples.
    pub(crate) fn p95(&self) -> Option<Nanos> {
        self.p95
    }

    fn compute(&self) -> Nanos {
        // From above: the tail is where the answer is, so few buckets are looked at.
        let mut beyond = self.samples / 20;
        for (at, &count) in self.buckets.iter().enumerate().rev() {
            match beyond.checked_sub(u32::from(count)) {
                Some(rest) if count == 0 || rest > 0 => beyond = rest,
                _ => return upper_edge(at),
            }
        }
        upper_edge(0)
    }
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

    #[test]
    fn every_time_lies_below_the_edge_of_its_bucket() {
        for took in (0..60).map(|shift| 1u64 << shift).chain([0, 999, 1_001, 123_456_789, 40 * 60 * 1_000_000_000]) {
            let at = bucket(took);
            assert!(at == BUCKETS - 1 || took <= upper_edge(at), "{took} in bucket {at}");
        }
    }
}
