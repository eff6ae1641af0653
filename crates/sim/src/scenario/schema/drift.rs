//! `drifts[]`: when the inputs of a route are no longer those of its reference, as a detector would say.

use evenkeel_config::Duration;
use schemars::JsonSchema;
use serde::Deserialize;

/// A time in which the detector of a route stands at drift.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drift {
    /// The route; it needs a `drift` of its own, or nothing follows.
    pub(crate) route: String,
    /// When the alarm comes.
    pub(crate) at: Duration,
    /// How long it stands; it is said again every ten seconds.
    #[serde(rename = "for")]
    pub(crate) length: Duration,
    /// It comes up to this much later, by seed.
    #[serde(default)]
    pub(crate) spread: Option<Duration>,
    /// What is said when it is over: that all is `stable`, or nothing, as by a detector that has died, `silent`.
    #[serde(default)]
    pub(crate) then: Then,
    /// What has moved: `inputs`, or `outputs` alone.
    #[serde(default)]
    pub(crate) of: Of,
}

/// What has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Of {
    /// Inputs, whatever became of outputs.
    #[default]
    Inputs,
    /// Outputs, while inputs are as they were.
    Outputs,
}

/// What is said when a drift is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Then {
    /// That all is stable.
    #[default]
    Stable,
    /// Nothing.
    Silent,
}
