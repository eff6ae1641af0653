//! What a path cannot do is seen before it is asked: languages, regions, datatypes, features (F-036).

use std::{collections::BTreeMap, path::Path};

use evenkeel_mock::{OipModel, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Got, Kit};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  big: {protocol: openai, url: "BIG/v1"}
  small: {protocol: openai, url: "SMALL/v1"}
  models: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  chat:
    protocol: openai-chat
    deadline: 3s
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, languages: [en], residency: [us], features: [json]}
      - {name: small, openai: {upstream: small, model: little}, languages: [de, en], residency: [eu], features: [tools]}
      - {name: default, fixed: {content: "Later."}}
  within:
    protocol: openai-chat
    deadline: 3s
    language: de
    residency: [eu, ch]
    tiers:
      - {name: primary, openai: {upstream: big, model: large}}
      - {name: small, openai: {upstream: small, model: little}, residency: [eu]}
  score:
    protocol: oip
    deadline: 3s
    input: {features: {x: {type: float}}}
    output: {tensors: {y: {datatype: FP32}}}
    tiers:
      - {name: primary, oip: {upstream: models, model: exact}, datatypes: [FP64]}
      - {name: small, oip: {upstream: models, model: rough}}
"#;

async fn kit() -> Kit {
    let model = |datatype: &str| {
        let inputs = vec![TensorSpec::new("x", datatype, [-1])];
        OipModel::declared(inputs, TensorSpec::new("y", "FP32", [-1]), vec![json!(0.5)])
    };
    let models = BTreeMap::from([("exact".to_owned(), model("FP64")), ("rough".to_owned(), model("FP32"))]);
    Kit::of(CONFIG, Path::new("."), models).await
}

async fn ask(kit: &Kit, route: &str, more: Value, headers: &[(&str, &str)]) -> Got {
    let mut body = json!({"model": route, "messages": [{"role": "user", "content": "Guten Tag"}]});
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    kit.post("/v1/chat/completions", body.to_string(), headers).await
}

/// Why each tier was passed over, and what it lacked by the record.
fn lacking(record: &Value) -> Vec<(String, String, Value)> {
    let inputs = record["inputs"].as_array().expect("a list").iter();
    let text = |it: &Value| it.as_str().expect("text").to_owned();
    inputs
        .filter(|it| it.get("lacks").is_some())
        .map(|it| (text(&it["of"]), text(&it["signal"]), it["lacks"].clone()))
        .collect()
}

fn verdicts(record: &Value) -> Vec<(&str, &str)> {
    let candidates = record["candidates"].as_array().expect("a list").iter();
    candidates.map(|it| (it["verdict"].as_str().expect("a word"), it["reasons"][0].as_str().expect("a code"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn f_036_a_language_that_a_tier_does_not_understand_skips_it_before_any_call() {
    let kit = kit().await;
    for (headers, path) in [
        (&[][..], "primary"),
        (&[("evenkeel-language", "en-GB")], "primary"),
        (&[("evenkeel-language", "de")], "small"),
        (&[("content-language", "de-AT")], "small"),
        (&[("evenkeel-language", "de, en")], "small"),
        (&[("evenkeel-language", "fr")], "default"),
    ] {
        let got = ask(&kit, "chat", json!({}), headers).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, path), "{headers:?}: {got:?}");
    }
    let got = ask(&kit, "chat", json!({}), &[("evenkeel-language", "fr")]).await;
    assert_eq!(got.header("evenkeel-reason"), "CAPABILITY_MISSING");
    let record = kit.record(&got).await;
    assert_eq!(record["attempts"], json!([]), "nobody was called");
    let skipped = ("skipped", "CAPABILITY_MISSING");
    assert_eq!(verdicts(&record), [skipped, skipped, ("selected", "LAST_RESORT")]);
    let missing = |of: &str| (of.to_owned(), "languages_missing".to_owned(), json!(["undeclared"]));
    assert_eq!(lacking(&record), [missing("primary"), missing("small")]);
    assert_eq!(kit.seen_by_primary().await.len(), 2, "what is skipped is not asked");
    let wrong = ask(&kit, "chat", json!({}), &[("evenkeel-language", "?!")]).await;
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (400, Some("invalid_value")));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_036_a_request_goes_to_no_region_that_it_may_not_go_to() {
    let kit = kit().await;
    for (route, regions, path) in [
        ("chat", None, "primary"),
        ("chat", Some("eu"), "small"),
        ("chat", Some("us, eu"), "primary"),
        ("chat", Some("mars"), "default"),
        ("within", None, "small"),
        ("within", Some("eu"), "small"),
    ] {
        let headers: Vec<_> = regions.map(|it| ("evenkeel-residency", it)).into_iter().collect();
        let got = ask(&kit, route, json!({}), &headers).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, path), "{route} {regions:?}: {got:?}");
    }
    let told = ask(&kit, "chat", json!({}), &[("evenkeel-residency", "eu")]).await;
    let record = kit.record(&told).await;
    assert_eq!(lacking(&record), [("primary".into(), "regions_barred".into(), json!(["us"]))]);
    assert_eq!(
        (told.header("evenkeel-reason"), verdicts(&record)[0]),
        ("DATA_RESIDENCY", ("skipped", "DATA_RESIDENCY"))
    );
    // A client may not widen what its route says, and a tier that says nothing is nowhere.
    let widened = ask(&kit, "within", json!({}), &[("evenkeel-residency", "us")]).await;
    assert_eq!(widened.status, 503);
    let record = kit.record(&widened).await;
    let barred = |of: &str, regions: Value| (of.to_owned(), "regions_barred".to_owned(), regions);
    assert_eq!(lacking(&record), [barred("primary", json!(["undeclared"])), barred("small", json!(["eu"]))]);
    assert_eq!(kit.seen_by_primary().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_036_features_that_a_tier_lacks_are_named_in_the_record() {
    let kit = kit().await;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    let got = ask(&kit, "chat", tools, &[]).await;
    assert_eq!(got.header("evenkeel-path"), "small", "{got:?}");
    assert_eq!(lacking(&kit.record(&got).await), [("primary".into(), "features_missing".into(), json!(["tools"]))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_036_a_datatype_that_a_tier_does_not_take_skips_it() {
    let kit = kit().await;
    for (datatype, path) in [("FP64", "primary"), ("FP32", "small")] {
        let body = json!({"inputs": [{"name": "x", "datatype": datatype, "shape": [1], "data": [0.5]}]});
        let got = kit.post("/v2/models/score/infer", body.to_string(), &[]).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, path), "{datatype}: {got:?}");
        let record = kit.record(&got).await;
        let expected: &[_] = match path {
            "small" => &[("primary".into(), "datatypes_missing".into(), json!(["FP32"]))],
            _ => &[],
        };
        assert_eq!(lacking(&record), expected);
    }
}
