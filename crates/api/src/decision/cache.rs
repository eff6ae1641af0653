//! What the cache had to do with a request.

use serde::{Deserialize, Serialize};

/// What the cache had to do with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cached {
    /// How it was found: `fresh` and `stale` answered, `similar` is an answer to other words, `shared` is the answer to another request of the same, at `miss` nothing did that is young enough, `refused` by the client for its
    /// age, `bypass` where nothing may be kept of the request.
    pub status: String,
    /// How old the answer was, in milliseconds, where it was an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// How near the question of an answer to other words is, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity_permille: Option<u16>,
    /// The decision that such an answer was first given by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// What came of looking for one: `found`, `nothing`, `otherwise` (a word that tells was another), or why nobody said what the question
    /// means: `slow`, `failed`, `garbage`, `breaker_open`, `busy`. Absent where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<String>,
    /// `stored`, or why the answer is not kept: `no_answer`, `lower_tier`, `mended`, `in_part`, `done_missing`, `event_skipped`,
    /// `slow`, `finish_reason`, `form`, `too_large`, `no_room`, `documents`. Absent where there was nothing to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}
