//! Models in this process: what is ready answers, and what is not is never half applied (TN-13, SNAP-1).

use std::{path::Path, sync::Arc};

use evenkeel_config::{Deployment, Loaded, load_text};
use evenkeel_gateway::{Gateway, StartError, prove};

use crate::client;

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  home:
    protocol: oip
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: distilled, onnx: {file: home.onnx}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;
/// Takes `x`, FP32 [n, 8], and gives `score`, FP32 [n, 1].
const SOUND: &[u8] = include_bytes!("../../../../examples/home-value/distilled.onnx");
const ROW: &str =
    r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 8], "data": [8, 20, 6, 1, 900, 3, 37, -122]}]}"#;

fn load(folder: &Path) -> Loaded {
    load_text("evenkeel.yaml", CONFIG, folder)
}

fn deployment(folder: &Path) -> Arc<Deployment> {
    load(folder).deployment.expect("the file is there")
}

/// The sound model, asking for operators of a version that nobody knows yet.
fn of_other_opset() -> Vec<u8> {
    let domain = b"ai.onnx.ml\x10";
    let at = SOUND.windows(domain.len()).position(|it| it == domain).expect("it imports the domain") + domain.len();
    let mut bytes = SOUND.to_vec();
    assert_eq!(std::mem::replace(&mut bytes[at], 99), 3);
    bytes
}

