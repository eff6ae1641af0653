//! `faults[]`: what breaks, and when.

use evenkeel_config::{Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::fault::{FaultKind, On};

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
    /// What it strikes; `refuse` strikes probes in any case, `probes` alone means those of readiness.
    #[serde(default)]
    pub(crate) on: On,
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
    /// From one token to the next, of `slow_tokens`.
    #[serde(default)]
    pub(crate) pause: Option<Duration>,
    /// How many times as late, of `latency`.
    #[serde(default)]
    #[schemars(range(min = 2, max = 10_000))]
    pub(crate) factor: Option<u32>,
}

fn all() -> Ratio {
    Ratio(1_000)
}

fn once() -> u32 {
    1
}
