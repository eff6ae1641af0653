//! Noise: two numbers that say that a row, or a signal in it, is not as smooth as its like (`signals.md` §7).

use crate::{
    cells::{Cells, Kind, Value},
    drift::place,
};

/// Above this share of features in their outer hundredth ([`Outer`]) a row is noisy: five times what is expected. With twenty
/// features one of them is already that share.
pub const TAIL: f64 = 0.05;
/// A roughness above this quantile of the reference is noisy.
pub const ROUGH: f64 = 0.99;
/// Half a rank from the middle, beyond which lies a hundredth of all rows, both sides together.
const OUTER: f64 = 0.495;

/// Where the outer hundredth of a column begins: what lies there has a rank beyond ±.495.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outer {
    /// Up to here, this included; minus infinity where no number is so low.
    low: f64,
    /// Above this; infinity where no number is so high.
    high: f64,
}

impl Outer {
    /// Finds it in the cells of a column, of all seasons together: a number has the rank that it has among all their rows, the middle one of
    /// its cell in each. None where there are no cells of numbers.
    pub fn of(seasons: &[Cells]) -> Option<Self> {
        let mut ends = Vec::new();
        for cells in seasons {
            let Kind::Numbers(of) = cells.kind() else { return None };
            ends.extend_from_slice(of.ends());
        }
        ends.sort_unstable_by(f64::total_cmp);
        ends.dedup();
        let rank = |number: f64| {
            let cells = seasons.iter().map(|it| (it.rows() + 1, place(it, it.cell(Value::Number(number)), 0.5)));
            #[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
            let (sum, all) =
                cells.fold((0.0, 0.0), |(sum, all), (rows, rank)| (sum + rank * rows as f64, all + rows as f64));
            sum / all
        };
        // Ranks ascend, and change at the ends alone.
        let ranks: Vec<f64> = ends.iter().copied().chain([f64::MAX]).map(rank).collect();
        let end = |at: usize| at.checked_sub(1).and_then(|at| ends.get(at)).copied();
        let low = end(ranks.partition_point(|it| *it < -OUTER)).unwrap_or(f64::NEG_INFINITY);
        let inner = ranks.partition_point(|it| *it <= OUTER);
        let high = end(inner).filter(|_| inner < ranks.len()).unwrap_or(f64::INFINITY);
        (!seasons.is_empty()).then_some(Self { low, high })
    }

    /// Says whether a number lies there.
    pub fn has(&self, number: f64) -> bool {
        number <= self.low || number > self.high
    }
}

/// Returns how rough a series is, Σ(x_t − x_{t−1})² / 2Σ(x_t − x̄)²: near 0 for a smooth one, 1 for noise, up to 2 for one that jumps
/// to and fro. None for fewer than two numbers, one that is none, and a series that does not change.
///
/// # Source
/// von Neumann 1941: half his ratio of the mean square successive difference to the variance.
pub fn roughness(series: &[f64]) -> Option<f64> {
    let greatest = series.iter().fold(0.0_f64, |greatest, it| greatest.max(it.abs()));
    if series.len() < 2 || !series.iter().all(|it| it.is_finite()) || greatest == 0.0 {
        return None;
    }
    // In parts of the greatest, so that no square is too large or too small for a number.
    let parts = || series.iter().map(|it| it / greatest);
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let mean = parts().sum::<f64>() / series.len() as f64;
    let spread: f64 = parts().map(|it| (it - mean) * (it - mean)).sum();
    let steps: f64 = parts().zip(parts().skip(1)).map(|(a, b)| (b - a) * (b - a)).sum();
    let roughness = steps / (2.0 * spread);
    (steps > 0.0 && roughness.is_finite()).then_some(roughness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracles_of_the_page() {
        for (series, expected) in [
            (&[1.0, 2.0, 3.0, 4.0][..], Some(0.3)),
            (&[1.0, -1.0, 1.0, -1.0], Some(1.5)),
            (&[1e300, -1e300, 1e300, -1e300], Some(1.5)),
            (&[1e-300, -1e-300, 1e-300, -1e-300], Some(1.5)),
            (&[5.0, 5.0, 5.0], None),
            (&[0.0, 0.0], None),
            (&[1.0], None),
            (&[], None),
            (&[1.0, f64::NAN], None),
            (&[1.0, f64::INFINITY], None),
        ] {
            let found = roughness(series);
            assert_eq!(found.is_some(), expected.is_some(), "{series:?}");
            assert!(found.zip(expected).is_none_or(|(a, b)| (a - b).abs() < 1e-12), "{series:?}: {found:?}");
        }
    }

    /// The cells of a thousand numbers, from this one on.
    fn thousand(from: i32) -> Cells {
        Cells::numbers((from..from + 1_000).map(|it| Value::Number(f64::from(it))))
    }

    #[test]
    fn the_outer_hundredth_begins_where_ranks_say() {
        let cells = thousand(0);
        let outer = Outer::of(std::slice::from_ref(&cells)).expect("numbers");
        for number in -5..1_005 {
            let number = f64::from(number);
            let rank = place(&cells, cells.cell(Value::Number(number)), 0.5);
            assert_eq!(outer.has(number), rank.abs() > OUTER, "{number} has the rank {rank}");
        }
        assert!(outer.has(-1.0) && outer.has(1_000.0) && !outer.has(500.0));
        let constant = Outer::of(&[Cells::numbers([Value::Number(7.0); 1_000])]).expect("numbers");
        assert_eq!(
            [6.0, 7.0, 8.0].map(|it| constant.has(it)),
            [true, false, true],
            "a constant column notices any other value"
        );
        assert_eq!(Outer::of(&[]), None);
        assert_eq!(Outer::of(&[Cells::categories([Value::Category("a")])]), None);
    }

    #[test]
    fn what_is_usual_at_another_hour_is_not_outside() {
        let [night, day] = [0, 5_000].map(thousand);
        let outer = Outer::of(&[night, day]).expect("numbers");
        assert!(!outer.has(500.0) && !outer.has(5_500.0), "{outer:?}");
        assert!(outer.has(-1.0) && outer.has(6_000.0), "{outer:?}");
    }
}
