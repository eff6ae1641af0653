//! `routes.NAME.tiers[].calibrate_to`: whose scale the scores of a tier are brought to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Brings the scores of this tier to the scale of another, so that a client's threshold means the same whichever of them answered:
/// by a map that is learnt from rows that both answered, and that never reorders two scores.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalibrateTo {
    /// The tier whose scale it is: the first of the route.
    pub(crate) path: String,
    /// What the map keeps: `mean`, the mean of the primary's score where this tier says the same, right where a score is read as a
    /// probability or a value; `rate`, how often a score is above any threshold, right where clients act above one.
    #[serde(default, rename = "match")]
    pub(crate) keeps: Keeps,
    /// The map, a file that `evenkeel calibrate` writes. Without it the map is learnt while serving, from copies of requests that the
    /// first tier has answered (`shadow`), for outputs of one value a row; it counts from 200 rows on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
}

/// What a map keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keeps {
    /// Means.
    #[default]
    Mean,
    /// How often a threshold is passed.
    Rate,
}

impl Keeps {
    /// Returns the word of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Rate => "rate",
        }
    }
}
