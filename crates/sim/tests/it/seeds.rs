//! Many seeds of every scenario: in debug a few, in release as many as acceptance asks for (`./test`).

use std::sync::atomic::{AtomicU64, Ordering};

use evenkeel_sim::{Scenario, Seeds, Sweep, play, sweep};
use serde_json::Value;

use crate::golden::scenarios;

/// Two cores, as the machines have that the time is promised for.
const THREADS: usize = 2;

/// Runs in all; `EVENKEEL_SEEDS` says how many, spread over the scenarios.
fn runs() -> u64 {
    let asked = std::env::var("EVENKEEL_SEEDS").ok().map(|it| it.parse().expect("EVENKEEL_SEEDS is a number"));
    asked.unwrap_or(if cfg!(debug_assertions) { 1_000 } else { 10_000 })
}

fn told(sweep: &Sweep) -> String {
    let failures = sweep.failures.iter().take(5);
    let failures: Vec<_> = failures.map(|it| format!("  {}: {}", it.command, it.what.join("; "))).collect();
    format!("{sweep}\n{}", failures.join("\n"))
}

#[test]
fn rule_11_f_192_every_scenario_keeps_every_rule_and_all_is_well_again() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 12, "{} scenarios", scenarios.len());
    let count = runs().div_ceil(scenarios.len() as u64);
    // On main the commit is the seed of the day: every run tries others.
    let first = std::env::var("EVENKEEL_SEED").ok().map_or(1, |it| it.parse().expect("EVENKEEL_SEED is a number"));
    println!("{}", Sweep::head());
    let sweeps: Vec<Sweep> = scenarios
        .iter()
        .map(|scenario| sweep(scenario, Seeds { first, count, threads: THREADS }, &|| ()))
        .inspect(|sweep| println!("{sweep}"))
        .collect();
    let failed: Vec<String> = sweeps.iter().filter(|it| !it.holds()).map(told).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_a_sweep_tells_does_not_depend_on_threads() {
    let scenarios = scenarios();
    let scenario = scenarios.iter().find(|it| it.name == "primary-dies").expect("it is there");
    let done = AtomicU64::new(0);
    let swept = |threads| {
        let progress = || {
            done.fetch_add(1, Ordering::Relaxed);
        };
        sweep(scenario, Seeds { first: 5, count: 9, threads }, &progress).to_json()
    };
    assert_eq!(swept(1), swept(3), "SWEEP-1");
    assert_eq!(done.into_inner(), 18, "progress is told after each run");
}

#[test]
fn a_failing_seed_is_told_with_the_one_command_that_shows_it() {
    let text = std::fs::read_to_string(crate::golden::folder().join("primary-dies.yaml")).expect("it is there");
    let strict = text.replace("failover: 5s", "failover: 1ms");
    let scenario = Scenario::read("scenarios/strict.yaml", &strict, None).expect("nothing is wrong with it");
    let sweep = sweep(&scenario, Seeds { first: 7, count: 2, threads: 2 }, &|| ());
    let commands: Vec<&str> = sweep.failures.iter().map(|it| it.command.as_str()).collect();
    let command = |seed| format!("evenkeel simulate scenarios/strict.yaml --seed {seed}");
    assert_eq!(commands, [command(7), command(8)]);
    assert!(sweep.failures[0].what[0].starts_with("expect.failover: "), "{:?}", sweep.failures[0].what);
    let (whole, few) = (play(&scenario, 7, None), play(&scenario, 7, Some(10)));
    assert!(!whole.holds() && few.holds(), "ten requests expect nothing");
    assert!(whole.to_string().ends_with(&format!("\nto see it again: {}\n", command(7))), "{whole}");
    assert_eq!((&whole.to_json()["command"], &few.to_json()["command"]), (&command(7).into(), &Value::Null));
}

#[test]
fn a_run_that_is_not_whole_does_not_say_that_expectations_hold() {
    let scenarios = scenarios();
    let scenario = scenarios.iter().find(|it| it.name == "primary-dies").expect("it is there");
    let says = |requests, words: &str, judged: bool| {
        let report = play(scenario, 1, requests);
        assert!(report.to_string().ends_with(&format!("\n{words}\n")), "{requests:?}: {report}");
        assert_eq!(report.to_json()["expectations_judged"], judged, "{requests:?}");
    };
    says(Some(10), "every rule holds; what is expected is judged only where all 1000 requests arrive", false);
    says(Some(scenario.requests), "every rule and every expectation holds", true);
    says(None, "every rule and every expectation holds", true);
}

#[test]
fn the_command_that_shows_a_failing_seed_names_the_configuration_that_it_failed_under() {
    let text = std::fs::read_to_string(crate::golden::folder().join("primary-dies.yaml")).expect("it is there");
    let strict = text.replace("failover: 5s", "failover: 1ms");
    let mut scenario = Scenario::read("scenarios/strict.yaml", &strict, None).expect("nothing is wrong with it");
    scenario.config = Some("mine.yaml".into());
    let sweep = sweep(&scenario, Seeds { first: 7, count: 1, threads: 1 }, &|| ());
    assert_eq!(sweep.failures[0].command, "evenkeel simulate scenarios/strict.yaml --config mine.yaml --seed 7");
}
