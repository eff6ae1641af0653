//! How routes stand, for the interfaces of products (`interfaces.md`, section 3).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Calibration, Certificate, Drift, Forecast, Quality, StoreState, TierQuality, evidence::Evidence, ready::Unproven,
};

/// How everything stands, for operators.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// All routes, in brief.
    pub status: Status,
    /// The same in full.
    pub routes: Vec<RouteState>,
    /// How the decision store stands; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreState>,
    /// How what is kept on disk is kept; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

impl Standing {
    /// Returns the same with how often each tier is right.
    #[must_use]
    pub fn with_quality(mut self, quality: Quality) -> Self {
        for of in quality.routes {
            let tiers = self.routes.iter_mut().find(|it| it.route == of.route).into_iter().flat_map(|it| &mut it.tiers);
            for (tier, of) in tiers.zip(of.tiers) {
                tier.quality = Some(of).filter(|of| of.name == tier.name);
            }
        }
        self
    }

    /// Returns the same with how the decision store stands.
    #[must_use]
    pub fn with_store(self, store: Option<StoreState>) -> Self {
        Self { store, ..self }
    }

    /// Returns the tiers below the first of their route that do not count as redundancy (F-153).
    pub fn unproven(&self) -> Vec<Unproven> {
        let below = |route: &RouteState| {
            let tiers = route.tiers.iter().skip(1).filter(|tier| tier.redundancy != "counts");
            let unproven = |tier: &TierState| Unproven {
                route: route.route.clone(),
                tier: tier.name.clone(),
                why: tier.redundancy.clone(),
            };
            tiers.map(unproven).collect::<Vec<_>>()
        };
        self.routes.iter().flat_map(below).collect()
    }
}

/// All routes, in brief.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The tier at which a request starts now, by breakers and gates; none where no tier is left.
    pub tier: Option<u8>,
    /// Whether that is another than 0.
    pub degraded: bool,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Tiers below the first that count as redundancy, and of how many.
    #[serde(default)]
    pub redundancy: [u8; 2],
}

/// A route in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteState {
    /// The route.
    pub route: String,
    /// How it is doing.
    pub phase: String,
    /// The tier at which a request starts now, by breakers and gates; none where no tier is left.
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
    /// The feature server that enriches it; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrich: Option<FeatureServer>,
    /// What is promised of its thresholds; absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// How likely it falls back soon; absent as long as that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// How it stands with drift; absent where nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Its tiers, in order.
    pub tiers: Vec<TierState>,
}

/// A feature server as it stands for a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureServer {
    /// The upstream.
    pub upstream: String,
    /// Its breaker: `closed`, `ramp`, `half_open`, `open`.
    pub breaker: String,
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
    /// The breaker of each operation: `chat` and `chat-stream` fail apart.
    pub operations: BTreeMap<String, String>,
    /// What keeps every request from it, where a quota is used up, a credential refused, or all replicas push back.
    pub gate: Option<Gate>,
    /// The share of the last 1,000 answers that it gave, 0 to 1.
    pub share: f64,
    /// Whether a request may start on it now, for one operation at least.
    pub eligible: bool,
    /// What each of its replicas says of itself: `ready`, `refused`, `out`, `busy`, `misconfigured`, or `unasked`.
    pub readiness: Vec<String>,
    /// Why its path cannot answer, as far as is known without asking it; absent where nothing is known against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unready: Option<String>,
    /// When it last answered well, be it a request or a copy of one.
    pub last_exercised: Option<Timestamp>,
    /// Whether it counts as redundancy: `counts`, or why not: `barred` (no request may start on it now), `unproven` (it has not
    /// answered well since this process has it), `stale` (not within the `rehearsal` of its route).
    #[serde(default)]
    pub redundancy: String,
    /// By which map its scores are brought to the scale of the first tier; absent where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How often it is right; told on the admin plane alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<TierQuality>,
    /// The members of an ensemble, in their order; absent of any other tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberState>,
}

/// A member of an ensemble as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberState {
    /// Its path, as `panel/0`.
    pub path: String,
    /// The worst of its breakers: `closed`, `ramp`, `half_open`, `open`.
    pub breaker: String,
    /// Whether it may be asked now.
    pub eligible: bool,
}

/// A closed gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, as far as it is known.
    pub until: Timestamp,
}
