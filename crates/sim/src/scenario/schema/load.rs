//! `workload[]`: who calls, and how often.

use evenkeel_config::{Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

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
    /// Tokens of a prompt: what a request costs, and, by the thousand, what it weighs.
    #[serde(default)]
    pub(crate) prompt: Tokens,
    /// The share that brings tools, on a chat route.
    #[serde(default = "none")]
    pub(crate) tools: Ratio,
    /// The share that wants JSON, on a chat route.
    #[serde(default = "none")]
    pub(crate) json: Ratio,
    /// Rows of a request, on an `oip` route that judges them by themselves (OIP-35).
    #[serde(default)]
    #[schemars(range(min = 0, max = 10_000))]
    pub(crate) rows: u32,
    /// The share of rows in which more is imputed than the upper tiers take, on an `oip` route that splits by that.
    #[serde(default = "none")]
    pub(crate) imputed: Ratio,
    /// The share whose input is unlike the reference by every guard of their route, on a route with `guards`.
    #[serde(default = "none")]
    pub(crate) unlike: Ratio,
    /// How many different questions they ask, on a route with a `cache`; each its own, where it is left out.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) questions: u32,
    /// The share that changes something, so that it is not asked twice of a path (F-034).
    #[serde(default = "none")]
    pub(crate) effects: Ratio,
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

fn burst() -> u32 {
    10
}

fn none() -> Ratio {
    Ratio(0)
}

fn all() -> Ratio {
    Ratio(1_000)
}
