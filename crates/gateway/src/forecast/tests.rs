//! Forecasts of routes, fed by a clock that is passed.

use evenkeel_core::Permille;

use super::*;

/// A route whose breaker judges a minute, with an objective of 200 ms.
fn stand(load: Option<f64>) -> Stand {
    let errors = Rate { samples: 10, bad: Permille::new(200), window: 60 * SECOND };
    Stand { route: "chat".into(), errors, objective: Some(200_000_000), load }
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
    assert_eq!(triggers.keys().copied().collect::<Vec<_>>(), Trigger::ALL);
    assert_eq!(
        (triggers[&Trigger::ErrorRatio].value, triggers[&Trigger::Concurrency].value),
        (Some(0.025), Some(40.0))
    );
    assert!(Trigger::ALL.iter().all(|it| triggers[it].probability().is_some()));
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
