//! `vote.calibration`, `vote.confidence` and `vote.json_fields`: what each does, that the file is part of the revision, and what is
//! refused when the configuration is read.

use evenkeel_signals::calibrate::{Asked, Said, Teacher, VoteCalibration};

use super::{keys::compiled, *};
use crate::{Alone, LearntVotes, Voted, Weights, kind::Ensemble};

const SCORE: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
  talk: {protocol: openai, url: "http://127.0.0.1:2/v1"}
routes:
  chat:
    protocol: openai-chat
    tiers:
      - name: panel
        vote: {accuracies: [0.9, 0.8]}
        paths: [{openai: {upstream: talk, model: a}}, {openai: {upstream: talk, model: b}}]
      - {name: default, fixed: {content: x}}
  score:
    protocol: oip
    output: {tensors: {sure: {datatype: FP32}, label: {datatype: BYTES}}}
    tiers:
      - name: panel
        vote: {output: label, confidence: outputs.sure, calibration: votes.json}
        paths:
          - {oip: {upstream: models, model: m}}
          - {oip: {upstream: models, model: n, version: "2"}, map: {sure: {default: 0.5}}}
      - {name: default, fixed: {outputs: {sure: 0.5, label: none}}}
"#;

/// Rows of two members, of which the first is better where it is sure.
fn learnt(n: usize) -> VoteCalibration {
    let row = |at: usize| {
        let said = |label: &str, sure: f64| Some(Said { label: label.into(), confidence: Some(sure) });
        let sure = if at.is_multiple_of(2) { 0.9 } else { 0.2 };
        let first = if at.is_multiple_of(2) || at.is_multiple_of(3) { "yes" } else { "no" };
        Asked {
            said: vec![said(first, sure), said(if at.is_multiple_of(4) { "no" } else { "yes" }, 0.5)],
            truth: "yes".into(),
        }
    };
    VoteCalibration::taught(Teacher::Labels, 0, &(0..n).map(row).collect::<Vec<_>>()).expect("rows")
}

fn ensemble(deployment: &Deployment, route: usize) -> Ensemble {
    let path = deployment.revision.routes[route].tiers[0].path;
    let Kind::Ensemble(it) = &deployment.paths[path.index()].kind else { panic!("no ensemble") };
    it.clone()
}

/// The tier whose votes are learnt.
fn panel() -> Alone {
    Alone { route: "score".into(), tier: "panel".into() }
}

/// A folder with what was learnt of the members of a text, of so many rows.
fn folder(of: &str, n: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("evenkeel.yaml"), of).expect("written");
    let loaded = load_to_learn(&folder.path().join("evenkeel.yaml"), &panel());
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let of = ensemble(&deployment, 0).of;
    let votes = LearntVotes { route: "score".into(), of, as_of: 1_764_163_893, n: n as u64, learnt: learnt(n) };
    std::fs::write(folder.path().join("votes.json"), votes.write()).expect("written");
    folder
}

fn found(text: &str, folder: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    let loaded = load_text("evenkeel.yaml", text, folder.path());
    loaded.diagnostics.into_iter().map(|it| (it.code, it.key)).collect()
}

fn at(of: &str) -> String {
    format!("routes.score.tiers[0].vote.{of}")
}

fn turned(from: &str, to: &str) -> String {
    assert!(SCORE.contains(from), "{from} is not in the text");
    SCORE.replacen(from, to, 1)
}

#[test]
fn what_was_learnt_of_votes_is_compiled_watched_and_part_of_the_revision() {
    let folder = folder(SCORE, 400);
    assert_eq!(found(SCORE, &folder), []);
    let load = || load_text("evenkeel.yaml", SCORE, folder.path());
    let loaded = load();
    let deployment = loaded.deployment.expect("compiles");
    let vote = ensemble(&deployment, 1);
    let Weights::Learnt(by) = &vote.weights else { panic!("{:?}", vote.weights) };
    assert_eq!((vote.classes, by.votes.n, by.bounds.len()), (2, 400, 2));
    assert!(vote.confidence.is_some(), "how sure they are is asked");
    let models: Vec<_> = vote.of.members.iter().map(|it| it.1.as_str()).collect();
    assert_eq!(models[0], "oip models m");
    assert!(models[1].starts_with("oip models n 2 map:sha256:"), "{models:?}");

    let (mut sources, name, before) = (loaded.sources, deployment.name(), compiled(SCORE, folder.path()));
    let other = LearntVotes { learnt: learnt(401), ..(*by.votes).clone() };
    std::fs::write(folder.path().join("votes.json"), other.write()).expect("written");
    assert!(sources.look(), "what is learnt anew is looked at");
    assert_ne!(load().deployment.expect("compiles").name(), name);
    assert_ne!(compiled(SCORE, folder.path()), before);
    let without = turned(", calibration: votes.json", ", accuracies: [0.9, 0.8]");
    assert_ne!(compiled(&without, folder.path()), before);
}

