//! `routes.NAME`: the stable interface that clients call.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cache::{Cache, Semantic},
    certificate::Certificate,
    commit::Commit,
    contract::{Encoder, Input, Output},
    drift::Drift,
    enrich::Enrich,
    guards::Guards,
    post::Step,
    quality::Quality,
    scalar::{Duration, Ratio},
    shadow::Shadow,
    tier::Tier,
};

/// The stable interface that clients call.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// What its clients speak.
    pub(crate) protocol: RouteProtocol,
    /// Time to the first content of a stream, or to the complete answer; 30s for chat, 10s for embeddings, 2s for
    /// `oip` (F-021).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deadline: Option<Duration>,
    /// Remote attempts per request, at most (F-031).
    #[serde(default = "max_attempts")]
    #[schemars(range(min = 1, max = 16))]
    pub(crate) max_attempts: u8,
    /// What a provider's refusal of the content does (F-008).
    #[serde(default)]
    pub(crate) on_policy: OnPolicy,
    /// What an upstream's 400 for something that its model cannot do does (F-009). It says nothing of tiers whose `context` or
    /// `features` declare the lack: those are skipped in any case.
    #[serde(default)]
    pub(crate) on_capability: OnCapability,
    /// What happens when no tier can answer now (F-166).
    #[serde(default)]
    pub(crate) when_exhausted: WhenExhausted,
    /// What a stream must have said before any of it is sent, so that a failure until then is answered elsewhere:
    /// `first_content`, `full`, or `{n_chars: 200}` for so many characters (F-120, F-121).
    #[serde(default)]
    pub(crate) commit: Commit,
    /// What the route promises.
    #[serde(default)]
    pub(crate) slo: Slo,
    /// Who gives way first where a model has less room than work: `sheddable` stops at 80 % of a limit and `default` at
    /// 95 %, where a route of a higher class uses the same model (F-084).
    #[serde(default)]
    pub(crate) priority: Priority,
    /// A tier that cannot take the load of the one above it, by their `limit`s, is an error and not a warning (F-155).
    #[serde(default)]
    pub(crate) require_headroom: bool,
    /// What happens to a stream that breaks after its client has begun to get it (F-122).
    #[serde(default)]
    pub(crate) rescue: Rescue,
    /// The purse that pays retries (F-044).
    #[serde(default)]
    pub(crate) retry_budget: RetryBudget,
    /// What an `oip` route takes, and what inputs were like when all was well; on a chat route only the latter (`reference`, `text`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Input>,
    /// Features that a client of an `oip` route may leave out, and where they come from then (F-037).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrich: Option<Enrich>,
    /// What is asked of an input before it is answered, and what a breach does.
    #[serde(default, skip_serializing_if = "Guards::is_default")]
    pub(crate) guards: Guards,
    /// What is kept of answers, to be given again to the same request of the same client; without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache: Option<Cache>,
    /// Rows of one request, at most; larger ones are answered 400 (TN-06). By default 65,536 where `input` says what a
    /// row is; in any case no more than `rules` and `fixed` tiers answer, or a `map` writes, with 16 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) max_batch: Option<u64>,
    /// The versions under which an `oip` route is known to its clients, in digits; the first is meant where none is named. All
    /// are the same route: which version of a model answers is the tier's to say.
    #[serde(default = "versions")]
    #[schemars(length(min = 1, max = 64))]
    pub(crate) versions: Vec<String>,
    /// What an `oip` route gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Output>,
    /// What is done when inputs or outputs are no longer those of the reference; without it they are not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<Drift>,
    /// The header by which requests of one session are told, such as a conversation or a user: rows of one session depend on one another,
    /// so that at most one of them a minute is compared with the reference. A sequence of the Open Inference Protocol is a session anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session_key: Option<String>,
    /// A file of `evenkeel tune ROUTE ROWS.csv …`, or `{file, mode}`: what is promised of the thresholds of its tiers. Those may not be below
    /// what was certified; where a model is another one, or time is up, the promise is void, which is said and bars nothing. Where labels
    /// show in service that it is not kept, what follows is the mode's to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<Certificate>,
    /// Copies of live requests that keep the lower tiers exercised (F-150).
    #[serde(default)]
    pub(crate) shadow: Shadow,
    /// How long a good answer of a tier, to a request or to a copy of one, proves that it works; after that it does not count as
    /// redundancy in `evenkeel status`, and may still answer (F-153).
    #[serde(default = "rehearsal")]
    pub(crate) rehearsal: Duration,
    /// The language of requests that do not say one, by `evenkeel-language` or `content-language`: a tag as `de` or `pt-BR`.
    /// Tiers that declare others in `languages` are skipped (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) language: Option<String>,
    /// The regions that requests may go to: names that tiers declare in their own `residency`. A tier that declares another, or
    /// none, is skipped, for hedges and shadows as well; what is computed in this process is not. A client may narrow it by
    /// `evenkeel-residency`, never widen it (F-036).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) residency: Option<Vec<String>>,
    /// What is done to every answer, whichever tier gave it, step by step: each has one of `clamp`, `round`, `allow`, `redact`,
    /// `strip`, `max_length` and `json`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) post: Vec<Step>,
    /// What counts as right where the truth of an answer comes later.
    #[serde(default)]
    pub(crate) quality: Quality,
    /// Ways to answer, in order; the first is the primary.
    #[schemars(length(min = 1, max = 16))]
    pub(crate) tiers: Vec<Tier>,
}

