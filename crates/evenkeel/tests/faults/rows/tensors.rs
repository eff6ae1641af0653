//! TN: the Open Inference Protocol, as far as REST with JSON goes.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    client::Got,
    process::Process,
    row::{Forms::Plain, PLAIN, Row, Setting, Variant, act},
    run::{Run, Side},
};

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("TN-01", Plain, &[Variant::named("", "", PRICE)], act!(tn_01)).within(TENSORS),
    Row::new("TN-06", Plain, &[Variant::named("", "", PRICE)], act!(tn_06)).within(TENSORS),
    Row::new(
        "TN-07",
        Plain,
        &[
            Variant::named("shape", "{fault: output_wrong_shape}", PRICE),
            Variant::named("dtype", "{fault: output_wrong_dtype}", PRICE),
            Variant::named("a missing output", "{fault: output_missing}", PRICE),
        ],
        act!(tn_07),
    )
    .within(TENSORS),
    Row::new(
        "TN-08",
        Plain,
        &[
            Variant::named("NaN", "{fault: output_nonfinite, row: 1}", PRICE),
            Variant::named("Infinity", "{fault: output_nonfinite, form: infinity, row: 1}", PRICE),
            Variant::named("null", "{fault: output_nonfinite, form: \"null\", row: 1}", PRICE),
        ],
        act!(tn_08),
    )
    .within(TENSORS),
    Row::new("TN-09", Plain, &[Variant::named("", "{fault: output_out_of_range}", PRICE)], act!(tn_09)).within(TENSORS),
    Row::new("TN-13", Plain, &[Variant::named("", "", PRICE)], act!(tn_13)).within(TENSORS).single(),
];

/// Servers of the Open Inference Protocol, that evaluate a real model.
const TENSORS: Setting = Setting {
    upstreams: "  primary: {protocol: oip, url: PRIMARY, dialect: plain}\n  lower: {protocol: oip, url: LOWER, dialect: plain}\n",
    server: ", max_body: 1MiB",
    onnx: Some("examples/home-value/primary.onnx"),
    ..PLAIN
};

