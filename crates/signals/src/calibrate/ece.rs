//! ECE: how far confidences are from what came true, on average over 15 bins of equal mass.

use super::Grid;

/// Bins of the expected calibration error.
const BINS: usize = 15;

/// Returns the expected calibration error of confidences whose outcomes are known; none without rows.
///
/// It is above 0 for the best of calibrators, since a bin of n rows is off by about √(p(1−p)/n): show it with n, or beside what
/// outcomes that were drawn from the confidences themselves would give.
pub fn ece(rows: &[(f64, bool)]) -> Option<f64> {
    scale_error(&rows.iter().map(|(confidence, right)| (*confidence, f64::from(u8::from(*right)))).collect::<Vec<_>>())
}

/// Returns how far scores are from the means of what stands beside them, on average over 15 bins of equal mass of the scores: the
/// error of one scale against another, in the unit of the scores. None without rows.
pub fn scale_error(pairs: &[(f64, f64)]) -> Option<f64> {
    // In an order of their own, so that sums do not depend on that of the rows.
    let mut sorted: Vec<_> = pairs.iter().filter(|it| it.0.is_finite() && it.1.is_finite()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let grid = Grid::equal_mass(&sorted.iter().map(|it| it.0).collect::<Vec<_>>(), BINS);
    let mut bins = vec![(0.0, 0.0); grid.bins()];
    for (score, other) in &sorted {
        let bin = &mut bins[grid.bin(*score)];
        *bin = (bin.0 + score, bin.1 + other);
    }
    let off: f64 = bins.iter().map(|it| (it.0 - it.1).abs()).sum();
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
        assert_eq!(scale_error(&[(1.0, 3.0), (1.0, 2.0), (f64::NAN, 9.0)]), Some(1.5));
        let good: Vec<_> = rows(0.5, 5).chain(rows(0.9, 9)).collect();
        assert!(ece(&good).expect("rows") < 1e-9);
        let sure: Vec<_> = rows(1.0, 5).chain(rows(0.9, 9)).collect();
        assert!((ece(&sure).expect("rows") - 0.25).abs() < 1e-9);
    }
}
