//! Metric: the two bets on one difference of losses.

use crate::{
    eproc::{EProc, Form, Null, Wealth},
    math, quantise,
};

/// The evidence in one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Odds against "worse by at most the margin".
    pub harm: f64,
    /// Odds against "worse by at least the margin".
    pub safe: f64,
    /// Rows so far.
    pub rows: u64,
}

/// One metric of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    harm: EProc,
    safe: EProc,
}

impl Metric {
    /// A metric without rows; none where the margin is not within [0, 1).
    pub fn new(margin: f64) -> Option<Self> {
        let bounds = (-1.0, 1.0);
        let engine = |null| EProc::new(Form::Plain, null);
        let sound = (0.0..1.0).contains(&margin);
        let (most, least) = (Null::at_most(margin, bounds)?, Null::at_least(margin, bounds)?);
        sound.then(|| Self { harm: engine(most), safe: engine(least) })
    }

    /// Bets on a difference of losses, new less old.
    pub fn update(&mut self, at: u64, difference: f64) {
        self.harm.update(at, difference);
        self.safe.update(at, difference);
    }

    /// Returns the evidence.
    pub fn odds(&self) -> Odds {
        let [harm, safe] = [&self.harm, &self.safe].map(|it| it.wealth().number());
        Odds { harm, safe, rows: self.harm.counts()[0] }
    }

    /// Says whether the odds of harm reach a bound.
    pub(super) fn is_harmed(&self, odds: f64) -> bool {
        self.harm.reaches(odds)
    }

    /// Says whether the odds of safety reach a bound.
    pub(super) fn is_safe(&self, odds: f64) -> bool {
        self.safe.reaches(odds)
    }

    /// Returns the signals `rollout_harm` and `rollout_safe`: common logarithms of the odds, in thousandths.
    pub fn quantise(&self) -> [Option<i64>; 2] {
        [&self.harm, &self.safe].map(|it| quantise(it.wealth().log10(), 1_000))
    }

    /// Returns how many more rows it takes, if evidence grows on as it did.
    pub(super) fn still_needed(&self, harm: f64, safe: f64) -> Option<u64> {
        let [rows, ..] = self.harm.counts();
        let needed = |it: &EProc, most: f64| rows_until(it.wealth(), rows, most);
        needed(&self.harm, harm).into_iter().chain(needed(&self.safe, safe)).min()
    }
}

/// Rows until odds reach a bound, at their mean growth so far; 0 where they have, none where they do not grow.
fn rows_until(odds: Wealth, rows: u64, most: f64) -> Option<u64> {
    let (now, most) = (odds.ln(), math::ln(most));
    if now >= most {
        return Some(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let growth = now / rows.max(1) as f64;
    let needed = ((most - now) / growth).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10^15")]
    (growth > 0.0 && needed < 1e15).then_some(needed as u64)
}
