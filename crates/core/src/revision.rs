//! The compiled revision: routes, tiers, paths and upstreams as the core needs them, immutable.
//!
//! `config` compiles it from the file and makes sure that it cannot be wrong; the core trusts it.
//!
//! # Invariants
//! - `REV-1`: every route has at least one tier; tiers are in order, tier 0 first.
//! - `REV-2`: every tier has a path of its own, and so has every member of an ensemble, so a path's state is keyed by route
//!   and path name.
//! - `REV-3`: a [`Where::Remote`] path names an upstream with at least one address.
//! - `REV-4`: ramp steps ascend and end at 1,000 permille; windows, leases and counts are at least 1.

use alloc::{string::String, vec::Vec};

use crate::{
    cache::CachePolicy,
    capability::{Can, Names},
    certificate::StepPolicy,
    clock::Nanos,
    drift::DriftPolicy,
    ensemble::Ensemble,
    guard::Guard,
    id::{PathId, RouteId, UpstreamId},
    priority::Priority,
    rows::RowRule,
    shadow::ShadowPolicy,
    unit::Permille,
};

/// An immutable configuration, named by its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// SHA-256 of the canonical form.
    pub digest: [u8; 32],
    /// Routes, sorted by name.
    pub routes: Vec<Route>,
    /// Paths, in the order of routes and tiers; the members of an ensemble after the path that stands for it.
    pub paths: Vec<Path>,
    /// Upstreams, sorted by name.
    pub upstreams: Vec<Upstream>,
    /// The languages and regions that its paths name.
    pub names: Names,
}

impl Revision {
    /// Finds a route by the name that clients send as `model`.
    pub fn route(&self, name: &str) -> Option<RouteId> {
        self.routes.binary_search_by(|route| route.name.as_str().cmp(name)).ok().map(|index| RouteId(index as u16))
    }
}

/// The protocol that a route's clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI chat completions, plain and streamed.
    OpenaiChat,
    /// OpenAI embeddings.
    OpenaiEmbeddings,
    /// Open Inference Protocol v2.
    Oip,
}

impl Protocol {
    /// Returns the word that configuration and records use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiEmbeddings => "openai-embeddings",
            Self::Oip => "oip",
        }
    }

    /// Returns what its clients may ask for.
    pub(crate) const fn operations(self) -> &'static [Operation] {
        match self {
            Self::OpenaiChat => &[Operation::Chat, Operation::ChatStream],
            Self::OpenaiEmbeddings => &[Operation::Embeddings],
            Self::Oip => &[Operation::Infer],
        }
    }
}

/// What is asked of a path; each has a breaker of its own (F-060).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// A chat completion in one piece.
    Chat,
    /// A chat completion as a stream.
    ChatStream,
    /// Embeddings.
    Embeddings,
    /// Inference over tensors.
    Infer,
}

impl Operation {
    /// Returns the word that records and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatStream => "chat-stream",
            Self::Embeddings => "embeddings",
            Self::Infer => "infer",
        }
    }

    /// Says whether the answer is a stream, which commits before it ends.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::ChatStream)
    }
}

/// The stable interface that clients call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The name that clients send as `model`.
    pub name: String,
    /// What its clients speak.
    pub protocol: Protocol,
    /// Time to commit for streams, to the complete answer otherwise (F-021).
    pub deadline: Nanos,
    /// Remote attempts per request, at most (F-031).
    pub max_attempts: u8,
    /// What a content refusal does (F-008).
    pub on_policy: OnPolicy,
    /// What a missing capability does (F-009).
    pub on_capability: OnCapability,
    /// The purse that pays retries (F-044).
    pub budget: BudgetPolicy,
    /// What happens when no tier can answer now (F-166).
    pub when_exhausted: WhenExhausted,
    /// What a stream must have said before any of it is sent (F-120).
    pub commit: CommitPoint,
    /// Who gives way first when there is less room than work (F-084).
    pub priority: Priority,
    /// Whether a committed stream that broke is mended, where it can be (F-122).
    pub rescue: bool,
    /// Which tiers are not asked about rows that are imputed for the greater part (F-037).
    pub imputed: ImputedPolicy,
    /// Which of its requests are copied to the tiers below, to keep those exercised (F-150).
    pub shadow: ShadowPolicy,
    /// How long a good answer proves that a tier works (F-153).
    pub rehearsal: Nanos,
    /// How it uses earlier answers, where it does (F-143).
    pub cache: Option<CachePolicy>,
    /// What it takes of the numbers that guards measure, in the order of their authority.
    pub guards: Vec<Guard>,
    /// What it does about drift, where it does anything.
    pub drift: Option<DriftPolicy>,
    /// How far it can step back from what is promised of its thresholds, where something is.
    pub certificate: Option<StepPolicy>,
    /// Ordered ways to answer; tier 0 is the primary.
    pub tiers: Vec<Tier>,
}

/// Which tiers are not asked about rows in which too much is imputed: their models have never seen such rows (F-037). By
/// default nothing is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImputedPolicy {
    /// The share of imputed values that these tiers still take.
    pub most: Permille,
    /// The first tier that takes more; those above it are compared.
    pub start_at: u8,
    /// Rows with more are set apart one by one for that tier; else the whole request is (OIP-35).
    pub split: bool,
}

