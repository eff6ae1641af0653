//! Score map: what a tier's score would be on the primary's scale (`signals.md` §8, `calibrate_to`).
//!
//! A client compares a score with its own threshold, and does not know which tier answered. Pairs of both scores for one request
//! teach a map that never reorders two scores. It aligns scales; it cannot make the tier agree with the primary.
//!
//! ```text
//! pairs -> Learner -> fit(now, Match) -> ScoreMap -> apply(score)
//! ```
//!
//! # Invariants
//! - `MAP-1`: a map never reorders two scores; it may tie them.
//! - `MAP-2`: with fewer than 200 pairs it is the identity, with fewer than 1,000 a line (on log-odds, where scores are
//!   probabilities), and only with more its own shape.
//! - `MAP-3`: cells have equal mass on the scores that were seen, so that any scale will do: probabilities, prices, counts.
//!
//! # When it misleads
//! It copies the primary's errors, `mean` makes extremes rarer, it grows old while the primary is down, and drift voids it.
//!
//! # Source
//! Isotonic regression: Barlow et al. 1972 (pool adjacent violators). Platt 1999, by least squares on log-odds.

mod fit;
mod learner;

pub(crate) use fit::{Point as Step, isotonic};
pub use learner::{Learner, Match};

use std::fmt;

use crate::math;

/// Scores of 0 and 1 are this far from them where log-odds are taken.
const EDGE: f64 = 1e-6;

/// On what scale scores are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Probabilities: all that was seen lies in [0, 1], and so does what the map says.
    Probability,
    /// Any other number.
    Value,
}

/// What shape a map has, by how many pairs taught it and what they were to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Too few pairs: scores stay as they are.
    Identity,
    /// A line, on log-odds where scores are probabilities.
    Platt,
    /// Steps joined by lines: the mean of the primary's scores where this one stood (`match: mean`).
    Isotonic,
    /// Equal quantiles (`match: rate`).
    Rate,
}

impl fmt::Display for Shape {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Identity => "identity",
            Self::Platt => "platt",
            Self::Isotonic => "isotonic",
            Self::Rate => "rate",
        })
    }
}

/// A monotone map from a tier's scores to the primary's scale.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreMap {
    shape: Shape,
    scale: Scale,
    /// For a line: one knot, intercept and slope. Else ascending points (score, mapped score).
    knots: Vec<(f64, f64)>,
}

impl ScoreMap {
    /// The map that leaves scores as they are.
    pub fn identity(scale: Scale) -> Self {
        Self { shape: Shape::Identity, scale, knots: Vec::new() }
    }

    /// Takes a map as it was kept; none where it could reorder scores or has no sense (`MAP-1`).
    pub fn of(shape: Shape, scale: Scale, knots: Vec<(f64, f64)>) -> Option<Self> {
        let finite = knots.iter().all(|it| it.0.is_finite() && it.1.is_finite());
        let within = |it: &(f64, f64)| scale == Scale::Value || (0.0..=1.0).contains(&it.1);
        let sound = match (shape, knots.as_slice()) {
            (Shape::Identity, it) => it.is_empty(),
            (Shape::Platt, [(_, slope)]) => *slope >= 0.0,
            (Shape::Platt, _) => false,
            (_, it) => {
                !it.is_empty()
                    && it.iter().all(within)
                    && it.windows(2).all(|it| it[0].0 < it[1].0 && it[0].1 <= it[1].1)
            }
        };
        (finite && sound).then_some(Self { shape, scale, knots })
    }

    /// Returns its shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the scale of its scores.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Returns its knots: one of intercept and slope for a line, else the points that it goes through.
    pub fn knots(&self) -> &[(f64, f64)] {
        &self.knots
    }

    /// Says whether the pairs taught it no difference between two scores: a line without slope, or points of one height.
    pub fn is_flat(&self) -> bool {
        match (self.shape, self.knots.as_slice()) {
            (Shape::Identity, _) | (_, []) => false,
            (Shape::Platt, [(_, slope), ..]) => *slope <= 0.0,
            (_, [first, .., last]) => first.1 >= last.1,
            (_, [_]) => true,
        }
    }

    /// Maps a score. None for what is no number: such an answer is invalid.
    pub fn apply(&self, score: f64) -> Option<f64> {
        if !score.is_finite() {
            return None;
        }
        let mapped = match (self.shape, self.scale, self.knots.as_slice()) {
            (Shape::Identity, ..) | (_, _, []) => score,
            (Shape::Platt, Scale::Probability, [(a, b), ..]) => {
                math::logistic(a + b * math::logit(score.clamp(EDGE, 1.0 - EDGE)))
            }
            (Shape::Platt, Scale::Value, [(a, b), ..]) => a + b * score,
            (_, scale, knots) => between(knots, score, scale),
        };
        Some(mapped)
    }
}

/// Goes through the knots by lines. Outside of them: flat for probabilities; for values on in parallel to the identity, since what is
/// dearer than all that was seen is not as dear as the dearest.
fn between(knots: &[(f64, f64)], score: f64, scale: Scale) -> f64 {
    let at = knots.partition_point(|it| it.0 < score);
    let (low, high) = (at.checked_sub(1).map(|it| knots[it]), knots.get(at));
    match (low, high) {
        (Some(low), Some(high)) => {
            let part = (score - low.0) / (high.0 - low.0);
            // Rounding must not lead past the knot.
            (low.1 + part * (high.1 - low.1)).clamp(low.1, high.1)
        }
        (Some(end), None) | (None, Some(&end)) => match scale {
            Scale::Probability => end.1,
            Scale::Value => end.1 + (score - end.0),
        },
        (None, None) => score,
    }
}

/// Maps the scores of all classes of one answer and makes them sum to 1 again; none where one is no number or all are 0.
pub fn apply_classes(maps: &[ScoreMap], scores: &[f64]) -> Option<Vec<f64>> {
    let mapped: Vec<f64> = maps.iter().zip(scores).map(|(map, score)| map.apply(*score)).collect::<Option<_>>()?;
    let all: f64 = mapped.iter().sum();
    (maps.len() == scores.len() && all > 0.0).then(|| mapped.iter().map(|it| it / all).collect())
}

#[cfg(test)]
mod tests;
