//! `routes.NAME.drift`: what a route does when its inputs and outputs are no longer those of its reference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Duration, Ratio};

/// What is done when inputs or outputs are no longer those of the reference.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Drift {
    /// The mean time between two false alarms, at least, while nothing has changed.
    pub(crate) false_alarm_every: Duration,
    /// What is compared with the reference: `inputs` each feature, `row_score` how far a row is from all of the reference, `outputs`
    /// what the first tier answers.
    #[schemars(length(min = 1, max = 3))]
    pub(crate) watch: Vec<Watch>,
    /// How long an alarm stands after the last evidence.
    pub(crate) hold: Hold,
    /// What follows from an alarm.
    pub(crate) then: Then,
    /// How the route comes back after one, under `mode: enforce`.
    pub(crate) recover: Recover,
}

impl Default for Drift {
    fn default() -> Self {
        Self {
            false_alarm_every: Duration::seconds(30 * 86_400),
            watch: vec![Watch::Inputs, Watch::RowScore, Watch::Outputs],
            hold: Hold::default(),
            then: Then::default(),
            recover: Recover::default(),
        }
    }
}

/// What is compared with the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Watch {
    /// Each feature of an input, the numbers of a text and of an embedding.
    Inputs,
    /// How far a row is from all that the reference holds.
    RowScore,
    /// What the first tier answers, by the outputs that the reference has.
    Outputs,
}

/// How long an alarm stands after the last evidence: both have to be over.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hold {
    /// A time.
    #[serde(rename = "for")]
    pub(crate) length: Duration,
    /// Rows that were looked at.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(crate) rows: u64,
}

impl Default for Hold {
    fn default() -> Self {
        Self { length: Duration::seconds(30 * 60), rows: 5_000 }
    }
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
