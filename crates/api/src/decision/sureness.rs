//! How sure a model was of its answer, as that was compared with what its tier asks for.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How sure a model was of its answer, in the row in which it was least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sureness {
    /// By its own word, a decimal string; absent where that could not be computed of every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What its tier asks for, a decimal string: of `right` where that was learnt, else of `said`.
    pub at_least: String,
    /// Rows that were not accepted; of a text at most one.
    pub low: u64,
    /// How likely it is right by what was learnt, in thousandths; absent where nothing was, or it could not be computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right_permille: Option<u16>,
    /// By what that is known; absent where nothing was learnt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<LearntBy>,
}

/// What was learnt of how often a path is right that is so sure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearntBy {
    /// The file, by the digest of its bytes: `sha256:` and twelve hex digits.
    pub calibration: String,
    /// How many rows taught it.
    pub n: u64,
    /// When they were seen.
    pub as_of: Timestamp,
}
