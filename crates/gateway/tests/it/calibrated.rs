//! Scores on the primary's scale: what a client gets, what `accept` sees, what the record and the state say (`calibrate_to`).

use std::{collections::BTreeMap, path::Path};

use evenkeel_config::load_text;
use evenkeel_gateway::{Gateway, Happened};
use serde_json::{Value, json};

use crate::{
    client::{self, Got, Kit},
    computed::of_x,
};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  home:
    protocol: oip
    deadline: 2s
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: primary, oip: {upstream: models, model: m}}
      - {name: distilled, onnx: {file: home.onnx}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;
const MODEL: &[u8] = include_bytes!("../../../../examples/home-value/distilled.onnx");
/// Halves every score.
const MAP: &str = r#"{"version": 1, "kind": "score-map", "route": "home", "tier": "distilled", "to": "primary", "match": "mean",
"as_of": 1764163893, "outputs": {"score": {"n": 1200, "maps": [{"shape": "isotonic", "scale": "probability", "knots": [[0, 0], [1, 0.5]]}]}}}"#;

/// Starts a gateway of which the distilled tier has so much more to say; the primary is dead.
async fn start(folder: &Path, more: &str) -> Gateway {
    std::fs::write(folder.join("home.onnx"), MODEL).expect("written");
    std::fs::write(folder.join("map.json"), MAP).expect("written");
    let text = CONFIG.replace("{file: home.onnx}}", &format!("{{file: home.onnx}}{more}}}"));
    let loaded = load_text("evenkeel.yaml", &text, folder);
    Gateway::start(loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))).await.expect("a gateway")
}

/// Asks for a row; returns the score, and the decision.
async fn ask(gateway: &Gateway) -> (f64, Value) {
    let row = json!({"name": "x", "datatype": "FP32", "shape": [1, 8], "data": [8, 20, 6, 1, 900, 3, 37, -122]});
    let body: &'static str = json!({"inputs": [row]}).to_string().leak();
    let got = client::post(gateway.address(), "/v2/models/home/infer", body).await;
    let id = got.header("evenkeel-decision").to_owned();
    let score = got.json()["outputs"][0]["data"][0].as_f64().expect("a score");
    (score, client::get(gateway.address(), &format!("/v1/decisions/{id}")).await.json())
}

const CALIBRATED: &str = ", calibrate_to: {path: primary, file: map.json}";

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_below_answers_on_the_primarys_scale_and_the_record_names_the_map() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, record) = ask(&start(folder.path(), "").await).await;
    let answered = |record: &Value| record["attempts"].as_array().and_then(|it| it.last()).cloned().expect("attempts");
    assert!(answered(&record).get("calibration").is_none(), "{record}");

    let gateway = start(folder.path(), CALIBRATED).await;
    let (mapped, record) = ask(&gateway).await;
    assert!((mapped - plain / 2.0).abs() < 1e-7 && plain > 0.5, "{plain} {mapped}");
    let attempt = answered(&record);
    assert_eq!(attempt["path"], "distilled");
    let calibration = attempt["calibration"].clone();
    let map = calibration["map"].as_str().expect("a digest");
    assert!(map.starts_with("sha256:") && map.len() == 19, "{map}");
    let expected = json!({
        "map": map, "to": "primary", "match": "mean", "as_of": "2025-11-26T13:31:33Z",
        "outputs": {"score": {"n": 1_200, "shape": "isotonic"}},
    });
    assert_eq!(calibration, expected);
    let state = client::get(gateway.address(), "/v1/routes/home/state").await.json();
    assert_eq!(state["tiers"][1]["calibration"], expected);
    assert!(state["tiers"][0].get("calibration").is_none(), "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_judged_on_the_primarys_scale() {
    let folder = tempfile::tempdir().expect("a folder");
    let accept = ", accept: {confidence: outputs.score, at_least: 0.6}";
    let (score, record) = ask(&start(folder.path(), accept).await).await;
    assert_eq!((score > 0.6, &record["outcome"]["path"]), (true, &json!("distilled")));
    let (score, record) = ask(&start(folder.path(), &format!("{CALIBRATED}{accept}")).await).await;
    assert_eq!((score, &record["outcome"]["path"]), (0.5, &json!("default")), "it is not as sure as that");
    let attempt = &record["attempts"].as_array().and_then(|it| it.last()).cloned().expect("attempts");
    assert_eq!(attempt["result"], "quality.low_confidence");
    assert_eq!(attempt["calibration"]["to"], "primary", "what was judged went through the map");
}

const LIVE: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  first: {protocol: oip, url: "BIG", dialect: plain, probe: off}
  second: {protocol: oip, url: "SMALL", dialect: plain, probe: off}
