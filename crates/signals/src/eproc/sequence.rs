//! Sequence: an interval for a mean that holds at every look at once (`signals.md` §4).
//!
//! A mean `m` is believed as long as nobody grows rich by betting against it: E(m) is half a purse that bets on more and half one
//! that bets on less, and the interval is every `m` with E(m) < 1/α. Ends are rounded outwards.
//!
//! # Guarantee
//! It covers the mean at all times together with probability 1 − α. Not of the rows so far: of the mean that every row has, given
//! those before.
//!
//! # When it misleads
//! It does not narrow for ever: the least bet of the grid, 0.02, tells two means apart only where they differ by some hundredth of the
//! variance. A share of 0.9 stays between 0.898 and 0.909 with 10^9 rows.
//!
//! # Source
//! Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting.

use super::{Bets, Form, GRID, Wealth};
use crate::{
    math,
    shape::{Incompatible, Reading},
};

/// Steps of an interval of counts.
const THOUSAND: u32 = 1_000;
/// Means between 0 and 1 for which a sequence of other numbers keeps purses.
const MEANS: u32 = 199;

/// Returns the interval of a share, from how many were and were not so, in thousandths of 1 as `(lo, hi)`; `alpha` is the
/// probability with which it may ever miss.
pub fn of_counts(yes: u64, no: u64, alpha: f64) -> (f64, f64) {
    if yes + no == 0 {
        return (0.0, 1.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
    let (yes, no) = (yes as f64, no as f64);
    let most = -math::ln(alpha);
    let refuted = |k: u32| ln_e(yes, no, f64::from(k) / f64::from(THOUSAND)) >= most;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
    let mean = (yes / (yes + no) * f64::from(THOUSAND)).floor() as u32;
    // The greatest step below the mean that is refuted, and the least above it.
    let (mut lo, mut end) = (0, mean + 1);
    while end - lo > 1 {
        let middle = lo.midpoint(end);
        if refuted(middle) { lo = middle } else { end = middle }
    }
    let (mut hi, mut end) = (THOUSAND, mean);
    while hi - end > 1 {
        let middle = hi.midpoint(end);
        if refuted(middle) { hi = middle } else { end = middle }
    }
    (f64::from(lo) / f64::from(THOUSAND), f64::from(hi) / f64::from(THOUSAND))
}

/// The logarithm of E(m) after these counts, for m strictly between 0 and 1.
fn ln_e(yes: f64, no: f64, m: f64) -> f64 {
    let up = |bet: &f64| yes * math::ln(1.0 + bet * (1.0 - m) / m) + no * math::ln(1.0 - bet);
    let down = |bet: &f64| no * math::ln(1.0 + bet * m / (1.0 - m)) + yes * math::ln(1.0 - bet);
    let all: Vec<f64> = GRID.iter().map(up).chain(GRID.iter().map(down)).collect();
    let greatest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = all.iter().map(|it| math::exp(it - greatest)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a dozen")]
    let purses = all.len() as f64;
    greatest + math::ln(sum / purses)
}

/// The interval of a mean of numbers in [0, 1] that are more than yes and no: purses for 199 values of it.
///
/// # Cost
/// 2,388 multiplications a row, 76 kB.
#[derive(Clone, Debug, PartialEq)]
pub struct Means {
    purses: Vec<[Bets<6>; 2]>,
    sum: f64,
    rows: u64,
    as_of: u64,
    invalid: u64,
}

impl Default for Means {
    fn default() -> Self {
        let purses = vec![[Bets::new(Form::Plain), Bets::new(Form::Plain)]; MEANS as usize];
        Self { purses, sum: 0.0, rows: 0, as_of: 0, invalid: 0 }
    }
}

impl Means {
    /// Counts a row in [0, 1]; what lies outside is clipped, what is no number is left out and counted.
    pub fn update(&mut self, at: u64, x: f64) {
        if !x.is_finite() {
            self.invalid += 1;
            return;
        }
        let (x, given) = (x.clamp(0.0, 1.0), Bets::<6>::each(at, 0.0));
        for (m, [up, down]) in (1_u32..).map(mean).zip(&mut self.purses) {
            let (more, less) = ((x - m) / m, (m - x) / (1.0 - m));
            up.play(Form::Plain, given, |at| 1.0 + GRID[at] * more);
            down.play(Form::Plain, given, |at| 1.0 + GRID[at] * less);
        }
        self.sum += x;
        self.rows += 1;
        self.as_of = self.as_of.max(at);
    }

    /// Returns how many rows were no numbers.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Reads the mean so far and its interval, in steps of 1/200; `alpha` is the probability with which it may ever miss.
    pub fn read(&self, alpha: f64) -> Reading<()> {
        let most = Wealth::of(2.0 / alpha);
        let believed = |[up, down]: &[Bets<6>; 2]| up.wealth().plus(down.wealth()) < most;
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let value = if self.rows == 0 { 0.5 } else { self.sum / self.rows as f64 };
        let believed = (1_u32..).zip(&self.purses).filter(|it| believed(it.1)).map(|it| it.0);
        let (least, greatest) = believed.fold((u32::MAX, 0), |(least, most), k| (least.min(k), most.max(k)));
        let (lo, hi) = if greatest == 0 {
            // Between two steps: the mean so far is in there.
            let step = f64::from(MEANS + 1);
            ((value * step).floor() / step, (value * step).ceil() / step)
        } else {
            (mean(least - 1), mean(greatest + 1))
        };
        Reading { value, lo, hi, samples: self.rows, as_of: self.as_of, state: () }
    }

    /// Adds what another saw, of which we saw nothing: as if one had seen all.
    ///
    /// # Errors
    /// None today: all sequences have the same means.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        for (ours, theirs) in self.purses.iter_mut().zip(&other.purses) {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| ours.multiply(theirs));
        }
        self.sum += other.sum;
        self.rows += other.rows;
        self.as_of = self.as_of.max(other.as_of);
        self.invalid += other.invalid;
        Ok(())
    }
}

/// The k-th of the means.
fn mean(k: u32) -> f64 {
    f64::from(k) / f64::from(MEANS + 1)
}

#[cfg(test)]
mod tests;