/// A contract for what goes in and comes out.
const PRICE: &str = "
    protocol: oip
    deadline: 8s
    max_batch: 8
    input:
      tensor: x
      columns: [income, age, rooms, bedrooms, population, occupancy, latitude, longitude]
    output:
      tensors: {score: {datatype: FP32, shape: [-1], min: 0, max: 1}}
    tiers:
      - {name: primary, oip: {upstream: primary, model: MODEL}, total: 4s}
      - {name: lower, oip: {upstream: lower, model: MODEL}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
";

/// Two rows of eight columns.
fn rows() -> Value {
    let data = [8.3, 41.0, 6.9, 1.0, 322.0, 2.5, 37.8, -122.2, 1.5, 20.0, 4.0, 1.1, 900.0, 3.0, 34.0, -118.0];
    json!({"inputs": [{"name": "x", "shape": [2, 8], "datatype": "FP32", "data": data}]})
}

/// Asks the route for an inference.
async fn infer(run: &Run, body: impl Into<Bytes>) -> Got {
    let path = format!("/v2/models/{}/infer", run.route);
    let headers = [("content-type", "application/json")];
    run.house.client.post(run.house.data, &path, body.into(), &headers).await.expect("an answer")
}

/// Counts the inferences that the primary saw.
async fn inferences(run: &Run) -> usize {
    run.primary_saw().await.iter().filter(|it| it.path.ends_with("/infer")).count()
}

/// Breaks the primary, asks, and claims that the lower tier answers both rows; returns the primary's results.
async fn lower_answers(run: &mut Run) -> Vec<String> {
    run.break_primary().await;
    let got = infer(run, rows().to_string()).await;
    run.must(got.status == 200 && got.tier() == Some(1), "the lower tier's answer", &got);
    let data = got.json()["outputs"][0]["data"].as_array().map(Vec::len);
    run.must_be(data, Some(2), "for the whole request");
    let record = run.record(got.header("evenkeel-decision")).await;
    let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
    let primary = attempts.iter().filter(|it| it["path"] == "primary").filter_map(|it| it["result"].as_str());
    let results: Vec<String> = primary.map(str::to_owned).collect();
    run.saw(Side::Client, "whole answer of tier 1");
    run.saw(Side::Path, format!("P = {}", inferences(run).await));
    run.saw(Side::Record, results.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "));
    results
}

async fn refused(run: &mut Run, what: &str, body: String, status: u16) {
    let got = infer(run, body).await;
    let plain = got.json()["error"].is_string();
    run.must(got.status == status && plain, "refused in the protocol's own shape", &(what, &got));
}

async fn tn_01(run: &mut Run) {
    let before = run.house.gateway.peak_kib();
    let with = |shape: &str, datatype: &str| {
        format!(r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":[1,2,3,4,5,6,7,8]}}]}}"#)
    };
    for (what, body) in [
        ("more than the data", with("[2,8]", "FP32")),
        ("beyond 2⁶³", with("[4611686018427387904,8]", "FP32")),
        ("a negative dimension", with("[-1,8]", "FP32")),
        ("zero", with("[0,8]", "FP32")),
        ("an unknown datatype", with("[1,8]", "COMPLEX")),
    ] {
        refused(run, what, body, 400).await;
    }
    run.must_be(inferences(run).await, 0, "none");
    run.grew_by_less_than(before, 8);
    run.saw(Side::Client, "400 before any allocation");
    run.saw(Side::Path, "none");
    run.saw(Side::Record, "counted");
}

async fn tn_06(run: &mut Run) {
    let row = "[1,2,3,4,5,6,7,8]";
    let nine =
        format!(r#"{{"inputs":[{{"name":"x","shape":[9,8],"datatype":"FP32","data":[{}]}}]}}"#, [row; 9].join(","));
    refused(run, "over `max_batch`", nine, 400).await;
    refused(run, "over `server.max_body`", " ".repeat(2 << 20), 413).await;
    run.must_be(inferences(run).await, 0, "none");
    run.saw(Side::Client, "413; 400");
    run.saw(Side::Path, "none");
    run.saw(Side::Record, "counted");
}

async fn tn_07(run: &mut Run) {
    let results = lower_answers(run).await;
    let wanted: &[&str] = match run.which.variant.name {
        "dtype" => &["quality.contract_dtype"],
        // The model has one output: without it nothing is left.
        "a missing output" => &["target.output_missing", "target.empty_answer"],
        // More rows than there are data for cannot even be read.
        _ => &["quality.contract_shape", "target.decode_failed"],
    };
    run.must(results.first().is_some_and(|it| wanted.contains(&it.as_str())), "the record", &results);
}

async fn tn_08(run: &mut Run) {
    let results = lower_answers(run).await;
    run.must_be(results, vec!["quality.contract_nonfinite".to_owned()], "the record");
}

async fn tn_09(run: &mut Run) {
    let results = lower_answers(run).await;
    run.must_be(results, vec!["quality.contract_range".to_owned()], "the record");
}

async fn tn_13(run: &mut Run) {
    let folder = run.house.folder.path().to_owned();
    let model = std::fs::read(crate::catalogue::file("examples/home-value/distilled.onnx")).expect("a model");
    let good = std::fs::read_to_string(folder.join("evenkeel.yaml")).expect("the file is there");
    let mut shortened = model.clone();
    shortened.truncate(model.len() / 2);
    for (what, bytes) in [("missing", None), ("damaged", Some(shortened))] {
        let file = folder.join(format!("{what}.onnx"));
        if let Some(bytes) = bytes {
            std::fs::write(&file, bytes).expect("written");
        }
        let tier = format!("      - {{name: local, onnx: {{file: {what}.onnx}}}}\n      - {{name: default");
        let text = good.replace("      - {name: default", &tier);
        let failures = run.house.metric("evenkeel_config_apply_failures_total").await;
        std::fs::write(folder.join("evenkeel.yaml"), &text).expect("written");
        let refused = async || {
            let now = run.house.metric("evenkeel_config_apply_failures_total").await;
            (now > failures).then_some(())
        };
        let refused = run.until(refused).await;
        run.must(refused.is_some(), "the revision is refused", &what);
        let got = infer(run, rows().to_string()).await;
        run.must(got.status == 200 && got.tier() == Some(0), "the running one stays", &got);
        let check = Process::run(&["check", folder.join("evenkeel.yaml").to_str().expect("text")]).await;
        run.must(check.contains(&format!("{what}.onnx")), "a diagnostic that names the file", &check);
    }
    std::fs::write(folder.join("evenkeel.yaml"), &good).expect("written");
    run.saw(Side::Client, "no change");
    run.saw(Side::Path, "the tier is never half-loaded");
    run.saw(Side::Record, "diagnostic with the file");
}
