//! Scenarios that are wrong: every mistake is told at once, with its line, its key and a hint.

use std::path::Path;

use evenkeel_sim::Scenario;

use crate::golden::folder;

const WRONG: &str = r#"about: everything is wrong with it
requests: 0
config:
  version: 1
  upstreams:
    big: {protocol: openai, url: "http://big.example/v1"}
  routes:
    chat:
      protocol: openai-chat
      tiers:
        - {name: primary, openai: {upstream: big, model: m}, stal: 5s}
        - {name: default, fixed: {content: none}}
servers:
  bigg: {first_token: {median: 300ms}}
workload:
  - {route: chatt, rate: 5}
  - {route: chat, rate: quick}
faults:
  - {at: 10s, for: 10s, upstream: big, fault: refuses}
expect: {failover: soon}
"#;

const ACROSS: &str = r#"about: each key is right, and they do not go together
requests: 10
config:
  version: 1
  upstreams:
    big: {protocol: openai, url: "http://big.example/v1"}
  routes:
    vectors: {protocol: openai-embeddings, tiers: [{name: primary, openai: {upstream: big, model: m}}]}
servers:
  huge: {}
  big: {first_token: {median: 300ms, p99: 200ms}}
workload:
  - {route: vectors, rate: 5, streams: 0.5, tools: 0.1, for: 10s}
  - {route: nobody, rate: 5, for: 10s}
faults:
  - {at: 10s, for: 10s, upstream: big, fault: refuse, delay: 1s}
  - {at: 10s, for: 10s, upstream: big, replica: 1, fault: status}
  - {at: 10s, for: 10s, upstream: small, fault: silence, times: 3}
"#;

fn found(text: &str) -> Vec<(&'static str, usize, String)> {
    let found = Scenario::read("s.yaml", text, None).expect_err("it is wrong");
    assert!(found.iter().all(|it| it.file == "s.yaml" && !it.message.is_empty()), "{found:#?}");
    found.into_iter().map(|it| (it.code, it.line, it.key)).collect()
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_and_key() {
    let expected = [
        ("out-of-range", 2, "requests"),
        ("unknown-key", 11, "config.routes.chat.tiers[0].stal"),
        ("unknown-upstream", 14, "servers.bigg"),
        ("unknown-route", 16, "workload[0].route"),
        ("wrong-type", 17, "workload[1].rate"),
        ("unknown-word", 19, "faults[0].fault"),
        ("bad-value", 20, "expect.failover"),
    ];
    let found = found(WRONG);
    let found: Vec<_> = found.iter().map(|(code, line, key)| (*code, *line, key.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn keys_that_do_not_go_together_are_told_too() {
    let expected = [
        ("unknown-upstream", 10, "servers.huge"),
        ("out-of-range", 11, "servers.big.first_token.p99"),
        ("misplaced-key", 13, "workload[0].streams"),
        ("misplaced-key", 13, "workload[0].tools"),
        ("ends-too-soon", 13, "workload[0].for"),
        ("unknown-route", 14, "workload[1].route"),
        ("misplaced-key", 16, "faults[0].delay"),
        ("out-of-range", 17, "faults[1].replica"),
        ("missing-key", 17, "faults[1].status"),
        ("unknown-upstream", 18, "faults[2].upstream"),
        ("one-without-other", 18, "faults[2].every"),
    ];
    let mut found = found(ACROSS);
    found.sort_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)));
    let mut expected = expected;
    expected.sort_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)));
    let found: Vec<_> = found.iter().map(|(code, line, key)| (*code, *line, key.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_file_that_is_not_there_is_told_with_its_name() {
    let found = Scenario::load(Path::new("nowhere/s.yaml"), None).expect_err("it is not there");
    assert_eq!((found[0].code, found[0].file.as_str()), ("unreadable", "nowhere/s.yaml"));
}

#[test]
fn a_scenario_runs_under_another_configuration_that_has_what_it_names() {
    let example = folder().join("../examples/quickstart/evenkeel.yaml");
    let deployment = evenkeel_config::load_file(&example).deployment.expect("the example works");
    let scenario = folder().join("plain.yaml");
    let found = Scenario::load(&scenario, Some(&deployment)).expect_err("its upstreams have other names");
    assert!(found.iter().any(|it| it.code == "unknown-upstream" && it.hint.contains("the configuration has")));
}

#[test]
fn a_drift_and_an_input_that_nothing_follows_from_are_told() {
    let script = r#"about: nobody looks
requests: 10
config:
  version: 1
  upstreams:
    big: {protocol: openai, url: "http://big.example/v1"}
  routes:
    chat: {protocol: openai-chat, tiers: [{name: primary, openai: {upstream: big, model: m}}, {name: last, fixed: {content: x}}]}
workload:
  - {route: chat, rate: 5, unlike: 0.1}
drifts:
  - {route: chat, at: 1s, for: 1s}
  - {route: chatt, at: 1s, for: 1s}
  - {route: chat, at: 1s, for: 1s, then: dead}
"#;
    let expected = [
        ("misplaced-key", 10, "workload[0].unlike"),
        ("misplaced-key", 12, "drifts[0].route"),
        ("unknown-route", 13, "drifts[1].route"),
        ("misplaced-key", 14, "drifts[2].route"),
        ("unknown-word", 14, "drifts[2].then"),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(code, line, key)| (code, line, key.to_owned())).collect();
    assert_eq!(found(script), expected);
}
