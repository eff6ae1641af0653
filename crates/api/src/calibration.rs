//! By which map the scores of a tier were brought to the scale of the first one, for records and states.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The maps that scores went through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// The file, by the digest of its bytes: `sha256:` and twelve hex digits.
    pub map: String,
    /// The tier whose scale it is.
    pub to: String,
    /// What the maps keep: `mean` or `rate`.
    #[serde(rename = "match")]
    pub keeps: String,
    /// When the latest row was seen that taught them.
    pub as_of: Timestamp,
    /// By output.
    pub outputs: BTreeMap<String, CalibratedOutput>,
}

/// The map of one output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibratedOutput {
    /// How many rows taught it.
    pub n: u64,
    /// Its shape: `identity`, `platt`, `isotonic` or `rate`; of several classes the first's.
    pub shape: String,
}
