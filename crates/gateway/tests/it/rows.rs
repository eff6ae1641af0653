//! Batches that are judged row by row: moved as a whole, or split over the tiers and put together in their order (OIP-35).

use std::{collections::BTreeMap, path::Path};

use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use evenkeel_mock::{OipModel, TensorData};
use serde_json::{Value, json};

use crate::{
    client::{self, Got, Kit},
    computed::{Asked, model},
};

/// Two models, and a default; each model is as sure of a row as the row says, and writes its own name before the row's.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  score:
    protocol: oip
    deadline: 3s
    when_exhausted: refuse
    input: {features: {id: {type: string}, first: {type: float}, second: {type: float}}}
    output: {tensors: {score: {datatype: FP32}, label: {datatype: BYTES}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: first}, total: 1s, retries: 0, accept: {confidence: "outputs.score", at_least: 0.7, rows: RULE}}
      - {name: small, oip: {upstream: small, model: second}, total: 1s, retries: 0, accept: {confidence: "outputs.score", at_least: 0.7, rows: RULE}}
      - {name: default, fixed: {outputs: {score: 0.5, label: none}}}
"#;

/// Two models; of each row, each says the input of its own name as the score, and its name before that of the row.
fn models() -> BTreeMap<String, OipModel> {
    let inputs = &[("id", "BYTES"), ("first", "FP32"), ("second", "FP32")];
    let outputs = &[("score", "FP32"), ("label", "BYTES")];
    let model = |name: &'static str| {
        let says = move |asked: &Asked<'_>| {
            let labels = asked.texts("id")?.iter().map(|id| format!("{name}:{id}")).collect();
            Ok(vec![asked.values(name)?, TensorData::Texts(labels)])
        };
        (name.to_owned(), model(inputs, outputs, says))
    };
    BTreeMap::from(["first", "second"].map(model))
}

async fn kit(rule: &str) -> Kit {
    Kit::of(&CONFIG.replace("RULE", rule), Path::new("."), models()).await
}

/// Rows `r0`, `r1`, …, and how sure each of the two models is of each.
fn rows(sure: &[[f64; 2]]) -> Value {
    let n = sure.len();
    let column = |at: usize| sure.iter().map(|it| it[at]).collect::<Vec<_>>();
    let ids: Vec<_> = (0..n).map(|at| format!("r{at}")).collect();
    json!({"id": "mine", "inputs": [
        {"name": "id", "datatype": "BYTES", "shape": [n], "data": ids},
        {"name": "first", "datatype": "FP32", "shape": [n], "data": column(0)},
        {"name": "second", "datatype": "FP32", "shape": [n], "data": column(1)},
    ]})
}

async fn ask(kit: &Kit, body: &Value) -> Got {
    kit.post("/v2/models/score/infer", body.to_string(), &[]).await
}

fn output<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let outputs = answer["outputs"].as_array().expect("a list");
    &outputs.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer}"))["data"]
}

fn labels(got: &Got) -> Vec<String> {
    let answer = got.json();
    output(&answer, "label").as_array().expect("a list").iter().map(|it| it.as_str().expect("text").into()).collect()
}

/// The rows of each attempt: its path, its result, what it was asked for and what was kept.
fn attempts(record: &Value) -> Vec<(String, String, u64, u64)> {
    let text = |it: &Value| it.as_str().expect("text").to_owned();
    let number = |it: &Value| it.as_u64().expect("a count");
    let attempt = |it: &Value| {
        (text(&it["path"]), text(&it["result"]), number(&it["rows"]["asked"]), number(&it["rows"]["kept"]))
    };
    record["attempts"].as_array().expect("a list").iter().map(attempt).collect()
}

