//! Curves: figures of what was learnt: whether a score means what it says, and what quality costs.

use super::{Axis, Figure, Series, Shape};

/// Rows of one point, at least, and points at most: means of fewer rows scatter more than they tell.
const LEAST: usize = 20;
const POINTS: usize = 15;

/// Draws how far scores mean what they say: for each series of (said, was), rows in order of what was said, in groups of equal
/// size, the mean of what was over the mean of what was said. On the diagonal they are the same.
pub(crate) fn reliability(title: &str, axes: (&str, &str), of: &[(&str, &[(f64, f64)])]) -> Figure {
    let group = |pairs: &[(f64, f64)]| {
        let mut sorted: Vec<(f64, f64)> =
            pairs.iter().copied().filter(|it| it.0.is_finite() && it.1.is_finite()).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let size = sorted.len().div_ceil(POINTS).max(LEAST);
        sorted.chunks(size).map(mean).collect::<Vec<_>>()
    };
    let points: Vec<(&str, Vec<(f64, f64)>)> = of.iter().map(|it| (it.0, group(it.1))).collect();
    let both = || points.iter().flat_map(|it| it.1.iter()).flat_map(|it| [it.0, it.1]);
    let (from, to) = (both().fold(0.0, f64::min), both().fold(1.0, f64::max));
    let mut series = vec![Series::new("as it says", Shape::Line, vec![(from, from), (to, to)])];
    series.extend(points.into_iter().map(|(name, points)| Series::new(name, Shape::Points, points)));
    Figure {
        title: title.into(),
        x: Axis::numbers(axes.0).showing(from, to),
        y: Axis::numbers(axes.1).showing(from, to),
        series,
        marks: Vec::new(),
    }
}

/// Draws what policies cost and how often they are right: a line through all of them, (cost, share of right answers) in the order of
/// their thresholds; `known` are single points with their names, such as the primary alone; the one that is chosen stands out.
pub(crate) fn cost_quality(
    title: &str,
    policies: &[(f64, f64)],
    chosen: Option<usize>,
    known: &[(&str, (f64, f64))],
) -> Figure {
    let mut sorted = policies.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut series = vec![Series::new("policies", Shape::Line, sorted)];
    series.extend(known.iter().map(|(name, point)| Series::new(name, Shape::Points, vec![*point])));
    let chosen = chosen.and_then(|at| policies.get(at));
    series.extend(chosen.map(|it| Series::new("chosen", Shape::Points, vec![*it])));
    let (x, y) = (Axis::numbers("cost of a request").showing(0.0, 0.0), Axis::numbers("share of right answers"));
    Figure { title: title.into(), x, y, series, marks: Vec::new() }
}

fn mean(pairs: &[(f64, f64)]) -> (f64, f64) {
    let (x, y) = pairs.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let count = pairs.len() as f64;
    (x / count, y / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_a_line_by_cost_and_the_chosen_one_is_a_point() {
        let policies = [(1.0, 0.9), (0.2, 0.7), (0.5, 0.85)];
        let figure = cost_quality("t", &policies, Some(2), &[("primary", (1.0, 0.9))]);
        let names: Vec<_> = figure.series.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["policies", "primary", "chosen"]);
        assert_eq!(figure.series[0].points, [(0.2, 0.7), (0.5, 0.85), (1.0, 0.9)]);
        assert_eq!(figure.series[2].points, [(0.5, 0.85)]);
        assert_eq!(cost_quality("t", &[], Some(3), &[]).series.len(), 1);
    }

    #[test]
    fn groups_are_of_equal_size_and_what_is_no_number_is_left_out() {
        let mut pairs: Vec<_> =
            (0..300).map(|it| (f64::from(it) / 300.0, if it % 4 == 0 { 0.0 } else { 1.0 })).collect();
        pairs.reverse();
        pairs.push((f64::NAN, 1.0));
        let figure = reliability("t", ("said", "was"), &[("tier", &pairs), ("none", &[])]);
        let points = &figure.series[1].points;
        assert_eq!((points.len(), figure.series[2].points.len()), (15, 0));
        assert!(points.iter().all(|it| (it.1 - 0.75).abs() < 1e-9) && points.windows(2).all(|it| it[0].0 < it[1].0));
    }
}
