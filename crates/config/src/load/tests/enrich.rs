//! `enrich`: what each key does, and what is refused when the file is read (F-037).

use evenkeel_core::{ImputedPolicy, Permille};

use super::{keys::compiled, *};

const FRAUD: &str = r#"version: 1
upstreams:
  feast: {protocol: feast, url: "http://127.0.0.1:1"}
routes:
  fraud:
    protocol: oip
    input: {tensor: x, columns: [amount, txn_7d, avg], features: {txn_7d: {type: int, min: 0, max: 500}}}
    enrich:
      upstream: feast
      entity: {customer_id: {input: customer}}
      features:
        txn_7d: {feature: "stats:txn_7d", default: 0}
        avg: {feature: "stats:avg_amount", default: 1.5}
    tiers:
      - {name: first, fixed: {outputs: {score: 0.5}}}
      - {name: second, fixed: {outputs: {score: 0.5}}}
      - {name: third, fixed: {outputs: {score: 0.5}}}
"#;

/// Returns the file with a piece of it replaced.
fn turned(from: &str, to: &str) -> String {
    assert!(FRAUD.contains(from), "{from} is not in the text");
    FRAUD.replacen(from, to, 1)
}

#[test]
fn f_037_a_route_is_enriched_by_columns_of_its_tensor() {
    let deployment = load(FRAUD).deployment.expect("compiles");
    let it = deployment.routes[0].enrich.as_ref().expect("declared");
    assert_eq!(deployment.upstreams[it.upstream.index()].name, "feast");
    assert_eq!((it.timeout, it.breaker.clone()), (50_000_000, evenkeel_core::BreakerPolicy::default()));
    let features: Vec<_> = it.features.iter().map(|it| (it.name.as_str(), it.column, it.default)).collect();
    assert_eq!(features, [("avg", 2, 1.5), ("txn_7d", 1, 0.0)]);
    assert_eq!((it.features[0].view.as_str(), it.features[0].feature.as_str()), ("stats", "avg_amount"));
    assert_eq!((it.features[0].max_age, it.features[0].keep), (None, None));
    let imputed = deployment.revision.routes[0].imputed;
    assert_eq!(
        imputed,
        ImputedPolicy { most: Permille::ALL, start_at: 1, split: false },
        "compared, and never too much"
    );
    assert!(deployment.revision.upstreams[0].probe.is_none());
    assert_eq!(codes(FRAUD).iter().filter(|it| it.0 != "unreachable").count(), 0, "{:?}", codes(FRAUD));
}

#[test]
fn f_037_each_key_changes_what_is_compiled_and_its_name() {
    let here = Path::new(".");
    let (plain, name) = (compiled(FRAUD, here), load(FRAUD).deployment.map(|it| it.name()));
    for (from, to) in [
        ("upstream: feast\n", "upstream: feast\n      timeout: 20ms\n"),
        ("upstream: feast\n", "upstream: feast\n      max_imputed: 0.5\n"),
        ("upstream: feast\n", "upstream: feast\n      max_imputed: 0.5\n      start_at: third\n"),
        ("upstream: feast\n", "upstream: feast\n      breaker: {consecutive: 2}\n"),
        ("customer_id:", "client_id:"),
        ("input: customer", "input: client"),
        ("input: customer", "input: customer, type: string"),
        ("stats:txn_7d", "stats:txn_30d"),
        ("stats:txn_7d", "other:txn_7d"),
        ("default: 0", "default: 1"),
        ("default: 0", "default: 0, max_age: 1h"),
        ("default: 0", "default: 0, keep: 1h"),
        ("        avg: {feature: \"stats:avg_amount\", default: 1.5}\n", ""),
    ] {
        let text = turned(from, to);
        assert_ne!(compiled(&text, here), plain, "{to} changes nothing");
        assert_ne!(load(&text).deployment.map(|it| it.name()), name, "{to}");
    }
    let third = turned("upstream: feast\n", "upstream: feast\n      max_imputed: 0.5\n      start_at: third\n");
    let third = load(&third).deployment.expect("compiles").revision.routes[0].imputed;
    assert_eq!(third, ImputedPolicy { most: Permille::new(500), start_at: 2, split: false });
}

