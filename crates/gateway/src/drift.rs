//! Drift: whether what comes in and goes out of a route is still like its reference (`docs/design/signals.md`, sections 2 and 5).
//!
//! A request leaves its row behind once its client has been answered, and a worker of the route looks at it. What follows from that
//! is the core's: here it is measured, told every second, and shown.
//!
//! `row`, `sessions`, `answer`, `plan` and `watcher` know neither clock nor queue; `monitor` and `publish` are what runs them.

mod answer;
mod history;
mod monitor;
mod plan;
mod publish;
mod row;
mod sessions;
#[cfg(test)]
mod tests;
mod watcher;
mod words;

use std::sync::Arc;

use evenkeel_config::{Deployment, RouteSpec};
use evenkeel_core::{Protocol, Route};
use jiff::Timestamp;

pub(crate) use self::{
    answer::Output,
    monitor::{Made, Monitor, Standing},
    publish::publish,
    row::{Held, Row, chosen},
    watcher::{Seen, StreamState},
    words::Words,
};

/// Returns what compares the inputs and outputs of each route with its reference; one that was made of the same goes on.
pub(crate) fn monitors(deployment: &Deployment, before: &[Option<Arc<Monitor>>]) -> Vec<Option<Arc<Monitor>>> {
    let monitor = |(spec, route): (&RouteSpec, &Route)| {
        let first = &route.tiers[0];
        // A vote is no confidence of one.
        let accept = deployment.paths[first.path.index()].accept.as_ref().filter(|_| first.ensemble.is_none());
        let reference = spec.guarding.as_ref()?.reference.as_ref()?;
        let made = Made {
            route: route.name.clone(),
            reference: reference.0.digest(),
            drift: spec.drift?,
            primary: first.name.clone(),
            tensors: route.protocol == Protocol::Oip,
            sure: accept.map(|it| it.confidence.clone()),
        };
        let kept = before.iter().flatten().find(|it| it.made == made).cloned();
        kept.or_else(|| {
            let told = |why: &_| {
                let (route, why) = (&route.name, format!("{why:?}"));
                tracing::warn!(target: "evenkeel::drift", route, why, "nothing is compared with the reference");
            };
            Monitor::start(made, &reference.0).inspect_err(told).ok()
        })
    };
    deployment.routes.iter().zip(&deployment.revision.routes).map(monitor).collect()
}

/// Returns a moment in nanoseconds since the epoch.
pub(crate) fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

/// Returns the score of a wealth as the core compares scores: in thousandths, 1,000 being an alarm, a sixth for each power of ten.
pub(crate) fn thousandths(wealth: f64) -> i64 {
    ((1.0 + wealth.log10() / 6.0).clamp(0.0, 2.0) * 1_000.0).round_ties_even() as i64
}
