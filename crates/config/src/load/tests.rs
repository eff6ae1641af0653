//! Files, right and wrong, by table.

use super::*;
use crate::{describe::EXAMPLE, schema::path::Kind};

fn load(text: &str) -> Loaded {
    load_text("evenkeel.yaml", text, Path::new("."))
}

/// The smallest file that says something, with a line more in its tier.
fn with(tier: &str) -> String {
    format!(
        "version: 1\nupstreams:\n  big: {{protocol: openai, url: \"http://127.0.0.1:1/v1\"}}\nroutes:\n  chat:\n    \
         protocol: openai-chat\n    tiers:\n      - name: primary\n        openai: {{upstream: big, model: m}}\n{tier}"
    )
}

fn codes(text: &str) -> Vec<(&'static str, usize)> {
    load(text).diagnostics.iter().map(|it| (it.code, it.line)).collect()
}

#[test]
fn the_example_works_and_warns_of_nothing() {
    let loaded = load(EXAMPLE);
    assert_eq!(loaded.diagnostics, [], "{:#?}", loaded.diagnostics);
    let deployment = loaded.deployment.expect("it compiles");
    assert_eq!(deployment.revision.routes.len(), 2);
    assert!(
        matches!(&deployment.paths[2].kind, Kind::Openai(it) if it.model == "embedding-model")
            || deployment.paths.len() == 4
    );
    assert!(deployment.name().starts_with("sha256:") && deployment.name().len() == 19);
}

#[test]
fn cf_01_ten_mistakes_give_ten_diagnostics_each_with_line_and_hint() {
    let text = r#"version: 1
server: {listen: "here", drain: 30}
upstreams:
  big: {protocol: openai, url: "ftp://x"}
  small: {protocol: openai, url: "http://y", api_key: "${env:EVENKEEL_NO_SUCH_VARIABLE}"}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - {name: primary, openai: {upstream: bigg, model: m}, stal: 5s}
      - {name: primary, openai: {upstream: small, model: m}, fixed: {content: x}}
      - {name: last, fixed: {content: "ok"}, first_token: 5 seconds, breaker: {ramp: [0.5, 0.2]}, retries: 99}
"#;
    let loaded = load(text);
    assert!(loaded.deployment.is_none());
    let found: Vec<_> = loaded.diagnostics.iter().map(|it| (it.code, it.line)).collect();
    let expected = [
        ("bad-address", 2),
        ("bad-value", 2),
        ("bad-url", 4),
        ("missing-secret", 5),
        ("unknown-upstream", 10),
        ("unknown-key", 10),
        ("duplicate-name", 11),
        ("two-kinds", 11),
        ("bad-value", 12),
        ("ramp", 12),
        ("out-of-range", 12),
    ];
    for wanted in expected {
        assert!(found.contains(&wanted), "{wanted:?} is not in {:#?}", loaded.diagnostics);
    }
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.column > 0 && !diagnostic.hint.is_empty(), "{diagnostic}");
    }
    let stall = loaded.diagnostics.iter().find(|it| it.code == "unknown-key").expect("it is there");
    assert_eq!((stall.key.as_str(), stall.hint.as_str()), ("routes.chat.tiers[0].stal", "did you mean `stall`?"));
}

#[test]
fn cf_01_what_is_no_configuration_is_refused_with_a_place() {
    let huge = "a: ".repeat(100);
    for (text, code) in [
        ("", "unreadable"),
        ("version: [1", "unreadable"),
        ("a: &x 1\nb: *x", "unreadable"),
        ("---\nversion: 1\n---\nversion: 1", "unreadable"),
        (huge.as_str(), "unreadable"),
        ("[]", "wrong-type"),
        ("version: 2\nroutes: {}", "out-of-range"),
        ("version: 1", "missing-key"),
        ("version: 1\nversion: 1\nroutes: {}", "duplicate-key"),
        ("version: no\nroutes: {}", "wrong-type"),
        ("version: 1\nroutes: {}", "empty"),
    ] {
        let loaded = load(text);
        assert!(loaded.deployment.is_none(), "{text:?}");
        assert!(loaded.diagnostics.iter().any(|it| it.code == code), "{text:?}: {:#?}", loaded.diagnostics);
    }
    let absent = load_file(Path::new("/nowhere/evenkeel.yaml"));
    assert_eq!(absent.diagnostics[0].code, "unreadable");
}

