//! Limits: one word about one model, and room below for what falls.

use super::*;

/// A route with tiers of these limits, each a model of its own, the second on two replicas.
fn tiers(route: &str, limits: &[&str]) -> String {
    let upstream = |at: usize| match at {
        1 => "urls: [\"http://b/v1\", \"http://c/v1\"]",
        _ => "url: \"http://aAT/v1\"",
    };
    let urls = |at: usize| upstream(at).replace("AT", &at.to_string());
    let upstreams = (0..limits.len()).map(|at| format!("  up{at}: {{protocol: openai, {}}}\n", urls(at)));
    let tier = |(at, limit): (usize, &&str)| {
        format!("      - {{name: t{at}, openai: {{upstream: up{at}, model: m}}{limit}}}\n")
    };
    let tiers = limits.iter().enumerate().map(tier);
    let fixed = "      - {name: last, fixed: {content: x}}\n";
    format!(
        "version: 1\nupstreams:\n{}routes:\n  chat:\n    protocol: openai-chat\n{route}    tiers:\n{}{fixed}",
        upstreams.collect::<String>(),
        tiers.collect::<String>()
    )
}

fn found(text: &str) -> Vec<(&'static str, Severity)> {
    load(text).diagnostics.iter().map(|it| (it.code, it.severity)).collect()
}

#[test]
fn f_155_a_tier_with_less_room_than_the_one_above_is_a_warning_or_an_error() {
    let warning = ("headroom", Severity::Warning);
    for (limits, expected) in [
        (&[", limit: 32", ", limit: 16"][..], vec![]),
        (&[", limit: 32", ", limit: 15"], vec![warning]),
        (&[", limit: 32", ", limit: 32", ", limit: 63"], vec![warning]),
        (&[", limit: 32", ""], vec![]),
        (&["", ", limit: 1"], vec![]),
    ] {
        assert_eq!(found(&tiers("", limits)), expected, "{limits:?}");
        let strict = expected.iter().map(|(code, _)| (*code, Severity::Error)).collect::<Vec<_>>();
        assert_eq!(found(&tiers("    require_headroom: true\n", limits)), strict, "{limits:?}");
    }
}

#[test]
fn f_081_two_limits_for_one_model_at_one_upstream_are_an_error() {
    let other = |limit: &str| {
        let route = "  other:\n    protocol: openai-chat\n    tiers:\n";
        format!(
            "{}{route}      - {{name: x, openai: {{upstream: up0, model: m}}{limit}}}\n",
            tiers("", &[", limit: 8"])
        )
    };
    let errors = |text: &str| found(text).into_iter().filter(|it| it.1 == Severity::Error).collect::<Vec<_>>();
    assert_eq!(errors(&other(", limit: 8")), []);
    assert_eq!(errors(&other(", limit: 9")), [("two-limits", Severity::Error)]);
    assert_eq!(errors(&other("")), [("two-limits", Severity::Error)], "the default is a word, too");
    assert_eq!(errors(&other(", limit: 0")), [("bad-value", Severity::Error)]);
}

#[test]
fn f_081_two_limits_for_one_model_at_one_address_are_an_error_whatever_its_upstreams_are_called() {
    let twins = |first: &str, second: &str| {
        let tier =
            |at: u8, limit: &str| format!("      - {{name: t{at}, openai: {{upstream: u{at}, model: m}}{limit}}}\n");
        let text = format!(
            "version: 1\nupstreams:\n  u0: {{protocol: openai, urls: [\"http://a/v1\", \"http://b/v1\"]}}\n  \
             u1: {{protocol: openai, url: \"http://b/v1/\"}}\nroutes:\n  chat:\n    protocol: openai-chat\n    tiers:\n{}{}      \
             - {{name: last, fixed: {{content: x}}}}\n",
            tier(0, first),
            tier(1, second)
        );
        found(&text).into_iter().filter(|it| it.1 == Severity::Error).collect::<Vec<_>>()
    };
    assert_eq!(twins(", limit: 8", ", limit: 8"), []);
    assert_eq!(twins(", limit: 8", ", limit: 9"), [("two-limits", Severity::Error)]);
    assert_eq!(twins(", limit: 8", ""), [("two-limits", Severity::Error)]);
}

#[test]
fn f_084_f_081_limits_and_classes_reach_the_core() {
    let text = tiers("    priority: sheddable\n", &[", limit: 8", ""]);
    let revision = load(&text).deployment.expect("it compiles").revision.clone();
    use evenkeel_core::{LimitPolicy, Priority};
    assert_eq!(revision.routes[0].priority, Priority::Sheddable);
    let limits: Vec<_> = revision.paths.iter().map(|it| (it.model.as_str(), it.limit)).collect();
    assert_eq!(limits, [("m", LimitPolicy::Fixed(8)), ("m", LimitPolicy::Auto), ("", LimitPolicy::Auto)]);
}

#[test]
fn f_087_a_body_that_never_fits_is_an_error() {
    let server = |keys: &str| format!("{}server: {{{keys}}}\n", with(""));
    assert!(codes(&server("max_body: 2MiB, body_bytes: 1MiB")).iter().any(|it| it.0 == "order"));
    let plain = codes(&with(""));
    assert_eq!(codes(&server("max_body: 760B, body_bytes: 1000B")), plain);
    assert_eq!(codes(&server("body_bytes: 128MiB")), plain, "half of it, by default");
}

#[test]
fn f_087_the_highest_class_that_asks_models_says_what_fits() {
    for (class, most) in [("critical", 800), ("default", 760), ("sheddable", 640)] {
        let routes = tiers(&format!("    priority: {class}\n"), &["", ""]);
        let found = |body: u32| found(&format!("{routes}server: {{max_body: {body}B, body_bytes: 1000B}}\n"));
        let warned = |body| found(body).contains(&("body-room", Severity::Warning));
        assert_eq!((warned(most), warned(most + 1)), (false, true), "{class}");
    }
    // Nothing but this process answers: it may use all.
    let local = "version: 1\nroutes: {r: {protocol: openai-chat, tiers: [{name: t, fixed: {content: x}}]}}\n";
    assert_eq!(found(&format!("{local}server: {{max_body: 1000B, body_bytes: 1000B}}\n")), found(local));
}

#[test]
fn f_087_a_body_that_fits_and_reaches_no_model_is_a_warning() {
    for keys in ["max_body: 761B, body_bytes: 1000B", "max_body: 1MiB, body_bytes: 1MiB", "body_bytes: 64MiB"] {
        let text = format!("{}server: {{{keys}}}\n", with(""));
        let mut more = found(&text);
        more.retain(|it| !found(&with("")).contains(it));
        assert_eq!(more, [("body-room", Severity::Warning)], "{keys}");
        assert!(load(&text).deployment.is_some(), "{keys}");
    }
}

#[test]
fn f_092_a_hedge_without_another_replica_is_a_warning() {
    let found = |limits: &[&str]| found(&tiers("", limits));
    let warning = ("no-effect", Severity::Warning);
    assert_eq!(found(&[", hedge: auto"]), [warning], "one address");
    assert_eq!(found(&["", ", hedge: auto"]), [], "two");
    assert_eq!(found(&["", ", hedge: auto, capacity_domain: one"]), [warning], "two on one quota");
}
