//! Forecast: whether a route is likely to leave its first tier soon, by what would make it (`signals.md` §11).
//!
//! Every five seconds each trigger of a route is a point: the share of attempts that failed, the p95 of the first contents, the work
//! in flight; where the route has what they need, the score of drift, how sure the first tier is, and the share of requests that each
//! guard moves. Each is forecast against the threshold at which the core would leave the tier. It warns, and decides nothing.
//!
//! # Invariants
//! - `FORE-4`: nothing is said before 240 forecasts of the trigger were judged, where they were worse than "nothing will change", or
//!   where the threshold is crossed already.
//! - `FORE-5`: a trigger whose threshold changes begins anew.
//! - `FORE-6`: only what can move a route is a trigger: drift under `enforce`, confidence with `accept`, guards with `then`.
//!
//! # When it misleads
//! It sees what moves slowly. A server that dies is not forecast by anything here, nor is a feature that all requests lose at once.

mod recent;
mod trigger;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use evenkeel_api as api;
use evenkeel_core::{Decision, DriftMode, Evidence, Nanos, Rate, Role, SECOND, Tier};
use evenkeel_signals::{
    drift,
    forecast::{FIVE_MINUTES, Forecast, Setting, State},
};
use jiff::Timestamp;
use parking_lot::Mutex;

use self::{
    recent::Recent,
    trigger::{MOST_MOVED, Trigger},
};
use crate::{
    driver::UnderWay,
    events::Whose,
    guard::{Guard, Told},
    path::Notes,
    snapshot::Applied,
};

/// Between two points.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
const EVERY_NANOS: Nanos = 5 * SECOND;
/// Points of which outcomes make a ratio, at most: an hour.
const MOST_SLOTS: u64 = 720;

/// What a route is held against, and how much it has to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stand {
    pub(crate) route: String,
    /// When its first tier is cut off by the share of what fails.
    pub(crate) errors: Rate,
    /// The time that 95 of 100 first contents keep to.
    pub(crate) objective: Option<Nanos>,
    /// Work in flight, in per cent of the limit.
    pub(crate) load: Option<f64>,
    /// The score of drift, where an alarm moves the route and a row was looked at.
    pub(crate) drift: Option<f64>,
    /// The confidence that is accepted of the first tier.
    pub(crate) at_least: Option<f64>,
    /// The guards that move requests, by their keys.
    pub(crate) guards: Vec<&'static str>,
}

/// The forecasts of all routes.
#[derive(Default)]
pub(crate) struct Forecasts(Mutex<BTreeMap<String, Route>>);

#[derive(Default)]
struct Route {
    /// Outcomes and bad ones, point by point, the latest first; what still grows stands at the front.
    outcomes: VecDeque<(u64, u64)>,
    recent: Recent,
    triggers: BTreeMap<Trigger, Watched>,
}

struct Watched {
    setting: Setting,
    forecast: Forecast,
    value: Option<f64>,
}

/// Returns how the routes of a revision stand at a time of the wall, ns.
pub(crate) fn stands(now: &UnderWay, applied: &Applied, wall: u64) -> Vec<Stand> {
    let revision = &now.revision;
    let stand = |route: &evenkeel_core::Route| {
        let first = route.tiers.first()?;
        let path = &revision.paths[first.path.index()];
        // While a revision is replaced the core may be ahead: what else is known of a route is found by its name.
        let of = applied.deployment.revision.route(&route.name);
        Some(Stand {
            route: route.name.clone(),
            errors: path.breaker.slow,
            objective: path.objective,
            load: load(now, first),
            drift: of.and_then(|it| drifting(applied, it.index(), wall)),
            at_least: of.and_then(|it| at_least(applied, it.index())),
            guards: of.map(|it| guards(applied.guards[it.index()].as_deref())).unwrap_or_default(),
        })
    };
    revision.routes.iter().filter_map(stand).collect()
}

