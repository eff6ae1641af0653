//! Spread: a distribution as a table of its quantiles, drawn from without a float.
//!
//! Tables are made once, when a scenario is read, by additions, multiplications and divisions only: IEEE 754 rounds
//! those alike everywhere, so the same scenario and seed give the same run on every machine. `ln` and `exp` of the
//! platform do not.
//!
//! # Invariants
//! - `SPR-1`: a draw lies between the first and the last entry of the table.
//!
//! # Source
//! The quantile of the normal distribution is P. J. Acklam's rational approximation (relative error below 1.2e-9).

use evenkeel_core::Nanos;

/// Intervals of each of the two tables.
const STEPS: usize = 256;
/// The last quantile that is told apart: rarer values are the last entry.
const LAST: f64 = 1.0 - 1.0 / 131_072.0;
/// The standard normal quantile of 0.99.
const Z99: f64 = 2.326_347_874;

/// A distribution of whole numbers: times in nanoseconds, or tokens.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    /// Quantiles in steps of 1/256.
    body: Vec<u64>,
    /// Quantiles of the last of these steps, in 256 finer ones.
    tail: Vec<u64>,
}

impl Spread {
    /// Always the same.
    pub(crate) fn fixed(value: u64) -> Self {
        Self { body: vec![value; STEPS + 1], tail: vec![value; STEPS + 1] }
    }

    /// Lognormal by its median and its 99th percentile: most answers are quick, a few take very long.
    pub(crate) fn long_tailed(median: u64, p99: u64) -> Self {
        let sigma = ln(p99.max(median) as f64 / median.max(1) as f64) / Z99;
        Self::of(|p| median as f64 * exp(sigma * normal(p)))
    }

    /// Exponential: the gaps between arrivals that know nothing of one another.
    pub(crate) fn exponential(mean: Nanos) -> Self {
        Self::of(|p| -ln(1.0 - p) * mean as f64)
    }

    fn of(quantile: impl Fn(f64) -> f64) -> Self {
        let steps = STEPS as f64;
        // The lowest quantile of a lognormal is 0 and takes an infinity to compute: a near one stands in for it.
        let at = |p: f64| quantile(p.clamp(1.0 - LAST, LAST)) as u64;
        let body = (0..=STEPS).map(|step| at(step as f64 / steps)).collect();
        let tail = (0..=STEPS).map(|step| at(1.0 - (1.0 - step as f64 / steps) / steps)).collect();
        Self { body, tail }
    }

    /// Draws by 64 uniform bits.
    pub(crate) fn draw(&self, bits: u64) -> u64 {
        let (step, rest) = ((bits >> 56) as usize, bits << 8);
        match step == STEPS - 1 {
            false => between(&self.body, step, rest),
            true => between(&self.tail, (rest >> 56) as usize, rest << 8),
        }
    }
}

/// Goes from one entry to the next by a fraction of 32 bits.
fn between(table: &[u64], step: usize, rest: u64) -> u64 {
    let (low, high) = (table[step], table[step + 1]);
    low + ((u128::from(high - low) * u128::from(rest >> 32)) >> 32) as u64
}

/// The natural logarithm of a positive number.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = (bits >> 52) as i64 - 1_023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | (1_023 << 52));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let (mut sum, mut power) = (0.0, t);
    for odd in 0..24 {
        sum += power / f64::from(2 * odd + 1);
        power *= t * t;
    }
    exponent as f64 * std::f64::consts::LN_2 + 2.0 * sum
}

/// The exponential function, for numbers from -700 to 700.
fn exp(x: f64) -> f64 {
    let whole = (x / std::f64::consts::LN_2 + 0.5).floor();
    let rest = x - whole * std::f64::consts::LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..20 {
        term *= rest / f64::from(n);
        sum += term;
    }
    sum * f64::from_bits(((1_023 + whole as i64) as u64) << 52)
}

/// The quantile of the standard normal distribution.
fn normal(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 6] = [
        -5.447609879822406e1,
        1.615858368580409e2,
        -1.556989798598866e2,
        6.680131188771972e1,
        -1.328068155288572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 5] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    let polynomial = |of: &[f64], x: f64| of.iter().fold(0.0, |sum, it| sum * x + it);
    let tail = |p: f64| {
        let q = (-2.0 * ln(p)).sqrt();
        polynomial(&C, q) / polynomial(&D, q)
    };
    match p {
        p if p < 0.02425 => tail(p),
        p if p > 1.0 - 0.02425 => -tail(1.0 - p),
        p => {
            let q = p - 0.5;
            q * polynomial(&A, q * q) / polynomial(&B, q * q)
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::MILLISECOND;

    use super::*;
    use crate::dice::{Dice, Purpose};

    fn drawn(spread: &Spread) -> Vec<u64> {
        let mut dice = Dice::new(1, Purpose::Servers);
        let mut drawn: Vec<u64> = (0..200_000).map(|_| spread.draw(dice.roll())).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn the_functions_are_those_of_the_text_books() {
        for x in [0.001, 0.5, 1.0, 2.0, 1e6] {
            assert!((ln(x) - x.ln()).abs() < 1e-13 * x.ln().abs().max(1.0), "ln {x}");
        }
        for x in [-20.0, -0.3, 0.0, 1.0, 30.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-13, "exp {x}");
        }
        for (p, z) in [(0.001, -3.090232), (0.5, 0.0), (0.95, 1.644854), (0.99, 2.326348), (0.999, 3.090232)] {
            assert!((normal(p) - z).abs() < 1e-6, "{p}");
        }
    }

    #[test]
    fn draws_have_the_quantiles_that_were_asked_for() {
        let long = drawn(&Spread::long_tailed(20 * MILLISECOND, 400 * MILLISECOND));
        for (at, expected) in [(100_000, 20), (198_000, 400)] {
            let found = long[at] / MILLISECOND;
            assert!(found.abs_diff(expected) * 20 <= expected, "{found} ms in place of {expected}");
        }
        let gaps = drawn(&Spread::exponential(1_000_000));
        let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!(mean.abs_diff(1_000_000) < 10_000, "{mean}");
        assert!(drawn(&Spread::fixed(7)).iter().all(|it| *it == 7), "SPR-1");
    }

    #[test]
    fn rule_12_tables_are_the_same_on_every_machine() {
        let table = Spread::long_tailed(200 * MILLISECOND, 800 * MILLISECOND);
        let sum = table.body.iter().chain(&table.tail).fold(0u64, |sum, it| sum.rotate_left(7) ^ it);
        assert_eq!(sum, 0x42fe_9aee_e0ef_b5fc, "the tables sum up to {sum:#x}");
    }
}
