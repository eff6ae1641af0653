//! `routes.NAME.cache.semantic`: earlier answers to a question that was put in other words (F-147).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::scalar::{Duration, Ratio};

/// Earlier answers to a question of the same client that was put in other words: by the tier of kind `cache`, where there is none to
/// the same words. Everything but the last message of the user must be the same, and in that every number, name, identifier,
/// quoted text and negation.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Semantic {
    /// Who says what a question means.
    pub(crate) embeddings: Embeddings,
    /// How near the question that was answered must be: the least cosine between what both mean. What paraphrases come to differs
    /// from model to model: the record of a decision shows it, as `similarity_permille`.
    #[serde(default = "close")]
    pub(crate) at_least: Ratio,
    /// Whether an answer to other words that is fresh is given at once, without asking a tier. Each request that is not kept in its
    /// own words then waits for `embeddings`.
    #[serde(default)]
    pub(crate) fresh: bool,
    /// Questions that one is compared with, at most: those of one client that differ in nothing else. The oldest goes first.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 4_096))]
    pub(crate) entries: u32,
}

/// Who says what a question means.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CacheEmbeddings")]
pub(crate) struct Embeddings {
    /// The upstream that runs the model.
    pub(crate) upstream: String,
    /// Its name there.
    pub(crate) model: String,
    /// How long the answer may take, never more than half of what is left to the request; after that there is no earlier answer.
    #[serde(default = "short")]
    pub(crate) timeout: Duration,
}

fn close() -> Ratio {
    Ratio(950)
}

fn thousand() -> u32 {
    1_024
}

fn short() -> Duration {
    Duration(300_000_000)
}
