//! Holt: level and trend, the trend damped.

use super::FARTHEST;

/// Weights of the newest level and trend, and what of a trend is left after a point.
const ALPHA: f64 = 0.3;
const BETA: f64 = 0.1;
const PHI: f64 = 0.98;
/// Missing points in a row after which there is no forecast.
const MOST_MISSING: u32 = 5;

/// Level and trend of one series: `l = αx + (1−α)(l' + φt')`, `t = β(l − l') + (1−β)φt'`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Holt {
    level: Option<f64>,
    trend: f64,
    missing: u32,
}

impl Holt {
    /// Takes a point; where there is none the forecast stands in, and after five in a row it begins anew.
    pub fn update(&mut self, x: Option<f64>) {
        let Some(before) = self.level else {
            *self = Self { level: x, trend: 0.0, missing: 0 };
            return;
        };
        let missing = if x.is_some() { 0 } else { self.missing + 1 };
        if missing == MOST_MISSING {
            *self = Self::default();
            return;
        }
        let carried = before + PHI * self.trend;
        let level = ALPHA * x.unwrap_or(carried) + (1.0 - ALPHA) * carried;
        let trend = BETA * (level - before) + (1.0 - BETA) * PHI * self.trend;
        *self = Self { level: Some(level), trend, missing };
    }

    /// Returns the level; none without a point.
    pub fn level(&self) -> Option<f64> {
        self.level
    }

    /// Returns the trend, per point.
    pub fn trend(&self) -> f64 {
        self.trend
    }

    /// Returns the forecast for so many points ahead: `l + t·Σφ^i`; none reaches farther than [`FARTHEST`].
    pub fn ahead(&self, points: usize) -> Option<f64> {
        Some(self.level? + self.trend * damped(points))
    }

    /// Returns the highest forecast within so many points: trends do not turn, so it is the first or the last.
    pub fn highest(&self, points: usize) -> f64 {
        highest((self.level.unwrap_or(0.0), self.trend), points)
    }
}

/// The highest forecast of a level and a trend.
pub(super) fn highest((level, trend): (f64, f64), points: usize) -> f64 {
    level + trend * damped(if trend > 0.0 { points } else { 1 })
}

/// φ + φ² + … so many times, read from a table: a look at a history asks for it tens of thousands of times.
fn damped(points: usize) -> f64 {
    DAMPED[points.min(FARTHEST)]
}

/// The sums of φ + φ² + … for each number of points.
const DAMPED: [f64; FARTHEST + 1] = {
    let mut sums = [0.0; FARTHEST + 1];
    let (mut power, mut at) = (1.0, 1);
    while at <= FARTHEST {
        power *= PHI;
        sums[at] = sums[at - 1] + power;
        at += 1;
    }
    sums
};

#[cfg(test)]
mod tests {
    use super::*;

    fn after(points: &[f64]) -> Holt {
        let mut holt = Holt::default();
        points.iter().for_each(|it| holt.update(Some(*it)));
        holt
    }

    #[test]
    fn the_oracles_of_the_design_are_met() {
        let holt = after(&[0.0, 1.0, 2.0, 3.0]);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(near(holt.level().expect("points"), 1.535_955) && near(holt.trend(), 0.140_672), "{holt:?}");
        for (points, value) in [(1, 1.673_814), (2, 1.808_916), (12, 3.019_892)] {
            assert!(near(holt.ahead(points).expect("points"), value), "{points}");
        }
        assert_eq!(after(&[5.0, 5.0, 5.0]).ahead(60), Some(5.0));
        assert_eq!(
            (holt.highest(12), holt.highest(1)),
            (holt.ahead(12).expect("points"), holt.ahead(1).expect("points"))
        );
        let falling = after(&[3.0, 2.0, 1.0]);
        assert_eq!(falling.highest(12), falling.ahead(1).expect("points"));
    }

    #[test]
    fn fore_1_a_missing_point_is_stood_in_for_and_five_end_the_forecast() {
        let mut holt = after(&[0.0, 1.0, 2.0, 3.0]);
        let ahead = holt.ahead(5).expect("points");
        (0..4).for_each(|_| holt.update(None));
        assert!((holt.ahead(1).expect("still") - ahead).abs() < 1e-9, "it goes on as it was forecast");
        holt.update(None);
        assert_eq!((holt.level(), holt.ahead(1)), (None, None));
        holt.update(Some(7.0));
        assert_eq!(holt.ahead(3), Some(7.0), "and begins anew");
        assert_eq!(Holt::default().ahead(1), None);
    }
}
