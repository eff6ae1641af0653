//! Place: where a row stands among those of the reference (`DRI-1`).

use crate::cells::Cells;

/// Returns the place of a row, from −½ to ½: uniform while nothing changed. `lot` in [0, 1) breaks ties.
///
/// A cell with all rows of the reference gives `lot − ½`: a constant column says nothing until another value comes.
#[inline]
pub fn place(cells: &Cells, cell: usize, lot: f64) -> f64 {
    let (lo, hi) = cells.ranks(cell);
    let (lo, width, all) = (double(lo), double(hi - lo) + 1.0, double(cells.rows()) + 1.0);
    (lo + lot * width) / all - 0.5
}

/// A count below 2^53, by way of a signed one, which takes one instruction where an unsigned one takes six.
#[inline]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "counts below 2^53")]
fn double(count: u64) -> f64 {
    count as i64 as f64
}

/// Returns what each bet pays for a reference of so many rows: three standard errors of the mean of a place, times two.
pub fn discount(rows: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count below 2^53")]
    let rows = rows as f64;
    3.0 / (3.0 * rows).sqrt()
}

/// Returns the lot of a stream, in [0, 1), from the 64 bits that came with the request (`SplitMix64`).
#[inline]
pub fn share(entropy: u64, stream: usize) -> f64 {
    let mut bits = entropy.wrapping_add((stream as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    let lot = (bits >> 11) as f64;
    lot / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Value;

    #[test]
    fn dri_1_a_cell_with_all_rows_of_the_reference_gives_the_lot() {
        let cells = Cells::numbers((0..100).map(|_| Value::Number(5.0)));
        let own = cells.cell(Value::Number(5.0));
        for lot in [0.0, 0.3, 0.999] {
            assert!((place(&cells, own, lot) - (lot - 0.5)).abs() < 1e-12, "{lot}");
        }
        assert!(place(&cells, cells.cell(Value::Missing), 0.5) < -0.49);
        assert!(place(&cells, cells.cell(Value::Number(5.1)), 0.5) > 0.49);
        assert!((discount(1_000) - 0.054_772_3).abs() < 5e-8);
    }

    #[test]
    fn dri_1_places_of_ties_categories_and_missing_values_are_uniform() {
        let value = |at: u64| match (at * 7_919) % 100 {
            it @ 0..30 => Value::Number(f64::from(u32::try_from(it % 3).expect("small"))),
            30..40 => Value::Missing,
            it => Value::Number(f64::from(u32::try_from(it).expect("small")) * 0.77),
        };
        let cells = Cells::numbers((0..2_000).map(value));
        let mut tenths = [0; 10];
        for at in 0..20_000 {
            let place = place(&cells, cells.cell(value(at)), share(at, 3));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 9")]
            let tenth = ((place + 0.5) * 10.0) as usize;
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|it| (1_850..=2_150).contains(it)), "{tenths:?}");
    }
}
