//! `paths` and `vote`: what each key does, and what is refused when the file is read (signals §10).

use evenkeel_core::{Features, Permille, RowRule, Where};

use super::{keys::compiled, *};
use crate::{Voted, Weights};

const RULES: &str = "inputs: {a: float}
rules: [{id: high, when: a > 1.0, answer: {score: 0.9, label: high}}]
otherwise: {score: 0.1, label: low}
";

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
    input: {features: {a: {type: float}}}
    output: {tensors: {score: {datatype: FP32}, label: {datatype: BYTES}, p: {datatype: FP32}}}
    tiers:
      - name: panel
        vote: {output: label, weights: [2, 1, 1]}
        paths:
          - {oip: {upstream: models, model: m}, limit: 7}
          - {oip: {upstream: models, model: n}, map: {p: {default: 0.5}}}
          - {rules: {file: score.rules}, map: {p: {default: 0.5}}}
      - {name: default, fixed: {outputs: {score: 0.5, label: none, p: 0.5}}}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
    folder
}

fn turned(from: &str, to: &str) -> String {
    assert!(SCORE.contains(from), "{from} is not in the text");
    SCORE.replacen(from, to, 1)
}

fn wrong(text: &str) -> Vec<(&'static str, String)> {
    let loaded = load_text("evenkeel.yaml", text, folder().path());
    loaded.diagnostics.into_iter().map(|it| (it.code, it.key)).collect()
}

#[test]
fn members_are_paths_of_their_own_behind_the_one_that_stands_for_them() {
    assert_eq!(wrong(SCORE), []);
    let folder = folder();
    let deployment = load_text("evenkeel.yaml", SCORE, folder.path()).deployment.expect("it compiles");
    let paths = &deployment.revision.paths;
    let names: Vec<_> = paths.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["panel", "panel/0", "panel/1", "default", "panel", "panel/0", "panel/1", "panel/2", "default"]);
    assert_eq!((paths[4].place, paths[7].place), (Where::Ensemble, Where::Local));
    let panel = deployment.revision.routes[1].tiers[0].ensemble.as_ref().expect("it is one");
    assert_eq!((panel.members.len(), panel.quorum, panel.agree), (3, 2, Permille::new(0)), "more than half");
    assert_eq!(deployment.revision.routes[0].tiers[0].ensemble.as_ref().map(|it| it.quorum), Some(2));
    assert!(paths[1].features.missing_in(Features::TOOLS) == paths[1].features, "several are not asked for a tool");
    assert_eq!((paths[5].retries, paths[5].hedge, paths[5].accept), (0, false, None));
    let Kind::Ensemble(vote) = &deployment.paths[4].kind else { panic!("{:?}", deployment.paths[4].kind) };
    assert_eq!((&vote.on, &vote.weights), (&Voted::Label("label".into()), &Weights::Given(vec![2.0, 1.0, 1.0])));
}

