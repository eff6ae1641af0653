//! What the votes of an ensemble are worth, where that was learnt from rows of which it is known what is right.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What votes are worth, in the row of which that is least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// The file by which that is known, by the digest of its bytes: `sha256:` and twelve hex digits.
    pub calibration: String,
    /// When the rows were seen that taught it.
    pub as_of: Timestamp,
    /// How many rows stand behind the confidence, at least; 0 where there is none.
    pub n: u64,
    /// The share of the votes that the winner had, in thousandths: it claims too much where members err together.
    pub share_permille: u16,
    /// How likely the winner is right, in thousandths; absent where nothing is known of votes of just those who voted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_permille: Option<u16>,
}

/// How likely an answer is right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidence {
    /// By what that is known: `votes`, `calibrated`.
    pub kind: String,
    /// The probability, a decimal string.
    pub value: String,
    /// How many rows stand behind it.
    pub n: u64,
    /// When they were seen.
    pub as_of: Timestamp,
}
