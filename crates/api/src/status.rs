//! How routes stand, for the interfaces of products (`interfaces.md`, section 3).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// All routes, in brief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The worst phase of any route.
    pub phase: String,
    /// The routes, by name.
    pub routes: Vec<RouteBrief>,
}

/// A route in brief.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteBrief {
    /// The route.
    pub route: String,
    /// How it is doing.
    pub phase: String,
    /// The tier at which it starts; none where no tier is left.
    pub tier: Option<u8>,
    /// Whether that is another than 0.
    pub degraded: bool,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// A route in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteState {
    /// The route.
    pub route: String,
    /// How it is doing.
    pub phase: String,
    /// The tier at which it starts; none where no tier is left.
    pub tier: Option<u8>,
    /// The kind of answer that this tier gives.
    pub method: Option<String>,
    /// Whether that is another tier than 0.
    pub degraded: bool,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// The revision in force.
    pub revision: String,
    /// Its tiers, in order.
    pub tiers: Vec<TierState>,
}

/// A tier as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierState {
    /// Its number.
    pub tier: u8,
    /// Its name.
    pub name: String,
    /// The kind of answer.
    pub method: String,
    /// The worst of its breakers: `closed`, `ramp`, `half_open`, `open`.
    pub breaker: String,
    /// The share of the last 1,000 answers that it gave, 0 to 1.
    pub share: f64,
    /// Whether a request may start on it now.
    pub eligible: bool,
    /// What each of its replicas says of itself: `ready`, `refused`, `out`, `busy`, `misconfigured`, or `unasked`.
    pub readiness: Vec<String>,
    /// When it last answered well.
    pub last_exercised: Option<Timestamp>,
}
