//! `breaker` of a tier: when a path is cut off and how it comes back (`failures.md`, section 4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Duration, Ratio};

/// When a path is cut off and how it comes back.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Breaker {
    /// Hard failures in a row that open it (F-062 a).
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) consecutive: u32,
    /// Outcomes, share of bad ones and window that open it fast (F-062 b).
    pub(crate) fast: (u32, Ratio, Duration),
    /// Outcomes, share of bad ones and window that open it slowly (F-062 c).
    pub(crate) slow: (u32, Ratio, Duration),
    /// Hard failures in a row that open it where the slow window holds fewer than 20, and 20 to 49, outcomes (F-063).
    pub(crate) low: (u32, u32),
    /// The first open time, the dwell of the route, and the least length of a step of the ramp (F-066, F-071, F-182).
    pub(crate) open: Duration,
    /// The longest open time (F-066).
    pub(crate) open_max: Duration,
    /// The longest that the first open time grows to where a path comes back and fails again within ten minutes, each time
    /// twice as long; no more than `open` turns that off (F-067).
    pub(crate) flap_max: Duration,
    /// Probes at once while half open (F-068).
    #[schemars(range(min = 1, max = 100))]
    pub(crate) probes: u32,
    /// Good probes that start the ramp (F-070).
    #[schemars(range(min = 1, max = 100))]
    pub(crate) successes: u32,
    /// Shares of the traffic that a recovered path gets, step by step; the last is 1 (F-071).
    #[schemars(length(min = 1, max = 20))]
    pub(crate) ramp: Vec<Ratio>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            consecutive: 5,
            fast: (20, Ratio(500), Duration::seconds(10)),
            slow: (50, Ratio(200), Duration::seconds(60)),
            low: (2, 3),
            open: Duration::seconds(10),
            open_max: Duration::seconds(30),
            flap_max: Duration::seconds(300),
            probes: 3,
            successes: 2,
            ramp: [50, 250, 500, 1_000].map(Ratio).into(),
        }
    }
}
