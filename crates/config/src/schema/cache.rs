//! `routes.NAME.cache`: what is kept of answers, for whom, and how long (F-140 to F-147).

mod semantic;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::semantic::Semantic;
use super::scalar::{Duration, Size};

/// Answers that are kept, to be given again to the same request of the same client: at once while they are fresh, and by a tier
/// of kind `cache` while they are better than none. Only what is verified complete is kept.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cache {
    /// How long an answer is fresh, a tenth more or less by its key (F-143).
    pub(crate) ttl: Duration,
    /// How old an answer of a tier of kind `cache` may be (F-143).
    pub(crate) stale_if_error: Duration,
    /// Whether a fresh answer is given at once, without asking a tier. Without it the cache is a fallback and nothing else.
    pub(crate) fresh: bool,
    /// Whose answers are kept (F-140).
    pub(crate) from: From,
    /// Requests that may wait for the answer to another one of the same, in place of asking for themselves; 0 lets each ask. Of
    /// no effect where fresh answers are off (F-145).
    #[schemars(range(min = 0, max = 65_536))]
    pub(crate) waiters: u32,
    /// The memory that it may take.
    pub(crate) memory: Size,
    /// The largest answer that is kept.
    pub(crate) max_entry: Size,
    /// Headers of a request that tell whose it is, such as that of its tenant, besides the credential: nobody gets what was kept
    /// for another value of one of them (F-141).
    #[schemars(length(max = 16))]
    pub(crate) vary: Vec<String>,
    /// Earlier answers to a question that was put in other words, of an `openai-chat` route; none by default (F-147).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) semantic: Option<Semantic>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            ttl: Duration::seconds(300),
            stale_if_error: Duration::seconds(3_600),
            fresh: true,
            from: From::default(),
            waiters: 16_384,
            memory: Size(64 << 20),
            max_entry: Size(1 << 20),
            vary: Vec::new(),
            semantic: None,
        }
    }
}

/// Whose answers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum From {
    /// Those of the first tier.
    #[default]
    Tier0,
    /// Those of every tier but a `fixed` one; each is told as what it was (F-142).
    Any,
}
