//! Whether what comes in and goes out of a route is still like its reference, for states (`signals.md`, section 5).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a route stands with drift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// `stable`, `warning` or `drift`; absent before the first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How strong the evidence is: 1 is an alarm, and a sixth less is ten times less; absent before the first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Rows that were looked at.
    pub samples: u64,
    /// When the last of them came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// The reference, by its digest.
    pub reference: String,
    /// What follows from an alarm: `observe`, `recommend` or `enforce`.
    pub mode: String,
    /// The tier at which requests start while an alarm stands, or would; absent where nothing follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// The alarm that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<DriftAlarm>,
    /// It is proposed to start lower, since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_since: Option<Timestamp>,
    /// The share of the requests that the tiers above `start_at` get, 0 to 1, where that is not all: under `enforce`, while an
    /// alarm stands and on the way back from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// The streams that are watched, the strongest evidence first: 20 at most.
    pub streams: Vec<DriftStream>,
    /// Rows that were not looked at for want of room.
    pub dropped: u64,
    /// Streams that are not watched, since the reference has too few rows of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub too_few: Vec<TooFew>,
    /// The strongest score of each minute of the last hour in which there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<DriftPoint>,
}

/// How strong the evidence was in a minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftPoint {
    /// When the minute began.
    pub at: Timestamp,
    /// The strongest score in it.
    pub score: f64,
}

/// An alarm: since about when, and who carries it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftAlarm {
    /// When it came.
    pub at: Timestamp,
    /// Since about when the first culprit differs.
    pub since: Timestamp,
    /// Rows until then.
    pub samples: u64,
    /// The streams that carry it, the strongest first.
    pub culprits: Vec<Culprit>,
}

/// A stream that carries an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Culprit {
    /// Its name, as `feature:age`.
    pub stream: String,
    /// How strong its own evidence was at the alarm.
    pub score: f64,
    /// Since about when it differs.
    pub since: Timestamp,
}

/// A stream as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftStream {
    /// Its name: `feature:NAME`, `row_score`, `output:TIER.NAME`, `confidence:TIER`.
    pub stream: String,
    /// `stable`, `warning` or `drift`.
    pub state: String,
    /// How strong the evidence is; absent before its first row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// A stream that is not watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TooFew {
    /// Its name.
    pub stream: String,
    /// The rows of the reference, where it has the fewest.
    pub rows: u64,
}
