//! Project: many columns as 64, with about the same distances.
//!
//! Each column goes into each of the 64 with a sign that a seed draws, and the sums are divided by √64: then the expected squared
//! distance of two rows is what it was, and its standard deviation at most a fifth of it, √(2/64).
//!
//! # Source
//! Achlioptas 2003, "Database-friendly random projections".

use super::COLUMNS;
use crate::{cosine::Unit, row::mix};

/// 1/√64: exact.
const SCALE: f32 = 0.125;

/// The signs of each column, times the scale.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Projection(Vec<[f32; COLUMNS]>);

impl Projection {
    /// Draws the signs of so many columns.
    pub(crate) fn new(seed: u64, columns: usize) -> Self {
        let signs = |column: usize| {
            let bits = mix(mix(seed) ^ column as u64);
            std::array::from_fn(|at| if bits >> at & 1 == 1 { SCALE } else { -SCALE })
        };
        Self((0..columns).map(signs).collect())
    }

    /// Returns the 64 sums of a row.
    pub(crate) fn of(&self, row: &[f32]) -> Vec<f32> {
        let mut sums = [0.0_f32; COLUMNS];
        // Most columns of names are 0, and add nothing.
        for (value, signs) in row.iter().zip(&self.0).filter(|it| *it.0 != 0.0) {
            for (sum, sign) in sums.iter_mut().zip(signs) {
                *sum += value * sign;
            }
        }
        sums.to_vec()
    }
}

/// Returns an embedding as 64 numbers that keep its distances: its direction, projected. None where it has none.
///
/// Features of a row score are such numbers, not the embedding: they are standardised like any others.
pub fn embedding(vector: &[f32], seed: u64) -> Option<[f32; COLUMNS]> {
    let unit = Unit::of(vector)?;
    Projection::new(seed, vector.len()).of(unit.direction()).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_stay_about_what_they_were_and_signs_depend_on_the_seed_alone() {
        let width = 500;
        let mut within = 0;
        for seed in 0..200 {
            let row: Vec<f32> = (0..width).map(|at| (mix(seed * 1_000 + at) >> 40) as f32 / 1e7 - 0.8).collect();
            let before: f32 = row.iter().map(|it| it * it).sum();
            let after: f32 = Projection::new(seed, row.len()).of(&row).iter().map(|it| it * it).sum();
            within += u32::from((after / before - 1.0).abs() < 0.354);
        }
        assert!(within >= 180, "{within} of 200 within two standard deviations");
        assert_eq!(Projection::new(7, 3), Projection::new(7, 3));
        assert_ne!(Projection::new(7, 3), Projection::new(8, 3));
    }

    #[test]
    fn an_embedding_is_its_direction() {
        let one = embedding(&[3.0, 4.0, 0.0], 1).expect("it has a direction");
        assert_eq!(embedding(&[6.0, 8.0, 0.0], 1), Some(one), "how long it is does not matter");
        let length: f32 = one.iter().map(|it| it * it).sum();
        assert!((length - 1.0).abs() < 0.75 && embedding(&[0.0; 3], 1).is_none());
        assert_eq!(embedding(&[f32::NAN], 1), None);
    }
}
