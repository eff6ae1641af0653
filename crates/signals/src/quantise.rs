//! Quantise: the door from floats to the integers that decisions compare (`signals.md` §2).
//!
//! Thresholds go through the same door, so that a value equal to its threshold is equal in integers, too.

/// Steps of a ratio, a share or a confidence: 1/10,000.
pub const RATIO: u32 = 10_000;

/// Returns a value in whole steps of `1 / per_unit`, half to even; none for what is no number or does not fit.
pub fn quantise(value: f64, per_unit: u32) -> Option<i64> {
    let steps = (value * f64::from(per_unit)).round_ties_even();
    // 2^63 itself is no i64.
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within i64")]
    (steps.abs() < 9_223_372_036_854_775_808.0).then_some(steps as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_step_and_what_is_no_number_is_nothing() {
        for (value, per_unit, steps) in [
            (0.5, 1, Some(0)),
            (1.5, 1, Some(2)),
            (-2.5, 1, Some(-2)),
            (0.623_077, RATIO, Some(6_231)),
            (1.0, RATIO, Some(10_000)),
            (f64::NAN, RATIO, None),
            (f64::INFINITY, 1, None),
            (1e300, RATIO, None),
        ] {
            assert_eq!(quantise(value, per_unit), steps, "{value}");
        }
    }
}
