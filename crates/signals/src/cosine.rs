//! Cosine: how near two embeddings are (F-147).
//!
//! # Invariants
//! - `COS-1`: only vectors with a direction are compared: with a number in every place, and not all of them 0.
//! - `COS-2`: what is compared is rounded down: nothing is as near as a threshold that it does not reach.
//!
//! # Cost
//! 1,024 vectors of 384 numbers take some 0.1 ms on one core (`examples/nearest.rs` measures it).

/// A vector of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit(Box<[f32]>);

impl Unit {
    /// Returns the direction of a vector; none where it has none (COS-1).
    pub fn of(vector: &[f32]) -> Option<Self> {
        // Summed in twice the width: no square of a number in a vector is too large for it.
        let length = vector.iter().map(|it| f64::from(*it) * f64::from(*it)).sum::<f64>().sqrt();
        let direction = length.is_finite() && length > 0.0;
        #[expect(clippy::cast_possible_truncation, reason = "from -1 to 1")]
        direction.then(|| Self(vector.iter().map(|it| (f64::from(*it) / length) as f32).collect()))
    }

    /// Returns how many numbers it has.
    pub fn numbers(&self) -> usize {
        self.0.len()
    }

    /// Returns its numbers.
    pub(crate) fn direction(&self) -> &[f32] {
        &self.0
    }

    /// Returns how near another one is, in thousandths, 1,000 being the same direction; 0 for all that is no nearer than at a right
    /// angle, and for one of another kind.
    pub fn similarity_permille(&self, other: &Self) -> u16 {
        if self.numbers() != other.numbers() {
            return 0;
        }
        // Eight sums at once, which the compiler puts side by side.
        let mut sums = [0.0_f32; 8];
        for (one, other) in self.0.chunks(8).zip(other.0.chunks(8)) {
            for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
                *sum += a * b;
            }
        }
        let cosine: f64 = sums.iter().copied().map(f64::from).sum();
        // Two vectors that are the same have a cosine of 1, but for the last places.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000")]
        ((cosine * 1_000.0 + 1e-3).floor().clamp(0.0, 1_000.0) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_147_what_has_no_direction_is_no_vector() {
        for vector in [&[][..], &[0.0, 0.0], &[f32::NAN, 1.0], &[f32::INFINITY, 1.0], &[1.0, f32::NEG_INFINITY]] {
            assert_eq!(Unit::of(vector), None, "{vector:?}");
        }
        assert!(Unit::of(&[f32::MAX, f32::MAX]).is_some() && Unit::of(&[f32::MIN_POSITIVE]).is_some());
    }

    #[test]
    fn f_147_a_similarity_is_the_cosine_in_thousandths_rounded_down() {
        let unit = |vector: &[f32]| Unit::of(vector).expect("it has a direction");
        for (a, b, expected) in [
            (&[1.0, 0.0][..], &[2.0, 0.0][..], 1_000),
            (
                &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
                &[2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0],
                1_000,
            ),
            (&[1.0, 0.0], &[1.0, 1.0], 707),
            (&[1.0, 0.0], &[0.0, 1.0], 0),
            (&[1.0, 0.0], &[-1.0, 0.0], 0),
            (&[1.0, 0.0], &[0.9499, 0.312_55], 949),
            (&[1.0, 0.0], &[1.0, 0.0, 0.0], 0),
        ] {
            assert_eq!(unit(a).similarity_permille(&unit(b)), expected, "{a:?} {b:?}");
        }
    }
}
