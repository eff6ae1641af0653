//! Tensors as bytes behind the JSON, on either side, and bodies that come compressed.

use std::{collections::BTreeMap, io::Write, path::Path};

use evenkeel_mock::{OipModel, TensorSpec};
use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use serde_json::{Value, json};

use crate::{
    client::{Got, Kit},
    contracts::until_known,
};

/// One model, known as a server that takes bytes and as one that takes none.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", max_body: 16MiB}
upstreams:
  packs: {protocol: oip, url: "BIG", dialect: triton}
  writes: {protocol: oip, url: "BIG", dialect: plain}
  chats: {protocol: openai, url: "SMALL/v1"}
routes:
  packed: {protocol: oip, tiers: [{name: primary, oip: {upstream: packs, model: m}, retries: 0}]}
  written: {protocol: oip, tiers: [{name: primary, oip: {upstream: writes, model: m}, retries: 0}]}
  fixed: {protocol: oip, tiers: [{name: default, fixed: {outputs: {y: 0.5, word: "é"}}}]}
  classes:
    protocol: oip
    tiers: [{name: default, fixed: {outputs: {y: {dtype: FP32, shape: [1, 3], data: [0.1, 0.7, 0.2]}, word: "é"}}}]
  raw:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    tiers: [{name: primary, oip: {upstream: packs, model: m}, retries: 0}]
  chat: {protocol: openai-chat, tiers: [{name: primary, openai: {upstream: chats, model: m}}]}
"#;

const JSON_LENGTH: &str = "inference-header-content-length";

async fn kit() -> Kit {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let mut model = OipModel::declared(vec![input], TensorSpec::new("y", "FP64", [-1]), vec![json!(0.25), json!(-1)]);
    model.outputs.push(TensorSpec::new("n", "UINT64", [-1, 1]));
    Kit::of(CONFIG, Path::new("."), BTreeMap::from([("m".to_owned(), model)])).await
}

