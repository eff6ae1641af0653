//! Forecast: will a trigger cross its threshold soon (`signals.md` §11).
//!
//! A trigger (error ratio, p95, concurrency …) is a point every 5 s. Damped Holt carries its level and trend on; how far it was off
//! before says how likely the threshold is crossed; and what came of all that was said before says what such a likelihood is worth.
//!
//! ```text
//! point -> scale -> Holt -> highest value within the horizon -> + residuals of 240 points -> raw P -> isotonic -> P(cross)
//! ```
//!
//! # Invariants
//! - `FORE-1`: a point that is missing is stood in for by the forecast; after five in a row there is none.
//! - `FORE-2`: below 240 judged points nothing is said.
//! - `FORE-3`: where what was said is worse than "nothing will change", the forecast hides itself, until it is better again.
//!
//! # When it misleads
//! Sudden failures cannot be forecast. What is said is checked against what came, not promised.
//!
//! # Source
//! Gardner, McKenzie 1985 (damped trend); Brier 1950; isotonic calibration by pool adjacent violators.

mod history;
mod holt;
mod skill;

pub use holt::Holt;
pub use skill::Skill;

use crate::{RATIO, math, quantise, shape::Reading};
use history::{History, Point};
use skill::Judge;

/// Points of 5 s within five minutes.
pub const FIVE_MINUTES: usize = 60;
/// Points of 5 s within fifteen minutes: as far as the time to a threshold is told.
pub const FARTHEST: usize = 180;
/// Of the probability: a warning begins.
const WARN: f64 = 0.7;
/// Of the probability: the time to the threshold, and below it a warning ends.
const EVEN: f64 = 0.5;
/// Scores of 0 and 1 are this far from them on the scale of log-odds.
const EDGE: f64 = 1e-4;

/// The scale on which a trigger moves evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Ratios: log-odds.
    Ratio,
    /// Times, counts and other numbers of at least 0: logarithms of 1 more.
    Count,
    /// As it is.
    Plain,
}

/// On which side of the threshold the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At or above it.
    Above,
    /// At or below it.
    Below,
}

/// What is forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// The scale of the trigger.
    pub scale: Scale,
    /// Where the trouble is.
    pub side: Side,
    /// The threshold, in the trigger's own unit.
    pub threshold: f64,
    /// Points ahead.
    pub horizon: usize,
}

impl Setting {
    /// Returns a value on a scale on which trouble is above and steps are even; none for what is no number.
    fn height(&self, x: f64) -> Option<f64> {
        let y = match self.scale {
            Scale::Ratio => math::logit(x.clamp(EDGE, 1.0 - EDGE)),
            Scale::Count => math::ln(1.0 + x.max(0.0)),
            Scale::Plain => x,
        };
        let y = if self.side == Side::Above { y } else { -y };
        (x.is_finite() && y.is_finite()).then_some(y)
    }
}

/// What a forecast amounts to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// The threshold is crossed already.
    Crossed,
    /// It has not been crossed within memory: what is said has not been tried.
    Untried,
    /// What was said was better than "nothing will change".
    Tried,
}

/// A forecast of one trigger.
#[derive(Clone, Debug)]
pub struct Forecast {
    setting: Setting,
    threshold: f64,
    holt: Holt,
    history: History,
    judge: Judge,
    as_of: u64,
    now: Option<(f64, f64)>,
}

impl Forecast {
    /// Begins; none where the threshold is no number or the horizon is not between 1 and 180 points.
    pub fn new(setting: Setting) -> Option<Self> {
        let threshold = setting.height(setting.threshold)?;
        (1..=FARTHEST).contains(&setting.horizon).then(|| Self {
            setting,
            threshold,
            holt: Holt::default(),
            history: History::new(setting.horizon),
            judge: Judge::default(),
            as_of: 0,
            now: None,
        })
    }

    /// Takes the point of a tick; none where there is none.
    pub fn update(&mut self, at: u64, x: Option<f64>) {
        self.as_of = at;
        let x = x.and_then(|it| self.setting.height(it));
        self.holt.update(x);
        let Some(level) = self.holt.level() else {
            self.now = None;
            self.history.clear();
            self.judge.tick(false, None);
            return;
        };
        // What stands in for a missing point is not what came: it neither crosses nor judges.
        let point = Point { x, level, trend: self.holt.trend(), said: None };
        if let Some(due) = self.history.push(point)
            && let Some((raw, p)) = due.said
        {
            self.judge.judge(raw, p, due.highest >= self.threshold);
        }
        let here = x.unwrap_or(level) >= self.threshold;
        self.now = self
            .history
            .raw(self.holt.highest(self.setting.horizon), self.threshold)
            .map(|raw| (raw, self.judge.calibrated(raw)));
        if !here {
            self.history.say(self.now);
        }
        let shown = self.now.filter(|_| !self.judge.hides()).map(|it| it.1);
        self.judge.tick(here, shown);
    }

    /// Says how likely the threshold is crossed within the horizon; none before 240 points are judged, after five missing ones, and
    /// while what was said is worse than "nothing will change" (`FORE-2`, `FORE-1`, `FORE-3`).
    pub fn read(&self) -> Option<Reading<State>> {
        let (_, p) = self.now?;
        let (value, state) = match self.history.latest() {
            Some(x) if x >= self.threshold => (1.0, State::Crossed),
            _ if self.judge.hides() => return None,
            _ => (p, if self.judge.tried() { State::Tried } else { State::Untried }),
        };
        let samples = self.judge.skill().judged;
        Some(Reading { value, lo: value, hi: value, samples, as_of: self.as_of, state })
    }

    /// Says whether to warn: the threshold is likely to be crossed within the horizon (P ≥ .7, and until P < .5), and is not yet.
    pub fn warns(&self) -> bool {
        self.judge.warns()
    }

    /// Returns the signal: the probability in 1/10,000.
    pub fn quantise(&self) -> Option<i64> {
        self.read().and_then(|it| quantise(it.value, RATIO))
    }

    /// Returns after how many points, of at most 180, the threshold is as likely crossed as not.
    ///
    /// # Cost
    /// 43,000 comparisons; on demand.
    pub fn points_to_threshold(&self) -> Option<usize> {
        self.read()?;
        self.history.first_likely(&self.holt, self.threshold, EVEN)
    }

    /// Returns what came of what was said.
    pub fn skill(&self) -> Skill {
        self.judge.skill()
    }
}

#[cfg(test)]
mod tests;
