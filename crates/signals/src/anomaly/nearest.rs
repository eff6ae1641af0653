//! Nearest: the kept row that is closest, by squared distance.
//!
//! # Invariants
//! - Sixteen rows are compared side by side, and the sum of each goes column by column, one product and one sum at a time: the same bits
//!   with any vector unit.
//! - Of rows that are equally near, the first.

use crate::row::RowId;

/// Rows that are compared side by side: four vectors of the plain target.
const LANES: usize = 16;

/// Rows of the reference that are kept, standardised, in all their columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Where each came from.
    pub ids: Vec<RowId>,
    /// Their columns, row after row.
    pub columns: Vec<f32>,
}

/// The kept rows as they are compared: blocks of sixteen, and in each block column after column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Nearest {
    blocks: Vec<[f32; LANES]>,
    width: usize,
}

impl Nearest {
    /// Takes rows of one width, which is not 0.
    pub(super) fn new(rows: &[Vec<f32>]) -> Self {
        let width = rows.first().map_or(1, Vec::len);
        // Where there is no row, something that is far from everything.
        let at = |block: &[Vec<f32>], lane: usize, column: usize| {
            block.get(lane).and_then(|it| it.get(column)).copied().unwrap_or(f32::INFINITY)
        };
        let block = |block: &[Vec<f32>]| {
            (0..width).map(|column| std::array::from_fn(|lane| at(block, lane, column))).collect::<Vec<_>>()
        };
        Self { blocks: rows.chunks(LANES).flat_map(block).collect(), width }
    }

    /// Returns the squared distance to the nearest row, and which that is.
    pub(super) fn of(&self, row: &[f32]) -> (f32, usize) {
        let mut best = (f32::INFINITY, 0);
        for (block, kept) in self.blocks.chunks_exact(self.width).enumerate() {
            for (lane, s) in distances(row, kept).into_iter().enumerate() {
                if s < best.0 {
                    best = (s, block * LANES + lane);
                }
            }
        }
        best
    }
}

/// The squared distances from sixteen rows.
fn distances(row: &[f32], kept: &[[f32; LANES]]) -> [f32; LANES] {
    let mut sums = [0.0_f32; LANES];
    for (value, kept) in row.iter().zip(kept) {
        for (sum, kept) in sums.iter_mut().zip(kept) {
            let difference = value - kept;
            *sum += difference * difference;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_the_first_of_those_that_are_equally_near() {
        let nearest = Nearest::new(&[[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]].map(Vec::from));
        assert_eq!(nearest.of(&[1.0, 1.0]), (2.0, 0), "oracle");
        assert_eq!(nearest.of(&[3.0, 3.0]), (1.0, 1));
    }

    #[test]
    fn every_row_and_every_column_counts() {
        for (rows, width) in [(1, 1), (15, 3), (16, 8), (17, 5), (256, 2)] {
            let all: Vec<Vec<f32>> = (0_u8..=255).take(rows).map(|it| vec![f32::from(it) * 10.0; width]).collect();
            let nearest = Nearest::new(&all);
            for (at, row) in all.iter().enumerate() {
                assert_eq!(nearest.of(row), (0.0, at));
                for column in 0..width {
                    let mut near = row.clone();
                    near[column] += 2.0;
                    assert_eq!(nearest.of(&near), (4.0, at), "{rows} {width} {at} {column}");
                }
            }
        }
    }
}
