//! `routes.NAME.shadow`: copies of live requests that keep the lower tiers exercised (F-150).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Ratio;

/// Copies of live requests, whose answers nobody gets, that keep the tiers below the first exercised.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shadow {
    /// The share of requests that are copied to each tier below the one that answered, after their client has been answered;
    /// and one at least where a tier was not asked for an hour. 0 is off. Never copied: what belongs to a sequence, is stored
    /// (`store: true`), changes something (`effects`), or is private (`evenkeel-private: true`).
    pub(crate) share: Ratio,
    /// What copies may cost of what the requests of the route cost, over an hour; the one an hour is free.
    pub(crate) max_cost: Ratio,
    /// How far a number of an `oip` tier may be from the one that the client got and still agree with it: a share of that, and
    /// of 1 where that is less.
    pub(crate) tolerance: Ratio,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { share: Ratio(10), max_cost: Ratio(10), tolerance: Ratio(50) }
    }
}
