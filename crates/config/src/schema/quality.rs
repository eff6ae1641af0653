//! `routes.NAME.quality`: what counts as right where the truth of an answer comes later (`POST /v1/feedback`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Duration, Ratio, Size};

/// What counts as right where the truth of an answer comes later, who may say it, and how much is kept until then. Without `output`
/// and `label` a route takes `correct` and `score`, and no `label`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Quality {
    /// The output of an `oip` route, of one value a row, that a `label` is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    /// What a `label` is compared with, in place of an output: a CEL expression over the outputs of the route, as
    /// `outputs.score >= 0.5` or `outputs.p[1] > 0.8 ? 'fraud' : 'fine'`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// How far a number may be from its label and still be right.
    pub(crate) abs_tol: f64,
    /// The same, as a share of the label. The larger of both distances counts.
    pub(crate) rel_tol: f64,
    /// The `score` from which an answer counts as right.
    pub(crate) right_at: Ratio,
    /// Whose labels count.
    pub(crate) from: Labeller,
    /// Headers of a request that tell whose it is, such as that of its tenant, besides the credential: nobody labels what another
    /// has got.
    #[schemars(length(max = 16))]
    pub(crate) vary: Vec<String>,
    /// The memory that answers may take while they wait for their labels, and labelled ones until they are 14 days old. Beyond it the
    /// oldest are forgotten, and counted.
    pub(crate) memory: Size,
    /// How long a label is waited for that tells whether the promise of a `certificate` is kept; one that comes later does not count there.
    /// By default 14 days, after which no label counts for anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label_delay: Option<Duration>,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            output: None,
            label: None,
            abs_tol: 0.0,
            rel_tol: 0.0,
            right_at: Ratio(500),
            from: Labeller::default(),
            vary: Vec::new(),
            memory: Size(16 << 20),
            label_delay: None,
        }
    }
}

/// Whose labels count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Labeller {
    /// Those of whoever asked, by the same credential and headers.
    #[default]
    Caller,
    /// Those of everybody who knows the id of the decision: a batch job that has its own credential.
    Anyone,
}
