//! Trigger: what makes a route leave its first tier, and how each is forecast.

use evenkeel_signals::forecast::{FIVE_MINUTES, Scale, Setting, Side};

/// The share of requests that a guard moves from which the route, and not single requests, has left its first tier.
pub(super) const MOST_MOVED: f64 = 0.5;

/// What makes a route leave its first tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trigger {
    /// Attempts that failed, of those of the slow window of the breaker.
    ErrorRatio,
    /// The 95th percentile of times to first content over 30 s, against the objective of the route, ms.
    Latency,
    /// Work in flight at the replica that has least of it, in per cent of its limit.
    Concurrency,
    /// The score of a route that leaves its first tier at an alarm; 1 is one.
    Drift,
    /// How sure the first tier is on average over 30 s, against what is accepted.
    Confidence,
    /// The share of the requests of 30 s that this guard moves, by its key.
    Guard(&'static str),
}

impl Trigger {
    /// Returns the word of people and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ErrorRatio => "error ratio",
            Self::Latency => "p95 latency",
            Self::Concurrency => "concurrency",
            Self::Drift => "drift score",
            Self::Confidence => "mean confidence",
            Self::Guard("anomaly") => "anomalous inputs",
            Self::Guard("distance") => "inputs of far meaning",
            Self::Guard("contract") => "inputs of another type",
            Self::Guard("fallback_risk") => "fallback risk",
            Self::Guard("missing") => "missing features",
            Self::Guard("norm") => "lengths of embeddings",
            Self::Guard("range") => "values out of range",
            Self::Guard("staleness") => "stale features",
            Self::Guard("unseen") => "unseen categories",
            Self::Guard(other) => other,
        }
    }

    /// Returns how it is forecast against a threshold.
    pub(super) fn setting(self, threshold: f64) -> Setting {
        let (scale, side) = match self {
            Self::ErrorRatio | Self::Guard(_) => (Scale::Ratio, Side::Above),
            Self::Latency | Self::Concurrency => (Scale::Count, Side::Above),
            // It is a logarithm as it comes.
            Self::Drift => (Scale::Plain, Side::Above),
            Self::Confidence if threshold > 0.0 && threshold < 1.0 => (Scale::Ratio, Side::Below),
            // That of log-probabilities, or of another number that is no share.
            Self::Confidence => (Scale::Plain, Side::Below),
        };
        Setting { scale, side, threshold, horizon: FIVE_MINUTES }
    }
}
