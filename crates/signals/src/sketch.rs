//! Sketch: quantiles of times and other numbers from 1 up, within one percent, in little memory (`signals.md` §3).
//!
//! A number is counted in a bucket whose ends are two percent apart, so whatever the distribution, a quantile is right within one
//! percent of itself; replicas add bucket by bucket, and nothing is lost by it.
//!
//! # Guarantee
//! A quantile between 1 and 1.2·10^11 is within 1 % of the number that stands at its rank. Below 1 it is 0.
//!
//! # Units
//! The caller's: latencies are in µs, so the buckets reach from 1 µs to more than a day.
//!
//! # Invariants
//! - `SKE-1`: a merge adds, in any order, exactly: it is one sketch that saw all.
//! - `SKE-2`: NaN, infinities and negative numbers are counted, not inserted.
//!
//! # Source
//! Masson, Rim, Lee 2019 (`DDSketch`).

use crate::{
    math,
    shape::{Incompatible, Reading},
};

/// Relative error.
const ERROR: f64 = 0.01;
/// The ratio of a bucket's ends.
const GAMMA: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// Buckets.
const BUCKETS: usize = 1_280;
/// Buckets in use from which all are kept.
const SPARSE: usize = 64;

/// Counts by bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Store {
    /// Buckets in use, ascending.
    Few(Vec<(u16, u64)>),
    All(Box<[u64; BUCKETS]>),
}

/// A sketch.
///
/// # Cost
/// A logarithm and an addition a number; at most 10 kB, below 1 kB while fewer than 64 buckets are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    store: Store,
    /// Numbers below 1, but for the last percent.
    zeros: u64,
    /// All numbers that were inserted.
    samples: u64,
    invalid: u64,
    as_of: u64,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { store: Store::Few(Vec::new()), zeros: 0, samples: 0, invalid: 0, as_of: 0 }
    }
}

impl Sketch {
    /// Inserts a number. What is beyond the last bucket is counted in it.
    pub fn update(&mut self, at: u64, x: f64) {
        if !x.is_finite() || x < 0.0 {
            self.invalid += 1;
            return;
        }
        match bucket(x) {
            None => self.zeros += 1,
            Some(bucket) => self.store.add(bucket, 1),
        }
        self.samples += 1;
        self.as_of = self.as_of.max(at);
    }

    /// Returns how many numbers were inserted.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns how many were none.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Returns a quantile, `q` from 0 to 1: that of the number at rank ⌊q(n−1)⌋. None of an empty sketch.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let last = self.samples.checked_sub(1)?;
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank below 2^53"
        )]
        let rank = (q.clamp(0.0, 1.0) * last as f64).floor() as u64;
        let mut passed = self.zeros;
        if rank < passed {
            return Some(0.0);
        }
        let found = self.store.used().find(|it| {
            passed += it.1;
            rank < passed
        });
        found.map(|it| value(it.0))
    }

    /// Reads a quantile; none below `least` numbers. The interval is what one percent leaves open.
    pub fn read(&self, q: f64, least: u64) -> Option<Reading<()>> {
        let value = self.quantile(q).filter(|_| self.samples >= least)?;
        let (lo, hi) = (value / (1.0 + ERROR), value / (1.0 - ERROR));
        Some(Reading { value, lo, hi, samples: self.samples, as_of: self.as_of, state: () })
    }

    /// Adds what another one counted (`SKE-1`).
    ///
    /// # Errors
    /// None today: all sketches have the same buckets.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        other.store.used().for_each(|(bucket, n)| self.store.add(bucket, n));
        self.zeros += other.zeros;
        self.samples += other.samples;
        self.invalid += other.invalid;
        self.as_of = self.as_of.max(other.as_of);
        Ok(())
    }
}

impl Reading<()> {
    /// Returns a number of µs as the core compares it: whole µs.
    pub fn quantise_micros(&self) -> Option<i64> {
        crate::quantise(self.value, 1)
    }
}

