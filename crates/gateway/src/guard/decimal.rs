//! Decimal: the number that somebody wrote, of the FP32 in which it came.
//!
//! A client that writes 0.1 sends 0.100000001490116 in FP32, and a reference that was made of a table has 0.1: held against
//! each other as they are, they would differ, and a column that never changes would be outside its range in every request. So a
//! number of FP32 is taken for the decimal number with the fewest places that is the same in FP32.
//!
//! # When it misleads
//! A number that was computed, and has more places than FP32 holds, is rounded to them: by less than its own precision.

/// Places behind the point that are tried.
const PLACES: usize = 9;
/// From here on a double holds no fraction of them.
const LARGE: f64 = 1e15;
/// Powers of ten, all of them exact.
const TENS: [f64; PLACES] = [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Returns the decimal number that an FP32 stands for; of what is no number, or has no short form, itself.
pub(crate) fn of(single: f32) -> f64 {
    let whole = f64::from(single);
    if !whole.is_finite() || whole.fract() == 0.0 {
        return whole;
    }
    for ten in TENS {
        let scaled = (whole * ten).round_ties_even();
        // A quotient of two exact numbers is the double that is nearest to it.
        let short = scaled / ten;
        if scaled.abs() > LARGE {
            break;
        }
        if short as f32 == single {
            return short;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_comes_back_and_what_nobody_could_have_stays() {
        for written in [0.1, 0.5, 8.3252, -122.23, 1e-6, 2.84159, 41.0, 0.0, 1234567.9, 16_777_216.0, 2.5e-5] {
            assert_eq!(of(written as f32), written, "{written}");
        }
        for odd in [f32::MIN_POSITIVE, 1.0e-30, 3.0e38, f32::INFINITY] {
            assert_eq!(of(odd), f64::from(odd), "{odd}");
        }
        assert!(of(f32::NAN).is_nan());
        for bits in (0..u32::MAX).step_by(65_537) {
            let single = f32::from_bits(bits);
            assert!(single.is_nan() || of(single) as f32 == single, "{single}");
        }
    }
}
