//! Files, right and wrong, by table.

mod any;
mod calibrate_to;
mod certificate;
mod contract;
mod drift;
mod enrich;
mod guards;
mod keys;
mod learnt_votes;
mod limits;
mod map;
mod oip;
mod post;
mod retrieval;
mod rows;
mod sure;
mod ten;
mod tls;
mod told;
mod vote;

use super::*;
use crate::{describe::EXAMPLE, schema::path::Kind};

fn load(text: &str) -> Loaded {
    load_text("evenkeel.yaml", text, Path::new("."))
}

/// The smallest chat route that says something, with lines more in its tier.
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
    let names: Vec<_> = deployment.revision.routes.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["home-value", "search-vectors", "support-chat"]);
    for (path, spec) in deployment.revision.paths.iter().zip(&deployment.paths) {
        let expected = match (path.name.as_str(), path.route.index()) {
            ("default", 0) => matches!(&spec.kind, Kind::Fixed(it) if it.outputs.len() == 1),
            ("default", _) => matches!(&spec.kind, Kind::Fixed(it) if it.content.contains("one hour")),
            (_, 0) => matches!(&spec.kind, Kind::Oip(it) if it.model == "home-value"),
            _ => matches!(&spec.kind, Kind::Openai(_)),
        };
        assert!(expected, "{} is {:?}", path.name, spec.kind);
    }
    assert!(deployment.name().starts_with("sha256:") && deployment.name().len() == 19);
}

#[test]
fn cf_01_what_is_no_configuration_is_refused_with_a_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |bytes: &[u8]| {
        let path = folder.path().join("evenkeel.yaml");
        std::fs::write(&path, bytes).expect("written");
        load_file(&path)
    };
    let (nested, wide) = ("a: ".repeat(100), "- x\n".repeat(200_000));
    let aliases = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (bytes, message) in [
        (b"".as_slice(), "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"version: 1\nroutes:\n\tchat: {}", "not YAML"),
        (b"version: [1", "not YAML"),
        (b"version: 1\nroutes: {chat: {protocol: \"openai", "not YAML"),
        (b"a: &x 1\nb: *x", "aliases"),
        (aliases.as_bytes(), "aliases"),
        (b"---\nversion: 1\n---\nversion: 1", "a second document"),
        (b"{? [a]: b}", "a key must be"),
        (b"version: !!str 1\nroutes: {}", "tags"),
        (b"version: 1\nroutes: !x {}", "tags"),
        (nested.as_bytes(), ""),
        (wide.as_bytes(), "nested deeper than 64 levels, or more than 100,000 values"),
        (b"version: \xff", "not UTF-8 from byte 9"),
        (&vec![b' '; 5 << 20], "larger than 4 MiB"),
    ] {
        let loaded = file(bytes);
        assert!(loaded.deployment.is_none());
        let (only, rest) = loaded.diagnostics.split_first().expect("one diagnostic");
        assert!(only.code == "unreadable" && only.message.starts_with(message) && rest.is_empty(), "{only}");
        assert!(!only.hint.is_empty());
    }
    let windows = format!("\u{feff}{}", with("").replace('\n', "\r\n"));
    assert!(file(windows.as_bytes()).deployment.is_some(), "a byte order mark and other line ends are fine");
    assert!(load_file(Path::new("/nowhere/evenkeel.yaml")).diagnostics[0].message.starts_with("cannot be read"));
    assert_eq!(load_file(folder.path()).diagnostics[0].code, "unreadable", "a folder");
}

#[test]
fn cf_01_half_a_file_never_passes_and_never_panics() {
    for end in (0..EXAMPLE.len()).filter(|end| EXAMPLE.is_char_boundary(*end)) {
        let loaded = load(&EXAMPLE[..end]);
        assert_eq!(loaded.deployment.is_some(), loaded.errors() == 0, "cut at {end}");
        assert!(loaded.deployment.is_none() || EXAMPLE[..end].contains("routes:"), "cut at {end}");
    }
}