impl Store {
    fn add(&mut self, bucket: usize, n: u64) {
        let few = match self {
            Self::All(all) => {
                all[bucket] += n;
                return;
            }
            Self::Few(few) => few,
        };
        let key = u16::try_from(bucket).expect("below 1,280");
        match few.binary_search_by_key(&key, |it| it.0) {
            Ok(at) => few[at].1 += n,
            Err(at) => few.insert(at, (key, n)),
        }
        if few.len() >= SPARSE {
            let mut all = Box::new([0; BUCKETS]);
            few.iter().for_each(|(bucket, n)| all[usize::from(*bucket)] = *n);
            *self = Self::All(all);
        }
    }

    /// Buckets in use, ascending.
    fn used(&self) -> Box<dyn Iterator<Item = (usize, u64)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter().map(|(bucket, n)| (usize::from(*bucket), *n))),
            Self::All(all) => Box::new(all.iter().copied().enumerate().filter(|it| it.1 > 0)),
        }
    }
}

/// The bucket of a number that is not negative: ⌈log_γ x⌉; none below the first.
fn bucket(x: f64) -> Option<usize> {
    let at = (math::ln(x) / math::ln(GAMMA)).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,279")]
    (at >= 0.0).then(|| at.min(BUCKETS as f64 - 1.0) as usize)
}

/// The number that stands for a bucket: within one percent of both ends.
fn value(bucket: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 1,280")]
    let power = math::exp(bucket as f64 * math::ln(GAMMA));
    2.0 * power / (GAMMA + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        numbers.iter().zip(0..).for_each(|(x, at)| sketch.update(at, *x));
        sketch
    }

    #[test]
    fn buckets_and_their_values_are_those_of_the_oracles() {
        for (x, at, stands_for) in [(1.0, 0, 0.99), (1_000.0, 346, 1_002.43), (123_456.0, 587, 124_286.05)] {
            assert_eq!(bucket(x), Some(at), "{x}");
            assert!((value(at) - stands_for).abs() < 0.005, "{x}: {}", value(at));
        }
        assert_eq!(bucket(3.6e9), Some(1_101), "1 µs to 1 h");
        assert_eq!([bucket(0.0), bucket(0.5), bucket(1e300)], [None, None, Some(BUCKETS - 1)]);
        assert!(value(BUCKETS - 1) > 1.2e11);
    }

    #[test]
    fn ske_2_what_is_no_number_is_counted_and_an_empty_sketch_says_nothing() {
        let sketch = of(&[f64::NAN, f64::INFINITY, -1.0, f64::NEG_INFINITY]);
        assert_eq!((sketch.quantile(0.5), sketch.samples(), sketch.invalid()), (None, 0, 4));
        let sketch = of(&[0.0, 0.2, 7.0]);
        assert_eq!([sketch.quantile(0.0), sketch.quantile(0.5)], [Some(0.0), Some(0.0)]);
        assert!((sketch.quantile(1.0).expect("three") / 7.0 - 1.0).abs() < 0.0101);
        assert_eq!((sketch.read(0.5, 4), sketch.read(1.0, 3).map(|it| (it.samples, it.as_of))), (None, Some((3, 2))));
        assert_eq!(sketch.read(1.0, 3).and_then(|it| it.quantise_micros()), Some(7));
    }

    proptest! {
        #[test]
        fn quantiles_are_right_within_a_percent(numbers in prop::collection::vec(1.0_f64..1e10, 1..300), q in 0.0_f64..=1.0) {
            let sketch = of(&numbers);
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            let exact = sorted[(q * (sorted.len() - 1) as f64).floor() as usize];
            let found = sketch.quantile(q).expect("numbers");
            prop_assert!((found / exact - 1.0).abs() <= ERROR + 1e-9, "{} {}", found, exact);
            let reading = sketch.read(q, 1).expect("numbers");
            prop_assert!(reading.lo <= exact * (1.0 + 1e-9) && exact <= reading.hi * (1.0 + 1e-9));
        }

        #[test]
        fn ske_1_merged_sketches_are_one_that_saw_all(
            numbers in prop::collection::vec(0.0_f64..1e6, 0..200),
            at in 0_usize..200,
            turn in any::<bool>(),
        ) {
            let all = of(&numbers);
            let (one, other) = numbers.split_at(at.min(numbers.len()));
            let (mut first, second) = if turn { (of(other), of(one)) } else { (of(one), of(other)) };
            first.merge(&second).expect("alike");
            first.as_of = all.as_of;
            prop_assert_eq!(first, all);
        }
    }
}
