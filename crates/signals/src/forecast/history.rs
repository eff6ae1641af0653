//! History: what came, what was forecast, and how far it was off.

use std::collections::VecDeque;

use super::{
    FARTHEST,
    holt::{self, Holt},
};

/// Residuals that make a probability: 20 minutes.
const RESIDUALS: usize = 240;

/// One tick, on the scale of [`super::Setting`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// What came; none where it is missing.
    pub(super) x: Option<f64>,
    pub(super) level: f64,
    pub(super) trend: f64,
    /// The probabilities that were said then, raw and calibrated.
    pub(super) said: Option<(f64, f64)>,
}

/// A forecast whose horizon is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) said: Option<(f64, f64)>,
    /// The highest that came within the horizon.
    pub(super) highest: f64,
}

/// The last points, and the last residuals of the horizon.
#[derive(Clone, Debug)]
pub(super) struct History {
    horizon: usize,
    points: VecDeque<Point>,
    residuals: VecDeque<f64>,
}

impl History {
    pub(super) fn new(horizon: usize) -> Self {
        Self { horizon, points: VecDeque::new(), residuals: VecDeque::new() }
    }

    /// Forgets points: forecasts do not reach over a gap. Residuals stay.
    pub(super) fn clear(&mut self) {
        self.points.clear();
    }

    /// Takes a point; returns the forecast whose horizon ends with it. One of which no point came is never due.
    pub(super) fn push(&mut self, point: Point) -> Option<Due> {
        self.points.push_back(point);
        if self.points.len() > RESIDUALS + FARTHEST {
            self.points.pop_front();
        }
        let from = self.points.len().checked_sub(self.horizon + 1)?;
        let came = self.points.range(from + 1..).filter_map(|it| it.x);
        let highest = came.reduce(f64::max)?;
        let then = self.points[from];
        self.residuals.push_back(highest - holt::highest((then.level, then.trend), self.horizon));
        if self.residuals.len() > RESIDUALS {
            self.residuals.pop_front();
        }
        Some(Due { said: then.said, highest })
    }

    /// Keeps what is said now, to be judged later.
    pub(super) fn say(&mut self, said: Option<(f64, f64)>) {
        if let Some(it) = self.points.back_mut() {
            it.said = said;
        }
    }

    /// What came last.
    pub(super) fn latest(&self) -> Option<f64> {
        self.points.back().and_then(|it| it.x)
    }

    /// The share of residuals with which a forecast reaches the threshold; none with too few of them.
    pub(super) fn raw(&self, forecast: f64, threshold: f64) -> Option<f64> {
        let reach = self.residuals.iter().filter(|it| forecast + **it >= threshold).count();
        (self.residuals.len() == RESIDUALS).then(|| share(reach))
    }

    /// The first number of points ahead within which a threshold is reached at least that likely, by the residuals of that number.
    pub(super) fn first_likely(&self, holt: &Holt, threshold: f64, likely: f64) -> Option<usize> {
        let origins = self.points.len().checked_sub(FARTHEST).filter(|it| *it >= RESIDUALS)?;
        let mut highest = vec![f64::NEG_INFINITY; RESIDUALS];
        for points in 1..=FARTHEST {
            let forecast = holt.highest(points);
            let mut reach = 0;
            for (origin, highest) in (origins - RESIDUALS..origins).zip(&mut highest) {
                *highest = highest.max(self.points[origin + points].x.unwrap_or(f64::NEG_INFINITY));
                let then = self.points[origin];
                let off = *highest - holt::highest((then.level, then.trend), points);
                reach += usize::from(forecast + off >= threshold);
            }
            if share(reach) >= likely {
                return Some(points);
            }
        }
        None
    }
}

/// The part of all residuals.
fn share(of: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 240")]
    let share = of as f64 / RESIDUALS as f64;
    share
}
