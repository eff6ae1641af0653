//! Metrics of labels that come after the answer, and of how often tiers are right by them; of how likely a route falls back soon.

use std::sync::{Arc, atomic::AtomicU64};

use evenkeel_api as api;
use jiff::Timestamp;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Counters, Gauges, Labels, Metrics};
use crate::names;

type Ratios = Family<Labels, Gauge<f64, AtomicU64>>;

/// Counts what became of labels, and of what they are joined to.
#[derive(Clone, Default)]
pub(crate) struct Count(Counters);

impl Count {
    pub(crate) fn one(&self, route: &str, path: &str, kind: &'static str) {
        let labels = vec![("route", route.into()), ("path", path.into()), ("kind", kind.into())];
        self.0.get_or_create(&labels).inc();
    }
}

/// What is measured of quality.
#[derive(Default)]
pub(super) struct Quality {
    count: Count,
    accuracy: Ratios,
    samples: Gauges,
    age: Ratios,
    forecast: Ratios,
}

impl Quality {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register(names::QUALITY_EVENTS, "Labels of earlier answers, by what became of them", self.count.0.clone());
        let help = "Share of right answers, and the ends of its interval, by how it was found";
        it.register(names::ACCURACY, help, self.accuracy.clone());
        it.register(names::ACCURACY_SAMPLES, "Rows behind that share", self.samples.clone());
        it.register(names::ACCURACY_AGE, "Time since the latest of these rows", self.age.clone());
        let help = "Probability that a trigger is crossed, and a route leaves its first tier, within five minutes";
        it.register(names::FORECAST, help, self.forecast.clone());
    }
}

impl Metrics {
    /// Returns what counts labels.
    pub(in crate::events) fn count(&self) -> Count {
        self.quality.count.clone()
    }

    /// Notes how often tiers are right as it was computed last.
    pub(crate) fn quality(&self, now: Timestamp, routes: &[Arc<api::RouteQuality>]) {
        let Quality { accuracy, samples, age, .. } = &self.quality;
        accuracy.clear();
        samples.clear();
        age.clear();
        for (route, tier) in routes.iter().flat_map(|it| it.tiers.iter().map(|tier| (&it.route, tier))) {
            for figure in tier.figures() {
                let path =
                    vec![("route", route.clone()), ("path", tier.name.clone()), ("method", figure.method.clone())];
                for (end, value) in [("value", figure.value), ("low", figure.low), ("high", figure.high)] {
                    let labels = [path.clone(), vec![("of", end.into())]].concat();
                    accuracy.get_or_create(&labels).set(value);
                }
                samples.get_or_create(&path).set(i64::try_from(figure.n).unwrap_or(i64::MAX));
                age.get_or_create(&path).set(now.duration_since(figure.as_of).as_secs_f64().max(0.0));
            }
        }
    }

    /// Notes how likely routes fall back soon, by what.
    pub(crate) fn forecasts(&self, now: impl Iterator<Item = (String, &'static str, f64)>) {
        self.quality.forecast.clear();
        for (route, trigger, probability) in now {
            let labels = vec![("route", route), ("trigger", trigger.into())];
            self.quality.forecast.get_or_create(&labels).set(probability);
        }
    }
}