/// Returns the score of drift of a route that an alarm moves; 1 is an alarm, and as long as one stands it is no less.
fn drifting(applied: &Applied, route: usize, wall: u64) -> Option<f64> {
    let policy = applied.deployment.revision.routes[route].drift.as_ref();
    policy.filter(|it| it.mode == DriftMode::Enforce && it.start_at > 0)?;
    let seen = applied.monitors[route].as_ref()?.standing(wall).seen?;
    let least = if seen.state == drift::State::Drift { 1_000 } else { 0 };
    Some(seen.score.max(least) as f64 / 1e3)
}

/// Returns the confidence that is accepted of the first tier of a route.
fn at_least(applied: &Applied, route: usize) -> Option<f64> {
    let first = applied.deployment.revision.routes[route].tiers.first()?;
    applied.deployment.paths[first.path.index()].accept.as_ref().map(|it| it.at_least)
}

/// Returns the guards of a route that move requests.
fn guards(guard: Option<&Guard>) -> Vec<&'static str> {
    let all = guard.iter().flat_map(|it| &it.spec.guards);
    all.filter(|it| it.start_at.is_some()).map(|it| it.asks.name()).collect()
}

/// Returns how full the emptiest replica of a tier is, in per cent; none where nothing limits it.
fn load(now: &UnderWay, tier: &Tier) -> Option<f64> {
    let members = tier.ensemble.iter().flat_map(|it| &it.members).copied();
    let paths: Vec<_> = members.chain([tier.path]).collect();
    let work = now.work.iter().filter(|it| paths.contains(&it.path));
    let full = work.filter_map(|it| Some(it.in_flight as f64 / it.limit.filter(|it| *it > 0)? as f64 * 100.0));
    full.min_by(f64::total_cmp)
}

impl Forecasts {
    /// Takes note of a request that is over, with what guards found in it and what else is known of its attempts.
    pub(crate) fn decision(&self, it: &Decision, judged: Option<&Told>, notes: &[(Whose, Notes)]) {
        let name = &it.revision.routes[it.route.index()].name;
        let mut routes = self.0.lock();
        // One that has had no tick has nothing to be held against.
        let Some(route) = routes.get_mut(name) else { return };
        for (guard, moves) in judged.iter().flat_map(|it| it.moves()) {
            route.recent.guard(guard, moves);
        }
        for attempt in it.attempts.iter().filter(|it| it.tier == 0 && it.role == Role::Answer) {
            let of = notes.iter().filter(|it| it.0 == Whose::Attempt(attempt.attempt));
            if let Some(sure) = of.filter_map(|it| it.1.judged.as_ref()?.compared()).next() {
                route.recent.sure(sure);
            }
            let bad = match attempt.result.evidence() {
                Evidence::Success => false,
                Evidence::Hard | Evidence::Soft => true,
                _ => continue,
            };
            let took = attempt.first_content.unwrap_or(attempt.duration);
            route.heard(bad, (!bad).then_some(took), it.at);
        }
    }

    /// Makes a point of every trigger, and forgets the routes that are gone.
    pub(crate) fn tick(&self, at: u64, stands: &[Stand]) {
        let mut routes = self.0.lock();
        routes.retain(|name, _| stands.iter().any(|it| it.route == *name));
        for stand in stands {
            routes.entry(stand.route.clone()).or_default().tick(at, stand);
        }
    }

    /// Says how likely a route leaves its first tier within five minutes, by the trigger that is most likely crossed (FORE-4).
    pub(crate) fn read(&self, route: &str) -> Option<api::Forecast> {
        let routes = self.0.lock();
        let likely =
            routes.get(route)?.triggers.iter().filter_map(|(trigger, it)| Some((*trigger, it, it.probability()?)));
        let (trigger, it, probability) = likely.max_by(|a, b| a.2.total_cmp(&b.2))?;
        let (read, skill, warns) = (it.forecast.read()?, it.forecast.skill(), it.forecast.warns());
        // It is looked for where somebody wants to know.
        let crosses = if warns { it.forecast.points_to_threshold() } else { None };
        Some(api::Forecast {
            probability,
            within_s: FIVE_MINUTES as u64 * EVERY.as_secs(),
            because: trigger.name().into(),
            value: it.value,
            threshold: it.setting.threshold,
            warns,
            crosses_in_s: crosses.map(|it| it as u64 * EVERY.as_secs()),
            judged: skill.judged,
            brier: skill.brier,
            skill: skill.against_persistence,
            as_of: Timestamp::from_nanosecond(i128::from(read.as_of)).unwrap_or(Timestamp::MAX),
        })
    }

