//! Fit: lines, steps and quantiles through points.

use crate::math;

use super::{EDGE, Scale};

/// A group of pairs with one score: how many, the score, the primary's mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) n: f64,
    pub(crate) score: f64,
    pub(crate) primary: f64,
}

/// Pool adjacent violators: the values that ascend and are nearest to those given, in weighted squares. Points ascend by score.
pub(crate) fn isotonic(points: &[Point]) -> Vec<(f64, f64)> {
    let mut blocks: Vec<Point> = Vec::new();
    for point in points {
        blocks.push(*point);
        while let [.., before, last] = blocks[..]
            && before.primary >= last.primary
        {
            blocks.pop();
            blocks.pop();
            blocks.push(pooled(before, last));
        }
    }
    blocks.iter().map(|it| (it.score, it.primary)).collect()
}

fn pooled(a: Point, b: Point) -> Point {
    let n = a.n + b.n;
    Point { n, score: (a.n * a.score + b.n * b.score) / n, primary: (a.n * a.primary + b.n * b.primary) / n }
}

/// Least squares: intercept and slope, the slope not below 0. On log-odds where scores are probabilities.
pub(super) fn line(points: &[Point], scale: Scale) -> (f64, f64) {
    let of = |it: f64| match scale {
        Scale::Probability => math::logit(it.clamp(EDGE, 1.0 - EDGE)),
        Scale::Value => it,
    };
    let sum = |part: &dyn Fn(&Point) -> f64| points.iter().map(part).sum::<f64>();
    let n = sum(&|it| it.n);
    let (x, y) = (sum(&|it| it.n * of(it.score)) / n, sum(&|it| it.n * of(it.primary)) / n);
    let spread = sum(&|it| it.n * (of(it.score) - x) * (of(it.score) - x));
    let common = sum(&|it| it.n * (of(it.score) - x) * (of(it.primary) - y));
    let slope = if spread > 0.0 { (common / spread).max(0.0) } else { 0.0 };
    (y - slope * x, slope)
}

/// Equal quantiles: each group's score goes to the value below which the primary has as much of its own.
///
/// Both ascend; of each the mean stands at the middle of its mass.
pub(super) fn quantiles(scores: &[(f64, f64)], primary: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let primary = middles(primary);
    middles(scores)
        .into_iter()
        .map(|(share, score)| {
            let at = primary.partition_point(|it| it.0 < share);
            let value = match (at.checked_sub(1).map(|it| primary[it]), primary.get(at)) {
                (Some(low), Some(high)) => {
                    let part = (share - low.0) / (high.0 - low.0);
                    (low.1 + part * (high.1 - low.1)).clamp(low.1, high.1)
                }
                (Some(end), None) | (None, Some(&end)) => end.1,
                (None, None) => score,
            };
            (score, value)
        })
        .collect()
}

/// For groups of mass and mean: the share of all mass up to the middle of each, and its mean.
fn middles(groups: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let all: f64 = groups.iter().map(|it| it.0).sum();
    let mut below = 0.0;
    let middle = |(n, mean): &(f64, f64)| {
        let share = (below + n / 2.0) / all;
        below += n;
        (share, *mean)
    };
    groups.iter().map(middle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled() {
        let points = [(0.1, 1.0), (0.4, 1.0), (0.2, 3.0), (0.6, 2.0), (0.5, 2.0)];
        let points: Vec<_> = points
            .iter()
            .zip(1_u32..)
            .map(|((primary, n), score)| Point { n: *n, score: f64::from(score), primary: *primary })
            .collect();
        let fitted = isotonic(&points);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let expected = [(1.0, 0.1), (2.75, 0.25), (4.5, 0.55)];
        assert!(
            fitted.len() == 3 && fitted.iter().zip(expected).all(|(a, b)| near(a.0, b.0) && near(a.1, b.1)),
            "{fitted:?}"
        );
    }

    #[test]
    fn a_line_is_found_and_never_falls() {
        let points =
            |of: &[(f64, f64)]| of.iter().map(|it| Point { n: 1.0, score: it.0, primary: it.1 }).collect::<Vec<_>>();
        let (a, b) = line(&points(&[(1.0, 5.0), (2.0, 7.0), (3.0, 9.0)]), Scale::Value);
        assert!((a - 3.0).abs() < 1e-12 && (b - 2.0).abs() < 1e-12);
        assert_eq!(line(&points(&[(1.0, 2.0), (2.0, 1.0)]), Scale::Value), (1.5, 0.0));
        assert_eq!(line(&points(&[(1.0, 2.0), (1.0, 4.0)]), Scale::Value), (3.0, 0.0), "one score alone");
        let odds = |x: f64| math::logistic(0.5 + 2.0 * math::logit(x));
        let (a, b) = line(&points(&[(0.1, odds(0.1)), (0.5, odds(0.5)), (0.8, odds(0.8))]), Scale::Probability);
        assert!((a - 0.5).abs() < 1e-9 && (b - 2.0).abs() < 1e-9);
    }

    #[test]
    fn quantiles_meet() {
        let half = [(1.0, 10.0), (1.0, 20.0)];
        assert_eq!(quantiles(&[(5.0, 0.1), (5.0, 0.2)], &half), [(0.1, 10.0), (0.2, 20.0)]);
        assert_eq!(quantiles(&[(5.0, 0.1)], &half), [(0.1, 15.0)]);
        assert_eq!(quantiles(&[(5.0, 0.1)], &[]), [(0.1, 0.1)]);
    }
}
