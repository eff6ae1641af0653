//! Forecasts of routes, fed by a clock that is passed.

use std::sync::Arc;

use evenkeel_config::load_text;
use evenkeel_core::Permille;
use evenkeel_signals::{
    forecast::{Scale, Side},
    reference::{self, Column, ColumnKind, Plan, Reference, Repeats, SourceRow},
    row::Value,
};

use super::*;
use crate::{clock::Clock, drift::Row, driver::Driver};

/// A route whose breaker judges a minute, with an objective of 200 ms.
fn stand(load: Option<f64>) -> Stand {
    let errors = Rate { samples: 10, bad: Permille::new(200), window: 60 * SECOND };
    Stand {
        route: "chat".into(),
        errors,
        objective: Some(200_000_000),
        load,
        drift: None,
        at_least: None,
        guards: Vec::new(),
    }
}

/// Days of points: the p95 climbs to its objective for twenty minutes, stays there for five, and falls back.
struct Days {
    forecasts: Forecasts,
    at: u64,
}

impl Days {
    fn new() -> Self {
        let forecasts = Forecasts::default();
        forecasts.tick(0, &[stand(None)]);
        Self { forecasts, at: 0 }
    }

    /// A tick in which every request took so long, in milliseconds, and so many of twenty failed.
    fn tick(&mut self, millis: u64, failed: u64, load: Option<f64>) {
        self.at += EVERY_NANOS;
        {
            let mut routes = self.forecasts.0.lock();
            let route = routes.get_mut("chat").expect("it has had a tick");
            (0..20).for_each(|it| route.heard(it < failed, (it >= failed).then_some(millis * 1_000_000), self.at));
        }
        self.forecasts.tick(self.at, &[stand(load)]);
    }

    /// One climb, up to so many of its 240 points.
    fn climb(&mut self, points: u64) {
        (0..points).for_each(|it| self.tick(100 + it / 2, 0, None));
    }

    fn wave(&mut self) {
        self.climb(240);
        (0..60).for_each(|_| self.tick(220, 0, None));
        (0..300).for_each(|_| self.tick(100, 0, None));
    }
}

#[test]
fn fore_2_nothing_is_said_before_240_forecasts_were_judged() {
    let mut days = Days::new();
    // A point is judged when its five minutes are over, and the first ones have nothing to go by.
    (0..240).for_each(|_| days.tick(100, 0, None));
    assert_eq!(days.forecasts.read("chat"), None, "FORE-4");
    (0..400).for_each(|_| days.tick(100, 0, None));
    let said = days.forecasts.read("chat").expect("judged");
    assert!(said.judged >= 240 && said.probability < 0.1 && !said.warns, "{said:?}");
    assert_eq!(days.forecasts.read("nobody"), None);
}

#[test]
fn a_route_whose_p95_climbs_is_likely_to_fall_back_because_of_it() {
    let mut days = Days::new();
    (0..8).for_each(|_| days.wave());
    days.climb(160);
    let said = days.forecasts.read("chat").expect("judged");
    assert_eq!((said.because.as_str(), said.within_s, said.threshold), ("p95 latency", 300, 200.0));
    assert!(said.warns && said.probability >= 0.7, "{said:?}");
    assert!(said.skill.is_some_and(|it| it > 0.0) && said.crosses_in_s.is_some(), "{said:?}");
    assert_eq!(days.forecasts.all()[0].0, "chat");
    (0..80).for_each(|it| days.tick(180 + it / 2, 0, None));
    let crossed = days.forecasts.read("chat").filter(|it| it.because == "p95 latency");
    assert_eq!(crossed, None, "what is crossed is not forecast");
}