#[test]
fn cf_07_a_last_tier_that_can_fail_and_one_that_is_never_reached_are_warned_of() {
    assert_eq!(codes(&with("")), [("last-tier-can-fail", 8)]);
    let below = with("      - {name: a, fixed: {content: x}}\n      - {name: b, fixed: {content: x}}\n");
    assert_eq!(codes(&below), [("unreachable", 11)]);
    assert!(load(&below).deployment.is_some());
}

#[test]
fn oai_12_embeddings_of_unlike_spaces_are_refused() {
    let text = |second: &str| {
        format!(
            "version: 1\nupstreams: {{u: {{protocol: openai, url: \"http://x\"}}}}\nroutes:\n  v:\n    protocol: \
             openai-embeddings\n    tiers:\n      - {{name: a, openai: {{upstream: u, model: m}}, space: one}}\n      - \
             {second}\n"
        )
    };
    for (second, code) in [
        ("{name: b, openai: {upstream: u, model: n}, space: two}", Some("space")),
        ("{name: b, openai: {upstream: u, model: n}}", Some("space")),
        ("{name: b, fixed: {content: x}, space: one}", Some("fixed-embeddings")),
        ("{name: b, openai: {upstream: u, model: n}, space: one}", None),
    ] {
        assert_eq!(codes(&text(second)).first().map(|it| it.0), code, "{second}");
    }
}

/// Each key of a tier, a breaker and a route, turned, changes what is compiled.
#[test]
fn every_key_changes_what_is_compiled() {
    let compiled = |text: &str| {
        let loaded = load(text);
        let deployment = loaded.deployment.unwrap_or_else(|| panic!("{text}: {:#?}", loaded.diagnostics));
        let mut revision = (*deployment.revision).clone();
        revision.digest = [0; 32];
        format!(
            "{revision:?} {:?} {:?} {:?} {:?}",
            deployment.server, deployment.upstreams, deployment.paths, deployment.routes
        )
    };
    let plain = compiled(&with(""));
    for tier in [
        "method: distilled",
        "first_token: 1s",
        "stall: 5s",
        "total: 1s",
        "finalise: 1s",
        "retries: 0",
        "max_answer: 1KiB",
        "context: 4096",
        "features: [tools]",
        "space: one",
        "breaker: {consecutive: 9}",
        "breaker: {fast: [9, 0.5, 10s]}",
        "breaker: {slow: [50, 0.3, 60s]}",
        "breaker: {low: [3, 3]}",
        "breaker: {open: 1s}",
        "breaker: {open_max: 60s}",
        "breaker: {probes: 1}",
        "breaker: {successes: 1}",
        "breaker: {ramp: [1]}",
    ] {
        assert_ne!(compiled(&with(&format!("        {tier}\n"))), plain, "{tier} changes nothing");
    }
    for route in [
        "deadline: 1s",
        "max_attempts: 1",
        "on_policy: next",
        "on_capability: error",
        "retry_budget: {ratio: 0.2}",
        "retry_budget: {floor: 0}",
        "retry_budget: {per: 1s}",
    ] {
        let text = with("").replace("    tiers:", &format!("    {route}\n    tiers:"));
        assert_ne!(compiled(&text), plain, "{route} changes nothing");
    }
    for server in
        ["listen: \"127.0.0.1:1\"", "admin: \"127.0.0.1:2\"", "max_body: 1KiB", "read_timeout: 1s", "drain: 1s"]
    {
        assert_ne!(compiled(&format!("{}server: {{{server}}}\n", with(""))), plain, "{server} changes nothing");
    }
    for upstream in ["api_key: hush", "connect: 2s", "idle: 2s"] {
        let text = with("").replace("protocol: openai, url", &format!("protocol: openai, {upstream}, url"));
        assert_ne!(compiled(&text), plain, "{upstream} changes nothing");
    }
}

#[test]
fn comp_02_files_that_mean_the_same_have_the_same_digest() {
    let one = load(&with("")).deployment.expect("compiles");
    let same = load(&with("        stall: 10000ms\n")).deployment.expect("compiles");
    let other = load(&with("        stall: 9s\n")).deployment.expect("compiles");
    assert_eq!(one.name(), same.name());
    assert_ne!(one.name(), other.name());
}

#[test]
fn se_05_a_secret_appears_nowhere_in_what_is_compiled() {
    let text = with("").replace("protocol: openai, url", "protocol: openai, api_key: hush-hush, url");
    let deployment = load(&text).deployment.expect("compiles");
    assert!(!format!("{deployment:?}").contains("hush-hush"));
}
