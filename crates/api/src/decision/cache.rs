//! What the cache had to do with a request.

use serde::{Deserialize, Serialize};

/// What the cache had to do with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cached {
    /// How it was found: `fresh` and `stale` answered, `shared` is the answer to another request of the same, at `miss` nothing did that is young enough, `refused` by the client for its
    /// age, `bypass` where nothing may be kept of the request.
    pub status: String,
    /// How old the answer was, in milliseconds, where it was an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// `stored`, or why the answer is not kept: `no_answer`, `lower_tier`, `mended`, `in_part`, `done_missing`, `event_skipped`,
    /// `slow`, `finish_reason`, `form`, `too_large`. Absent where there was nothing to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}
