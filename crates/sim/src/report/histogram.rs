//! Histogram: times in sixteen buckets to the octave, so that a quantile is known within a sixteenth.

use evenkeel_core::Nanos;

/// Buckets to an octave.
const FINE: u32 = 4;
/// Times below this many nanoseconds share the first octave.
const LEAST: u32 = 14;

/// Counts of times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    /// As many as are used.
    buckets: Vec<u64>,
    count: u64,
    most: Nanos,
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Nanos) {
        let at = bucket(time);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
        self.count += 1;
        self.most = self.most.max(time);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(here, there)| *here += there);
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns a quantile, in thousandths: the upper edge of its bucket, and never more than the longest time.
    pub(crate) fn quantile(&self, permille: u64) -> Option<Nanos> {
        let mut rank = (self.count * permille).div_ceil(1_000).max(1);
        let at = self.buckets.iter().position(|count| {
            let found = *count >= rank;
            rank = rank.saturating_sub(*count);
            found
        });
        at.map(|at| edge(at).min(self.most))
    }
}

fn bucket(time: Nanos) -> usize {
    let time = time >> LEAST;
    match time.checked_ilog2() {
        Some(octave) if octave >= FINE => {
            ((octave - FINE + 1) << FINE) as usize + ((time >> (octave - FINE)) & ((1 << FINE) - 1)) as usize
        }
        _ => time as usize,
    }
}

fn edge(at: usize) -> Nanos {
    let (octave, part) = ((at >> FINE) as u32, (at & ((1 << FINE) - 1)) as u64);
    match octave {
        0 => (part + 1) << LEAST,
        _ => ((1 << FINE) + part + 1) << (octave - 1 + LEAST),
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::MILLISECOND;

    use super::*;

    #[test]
    fn a_quantile_is_known_within_a_sixteenth() {
        let mut histogram = Histogram::default();
        (1..=1_000).for_each(|n| histogram.add(n * MILLISECOND));
        for (permille, expected) in [(500, 500), (950, 950), (999, 999), (1_000, 1_000)] {
            let found = histogram.quantile(permille).expect("there are times") / MILLISECOND;
            assert!((expected..=expected + expected / 16 + 1).contains(&found), "{permille}: {found}");
        }
        let mut both = histogram.clone();
        both.merge(&histogram);
        assert_eq!((both.count(), both.quantile(500)), (2_000, histogram.quantile(500)));
        assert_eq!(Histogram::default().quantile(500), None);
    }
}
