//! Readiness: whether a revision is applied, and whether a later one was refused (G-014).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whether this process answers, and by which revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// A revision is applied.
    pub ready: bool,
    /// Which.
    pub revision: Option<String>,
    /// The last configuration that was refused, until one is applied.
    pub rejected: Option<Rejected>,
    /// Tiers below the first that do not count as redundancy (F-153); absent where all do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<Unproven>,
}

/// A tier that does not count as redundancy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unproven {
    /// The route.
    pub route: String,
    /// The tier, by its name.
    pub tier: String,
    /// Why: `barred`, `unproven` or `stale`.
    pub why: String,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the file's bytes, as `sha256:` and twelve hex digits.
    pub digest: String,
    /// Mistakes in it.
    pub diagnostics: usize,
    /// The first of them, as `evenkeel check` prints them: place, key, what is wrong, and a hint. None holds a secret.
    #[serde(default)]
    pub messages: Vec<String>,
}