#[test]
fn what_was_learnt_of_other_votes_is_refused_in_words() {
    let folder = folder(SCORE, 400);
    for (from, to, words) in [
        ("model: m}", "model: o}", "`panel/0` was `oip models m` when it was learnt, and `panel/0` is `oip models o`"),
        ("version: \"2\"", "version: \"3\"", "and `panel/1` is `oip models n 3 map:"),
        ("default: 0.5}}}\n", "default: 0.6}}}\n", "`panel/1` was `oip models n 2 map:"),
        ("label: {datatype: BYTES}", "label: {datatype: INT64}", "here they are on the output `label` (INT64)"),
        (
            ", confidence: outputs.sure",
            "",
            "how sure members are was `outputs.sure` when it was learnt, and is nothing",
        ),
        ("outputs.sure", "outputs.sure * 2.0", "and is `outputs.sure * 2.0` in `confidence`"),
        (
            "name: panel\n        vote: {output",
            "name: jury\n        vote: {output",
            "it was learnt for the tier `panel`",
        ),
        (
            "          - {oip: {upstream: models, model: m}}\n",
            "          - {oip: {upstream: models, model: m}}\n          - {oip: {upstream: models, model: m}}\n",
            "it was learnt of 2 members, and here are 3",
        ),
    ] {
        let text =
            turned(from, to).replace("label: none}", if to.contains("INT64") { "label: 0}" } else { "label: none}" });
        let loaded = load_text("evenkeel.yaml", &text, folder.path());
        let wrong = loaded.diagnostics.iter().find(|it| it.code == "wrong-calibration" && it.message.contains(words));
        let wrong = wrong.unwrap_or_else(|| panic!("{to}: {:#?}", loaded.diagnostics));
        assert_eq!(wrong.key, at("calibration"));
        assert!(wrong.hint.contains("evenkeel calibrate") && loaded.deployment.is_none(), "{wrong:?}");
    }
    let few = self::folder(SCORE, 40);
    assert_eq!(found(SCORE, &few), [("wrong-calibration", at("calibration"))], "no confidence by 40 rows");
    let text = std::fs::read_to_string(folder.path().join("votes.json")).expect("it is there");
    std::fs::write(folder.path().join("votes.json"), text.replacen("400", "401", 1)).expect("written");
    assert_eq!(found(SCORE, &folder), [("missing-file", at("calibration"))], "changed by hand");
    std::fs::remove_file(folder.path().join("votes.json")).expect("removed");
    assert_eq!(found(SCORE, &folder), [("missing-file", at("calibration"))]);
    std::fs::write(folder.path().join("evenkeel.yaml"), SCORE).expect("written");
    let anew = load_to_learn(&folder.path().join("evenkeel.yaml"), &panel());
    assert!(anew.deployment.is_some(), "what does not fit, or is not there, can be learnt anew");
}

#[test]
fn what_a_calibration_cannot_be_of_is_refused_where_it_stands() {
    let folder = folder(SCORE, 400);
    let vote = "output: label, confidence: outputs.sure, calibration: votes.json";
    for (to, code, key) in [
        ("output: sure, calibration: votes.json", "misplaced-key", "calibration"),
        ("output: label, rule: majority, calibration: votes.json", "misplaced-key", "calibration"),
        ("output: sure, rule: median, calibration: votes.json", "misplaced-key", "calibration"),
        (&*format!("{vote}, weights: [1, 2]"), "two-weights", "weights"),
        (&*format!("{vote}, accuracies: [0.9, 0.8]"), "two-weights", "accuracies"),
        (&*format!("{vote}, classes: 2"), "no-effect", "classes"),
        ("output: label, confidence: outputs.surely, calibration: votes.json", "bad-expression", "confidence"),
        ("output: label, accuracies: [0.9, 0.8], confidence: outputs.sure", "no-effect", "confidence"),
        ("output: label, accuracies: [0.9, 0.8], json_fields: [a]", "misplaced-key", "json_fields"),
    ] {
        let found = found(&turned(vote, to), &folder);
        assert!(found.contains(&(code, at(key))), "{to}: {found:?}");
    }
}

#[test]
fn fields_are_voted_on_together_and_numbers_of_them_may_be_near() {
    let folder = folder(SCORE, 400);
    let chat =
        |vote: &str| turned("vote: {accuracies: [0.9, 0.8]}", &format!("vote: {{accuracies: [0.9, 0.8], {vote}}}"));
    let on = |vote: &str| {
        let loaded = load_text("evenkeel.yaml", &chat(vote), folder.path());
        ensemble(&loaded.deployment.unwrap_or_else(|| panic!("{vote}: {:#?}", loaded.diagnostics)), 0).on
    };
    let fields = || vec!["label".to_owned(), "amount".to_owned()];
    assert_eq!(on("json_fields: [label, amount]"), Voted::Fields(fields(), 0.0, 0.0));
    assert_eq!(on("json_fields: [label, amount], abs_tol: 0.5, rel_tol: 0.01"), Voted::Fields(fields(), 0.5, 0.01));
    assert!(on("json_fields: [label]").is_exact() && !on("json_fields: [label], rel_tol: 0.01").is_exact());
    for (vote, code, key) in [
        ("json_fields: [a, a]", "duplicate-name", "json_fields[1]"),
        ("json_fields: [a, \"\"]", "empty", "json_fields[1]"),
        ("json_fields: [a], json_field: b", "misplaced-key", "json_field"),
        ("json_fields: [a], choice: AB", "misplaced-key", "choice"),
        ("json_fields: [a], abs_tol: -1", "out-of-range", "abs_tol"),
        ("json_field: a, abs_tol: 1", "misplaced-key", "abs_tol"),
        ("json_fields: [a], confidence: outputs.sure", "misplaced-key", "confidence"),
    ] {
        let found = found(&chat(vote), &folder);
        assert!(found.contains(&(code, format!("routes.chat.tiers[0].vote.{key}"))), "{vote}: {found:?}");
    }
    for vote in ["{json_fields: [a], abs_tol: 1, calibration: votes.json}", "{calibration: votes.json}"] {
        let near = SCORE.replace("{accuracies: [0.9, 0.8]}", vote);
        let at = "routes.chat.tiers[0].vote.calibration".to_owned();
        assert!(found(&near, &folder).contains(&("misplaced-key", at)), "{vote}: what is the same is not certain");
    }
}
