//! What a route does about drift, as the core does it.

use evenkeel_core::{DriftMode, DriftPolicy};

use super::permille;
use crate::schema::{
    drift::{Drift, Mode},
    route::Route,
};

pub(super) fn policy(route: &Route) -> Option<DriftPolicy> {
    let at = |name: &String| route.tiers.iter().position(|tier| tier.name == *name);
    let policy = |it: &Drift| DriftPolicy {
        start_at: it.then.start_at.as_ref().and_then(at).unwrap_or(0) as u8,
        mode: match it.then.mode {
            Mode::Observe => DriftMode::Observe,
            Mode::Recommend => DriftMode::Recommend,
            Mode::Enforce => DriftMode::Enforce,
        },
        ramp: it.recover.ramp.iter().copied().map(permille).collect(),
        every: it.recover.every.nanos(),
    };
    route.drift.as_ref().map(policy)
}
