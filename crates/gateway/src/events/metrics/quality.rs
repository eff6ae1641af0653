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
        let help = "Share of right answers, and the ends of its interval where it has one, by how it was found";
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
                // What has no interval has no ends: two that are the value itself would say that it is sure.
                let ends = [("value", figure.value), ("low", figure.low), ("high", figure.high)];
                let told = if figure.has_interval() { &ends[..] } else { &ends[..1] };
                for (end, value) in told.iter().copied() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_without_an_interval_has_no_ends() {
        let now = Timestamp::from_second(1_795_651_200).expect("a time");
        let figure = |method: &str, half: f64| api::Figure {
            value: 0.8,
            low: 0.8 - half,
            high: 0.8 + half,
            n: 100,
            as_of: now,
            method: method.into(),
            assumption: String::new(),
        };
        let tier = serde_json::json!({
            "tier": 0, "name": "primary", "rows": 100, "labels": 100, "accuracy": figure("labels", 0.1),
            "powered": figure("powered", 0.0), "label_free": figure("label_free", 0.0),
            "label_free_recent": figure("label_free_recent", 0.0),
        });
        let route = serde_json::json!({"route": "r", "as_of": now, "held": 100, "forgotten": 0, "tiers": [tier]});
        let route: api::RouteQuality = serde_json::from_value(route).expect("it is one");
        let (metrics, mut registry, mut text) = (Metrics::new(), Registry::default(), String::new());
        metrics.quality.register(&mut registry);
        metrics.quality(now, &[Arc::new(route)]);
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        let said = |method: &str| {
            ["value", "low", "high"].map(|of| text.contains(&format!("method=\"{method}\",of=\"{of}\"}}")))
        };
        assert_eq!([said("labels"), said("powered")], [[true; 3]; 2], "{text}");
        assert_eq!([said("label_free"), said("label_free_recent")], [[true, false, false]; 2], "{text}");
    }
}