#[test]
fn values_are_what_is_written_and_never_guessed() {
    for (text, code) in [
        ("[]", "wrong-type"),
        ("version: 2\nroutes: {}", "out-of-range"),
        ("version: 1", "missing-key"),
        ("version: 1\nversion: 1\nroutes: {}", "duplicate-key"),
        ("version: no\nroutes: {}", "wrong-type"),
        ("version: 1.0\nroutes: {}", "wrong-type"),
        ("version: \"1\"\nroutes: {}", "wrong-type"),
        ("version: 1\nroutes: {}", "empty"),
        ("version: 1\nroutes: []", "wrong-type"),
    ] {
        let loaded = load(text);
        assert!(loaded.deployment.is_none(), "{text:?}");
        assert!(loaded.diagnostics.iter().any(|it| it.code == code), "{text:?}: {:#?}", loaded.diagnostics);
    }
    for (line, code) in [
        ("retries: -1", "out-of-range"),
        ("retries: 1.5", "wrong-type"),
        ("retries: true", "wrong-type"),
        ("stall: 0s", "bad-value"),
        ("stall: auto", "bad-value"),
        ("first_token: 0s", "bad-value"),
        ("first_token: off", "bad-value"),
        ("first_token: automatic", "bad-value"),
        ("first_token: [auto]", "wrong-type"),
        ("stall: -5s", "bad-value"),
        ("stall: 5", "bad-value"),
        ("stall: .nan", "bad-value"),
        ("stall:", "wrong-type"),
        ("min_rate: 10001", "out-of-range"),
        ("min_rate: 0.5", "wrong-type"),
        ("max_answer: 0B", "bad-value"),
        ("context: 0", "out-of-range"),
        ("features: tools", "wrong-type"),
        ("features: [tool]", "unknown-word"),
        ("method: defualt", "unknown-word"),
        ("breaker: {fast: [20, 1.5, 10s]}", "out-of-range"),
        ("breaker: {fast: [20, nan, 10s]}", "out-of-range"),
        ("breaker: {fast: [20, 0.0005, 10s]}", "out-of-range"),
        ("breaker: {fast: [20, 0, 10s]}", "window"),
        ("breaker: {fast: [0, 0.5, 10s]}", "window"),
        ("breaker: {fast: [99999999999, 0.5, 10s]}", "out-of-range"),
        ("breaker: {fast: [20, 0.5]}", "wrong-length"),
        ("breaker: {low: [0, 3]}", "window"),
        ("breaker: {ramp: [0.5, 0.2, 1]}", "ramp"),
        ("breaker: {ramp: []}", "wrong-length"),
        ("breaker: {open: 10s, open_max: 5s}", "order"),
        ("breaker: [1]", "wrong-type"),
        ("finalise: 10s", "order"),
        ("method: default", "method"),
        ("method: cache", "method"),
        ("method: retrieval", "method"),
        ("method: ensemble", "method"),
        ("method: rules", "method"),
        ("calibrate_to: primary", "wrong-type"),
    ] {
        let loaded = load(&with(&format!("        {line}\n")));
        let errors: Vec<_> = loaded.diagnostics.iter().filter(|it| it.severity == Severity::Error).collect();
        assert_eq!(errors.iter().map(|it| (it.code, it.line)).collect::<Vec<_>>(), [(code, 10)], "{line}: {errors:?}");
        assert!(!errors[0].hint.is_empty(), "{line}");
    }
}

#[test]
fn cf_07_what_can_never_matter_is_warned_of() {
    assert_eq!(codes(&with("")), [("last-tier-can-fail", 8)]);
    let below = with("      - {name: a, fixed: {content: x}}\n      - {name: b, fixed: {content: x}}\n");
    assert_eq!(codes(&below), [("unreachable", 11)]);
    assert!(load(&below).deployment.is_some());
    let safe = |tier: &str| with(&format!("{tier}      - {{name: last, fixed: {{content: x}}}}\n"));
    let small = safe("        context: 9\n      - {name: b, openai: {upstream: big, model: n}, context: 8}\n");
    assert_eq!(codes(&small), [("smaller-context", 11)]);
    assert_eq!(codes(&safe("        first_token: 40s\n")), [("no-effect", 10)]);
    assert_eq!(codes(&safe("        first_token: auto\n")), []);
    let short = |line: &str| safe(line).replace("    tiers:", "    deadline: 1500ms\n    tiers:");
    assert_eq!(codes(&short("        first_token: auto\n")), [("no-effect", 11)], "it is two seconds at least");
    assert_eq!(codes(&safe("        first_token: auto\n        total: 1s\n")), [("no-effect", 11)]);
    assert_eq!(codes(&safe("        total: 5s\n")), [("no-effect", 10)]);
    assert_eq!(codes(&safe("        space: one\n")), [("no-effect", 10)]);
    let policy = with("").replace("    tiers:", "    on_policy: default\n    tiers:");
    assert_eq!(codes(&policy), [("no-effect", 7), ("last-tier-can-fail", 9)]);
    let unused = safe("").replace("routes:\n", "  idle: {protocol: oip, url: \"http://y\"}\nroutes:\n");
    assert_eq!(codes(&unused), [("unused", 4)]);
    for line in ["retries: 2", "breaker: {probes: 1}", "total: 5s", "context: 5", "max_answer: 1KiB"] {
        let fixed = with(&format!("      - name: last\n        fixed: {{content: x}}\n        {line}\n"));
        assert_eq!(codes(&fixed), [("no-effect", 12)], "{line}");
    }
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
        ("{name: b, fixed: {content: x}, space: one}", Some("not-a-vector")),
        ("{name: b, rules: {file: x}, space: one}", Some("not-a-vector")),
        ("{name: b, openai: {upstream: u, model: n}, space: one}", None),
    ] {
        assert_eq!(codes(&text(second)).first().map(|it| it.0), code, "{second}");
    }
}

