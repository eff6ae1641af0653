//! How routes stand now, from the core's own state and from what was answered lately.

mod certificate;
mod drift;

use evenkeel_api::{FeatureServer, Gate, MemberState, RouteBrief, RouteState, Status, TierState};
use evenkeel_core::{self as core, Phase};

use crate::{
    driver::Driver,
    events::{Events, calibrated},
    snapshot::Applied,
};

/// Returns all routes in brief.
pub(crate) fn all(driver: &Driver) -> Status {
    let (revision, states) = driver.routes();
    let worst = states.iter().map(|state| state.phase).max().unwrap_or(Phase::Normal);
    let brief = |(route, state): (&core::Route, &core::RouteState)| RouteBrief {
        route: route.name.clone(),
        phase: state.phase.name().into(),
        tier: left(route, state),
        degraded: state.tier > 0,
        reason: state.reason.name().into(),
        since: driver.clock.wall(state.since),
        redundancy: redundancy(state),
    };
    Status { phase: worst.name().into(), routes: revision.routes.iter().zip(&states).map(brief).collect() }
}

/// Returns one route in full.
pub(crate) fn one(driver: &Driver, events: &Events, name: &str, applied: &Applied) -> Option<RouteState> {
    let (compiled, states) = driver.routes();
    let at = compiled.route(name)?;
    let (route, state) = (&compiled.routes[at.index()], &states[at.index()]);
    let shares = events.shares.lock();
    let member = |it: &core::MemberState| MemberState {
        path: compiled.paths[it.path.index()].name.clone(),
        breaker: it.breaker.name().into(),
        eligible: it.eligible,
    };
    let tier = |(at, (tier, now)): (usize, (&core::Tier, &core::TierState))| {
        let (share, answered) = shares.of(name, &tier.name);
        let last_exercised = answered.max(now.exercised.map(|at| driver.clock.wall(at)));
        TierState {
            tier: at as u8,
            name: tier.name.clone(),
            method: tier.method.name().into(),
            breaker: now.breaker.name().into(),
            operations: now.operations.iter().map(|(of, it)| (of.name().into(), it.name().into())).collect(),
            gate: now.gate.as_ref().map(|shut| Gate {
                reason: shut.reason.name().into(),
                since: driver.clock.wall(shut.since),
                until: driver.clock.wall(shut.until),
            }),
            share,
            eligible: now.eligible,
            readiness: now.readiness.iter().map(|it| it.name().into()).collect(),
            unready: applied.paths.get(tier.path.index()).and_then(|path| path.unready()),
            last_exercised,
            redundancy: now.redundancy.name().into(),
            calibration: applied
                .scales
                .get(tier.path.index())
                .and_then(|it| it.as_ref()?.now())
                .map(|it| calibrated::render(&it)),
            quality: None,
            members: now.members.iter().map(member).collect(),
        }
    };
    let enrich = applied.enrichers.iter().flatten().find(|it| it.plan.route == name).map(|it| FeatureServer {
        upstream: it.plan.server.clone(),
        breaker: it.breaker(driver.clock.now()).name().into(),
    });
    let monitor = applied.monitors.iter().flatten().find(|it| it.made.route == name);
    let drift = monitor.and_then(|it| drift::render(it, (route, state.drift), driver.clock));
    let issued = applied.deployment.routes.get(at.index()).and_then(|it| it.certificate.as_ref());
    Some(RouteState {
        route: name.into(),
        phase: state.phase.name().into(),
        tier: left(route, state),
        method: route.tiers.get(usize::from(state.tier)).map(|tier| tier.method.name().into()),
        degraded: state.tier > 0,
        reason: state.reason.name().into(),
        since: driver.clock.wall(state.since),
        revision: applied.name.clone(),
        enrich,
        certificate: issued.map(|it| certificate::render((name, it), (drift.as_ref(), events), driver.clock)),
        forecast: events.forecasts.read(name).filter(|_| state.tier == 0),
        drift,
        tiers: route.tiers.iter().zip(&state.tiers).enumerate().map(tier).collect(),
    })
}

/// Returns how many tiers below the first count as redundancy, and how many there are (F-153).
fn redundancy(state: &core::RouteState) -> [u8; 2] {
    let below = state.tiers.get(1..).unwrap_or_default();
    let counts = below.iter().filter(|tier| tier.redundancy == core::Redundancy::Counts).count();
    [counts as u8, below.len() as u8]
}

fn left(route: &core::Route, state: &core::RouteState) -> Option<u8> {
    (usize::from(state.tier) < route.tiers.len()).then_some(state.tier)
}
