//! `post`: what each key does, and which steps cannot be done, with their places.

use super::{keys::compiled, *};

const CHAT: &str = r#"version: 1
upstreams: {models: {protocol: openai, url: "http://127.0.0.1:1/v1"}}
routes:
  chat:
    protocol: openai-chat
    commit: full
    post:
      - STEP
    tiers:
      - {name: first, openai: {upstream: models, model: m}}
      - {name: last, fixed: {content: later}}
"#;

const SCORE: &str = r#"version: 1
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  score:
    protocol: oip
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}, n: {datatype: INT32}, h: {datatype: FP16}, label: {datatype: BYTES, categories: [a, b]}, note: {datatype: BYTES}}}
    post:
      - STEP
    tiers:
      - {name: first, oip: {upstream: models, model: m}}
"#;

/// Loads a file in whose folder a schema lies.
fn read(text: &str) -> Loaded {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, schema) in [
        ("object.json", "{\"type\": \"object\"}"),
        ("list.json", "{\"type\": \"array\"}"),
        ("bad.json", "{\n  \"type\": }"),
    ] {
        std::fs::write(folder.path().join(name), schema).expect("written");
    }
    load_text("evenkeel.yaml", text, folder.path())
}

fn wrong(text: &str) -> Vec<Diagnostic> {
    read(text).diagnostics.into_iter().filter(|it| it.code != "last-tier-can-fail").collect()
}

#[test]
fn each_key_of_each_step_changes_what_is_compiled_and_its_name() {
    for (file, steps) in [
        (
            CHAT,
            [
                "{allow: {labels: [yes, no]}}",
                "{allow: {labels: [yes, no, perhaps]}}",
                "{allow: {labels: [yes, no], otherwise: no}}",
                "{allow: {labels: [yes, no], on_error: pass}}",
            ]
            .as_slice(),
        ),
        (
            CHAT,
            [
                "{redact: {}}",
                "{redact: {patterns: [email]}}",
                "{redact: {own: {case: \"case-\\\\d+\"}}}",
                "{redact: {own: {case: \"case-x\"}}}",
            ]
            .as_slice(),
        ),
        (CHAT, ["{strip: {}}", "{strip: {what: [markup]}}"].as_slice()),
        (
            CHAT,
            [
                "{max_length: {characters: 9}}",
                "{max_length: {characters: 8}}",
                "{max_length: {characters: 9, mark: \"!\"}}",
            ]
            .as_slice(),
        ),
        (
            CHAT,
            [
                "{json: {schema: object.json}}",
                "{json: {schema: list.json}}",
                "{json: {schema: object.json, repair: false}}",
                "{json: {schema: object.json, on_error: pass}}",
            ]
            .as_slice(),
        ),
        (
            SCORE,
            [
                "{clamp: {output: n, min: 0}}",
                "{clamp: {output: n, max: 0}}",
                "{clamp: {output: score, min: 0.1}}",
                "{clamp: {output: score, min: 0.1, max: 0.9}}",
            ]
            .as_slice(),
        ),
        (SCORE, ["{round: {output: score, places: 2}}", "{round: {output: score, places: 3}}"].as_slice()),
        (
            SCORE,
            [
                "{strip: {output: note}}",
                "{redact: {output: note}}",
                "{max_length: {output: note, characters: 9}}",
                "{allow: {output: label, labels: [a]}}",
            ]
            .as_slice(),
        ),
    ] {
        let texts: Vec<_> = steps.iter().map(|step| file.replace("STEP", step)).collect();
        let made: Vec<_> =
            texts.iter().map(|text| (wrong(text), read(text).deployment.expect("it compiles"))).collect();
        for (at, (found, one)) in made.iter().enumerate() {
            assert_eq!(*found, [], "{}", texts[at]);
            for (_, other) in &made[..at] {
                assert_ne!(one.routes[0].post, other.routes[0].post, "{}", texts[at]);
                assert_ne!(one.name(), other.name(), "{}", texts[at]);
            }
        }
    }
    let here = Path::new(".");
    let plain = compiled(&CHAT.replace("STEP", "{redact: {}}"), here);
    let order = CHAT.replace("STEP", "{redact: {patterns: [email, iban, card]}}");
    assert_eq!(compiled(&order, here), plain, "their order is ours");
    let name = |text: &str| read(text).deployment.map(|it| it.name());
    assert_eq!(name(&order), name(&CHAT.replace("STEP", "{redact: {}}")));
}

