//! Under what ran nothing differs; under something else exactly what must.

use super::*;
use crate::{Scenario, replay::record};

fn scenario(name: &str) -> Scenario {
    let path = format!("{}/../../scenarios/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    Scenario::load(path.as_ref(), None).unwrap_or_else(|found| panic!("{found:?}"))
}

/// The log of a run, in a folder of its own.
fn logged(scenario: &Scenario, seed: u64, requests: u64) -> (tempfile::TempDir, Log) {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = record(scenario, seed, Some(requests));
    std::fs::write(folder.path().join(format!("{:020}.ekin", 1)), bytes).expect("written");
    let log = Log::open(folder.path()).expect("it is there");
    (folder, log)
}

fn asked(log: &Log, revision: Revision) -> WhatIf {
    let what_if = what_if(log, &Arc::new(revision), 1, &mut |_| {}).expect("it can be read");
    assert!(what_if.replayed.is_identical() && !what_if.broken, "{:?}", what_if.replayed);
    what_if
}

#[test]
fn wif_1_under_the_configuration_that_ran_nothing_differs() {
    for name in [
        "primary-dies",
        "everything-at-once",
        "cut-streams",
        "hedges",
        "flap-once",
        "panel",
        "cold-cache",
        "readiness-lies",
    ] {
        let scenario = scenario(name);
        let (_folder, log) = logged(&scenario, 7, 1_000);
        let what_if = asked(&log, (*scenario.revision).clone());
        assert!(!what_if.routes.is_empty(), "{name}");
        for (route, it) in &what_if.routes {
            let changes = (it.counted, it.estimated, it.guesses);
            assert_eq!((changes, &it.before), ((0, 0, 0), &it.after), "{name}, {route}:\n{what_if}");
        }
    }
}

#[test]
fn wif_2_without_its_first_tier_a_route_is_answered_by_the_second_and_what_was_never_called_is_told() {
    let mut scenario = scenario("plain");
    // Nor by a copy of a request.
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].shadow.share = evenkeel_core::Permille::new(0);
    scenario.revision = Arc::new(revision.clone());
    let (_folder, log) = logged(&scenario, 3, 500);
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    assert_eq!(chat.before.by, BTreeMap::from([("primary".into(), 500)]));
    assert_eq!(chat.after.by, BTreeMap::from([("small".into(), 500)]));
    assert_eq!((chat.requests, chat.counted, chat.estimated, chat.guesses), (500, 0, 500, 500));
    assert_eq!(what_if.unknown, BTreeMap::from([("chat/small".into(), 500)]));
    assert!(what_if.to_string().contains("0 counted, 500 estimated"), "{what_if}");
}

#[test]
fn wif_2_a_default_needs_no_estimate_and_is_counted() {
    let scenario = scenario("plain");
    let (_folder, log) = logged(&scenario, 3, 500);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].tiers.drain(..2);
    let what_if = asked(&log, revision);
    let chat = &what_if.routes["chat"];
    assert_eq!((chat.counted, chat.estimated), (500, 0));
    assert_eq!(chat.after.by, BTreeMap::from([("default".into(), 500)]));
    assert_eq!((chat.after.attempts, chat.after.latency(950)), (0, Some(0)));
}

#[test]
fn wif_2_what_a_path_did_for_others_near_in_time_stands_for_a_call_that_was_not_made_and_is_an_estimate() {
    let scenario = scenario("primary-dies");
    let (_folder, log) = logged(&scenario, 7, 1_000);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].tiers.remove(0);
    let what_if = asked(&log, revision.clone());
    let (name, route) = what_if.routes.first_key_value().expect("a route");
    assert!(what_if.unknown.is_empty(), "the second tier was called while the first was down: {what_if}");
    assert!(route.counted == 0 || route.estimated > route.counted, "{what_if}");
    assert!(!route.after.by.contains_key("primary"), "{name}: {what_if}");
    assert_eq!(asked(&log, revision), what_if, "WIF-3");
}

#[test]
fn a_route_that_is_not_there_any_more_is_told_and_not_compared() {
    let scenario = scenario("plain");
    let (_folder, log) = logged(&scenario, 3, 50);
    let mut revision = (*scenario.revision).clone();
    revision.routes[0].name = "other".into();
    let what_if = asked(&log, revision);
    assert_eq!((what_if.routes.len(), what_if.homeless), (0, 50));
}
