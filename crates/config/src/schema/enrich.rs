//! `routes.NAME.enrich`: features that a client may leave out, and where they come from then.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    breaker::Breaker,
    rows::Rows,
    scalar::{Duration, Ratio},
};

/// Features that a client of an `oip` route may leave out of its tensor of columns, by NaN or `null` in their place: they are
/// fetched from a feature server before the tiers are asked, and what does not come is imputed (F-037).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrich {
    /// The feature server: an upstream with `protocol: feast`.
    pub(crate) upstream: String,
    /// Whom the features are about: by join key, the input of the client that holds its value for each row.
    #[schemars(length(min = 1, max = 8))]
    pub(crate) entity: BTreeMap<String, JoinKey>,
    /// How long the answer may take, connection and all; never more than half of what is left of the deadline.
    #[serde(default = "timeout")]
    pub(crate) timeout: Duration,
    /// The share of imputed values among the enriched ones of a row above which the tiers above `start_at` are skipped: they
    /// were not made for such rows. By default they take everything.
    #[serde(default = "everything")]
    pub(crate) max_imputed: Ratio,
    /// The first tier that takes rows with more imputed than that; by default the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_at: Option<String>,
    /// Which rows with more than that decide where a batch starts; with `split` each row starts by itself (OIP-35).
    #[serde(default)]
    pub(crate) rows: Rows,
    /// When the feature server is cut off and how it comes back; the values are imputed meanwhile, and nothing waits.
    #[serde(default)]
    pub(crate) breaker: Breaker,
    /// What is fetched, by the column that it fills.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) features: BTreeMap<String, Fetched>,
}

/// The input that holds the values of a join key, one a row. It goes to no tier.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinKey {
    /// The name of the input.
    pub(crate) input: String,
    /// What its values are.
    #[serde(default, rename = "type")]
    pub(crate) kind: KeyKind,
}

/// What the values of a join key are: as the feature store has it, for it fails on others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Whole numbers: INT64 or INT32.
    #[default]
    Int,
    /// Text: BYTES.
    String,
}

/// A feature that is fetched where a client leaves it out.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetched {
    /// What the feature server calls it: `view:feature`.
    pub(crate) feature: String,
    /// An older value is stale: it is imputed. Without it a value is as good as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age: Option<Duration>,
    /// How old the last known value may be to stand in; without it none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<Duration>,
    /// What stands in where nothing else does.
    pub(crate) default: f64,
}

fn timeout() -> Duration {
    Duration(50_000_000)
}

fn everything() -> Ratio {
    Ratio(1_000)
}