fn attempt(path: &str, result: &str, asked: u64, kept: u64) -> (String, String, u64, u64) {
    (path.into(), result.into(), asked, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_36_oip_35_a_sequence_is_not_judged_row_by_row_for_nobody_else_could_go_on_with_it() {
    for rule in ["any", "all", "split"] {
        let kit = kit(rule).await;
        for start in [true, false, false] {
            let mut body = rows(&[[0.9, 0.8], [0.2, 0.8]]);
            body["parameters"] = json!({"sequence_id": 1, "sequence_start": start});
            let got = ask(&kit, &body).await;
            assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{rule}: {got:?}");
            assert_eq!(labels(&got), ["first:r0", "first:r1"], "{rule}");
            assert_eq!(got.json()["parameters"].get("evenkeel.row_tiers"), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_bad_rows_move_the_whole_batch_as_the_rule_says() {
    let low = |bad: usize| rows(&(0..5).map(|at| [if at < bad { 0.2 } else { 0.9 }, 0.8]).collect::<Vec<_>>());
    for (rule, bad, tier) in [
        ("any", 0, "0"),
        ("any", 1, "1"),
        ("all", 4, "0"),
        ("all", 5, "1"),
        ("{fraction: 0.4}", 1, "0"),
        ("{fraction: 0.4}", 2, "1"),
        ("split", 0, "0"),
        ("split", 5, "1"),
    ] {
        let kit = kit(rule).await;
        let got = ask(&kit, &low(bad)).await;
        assert_eq!((got.status, got.header("evenkeel-tier")), (200, tier), "{rule} {bad}: {got:?}");
        let name = if tier == "0" { "first" } else { "second" };
        assert_eq!(labels(&got), (0..5).map(|at| format!("{name}:r{at}")).collect::<Vec<_>>(), "{rule} {bad}");
        assert_eq!(got.json()["parameters"].get("evenkeel.row_tiers"), None, "nothing was split: {rule} {bad}");
        let record = kit.record(&got).await;
        let fact = record["inputs"].as_array().expect("a list").iter().find(|it| it["signal"] == "rows_low");
        let fact = fact.expect("it is compared always");
        assert_eq!((fact["value"].as_str(), fact["breached"].as_bool()), (Some(&*bad.to_string()), Some(tier == "1")));
        if tier == "1" {
            assert_eq!((got.header("evenkeel-reason"), got.header("evenkeel-degraded")), ("LOW_CONFIDENCE", "true"));
            assert_eq!(attempts(&record)[0], attempt("primary", "quality.low_confidence", 5, 0), "{record}");
        }
        let state = kit.gateway.route_state("score").expect("a route");
        assert_eq!(state.tiers[0].breaker, "closed", "it is no evidence");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_f_165_where_every_tier_is_unsure_the_refusal_says_that() {
    let config = CONFIG.replace("RULE", "any");
    let default = config.lines().find(|line| line.contains("name: default")).expect("it is there").to_owned();
    let kit = Kit::of(&config.replace(&default, ""), Path::new("."), models()).await;
    let refused = async |unsure: bool, said: &str, why: &str| {
        let got = ask(&kit, &rows(&[[0.2, 0.3]])).await;
        assert_eq!((got.status, got.header("evenkeel-reason")), (503, "ALL_TIERS_EXHAUSTED"), "{got:?}");
        let error = got.json()["error"].as_str().expect("words").to_owned();
        assert!(error.contains(said), "unsure: {unsure}: {error}");
        assert_eq!(kit.record(&got).await["explanation"], why, "unsure: {unsure}");
    };
    let given = "Refused: what was answered could not be given, and nothing else could answer.";
    refused(true, "not sure enough", given).await;
    kit.break_primary("{fault: status, status: 503}");
    kit.break_small("{fault: status, status: 503}");
    refused(false, "no tier of this route can answer now", "Refused: nothing could answer.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_a_split_batch_is_answered_by_three_tiers_and_comes_back_in_its_order() {
    let kit = kit("split").await;
    let body = rows(&[[0.9, 0.0], [0.1, 0.8], [0.7, 0.0], [0.2, 0.3], [0.3, 0.9], [0.95, 0.0], [0.0, 0.1]]);
    let got = ask(&kit, &body).await;
    assert_eq!(
        (got.status, got.header("evenkeel-tier"), got.header("evenkeel-degraded")),
        (200, "2", "true"),
        "{got:?}"
    );
    assert_eq!((got.header("evenkeel-method"), got.header("evenkeel-reason")), ("default", "LOW_CONFIDENCE"));
    assert_eq!(got.header("evenkeel-attempts"), "2");
    assert_eq!(labels(&got), ["first:r0", "second:r1", "first:r2", "none", "second:r4", "first:r5", "none"]);
    let answer = got.json();
    assert_eq!(*output(&answer, "score"), json!([0.9, 0.8, 0.7, 0.5, 0.9, 0.95, 0.5]));
    assert_eq!((&answer["model_name"], &answer["id"]), (&json!("score"), &json!("mine")));
    assert_eq!(answer["outputs"][0]["shape"], json!([7]));
    assert_eq!(answer["parameters"]["evenkeel.row_tiers"], "0,1,0,2,1,0,2");
    let low = "LOW_CONFIDENCE";
    assert_eq!(answer["parameters"]["evenkeel.row_reasons"], format!(",{low},,{low},{low},,{low}"));
    let record = kit.record(&got).await;
    assert_eq!(attempts(&record), [attempt("primary", "ok_part", 7, 3), attempt("small", "ok_part", 4, 2)]);
    let verdicts: Vec<_> = record["candidates"].as_array().expect("a list").iter().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["selected"; 3]);
    assert_eq!(record["outcome"]["tier"], 2);
    // Each is asked once, and for nothing that is answered already.
    kit.small.settled().await;
    let asked = kit.small.log();
    let asked: Value =
        serde_json::from_slice(asked.last().expect("once").body.as_deref().expect("a body")).expect("JSON");
    assert_eq!(asked["inputs"][0]["data"], json!(["r1", "r3", "r4", "r6"]));
    assert_eq!(asked["inputs"][1]["shape"], json!([4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_a_tier_that_fails_is_passed_over_and_what_was_kept_stays() {
    let kit = kit("split").await;
    kit.break_small("{fault: status, status: 500}");
    let got = ask(&kit, &rows(&[[0.9, 0.0], [0.1, 0.8]])).await;
    assert_eq!(labels(&got), ["first:r0", "none"]);
    assert_eq!(got.json()["parameters"]["evenkeel.row_tiers"], "0,2");
    assert_eq!(attempts(&kit.record(&got).await)[1], attempt("small", "target.status_5xx", 1, 0));

    // Where the first one fails, its rows have its reason, and others their own.
    kit.break_small("");
    kit.break_primary("{fault: status, status: 500}");
    let got = ask(&kit, &rows(&[[0.9, 0.9], [0.9, 0.1]])).await;
    assert_eq!(labels(&got), ["second:r0", "none"]);
    let parameters = got.json()["parameters"].clone();
    assert_eq!((&parameters["evenkeel.row_tiers"], got.header("evenkeel-reason")), (&json!("1,2"), "UPSTREAM_5XX"));
    assert_eq!(parameters["evenkeel.row_reasons"], "UPSTREAM_5XX,LOW_CONFIDENCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_rows_that_nobody_answers_refuse_the_whole() {
    let config = CONFIG.replace("RULE", "split");
    let config = config.split("      - {name: default").next().expect("the start");
    let kit = Kit::of(config, Path::new("."), models()).await;
    let got = ask(&kit, &rows(&[[0.9, 0.0], [0.1, 0.2]])).await;
    assert_eq!((got.status, got.header("evenkeel-reason")), (503, "ALL_TIERS_EXHAUSTED"), "{got:?}");
    assert!(got.json()["error"].is_string() && got.json().get("outputs").is_none());
    let got = ask(&kit, &rows(&[[0.9, 0.0], [0.1, 0.7]])).await;
    assert_eq!(labels(&got), ["first:r0", "second:r1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_oip_34_the_judge_sees_what_it_needs_and_the_client_gets_what_it_asked_for() {
    let kit = kit("split").await;
    let mut body = rows(&[[0.9, 0.0], [0.1, 0.8], [0.1, 0.1]]);
    body["outputs"] = json!([{"name": "label"}]);
    let got = ask(&kit, &body).await;
    assert_eq!(labels(&got), ["first:r0", "second:r1", "none"]);
    assert_eq!(got.json()["outputs"].as_array().map(Vec::len), Some(1), "{got:?}");
    let seen = kit.seen_by_primary().await;
    let seen: Value =
        serde_json::from_slice(seen.last().expect("asked").body.as_deref().expect("a body")).expect("JSON");
    let names: Vec<_> = seen["outputs"].as_array().expect("a list").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["label", "score"]);

    let mut body = rows(&[[0.75, 0.0], [0.1, 0.9], [0.1, 0.1]]);
    body["outputs"] = json!([{"name": "score", "parameters": {"classification": 1}}]);
    let got = ask(&kit, &body).await;
    assert!(
        got.status == 400 && got.json()["error"].to_string().contains("one value a row"),
        "rows are no classes: {got:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_a_binary_answer_is_put_together_as_well() {
    let kit = kit("split").await;
    let mut body = rows(&[[0.1, 0.8], [0.9, 0.0], [0.1, 0.1]]);
    body["parameters"] = json!({"binary_data_output": true});
    let got = ask(&kit, &body).await;
    let header: usize = got.header("inference-header-content-length").parse().expect("a length");
    let told: Value = serde_json::from_slice(&got.body[..header]).expect("JSON");
    assert_eq!(told["parameters"]["evenkeel.row_tiers"], "1,0,2");
    let text = |it: &str| [&(it.len() as u32).to_le_bytes()[..], it.as_bytes()].concat();
    let scores = [0.8_f32, 0.9, 0.5].map(f32::to_le_bytes).concat();
    let labels = [text("second:r0"), text("first:r1"), text("none")].concat();
    let data = &got.body[header..];
    assert!(data == [&scores[..], &labels].concat() || data == [&labels[..], &scores].concat(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_35_the_same_over_grpc_on_both_sides() {
    // The models stand behind a gateway that splits, which another asks over gRPC, and which asks a third one so.
    let behind = Kit::of(&BEHIND.replace("RULE", "any"), Path::new("."), models()).await;
    let url = format!("http://{}", behind.gateway.address());
    let start = |text: String| async move {
        let loaded = load_text("test", &text, Path::new("."));
        let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
        Gateway::start(deployment).await.expect("a gateway")
    };
    let config =
        CONFIG.replace("RULE", "split").replace("protocol: oip, url: \"BIG\"", "protocol: oip-grpc, url: \"BIG\"");
    let config = config.replace("protocol: oip, url: \"SMALL\"", "protocol: oip-grpc, url: \"SMALL\"");
    let splits = start(config.replace("BIG", &url).replace("SMALL", &url)).await;
    let front = start(FRONT.replace("SPLITS", &format!("http://{}", splits.address()))).await;
    let body = rows(&[[0.1, 0.8], [0.9, 0.0], [0.1, 0.1], [0.75, 0.1]]).to_string();
    let got = client::post(front.address(), "/v2/models/front/infer", body).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "{got:?}");
    assert_eq!(labels(&got), ["second:r0", "first:r1", "none", "first:r3"]);
    assert_eq!(
        got.json()["parameters"].get("evenkeel.row_tiers"),
        None,
        "what another gateway says of itself stops here"
    );
}

/// A gateway before the one that splits.
const FRONT: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {splits: {protocol: oip-grpc, url: "SPLITS"}}
routes:
  front: {protocol: oip, deadline: 3s, tiers: [{name: primary, oip: {upstream: splits, model: score}, retries: 0}]}
"#;

/// A gateway that speaks gRPC before the models.
const BEHIND: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  first: {protocol: oip, tiers: [{name: primary, oip: {upstream: big, model: first}, retries: 0}]}
  second: {protocol: oip, tiers: [{name: primary, oip: {upstream: small, model: second}, retries: 0}]}
"#;