#[test]
fn a_step_that_cannot_be_done_is_refused_at_its_place() {
    let check = |file: &str, step: &str, code: &str, key: &str| {
        let found = wrong(&file.replace("STEP", step));
        let only = match found.as_slice() {
            [only] => only,
            other => panic!("{step}: {other:#?}"),
        };
        assert_eq!((only.code, only.key.rsplit("post[0]").next().unwrap_or_default()), (code, key), "{step}: {only}");
        assert!(!only.hint.is_empty() && only.line > 0, "{only}");
    };
    check(CHAT, "{}", "no-step", "");
    check(CHAT, "{strip: {}, redact: {}}", "two-steps", "");
    check(CHAT, "{clamp: {output: x, min: 0}}", "wrong-protocol", ".clamp");
    check(CHAT, "{strip: {output: x}}", "misplaced-key", ".strip.output");
    check(CHAT, "{redact: {patterns: []}}", "empty", ".redact.patterns");
    check(CHAT, "{allow: {labels: [yes, YES]}}", "duplicate-name", ".allow.labels[1]");
    check(CHAT, "{max_length: {characters: 1}}", "out-of-range", ".max_length.mark");
    check(CHAT, "{json: {schema: nowhere.json}}", "missing-file", ".json.schema");
    check(SCORE, "{strip: {}}", "missing-key", ".strip.output");
    check(SCORE, "{clamp: {output: scor, min: 0.2}}", "unknown-output", ".clamp.output");
    check(SCORE, "{clamp: {output: h, min: 0.2}}", "wrong-type", ".clamp.output");
    check(SCORE, "{round: {output: n, places: 1}}", "wrong-type", ".round.output");
    check(SCORE, "{redact: {output: score}}", "wrong-type", ".redact.output");
    check(SCORE, "{redact: {output: label}}", "breaks-contract", ".redact.output");
    check(SCORE, "{allow: {output: label, labels: [a], otherwise: c}}", "breaks-contract", ".allow.otherwise");
    check(SCORE, "{clamp: {output: score}}", "missing-key", ".clamp");
    check(SCORE, "{clamp: {output: score, min: 0.5, max: 0.4}}", "order", ".clamp.max");
    check(SCORE, "{clamp: {output: score, min: 2}}", "breaks-contract", ".clamp.min");
    check(SCORE, "{clamp: {output: score, min: -1, max: 2}}", "no-effect", ".clamp");
    check(SCORE, "{clamp: {output: n, min: 0.2, max: 0.8}}", "order", ".clamp.max");
    let bounds = SCORE.replace("max: 1}", "max: 0.96}");
    check(&bounds, "{round: {output: score, places: 1}}", "breaks-contract", ".round.places");
    let vectors = CHAT.replace("openai-chat", "openai-embeddings");
    assert!(wrong(&vectors.replace("STEP", "{strip: {}}")).iter().any(|it| it.code == "misplaced-key"));
}

#[test]
fn a_pattern_and_a_schema_that_are_none_have_the_place_where_they_are_wrong() {
    let [pattern] =
        <[_; 1]>::try_from(wrong(&CHAT.replace("STEP", "{redact: {own: {case: \"case(\"}}}"))).expect("one");
    assert_eq!((pattern.code, pattern.line, pattern.column), ("bad-pattern", 8, 36));
    let [schema] = <[_; 1]>::try_from(wrong(&CHAT.replace("STEP", "{json: {schema: bad.json}}"))).expect("one");
    assert_eq!((schema.code, schema.line, schema.column), ("bad-schema", 2, 11));
    assert!(schema.file.ends_with("bad.json"), "{schema}");
}

#[test]
fn what_needs_the_whole_answer_needs_a_route_that_waits_for_it() {
    for (step, needs) in [
        ("{allow: {labels: [yes]}}", true),
        ("{json: {schema: object.json}}", true),
        ("{redact: {own: {long: \"a.*b\"}}}", true),
        ("{redact: {own: {short: \"a.{0,9}b\"}}}", false),
        ("{max_length: {characters: 99}}", false),
    ] {
        let early = CHAT.replace("commit: full", "commit: first_content").replace("STEP", step);
        let codes: Vec<_> = wrong(&early).iter().map(|it| it.code).collect();
        assert_eq!(codes, if needs { vec!["needs-whole"] } else { vec![] }, "{step}");
        assert_eq!(wrong(&CHAT.replace("STEP", step)), [], "{step}");
    }
}