routes:
  score:
    protocol: oip
    deadline: 3s
    shadow: {share: 1, max_cost: 1}
    input: {features: {x: {type: float}}}
    output: {tensors: {y: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: primary, oip: {upstream: first, model: exact}}
      - {name: small, oip: {upstream: second, model: halved}, calibrate_to: {path: primary}}
"#;

/// A request of so many rows, spread over (0, 1).
fn rows(count: usize) -> String {
    let data: Vec<f64> = (0..count).map(|at| (at as f64 + 0.5) / count as f64).collect();
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [count], "data": data}]}).to_string()
}

async fn infer(kit: &Kit, body: String) -> Got {
    kit.post("/v2/models/score/infer", body, &[]).await
}

/// Asks, and waits until the copy has taught what it has to teach.
async fn taught(kit: &Kit, count: usize) {
    let mut happened = kit.gateway.watch();
    let got = infer(kit, rows(count)).await;
    assert_eq!((got.status, got.header("evenkeel-path")), (200, "primary"), "{got:?}");
    let copy = async { while !matches!(happened.recv().await.expect("it is told"), Happened::Shadow(_)) {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), copy).await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_copies_teach_the_map_of_a_tier_that_has_no_file() {
    let models = BTreeMap::from([("exact".to_owned(), of_x(|x| x)), ("halved".to_owned(), of_x(|x| x * 0.5))]);
    let kit = Kit::of(LIVE, Path::new("."), models).await;
    let calibration = || kit.gateway.route_state("score").expect("a route").tiers.remove(1).calibration;
    taught(&kit, 150).await;
    assert_eq!(calibration(), None, "MAP-2: too few");
    taught(&kit, 150).await;
    let line = calibration().expect("300 pairs").outputs.remove("y").expect("the output");
    assert_eq!((line.n, line.shape.as_str()), (300, "platt"));
    taught(&kit, 900).await;
    let shape = calibration().expect("1,200 pairs").outputs.remove("y").expect("the output");
    assert_eq!((shape.n, shape.shape.as_str()), (1_200, "isotonic"), "LIVE-1: what it says before any map");

    // A reload keeps what was learnt, but not of another model.
    kit.gateway.apply(kit.compile(&LIVE.replace("deadline: 3s", "deadline: 4s"), Path::new("."))).expect("applied");
    assert_eq!(calibration().map(|it| it.outputs["y"].n), Some(1_200));
    kit.break_primary("{fault: status, status: 503}");
    let got = infer(&kit, rows(4)).await;
    assert_eq!(got.header("evenkeel-path"), "small", "{got:?}");
    let scores = got.json()["outputs"][0]["data"].clone();
    let scores: Vec<f64> = scores.as_array().expect("scores").iter().filter_map(Value::as_f64).collect();
    assert!(scores.iter().zip([0.125, 0.375, 0.625, 0.875]).all(|(a, b)| (a - b).abs() < 0.01), "{scores:?}");
    let record = kit.record(&got).await;
    let attempt = record["attempts"].as_array().and_then(|it| it.last()).cloned().expect("attempts");
    assert_eq!(attempt["calibration"]["map"], calibration().expect("it is there").map);

    kit.gateway.apply(kit.compile(&LIVE.replace("model: exact", "model: other"), Path::new("."))).expect("applied");
    assert_eq!(calibration(), None, "another scale is not known yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn f_150_copies_teach_what_both_said_before_the_steps_of_their_route() {
    let clamped = LIVE.replace("    tiers:", "    post: [{clamp: {output: y, min: 0.4, max: 0.6}}]\n    tiers:");
    let models = BTreeMap::from([("exact".to_owned(), of_x(|x| x)), ("halved".to_owned(), of_x(|x| x * 0.5))]);
    let kit = Kit::of(&clamped, Path::new("."), models).await;
    taught(&kit, 600).await;
    taught(&kit, 600).await;
    // Without the steps it can be seen what the map does.
    kit.gateway.apply(kit.compile(LIVE, Path::new("."))).expect("applied");
    kit.break_primary("{fault: status, status: 503}");
    let got = infer(&kit, rows(4)).await;
    assert_eq!(got.header("evenkeel-path"), "small", "{got:?}");
    let scores = got.json()["outputs"][0]["data"].clone();
    let scores: Vec<f64> = scores.as_array().expect("scores").iter().filter_map(Value::as_f64).collect();
    assert!(scores.iter().zip([0.125, 0.375, 0.625, 0.875]).all(|(a, b)| (a - b).abs() < 0.01), "LIVE-1: {scores:?}");
}
