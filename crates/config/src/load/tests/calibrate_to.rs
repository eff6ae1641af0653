//! `calibrate_to`: what each key does, that its file is part of the revision, and what is refused when the file is read.

use super::{keys::compiled, *};

const SCORE: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
routes:
  score:
    protocol: oip
    output: {tensors: {score: {datatype: FP32}, p: {datatype: FP64, shape: [-1, 2]}, label: {datatype: BYTES}}}
    tiers:
      - {name: large, oip: {upstream: models, model: m}}
      - {name: small, oip: {upstream: models, model: n}, calibrate_to: {path: large, file: map.json}}
"#;
const MAP: &str = r#"{"version": 1, "kind": "score-map", "route": "score", "tier": "small", "to": "large", "match": "mean",
"as_of": 1764163893, "outputs": {"score": {"n": 1200, "maps": [{"shape": "isotonic", "scale": "probability", "knots": [[0, 0], [1, 0.5]]}]}}}"#;

/// A folder with a map.
fn folder(map: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("map.json"), map).expect("written");
    folder
}

fn found(text: &str, map: &str) -> Vec<(&'static str, String)> {
    let loaded = load_text("evenkeel.yaml", text, folder(map).path());
    let last = |it: &Diagnostic| it.code == "last-tier-can-fail";
    loaded.diagnostics.into_iter().filter(|it| !last(it)).map(|it| (it.code, it.key)).collect()
}

#[test]
fn the_file_of_a_map_is_compiled_watched_and_part_of_the_revision() {
    let folder = folder(MAP);
    let load = || load_text("evenkeel.yaml", SCORE, folder.path());
    let loaded = load();
    assert_eq!(found(SCORE, MAP), []);
    let deployment = loaded.deployment.expect("compiles");
    let calibration = deployment.paths[1].calibration.clone().expect("the second tier has one");
    let (name, mapped) = &calibration.maps.outputs[0];
    assert_eq!((name.as_str(), mapped.n, mapped.maps[0].apply(0.5)), ("score", 1_200, Some(0.25)));
    assert_eq!(deployment.paths[0].calibration, None);

    let (mut sources, name, compiled_before) = (loaded.sources, deployment.name(), compiled(SCORE, folder.path()));
    std::fs::write(folder.path().join("map.json"), MAP.replace("0.5]]", "0.25]]")).expect("written");
    assert!(sources.look(), "a map that is saved is looked at");
    assert_ne!(load().deployment.expect("compiles").name(), name);
    assert_ne!(compiled(SCORE, folder.path()), compiled_before);
    let without = SCORE.replace(", calibrate_to: {path: large, file: map.json}", "");
    assert_ne!(compiled(&without, folder.path()), compiled_before);
}

#[test]
fn what_the_map_keeps_is_said_on_both_sides() {
    let rate = SCORE.replace("path: large, file", "path: large, match: rate, file");
    let key = || "routes.score.tiers[1].calibrate_to.match".to_owned();
    assert_eq!(found(&rate, MAP), [("wrong-map", key())]);
    assert_eq!(found(&rate, &MAP.replace("mean", "rate")), []);
    assert_eq!(found(SCORE, &MAP.replace("mean", "rate")), [("wrong-map", key())]);
}

#[test]
fn a_map_that_does_not_fit_is_refused_with_its_key() {
    let at = |of: &str| format!("routes.score.tiers[1].calibrate_to{of}");
    let path = "path: large, file";
    for (from, to, code, key) in [
        (path, "path: small, file", "unknown-tier", at(".path")),
        (path, "path: last, file", "unknown-tier", at(".path")),
        ("map.json", "none.json", "missing-file", at(".file")),
        ("score: {datatype: FP32}", "score: {datatype: INT64}", "wrong-map", at(".file")),
        (
            "oip: {upstream: models, model: n}, calibrate_to",
            "fixed: {outputs: {score: 1, p: 1, label: x}}, calibrate_to",
            "misplaced-key",
            at(""),
        ),
    ] {
        assert!(SCORE.contains(from), "{from}");
        let found = found(&SCORE.replace(from, to), MAP);
        assert!(found.contains(&(code, key.clone())), "{to}: {found:?} lacks {code} at {key}");
    }
    let first = SCORE.replace("model: m}}", "model: m}, calibrate_to: {path: large, file: map.json}}");
    assert!(found(&first, MAP).contains(&("misplaced-key", "routes.score.tiers[0].calibrate_to.path".into())));
    let chat = "version: 1\nroutes: {c: {protocol: openai-chat, tiers: [{name: a, fixed: {content: x}, calibrate_to: {path: a, file: map.json}}]}}";
    assert!(found(chat, MAP).contains(&("misplaced-key", "routes.c.tiers[0].calibrate_to".into())));
    let untold = SCORE.lines().filter(|it| !it.contains("output: {")).collect::<Vec<_>>().join("\n");
    assert!(found(&untold, MAP).contains(&("missing-output", at(""))));

    let knots = "\"knots\": [[0, 0], [1, 0.5]]";
    let two = "{\"shape\": \"identity\", \"scale\": \"value\", \"knots\": []}, {\"shape\"";
    for (from, to, code) in [
        ("\"tier\": \"small\"", "\"tier\": \"other\"", "wrong-map"),
        ("\"to\": \"large\"", "\"to\": \"other\"", "wrong-map"),
        ("\"score\": {", "\"price\": {", "wrong-map"),
        ("\"score\": {", "\"label\": {", "wrong-map"),
        ("{\"shape\"", two, "wrong-map"),
        (knots, "\"knots\": [[0, 1], [1, 0.5]]", "missing-file"),
        ("\"version\": 1", "\"version\": 7", "missing-file"),
    ] {
        assert!(MAP.contains(from), "{from}");
        assert_eq!(found(SCORE, &MAP.replacen(from, to, 1)), [(code, at(".file"))], "{to}");
    }
    let classes = MAP.replacen("{\"shape\"", two, 1).replace("\"score\": {", "\"p\": {");
    assert_eq!(found(SCORE, &classes), [], "as many maps as classes");
    let identity = MAP.replace(knots, "\"knots\": []").replace("isotonic", "identity");
    assert_eq!(found(SCORE, &identity), [("no-effect", at(".file"))]);
}

#[test]
fn without_a_file_the_map_is_learnt_where_there_is_somebody_to_teach_it() {
    let live = SCORE.replace(", file: map.json", "");
    assert_eq!(found(&live, MAP), []);
    let deployment = load_text("evenkeel.yaml", &live, Path::new(".")).deployment.expect("compiles");
    let learns = deployment.paths[1].live_calibration.clone().expect("it learns");
    assert_eq!((learns.route.as_str(), learns.tier.as_str(), learns.to.as_str()), ("score", "small", "large"));
    assert_eq!(deployment.paths[1].calibration, None);
    let rate = live.replace("path: large", "path: large, match: rate");
    assert_ne!(compiled(&rate, Path::new(".")), compiled(&live, Path::new(".")));
    let rules = live.replace("oip: {upstream: models, model: n}", "rules: {file: none.rules}");
    assert!(found(&rules, MAP).contains(&("missing-key", "routes.score.tiers[1].calibrate_to.file".into())));
    let untaught = live.replace("    tiers:", "    shadow: {share: 0}\n    tiers:");
    assert_eq!(found(&untaught, MAP), [("no-effect", "routes.score.tiers[1].calibrate_to".into())]);
}
