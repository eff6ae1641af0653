//! `accept` of chats, `accept.calibration` and `label`: what each key does, that files are part of the revision, and
//! what is refused when the configuration is read.

use evenkeel_signals::calibrate::{Calibrator, Row, Teacher};

use super::{keys::compiled, *};
use crate::LearntConfidence;

const CHAT: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
  talk: {protocol: openai, url: "http://127.0.0.1:2/v1"}
routes:
  chat:
    protocol: openai-chat
    commit: full
    tiers:
      - {name: first, openai: {upstream: talk, model: a}, accept: {confidence: "exp(logprobs.mean)", at_least: 0.7}}
      - {name: default, fixed: {content: x}}
  score:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    output: {tensors: {sure: {datatype: FP32}, label: {datatype: BYTES}}}
    tiers:
      - {name: first, oip: {upstream: models, model: m}, accept: {confidence: outputs.sure, at_least: 0.6}}
      - {name: default, fixed: {outputs: {sure: 0.5, label: none}}}
"#;

const MEAN: &str = "\"exp(logprobs.mean)\", at_least: 0.7";
const SURE: &str = "outputs.sure, at_least: 0.6";

fn turned(from: &str, to: &str) -> String {
    assert!(CHAT.contains(from), "{from} is not in the text");
    CHAT.replace(from, to)
}

fn said(text: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let of = |it: Diagnostic| (it.code, it.key);
    load_text("evenkeel.yaml", text, folder).diagnostics.into_iter().map(of).collect()
}

/// Writes what was learnt of the first tier of a route of a text.
fn learn(folder: &Path, (text, route): (&str, usize), rows: usize) {
    let loaded = load_text("evenkeel.yaml", text, folder);
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let path = deployment.revision.routes[route].tiers[0].path;
    let of = deployment.paths[path.index()].confidence_of.clone().expect("it asks");
    let row =
        |at: usize| Row { label: "yes", confidence: Some((at % 10) as f64 / 10.0), right: at % 10 > at / 10 % 10 };
    let rows: Vec<_> = (0..rows).map(row).collect();
    let learnt = Calibrator::taught(Teacher::Labels, 0, &rows);
    let learnt =
        LearntConfidence { route: "r".into(), of, as_of: 1_764_163_893, n: rows.len() as u64, rows: None, learnt };
    std::fs::write(folder.join("sure.json"), learnt.write()).expect("written");
}

#[test]
fn oip_35_each_key_of_a_text_changes_what_is_compiled_and_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    assert_eq!(said(CHAT, here), []);
    let (plain, name) = (compiled(CHAT, here), load(CHAT).deployment.expect("compiles").name());
    for (from, to) in [
        (MEAN, "logprobs.min, at_least: -1.5"),
        (MEAN, "\"exp(logprobs.mean)\", at_least: 0.8"),
        (MEAN, "\"exp(logprobs.mean)\", at_least: 0.7, on_error: pass"),
        (MEAN, "\"exp(logprobs.mean)\", at_least: 0.7, otherwise: best"),
        (SURE, "outputs.sure, at_least: 0.6, on_error: pass"),
        (SURE, "outputs.sure, at_least: 0.6, otherwise: best"),
    ] {
        let text = turned(from, to);
        assert_ne!(compiled(&text, here), plain, "{to}");
        assert_ne!(load(&text).deployment.expect("compiles").name(), name, "{to}");
    }
}

