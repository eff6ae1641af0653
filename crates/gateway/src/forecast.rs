//! Forecast: whether a route is likely to leave its first tier soon, by what would make it (`signals.md` §11).
//!
//! Every five seconds each trigger of a route is a point: the share of attempts that failed, the p95 of the first contents, the work
//! in flight. Each is forecast against the threshold at which the core would leave the tier. It warns, and decides nothing.
//!
//! # Invariants
//! - `FORE-4`: nothing is said before 240 forecasts of the trigger were judged, where they were worse than "nothing will change", or
//!   where the threshold is crossed already.
//! - `FORE-5`: a trigger whose threshold changes begins anew.
//!
//! # When it misleads
//! It sees what moves slowly. A server that dies is not forecast by anything here.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use evenkeel_api as api;
use evenkeel_core::{Decision, Evidence, Nanos, Rate, Role, SECOND, Tier};
use evenkeel_signals::{
    forecast::{FIVE_MINUTES, Forecast, Scale, Setting, Side, State},
    sketch::Sketch,
};
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::driver::UnderWay;

/// Between two points.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
const EVERY_NANOS: Nanos = 5 * SECOND;
/// Points of which first contents make one p95: 30 s.
const LATENCY_SLOTS: usize = 6;
/// First contents that a p95 takes.
const ENOUGH: u64 = 20;
/// Points of which outcomes make a ratio, at most: an hour.
const MOST_SLOTS: u64 = 720;

/// What makes a route leave its first tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trigger {
    /// Attempts that failed, of those of the slow window of the breaker.
    ErrorRatio,
    /// The 95th percentile of times to first content over 30 s, against the objective of the route, ms.
    Latency,
    /// Work in flight at the replica that has least of it, in per cent of its limit.
    Concurrency,
}

impl Trigger {
    const ALL: [Self; 3] = [Self::ErrorRatio, Self::Latency, Self::Concurrency];

    /// Returns the word of people and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ErrorRatio => "error ratio",
            Self::Latency => "p95 latency",
            Self::Concurrency => "concurrency",
        }
    }

    const fn scale(self) -> Scale {
        match self {
            Self::ErrorRatio => Scale::Ratio,
            Self::Latency | Self::Concurrency => Scale::Count,
        }
    }
}

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
}

/// The forecasts of all routes.
#[derive(Default)]
pub(crate) struct Forecasts(Mutex<BTreeMap<String, Route>>);

#[derive(Default)]
struct Route {
    /// Outcomes and bad ones, point by point, the latest first; what still grows stands at the front.
    outcomes: VecDeque<(u64, u64)>,
    times: VecDeque<Sketch>,
    triggers: BTreeMap<Trigger, Watched>,
}

struct Watched {
    setting: Setting,
    forecast: Forecast,
    value: Option<f64>,
}

/// Returns how the routes of a revision stand.
pub(crate) fn stands(now: &UnderWay) -> Vec<Stand> {
    let revision = &now.revision;
    let stand = |route: &evenkeel_core::Route| {
        let first = route.tiers.first()?;
        let path = &revision.paths[first.path.index()];
        Some(Stand {
            route: route.name.clone(),
            errors: path.breaker.slow,
            objective: path.objective,
            load: load(now, first),
        })
    };
    revision.routes.iter().filter_map(stand).collect()
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
    /// Takes note of a request that is over.
    pub(crate) fn decision(&self, it: &Decision) {
        let name = &it.revision.routes[it.route.index()].name;
        let mut routes = self.0.lock();
        // One that has had no tick has nothing to be held against.
        let Some(route) = routes.get_mut(name) else { return };
        for attempt in it.attempts.iter().filter(|it| it.tier == 0 && it.role == Role::Answer) {
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
        if let (Some(sketch), Some(took)) = (self.times.front_mut(), took) {
            sketch.update(at, took as f64 / 1e3);
        }
    }

    fn tick(&mut self, at: u64, stand: &Stand) {
        let slots = (stand.errors.window / EVERY_NANOS).clamp(1, MOST_SLOTS);
        for trigger in Trigger::ALL {
            let point = match trigger {
                Trigger::ErrorRatio => {
                    Some((self.errors(stand.errors), f64::from(stand.errors.bad.thousandths()) / 1e3))
                }
                Trigger::Latency => stand.objective.map(|it| (self.p95(), it as f64 / 1e6)),
                Trigger::Concurrency => stand.load.map(|it| (Some(it), 100.0)),
            };
            self.point(at, trigger, point);
        }
        self.outcomes.push_front((0, 0));
        self.outcomes.truncate(usize::try_from(slots).unwrap_or(1));
        self.times.push_front(Sketch::default());
        self.times.truncate(LATENCY_SLOTS);
    }

    fn point(&mut self, at: u64, trigger: Trigger, point: Option<(Option<f64>, f64)>) {
        let Some((value, threshold)) = point else {
            self.triggers.remove(&trigger);
            return;
        };
        let setting = Setting { scale: trigger.scale(), side: Side::Above, threshold, horizon: FIVE_MINUTES };
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

    fn p95(&self) -> Option<f64> {
        let mut all = Sketch::default();
        for it in &self.times {
            // All sketches have the same buckets.
            let _ = all.merge(it);
        }
        all.read(0.95, ENOUGH).map(|it| it.value / 1e3)
    }
}

#[cfg(test)]
mod tests;
