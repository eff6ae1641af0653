//! Number: bounds and decimal places.

/// Bounds; what is beyond one becomes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The least.
    pub min: Option<f64>,
    /// The greatest.
    pub max: Option<f64>,
}

impl Clamp {
    /// Returns a number within the bounds; NaN, which has no order, stays what it is.
    pub fn of(&self, number: f64) -> f64 {
        match (self.min, self.max) {
            (Some(min), _) if number < min => min,
            (_, Some(max)) if number > max => max,
            _ => number,
        }
    }

    /// Returns a whole number within the bounds.
    pub fn of_whole(&self, number: i128) -> i128 {
        // Bounds beyond what the type holds are as good as none: `as` stops at the ends.
        let least = self.min.map_or(i128::MIN, |min| min.ceil() as i128);
        let most = self.max.map_or(i128::MAX, |max| max.floor() as i128);
        number.max(least).min(most)
    }
}

/// Decimal places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many are left.
    pub places: u8,
}

impl Round {
    /// Returns the number with so many decimal places that is nearest, of two the one with an even last digit. What counts is
    /// the number that a float really is, to its last bit: 2.675 is a little less than it looks.
    pub fn of(&self, number: f64) -> f64 {
        let written = format!("{number:.*}", usize::from(self.places));
        written.parse().unwrap_or(number)
    }

    /// The same with the digits of FP32.
    pub fn of_single(&self, number: f32) -> f32 {
        let written = format!("{number:.*}", usize::from(self.places));
        written.parse().unwrap_or(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamp_keeps_what_is_within_and_nan_has_no_order() {
        let clamp = |min, max, number| Clamp { min, max }.of(number);
        assert_eq!([-0.5, 0.0, 0.3, 1.0, 7.0].map(|it| clamp(Some(0.0), Some(1.0), it)), [0.0, 0.0, 0.3, 1.0, 1.0]);
        assert_eq!([clamp(Some(0.0), None, 9.0), clamp(None, Some(1.0), -9.0)], [9.0, -9.0]);
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY].map(|it| clamp(Some(0.0), Some(1.0), it)), [1.0, 0.0]);
        assert!(clamp(Some(0.0), Some(1.0), f64::NAN).is_nan());
        let whole = |min, max, number| Clamp { min, max }.of_whole(number);
        assert_eq!([-3, 0, 2, 9].map(|it| whole(Some(-0.5), Some(2.5), it)), [0, 0, 2, 2]);
        assert_eq!(whole(Some(-1e300), Some(1e300), i128::from(u64::MAX)), i128::from(u64::MAX));
    }

    #[test]
    fn round_ties_to_even_by_what_a_float_really_is() {
        let two = Round { places: 2 };
        assert_eq!([0.125, 0.375, 2.675, -0.125, 1e300].map(|it| two.of(it)), [0.12, 0.38, 2.67, -0.12, 1e300]);
        assert_eq!([0.5, 1.5, 2.5].map(|it| Round { places: 0 }.of(it)), [0.0, 2.0, 2.0]);
        assert_eq!([0.125_f32, 0.1].map(|it| two.of_single(it)), [0.12, 0.1]);
        assert!(two.of(f64::NAN).is_nan() && two.of(f64::INFINITY).is_infinite());
    }
}
