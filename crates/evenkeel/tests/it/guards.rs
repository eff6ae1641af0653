//! A reference over the life of a process: it judges inputs, is watched like a model, and what is broken never replaces it.

use std::path::Path;

use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use crate::process::{Mocking, Serving, evenkeel, get, http, until};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  home:
    protocol: oip
    input: {tensor: x, columns: [rooms, age], reference: home.ref, derive: {rooms_log: "log1p(rooms)"}}
    guards: {anomaly: {false_alarm_rate: 0.01, then: {start_at: default}}}
    tiers:
      - {name: rules, rules: {file: home.rules}}
      - {name: default, fixed: {outputs: {value: 2.0}}}
  chat:
    protocol: openai-chat
    input: {reference: chat.ref}
    guards: {missing: {then: {start_at: default}}}
    tiers:
      - {name: primary, openai: {upstream: models, model: large}}
      - {name: default, fixed: {content: "Later."}}
upstreams:
  models: {protocol: openai, url: "http://MODELS/v1"}
"#;

const RULES: &str =
    "inputs: {rooms: float}\nrules: [{id: large, when: rooms > 5.0, answer: {value: 4.0}}]\notherwise: {value: 1.0}\n";

fn written(file: &Path, names: &[&str], kind: ColumnKind, value: impl Fn(u64, usize) -> Held<'static>) {
    let plan = Plan::new("home", names.iter().map(|name| Column::new(name, kind, Role::Input)).collect());
    let row = |number| SourceRow { number, at: None, values: (0..names.len()).map(|at| value(number, at)).collect() };
    let reference = Reference::build(&plan, [7; 32], &(0..2_000).map(row).collect::<Vec<_>>()).expect("sound");
    // As a deployment replaces it: whole, by a rename.
    let beside = file.with_extension("new");
    std::fs::write(&beside, reference.encode()).expect("written");
    std::fs::rename(beside, file).expect("renamed");
}

/// Houses with so many rooms at most.
fn houses(file: &Path, most: u64) {
    written(file, &["rooms", "age", "rooms_log"], ColumnKind::Number, move |row, at| {
        let rooms = 1.0 + (row * 37 % (most * 10)) as f64 / 10.0;
        Held::Number([rooms, (row * 13 % 90) as f64, rooms.ln_1p()][at])
    });
}

fn asked(serving: &Serving, rooms: f64) -> (Value, String) {
    let body = json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [rooms, 40]}]});
    let (status, answer) = http(serving.data, "POST", "/v2/models/home/infer", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["parameters"]["evenkeel.decision"].as_str().expect("an id").to_owned();
    (get(serving.data, &format!("/v1/decisions/{id}")), id)
}

#[test]
fn a_reference_judges_is_explained_and_is_replaced_only_by_one_that_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let models = Mocking::start(&[]);
    let (config, file) = (folder.path().join("evenkeel.yaml"), folder.path().join("home.ref"));
    std::fs::write(&config, CONFIG.replace("MODELS", &models.models.to_string())).expect("written");
    std::fs::write(folder.path().join("home.rules"), RULES).expect("written");
    houses(&file, 8);
    written(&folder.path().join("chat.ref"), &["question"], ColumnKind::Text, |row, _| {
        Held::Text(["Where is my parcel?", "How do I pay?"][row as usize % 2])
    });
    let serving = Serving::start(&config);
    let (usual, _) = asked(&serving, 6.0);
    assert_eq!(usual["outcome"]["tier"], 0, "{usual}");
    let (strange, id) = asked(&serving, 30.0);
    assert_eq!((&strange["outcome"]["tier"], &strange["reason"]), (&json!(1), &json!("INPUT_ANOMALY")), "{strange}");
    let said = evenkeel(&["decisions", "explain", &id, "--url", &format!("http://{}", serving.admin)]);
    let words = String::from_utf8_lossy(&said.stdout);
    for expected in [
        "Tier 0, rules (rules) was not asked, for a reason that lies in the request.\n    INPUT_ANOMALY: this request is unlike the rest.\n",
        "What its input was like\n  1 row looked at, held against sha256:",
        "  anomaly: p was 0.00",
        "; such a request starts at default).\n    farthest in rooms",
    ] {
        assert!(words.contains(expected), "{expected}: {words}");
    }

    std::fs::write(&file, b"EKREF and then nothing").expect("written");
    let refused = until("the refusal", || {
        let (_, ready) = http(serving.admin, "GET", "/readyz", "");
        let ready: Value = serde_json::from_str(&ready).expect("JSON");
        Some(ready["rejected"].clone()).filter(|it| !it.is_null())
    });
    assert!(refused.to_string().contains("home.ref` is no reference"), "{refused}");
    assert_eq!(asked(&serving, 30.0).0["reason"], "INPUT_ANOMALY", "the last good one stays");

    houses(&file, 40);
    let (after, _) =
        until("the new reference", || Some(asked(&serving, 30.0)).filter(|it| it.0["revision"] != strange["revision"]));
    assert_eq!(after["outcome"]["tier"], 0, "thirty rooms are usual now: {after}");
    assert_ne!(after["judged"]["reference"], strange["judged"]["reference"]);

    let silent = json!({"model": "chat", "messages": [{"role": "system", "content": "be nice"}]});
    let (_, answer) = http(serving.data, "POST", "/v1/chat/completions", &silent.to_string());
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(
        (&answer["evenkeel"]["tier"], &answer["evenkeel"]["reason"]),
        (&json!(1), &json!("FEATURE_MISSING")),
        "{answer}"
    );
}