#[test]
fn oip_35_what_cannot_be_known_of_a_text_is_refused_where_it_stands() {
    let here = Path::new(".");
    let first = |route: &str, key: &str| format!("routes.{route}.tiers[0].accept{key}");
    for (from, to, code, key) in [
        ("    commit: full\n", "", "needs-whole", first("chat", "")),
        (MEAN, "logprobs.median, at_least: 0.7", "bad-expression", first("chat", ".confidence")),
        (MEAN, "outputs.sure, at_least: 0.7", "bad-expression", first("chat", ".confidence")),
        (MEAN, "1.0, at_least: 0.7", "bad-expression", first("chat", ".confidence")),
        (MEAN, "\"exp(logprobs.mean)\", at_least: 1.1", "out-of-range", first("chat", ".at_least")),
        (MEAN, "logprobs.mean, at_least: 0.5", "out-of-range", first("chat", ".at_least")),
        (MEAN, "\"exp(logprobs.mean)\", at_least: 0", "no-effect", first("chat", ".at_least")),
        (MEAN, "logprobs.mean, at_least: -0.5, rows: all", "misplaced-key", first("chat", ".rows")),
        (MEAN, "logprobs.mean, at_least: -0.5, on_error: stop", "unknown-word", first("chat", ".on_error")),
        ("model: a}", "model: a}, features: [tools]", "needs-logprobs", first("chat", "")),
        (
            "fixed: {content: x}",
            "fixed: {content: x}, accept: {confidence: logprobs.min, at_least: -1}",
            "misplaced-key",
            "routes.chat.tiers[1].accept".into(),
        ),
        (
            SURE,
            "outputs.sure, at_least: 0.6, rows: split, otherwise: best",
            "misplaced-key",
            first("score", ".otherwise"),
        ),
        (SURE, "outputs.sure, at_least: 0.6, label: label", "no-effect", first("score", ".label")),
        (SURE, "logprobs.mean, at_least: 0.6", "bad-expression", first("score", ".confidence")),
    ] {
        let said = said(&turned(from, to), here);
        assert!(said.contains(&(code, key.clone())), "{to}: {said:?}, not {code} at {key}");
    }
}

#[test]
fn what_a_confidence_is_worth_is_of_one_tier_and_part_of_the_revision() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let with = |text: &str| text.replace("at_least: 0.6", "at_least: 0.6, calibration: sure.json");
    assert_eq!(said(&with(CHAT), here), [("missing-file", "routes.score.tiers[0].accept.calibration".to_owned())]);
    learn(here, (CHAT, 1), 200);
    assert_eq!(said(&with(CHAT), here), []);
    let load = |text: &str| load_text("evenkeel.yaml", text, here).deployment.expect("compiles");
    let name = load(&with(CHAT)).name();
    assert_ne!(name, load(CHAT).name());
    let path = load(&with(CHAT)).revision.routes[1].tiers[0].path.index();
    assert!(load(&with(CHAT)).revision.paths[path].sure > evenkeel_core::Permille::new(700), "it may tell as much");
    learn(here, (CHAT, 1), 210);
    assert_ne!(load(&with(CHAT)).name(), name, "the content counts");
    let wrong = "routes.score.tiers[0].accept.calibration".to_owned();
    for (from, to) in [
        ("model: m}", "model: n}"),
        ("{confidence: outputs.sure", "{confidence: \"abs(outputs.sure)\""),
        ("name: first, oip", "name: one, oip"),
    ] {
        assert_eq!(said(&with(&turned(from, to)), here), [("wrong-calibration", wrong.clone())], "{to}");
    }
    let labelled = with(CHAT).replace("calibration: sure.json", "calibration: sure.json, label: label");
    assert_eq!(said(&labelled, here), [("wrong-calibration", wrong.clone())]);
    let labelled_alone = CHAT.replace("at_least: 0.6", "at_least: 0.6, label: label");
    learn(here, (&labelled_alone, 1), 200);
    assert_eq!(said(&labelled, here), []);
    for (label, key) in [("sure", ".label"), ("nope", ".label")] {
        let text = labelled.replace("label: label", &format!("label: {label}"));
        assert!(said(&text, here).contains(&("wrong-label", format!("routes.score.tiers[0].accept{key}"))), "{label}");
    }
    learn(here, (CHAT, 1), 40);
    assert_eq!(said(&with(CHAT), here)[0], ("wrong-calibration", wrong), "too few rows");
    learn(here, (CHAT, 1), 200);
    let high = with(CHAT).replace("at_least: 0.6", "at_least: 0.999");
    assert_eq!(said(&high, here), [("out-of-range", "routes.score.tiers[0].accept.at_least".to_owned())]);
}
