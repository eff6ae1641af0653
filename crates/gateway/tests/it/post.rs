//! What a route does to every answer: every tier, plain and streamed, and a tier whose answer does not pass.

use std::{collections::BTreeMap, path::Path};

use evenkeel_config::load_text;
use evenkeel_gateway::prove;
use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Got, Kit, chats};

/// Every word that a mock may say is found, which is a name for each.
const CHAT: &str = r#"
routes:
  chat:
    protocol: openai-chat
    deadline: 5s
    commit: COMMIT
    post: [POST]
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: small, openai: {upstream: small, model: little}, retries: 0}
      - {name: default, fixed: {content: "Write to help@shop.example. Later."}}
"#;

fn chat(post: &str, commit: &str) -> String {
    chats(&CHAT.replace("POST", post).replace("COMMIT", commit))
}

/// The steps that a record tells of, each with its part and its changes.
fn posted(record: &Value) -> Vec<(String, String, u64)> {
    let word = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
    let posted = record["post"].as_array().into_iter().flatten();
    posted.map(|it| (word(it, "name"), word(it, "part"), it["changes"].as_u64().unwrap_or_default())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_the_same_for_a_client_plain_and_streamed_whenever_it_is_sent() {
    let words = "{redact: {patterns: [], own: {word: \"[a-zA-Z]{2,9}\"}}}, {max_length: {characters: 30}}";
    let mut said = Vec::new();
    for (commit, stream) in [("first_content", false), ("first_content", true), ("full", true), ("{n_chars: 5}", true)]
    {
        let kit = Kit::of(&chat(words, commit), Path::new("."), BTreeMap::new()).await;
        let got = kit.chat("chat", stream).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{commit}: {got:?}");
        let record = kit.record(&got).await;
        let names: Vec<_> = posted(&record).into_iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(names, [("redact".into(), "word".into()), ("max_length".into(), String::new())], "{record}");
        assert!(kit.gateway.metrics().contains("evenkeel_post_changes_total{route=\"chat\",step=\"redact\"}"));
        said.push(got.said());
    }
    assert!(said[0].contains("[word]") && said[0].ends_with('…') && said[0].chars().count() <= 30, "{said:?}");
    assert_eq!(said, vec![said[0].clone(); 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_answer_has_gone_through_the_steps_before_it_is_asked_for() {
    let kit = Kit::of(&chat("{redact: {}}", "first_content"), Path::new("."), BTreeMap::new()).await;
    kit.break_primary("{fault: status, status: 500}");
    kit.break_small("{fault: status, status: 500}");
    for stream in [false, true] {
        let got = kit.chat("chat", stream).await;
        assert_eq!((got.header("evenkeel-path"), got.said()), ("default", "Write to [email]. Later.".into()));
        let record = kit.record(&got).await;
        assert_eq!(posted(&record), [("redact".into(), "email".into(), 1)]);
        assert_eq!(record["post"][0]["path"], "default");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_pass_leaves_the_path_well_and_the_next_tier_answers() {
    // No model says one of these; the answer that is written down is one.
    let config = chat("{allow: {labels: [\"Write to help@shop.example. Later\"]}}", "full");
    let kit = Kit::of(&config, Path::new("."), BTreeMap::new()).await;
    for stream in [false, true, false, true, false, true] {
        let got = kit.chat("chat", stream).await;
        assert_eq!(
            (got.status, got.header("evenkeel-tier"), got.header("evenkeel-reason")),
            (200, "2", "OUTPUT_GUARD")
        );
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"][0]["result"], "quality.guard_output", "{record}");
        assert_eq!((&record["post"][0]["failed"], &record["post"][0]["path"]), (&json!(true), &json!("primary")));
        assert_eq!(record["candidates"][0]["reasons"][0], "OUTPUT_GUARD");
    }
    let state = kit.gateway.route_state("chat").expect("a route");
    assert_eq!(state.tiers[0].breaker, "closed", "POST-6");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_json_of_the_schema_is_not_given() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("said.json"), r#"{"type": "object", "required": ["said"]}"#).expect("written");
    let config = chat("{json: {schema: said.json}}", "full")
        .replace("Write to help@shop.example. Later.", "Said: {said: 'later',}");
    let kit = Kit::of(&config, folder.path(), BTreeMap::new()).await;
    for stream in [false, true] {
        let got = kit.chat("chat", stream).await;
        assert_eq!((got.header("evenkeel-tier"), got.said()), ("2", r#"{"said":"later"}"#.into()));
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"][0]["result"], "quality.contract_schema");
        let mended = posted(&record).into_iter().filter(|it| it.2 > 0).collect::<Vec<_>>();
        assert_eq!(mended, [("json".into(), "around".into(), 1), ("json".into(), "syntax".into(), 3)]);
    }
}

/// The values of an output.
fn output(got: &Got, name: &str) -> Value {
    let answer = got.json();
    let outputs = answer["outputs"].as_array().into_iter().flatten();
    outputs.filter(|it| it["name"] == name).map(|it| it["data"].clone()).next().unwrap_or_default()
}

/// Scores as they came.
#[derive(Debug)]
struct Echo;

impl Evaluate for Echo {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let scores = Tensor { name: "score".into(), ..inputs[0].clone() };
        let texts = TensorData::Texts(vec!["to a@b.example".into(); scores.shape[0] as usize]);
        Ok(vec![scores.clone(), Tensor { name: "note".into(), datatype: "BYTES".into(), data: texts, ..scores }])
    }
}

const SCORE: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {big: {protocol: oip, url: "BIG", dialect: plain}}
routes:
  score:
    protocol: oip
    deadline: 3s
    input: {features: {x: {type: float}}}
    output: {tensors: {score: {datatype: FP32}, note: {datatype: BYTES}}}
    post: [{clamp: {output: score, min: 0, max: 1}}, {round: {output: score, places: 1}}, {redact: {output: note}}]
    tiers:
      - {name: primary, oip: {upstream: big, model: echo}, retries: 0}
      - {name: rules, rules: {file: score.rules}}
      - {name: default, fixed: {outputs: {score: 2.5, note: later}}}
"#;

const RULES: &str = "inputs: {x: float}\nrules:\n  - {id: high, when: x > 1.0, answer: {score: 1.25, note: ask a@b.example}}\n\
                     otherwise: {score: -1.0, note: none}\n";

#[tokio::test(flavor = "multi_thread")]
async fn tensors_have_one_shape_whichever_tier_answers_and_rules_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("score.rules"), RULES).expect("written");
    let outputs = vec![TensorSpec::new("score", "FP32", [-1]), TensorSpec::new("note", "BYTES", [-1])];
    let model = OipModel::evaluated(vec![TensorSpec::new("x", "FP32", [-1])], outputs, Echo);
    let kit = Kit::of(SCORE, folder.path(), BTreeMap::from([("echo".to_owned(), model)])).await;
    let ask = async || {
        let input = json!({"name": "x", "datatype": "FP32", "shape": [3], "data": [-0.5, 0.25, 7.0]});
        kit.post("/v2/models/score/infer", json!({"inputs": [input]}).to_string(), &[]).await
    };
    let got = ask().await;
    let outputs = got.json()["outputs"].clone();
    assert_eq!(outputs[0]["data"], json!([0.0, 0.2, 1.0]), "{outputs}");
    assert_eq!(outputs[1]["data"], json!(["to [email]", "to [email]", "to [email]"]));
    let counted = posted(&kit.record(&got).await);
    assert_eq!(
        counted,
        [("clamp".into(), String::new(), 2), ("round".into(), String::new(), 1), ("redact".into(), "email".into(), 3)]
    );

    kit.break_primary("{fault: status, status: 500}");
    let got = ask().await;
    assert_eq!(got.header("evenkeel-path"), "rules", "{got:?}");
    assert_eq!(output(&got, "score"), json!([0.0, 0.0, 1.0]));
    assert_eq!(output(&got, "note"), json!(["none", "none", "ask [email]"]));
    let record = kit.record(&got).await;
    assert_eq!(record["attempts"][1]["rules"], json!([{"rule": null, "rows": 2}, {"rule": "high", "rows": 1}]));

    let without_rules = SCORE.replace("      - {name: rules, rules: {file: score.rules}}\n", "");
    kit.gateway.apply(kit.compile(&without_rules, folder.path())).expect("ready");
    let got = ask().await;
    assert_eq!((got.header("evenkeel-path"), output(&got, "score")), ("default", json!([1.0, 1.0, 1.0])));
}

#[test]
fn answers_that_are_written_down_and_do_not_pass_are_refused_when_the_file_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let unfit = |text: &str| {
        let text = text.replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:1");
        let deployment = load_text("test", &text, folder.path()).deployment.expect("it compiles");
        prove(&deployment).into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    assert_eq!(unfit(&chat("{allow: {labels: [yes]}}", "full")), ["the answer does not pass `allow` of `post`"]);
    let rules = RULES.replace("ask a@b.example", "ask");
    std::fs::write(folder.path().join("score.rules"), rules).expect("written");
    let allow = SCORE.replace("{redact: {output: note}}", "{allow: {output: note, labels: [none, later]}}");
    assert_eq!(unfit(&allow), ["an answer of this tier does not pass `allow` of `post`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_is_mended_with_what_its_steps_make_of_it() {
    let config = chat("{redact: {patterns: [], own: {word: \"[a-zA-Z]{2,9}\"}}}", "first_content");
    let whole = Kit::of(&config, Path::new("."), BTreeMap::new()).await.chat("chat", true).await;
    let kit = Kit::of(&config, Path::new("."), BTreeMap::new()).await;
    kit.break_primary("{fault: cut, after_tokens: 5, how: rst}");
    let got = kit.chat("chat", true).await;
    assert_eq!((got.said(), got.is_whole()), (whole.said(), true), "no word twice, none in the clear");
    let record = kit.record(&got).await;
    assert_eq!((&record["outcome"]["rescue"], &record["attempts"][1]["role"]), (&json!("spliced"), &json!("splice")));
    assert!(record["post"].as_array().is_some_and(|it| it.iter().any(|it| it["path"] == "primary")), "{record}");
}