/// A request of three rows in bytes: its body, and how much of it is JSON.
fn packed(outputs: &Value, parameters: &Value) -> (Vec<u8>, String) {
    let tensor: Vec<u8> = [1.0_f32, 2.0, f32::MIN, 4.0, 5.0, 6.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    let size = json!({"binary_data_size": tensor.len()});
    let x = json!({"name": "x", "datatype": "FP32", "shape": [3, 2], "parameters": size});
    let mut body = json!({"inputs": [x], "outputs": outputs, "parameters": parameters}).to_string().into_bytes();
    let length = body.len().to_string();
    body.extend(tensor);
    (body, length)
}

impl Kit {
    async fn pack(&self, route: &str, (body, length): (Vec<u8>, String)) -> Got {
        self.post(&format!("/v2/models/{route}/infer"), body, &[(JSON_LENGTH, &length)]).await
    }
}

impl Got {
    /// The JSON of an answer, and the bytes behind it.
    fn divided(&self) -> (Value, &[u8]) {
        assert_eq!(self.status, 200, "{self:?}");
        match self.headers.get(JSON_LENGTH) {
            None => (self.json(), &[]),
            Some(length) => {
                let (json, tail) = self.body.split_at(length.to_str().expect("ASCII").parse().expect("a length"));
                (serde_json::from_slice(json).expect("JSON"), tail)
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_01_whatever_side_takes_bytes_gets_them_and_the_other_gets_words() {
    let kit = kit().await;
    let y: Vec<u8> = [0.25_f64, -1.0, 0.25].iter().flat_map(|it| it.to_le_bytes()).collect();
    for route in ["packed", "written"] {
        let got = kit.pack(route, packed(&Value::Null, &json!({"binary_data_output": true}))).await;
        assert_eq!(got.header("content-type"), "application/octet-stream");
        let (json, tail) = got.divided();
        assert_eq!(
            (&json["outputs"][0]["parameters"], tail.len()),
            (&json!({"binary_data_size": 24}), 24 + 24),
            "{json}"
        );
        assert_eq!(&tail[..24], y, "{route}: in the order of the outputs");
        assert!(json["outputs"][0]["data"].is_null(), "{json}");
        // What is said of one output goes before what is said of all.
        let named = json!([{"name": "y", "parameters": {"binary_data": false}}, {"name": "n"}]);
        let got = kit.pack(route, packed(&named, &json!({"binary_data_output": true}))).await;
        let (json, tail) = got.divided();
        assert_eq!((&json["outputs"][0]["data"], tail.len()), (&json!([0.25, -1.0, 0.25]), 24), "{route}: {json}");
        let got = kit.pack(route, packed(&Value::Null, &Value::Null)).await;
        assert_eq!(got.header("content-type"), "application/json", "{route}: words, where nothing else is asked for");
        assert_eq!(got.json()["outputs"][0]["data"], json!([0.25, -1.0, 0.25]));
    }
    let seen = kit.seen_by_primary().await;
    let bodies: Vec<_> = seen.iter().filter(|it| it.method == "POST").filter_map(|it| it.body.as_deref()).collect();
    let sent = [1.0_f32, 2.0, f32::MIN, 4.0, 5.0, 6.0];
    let bytes: Vec<u8> = sent.iter().flat_map(|it| it.to_le_bytes()).collect();
    assert_eq!(bodies.len(), 6);
    assert!(bodies[..3].iter().all(|it| it.ends_with(&bytes)), "bytes as they came");
    for body in &bodies[3..] {
        let json: Value = serde_json::from_slice(body).expect("JSON alone");
        let data: Vec<f32> = serde_json::from_value(json["inputs"][0]["data"].clone()).expect("numbers");
        assert_eq!((&data[..], json["inputs"][0].get("parameters")), (&sent[..], None), "{json}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_process_answers_in_bytes_too() {
    let kit = kit().await;
    let got = kit.pack("fixed", packed(&Value::Null, &json!({"binary_data_output": true}))).await;
    let (json, tail) = got.divided();
    let word = ["\u{2}\0\0\0é"; 3].concat();
    let outputs: Vec<_> = json["outputs"].as_array().expect("a list").iter().collect();
    let size = |at: usize| (outputs[at]["name"].as_str(), outputs[at]["parameters"]["binary_data_size"].as_u64());
    assert_eq!((size(0), size(1)), ((Some("word"), Some(18)), (Some("y"), Some(24))), "{json}");
    assert_eq!(tail, [word.into_bytes(), [0.5_f64.to_le_bytes(); 3].concat()].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_34_classes_are_made_here_whoever_answers() {
    let kit = kit().await;
    let ask = async |route: &str, name: &str, classes: Value| {
        let wanted = json!([{"name": name, "parameters": {"classification": classes}}]);
        kit.pack(route, packed(&wanted, &Value::Null)).await
    };
    let got = ask("classes", "y", json!(2)).await;
    let y = &got.json()["outputs"][0];
    assert_eq!(
        (&y["datatype"], &y["shape"], &y["data"]),
        (&json!("BYTES"), &json!([1, 2]), &json!(["0.700000:1", "0.200000:2"]))
    );
    // What the server is asked for is the whole output.
    let got = ask("packed", "n", json!(1)).await;
    assert_eq!(got.json()["outputs"][0]["data"], json!(["0:0", "0:0", "0:0"]), "{got:?}");
    let sent = kit.seen_by_primary().await.pop().and_then(|it| it.body).expect("an inference");
    assert!(!String::from_utf8_lossy(&sent).contains("classification"));
    let none = ask("classes", "y", json!(0)).await;
    assert_eq!(none.json()["outputs"][0]["datatype"], "FP32", "none is no wish");
    for (name, classes, words) in [
        ("word", json!(1), "no numbers"),
        ("y", json!(-1), "number of classes"),
        ("y", json!("a"), "number of classes"),
    ] {
        let refused = ask("classes", name, classes).await;
        assert!(refused.status == 400 && refused.json()["error"].to_string().contains(words), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_06_a_body_that_is_a_tensor_alone_is_one_row() {
    let kit = kit().await;
    let row: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|it| it.to_le_bytes()).collect();
    let got = kit.pack("raw", (row.clone(), "0".into())).await;
    let (json, tail) = got.divided();
    assert_eq!((json["outputs"][0]["shape"].clone(), &tail[..8]), (json!([1]), &0.25_f64.to_le_bytes()[..]), "{json}");
    // What is learned will do, too.
    until_known(&kit, "packed").await;
    let got = kit.pack("packed", (row.clone(), "0".into())).await;
    assert_eq!(got.divided().0["outputs"][0]["shape"], json!([1]));
    let refused = kit.pack("fixed", (row, "0".into())).await;
    assert!(refused.status == 400 && refused.json()["error"].as_str().is_some_and(|it| it.contains("declared input")));
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_02_a_compressed_body_is_read_and_its_lengths_are_those_of_what_is_in_it() {
    let kit = kit().await;
    let gzip = |data: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let deflate = |data: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let (body, length) = packed(&Value::Null, &Value::Null);
    let json = r#"{"model": "chat", "messages": [{"role": "user", "content": "hello"}]}"#;
    for (coding, small, chat, bomb) in [
        ("gzip", gzip(&body), gzip(json.as_bytes()), gzip(&vec![b' '; 17 << 20])),
        ("deflate", deflate(&body), deflate(json.as_bytes()), deflate(&vec![b' '; 17 << 20])),
    ] {
        for route in ["packed", "written"] {
            let path = format!("/v2/models/{route}/infer");
            let got = kit.post(&path, small.clone(), &[("content-encoding", coding), (JSON_LENGTH, &length)]).await;
            assert_eq!((got.status, &got.json()["outputs"][0]["data"]), (200, &json!([0.25, -1.0, 0.25])), "{coding}");
            // The length counts what was compressed, not what it was compressed to.
            let wrong = (body.len() + 1).to_string();
            let got = kit.post(&path, small.clone(), &[("content-encoding", coding), (JSON_LENGTH, &wrong)]).await;
            assert_eq!(got.status, 400, "{coding}: {got:?}");
            let got = kit.post(&path, bomb.clone(), &[("content-encoding", coding)]).await;
            assert_eq!(got.status, 413, "{coding}: {got:?}");
            let got = kit.post(&path, small[..small.len() - 1].to_vec(), &[("content-encoding", coding)]).await;
            assert_eq!(got.status, 400, "{coding}: {got:?}");
        }
        let got = kit.post("/v1/chat/completions", chat, &[("content-encoding", coding)]).await;
        assert_eq!(got.status, 200, "{coding}: {got:?}");
    }
    let got = kit.post("/v2/models/packed/infer", body, &[("content-encoding", "br")]).await;
    assert_eq!((got.status, got.header("accept-encoding")), (415, "gzip, deflate"));
    let seen = kit.seen_by_primary().await;
    assert!(seen.iter().all(|it| !it.header_names.iter().any(|name| name.eq_ignore_ascii_case("content-encoding"))));
}
