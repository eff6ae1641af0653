//! `expect`: what must hold for every seed, beside the rules of the core.

use evenkeel_config::{Duration, Ratio};
use schemars::JsonSchema;
use serde::Deserialize;

/// What must hold for every seed. What is left out is not expected.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Expect {
    /// Requests that end without an answer, at most: refused, with an error, or as a broken stream. Clients that left do
    /// not count.
    pub(crate) failed: Option<u64>,
    /// Of those, streams that break after they began.
    pub(crate) broken: Option<u64>,
    /// Of the streams that break after they began, the share that is whole in the end, at least (F-122).
    pub(crate) mended: Option<Ratio>,
    /// From the first fault to the first good answer of a lower tier to a request that came after it, at most.
    pub(crate) failover: Option<Duration>,
    /// From the end of the trouble to the arrival of the first request that a tier 0 answers again, at most.
    pub(crate) back: Option<Duration>,
    /// Changes of the tier at which routes start, at most.
    pub(crate) transitions: Option<u64>,
    /// Attempts at tiers 0 that begin while faults last, at most.
    pub(crate) tried_in_fault: Option<u64>,
    /// From the first fault until the breaker of a lower tier is open, at most: it is found before it is needed (F-152).
    pub(crate) found: Option<Duration>,
    /// Answers that models below tier 0 give while the trouble lasts, at least: what they can carry, less what is lost.
    pub(crate) carried: Option<u64>,
    /// The time beyond which one of a thousand answers takes, of each tier 0, at most.
    pub(crate) p999: Option<Duration>,
    /// From the arrival of a request, or from the end of its last attempt, to its refusal for want of room, at most.
    pub(crate) refused_within: Option<Duration>,
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
            mended: None,
            failover: None,
            back: None,
            transitions: None,
            tried_in_fault: None,
            found: None,
            carried: None,
            refused_within: None,
            p999: None,
            attempts_permille: None,
            tier0: None,
            restored: Ratio(990),
            recover_within: Duration::seconds(180),
        }
    }
}