#[test]
fn the_share_of_failures_and_the_work_in_flight_are_triggers_of_their_own() {
    let mut days = Days::new();
    (0..700).for_each(|it| days.tick(100, it % 2, Some(40.0)));
    let routes = days.forecasts.0.lock();
    let triggers = &routes["chat"].triggers;
    let all = [Trigger::ErrorRatio, Trigger::Latency, Trigger::Concurrency];
    assert_eq!(triggers.keys().copied().collect::<Vec<_>>(), all);
    assert_eq!(
        (triggers[&Trigger::ErrorRatio].value, triggers[&Trigger::Concurrency].value),
        (Some(0.025), Some(40.0))
    );
    assert!(all.iter().all(|it| triggers[it].probability().is_some()));
}

#[test]
fn fore_5_another_threshold_and_another_route_begin_anew() {
    let mut days = Days::new();
    (0..700).for_each(|_| days.tick(100, 0, Some(40.0)));
    assert!(days.forecasts.read("chat").is_some());
    let other = Stand { objective: Some(300_000_000), load: None, ..stand(None) };
    days.forecasts.tick(days.at + EVERY_NANOS, &[other]);
    {
        let routes = days.forecasts.0.lock();
        let triggers = &routes["chat"].triggers;
        assert!(triggers[&Trigger::Latency].probability().is_none(), "it has not been judged against this one");
        assert!(!triggers.contains_key(&Trigger::Concurrency), "nothing limits it any more");
    }
    days.forecasts.tick(days.at + 2 * EVERY_NANOS, &[]);
    assert!(days.forecasts.0.lock().is_empty());
}

/// A route whose guards move what lacks features, which is sure of its answers, and which drift would move.
fn watched() -> Stand {
    Stand { drift: Some(0.2), at_least: Some(0.8), guards: vec!["missing"], ..stand(None) }
}

/// A tick of requests of which so many in a hundred lack features, and of which the first tier is so sure.
fn ask(forecasts: &Forecasts, at: &mut u64, missing: u64, sure: f64, drift: f64) {
    *at += EVERY_NANOS;
    {
        let mut routes = forecasts.0.lock();
        let route = routes.get_mut("chat").expect("it has had a tick");
        (0..100).for_each(|it| route.recent.guard("missing", it < missing));
        (0..100).for_each(|_| route.recent.sure(sure));
    }
    forecasts.tick(*at, &[Stand { drift: Some(drift), ..watched() }]);
}

#[test]
fn a_route_whose_requests_lose_features_is_likely_to_fall_back_because_of_that() {
    let (forecasts, mut at) = (Forecasts::default(), 0);
    forecasts.tick(0, &[watched()]);
    // The share climbs to half of all requests, stays there for a while, and falls back.
    let climb = |at: &mut u64, points: u64| (0..points).for_each(|it| ask(&forecasts, at, 2 + it / 2, 0.9, 0.2));
    for _ in 0..8 {
        climb(&mut at, 100);
        (0..30).for_each(|_| ask(&forecasts, &mut at, 60, 0.9, 0.2));
        (0..150).for_each(|_| ask(&forecasts, &mut at, 2, 0.9, 0.2));
    }
    climb(&mut at, 75);
    let said = forecasts.read("chat").expect("judged");
    assert_eq!((said.because.as_str(), said.threshold, said.value), ("missing features", 0.5, Some(0.375)));
    assert!(said.warns && said.probability >= 0.7 && said.judged >= 240, "{said:?}");
}