impl ImputedPolicy {
    /// Says whether a tier is asked without the rows that were set apart.
    pub const fn sets_apart(&self, tier: u8) -> bool {
        self.split && tier < self.start_at
    }
}

impl Default for ImputedPolicy {
    fn default() -> Self {
        Self { most: Permille::ALL, start_at: 0, split: false }
    }
}

/// What happens when no tier can answer now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenExhausted {
    /// The request waits a moment for the soonest recovery, where that is near.
    #[default]
    Wait,
    /// It is refused at once.
    Refuse,
}

/// What a stream must have said before any of it is sent, and its failure can no longer be answered elsewhere (F-120).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitPoint {
    /// The first piece of content.
    #[default]
    FirstContent,
    /// So many characters of content; what there is of them, where the time for it is over.
    Chars(u32),
    /// All of it, to its verified end.
    Full,
}

/// What happens when a provider refuses the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPolicy {
    /// The refusal is the answer.
    Error,
    /// The safe default answers.
    Default,
    /// The next tier is asked.
    Next,
}

/// What happens when a tier cannot do what the request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCapability {
    /// The next tier that can is asked.
    Next,
    /// The tier's own refusal is the answer.
    Error,
}

/// One ordered way to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The name, unique within the route.
    pub name: String,
    /// The kind that clients are told.
    pub method: Method,
    /// The path that answers; of an ensemble the one that stands for it, and is never called itself.
    pub path: PathId,
    /// Who votes, where several are asked at once.
    pub ensemble: Option<Ensemble>,
}

/// The kind of answer that a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The model that the route is about.
    Primary,
    /// A smaller model.
    Distilled,
    /// Several paths and a vote.
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
    /// Every method, in the order of the glossary.
    pub const ALL: [Self; 7] =
        [Self::Primary, Self::Distilled, Self::Ensemble, Self::Retrieval, Self::Cache, Self::Rules, Self::Default];

    /// Returns the word that headers, records and metrics use.
    pub const fn name(self) -> &'static str {
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

/// What a tier calls, with the policies that the core applies to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The name: that of its tier, and of a member of an ensemble `tier/index`.
    pub name: String,
    /// The route that it serves.
    pub route: RouteId,
    /// Where the work is done.
    pub place: Where,
    /// The name of the quota that it draws on, shared with every path that names it; none where each replica of its
    /// upstream has a quota of its own (F-051).
    pub domain: Option<String>,
    /// The model that it asks of its upstream: what names the same at the same address shares a limiter (F-081).
    pub model: String,
    /// How much work it may have at once.
    pub limit: LimitPolicy,
    /// A slow attempt gets a second one beside it, at another replica (F-090).
    pub hedge: bool,
    /// The clocks of its attempts.
    pub clocks: Clocks,
    /// Tokens per second that its streams must say; 0 asks nothing (F-029).
    pub min_rate: u16,
    /// How long a first content, or an answer in one piece, may take where the route promises it for 95 of 100 (F-064).
    pub objective: Option<Nanos>,
    /// Time to commit that is kept for it while it has no history of its own (F-027).
    pub need: Nanos,
    /// Retries on this path per request (F-040).
    pub retries: u8,
    /// What it can do.
    pub features: Features,
    /// What else it can: languages, datatypes, and where it takes what it is asked (F-036).
    pub can: Can,
    /// Tokens that its window holds, where declared (F-036).
    pub context: Option<u64>,
    /// What it puts before what it is asked.
    pub added: Added,
    /// Each call changes something: it is not made twice for one request (F-034).
    pub effects: bool,
    /// It goes on with an answer that was begun for it (F-126).
    pub prefill: bool,
    /// How long new streams are kept off it after one broke that had begun to be sent (F-077).
    pub after_break: Nanos,
    /// When rows of low confidence move its answer to the tiers below; none where nobody looks at them (OIP-35).
    pub accept: Option<RowRule>,
    /// An answer that is not accepted stands where no model below gives one that is.
    pub stands: bool,
    /// How likely it is at most that its answers are right, as clients are told; 0 where nothing is told of that.
    pub sure: Permille,
    /// When it is cut off and how it comes back.
    pub breaker: BreakerPolicy,
}

impl Path {
    /// Returns what it costs to try it once with a request that costs so much, with what it puts before that, which is no more than
    /// its window holds (F-044).
    ///
    /// # Units
    /// Thousandths of the route's unit, of which a token is one.
    pub fn cost(&self, asked: u64) -> u64 {
        let added = self.context.map_or(self.added.most, |context| self.added.most.min(context));
        asked.saturating_add(added.saturating_mul(1_000))
    }
}

/// Tokens that a path puts before what it is asked, such as passages for its model to answer by: as many as its window holds beside
/// that, and so as few as say anything at all.
///
/// # Units
/// `least` as [`Admit::tokens`](crate::Admit::tokens) are estimated, rather too few than too many; `most` as weights are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// The fewest: what leaves no room for them is not asked for (F-036).
    pub least: u64,
    /// The most, which is what it costs and weighs (F-044, F-080).
    pub most: u64,
}

