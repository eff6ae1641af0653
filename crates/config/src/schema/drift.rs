//! `routes.NAME.drift`: what a route does when its inputs and outputs are no longer those of its reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Duration, Ratio};

/// What is done when inputs or outputs are no longer those of the reference.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Drift {
    /// What follows from an alarm.
    pub(crate) then: Then,
    /// How the route comes back after one, under `mode: enforce`.
    pub(crate) recover: Recover,
}

/// What follows from an alarm.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Then {
    /// The tier at which requests start while the alarm stands; those above it are passed over. Not needed under
    /// `mode: observe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_at: Option<String>,
    /// Whether that is done.
    pub(crate) mode: Mode,
}

/// Whether what follows from an alarm is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It is shown, and nothing follows.
    Observe,
    /// It is proposed: a person decides.
    #[default]
    Recommend,
    /// It is done.
    Enforce,
}

/// How a route comes back.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Recover {
    /// Shares of the requests that the upper tiers get, step by step; the last is 1 (F-181).
    #[schemars(length(min = 1, max = 20))]
    pub(crate) ramp: Vec<Ratio>,
    /// How long each step stands, and the least time below after an alarm (F-182).
    pub(crate) every: Duration,
}

impl Default for Recover {
    fn default() -> Self {
        Self { ramp: [50, 250, 500, 1_000].map(Ratio).into(), every: Duration::seconds(60) }
    }
}