#[test]
fn upstreams_have_one_kind_of_address_and_no_credential_in_the_file() {
    for (upstream, code, line) in [
        ("{protocol: openai}", "url-or-urls", 3),
        ("{protocol: openai, url: \"http://x\", urls: [\"http://y\"]}", "url-or-urls", 3),
        ("{protocol: openai, urls: []}", "empty", 3),
        ("{protocol: openai, url: \"http://u:hush@x\"}", "bad-url", 3),
        ("{protocol: openai, urls: [\"http://x\", \"http://x/\"]}", "duplicate-url", 3),
        ("{protocol: openai, url: \"http://x\", dialect: triton}", "misplaced-key", 3),
        ("{protocol: openai, url: \"http://x\", api_key: \"${env:EVENKEEL_NONE}\"}", "missing-secret", 3),
        ("{protocol: openai, url: \"http://x\", probe: {every: 99ms}}", "out-of-range", 3),
        ("{protocol: openai, url: \"http://x\", probe: {evry: 1s}}", "unknown-key", 3),
        ("{protocol: openai, url: \"http://x\", probe: on}", "unknown-word", 3),
        ("{protocol: oip, url: \"http://x\"}", "wrong-protocol", 9),
        ("{protocol: grpc, url: \"http://x\"}", "unknown-word", 3),
    ] {
        let text = with("").replace("{protocol: openai, url: \"http://127.0.0.1:1/v1\"}", upstream);
        let mut found = load(&text).diagnostics;
        found.retain(|it| it.code != "last-tier-can-fail");
        assert_eq!((found[0].code, found[0].line), (code, line), "{upstream}: {found:?}");
        assert!(found.iter().all(|it| !it.to_string().contains("hush")), "SEC-1");
        assert_eq!(found.iter().filter(|it| it.severity == Severity::Error).count(), 1, "{upstream}: {found:?}");
    }
    let plain = with("").replace("url:", "api_key: hush, url:");
    assert_eq!(codes(&plain)[0], ("plain-secret", 3), "a warning");
    assert_eq!(load(&plain).deployment.and_then(|it| it.upstreams[0].api_key.clone()).expect("there").reveal(), "hush");
    assert!(!load(&plain).diagnostics[0].to_string().contains("hush"), "SEC-1");
    assert_eq!(codes(&with("").replace("url:", "tls: 1s, url:"))[0], ("no-effect", 3));
    let encrypted = with("").replace("url: \"http:", "tls: 1s, url: \"https:");
    assert_eq!(codes(&encrypted), [("last-tier-can-fail", 8)]);
    let both = format!("{}server: {{listen: \"0.0.0.0:9090\", admin: \"0.0.0.0:9090\"}}\n", with(""));
    assert_eq!(codes(&both).last(), Some(&("same-address", 10)));
}

#[test]
fn comp_02_files_that_mean_the_same_have_the_same_digest() {
    let name = |text: &str| load(text).deployment.unwrap_or_else(|| panic!("{text}")).name();
    let one = name(&with(""));
    for same in ["        stall: 10000ms\n", "        method: primary\n", "        breaker: {open: 10s}\n"] {
        assert_eq!(name(&with(same)), one, "{same}");
    }
    assert_eq!(name(&with("").replace("    tiers:", "    deadline: 0.5m\n    tiers:")), one);
    assert_eq!(name(&with("").replace("version: 1", "# a comment\n\"version\": 1")), one);
    for same in
        ["url: \"http://127.0.0.1:1/v1/\"", "urls: [\"http://127.0.0.1:1/v1\"]", "urls: [\"http://127.0.0.1:1/v1//\"]"]
    {
        assert_eq!(name(&with("").replace("url: \"http://127.0.0.1:1/v1\"", same)), one, "DIG-1 {same}");
    }
    let features = |some: &str| name(&with(&format!("        features: [{some}]\n")));
    assert_eq!(features("tools, n"), features("n, tools, n"), "DIG-1");
    let two = |urls: &str| name(&with("").replace("url: \"http://127.0.0.1:1/v1\"", urls));
    assert_eq!(two("urls: [\"http://a/\", \"http://b\"]"), two("urls: [\"http://a\", \"http://b/\"]"), "DIG-1");
    assert_ne!(name(&with("        stall: 9s\n")), one);
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let secret = with("").replace("protocol: openai, url", "protocol: openai, api_key: \"${file:key}\", url");
    let names = [(&folder, "one"), (&other, "two")].map(|(folder, key)| {
        std::fs::write(folder.path().join("key"), key).expect("written");
        load_text("evenkeel.yaml", &secret, folder.path()).deployment.expect("compiles").name()
    });
    assert_eq!(names[0], names[1], "a secret counts with its reference");
    assert_ne!(names[0], one);
}

#[test]
fn se_05_a_secret_appears_nowhere_in_what_is_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("key"), "hush-hush\n").expect("written");
    let text = with("").replace("protocol: openai, url", "protocol: openai, api_key: \"${file:key}\", url");
    let deployment = load_text("evenkeel.yaml", &text, folder.path()).deployment.expect("compiles");
    assert_eq!(deployment.upstreams[0].api_key.as_ref().map(|it| it.reveal()), Some("hush-hush"));
    assert!(!format!("{deployment:?}").contains("hush-hush"));
}
