//! `routes.NAME.tiers[]`: one ordered way to answer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    accept::Accept,
    breaker::Breaker,
    calibrate_to::CalibrateTo,
    contract::Datatype,
    first_token::FirstToken,
    map::MappedOutput,
    path::Kinds,
    scalar::{Duration, Limit, Size},
    vote::Vote,
};

/// One ordered way to answer. Exactly one kind of path stands in it.
// Flattened, so that a kind is one line in one registry; `shape` refuses unknown keys, with better words than serde's.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(crate) struct Tier {
    /// The name, unique within the route.
    pub(crate) name: String,
    /// The kind of answer that clients are told: `default` for a `fixed` answer, `rules` for rules; for a model `primary`
    /// or `distilled`, by default `primary` for the first tier and `distilled` for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<Method>,
    /// Time to the first content of a stream, or to its first thought; or `auto`: four times what 95 % of the streams with prompts of
    /// about the same length have taken here, from 2s to 20s, and 10s until 50 of them are known (F-022). The last model that may
    /// answer has all the time there is (F-028).
    #[serde(default = "first_token")]
    pub(crate) first_token: FirstToken,
    /// The longest silence after the first content (F-024).
    #[serde(default = "stall")]
    pub(crate) stall: Duration,
    /// The longest attempt (F-025).
    #[serde(default = "total")]
    pub(crate) total: Duration,
    /// How long the end of a stream may take after its `finish_reason`; 2s, or half of `stall` where that is less (F-005).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finalise: Option<Duration>,
    /// Tokens per second that a stream must say, thoughts included, over any ten seconds in which it is waited for: one that
    /// says fewer goes to the next model, or, once its client has begun to get it, counts against this one; 0 asks nothing (F-029).
    #[serde(default = "min_rate")]
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) min_rate: u16,
    /// Retries on this path per request (F-040).
    #[serde(default = "retries")]
    #[schemars(range(min = 0, max = 8))]
    pub(crate) retries: u8,
    /// The largest answer, at most 2 GiB; a larger one is a failure of the path (F-121).
    #[serde(default = "max_answer")]
    pub(crate) max_answer: Size,
    /// Work at once at each replica, from all routes that name the same model there: `auto` until the server pushes back
    /// and then what that has taught, or a number of requests, where one with more than 1,024 tokens, or of more than 1 MiB,
    /// counts as several (F-080, F-081). What finds no room goes to the next tier at once.
    #[serde(default)]
    pub(crate) limit: Limit,
    /// A second attempt at another replica, where the first is slower than 95 % are (F-090): for tensors, embeddings, and chats
    /// until their first content, at most 5 % of the route's cost.
    #[serde(default)]
    pub(crate) hedge: Hedge,
    /// The quota that this model draws on, where that is not its upstream's (F-051).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capacity_domain: Option<String>,
    /// Tokens that the model's window holds (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) context: Option<u64>,
    /// What the tier can do beyond plain text (F-036); where this is not given, a model everything, and a `fixed` answer neither
    /// `schema` nor `logprobs`, and `json` only where its text is a JSON object. A request that asks for more skips the tier, and is
    /// refused with 503 where none is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) features: Option<Vec<Feature>>,
    /// The languages that the tier understands, as `de` or `pt-BR`; without it all. A request that says another skips it (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) languages: Option<Vec<String>>,
    /// The datatypes of tensors that the tier takes; without it all. A request with another skips it (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datatypes: Option<Vec<Datatype>>,
    /// Every region in which its upstream may keep or compute what it is sent, by names of your own; without it nobody knows,
    /// and a request that says where it may go skips it (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) residency: Option<Vec<String>>,
    /// The vector space of an embeddings model: tiers of a route must share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) space: Option<String>,
    /// Whether the model goes on with an answer that was begun for it, so that a broken stream can be continued (F-126): by
    /// itself, where the last message is one of the assistant. vLLM does so only when it is told, which it is not yet.
    #[serde(default)]
    pub(crate) prefill: bool,
    /// Whether each call changes something: once it may have arrived there is no retry, hedge or splice on this path. A tier
    /// below may still be asked (F-034).
    #[serde(default)]
    pub(crate) effects: bool,
    /// How long new streams are kept off this path after one broke that its client had begun to get, while a model below
    /// can answer; at most 300s (F-077).
    #[serde(default = "after_break")]
    pub(crate) after_break: Duration,
    /// How outputs of the route are made of those of this tier, where it calls them otherwise or has others: by the names
    /// that the route's `output` declares. An output that does not stand here is taken as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) map: BTreeMap<String, MappedOutput>,
    /// How sure a model of an `oip` route must be of each row of its answer; without it every answer that meets the contract is
    /// accepted (OIP-35).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accept: Option<Accept>,
    /// Brings its scores to the scale of the first tier. It is done before `accept` looks at them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calibrate_to: Option<CalibrateTo>,
    /// How the answers of `paths` become one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vote: Option<Vote>,
    /// When this path is cut off and how it comes back.
    #[serde(default)]
    pub(crate) breaker: Breaker,
    #[serde(flatten)]
    pub(crate) kinds: Kinds,
}

impl Tier {
    /// Walks what it asks: itself, or each member of its ensemble.
    pub(crate) fn asked(&self) -> impl Iterator<Item = &Self> {
        let members = self.kinds.members();
        members.is_empty().then_some(self).into_iter().chain(members.iter().map(|it| &it.0))
    }

    /// Returns how long the end of a stream may take: what is said, else 2 s, but never as long as the silence that
    /// breaks a stream.
    pub(crate) fn finalise(&self) -> Duration {
        self.finalise.unwrap_or(Duration(Duration::seconds(2).0.min(self.stall.0 / 2)))
    }
}

/// The kind of answer that clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// The model that the route is about.
    Primary,
    /// A smaller model.
    Distilled,
    /// Several models and a vote.
    Ensemble,
    /// Verified documents.
    Retrieval,
    /// An earlier answer.
    Cache,
    /// Rules that an expert can read.
    Rules,
    /// The answer that cannot fail.
    Default,
}

impl Method {
    /// Returns the word of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Distilled => "distilled",
            Self::Ensemble => "ensemble",
            Self::Retrieval => "retrieval",
            Self::Cache => "cache",
            Self::Rules => "rules",
            Self::Default => "default",
        }
    }
}

/// Whether a slow attempt gets a second one beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hedge {
    /// Never.
    #[default]
    Off,
    /// Where it pays.
    Auto,
}

/// Something that a model may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Feature {
    /// Calls tools.
    Tools,
    /// Answers in JSON.
    Json,
    /// Answers by a JSON schema.
    Schema,
    /// Gives log-probabilities.
    Logprobs,
    /// Gives several choices.
    N,
    /// Reads images.
    Image,
    /// Reads or writes audio.
    Audio,
    /// Reads files.
    File,
}

pub(super) fn first_token() -> FirstToken {
    FirstToken::Fixed(Duration::seconds(10))
}

pub(super) fn stall() -> Duration {
    Duration::seconds(10)
}

pub(super) fn min_rate() -> u16 {
    2
}

pub(super) fn after_break() -> Duration {
    Duration::seconds(2)
}

pub(super) fn total() -> Duration {
    Duration::seconds(600)
}

fn retries() -> u8 {
    1
}

pub(super) fn max_answer() -> Size {
    Size(64 << 20)
}
