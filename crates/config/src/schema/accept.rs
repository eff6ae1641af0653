//! `routes.NAME.tiers[].accept`: how sure a model must be of its answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::Rows;

/// How sure a model must be of each row of its answer, by its own word; what it is less sure of goes to the tiers below (OIP-35).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accept {
    /// How sure it is of a row: a CEL expression that is a number, over the outputs of the route: `outputs.score`,
    /// `max(outputs.probabilities)`, `outputs.probabilities[1]`. Where it cannot be computed, or is NaN, the row counts as
    /// below.
    pub(crate) confidence: String,
    /// The least confidence of a row that is accepted.
    pub(crate) at_least: f64,
    /// When rows below that move.
    #[serde(default)]
    pub(crate) rows: Rows,
}
