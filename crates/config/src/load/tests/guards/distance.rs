//! `input.text.embeddings` and `guards.distance`: what each key does, and what is refused when the file is read.

use evenkeel_signals::reference::Meaning;

use super::*;

const CHAT: &str = r#"version: 1
upstreams:
  big: {protocol: openai, url: "http://127.0.0.1:1/v1"}
  small: {protocol: openai, url: "http://127.0.0.1:2/v1"}
  models: {protocol: oip, url: "http://127.0.0.1:3"}
routes:
  help:
    protocol: openai-chat
    input: {reference: help.ref, text: {embeddings: {upstream: small, model: embed}}}
    guards: {anomaly: off}
    tiers:
      - {name: first, openai: {upstream: big, model: m}}
      - {name: second, fixed: {content: x}}
  values:
    protocol: oip
    input: {features: {x: {type: float}}}
    tiers:
      - {name: only, oip: {upstream: models, model: m}}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).expect("written");
    let question = || Column::new("question", ColumnKind::Text, Role::Input);
    let meaning = || Meaning { of: "question".into(), model: "embed".into() };
    let value = |row: u64, at: usize| match at {
        0 => Value::Text(["How?", "Where is it?"][row as usize % 2]),
        _ => Value::Vector(&*vec![1.0, (row * 7_919 % 1_009) as f32 / 1_009.0].leak()),
    };
    let known = vec![question(), Column::meaning("vector", 2, meaning())];
    write("help.ref", reference(known.clone(), 4_000, value));
    write("thin.ref", reference(known.clone(), 1_200, value));
    write("plain.ref", reference(vec![question()], 1_200, value));
    let gaps = |row: u64, at: usize| if at == 0 { value(row, 0) } else { Value::Missing };
    write("gaps.ref", reference(known, 1_200, gaps));
    folder
}

/// What is said of the route, by its key there.
fn said(text: &str, folder: &tempfile::TempDir) -> Vec<(String, String, String)> {
    let loaded = at(text, folder);
    let own = loaded
        .diagnostics
        .iter()
        .filter(|it| (it.key.starts_with("routes.help") || it.code == "unused") && it.code != "foreign-reference");
    own.map(|it| (it.code.to_owned(), it.key.trim_start_matches("routes.help.").to_owned(), it.message.clone()))
        .collect()
}

fn distance(loaded: &Loaded) -> Option<(u64, Option<u8>)> {
    asks(loaded).into_iter().find(|it| it.0 == "distance").map(|it| (it.1, it.2))
}

#[test]
fn the_distance_is_on_where_there_is_an_encoder_and_only_tells() {
    let folder = folder();
    let codes: Vec<_> = said(CHAT, &folder).into_iter().map(|it| (it.0, it.1)).collect();
    let thin = ("thin-reference".to_owned(), "input.text.embeddings".to_owned());
    assert_eq!(
        codes,
        [thin],
        "a thousand calibrating rows are few for .001, and an upstream that is an encoder is used"
    );
    let loaded = at(CHAT, &folder);
    assert_eq!(distance(&loaded), Some((1_000, None)));
    let deployment = loaded.deployment.expect("compiles");
    let encoder = deployment.routes[0].guarding.as_ref().and_then(|it| it.encoder.clone()).expect("named");
    assert_eq!((&*encoder.upstream, &*encoder.model, encoder.timeout), ("small", "embed", 300_000_000));
    assert!(deployment.revision.routes[0].guards.is_empty(), "of what only tells the core knows nothing");

    let none = turned(CHAT, "text: {embeddings: {upstream: small, model: embed}}", "text: {unicode: nfc}");
    let loaded = at(&none, &folder);
    assert_eq!(distance(&loaded), None);
    assert!(said(&none, &folder).iter().any(|it| it.0 == "unused"), "nobody calls it then");
}

#[test]
fn each_key_changes_what_is_compiled_and_its_name() {
    let folder = folder();
    let plain = (compiled(CHAT, folder.path()), at(CHAT, &folder).deployment.map(|it| it.name()));
    for (from, to) in [
        ("upstream: small", "upstream: big"),
        ("model: embed", "model: embed, timeout: 200ms"),
        ("anomaly: off", "anomaly: off, distance: off"),
        ("anomaly: off", "anomaly: off, distance: {false_alarm_rate: 0.01}"),
        ("anomaly: off", "anomaly: off, distance: {then: {start_at: second}}"),
    ] {
        let turned = turned(CHAT, from, to);
        let other = (compiled(&turned, folder.path()), at(&turned, &folder).deployment.map(|it| it.name()));
        assert!(other.0 != plain.0 && other.1 != plain.1, "{to}");
    }
    let moves = turned(CHAT, "anomaly: off", "distance: {false_alarm_rate: 0.01, then: {start_at: second}}");
    assert_eq!(distance(&at(&moves, &folder)), Some((10_000, Some(1))));
    let off = at(&turned(CHAT, "anomaly: off", "distance: off"), &folder).deployment.expect("compiles");
    assert_eq!(off.routes[0].guarding.as_ref().and_then(|it| it.encoder.clone()), None, "nobody is asked");
}

#[test]
fn what_cannot_be_is_refused_with_where_and_how_to_mend_it() {
    let folder = folder();
    let embeddings = "input.text.embeddings";
    for (from, to, code, key, part) in [
        (
            "model: embed",
            "model: other",
            "wrong-reference",
            "input.text.embeddings.model",
            "made with the model `embed`",
        ),
        ("model: embed", "model: \"\"", "empty", "input.text.embeddings.model", "no name"),
        ("upstream: small", "upstream: smal", "unknown-upstream", "input.text.embeddings.upstream", "smal"),
        ("upstream: small", "upstream: models", "wrong-protocol", "input.text.embeddings.upstream", "models"),
        ("help.ref", "plain.ref", "wrong-reference", embeddings, "does not say what its texts mean"),
        ("help.ref", "gaps.ref", "wrong-reference", embeddings, "of no text"),
        (
            ", text: {embeddings: {upstream: small, model: embed}}}\n    guards: {anomaly: off}",
            "}\n    guards: {anomaly: off, distance: {}}",
            "missing-key",
            "guards.distance",
            "nobody is named",
        ),
        ("reference: help.ref, ", "", "no-effect", "input.text", "without a `reference`"),
        ("anomaly: off", "distance: off", "no-effect", embeddings, "nobody asks"),
        ("protocol: openai-chat", "residency: [eu]\n    protocol: openai-chat", "no-effect", embeddings, "never asked"),
        ("help.ref", "thin.ref", "thin-reference", embeddings, "no row could ever be called"),
        ("anomaly: off", "distance: {then: {start_at: first}}", "order", "guards.distance.then.start_at", "first tier"),
    ] {
        let told = said(&turned(CHAT, from, to), &folder);
        let found = told.iter().find(|it| it.0 == code && it.1 == key && it.2.contains(part));
        assert!(found.is_some(), "{to}: {told:#?}");
    }
    let asked = turned(CHAT, "anomaly: off", "distance: {false_alarm_rate: 0.001}");
    let thin = at(&turned(&asked, "help.ref", "thin.ref"), &folder);
    let error =
        thin.diagnostics.iter().find(|it| it.code == "thin-reference" && it.key.contains("distance")).expect("said");
    assert!(
        thin.deployment.is_none() && error.key.ends_with("guards.distance.false_alarm_rate"),
        "who asks for it is refused"
    );
}
