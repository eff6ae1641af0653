//! Nearest: the kept row that is closest, by squared distance.
//!
//! # Invariants
//! - The sum over columns goes in eight fixed lanes, one product and one sum at a time: the same bits with any vector unit.
//! - Of rows that are equally near, the first.

use crate::row::RowId;

/// Columns that are summed side by side.
const LANES: usize = 8;

/// Rows of the reference that are kept, standardised, in all their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Where each came from.
    pub ids: Vec<RowId>,
    /// Their columns, row after row.
    pub columns: Vec<f32>,
}

/// The kept rows as they are compared: whole lanes, filled up with zeros.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nearest {
    rows: Vec<[f32; LANES]>,
    /// Lanes of one row.
    lanes: usize,
}

impl Nearest {
    pub(super) fn new(rows: impl Iterator<Item = Vec<f32>>) -> Self {
        let mut all = Self { rows: Vec::new(), lanes: 1 };
        for row in rows {
            all.lanes = row.len().div_ceil(LANES).max(1);
            all.rows.extend(laned(&row, all.lanes));
        }
        all
    }

    /// Returns the squared distance to the nearest row, and which that is.
    pub(super) fn of(&self, row: &[f32]) -> (f32, usize) {
        let row: Vec<[f32; LANES]> = laned(row, self.lanes).collect();
        let mut best = (f32::INFINITY, 0);
        for (at, kept) in self.rows.chunks_exact(self.lanes).enumerate() {
            let s = distance(&row, kept);
            if s < best.0 {
                best = (s, at);
            }
        }
        best
    }
}

/// Cuts a row into so many lanes of eight; what is not there is 0.
fn laned(row: &[f32], lanes: usize) -> impl Iterator<Item = [f32; LANES]> {
    (0..lanes).map(move |lane| std::array::from_fn(|at| row.get(lane * LANES + at).copied().unwrap_or(0.0)))
}

/// Sums squared differences in eight lanes, and these in a fixed tree.
fn distance(one: &[[f32; LANES]], other: &[[f32; LANES]]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (a, b) in one.iter().zip(other) {
        for at in 0..LANES {
            let difference = a[at] - b[at];
            sums[at] += difference * difference;
        }
    }
    let four: [f32; 4] = std::array::from_fn(|at| sums[at] + sums[at + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_the_first_of_those_that_are_equally_near() {
        let rows = [[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]].map(Vec::from);
        let nearest = Nearest::new(rows.into_iter());
        assert_eq!(nearest.of(&[1.0, 1.0]), (2.0, 0), "oracle");
        assert_eq!(nearest.of(&[3.0, 3.0]), (1.0, 1));
    }

    #[test]
    fn columns_beyond_whole_lanes_count() {
        for width in 1..40 {
            let zero = vec![0.0; width];
            let nearest = Nearest::new([zero.clone()].into_iter());
            for at in 0..width {
                let mut row = zero.clone();
                row[at] = 2.0;
                assert_eq!(nearest.of(&row), (4.0, 0), "{width} {at}");
            }
        }
    }
}
