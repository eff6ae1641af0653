//! Temperature: one number that takes back what logits say too surely.

use crate::math;

/// Steps of Newton's method at most; from 1 it is there in about six.
const STEPS: usize = 50;
/// Bounds of 1/T: beyond them the rows say nothing (all right, or all alike).
const INVERSE: (f64, f64) = (1e-3, 1e3);

/// Returns the temperature T > 0 under which `softmax(logits / T)` has the least log-loss on rows of logits and the index of the
/// class that was right. 1 where no row can be used.
///
/// # Source
/// Guo et al. 2017. The loss is convex in 1/T, which Newton's method therefore finds.
pub fn temperature(rows: &[(Vec<f64>, usize)]) -> f64 {
    let usable = |row: &&(Vec<f64>, usize)| row.1 < row.0.len() && row.0.iter().all(|it| it.is_finite());
    let rows: Vec<_> = rows.iter().filter(usable).collect();
    let mut inverse = 1.0;
    for _ in 0..STEPS {
        let (mut slope, mut bend) = (0.0, 0.0);
        for (logits, right) in &rows {
            let (mean, variance) = moments(logits, inverse);
            slope += mean - logits[*right];
            bend += variance;
        }
        if bend <= 0.0 {
            break;
        }
        // At most by half or double: far from the minimum a step may lead away.
        let next = (inverse - slope / bend).clamp(inverse * 0.5, inverse * 2.0).clamp(INVERSE.0, INVERSE.1);
        let moved = (next - inverse).abs();
        inverse = next;
        if moved < 1e-12 * inverse {
            break;
        }
    }
    1.0 / inverse
}

/// Mean and variance of the logits under their own softmax.
fn moments(logits: &[f64], inverse: f64) -> (f64, f64) {
    let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut all, mut first, mut second) = (0.0, 0.0, 0.0);
    for logit in logits {
        let weight = math::exp((logit - greatest) * inverse);
        all += weight;
        first += weight * logit;
        second += weight * logit * logit;
    }
    let mean = first / all;
    (mean, (second / all - mean * mean).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_that_are_twice_too_sure_have_temperature_two() {
        // Of 100 rows with log-odds 2 ln 3, 75 are right, as log-odds ln 3 would say.
        let logit = 2.0 * math::ln(3.0);
        let rows: Vec<_> = (0..100).map(|at| (vec![logit, 0.0], usize::from(at >= 75))).collect();
        assert!((temperature(&rows) - 2.0).abs() < 1e-9);
        assert_eq!(temperature(&[]), 1.0);
        assert_eq!(temperature(&[(vec![f64::NAN, 1.0], 0), (vec![1.0], 7)]), 1.0);
        let always: Vec<_> = (0..10).map(|_| (vec![1.0, 0.0], 0)).collect();
        assert!(temperature(&always) >= 1e-3, "bounded where all are right");
    }
}
