//! `routes.NAME.tiers[].accept`: how sure a model must be of its answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{post::OnError, rows::Rows};

/// How sure a model must be of its answer, by its own word; what it is less sure of goes to the tiers below: rows of an inference
/// (OIP-35), or a chat answer as a whole.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    /// How sure it is, a CEL expression that is a number. Of a row, over the outputs of the route: `outputs.score`,
    /// `max(outputs.probabilities)`, `outputs.probabilities[1]`. Of a chat answer, over the log-probabilities of its tokens:
    /// `exp(logprobs.mean)`, `logprobs.min`, `logprobs.first`, `logprobs.count`; they are asked for, and left out again where the
    /// client did not ask for them. Where it cannot be computed, or is NaN, `on_error` counts.
    pub(crate) confidence: String,
    /// The least confidence that is accepted; with a `calibration`, how likely the answer must be right.
    pub(crate) at_least: f64,
    /// When rows below that move.
    #[serde(default)]
    pub(crate) rows: Rows,
    /// What becomes of a row, or an answer, whose confidence cannot be computed: no log-probabilities came, or a value is NaN. It
    /// is not accepted, or it passes, and nothing is said of how sure the model was.
    #[serde(default)]
    pub(crate) on_error: OnError,
    /// A file of `evenkeel calibrate ROUTE/TIER ROWS.csv --truth … --answer … --confidence …`: what the confidence is worth. Then
    /// `at_least` is a probability of being right, and clients are told it (`evenkeel-confidence`, kind `calibrated`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calibration: Option<String>,
    /// The output of labels by which that was learnt: one label may be right more often than another at the same confidence.
    /// Without it all answers are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    /// What becomes of an answer that is not accepted, where no model below does better.
    #[serde(default)]
    pub(crate) otherwise: Otherwise,
}

/// Which answer wins where one was not accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// That of whoever is asked next, be it a fixed one.
    #[default]
    Next,
    /// Of those that were not accepted, the one that is surest, where the models below gave none that is: before rules, earlier
    /// answers and fixed ones are asked, and before the request fails.
    Best,
}
