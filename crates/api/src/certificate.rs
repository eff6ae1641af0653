//! What is promised of the thresholds of a route, and whether that holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A promise with its present state: never a bare yes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The file, by the digest of its bytes: `sha256:` and twelve hex digits.
    pub certificate: String,
    /// `valid`, `void` or `expired`.
    pub standing: String,
    /// Until when it is valid, or since when it is expired.
    pub until: Timestamp,
    /// Why it is void; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Since when it is void for what was seen in service; absent where it is not, or for something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The promise: answers are wrong at most so much more often than those of this tier alone, …
    pub epsilon: f64,
    /// The tier against which that is counted.
    pub against: String,
    /// … but for such a chance, …
    pub delta: f64,
    /// … where they are accepted from such a probability on.
    pub at_least: f64,
    /// How many rows it was tested on.
    pub n: u64,
    /// By how many answers it has been tested again in service, one row of each.
    #[serde(default)]
    pub tested: u64,
    /// What follows where it is not kept: `observe` or `enforce`.
    #[serde(default)]
    pub mode: String,
    /// How many steps the route has gone back for it.
    #[serde(default)]
    pub steps: u8,
    /// The probability from which on answers are accepted that far back; absent where it has not gone back, and where the tier that is
    /// compared with answers alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepped_to: Option<f64>,
}
