//! What a route does about drift, as the core does it and as the gateway watches it.

use evenkeel_core::{DriftMode, DriftPolicy};

use super::permille;
use crate::schema::{
    drift::{self, Mode, Watch},
    route::Route,
};

/// How the inputs and outputs of a route are compared with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The mean time between two false alarms, in nanoseconds.
    pub every: u64,
    /// How long an alarm stands after the last evidence: in nanoseconds, and in rows.
    pub hold: (u64, u64),
    /// Something acts on an alarm by itself.
    pub enforced: bool,
    /// What is compared.
    pub watch: DriftWatch,
}

/// What is compared with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriftWatch {
    /// Each feature.
    pub inputs: bool,
    /// How far a row is from all of the reference.
    pub row_score: bool,
    /// What the first tier answers.
    pub outputs: bool,
}

pub(super) fn drift(it: &drift::Drift) -> Drift {
    let watches = |what: Watch| it.watch.contains(&what);
    Drift {
        every: it.false_alarm_every.nanos(),
        hold: (it.hold.length.nanos(), it.hold.rows),
        enforced: it.then.mode == Mode::Enforce,
        watch: DriftWatch {
            inputs: watches(Watch::Inputs),
            row_score: watches(Watch::RowScore),
            outputs: watches(Watch::Outputs),
        },
    }
}

pub(super) fn policy(route: &Route) -> Option<DriftPolicy> {
    let at = |name: &String| route.tiers.iter().position(|tier| tier.name == *name);
    let policy = |it: &drift::Drift| DriftPolicy {
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
