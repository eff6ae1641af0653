//! Wealth: a number of at least 0 that neither over- nor underflows (`EPR-1`).

use std::cmp::Ordering;

use crate::math;

/// Powers of two that are taken out of a mantissa at once, or put into it: exact, and far from where doubles end.
const STEP: i64 = 256;
/// 2^256 and 2^-256: a mantissa stays between them.
const HIGH: f64 = f64::from_bits((1_023 + 256) << 52);
const LOW: f64 = f64::from_bits((1_023 - 256) << 52);
/// Where a mantissa stays that is not 0.
pub(super) const RANGE: std::ops::Range<f64> = LOW..HIGH;
/// Steps by which a smaller number is nothing beside a greater one.
const FAR: i64 = 4;

/// `mantissa · 2^exponent`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wealth {
    /// 0, or in [2^-256, 2^256).
    mantissa: f64,
    /// A multiple of 256.
    exponent: i64,
}

impl Wealth {
    /// Takes a number; what is negative or none is 0.
    #[inline]
    pub fn of(number: f64) -> Self {
        let number = if number > 0.0 { number.min(f64::MAX) } else { 0.0 };
        let it = Self { mantissa: number, exponent: 0 };
        if RANGE.contains(&number) { it } else { it.settled() }
    }

    /// Takes a number as it was kept; none for what cannot be one.
    pub fn of_parts(mantissa: f64, exponent: i64) -> Option<Self> {
        let sound = mantissa.is_finite() && mantissa >= 0.0 && exponent % STEP == 0 && exponent.abs() < i64::MAX / 4;
        sound.then(|| Self { mantissa, exponent }.settled())
    }

    /// Returns the mantissa and the power of two, which is a multiple of 256.
    pub fn parts(self) -> (f64, i64) {
        (self.mantissa, self.exponent)
    }

    /// Multiplies by a factor between 0 and 2^128.
    #[inline]
    pub(crate) fn times(self, factor: f64) -> Self {
        let it = Self { mantissa: self.mantissa * factor, exponent: self.exponent };
        if RANGE.contains(&it.mantissa) { it } else { it.settled() }
    }

    /// Returns the sum.
    #[must_use]
    #[inline]
    pub fn plus(self, other: Self) -> Self {
        let sum = self.mantissa + other.mantissa;
        if self.exponent == 0 && other.exponent == 0 && sum < HIGH {
            return Self { mantissa: sum, exponent: 0 };
        }
        self.plus_far(other)
    }

    #[cold]
    fn plus_far(self, other: Self) -> Self {
        if self.mantissa == 0.0 || other.mantissa == 0.0 {
            return if self.mantissa == 0.0 { other } else { self };
        }
        let (great, small) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        Self { mantissa: great.mantissa + small.at(great.exponent), exponent: great.exponent }.settled()
    }

    /// Returns the product.
    #[must_use]
    pub fn product(self, other: Self) -> Self {
        Self { mantissa: self.mantissa * other.mantissa, exponent: self.exponent + other.exponent }.settled()
    }

    /// Returns it as a double; the greatest one, or 0, for what is beyond.
    pub fn number(self) -> f64 {
        match self.exponent {
            0 => self.mantissa,
            _ if self.mantissa == 0.0 => 0.0,
            it if it > 0 => (0..(it / STEP).min(FAR)).fold(self.mantissa, |m, _| m * HIGH).min(f64::MAX),
            _ => self.at(0),
        }
    }

    /// Returns its logarithm to the base of 10; minus infinity of 0.
    pub fn log10(self) -> f64 {
        self.ln() / std::f64::consts::LN_10
    }

    /// Returns its natural logarithm.
    pub fn ln(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a power of two far below 2^53")]
        let power = self.exponent as f64;
        math::ln(self.mantissa) + power * std::f64::consts::LN_2
    }

    /// Returns what part of a sum it is.
    pub(crate) fn part_of(self, sum: Self) -> f64 {
        if self.mantissa == 0.0 { 0.0 } else { self.at(sum.exponent) / sum.mantissa }
    }

    /// The mantissa that it would have with an exponent that is not smaller.
    fn at(self, exponent: i64) -> f64 {
        (0..((exponent - self.exponent) / STEP).min(FAR + 1)).fold(self.mantissa, |m, _| m * LOW)
    }

    #[cold]
    fn settled(mut self) -> Self {
        if self.mantissa == 0.0 {
            return Self::default();
        }
        while self.mantissa >= HIGH {
            (self.mantissa, self.exponent) = (self.mantissa * LOW, self.exponent + STEP);
        }
        while self.mantissa < LOW {
            (self.mantissa, self.exponent) = (self.mantissa * HIGH, self.exponent - STEP);
        }
        self
    }
}

impl PartialEq for Wealth {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Wealth {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.mantissa == 0.0 || other.mantissa == 0.0 {
            return self.mantissa.partial_cmp(&other.mantissa);
        }
        let exponent = self.exponent.max(other.exponent);
        self.at(exponent).partial_cmp(&other.at(exponent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_out_of_the_range_of_doubles_and_comes_back_to_the_bit() {
        let start = Wealth::of(0.3);
        let away = |factor: f64| (0..4_000).fold(start, |it, _| it.times(factor));
        for factor in [0.5, 2.0] {
            let far = away(factor);
            let back = (0..4_000).fold(far, |it, _| it.times(1.0 / factor));
            assert_eq!(back.number().to_bits(), 0.3_f64.to_bits(), "exact: powers of two");
            assert!((far.log10() - (4_000.0 * factor.log10() + 0.3_f64.log10())).abs() < 1e-9);
        }
        assert_eq!((away(0.5).number(), away(2.0).number()), (0.0, f64::MAX));
        assert!(away(0.5) < start && start < away(2.0) && Wealth::default() < away(0.5));
        assert_eq!([Wealth::of(f64::NAN), Wealth::of(-1.0)], [Wealth::default(); 2]);
    }

    #[test]
    fn sums_and_products_are_those_of_doubles_where_these_reach() {
        for (a, b) in
            [(1.5, 2.25), (1e80, 3.0), (1e-80, 1e-81), (1e-80, 0.25), (0.0, 1e-300), (1e300, 1e299), (7.0, 1e-200)]
        {
            assert_eq!(Wealth::of(a).plus(Wealth::of(b)).number(), a + b, "{a} + {b}");
            assert_eq!(Wealth::of(a).partial_cmp(&Wealth::of(b)), a.partial_cmp(&b), "{a} {b}");
        }
        assert_eq!(Wealth::of(1e80).product(Wealth::of(1e90)).number(), 1e80 * 1e90);
        let (mantissa, exponent) = Wealth::of(1e-90).parts();
        assert_eq!(Wealth::of_parts(mantissa, exponent), Some(Wealth::of(1e-90)));
        assert_eq!([Wealth::of_parts(f64::NAN, 0), Wealth::of_parts(1.0, 3), Wealth::of_parts(-1.0, 0)], [None; 3]);
    }
}