/// The sound model, with another name for its only output.
fn of_another_output() -> Vec<u8> {
    let mut bytes = SOUND.to_vec();
    while let Some(at) = bytes.windows(5).position(|it| it == b"score") {
        bytes[at..at + 5].copy_from_slice(b"price");
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_in_process_says_at_once_what_its_route_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("home.onnx"), SOUND).expect("written");
    let gateway = Gateway::start(deployment(folder.path())).await.expect("a gateway");
    let told = client::get(gateway.address(), "/v2/models/home").await.json();
    assert_eq!(told["inputs"], serde_json::json!([{"name": "x", "datatype": "FP32", "shape": [-1, 8]}]));
    assert_eq!(told["outputs"], serde_json::json!([{"name": "score", "datatype": "FP32", "shape": [-1]}]), "declared");
    let infer = async |body: &'static str| client::post(gateway.address(), "/v2/models/home/infer", body).await;
    let short = r#"{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [8, 20]}]}"#;
    let refused = infer(short).await;
    assert!(refused.status == 400 && refused.header("evenkeel-decision").is_empty(), "before anything: {refused:?}");
    let whole =
        r#"{"inputs": [{"name": "x", "datatype": "INT64", "shape": [1, 8], "data": [8, 20, 6, 1, 900, 3, 37, -122]}]}"#;
    let got = infer(whole).await;
    assert_eq!((got.status, got.header("evenkeel-path")), (200, "distilled"), "numbers are numbers: {got:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_13_a_file_that_is_missing_damaged_changed_or_of_another_opset_is_refused_and_the_running_revision_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("home.onnx");
    let write = |bytes: &[u8]| std::fs::write(&file, bytes).expect("written");
    write(SOUND);
    let gateway = Gateway::start(deployment(folder.path())).await.expect("a gateway");
    let (revision, first) = (gateway.revision(), client::post(gateway.address(), "/v2/models/home/infer", ROW).await);
    assert_eq!((first.status, first.header("evenkeel-path")), (200, "distilled"), "{first:?}");

    let cases: [(&str, &[u8], &str); 5] = [
        ("cut off", &SOUND[..SOUND.len() / 2], "not an ONNX model"),
        ("noise", b"\xff\xff\xff\xff", "not an ONNX model"),
        ("empty", b"", "no graph"),
        (
            "another opset",
            &of_other_opset(),
            "needs version 99 of the operators of \"ai.onnx.ml\", the newest known is 5",
        ),
        ("another output", &of_another_output(), "no output `score`, which the route promises; it has `price`"),
    ];
    for (case, bytes, words) in cases {
        write(bytes);
        refused(case, &gateway, folder.path(), words);
    }
    write(SOUND);
    let before = deployment(folder.path());
    write(&of_another_output());
    let unfit = gateway.apply(before.clone()).expect_err("changed between reading and applying");
    assert!(unfit[0].message.contains("home.onnx` was changed"), "{unfit:?}");
    std::fs::remove_file(&file).expect("removed");
    let unfit = gateway.apply(before).expect_err("gone between reading and applying");
    assert!(unfit[0].message.contains("home.onnx` cannot be read"), "{unfit:?}");
    let missing = load(folder.path());
    assert!(missing.deployment.is_none(), "gone before it was read");
    let told = &missing.diagnostics[0];
    assert!(told.code == "missing-file" && told.line == 9 && told.message.contains("home.onnx"), "{told:?}");

    assert_eq!(gateway.revision(), revision);
    let still = client::post(gateway.address(), "/v2/models/home/infer", ROW).await;
    assert_eq!((still.status, still.header("evenkeel-path")), (200, "distilled"), "{still:?}");
    assert_eq!(still.json()["outputs"], first.json()["outputs"]);
}

/// Expects that what is on the disk now is refused by whoever may be asked, in words that lead to the file.
fn refused(case: &str, gateway: &Gateway, folder: &Path, words: &str) {
    let mut loaded = load(folder);
    let deployment = loaded.deployment.clone().expect("whether it is a model is not for the configuration to know");
    let unfit = gateway.apply(deployment.clone()).expect_err(case);
    assert_eq!(prove(&deployment), unfit, "{case}: `check` says what a start would");
    loaded.refuse(unfit);
    assert_eq!((loaded.deployment.is_none(), loaded.errors()), (true, 1), "{case}");
    let told = loaded.diagnostics.last().expect("an error");
    assert_eq!((told.code, told.file.as_str(), told.line), ("unfit-model", "evenkeel.yaml", 9), "{case}");
    assert!(told.message.contains("home.onnx") && told.message.contains(words), "{case}: {}", told.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_13_f_161_a_gateway_does_not_start_on_a_damaged_model() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("home.onnx"), &SOUND[1..]).expect("written");
    let refused = Gateway::start(deployment(folder.path())).await;
    let unfit = match refused {
        Err(StartError::Unfit(unfit)) => unfit,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    };
    assert!(unfit[0].message.contains("home.onnx"), "{unfit:?}");
}

/// A network takes `x`, FP32 [n, 6], and gives `y`, FP32 [n, 3]; its answers are recorded beside it, of ONNX Runtime.
#[cfg(feature = "neural")]
#[tokio::test(flavor = "multi_thread")]
async fn a_network_answers_one_row_and_many_and_its_record_names_its_file() {
    const NETWORK: &[u8] = include_bytes!("../../../onnx/tests/networks/network-layers.onnx");
    const RECORDED: &str = include_str!("../../../onnx/tests/networks/network-layers.json");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("layers.onnx"), NETWORK).expect("written");
    let config = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  home: {protocol: oip, tiers: [{name: network, onnx: {file: layers.onnx}}]}
"#;
    let deployment = load_text("evenkeel.yaml", config, folder.path()).deployment.expect("the file is there");
    let gateway = Gateway::start(deployment).await.expect("a gateway");
    let numbers = |it: &serde_json::Value| -> Vec<f64> {
        let text = it["data"].as_str().expect("a list in words");
        text.split_whitespace().map(|it| it.parse().expect("a number")).collect()
    };
    let runs: serde_json::Value = serde_json::from_str(RECORDED).expect("JSON");
    // The third run has no row.
    for run in &runs.as_array().expect("runs")[..2] {
        let (given, wanted) = (&run["inputs"][0], &run["outputs"][0]);
        let x = serde_json::json!({"name": "x", "datatype": "FP32", "shape": given["shape"], "data": numbers(given)});
        let body = serde_json::json!({"inputs": [x]}).to_string();
        let got = client::post(gateway.address(), "/v2/models/home/infer", body).await;
        assert_eq!((got.status, got.header("evenkeel-path")), (200, "network"), "{got:?}");
        let (answer, wanted) = (got.json(), (&wanted["shape"], numbers(wanted)));
        assert_eq!(&answer["outputs"][0]["shape"], wanted.0);
        let found = answer["outputs"][0]["data"].as_array().expect("numbers");
        assert_eq!(found.len(), wanted.1.len());
        for (found, wanted) in found.iter().zip(wanted.1) {
            assert!((found.as_f64().expect("a number") - wanted).abs() <= 1e-4, "{found} for {wanted}");
        }
        let record =
            client::get(gateway.address(), &format!("/v1/decisions/{}", got.header("evenkeel-decision"))).await;
        let sha256 = record.json()["attempts"][0]["model"]["sha256"].as_str().map(str::len);
        assert_eq!(sha256, Some(64), "{record:?}");
    }
}
