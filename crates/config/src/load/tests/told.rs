//! What cannot be, or does nothing, is told with its line; and every text says what to do.

use super::*;

/// A chat route with a safe default: lines of an upstream, of the route, of its first tier, and tiers below it.
fn file(upstream: &str, route: &str, tier: &str, below: &str) -> String {
    let text = with(&format!("{tier}{below}      - {{name: last, fixed: {{content: x}}}}\n"));
    let text = text.replace("    tiers:", &format!("{route}    tiers:"));
    text.replace("url: \"http://127.0.0.1:1/v1\"", &format!("{upstream}url: \"http://127.0.0.1:1/v1\""))
}

/// What the one diagnostic of a file says.
fn only(text: &str) -> Diagnostic {
    let mut found = load(text).diagnostics;
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    found.remove(0)
}

#[test]
fn cf_07_what_cannot_be_or_is_idle_is_told_with_its_line_and_key() {
    let small = "      - {name: small, openai: {upstream: big, model: s}}\n";
    let same = "      - {name: small, openai: {upstream: big, model: m}}\n";
    let (error, warning) = (Severity::Error, Severity::Warning);
    for (upstream, route, tier, below, (severity, code, line, key)) in [
        ("", "    deadline: 999us\n", "", "", (error, "out-of-range", 7, "routes.chat.deadline")),
        (
            "",
            "",
            "        breaker: {open: 1ns}\n",
            "",
            (error, "out-of-range", 10, "routes.chat.tiers[0].breaker.open"),
        ),
        ("", "", "        after_break: 400s\n", "", (error, "out-of-range", 10, "routes.chat.tiers[0].after_break")),
        ("", "", "        max_answer: 3GiB\n", "", (error, "out-of-range", 10, "routes.chat.tiers[0].max_answer")),
        (
            "",
            "    deadline: 5s\n    slo: {latency: {p95: 6s}}\n",
            "",
            "",
            (warning, "no-effect", 8, "routes.chat.slo.latency.p95"),
        ),
        ("probe: {every: 1s}, ", "", "", "", (warning, "order", 3, "upstreams.big.probe.timeout")),
        ("connect: 11s, ", "", "", "", (warning, "no-effect", 3, "upstreams.big.connect")),
        ("min_available: 2, ", "", "", "", (warning, "no-effect", 3, "upstreams.big.min_available")),
        (
            "",
            "    max_attempts: 2\n",
            "        retries: 2\n",
            "",
            (warning, "no-effect", 11, "routes.chat.tiers[0].retries"),
        ),
        ("", "    max_attempts: 1\n", "", small, (warning, "attempts", 7, "routes.chat.max_attempts")),
        ("", "", "", same, (warning, "same-model", 10, "routes.chat.tiers[1]")),
        ("capacity_domain: one, ", "", "", small, (warning, "one-quota", 7, "routes.chat.tiers")),
    ] {
        let found = only(&file(upstream, route, tier, below));
        let told = (found.severity, found.code, found.line, found.key.as_str());
        assert_eq!(told, (severity, code, line, key), "{found}");
        assert!(!found.hint.is_empty(), "{found}");
    }
    for (upstream, route, tier, below) in [
        ("", "    deadline: 1ms\n", "        breaker: {open: 1ms}\n        after_break: 300s\n", small),
        ("", "    deadline: 5s\n    slo: {latency: {p95: 5s}}\n", "", ""),
        ("probe: {every: 2s}, connect: 10s, min_available: 1, ", "", "", ""),
        ("", "    max_attempts: 2\n", "        retries: 1\n", small),
        ("", "    max_attempts: 1\n", "", ""),
        ("capacity_domain: one, ", "", "        capacity_domain: two\n", small),
        ("capacity_domain: one, ", "", "", ""),
    ] {
        let text = file(upstream, route, tier, below);
        assert_eq!(load(&text).diagnostics, [], "{text}");
    }
}

#[test]
fn f_036_capabilities_that_no_tier_has_are_told() {
    let text = |route: &str, tier: &str, last: bool| {
        let text = with(&format!("        {tier}\n")).replace("    tiers:", &format!("    {route}\n    tiers:"));
        if last { format!("{text}      - {{name: last, fixed: {{content: x}}}}\n") } else { text }
    };
    let certain = "but the `fixed` one, which always can";
    for (route, tier, last, code, key, message) in [
        ("language: de", "languages: [en]", true, "cannot-serve", "language", certain),
        ("residency: [eu]", "retries: 0", true, "cannot-serve", "residency", certain),
        ("residency: [eu]", "residency: [eu, us]", false, "cannot-serve", "residency", "no tier of this route can"),
        ("language: d1", "retries: 0", true, "bad-name", "language", "`d1` cannot be a name"),
        ("deadline: 3s", "languages: [\"*\"]", true, "bad-name", "tiers[0].languages[0]", "`*` cannot be"),
        ("deadline: 3s", "residency: []", true, "empty", "tiers[0].residency", "the list is empty"),
        ("deadline: 3s", "datatypes: [FP32]", true, "no-effect", "tiers[0].datatypes", "changes nothing"),
    ] {
        let found = load(&text(route, tier, last)).diagnostics;
        let found: Vec<_> = found.iter().filter(|it| it.code != "last-tier-can-fail").collect();
        let [only] = found[..] else { panic!("{route} {tier}: {found:#?}") };
        assert_eq!((only.code, only.key.strip_prefix("routes.chat.")), (code, Some(key)), "{only}");
        assert!(only.message.contains(message) && !only.hint.is_empty(), "{only}");
    }
    for (route, tier) in [
        ("language: de-AT", "languages: [de]"),
        ("language: de", "retries: 0"),
        ("residency: [eu, ch]", "residency: [eu]"),
    ] {
        assert_eq!(load(&text(route, tier, true)).diagnostics, [], "{route} {tier}");
    }
    let many: Vec<_> = (0..64).map(|n| format!("r{n}")).collect();
    let found = only(&text("deadline: 3s", &format!("residency: [{}]", many.join(", ")), true));
    assert_eq!((found.code, found.key.as_str()), ("too-many", "routes"), "{found}");
}

