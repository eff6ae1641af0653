//! What a route does about drift.

use evenkeel_core::{DriftMode, DriftPolicy, Permille, SECOND};

use super::{keys::compiled, *};

/// The smallest route that does something about drift.
fn drifting(keys: &str) -> String {
    with("      - {name: last, fixed: {content: x}}\n").replace("    tiers:", &format!("    drift: {keys}\n    tiers:"))
}

fn policy(keys: &str) -> DriftPolicy {
    let loaded = load(&drifting(keys));
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{keys}: {:#?}", loaded.diagnostics));
    deployment.revision.routes[0].drift.clone().expect("it has one")
}

#[test]
fn what_is_not_said_of_drift_is_to_recommend_and_to_come_back_in_four_steps() {
    let ramp = [50, 250, 500, 1_000].map(Permille::new).to_vec();
    let expected = DriftPolicy { start_at: 1, mode: DriftMode::Recommend, ramp, every: 60 * SECOND };
    assert_eq!(policy("{then: {start_at: last}}"), expected);
    assert_eq!(policy("{then: {mode: observe}}").mode, DriftMode::Observe);
    let enforced = policy("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5, 1], every: 1s}}");
    let ramp = [500, 1_000].map(Permille::new).to_vec();
    assert_eq!(enforced, DriftPolicy { start_at: 1, mode: DriftMode::Enforce, ramp, every: SECOND });
    assert_eq!(load(&with("")).deployment.expect("compiles").revision.routes[0].drift, None);
}

#[test]
fn each_key_of_drift_changes_what_is_compiled() {
    let plain = "{then: {start_at: last, mode: enforce}}";
    for turned in [
        "{then: {start_at: last, mode: recommend}}",
        "{then: {start_at: last, mode: observe}}",
        "{then: {start_at: last, mode: enforce}, recover: {ramp: [1]}}",
        "{then: {start_at: last, mode: enforce}, recover: {every: 1s}}",
    ] {
        let [one, other] = [turned, plain].map(|keys| compiled(&drifting(keys), Path::new(".")));
        assert_ne!(one, other, "{turned}");
    }
    let third = |name: &str| {
        let tiers = drifting(plain).replace("start_at: last", &format!("start_at: {name}"));
        let tiers = tiers.replace(
            "      - {name: last",
            "      - {name: second, openai: {upstream: big, model: m}}\n      - {name: last",
        );
        load(&tiers).deployment.expect("compiles").revision.routes[0].drift.clone().expect("it has one").start_at
    };
    assert_eq!([third("second"), third("last")], [1, 2]);
}

#[test]
fn what_cannot_be_meant_of_drift_is_refused_by_name() {
    for (keys, code, key) in [
        ("{}", "missing-key", "drift.then.start_at"),
        ("{then: {mode: enforce}}", "missing-key", "drift.then.start_at"),
        ("{then: {start_at: primary}}", "order", "drift.then.start_at"),
        ("{then: {start_at: lats}}", "unknown-tier", "drift.then.start_at"),
        ("{then: {start_at: last, mode: force}}", "unknown-word", "drift.then.mode"),
        ("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5]}}", "ramp", "drift.recover.ramp"),
        ("{then: {start_at: last, mode: enforce}, recover: {ramp: [0.5, 0.2, 1]}}", "ramp", "drift.recover.ramp"),
        ("{then: {start_at: last, mode: enforce}, recover: {every: 1us}}", "out-of-range", "drift.recover.every"),
        ("{then: {start_at: last}, recover: {every: 1s}}", "no-effect", "drift.recover"),
    ] {
        let found = load(&drifting(keys)).diagnostics;
        let fits = |it: &Diagnostic| it.code == code && it.key.ends_with(key);
        assert!(found.iter().any(fits), "{keys}: {code} at {key} in {found:#?}");
    }
}