/// Where a path does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// On a replica of an upstream.
    Remote(UpstreamId),
    /// In this process, on threads of its own: it may fail, and does not count as a remote attempt (F-031).
    Local,
    /// In this process, without anything that can fail (F-163): answered at once, without an attempt.
    Certain,
    /// At the members of an ensemble.
    Ensemble,
    /// In this process, from what was kept of earlier answers: at once, without an attempt, where there is one (F-143).
    Stored,
}

/// How much work a model may have at once at one replica, in weights (F-080, F-081).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitPolicy {
    /// As much as comes, until the server pushes back; from then on what that has taught.
    #[default]
    Auto,
    /// What an operator says.
    Fixed(u64),
}

/// A server that runs models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The name.
    pub name: String,
    /// One address per replica, in the order of the file.
    pub replicas: Vec<String>,
    /// Replicas that the comparison with their peers leaves, at least (F-104).
    pub min_available: u16,
    /// How its replicas are asked whether they are ready; none where they are not.
    pub probe: Option<ProbePolicy>,
}

/// How a replica is asked whether it is ready (F-111).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbePolicy {
    /// From one probe to the next, about.
    pub every: Nanos,
    /// How long its answer may take.
    pub timeout: Nanos,
}

/// The three clocks of an attempt (F-022, F-024, F-025).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// From the start to the first content; streams only.
    pub first_content: FirstClock,
    /// The longest silence between two pieces of content; streams only.
    pub stall: Nanos,
    /// The whole attempt.
    pub total: Nanos,
}

/// How long the first content of a stream may take (F-022).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstClock {
    /// What the path has shown of prompts of the same length.
    Auto,
    /// What an operator says.
    Fixed(Nanos),
}

/// A ratio over a sliding window that trips a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Outcomes that the window must hold before it is judged.
    pub samples: u32,
    /// The share of bad ones that trips.
    pub bad: Permille,
    /// The length of the window.
    pub window: Nanos,
}

/// When a path is cut off and how it comes back (`failures.md`, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Hard failures in a row that trip (F-062 a).
    pub consecutive: u32,
    /// The fast window (F-062 b).
    pub fast: Rate,
    /// The slow window (F-062 c).
    pub slow: Rate,
    /// Hard failures in a row that trip at fewer than 20, and at 20 to 49, outcomes in the slow window (F-063).
    pub low: [u32; 2],
    /// The first open time (F-066).
    pub open: Nanos,
    /// The longest open time (F-066).
    pub open_max: Nanos,
    /// The longest first open time of a path that comes back and fails again (F-067).
    pub flap_max: Nanos,
    /// Leases at once while half open, after the first has shown content (F-068).
    pub probes: u32,
    /// Good probes that start the ramp (F-070).
    pub successes: u32,
    /// The steps of the ramp (F-071).
    pub ramp: Vec<Permille>,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        use crate::clock::SECOND;
        Self {
            consecutive: 5,
            fast: Rate { samples: 20, bad: Permille::new(500), window: 10 * SECOND },
            slow: Rate { samples: 50, bad: Permille::new(200), window: 60 * SECOND },
            low: [2, 3],
            open: 10 * SECOND,
            open_max: 30 * SECOND,
            flap_max: 300 * SECOND,
            probes: 3,
            successes: 2,
            ramp: [50, 250, 500, 1_000].map(Permille::new).into(),
        }
    }
}

/// The purse that pays retries, hedges and stream restarts (F-044).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPolicy {
    /// The share of a first attempt's cost that is deposited.
    pub ratio: Permille,
    /// Re-attempts per period that are paid even from an empty purse.
    pub floor: u32,
    /// The period of the floor, and the age of deposits that the purse holds.
    pub per: Nanos,
}

impl Default for BudgetPolicy {
    fn default() -> Self {
        Self { ratio: Permille::new(100), floor: 3, per: 10 * crate::clock::SECOND }
    }
}

/// A set of things that a request may need and a path may have (F-036).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(pub u16);

impl Features {
    /// Nothing beyond plain text.
    pub const NONE: Self = Self(0);
    /// Everything that has a name.
    pub const ALL: Self = Self(0x1FF);
    /// May call tools.
    pub const TOOLS: Self = Self(1);
    /// Must call a tool (`tool_choice` required or named).
    pub const TOOL_REQUIRED: Self = Self(1 << 1);
    /// Answers in JSON.
    pub const JSON: Self = Self(1 << 2);
    /// Answers by a JSON schema.
    pub const SCHEMA: Self = Self(1 << 3);
    /// Gives log-probabilities.
    pub const LOGPROBS: Self = Self(1 << 4);
    /// Gives several choices.
    pub const N: Self = Self(1 << 5);
    /// Reads images.
    pub const IMAGE: Self = Self(1 << 6);
    /// Reads or writes audio.
    pub const AUDIO: Self = Self(1 << 7);
    /// Reads files.
    pub const FILE: Self = Self(1 << 8);

    /// Returns both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what of this set the other lacks.
    #[must_use]
    pub const fn missing_in(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Says whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