#[test]
fn f_037_what_cannot_be_fetched_or_stand_in_is_refused_with_its_key() {
    let route = "upstream: feast\n";
    for (from, to, code, key) in [
        ("upstream: feast\n", "upstream: feest\n", "unknown-upstream", "enrich.upstream"),
        ("protocol: feast,", "protocol: oip,", "wrong-protocol", "enrich.upstream"),
        ("protocol: feast,", "protocol: feast, dialect: triton,", "misplaced-key", "feast.dialect"),
        ("protocol: feast,", "protocol: feast, probe: off,", "misplaced-key", "feast.probe"),
        ("protocol: feast,", "protocol: feast, min_available: 2,", "misplaced-key", "feast.min_available"),
        ("protocol: feast,", "protocol: feast, capacity_domain: q,", "misplaced-key", "feast.capacity_domain"),
        ("url: \"http://127.0.0.1:1\"", "urls: [\"http://a\", \"http://b\"]", "one-address", "feast.urls"),
        ("{customer_id: {input: customer}}", "{}", "empty", "enrich.entity"),
        ("input: customer", "input: x", "duplicate-name", "customer_id.input"),
        ("input: customer", "input: \"\"", "empty", "customer_id.input"),
        ("input: customer", "input: customer, type: float", "unknown-word", "customer_id.type"),
        ("        avg:", "        average:", "unknown-column", "features.average"),
        ("stats:txn_7d", "txn_7d", "bad-feature", "txn_7d.feature"),
        ("stats:txn_7d", "a:b:c", "bad-feature", "txn_7d.feature"),
        ("default: 0", "default: 501", "breaks-contract", "txn_7d.default"),
        ("default: 0", "default: 0.5", "breaks-contract", "txn_7d.default"),
        ("default: 1.5", "default: 1e39", "breaks-contract", "avg.default"),
        (", default: 1.5", "", "missing-key", "avg.default"),
        (route, "upstream: feast\n      max_imputed: 0.5\n      start_at: first\n", "order", "enrich.start_at"),
        (
            route,
            "upstream: feast\n      max_imputed: 0.5\n      rows: split\n      start_at: third\n",
            "order",
            "enrich.start_at",
        ),
        (route, "upstream: feast\n      max_imputed: 0.5\n      start_at: thirt\n", "unknown-tier", "enrich.start_at"),
        (route, "upstream: feast\n      start_at: second\n", "no-effect", "enrich.start_at"),
        (route, "upstream: feast\n      timeout: 2s\n", "no-effect", "enrich.timeout"),
        (route, "upstream: feast\n      breaker: {ramp: [1, 0.5]}\n", "ramp", "enrich.breaker.ramp"),
        ("input: {tensor: x, columns: [amount, txn_7d, avg], ", "input: {", "missing-input", "fraud.enrich"),
        ("protocol: oip\n", "protocol: openai-chat\n", "misplaced-key", "fraud.enrich"),
    ] {
        let found = load(&turned(from, to)).diagnostics;
        let fits = |it: &Diagnostic| it.code == code && it.key.ends_with(key);
        assert!(found.iter().any(fits), "{to}: {code} at {key} in {found:#?}");
    }
    let alone = FRAUD.split("      - {name: second").next().expect("the file up to there");
    let alone = alone.replace("upstream: feast\n", "upstream: feast\n      max_imputed: 0.5\n");
    assert!(load(&alone).diagnostics.iter().any(|it| it.code == "no-tier"), "nobody takes such rows");
}

#[test]
fn f_037_a_path_that_stands_alone_is_asked_with_all_its_features() {
    let most = turned("upstream: feast\n", "upstream: feast\n      max_imputed: 0.5\n");
    let alone = load(&most).deployment.expect("compiles").only("fraud", "second").expect("it is computed here");
    assert_eq!((alone.upstreams.len(), &alone.routes[0].enrich), (0, &None));
    assert_eq!(alone.revision.routes[0].imputed, ImputedPolicy::default());
}

#[test]
fn f_037_a_feature_server_that_enriches_a_route_is_in_use() {
    assert!(!codes(FRAUD).iter().any(|it| it.0 == "unused"));
    let spare = turned("routes:", "  spare: {protocol: feast, url: \"http://127.0.0.1:2\"}\nroutes:");
    assert!(codes(&spare).iter().any(|it| it.0 == "unused"), "{:?}", codes(&spare));
}
