//! TN: the Open Inference Protocol: tensors that are not what they are said to be.

mod sequences;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use self::sequences::tn_12;
use crate::{
    client::Got,
    exchange::outcome,
    process::Process,
    raw::read_request,
    row::{Forms::Plain, PLAIN, Row, Setting, Variant, act},
    run::{Run, Side, counts},
};

/// A primary that answers as the first word of its model's name says, and promises two outputs.
macro_rules! odd {
    ($how:literal) => {
        concat!(
            "
    protocol: oip
    deadline: 8s
    input:
      tensor: x
      columns: [income, age, rooms, bedrooms, population, occupancy, latitude, longitude]
    output:
      tensors:
        score: {datatype: FP32, shape: [-1], min: 0, max: 1}
        label: {datatype: INT64, shape: [-1]}
    tiers:
      - {name: primary, oip: {upstream: odd, model: ",
            $how,
            "-MODEL}}
      - {name: default, fixed: {outputs: {score: 0.5, label: 1}}}
"
        )
    };
}

/// The rows of this file.
pub(crate) const ROWS: &[Row] = &[
    Row::new("TN-01", Plain, &[Variant::named("", "", PRICE)], act!(tn_01)).within(TENSORS),
    Row::new("TN-02", Plain, &[Variant::named("", "", LOOSE)], act!(tn_02)).within(TENSORS),
    Row::new("TN-06", Plain, &[Variant::named("", "", PRICE)], act!(tn_06)).within(TENSORS),
    Row::new(
        "TN-07",
        Plain,
        &[
            Variant::named("dtype", "{fault: output_wrong_dtype}", PRICE),
            Variant::named("other rows", "", odd!("rows")),
            Variant::named("width", "", odd!("width")),
            Variant::named("more than the data", "{fault: output_wrong_shape}", PRICE),
            Variant::named("a missing output", "", odd!("one-of-two")),
            Variant::named("no output", "{fault: output_missing}", PRICE),
        ],
        act!(tn_07),
    )
    .within(Setting {
        upstreams: "  primary: {protocol: oip, url: PRIMARY, dialect: plain}\n  lower: {protocol: oip, url: LOWER, dialect: plain}\n  \
                    odd: {protocol: oip, url: \"http://RAW\", dialect: plain}\n",
        raw: Some(|stream| Box::pin(odd(stream))),
        ..TENSORS
    }),
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
    Row::new(
        "TN-12",
        Plain,
        &[
            Variant::named("reset", "{fault: reset}", PRICE),
            Variant::named("500", "{fault: status, status: 500}", PRICE),
            Variant::named("an output missing", "{fault: output_missing}", PRICE),
            Variant::named("NaN", "{fault: output_nonfinite, row: 1}", PRICE),
        ],
        act!(tn_12),
    )
    .within(TENSORS),
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

/// No contract: what comes is held against itself alone.
const LOOSE: &str = "
    protocol: oip
    deadline: 8s
    tiers:
      - {name: primary, oip: {upstream: primary, model: MODEL}, total: 4s}
      - {name: default, fixed: {outputs: {score: 0.5}}}
";

/// Serves outputs for two rows that are each read without trouble, and are not what was promised.
async fn odd(mut stream: TcpStream) {
    let request = String::from_utf8_lossy(&read_request(&mut stream).await).into_owned();
    let label = r#"{"name":"label","datatype":"INT64","shape":[2],"data":[1,0]}"#;
    let outputs = match request.split("/v2/models/").nth(1).and_then(|rest| rest.split('-').next()) {
        Some("rows") => {
            format!(r#"{{"name":"score","datatype":"FP32","shape":[3],"data":[0.1,0.2,0.3]}},{label}"#)
        }
        Some("width") => {
            format!(r#"{{"name":"score","datatype":"FP32","shape":[2,2],"data":[0.1,0.2,0.3,0.4]}},{label}"#)
        }
        _ => label.to_owned(),
    };
    let body = format!(r#"{{"model_name":"odd","outputs":[{outputs}]}}"#);
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length:";
    // Whoever does not wait for it is not there any more.
    let _ = stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Two rows of eight columns.
fn rows() -> Value {
    let data = [8.3, 41.0, 6.9, 1.0, 322.0, 2.5, 37.8, -122.2, 1.5, 20.0, 4.0, 1.1, 900.0, 3.0, 34.0, -118.0];
    json!({"inputs": [{"name": "x", "shape": [2, 8], "datatype": "FP32", "data": data}]})
}

/// Asks the route for an inference.
async fn infer(run: &Run, body: impl Into<Bytes>) -> Got {
    infer_with(run, body, &[("content-type", "application/json")]).await
}

async fn infer_with(run: &Run, body: impl Into<Bytes>, headers: &[(&str, &str)]) -> Got {
    let path = format!("/v2/models/{}/infer", run.route);
    run.house.client.post(run.house.data, &path, body.into(), headers).await.expect("an answer")
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
    run.saw(Side::Client, outcome(&got));
    let record = run.record(got.header("evenkeel-decision")).await;
    let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
    let primary = attempts.iter().filter(|it| it["path"] == "primary").filter_map(|it| it["result"].as_str());
    let results: Vec<String> = primary.map(str::to_owned).collect();
    run.saw(Side::Record, results.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", "));
    results
}

/// Claims that each body is refused with its status, in the protocol's own shape, counted, and asked of nobody.
async fn refused(run: &mut Run, bodies: impl IntoIterator<Item = (&'static str, String, u16)>) {
    let mut statuses = Vec::new();
    for (what, body, status) in bodies {
        let got = infer(run, body).await;
        let plain = got.json()["error"].is_string();
        run.must(got.status == status && plain, "refused in the protocol's own shape", &(what, &got));
        statuses.push(got.status);
    }
    let reached = inferences(run).await;
    run.must_be(reached, 0, "none");
    run.counted(statuses.len()).await;
    run.saw(Side::Client, counts(statuses));
    run.saw(Side::Path, format!("P = {reached}"));
}

/// Returns the peak of memory after a first request: the code that answers is read from the disk then.
async fn warmed_up(run: &mut Run) -> u64 {
    let got = infer(run, "{}".to_owned()).await;
    run.must_be(got.status, 400, "an empty request");
    run.counted(1).await;
    run.house.rest_kib().await
}

async fn tn_01(run: &mut Run) {
    let before = warmed_up(run).await;
    let with = |shape: &str, datatype: &str| {
        format!(r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":[1,2,3,4,5,6,7,8]}}]}}"#)
    };
    let bodies = [
        ("more than the data", with("[2,8]", "FP32"), 400),
        ("beyond 2⁶³", with("[4611686018427387904,8]", "FP32"), 400),
        ("a negative dimension", with("[-1,8]", "FP32"), 400),
        ("zero", with("[0,8]", "FP32"), 400),
        ("an unknown datatype", with("[1,8]", "COMPLEX"), 400),
    ];
    refused(run, bodies).await;
    run.grew_by_less_than(before, 8);
}

async fn tn_02(run: &mut Run) {
    let before = warmed_up(run).await;
    let texts = |size: usize| {
        let size = json!({"binary_data_size": size});
        json!({"inputs": [{"name": "x", "shape": [2], "datatype": "BYTES", "parameters": size}]}).to_string()
    };
    let whole = b"\x01\0\0\0a\x02\0\0\0bc";
    let mut statuses = Vec::new();
    for (what, json, tail, length) in [
        ("an element longer than the tensor", texts(11), &b"\x01\0\0\0a\xff\xff\xff\xffbc"[..], None),
        ("an element shorter than the tensor", texts(11), b"\x01\0\0\0a\x01\0\0\0bc", None),
        ("one element for two", texts(5), b"\x01\0\0\0a", None),
        ("a tensor longer than the body", texts(1 << 40), whole, None),
        ("more bytes than tensors", texts(11), b"\x01\0\0\0a\x02\0\0\0bcd", None),
        ("a header longer than the body", texts(11), whole, Some("1000000")),
        ("a header that is no number", texts(11), whole, Some("-1")),
    ] {
        let length = length.map_or_else(|| json.len().to_string(), str::to_owned);
        let headers = [("inference-header-content-length", length.as_str())];
        let got = infer_with(run, [json.as_bytes(), tail].concat(), &headers).await;
        run.must(
            got.status == 400 && got.json()["error"].is_string(),
            "refused in the protocol's own shape",
            &(what, &got),
        );
        statuses.push(got.status);
    }
    let reached = inferences(run).await;
    run.must_be(reached, 0, "none");
    run.counted(statuses.len()).await;
    run.saw(Side::Client, counts(statuses));
    run.saw(Side::Path, format!("P = {reached}"));
    run.grew_by_less_than(before, 8);
}

async fn tn_06(run: &mut Run) {
    let row = "[1,2,3,4,5,6,7,8]";
    let nine =
        format!(r#"{{"inputs":[{{"name":"x","shape":[9,8],"datatype":"FP32","data":[{}]}}]}}"#, [row; 9].join(","));
    refused(run, [("over `max_batch`", nine, 400), ("over `server.max_body`", " ".repeat(2 << 20), 413)]).await;
}

async fn tn_07(run: &mut Run) {
    let wanted = match run.which.variant.name {
        "dtype" => "quality.contract_dtype",
        "other rows" | "width" => "quality.contract_shape",
        // More rows than there are data for cannot even be read.
        "more than the data" => "target.decode_failed",
        "a missing output" => "target.output_missing",
        _ => "target.empty_answer",
    };
    // What is hard evidence opens a quiet path the second time (F-063), what is soft does not.
    for _ in 0..2 {
        let results = lower_answers(run).await;
        run.must_be(results, vec![wanted.to_owned()], "the record");
    }
    let state = if matches!(wanted, "target.decode_failed" | "target.output_missing") { "open" } else { "closed" };
    let breaker = run.breaker().await;
    run.must_be(breaker.as_str(), state, "a missing output is hard evidence, another shape is soft");
    run.saw(Side::Path, format!("{breaker} after two"));
}

/// Claims that the lower tier answers for what was not to be seen, and that the record calls it by its name.
async fn spoiled(run: &mut Run, result: &str) {
    let results = lower_answers(run).await;
    run.must_be(results, vec![result.to_owned()], "the record");
    run.saw(Side::Path, format!("P = {}, {}", inferences(run).await, run.breaker().await));
}

async fn tn_08(run: &mut Run) {
    spoiled(run, "quality.contract_nonfinite").await;
}

async fn tn_09(run: &mut Run) {
    spoiled(run, "quality.contract_range").await;
}

/// Names the tiers of the route, and says whether `/readyz` tells of a revision that was refused.
async fn standing(run: &Run) -> (Vec<String>, bool) {
    let look = async |at, path: &str| run.house.client.send(at, "GET", path, String::new()).await.json();
    let state = look(run.house.data, &format!("/v1/routes/{}/state", run.route)).await;
    let tiers = state["tiers"].as_array().into_iter().flatten();
    let names = tiers.map(|it| it["name"].as_str().unwrap_or_default().to_owned()).collect();
    (names, !look(run.house.admin, "/readyz").await["rejected"].is_null())
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
        run.saw(Side::Client, outcome(&got));
        let (tiers, rejected) = standing(run).await;
        run.must(rejected, "the refusal shows in `/readyz`", &rejected);
        run.must_be(tiers.join(", ").as_str(), "primary, lower, default", "the tier is never half-loaded");
        run.saw(Side::Path, format!("tiers: {}", tiers.join(", ")));
        let check = Process::run(&["check", folder.join("evenkeel.yaml").to_str().expect("text")]).await;
        let told = check.lines().find(|line| line.contains(&format!("{what}.onnx"))).unwrap_or_default();
        let code = told.split_once("error[").and_then(|(_, rest)| rest.split(']').next()).unwrap_or("none");
        let line = 1 + text.lines().position(|line| line.contains("name: local")).unwrap_or(0);
        let at = told.contains(&format!("evenkeel.yaml:{line}:"));
        run.must(at, "a diagnostic that names the file and the line", &check);
        run.saw(Side::Record, format!("`{code}` with the file and its line"));
    }
    std::fs::write(folder.join("evenkeel.yaml"), &good).expect("written");
}
