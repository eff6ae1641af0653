//! Canary: does a new revision do harm, and is it safe to go on (`signals.md` §6).
//!
//! Per metric a row is the difference of two losses, new less old, in [−1, 1]. Two engines bet on it: one that the new revision is
//! worse than the old one by more than a margin, one that it is not. The first to be rich enough decides; as long as none is, the
//! step goes on to its end.
//!
//! # Guarantee
//! P(rollback of a revision that is worse by at most the margin in every metric) ≤ α, and P(early advance of one that is worse by at
//! least the margin in some metric) ≤ β, at any number of looks.
//!
//! # Invariants
//! - `CAN-1`: harm in any metric rolls back: with d metrics its odds must reach d/α.
//! - `CAN-2`: an early advance wants all metrics to be safe, each with odds of 1/β.
//! - `CAN-3`: an answer that is missing is a loss of 1; a row without a label is no row.
//! - `CAN-4`: latency enters as being above a quantile of the old revision, never as a mean.
//!
//! # When it misleads
//! If the two arms are not comparable (sticky users, effects of rollout shadow), or what judges the loss has drifted.
//!
//! # Source
//! Lindon, Sanden, Shirikian 2022 for canaries; the bets are those of [`crate::eproc`].

mod arms;
mod metric;
mod share;

pub use arms::{Arm, Arms, WAITING};
pub use metric::{Metric, Odds};
pub use share::Share;

/// What a rollout promises. The defaults are those of the design: α .01, β .05, margin .02.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The chance of a false rollback.
    pub alpha: f64,
    /// The chance of a false early advance.
    pub beta: f64,
    /// What the new revision may be worse by, as a difference of mean losses.
    pub margin: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { alpha: 0.01, beta: 0.05, margin: 0.02 }
    }
}

/// What the rows so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Neither is shown: the step goes on to its end.
    Hold,
    /// All metrics are safe: the step may end early.
    Safe,
    /// This metric is harmed: roll back now.
    Harm {
        /// Its place.
        metric: usize,
    },
}

/// What came of one request, as far as a metric can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It was answered, and this was lost, in [0, 1].
    Lost(f64),
    /// There was no answer.
    Missing,
    /// There is no label (yet).
    Unlabelled,
}

impl Outcome {
    /// Returns the loss (`CAN-3`); none where this is no row.
    pub fn loss(self) -> Option<f64> {
        match self {
            Self::Lost(loss) => loss.is_finite().then(|| loss.clamp(0.0, 1.0)),
            Self::Missing => Some(1.0),
            Self::Unlabelled => None,
        }
    }

    /// Judges a latency by a quantile of the old revision, both in one unit (`CAN-4`); one that is no number is no answer.
    pub fn slower_than(latency: f64, quantile: f64) -> Self {
        if latency.is_nan() { Self::Missing } else { Self::Lost(f64::from(u8::from(latency > quantile))) }
    }
}

/// The metrics of one rollout step.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    terms: Terms,
    metrics: Vec<Metric>,
    harmed: Option<usize>,
}

impl Canary {
    /// Begins with so many metrics; none where there is no metric, or α or β is not strictly between 0 and 1, or the margin not within
    /// [0, 1).
    pub fn new(terms: Terms, metrics: usize) -> Option<Self> {
        let chance = |it: f64| it > 0.0 && it < 1.0;
        let metric = Metric::new(terms.margin)?;
        let sound = metrics > 0 && chance(terms.alpha) && chance(terms.beta);
        sound.then(|| Self { terms, metrics: vec![metric; metrics], harmed: None })
    }

    /// Counts a pair of outcomes of one metric: a request that both answered, or the k-th of each arm. A pair that lacks a label is no row.
    pub fn update(&mut self, at: u64, metric: usize, new: Outcome, old: Outcome) {
        let Some((new, old)) = new.loss().zip(old.loss()) else { return };
        let most = self.harm_odds();
        if let Some(it) = self.metrics.get_mut(metric) {
            it.update(at, new - old);
            // What was shown once stays shown, whatever comes before somebody looks.
            if self.harmed.is_none() && it.is_harmed(most) {
                self.harmed = Some(metric);
            }
        }
    }

    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        if let Some(metric) = self.harmed {
            return Verdict::Harm { metric };
        }
        let safe = self.metrics.iter().all(|it| it.is_safe(1.0 / self.terms.beta));
        if safe { Verdict::Safe } else { Verdict::Hold }
    }

    /// Returns the evidence in a metric.
    pub fn odds(&self, metric: usize) -> Option<Odds> {
        self.metrics.get(metric).map(Metric::odds)
    }

    /// Returns how many more rows of a metric it takes, at the rate so far, until harm or safety is shown, whichever is nearer; none
    /// where the rows so far lead to neither. Evidence grows slowly at first: the first tellings are too many rather than too few.
    pub fn still_needed(&self, metric: usize) -> Option<u64> {
        self.metrics.get(metric)?.still_needed(self.harm_odds(), 1.0 / self.terms.beta)
    }

    /// The odds at which harm is shown (`CAN-1`).
    fn harm_odds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count of metrics")]
        let metrics = self.metrics.len() as f64;
        metrics / self.terms.alpha
    }
}

#[cfg(test)]
mod tests;
