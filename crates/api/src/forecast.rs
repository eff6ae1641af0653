//! How likely a route falls back soon, and by what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How likely a route leaves its first tier soon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The probability, of the trigger that is most likely crossed.
    pub probability: f64,
    /// Within how many seconds.
    pub within_s: u64,
    /// The trigger: `error ratio`, `p95 latency`, `concurrency`, `drift score`, `mean confidence`, or what a guard looks for:
    /// `missing features`, `noise`, `anomalous inputs` and so on.
    pub because: String,
    /// Its value, and the threshold that it may cross, in its own unit: a ratio, milliseconds, per cent of the limit, a
    /// score, a confidence.
    pub value: Option<f64>,
    /// See [`Self::value`].
    pub threshold: f64,
    /// Whether it is likely enough to warn of: from 0.7 on, until it is below 0.5.
    pub warns: bool,
    /// After how many seconds it is as likely crossed as not, where it warns and that is within 15 minutes.
    pub crosses_in_s: Option<u64>,
    /// Forecasts that were judged by what came.
    pub judged: u64,
    /// Their mean squared error.
    pub brier: f64,
    /// One less the ratio of that to the error of "nothing will change"; none where nothing was crossed yet.
    pub skill: Option<f64>,
    /// The time of the latest point.
    pub as_of: Timestamp,
}