/// What a route's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteProtocol {
    /// OpenAI chat completions, plain and streamed.
    OpenaiChat,
    /// OpenAI embeddings.
    OpenaiEmbeddings,
    /// The Open Inference Protocol, version 2.
    Oip,
}

impl RouteProtocol {
    /// Returns the word of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiEmbeddings => "openai-embeddings",
            Self::Oip => "oip",
        }
    }

    /// Says whether answers may be streams.
    pub(crate) const fn streams(self) -> bool {
        matches!(self, Self::OpenaiChat)
    }
}

impl Route {
    /// Returns how answers to other words are found, where they are looked for (F-147).
    pub(crate) fn semantic(&self) -> Option<&Semantic> {
        self.cache.as_ref()?.semantic.as_ref()
    }

    /// Returns who says what its texts mean, where a guard asks.
    pub(crate) fn encoder(&self) -> Option<&Encoder> {
        let input = self.input.as_ref().filter(|it| it.reference.is_some())?;
        let off = self.guards.distance.as_ref().is_some_and(|it| it.on().is_none());
        input.text.as_ref()?.embeddings.as_ref().filter(|_| !off)
    }

    /// Returns its own deadline, else that of its protocol (F-021).
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline.unwrap_or(Duration::seconds(match self.protocol {
            RouteProtocol::OpenaiChat => 30,
            RouteProtocol::OpenaiEmbeddings => 10,
            RouteProtocol::Oip => 2,
        }))
    }
}

/// What a refusal of the content does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnPolicy {
    /// The refusal is the answer.
    #[default]
    Error,
    /// The safe default answers.
    Default,
    /// The next tier is asked.
    Next,
}

/// What a missing capability does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnCapability {
    /// The next tier that can is asked.
    #[default]
    Next,
    /// The tier's own refusal is the answer.
    Error,
}

/// What happens when no tier can answer now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WhenExhausted {
    /// A few requests wait for a recovery that is near.
    #[default]
    Wait,
    /// Every request is refused at once.
    Refuse,
}

/// What a route promises.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Slo {
    /// How long its answers take.
    pub(crate) latency: LatencySlo,
}

/// How long the answers of a route take.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LatencySlo {
    /// The time that 95 of 100 first contents of a stream, or answers in one piece, keep to. A tier most of whose answers are
    /// beyond it is left for a lower one, and must keep to it to come back; without it the bound is three times the median of
    /// the tier's last hour (F-064, F-070).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p95: Option<Duration>,
}

/// Who gives way first where there is less room than work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Priority {
    /// Somebody's work stands still without an answer.
    Critical,
    /// Everything that nothing else is said of.
    #[default]
    Default,
    /// Can be answered by a lower tier, or later, without harm.
    Sheddable,
}

impl Priority {
    /// Returns what the core calls it.
    pub(crate) fn in_core(self) -> evenkeel_core::Priority {
        match self {
            Self::Critical => evenkeel_core::Priority::Critical,
            Self::Default => evenkeel_core::Priority::Default,
            Self::Sheddable => evenkeel_core::Priority::Sheddable,
        }
    }
}

/// What happens to a stream that breaks after its client has begun to get it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rescue {
    /// Another path says the same again and goes on, where it does; one that can goes on with what was said.
    #[default]
    Splice,
    /// The client is told that it broke.
    Off,
}

/// The purse that pays retries.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RetryBudget {
    /// The share of a first attempt's cost that is put in.
    pub(crate) ratio: Ratio,
    /// Retries per period that are paid even from an empty purse.
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) floor: u32,
    /// The period.
    pub(crate) per: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { ratio: Ratio(100), floor: 3, per: Duration::seconds(10) }
    }
}

fn versions() -> Vec<String> {
    vec!["1".into()]
}

fn rehearsal() -> Duration {
    Duration::seconds(86_400)
}

fn max_attempts() -> u8 {
    4
}
