//! ECE: how far confidences are from what came true, on average over 15 bins of equal mass.

use super::Grid;

/// Bins of the expected calibration error.
const BINS: usize = 15;

/// Returns the expected calibration error of confidences whose outcomes are known; none without rows.
///
/// It is above 0 for the best of calibrators, since a bin of n rows is off by about √(p(1−p)/n): show it with n, or beside what
/// outcomes that were drawn from the confidences themselves would give.
pub fn ece(rows: &[(f64, bool)]) -> Option<f64> {
    let grid = Grid::equal_mass(&rows.iter().map(|it| it.0).collect::<Vec<_>>(), BINS);
    // (n, Σ confidence, right); confidences are summed in the order of their size, whatever the order of the rows.
    let mut bins = vec![(0_u32, 0.0, 0_u32); grid.bins()];
    let mut sorted: Vec<_> = rows.iter().filter(|it| it.0.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (confidence, right) in &sorted {
        let bin = &mut bins[grid.bin(*confidence)];
        *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + u32::from(*right));
    }
    let off: f64 = bins.iter().map(|(_, sum, right)| (sum - f64::from(*right)).abs()).sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    (!sorted.is_empty()).then(|| off / sorted.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ece_is_the_gap_between_what_was_said_and_what_came_true() {
        let rows = |p: f64, right: usize| (0..10).map(move |at| (p, at < right));
        assert_eq!(ece(&[]), None);
        let good: Vec<_> = rows(0.5, 5).chain(rows(0.9, 9)).collect();
        assert!(ece(&good).expect("rows") < 1e-9);
        let sure: Vec<_> = rows(1.0, 5).chain(rows(0.9, 9)).collect();
        assert!((ece(&sure).expect("rows") - 0.25).abs() < 1e-9);
    }
}
