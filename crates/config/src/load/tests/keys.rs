//! Each key, turned, changes what is compiled.

use super::*;
use crate::DecisionStore;

/// What a file compiles to, without its name.
pub(super) fn compiled(text: &str, base: &Path) -> String {
    let loaded = load_text("evenkeel.yaml", text, base);
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{text}: {:#?}", loaded.diagnostics));
    let mut revision = (*deployment.revision).clone();
    revision.digest = [0; 32];
    let Deployment { server, data_dir, decisions, store, audit, upstreams, paths, routes, .. } = &*deployment;
    format!("{revision:?} {server:?} {data_dir:?} {decisions:?} {store:?} {audit:?} {upstreams:?} {paths:?} {routes:?}")
}

fn check(turned: &str, plain: &str) {
    let here = Path::new(".");
    assert_ne!(compiled(turned, here), compiled(plain, here), "{turned} changes nothing");
    assert_ne!(load(turned).deployment.map(|it| it.name()), load(plain).deployment.map(|it| it.name()), "{turned}");
}

#[test]
fn each_key_of_a_tier_changes_what_is_compiled() {
    for tier in [
        "method: distilled",
        "first_token: 1s",
        "first_token: auto",
        "stall: 5s",
        "total: 1s",
        "finalise: 1s",
        "min_rate: 5",
        "retries: 0",
        "after_break: 5s",
        "prefill: true",
        "effects: true",
        "max_answer: 1KiB",
        "context: 4096",
        "capacity_domain: shared",
        "limit: 8",
        "hedge: auto",
        "features: [tools, json, schema, logprobs, n, image, audio]",
        "features: [tools, json, schema, logprobs, n, image, file]",
        "features: [tools]",
        "features: []",
        "languages: [de, pt-BR]",
        "residency: [eu]",
        "breaker: {consecutive: 9}",
        "breaker: {fast: [9, 0.5, 10s]}",
        "breaker: {slow: [50, 0.3, 60s]}",
        "breaker: {low: [3, 3]}",
        "breaker: {open: 1s}",
        "breaker: {open_max: 60s}",
        "breaker: {flap_max: 60s}",
        "breaker: {probes: 1}",
        "breaker: {successes: 1}",
        "breaker: {ramp: [1]}",
    ] {
        check(&with(&format!("        {tier}\n")), &with(""));
    }
    check(&with("").replace("model: m", "model: n"), &with(""));
    check(&with("").replace("primary", "first"), &with(""));
    let fixed = |content: &str| with(&format!("      - {{name: last, fixed: {{content: \"{content}\"}}}}\n"));
    check(&fixed("one"), &fixed("two"));
}

#[test]
fn each_key_of_a_route_changes_what_is_compiled() {
    for route in [
        "deadline: 1s",
        "max_attempts: 1",
        "on_policy: next",
        "on_policy: default",
        "on_capability: error",
        "language: de",
        "shadow: {share: 0.02}",
        "shadow: {max_cost: 0.02}",
        "shadow: {tolerance: 0.1}",
        "rehearsal: 1h",
        "residency: [eu]",
        "when_exhausted: refuse",
        "rescue: off",
        "commit: full",
        "commit: {n_chars: 200}",
        "slo: {latency: {p95: 200ms}}",
        "priority: critical",
        "priority: sheddable",
        "retry_budget: {ratio: 0.2}",
        "retry_budget: {floor: 0}",
        "retry_budget: {per: 1s}",
    ] {
        check(&with("").replace("    tiers:", &format!("    {route}\n    tiers:")), &with(""));
    }
    let vectors = with("").replace("openai-chat", "openai-embeddings");
    check(&vectors, &with(""));
}

#[test]
fn f_141_each_key_of_a_cache_changes_what_is_compiled() {
    let keeps = |keys: &str| {
        let tier = "      - {name: earlier, cache: {}}\n";
        with(tier).replace("    tiers:", &format!("    cache: {{{keys}}}\n    tiers:"))
    };
    check(&keeps(""), &with(""));
    for keys in [
        "ttl: 1m",
        "stale_if_error: 2h",
        "fresh: false",
        "from: any",
        "waiters: 5",
        "memory: 32MiB",
        "max_entry: 2MiB",
        "vary: [x-tenant]",
    ] {
        check(&keeps(keys), &keeps(""));
    }
    let similar = |keys: &str| keeps(&format!("semantic: {{embeddings: {{upstream: big, model: e}}{keys}}}"));
    check(&similar(""), &keeps(""));
    for keys in [", at_least: 0.9", ", fresh: true", ", entries: 10"] {
        check(&similar(keys), &similar(""));
    }
    for embeddings in ["upstream: big, model: f", "upstream: big, model: e, timeout: 1s"] {
        check(&similar("").replace("upstream: big, model: e}", &format!("{embeddings}}}")), &similar(""));
    }
    let contract = |text: &str| load(text).deployment.expect("compiles").routes[0].cache.clone().map(|it| it.contract);
    let plain = contract(&keeps(""));
    for same in [keeps("ttl: 1m"), keeps("vary: [x]"), keeps("").replace("    tiers:", "    deadline: 1s\n    tiers:")]
    {
        assert_eq!(contract(&same), plain, "{same}");
    }
    for other in [keeps("from: any"), keeps("").replace("model: m", "model: n"), keeps("").replace("earlier", "former")]
    {
        assert_ne!(contract(&other), plain, "what was kept of others is not its own: {other}");
    }
    let name = |keys: &str| load(&keeps(keys)).deployment.expect("compiles").name();
    assert_eq!(name("vary: [X-B, x-a, x-b]"), name("vary: [x-a, x-b]"), "DIG-1");
}

#[test]
fn each_key_of_quality_changes_what_is_compiled_and_what_cannot_be_meant_is_told() {
    let measured = |keys: &str| with("").replace("    tiers:", &format!("    quality: {{{keys}}}\n    tiers:"));
    for keys in ["right_at: 0.8", "from: anyone", "vary: [x-tenant]", "memory: 1MiB", "label_delay: 2d"] {
        check(&measured(keys), &with(""));
    }
    let scored = |keys: &str| {
        format!(
            "version: 1\nupstreams: {{u: {{protocol: oip, url: \"http://127.0.0.1:1\"}}}}\nroutes:\n  score:\n    protocol: oip\n    \
             output: {{tensors: {{y: {{datatype: FP32}}, two: {{datatype: FP32, shape: [-1, 2]}}}}}}\n    quality: {{{keys}}}\n    \
             tiers: [{{name: primary, oip: {{upstream: u, model: m}}}}]\n"
        )
    };
    check(&scored("output: y"), &scored(""));
    check(&scored("label: 'outputs.two[0] > 0.5'"), &scored("label: 'outputs.two[1] > 0.5'"));
    for keys in ["output: y, abs_tol: 0.1", "output: y, rel_tol: 0.1"] {
        check(&scored(keys), &scored("output: y"));
    }
    let codes = |text: &str| {
        let codes = load(text).diagnostics.into_iter().map(|it| it.code);
        codes.filter(|it| *it != "last-tier-can-fail").collect::<Vec<_>>()
    };
    for (keys, expected) in [
        ("output: y", &[][..]),
        ("output: z", &["unknown-output"]),
        ("output: two", &["unknown-output"]),
        ("output: y, label: 'outputs.y > 0.5'", &["misplaced-key"]),
        ("label: 'outputs.y >'", &["bad-expression"]),
        ("label: 'outputs.z > 0.5'", &["bad-expression"]),
        ("label: '1.0 > 0.5'", &["bad-expression"]),
        ("output: y, abs_tol: -1", &["out-of-range"]),
        ("abs_tol: 1", &["no-effect"]),
        ("memory: 1KiB", &["out-of-range"]),
        ("label_delay: 0s", &["bad-value"]),
        ("label_delay: 15d", &["out-of-range"]),
        ("label_delay: 2d", &["no-effect"]),
        ("vary: [\"x y\"]", &["bad-name"]),
        ("from: me", &["unknown-word"]),
        ("outputs: y", &["unknown-key"]),
    ] {
        assert_eq!(codes(&scored(keys)), expected, "{keys}");
    }
    assert!(codes(&measured("output: y")).contains(&"misplaced-key"));
    let contract = |text: &str| load(text).deployment.expect("compiles").routes[0].cache.clone().map(|it| it.contract);
    let kept = |text: &str| text.replace("    tiers:", "    cache: {}\n    tiers:");
    assert_eq!(
        contract(&kept(&measured("right_at: 0.8"))),
        contract(&kept(&with(""))),
        "it says nothing of what is answered"
    );
}

#[test]
fn f_146_a_shared_store_is_told_by_its_address_and_is_part_of_the_revision() {
    let keeps = with("").replace("    tiers:", "    cache: {}\n    tiers:");
    let at = |address: &str| load(&format!("{keeps}shared: \"{address}\"\n"));
    let deployment = |address: &str| at(address).deployment.expect("compiles");
    assert!(load(&keeps).deployment.expect("compiles").shared.is_none());
    assert!(deployment("none").shared.is_none());
    let shared = deployment("redis://127.0.0.1:6379");
    assert_eq!(shared.shared.as_ref().map(|it| it.url.reveal()), Some("redis://127.0.0.1:6379"));
    assert_ne!(shared.name(), deployment("none").name());
    assert_ne!(shared.name(), deployment("redis://127.0.0.1:6380").name());
    let codes = |address: &str| {
        let codes = at(address).diagnostics.into_iter().map(|it| it.code);
        codes.filter(|it| *it != "last-tier-can-fail").collect::<Vec<_>>()
    };
    assert_eq!(codes("redis://127.0.0.1:6379/2"), [""; 0]);
    assert_eq!(codes("redis://:word@127.0.0.1"), ["plain-secret"]);
    assert_eq!(codes("http://127.0.0.1"), ["bad-url"]);
    assert_eq!(codes("${env:EVENKEEL_NO_SUCH}"), ["missing-secret"]);
    let without = load(&format!("{}shared: \"redis://h\"\n", with("")));
    assert!(without.diagnostics.iter().any(|it| it.code == "no-effect"), "{:?}", without.diagnostics);
}

#[test]
fn decisions_are_stored_in_a_file_in_a_postgresql_or_nowhere() {
    let at = |store: &str| load(&format!("{}store: \"{store}\"\n", with("")));
    let stored = |store: &str| at(store).deployment.expect("compiles").store.clone();
    assert_eq!(load(&with("")).deployment.expect("compiles").store, DecisionStore::Sqlite);
    assert_eq!((stored("sqlite"), stored("off")), (DecisionStore::Sqlite, DecisionStore::Off));
    let DecisionStore::Postgres(url) = stored("postgres://db:5432/evidence") else { panic!("it is a server") };
    assert_eq!(url.reveal(), "postgres://db:5432/evidence");
    let codes = |store: &str| {
        let codes = at(store).diagnostics.into_iter().map(|it| it.code);
        codes.filter(|it| *it != "last-tier-can-fail").collect::<Vec<_>>()
    };
    for (store, expected) in [
        ("postgresql://db/x", &[][..]),
        ("postgres://me:word@db/x", &["plain-secret"]),
        ("postgres://", &["bad-url"]),
        ("mysql://db/x", &["bad-url"]),
        ("sqlite3", &["bad-url"]),
        ("SQLite", &["bad-url"]),
        ("", &["bad-url"]),
        ("${env:EVENKEEL_NO_SUCH}", &["missing-secret"]),
    ] {
        assert_eq!(codes(store), expected, "{store}");
    }
    let told = format!("{:?}", at("mysql://me:hush@db/x").diagnostics);
    assert!(!told.contains("hush"), "SEC-1: {told}");
}

#[test]
fn a_cache_that_cannot_be_meant_is_told() {
    let codes = |cache: &str, tier: &str| {
        let text = with(tier).replace("    tiers:", &format!("    cache: {cache}\n    tiers:"));
        load(&text).diagnostics.iter().map(|it| it.code).filter(|it| *it != "last-tier-can-fail").collect::<Vec<_>>()
    };
    let earlier = "      - {name: earlier, cache: {}}\n";
    for (cache, tier, expected) in [
        ("{}", "", &[][..]),
        ("{}", earlier, &[]),
        ("{ttl: 5ms}", "", &["out-of-range"]),
        ("{stale_if_error: 2h}", "", &["no-effect"]),
        ("{ttl: 2h, stale_if_error: 1h}", earlier, &["order"]),
        ("{fresh: false}", "", &["no-effect"]),
        ("{fresh: false}", earlier, &[]),
        ("{max_entry: 64MiB}", "", &["order"]),
        ("{vary: [\"x y\"]}", "", &["bad-name"]),
        ("{vary: [\"\"]}", "", &["bad-name"]),
        ("{from: tier1}", "", &["unknown-word"]),
        ("{waiters: 70000}", "", &["out-of-range"]),
        ("{shared: redis}", "", &["unknown-key"]),
        ("{semantic: {embeddings: {upstream: big, model: e}}}", earlier, &[]),
        ("{semantic: {embeddings: {upstream: big, model: e}}}", "", &["no-effect"]),
        ("{semantic: {embeddings: {upstream: big, model: e}, fresh: true}}", "", &[]),
        ("{fresh: false, semantic: {embeddings: {upstream: big, model: e}, fresh: true}}", earlier, &["order"]),
        ("{semantic: {embeddings: {upstream: v, model: e}}}", earlier, &["unknown-upstream"]),
        ("{semantic: {embeddings: {upstream: big, model: \"\"}}}", earlier, &["empty"]),
        ("{semantic: {embeddings: {upstream: big, model: e}, at_least: 0.4}}", earlier, &["out-of-range"]),
        ("{semantic: {embeddings: {upstream: big, model: e}, entries: 0}}", earlier, &["out-of-range"]),
        ("{semantic: {embeddings: {upstream: big, model: e}, entries: 5000}}", earlier, &["out-of-range"]),
        ("{semantic: {}}", earlier, &["missing-key"]),
    ] {
        assert_eq!(codes(cache, tier), expected, "{cache} {tier}");
    }
}

#[test]
fn each_key_of_the_server_and_of_an_upstream_changes_what_is_compiled() {
    for server in [
        "listen: \"127.0.0.1:1\"",
        "admin: \"127.0.0.1:2\"",
        "max_body: 1KiB",
        "body_bytes: 128MiB",
        "read_timeout: 1s",
        "write: 1s",
        "connections: 9",
        "drain: 1s",
        "data_dir: elsewhere",
    ] {
        check(&format!("{}server: {{{server}}}\n", with("")), &with(""));
    }
    for decisions in ["off", "{sample: 0.5}", "{spool: 1MiB}", "{keep: 1d}", "{inputs: 1MiB}", "{inputs: off}"] {
        check(&format!("{}decisions: {decisions}\n", with("")), &with(""));
    }
    for audit in ["{level: off}", "{origin: example.com/audit}", "{key: x}", "{git: {repository: r}}"] {
        check(&format!("{}audit: {audit}\n", with("")), &with(""));
    }
    for git in ["repository: s", "repository: r, branch: b", "repository: r, every: 1m"] {
        let audit = |git: &str| format!("{}audit: {{git: {{{git}}}}}\n", with(""));
        check(&audit(git), &audit("repository: r"));
    }
    for upstream in [
        "dns: 2s",
        "connect: 2s",
        "tls: 3s",
        "idle: 2s",
        "capacity_domain: shared",
        "min_available: 2",
        "probe: off",
        "probe: {every: 5s}",
        "probe: {timeout: 1s}",
    ] {
        check(&with("").replace("protocol: openai, url", &format!("protocol: openai, {upstream}, url")), &with(""));
    }
    check(&with("").replace("127.0.0.1:1/v1", "127.0.0.1:2/v1"), &with(""));
    check(&with("").replace("url: \"http://127.0.0.1:1/v1\"", "urls: [\"http://a\", \"http://b\"]"), &with(""));
}

#[test]
fn f_021_the_default_deadline_is_that_of_the_protocol() {
    let deployment = load(EXAMPLE).deployment.expect("compiles");
    let deadlines: Vec<_> = deployment.revision.routes.iter().map(|it| it.deadline / evenkeel_core::SECOND).collect();
    assert_eq!(deadlines, [2, 10, 20]);
    let plain = load(&with("")).deployment.expect("compiles");
    assert_eq!(plain.revision.routes[0].deadline, 30 * evenkeel_core::SECOND);
}

#[test]
fn defaults_are_those_of_the_core() {
    let plain = load(&with("")).deployment.expect("compiles");
    assert_eq!(plain.revision.paths[0].breaker, evenkeel_core::BreakerPolicy::default());
    assert_eq!(plain.revision.routes[0].budget, evenkeel_core::BudgetPolicy::default());
    assert_eq!(plain.revision.paths[0].features, evenkeel_core::Features::ALL);
}
