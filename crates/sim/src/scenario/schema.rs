//! The scenario file as types: serde, documentation and defaults, nothing else.
//!
//! Each key is declared once, here; that every mistake is reported with its line and a hint follows from it.

use std::collections::BTreeMap;

use evenkeel_config::{Configuration, Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::fault::FaultKind;

/// A scenario: a configuration, the servers behind it, who calls, what breaks, and what is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Evenkeel scenario")]
pub(crate) struct Script {
    /// What it shows, in a sentence.
    pub(crate) about: String,
    /// Requests that arrive in all, retries of clients aside.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub(crate) requests: u64,
    /// The configuration that is tried, as in `evenkeel.yaml`.
    pub(crate) config: Configuration,
    /// How the upstreams of the configuration behave while they are well, by their name.
    #[serde(default)]
    pub(crate) servers: BTreeMap<String, Server>,
    /// Who calls, and how often.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) workload: Vec<Load>,
    /// What breaks, and when.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub(crate) faults: Vec<Fault>,
    /// Applies the configuration again and again, each time as a new revision (CF-02).
    #[serde(default)]
    pub(crate) reloads: Option<Reloads>,
    /// What must hold for every seed, beside the rules of the core.
    #[serde(default)]
    pub(crate) expect: Expect,
}

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

/// Clients of one kind.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Load {
    /// The route that they call.
    pub(crate) route: String,
    /// Requests per second.
    #[schemars(range(min = 0.001, max = 10_000_000.0))]
    pub(crate) rate: f64,
    /// How they are spread over time.
    #[serde(default)]
    pub(crate) arrivals: Arrivals,
    /// Requests that come at once, where they come in bursts.
    #[serde(default = "burst")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) burst: u32,
    /// When the first may come; from the start, where it is left out.
    #[serde(default)]
    pub(crate) from: Option<Duration>,
    /// How long they come; until all requests of the scenario have, where it is left out.
    #[serde(default, rename = "for")]
    pub(crate) length: Option<Duration>,
    /// The share that asks for a stream, on a chat route.
    #[serde(default = "none")]
    pub(crate) streams: Ratio,
    /// Tokens of a prompt: what a request costs.
    #[serde(default)]
    pub(crate) prompt: Tokens,
    /// How long a client waits before it leaves.
    #[serde(default)]
    pub(crate) patience: Option<Duration>,
    /// The share of clients that have no more patience than that.
    #[serde(default = "all")]
    pub(crate) impatient: Ratio,
    /// How often a client asks again that was refused, or got an error of ours.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub(crate) retries: u32,
    /// How long it waits before that; at once, where it is left out.
    #[serde(default)]
    pub(crate) pause: Option<Duration>,
    /// It waits for as long as `Retry-After` says, where that is longer.
    #[serde(default)]
    pub(crate) heeds_retry_after: bool,
    /// The deadline that it sends along.
    #[serde(default)]
    pub(crate) deadline: Option<Duration>,
    /// The lowest tier that it accepts.
    #[serde(default)]
    pub(crate) max_tier: Option<u8>,
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arrivals {
    /// They know nothing of one another.
    #[default]
    Poisson,
    /// One after the other, evenly.
    Constant,
    /// Several at once, evenly.
    Bursts,
}

/// Tokens of a prompt.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    /// Half have fewer.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) median: u64,
    /// One in a hundred has more; where it is left out, all have the same.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(crate) p99: Option<u64>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { median: 400, p99: None }
    }
}

/// Something that breaks for a time. Of several that meet a request, the first applies, as in the mock.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// When it begins.
    pub(crate) at: Duration,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub(crate) length: Duration,
    /// It begins up to this much later, by seed.
    #[serde(default)]
    pub(crate) spread: Option<Duration>,
    /// How often it happens.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) times: u32,
    /// From one beginning to the next.
    #[serde(default)]
    pub(crate) every: Option<Duration>,
    /// The upstream that it strikes.
    pub(crate) upstream: String,
    /// The one replica that it strikes, from 0; all, where it is left out.
    #[serde(default)]
    pub(crate) replica: Option<u16>,
    /// The share of requests that it strikes.
    #[serde(default = "all")]
    pub(crate) share: Ratio,
    /// What happens, in the words of `evenkeel mock`.
    pub(crate) fault: FaultKind,
    /// The status, of `status`.
    #[serde(default)]
    #[schemars(range(min = 400, max = 599))]
    pub(crate) status: Option<u16>,
    /// When to come back, of `status`, `rate_limited` and `quota_exhausted`.
    #[serde(default)]
    pub(crate) retry_after: Option<Duration>,
    /// Tokens that still come, of `cut`, `stall` and `error_event`.
    #[serde(default)]
    pub(crate) after_tokens: Option<u32>,
    /// How much later, of `latency` and `slow_first_token`.
    #[serde(default)]
    pub(crate) delay: Option<Duration>,
    /// How many times as late, of `latency`.
    #[serde(default)]
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) factor: Option<u32>,
}

/// Reloads under load.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reloads {
    /// When the first comes.
    pub(crate) at: Duration,
    /// How long they come.
    #[serde(rename = "for")]
    pub(crate) length: Duration,
    /// From one to the next.
    pub(crate) every: Duration,
}

/// What must hold for every seed. What is left out is not expected.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    /// Requests that end without an answer, at most: refused, with an error, or as a broken stream. Clients that left do
    /// not count.
    pub(crate) failed: Option<u64>,
    /// Of those, streams that break after they began.
    pub(crate) broken: Option<u64>,
    /// From the first fault to the first good answer of a lower tier to a request that came after it, at most.
    pub(crate) failover: Option<Duration>,
    /// Changes of the tier at which routes start, at most.
    pub(crate) transitions: Option<u64>,
    /// Attempts at tiers 0 that begin while faults last, at most.
    pub(crate) tried_in_fault: Option<u64>,
    /// Attempts per request, in thousandths, at most: 1100 is a tenth more than requests.
    pub(crate) attempts_permille: Option<u64>,
    /// The share of requests that tiers 0 answer, over the whole run, at least.
    pub(crate) tier0: Option<Ratio>,
    /// The share of what tiers 0 answered before the faults that they answer again once all is over (F-190).
    pub(crate) restored: Ratio,
    /// From the end of the last fault until every breaker is closed and every route starts at tier 0 (F-190).
    pub(crate) recover_within: Duration,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            failed: None,
            broken: None,
            failover: None,
            transitions: None,
            tried_in_fault: None,
            attempts_permille: None,
            tier0: None,
            restored: Ratio(990),
            recover_within: Duration::seconds(180),
        }
    }
}

fn burst() -> u32 {
    10
}

fn none() -> Ratio {
    Ratio(0)
}

fn all() -> Ratio {
    Ratio(1_000)
}

fn once() -> u32 {
    1
}