#[test]
fn each_key_changes_what_is_compiled_and_its_name() {
    let folder = folder();
    let name = |text: &str| load_text("evenkeel.yaml", text, folder.path()).deployment.map(|it| it.name());
    for (from, to) in [
        ("output: label, weights", "output: label, quorum: 3, weights"),
        ("output: label, weights: [2, 1, 1]", "output: label, accuracies: [0.9, 0.8, 0.8]"),
        ("output: label, weights: [2, 1, 1]", "output: label, accuracies: [0.9, 0.8, 0.8], classes: 3"),
        ("output: label, weights: [2, 1, 1]", "output: label, weights: [3, 1, 1]"),
        ("output: label, weights: [2, 1, 1]", "output: score, weights: [2, 1, 1]"),
        ("output: label, weights: [2, 1, 1]", "output: score, rule: median"),
        ("output: label, weights: [2, 1, 1]", "output: score, weights: [2, 1, 1], abs_tol: 0.1"),
        ("output: label, weights: [2, 1, 1]", "output: score, weights: [2, 1, 1], rel_tol: 0.1"),
        ("output: label, weights", "output: label, at_least: 0.6, weights"),
        ("{accuracies: [0.9, 0.8]}", "{accuracies: [0.9, 0.8], json_field: label}"),
        ("{accuracies: [0.9, 0.8]}", "{accuracies: [0.9, 0.8], choice: ABCD}"),
        ("limit: 7", "limit: 8"),
        ("limit: 7", "limit: 7, total: 1s"),
        ("limit: 7", "limit: 7, accept: {confidence: outputs.score, at_least: 0.5}"),
        ("limit: 7", "limit: 7, max_answer: 1MiB"),
        ("limit: 7", "limit: 7, capacity_domain: ours"),
        ("limit: 7", "limit: 7, breaker: {consecutive: 9}"),
        ("limit: 7", "limit: 7, languages: [de]"),
        ("limit: 7", "limit: 7, datatypes: [FP32, FP64]"),
        ("limit: 7", "limit: 7, residency: [eu]"),
        ("model: a}", "model: a}, first_token: 3s"),
        ("model: a}", "model: a}, stall: 3s"),
        ("model: a}", "model: a}, finalise: 1s"),
        ("model: a}", "model: a}, min_rate: 9"),
        ("model: a}", "model: a}, context: 9000"),
        ("model: a}", "model: a}, features: [json]"),
    ] {
        let text = turned(from, to);
        assert_eq!(wrong(&text), [], "{to}");
        assert_ne!(compiled(&text, folder.path()), compiled(SCORE, folder.path()), "{to} changes nothing");
        assert_ne!(name(&text), name(SCORE), "{to}");
    }
    let sure = turned("limit: 7", "limit: 7, accept: {confidence: outputs.score, at_least: 0.5}");
    let deployment = load_text("evenkeel.yaml", &sure, folder.path()).deployment.expect("it compiles");
    assert_eq!(deployment.revision.paths[5].accept, Some(RowRule::All), "with one row that it is sure of it votes");
    let before = name(SCORE);
    std::fs::write(folder.path().join("score.rules"), RULES.replace("0.9", "0.8")).expect("written");
    assert_ne!(name(SCORE), before, "what a member's file says is part of the configuration");
}

#[test]
fn a_majority_is_warned_of_and_so_is_what_amounts_to_one() {
    let rule = "routes.score.tiers[0].vote.rule".to_owned();
    for vote in ["{output: label, rule: majority}", "{output: label}"] {
        assert_eq!(wrong(&turned("{output: label, weights: [2, 1, 1]}", vote)), [("majority", rule.clone())], "{vote}");
    }
    let chat = turned("vote: {accuracies: [0.9, 0.8]}\n        ", "");
    assert_eq!(wrong(&chat), [("majority", "routes.chat.tiers[0].vote.rule".into())]);
    assert_eq!(wrong(&turned("{output: label, weights: [2, 1, 1]}", "{output: score}")), [], "a median is none");
    let samples = "version: 1\nupstreams: {api: {protocol: openai, url: \"http://a/v1\"}}\nroutes:\n  chat:\n    protocol: openai-chat\n    \
                   tiers:\n      - name: panel\n        vote: {choice: ABCD}\n        paths: [MEMBERS]\n      - {name: default, fixed: {content: x}}\n";
    let members = |models: [&str; 3]| models.map(|it| format!("{{openai: {{upstream: api, model: {it}}}}}")).join(", ");
    let of = |models| wrong(&samples.replace("MEMBERS", &members(models)));
    assert_eq!(of(["m", "m", "m"]), [], "of samples of one model none is better");
    assert_eq!(of(["m", "m", "n"]).iter().map(|it| it.0).collect::<Vec<_>>(), ["majority"]);
}

