//! `evenkeel decisions`: acceptance of issue 5, every rule, clamp, redaction and capability skip in words.

use std::fs;

use serde_json::{Value, json};

use crate::process::{Mocking, Serving, evenkeel, http};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  models: {protocol: openai, url: "http://MODELS/v1"}
  scores: {protocol: oip, url: "http://MODELS", dialect: plain}
routes:
  score:
    protocol: oip
    deadline: 3s
    input: {features: {amount: {type: float}, country: {type: category}}}
    output: {tensors: {score: {datatype: FP32}, note: {datatype: BYTES}}}
    post: [{clamp: {output: score, min: 0, max: 1}}, {redact: {output: note}}]
    tiers:
      - {name: primary, oip: {upstream: scores, model: fraud}, retries: 0}
      - {name: rules, rules: {file: fraud.rules}}
  chat:
    protocol: openai-chat
    deadline: 3s
    post: [{redact: {}}]
    tiers:
      - {name: primary, openai: {upstream: models, model: large}, retries: 0, features: [json]}
      - {name: small, openai: {upstream: models, model: small}, retries: 0, features: [json, tools]}
      - {name: default, fixed: {content: "Call +49 30 123456, or write to help@shop.example."}}
"#;

const RULES: &str = r#"
inputs: {amount: float, country: category}
rules:
  - {id: large-and-abroad, when: "amount > 1000.0 && country != 'de'", answer: {score: 1.5, note: "ask fraud@shop.example"}, owner: fraud-team, why: "seen in 2025"}
  - {id: large, when: "amount > 1000.0", answer: {score: 0.6, note: large}}
otherwise: {score: 0.1, note: fine}
"#;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asks, and returns the id of the decision.
fn asked(serving: &Serving, path: &str, body: &Value, tier: &str) -> String {
    let (_, answer) = http(serving.data, "POST", path, &body.to_string());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let (told, path) = match answer["evenkeel"].is_object() {
        true => (&answer["evenkeel"]["decision"], &answer["evenkeel"]["path"]),
        false => (&answer["parameters"]["evenkeel.decision"], &answer["parameters"]["evenkeel.path"]),
    };
    assert_eq!(path, tier, "{answer}");
    told.as_str().expect("an id").to_owned()
}

#[test]
fn g_113_every_rule_clamp_redaction_and_capability_skip_is_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let models = Mocking::start(&[]);
    let file = folder.path().join("evenkeel.yaml");
    fs::write(&file, CONFIG.replace("MODELS", &models.models.to_string())).expect("written");
    fs::write(folder.path().join("fraud.rules"), RULES).expect("written");
    let serving = Serving::start(&file);
    let admin = format!("http://{}", serving.admin);
    let faults = json!([{"fault": "status", "status": 500}]);
    assert_eq!(http(models.control, "PUT", "/mock/faults", &faults.to_string()).0, 200);

    let rows = json!({"inputs": [
        {"name": "amount", "datatype": "FP32", "shape": [3], "data": [5000.0, 2000.0, 3.0]},
        {"name": "country", "datatype": "BYTES", "shape": [3], "data": ["fr", "de", "de"]},
    ]});
    let scored = asked(&serving, "/v2/models/score/infer", &rows, "rules");
    let said = evenkeel(&["decisions", "explain", &scored, "--url", &admin]);
    let words = text(&said.stdout);
    assert_eq!(said.status.code(), Some(0), "{words}{}", text(&said.stderr));
    for expected in [
        "Tier 0, primary (primary) was left for what spoke against it.\n    UPSTREAM_5XX: server error.\n",
        "Rule `large-and-abroad` answered 1 row.",
        "Rule `large` answered 1 row.",
        "`otherwise` answered 1 row: no rule held.",
        "rules: `post[0].clamp` of `score` brought 1 number within bounds.",
        "rules: `post[1].redact` of `note` hid 1 place: email.",
    ] {
        assert!(words.contains(expected), "{expected} is not in\n{words}");
    }
    assert!(!words.contains("fraud@shop.example"), "never the text: {words}");

    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let chat = json!({"model": "chat", "messages": [{"role": "user", "content": "x"}], "tools": tools});
    let chatted = asked(&serving, "/v1/chat/completions", &chat, "default");
    let words = text(&evenkeel(&["decisions", "explain", &chatted, "--url", &admin]).stdout);
    for expected in [
        "Tier 0, primary (primary) was not asked, for a reason that lies in the request.\n    CAPABILITY_MISSING: ",
        "it lacks what the request needs: tools (against it).",
        "default: `post[0].redact` hid 1 place: email.",
    ] {
        assert!(words.contains(expected), "{expected} is not in\n{words}");
    }

    listed(&admin, &scored, &chatted, folder.path());
}

/// The list, the record, and the same from a file.
fn listed(admin: &str, scored: &str, chatted: &str, folder: &std::path::Path) {
    let list = |more: &[&str]| evenkeel(&[&["decisions", "list", "--url", admin], more].concat());
    let lines = text(&list(&[]).stdout);
    let ids: Vec<_> = lines.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(ids, [chatted, scored], "the newest first: {lines}");
    assert!(lines.contains("  score  tier 1 (rules)  UPSTREAM_5XX  200  2 attempts"), "{lines}");
    assert_eq!(text(&list(&["--route", "score"]).stdout).lines().count(), 1);
    assert_eq!(list(&["--route", "nowhere"]).status.code(), Some(1));

    let records = list(&["--json"]);
    let log = folder.join("decisions.jsonl");
    fs::write(&log, [b"not a record\n".as_slice(), &records.stdout].concat()).expect("written");
    let log = log.to_str().expect("text");
    let of_file = evenkeel(&["decisions", "explain", scored, "--log", log]);
    let of_gateway = evenkeel(&["decisions", "explain", scored, "--url", admin]);
    assert_eq!(text(&of_file.stdout), text(&of_gateway.stdout), "the same record has the same words");
    let shown = evenkeel(&["decisions", "show", chatted, "--log", log, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("a record");
    assert_eq!((&shown["id"], &shown["route"]), (&json!(chatted), &json!("chat")));
    let nobody = evenkeel(&["decisions", "show", "01ABC", "--log", log]);
    assert_eq!(
        (nobody.status.code(), text(&nobody.stderr).contains("there is no decision 01ABC in ")),
        (Some(1), true)
    );
    let nowhere = evenkeel(&["decisions", "list", "--url", "http://127.0.0.1:1"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));
}
