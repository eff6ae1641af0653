//! What rules answered, and what the steps of a route did to answers: counts, and never what was changed.

use serde::{Deserialize, Serialize};

/// Rows that a rule has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRows {
    /// Its id, in mode `score` that of the first that held; `null` where none held, and `otherwise` answered.
    pub rule: Option<String>,
    /// The rule whose condition could not be computed, so that `otherwise` answered; absent where all could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// How many rows.
    pub rows: u64,
}

/// What a step of `post` did to an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Whose answer it was.
    pub path: String,
    /// The position of the step in `post`, from 0.
    pub step: usize,
    /// Its key: `clamp`, `redact`, …
    pub name: String,
    /// The output that it is about; absent where it is about the text of a chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Which part of it: the name of a pattern, or what was mended; absent where it has one part only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// How many places it changed.
    pub changes: u64,
    /// Whether it did not let the answer pass; absent where it did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}
