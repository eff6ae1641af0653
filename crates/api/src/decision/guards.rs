//! What guards found in the input of a request: names of features and numbers that were compared, and never a value.

use serde::{Deserialize, Serialize};

/// Against what, and how much of it, an input was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The digest of the reference, `sha256:` and twelve digits; `null` where there is none.
    pub reference: Option<String>,
    /// Rows that were looked at, evenly spread where they are not all.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

/// What one guard found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// Its key: `contract`, `missing`, `range`, `unseen`, `norm`, `noise`, `staleness`, `anomaly`, `distance`, `fallback_risk`.
    pub guard: String,
    /// What was measured, a decimal string: a count of features; a share with four places; p with six; ms; `null` where it could
    /// not be measured.
    pub value: Option<String>,
    /// What it was compared with.
    pub threshold: String,
    /// Whether it speaks against the input.
    pub breached: bool,
    /// The first tier that is asked about what is in breach; absent where a breach is only told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// The features in breach, in the order of the reference, 16 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: u64,
    /// Of an anomaly, the columns with the largest share of the distance, three at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Share>,
    /// Of an anomaly, or of a text of which it is known what it means, the nearest row of the reference: its source and its number there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Whether the route drifts, so that what is called anomalous may be usual by now; absent where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// Of `distance`, how asking what the text means has ended: `ok`, `no_text`, `not_allowed` (the request may not go there), `answered_first`,
    /// `breaker_open`, `busy`, `other_length`, `no_direction`, or how the call failed, `class.code`; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
}

/// The share of a column in a distance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The column, or what it is of one: `question.byte_entropy`.
    pub column: String,
    /// Its share, in thousandths.
    pub permille: u16,
}

fn is_none(more: &u64) -> bool {
    *more == 0
}