#[test]
fn what_cannot_be_voted_on_is_refused_where_it_stands() {
    let (weights, chat) = ("output: label, weights: [2, 1, 1]", "accuracies: [0.9, 0.8]");
    for (from, to, code, key) in [
        (weights, "output: lable, weights: [2, 1, 1]", "unknown-output", "score.tiers[0].vote.output"),
        (weights, "weights: [2, 1, 1]", "unknown-output", "score.tiers[0].vote.output"),
        (weights, "output: label, weights: [2, 1]", "wrong-length", "score.tiers[0].vote.weights"),
        (weights, "output: label, weights: [2, -1, 1]", "out-of-range", "score.tiers[0].vote.weights"),
        (weights, "output: label, accuracies: [0.9, 0.8, 1.2]", "out-of-range", "score.tiers[0].vote.accuracies"),
        (weights, "output: label, quorum: 4, weights: [2, 1, 1]", "out-of-range", "score.tiers[0].vote.quorum"),
        (weights, "output: label, rule: median", "wrong-rule", "score.tiers[0].vote.rule"),
        (weights, "output: score, rule: majority", "wrong-rule", "score.tiers[0].vote.rule"),
        (weights, "output: score, rule: median, weights: [2, 1, 1]", "no-effect", "score.tiers[0].vote.weights"),
        (weights, "output: label, weights: [2, 1, 1], abs_tol: 1", "no-effect", "score.tiers[0].vote.abs_tol"),
        (weights, "output: score, abs_tol: -1", "out-of-range", "score.tiers[0].vote.abs_tol"),
        (weights, "output: label, weights: [2, 1, 1], choice: AB", "misplaced-key", "score.tiers[0].vote.choice"),
        (
            "limit: 7",
            "limit: 7, accept: {confidence: outputs.score, at_least: 0.5, rows: all}",
            "misplaced-key",
            "score.tiers[0].paths[0].accept.rows",
        ),
        ("limit: 7", "stall: 7s", "no-effect", "score.tiers[0].paths[0].stall"),
        ("limit: 7", "retries: 2", "unknown-key", "score.tiers[0].paths[0].retries"),
        ("limit: 7", "calibrate_to: {path: panel}", "misplaced-key", "score.tiers[0].paths[0].calibrate_to"),
        ("{oip: {upstream: models, model: m}, limit: 7}", "{limit: 7}", "no-kind", "score.tiers[0].paths[0]"),
        (
            "{oip: {upstream: models, model: m}, limit: 7}",
            "{fixed: {outputs: {score: 1}}}",
            "unknown-key",
            "score.tiers[0].paths[0].fixed",
        ),
        (
            "upstream: models, model: m}",
            "upstream: model, model: m}",
            "unknown-upstream",
            "score.tiers[0].paths[0].oip.upstream",
        ),
        (
            ", limit: 7}\n",
            ", limit: 7}\n          - {openai: {upstream: talk, model: a}}\n",
            "wrong-protocol",
            "score.tiers[0].paths[1].openai",
        ),
        (
            "{accuracies: [0.9, 0.8]}",
            "{accuracies: [0.9, 0.8], output: x}",
            "misplaced-key",
            "chat.tiers[0].vote.output",
        ),
        (chat, "accuracies: [0.9, 0.8], json_field: a, choice: AB", "misplaced-key", "chat.tiers[0].vote.choice"),
        (chat, "rule: median", "wrong-rule", "chat.tiers[0].vote.rule"),
        ("fixed: {content: x}", "fixed: {content: x}, vote: {}", "misplaced-key", "chat.tiers[1].vote"),
        (
            "- name: panel\n        vote: {acc",
            "- name: panel\n        method: primary\n        vote: {acc",
            "method",
            "chat.tiers[0].method",
        ),
        (
            "- name: panel\n        vote: {acc",
            "- name: panel\n        limit: 3\n        vote: {acc",
            "no-effect",
            "chat.tiers[0].limit",
        ),
    ] {
        let found = wrong(&turned(from, to));
        assert!(found.contains(&(code, format!("routes.{key}"))), "{to}: {found:?}");
    }
    let one = turned(
        "paths: [{openai: {upstream: talk, model: a}}, {openai: {upstream: talk, model: b}}]",
        "paths: [{openai: {upstream: talk, model: a}}]",
    );
    assert!(wrong(&one).contains(&("wrong-length", "routes.chat.tiers[0].paths".into())), "{:?}", wrong(&one));
    let wide = turned(weights, "output: p").replace("p: {datatype: FP32}", "p: {datatype: FP32, shape: [-1, 2]}");
    assert!(wrong(&wide).contains(&("no-rows", "routes.score.tiers[0].vote.output".into())), "{:?}", wrong(&wide));
    let vectors = SCORE.replace("protocol: openai-chat", "protocol: openai-embeddings");
    assert!(wrong(&vectors).iter().any(|it| it.0 == "not-a-vector"));
}