#[test]
fn f_036_a_tier_that_lacks_the_datatype_of_an_input_is_never_asked() {
    let text = |datatypes: &str, required: bool| {
        format!(
            "version: 1\nupstreams: {{u: {{protocol: oip, url: \"http://127.0.0.1:1\"}}}}\nroutes:\n  r:\n    protocol: \
             oip\n    input: {{tensors: {{x: {{datatype: FP32, required: {required}}}}}}}\n    tiers:\n      - {{name: p, oip: \
             {{upstream: u, model: m}}, datatypes: {datatypes}}}\n      - {{name: d, fixed: {{outputs: {{y: 0.5}}}}}}\n"
        )
    };
    assert_eq!(codes(&text("[FP32, INT64]", true)), []);
    assert_eq!(codes(&text("[INT64]", false)), []);
    assert_eq!(codes(&text("[INT64]", true)), [("cannot-serve", 8)]);
}

#[test]
fn a_text_says_what_is_wrong_and_what_to_write() {
    let server = |key: &str| format!("{}server: {{{key}}}\n", file("", "", "", ""));
    let tier = |line: &str| file("", "", &format!("        {line}\n"), "");
    let url = |url: &str| file("", "", "", "").replace("http://127.0.0.1:1/v1", url);
    for (text, message, hint) in [
        (tier("breaker: {fast: [20]}"), "1 item stands here, and not exactly 3", "add what is missing"),
        (tier("breaker: {ramp: []}"), "0 items stand here, and not 1 to 20", "add what is missing"),
        (file("", "", "", "").replace("version: 1", "version: 2"), "`2` is not possible here", "write 1"),
        (tier("retries: 9"), "`9` is out of range", "write a number from 0 to 8"),
        (server("drain: 0s"), "`0s` is no time at all", "write how long at least, such as 1ms"),
        (file("", "    deadline: 400d\n", "", ""), "`400d` is longer than 366d", "write 366d or less"),
        (server("max_body: 0B"), "`0B` holds nothing", "write 1B or more"),
        (
            server("max_body: 3GiB, body_bytes: 8GiB"),
            "larger than anything that is read and sent in one piece",
            "write 2GiB or less",
        ),
        (
            server("listen: \"localhost:18080\""),
            "`localhost:18080` is not an address and a port, and names are not taken",
            "for example 127.0.0.1:8080 or [::]:8080",
        ),
        (server("listen: \"8080\""), "`8080` is not an address and a port", "for example 127.0.0.1:8080 or [::]:8080"),
        (
            url("http://${env:X}/v1"),
            "`http://${env:X}/v1` is not a usable URL: `${…}` is for secrets, and read in `api_key` only; write the \
             address itself",
            "for example http://127.0.0.1:8000/v1",
        ),
        (
            tier("method: cache"),
            "a tier of kind `openai` does not answer as `cache`, and clients are told how they are answered",
            "write `primary` or `distilled`, or leave `method` out",
        ),
        (
            "version: 1\nroutes:\n\tchat: {}".into(),
            "not YAML: a tab stands where the line begins; use spaces",
            "`evenkeel config example` prints a file that works",
        ),
    ] {
        let found = only(&text);
        assert_eq!((found.message.as_str(), found.hint.as_str()), (message, hint));
    }
}

#[test]
fn a_hint_is_something_that_can_be_written() {
    let retries = |most: u8| file("", &format!("    max_attempts: {most}\n"), "        retries: 3\n", "");
    assert_eq!(only(&retries(1)).hint, "write 0, or raise `max_attempts`");
    assert_eq!(only(&retries(3)).hint, "write 2 or less, or raise `max_attempts`");
    let replicas = |urls: &str| {
        let text = file("min_available: 9, ", "", "", "").replace("url: \"http://127.0.0.1:1/v1\"", urls);
        only(&text).hint
    };
    assert!(replicas("url: \"http://a\"").starts_with("remove it, or add replicas"));
    assert!(replicas("urls: [\"http://a\", \"http://b\", \"http://c\"]").starts_with("write less than 3, or add"));
}

#[test]
fn a_kind_that_is_written_wrongly_is_told_of_once() {
    let mut text = with("").replace("openai: {upstream: big, model: m}", "openai: big");
    assert_eq!(codes(&text), [("wrong-type", 9)]);
    assert_eq!(load(&text).diagnostics[0].hint, "write `{upstream: …, model: …}`");
    text.push_str("      - {name: last, fixed: {content: x}}\n");
    assert_eq!(codes(&text), [("wrong-type", 9)]);
}

#[test]
fn a_file_that_is_not_there_has_no_line() {
    let told = load_file(Path::new("/nowhere/evenkeel.yaml")).diagnostics[0].to_string();
    assert!(told.starts_with("/nowhere/evenkeel.yaml: error[unreadable]: cannot be read"), "{told}");
}
