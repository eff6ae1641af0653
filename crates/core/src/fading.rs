//! Fading: times that are forgotten by the clock, in two histograms: of this period and of the one before.
//!
//! It is what "the median of the last hour" means here. `latency` forgets by count instead, because a quiet path must keep
//! its reserve; what is normal for a path is a matter of time.
//!
//! # Invariants
//! - `FADE-1`: it speaks of at least the last period and of at most the last two.
//!
//! # When it misleads
//! At the turn of a period half of what it knew is gone at once, and what it says may jump.

use crate::{
    clock::Nanos,
    histogram::{Histogram, reaches},
};

/// Times of this period and of the one before.
#[derive(Clone, Debug)]
pub(crate) struct Fading {
    period: Nanos,
    epoch: u64,
    halves: [Histogram; 2],
}

impl Fading {
    pub(crate) fn new(period: Nanos) -> Self {
        Self { period: period.max(1), epoch: 0, halves: [Histogram::default(), Histogram::default()] }
    }

    pub(crate) fn record(&mut self, now: Nanos, took: Nanos) {
        let epoch = now / self.period;
        match epoch.saturating_sub(self.epoch) {
            0 => {}
            1 => self.halves = [Histogram::default(), core::mem::take(&mut self.halves[0])],
            _ => self.halves = [Histogram::default(), Histogram::default()],
        }
        self.epoch = self.epoch.max(epoch);
        self.halves[0].record(took);
    }

    pub(crate) fn samples(&self, now: Nanos) -> u32 {
        self.live(now).iter().fold(0, |sum, half| sum.saturating_add(half.samples()))
    }

    /// Returns the upper edge of the bucket at which one of `of` times is reached, from the longest on: 2 is the median, 20 the
    /// 95th percentile. None below `enough` samples.
    pub(crate) fn reaches(&self, now: Nanos, of: u32, enough: u32) -> Option<Nanos> {
        let live = self.live(now);
        let samples = self.samples(now);
        let count = |at| live.iter().fold(0u32, |sum, half| sum.saturating_add(half.count(at)));
        (samples >= enough.max(1)).then(|| reaches(count, samples / of))
    }

    /// Returns the halves that have not run out.
    fn live(&self, now: Nanos) -> &[Histogram] {
        let passed = (now / self.period).saturating_sub(self.epoch);
        &self.halves[..2usize.saturating_sub(passed as usize)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    #[test]
    fn a_fading_histogram_holds_one_period_to_two() {
        let mut fading = Fading::new(100);
        for now in [0, 50, 99] {
            fading.record(now, 20 * MILLISECOND);
        }
        fading.record(100, 200 * MILLISECOND);
        assert_eq!([100, 199, 200, 299, 300].map(|now| fading.samples(now)), [4, 4, 1, 1, 0], "FADE-1");
        fading.record(500, MILLISECOND);
        assert_eq!(fading.samples(500), 1, "FADE-1");
    }

    #[test]
    fn a_median_lies_in_the_middle_and_needs_samples() {
        let mut fading = Fading::new(100);
        for n in 1..=99 {
            fading.record(n, n * MILLISECOND);
        }
        assert_eq!(fading.reaches(99, 2, 100), None);
        let median = fading.reaches(100, 2, 99).expect("99 samples");
        assert!((50 * MILLISECOND..=63 * MILLISECOND).contains(&median), "{median}");
        let p95 = fading.reaches(100, 20, 99).expect("99 samples");
        assert!((95 * MILLISECOND..=119 * MILLISECOND).contains(&p95), "{p95}");
        assert_eq!(Fading::new(1).reaches(0, 2, 0), None, "nothing has no median");
    }
}
