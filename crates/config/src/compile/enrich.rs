//! What is fetched for a route, as the gateway does it and as the core judges what came of it.

use evenkeel_core::{self as core, UpstreamId};

use super::{breaker, permille};
use crate::schema::{
    contract::Input,
    enrich::{self, KeyKind},
    route::Route,
    rows::Rows,
    scalar::Duration,
};

/// Features that a client of a route may leave out, and where they come from then.
#[derive(Clone, Debug, PartialEq)]
pub struct Enrich {
    /// The feature server.
    pub upstream: UpstreamId,
    /// The join keys, sorted by name.
    pub entity: Vec<JoinKey>,
    /// How long the answer may take, in nanoseconds.
    pub timeout: u64,
    /// The share of imputed values above which a row is not for the tiers above the one that takes it.
    pub most_imputed: core::Permille,
    /// Which rows decide.
    pub rows: core::RowRule,
    /// When the feature server is cut off and how it comes back.
    pub breaker: core::BreakerPolicy,
    /// What is fetched, in the order of the names of the columns.
    pub features: Vec<Fetched>,
}

/// A join key, and the input that holds its values.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinKey {
    /// What the feature server calls it.
    pub name: String,
    /// The input.
    pub input: String,
    /// What its values are.
    pub kind: KeyKind,
}

/// A feature that is fetched where a client leaves it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// The column that it fills.
    pub name: String,
    /// The place of that column.
    pub column: usize,
    /// The feature view that holds it.
    pub view: String,
    /// What it is called there.
    pub feature: String,
    /// The greatest age of a value that is not stale, in nanoseconds.
    pub max_age: Option<u64>,
    /// The greatest age of a last known value that stands in, in nanoseconds.
    pub keep: Option<u64>,
    /// What stands in where nothing else does.
    pub default: f32,
}

pub(super) fn enrich(it: &enrich::Enrich, input: Option<&Input>, id: impl Fn(&str) -> UpstreamId) -> Enrich {
    let column = |name: &str| input.and_then(|input| input.columns.iter().position(|it| it == name));
    let fetched = |(name, it): (&String, &enrich::Fetched)| {
        let (view, feature) = it.feature.split_once(':').expect("checked: it has a view");
        Fetched {
            name: name.clone(),
            column: column(name).expect("checked: it is a column"),
            view: view.into(),
            feature: feature.into(),
            max_age: it.max_age.map(Duration::nanos),
            keep: it.keep.map(Duration::nanos),
            default: it.default as f32,
        }
    };
    let key = |(name, it): (&String, &enrich::JoinKey)| JoinKey {
        name: name.clone(),
        input: it.input.clone(),
        kind: it.kind,
    };
    Enrich {
        upstream: id(&it.upstream),
        entity: it.entity.iter().map(key).collect(),
        timeout: it.timeout.nanos(),
        most_imputed: permille(it.max_imputed),
        rows: it.rows.in_core(),
        breaker: breaker(&it.breaker),
        features: it.features.iter().map(fetched).collect(),
    }
}

/// Returns which tiers take rows in which much is imputed.
pub(super) fn imputed(route: &Route) -> core::ImputedPolicy {
    let Some(it) = &route.enrich else { return core::ImputedPolicy::default() };
    let named = it.start_at.as_ref().and_then(|name| route.tiers.iter().position(|tier| tier.name == *name));
    core::ImputedPolicy {
        most: permille(it.max_imputed),
        start_at: named.unwrap_or(1) as u8,
        split: it.rows == Rows::Split,
    }
}
