//! `servers.NAME`: how an upstream behaves while it is well.

use evenkeel_config::{Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

/// How an upstream behaves while it is well; each replica alike.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Time to the first token of a stream; to the whole of any other answer, but for its tokens.
    pub(crate) first_token: Time,
    /// Tokens of an answer, in as many pieces.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) tokens: u32,
    /// Time for each token after the first; none where an answer comes in one go.
    pub(crate) per_token: Option<Duration>,
    /// Requests that are computed at once, as on a GPU; as many as come, where this is left out.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) slots: Option<u32>,
    /// Requests that wait for a slot.
    pub(crate) queue: u32,
    /// What a request gets that finds neither slot nor place.
    pub(crate) when_full: WhenFull,
    /// How much longer an answer takes when every slot is used, as a share of its time.
    pub(crate) slowdown: Ratio,
    /// A quota on requests; beyond it the answer is 429 with `Retry-After`.
    pub(crate) quota: Option<Quota>,
    /// It goes on computing what was cancelled (UP-32).
    pub(crate) ignores_cancel: bool,
    /// Which words it says: servers with the same number say the same, so that one can finish what another began (F-123).
    pub(crate) words: u32,
    /// The share of rows that it answers with less confidence than a tier with `accept` takes (OIP-35).
    pub(crate) low: Ratio,
    /// The share of its votes that are for something else than what its words say, where it is a member of an ensemble.
    pub(crate) odd: Ratio,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            first_token: Time::default(),
            tokens: 1,
            per_token: None,
            slots: None,
            queue: 64,
            when_full: WhenFull::default(),
            slowdown: Ratio(0),
            quota: None,
            ignores_cancel: false,
            words: 0,
            low: Ratio(0),
            odd: Ratio(0),
        }
    }
}

/// How long something takes: always the same, or with a long tail.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Time {
    /// Half take less.
    pub(crate) median: Duration,
    /// One in a hundred takes longer, lognormal; where it is left out, all take the same.
    #[serde(default)]
    pub(crate) p99: Option<Duration>,
}

impl Default for Time {
    fn default() -> Self {
        Self { median: Duration(200_000_000), p99: Some(Duration(800_000_000)) }
    }
}

/// What a full server answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenFull {
    /// 503 without a word on when to come back.
    #[default]
    #[serde(rename = "status_503")]
    Status503,
    /// 503 with `Retry-After: 1`.
    PushBack,
    /// 429 with `Retry-After: 1`.
    RateLimited,
}

/// A quota: a bucket that is filled evenly.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quota {
    /// Requests per period, and at most at once.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) requests: u64,
    /// The period.
    pub(crate) per: Duration,
}