    /// Says it of every trigger of which it can be said.
    pub(crate) fn all(&self) -> Vec<(String, &'static str, f64)> {
        let routes = self.0.lock();
        let of = |(name, route): (&String, &Route)| {
            let likely = route.triggers.iter().filter_map(|(trigger, it)| Some((trigger.name(), it.probability()?)));
            likely.map(|(trigger, it)| (name.clone(), trigger, it)).collect::<Vec<_>>()
        };
        routes.iter().flat_map(of).collect()
    }
}

impl Watched {
    fn probability(&self) -> Option<f64> {
        self.forecast.read().filter(|it| it.state != State::Crossed).map(|it| it.value)
    }
}

impl Route {
    fn heard(&mut self, bad: bool, took: Option<Nanos>, at: u64) {
        if let Some((all, failed)) = self.outcomes.front_mut() {
            (*all, *failed) = (*all + 1, *failed + u64::from(bad));
        }
        if let Some(took) = took {
            self.recent.took(at, took);
        }
    }

    fn tick(&mut self, at: u64, stand: &Stand) {
        let points = self.points(stand);
        // FORE-5: nothing limits the route any more by what is not among them.
        self.triggers.retain(|trigger, _| points.iter().any(|it| it.0 == *trigger));
        for (trigger, value, threshold) in points {
            self.point(at, trigger, (value, threshold));
        }
        let slots = (stand.errors.window / EVERY_NANOS).clamp(1, MOST_SLOTS);
        self.outcomes.push_front((0, 0));
        self.outcomes.truncate(usize::try_from(slots).unwrap_or(1));
        self.recent.turn();
    }

    /// Returns what can move the route (FORE-6), where each stands, and its threshold.
    fn points(&self, stand: &Stand) -> Vec<(Trigger, Option<f64>, f64)> {
        let recent = &self.recent;
        let errors = f64::from(stand.errors.bad.thousandths()) / 1e3;
        let mut points = vec![(Trigger::ErrorRatio, self.errors(stand.errors), errors)];
        points.extend(stand.objective.map(|it| (Trigger::Latency, recent.p95(), it as f64 / 1e6)));
        points.extend(stand.load.map(|it| (Trigger::Concurrency, Some(it), 100.0)));
        points.extend(stand.drift.map(|it| (Trigger::Drift, Some(it), 1.0)));
        points.extend(stand.at_least.map(|it| (Trigger::Confidence, recent.confidence(), it)));
        points.extend(stand.guards.iter().map(|it| (Trigger::Guard(it), recent.moved(it), MOST_MOVED)));
        points
    }

    fn point(&mut self, at: u64, trigger: Trigger, (value, threshold): (Option<f64>, f64)) {
        let setting = trigger.setting(threshold);
        // FORE-5.
        self.triggers.retain(|it, watched| *it != trigger || watched.setting == setting);
        if !self.triggers.contains_key(&trigger)
            && let Some(forecast) = Forecast::new(setting)
        {
            self.triggers.insert(trigger, Watched { setting, forecast, value: None });
        }
        if let Some(watched) = self.triggers.get_mut(&trigger) {
            watched.forecast.update(at, value);
            watched.value = value;
        }
    }

    /// Returns the share of what failed; none where the window holds too little for the breaker to judge.
    fn errors(&self, rule: Rate) -> Option<f64> {
        let (all, bad) = self.outcomes.iter().fold((0, 0), |(all, bad), it| (all + it.0, bad + it.1));
        (all >= u64::from(rule.samples) && all > 0).then(|| bad as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests;