#[test]
fn fore_6_what_moves_a_route_is_forecast_and_what_cannot_move_it_is_not() {
    let (forecasts, mut at) = (Forecasts::default(), 0);
    forecasts.tick(0, &[watched()]);
    (0..20).for_each(|_| ask(&forecasts, &mut at, 10, 0.95, 0.4));
    let values = |forecasts: &Forecasts| -> Vec<(&str, Option<f64>, f64)> {
        let routes = forecasts.0.lock();
        let of = |(trigger, it): (&Trigger, &Watched)| (trigger.name(), it.value, it.setting.threshold);
        routes["chat"].triggers.iter().map(of).collect()
    };
    let all = values(&forecasts);
    assert_eq!(
        all[2..],
        [
            ("drift score", Some(0.4), 1.0),
            ("mean confidence", Some(all[3].1.expect("a mean")), 0.8),
            ("missing features", Some(0.1), 0.5),
        ]
    );
    assert!((all[3].1.expect("a mean") - 0.95).abs() < 1e-9);
    forecasts.tick(at + EVERY_NANOS, &[stand(None)]);
    assert_eq!(values(&forecasts).iter().map(|it| it.0).collect::<Vec<_>>(), ["error ratio", "p95 latency"]);
    // Falling confidence is the trouble; one that is a logarithm has a scale of its own.
    let setting = |at_least: f64| Trigger::Confidence.setting(at_least);
    assert_eq!((setting(0.8).side, setting(0.8).scale), (Side::Below, Scale::Ratio));
    assert_eq!((setting(-0.5).side, setting(-0.5).scale), (Side::Below, Scale::Plain));
}

const FILE: &str = r#"
version: 1
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  score:
    protocol: oip
    input: {reference: x.ref}
    output: {tensors: {score: {datatype: FP32}}}
    guards: {missing: {max_ratio: 0.2, then: {start_at: default}}, noise: {}, anomaly: {false_alarm_rate: 0.01}}
    drift: {then: {start_at: default, mode: MODE}}
    tiers:
      - {name: primary, oip: {upstream: models, model: m}ACCEPT}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

/// What is applied of that file.
fn applied(mode: &str, accept: &str) -> Arc<Applied> {
    let plan = Plan {
        route: "score".into(),
        schema: vec![Column::new("x", ColumnKind::Number, reference::Role::Input)],
        seed: 1,
        false_alarms_per_million: 10_000,
        repeats: Repeats::Never,
        tool: "test".into(),
        keyed: None,
        like: None,
    };
    let row =
        |number: u64| SourceRow { number, at: None, values: vec![Value::Number((number * 7_919 % 10_007) as f64)] };
    let built = Reference::build(&plan, [7; 32], &(0..2_000).map(row).collect::<Vec<_>>()).expect("sound");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("x.ref"), built.encode()).expect("written");
    let loaded = load_text("t", &FILE.replace("MODE", mode).replace("ACCEPT", accept), folder.path());
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    Applied::new(Clock::start(), deployment, None).expect("ready")
}

fn stand_of(applied: &Applied) -> Stand {
    let driver = Driver::start(Clock::start(), applied.deployment.revision.clone(), Box::new(|_| ()), None);
    stands(&driver.under_way(), applied, 60 * SECOND).remove(0)
}

#[tokio::test]
async fn fore_6_a_route_stands_against_what_its_configuration_lets_move_it() {
    let watched = applied("enforce", ", accept: {confidence: \"outputs.score\", at_least: 0.7}");
    let stand = stand_of(&watched);
    assert_eq!((stand.at_least, stand.drift), (Some(0.7), None), "no row was looked at yet");
    assert_eq!(stand.guards, ["missing"], "those without `then` move nobody");
    let bare = applied("recommend", "");
    assert_eq!(stand_of(&bare).at_least, None);
    for it in [&watched, &bare] {
        let monitor = it.monitors[0].clone().expect("watched");
        let row = || Row {
            at: SECOND,
            entropy: 1,
            session: None,
            inputs: [evenkeel_signals::row::Value::Number(1.0)].into_iter().collect(),
            score: None,
            outputs: Vec::new(),
            text: None,
        };
        monitor.offer(1, row);
        while monitor.standing(60 * SECOND).seen.is_none() {
            tokio::task::yield_now().await;
        }
    }
    let score = stand_of(&watched).drift.expect("a row was looked at");
    assert!((0.0..1.0).contains(&score), "{score}");
    assert_eq!(stand_of(&bare).drift, None, "what is merely recommended moves no route");
}
