//! Contracts that no file declares: learned from what the server of tier 0 says of its model.

use std::{path::Path, sync::Arc};

use evenkeel_config::{Deployment, load_text};
use evenkeel_gateway::Gateway;
use evenkeel_mock::{OipModel, TensorSpec};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    client::{Got, Kit, get, post, until_told},
    dialects::Server,
    inference::{kit, rows},
};

const MODEL: &str = r#"{"name":"m","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1]},{"name":"why","datatype":"BYTES","shape":[-1]}]}"#;
const EMPTY: &str = r#"{"name":"m","inputs":[],"outputs":[]}"#;
const RIGHT: &str = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
const WRONG: &str = r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]}"#;

const DEFAULT: &str = "      - {name: d, fixed: {outputs: {y: 0.0}}}\n";

fn is_known(model: &Value) -> bool {
    model["inputs"] != json!([])
}

/// Waits until it is known what a route takes.
pub(crate) async fn until_known(kit: &Kit, route: &str) -> Value {
    until_told(async || kit.model(route).await, is_known).await
}

impl Kit {
    async fn model(&self, route: &str) -> Value {
        self.get(&format!("/v2/models/{route}")).await.json()
    }
}

/// A route without a declared input, over one model and what stands below it.
fn deployment(url: &str, model: &str, below: &str) -> Arc<Deployment> {
    let breaker = "{consecutive: 9999, low: [9999, 9999], fast: [9999, 1, 10s], slow: [9999, 1, 60s]}";
    let text = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\"}}\nupstreams: {{u: {{protocol: oip, url: \"{url}\", dialect: \
         plain, probe: off}}}}\nroutes:\n  r:\n    protocol: oip\n    tiers:\n      - {{name: p, oip: {{upstream: u, \
         model: {model}}}, retries: 0, breaker: {breaker}}}\n{below}"
    );
    load_text("contracts", &text, Path::new(".")).deployment.expect("it compiles")
}

async fn gateway(url: &str, below: &str) -> Gateway {
    Gateway::start(deployment(url, "m", below)).await.expect("it starts")
}

async fn model(gateway: &Gateway) -> Value {
    get(gateway.address(), "/v2/models/r").await.json()
}

async fn infer(gateway: &Gateway, body: &'static str) -> Got {
    post(gateway.address(), "/v2/models/r/infer", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tier_0_says_of_its_model_is_told_and_held_against_requests_before_any_server_sees_them() {
    let kit = kit().await;
    let told = until_known(&kit, "free").await;
    assert_eq!(told["inputs"], json!([{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]));
    let outputs = json!([{"name": "score", "datatype": "FP32", "shape": [-1]}, {"name": "label", "datatype": "INT64", "shape": [-1]}]);
    assert_eq!(told["outputs"], outputs);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = rows(&[[1.0, 2.0], [3.0, 4.0]]);
        change(&mut body);
        body
    };
    for (what, body, words) in [
        ("a name", with(&|it| it["inputs"][0]["name"] = "z".into()), "unknown input 'z'"),
        ("a datatype", with(&|it| it["inputs"][0]["datatype"] = "FP64".into()), "is FP64, expected FP32"),
        ("a shape", with(&|it| it["inputs"][0]["shape"] = json!([4, 1])), "has shape [4, 1], expected [-1, 2]"),
        ("a rank", with(&|it| it["inputs"][0]["shape"] = json!([1, 2, 2])), "expected [-1, 2]"),
        ("an output", with(&|it| it["outputs"] = json!([{"name": "nope"}])), "unknown output 'nope'"),
    ] {
        let got = kit.infer("free", &body).await;
        let error = got.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((got.status, error.contains(words)), (400, true), "{what}: {got:?}");
    }
    let wanted = with(&|it| it["outputs"] = json!([{"name": "label"}]));
    assert_eq!(kit.infer("free", &wanted).await.header("evenkeel-tier"), "0");
    let seen = kit.seen_by_primary().await;
    assert_eq!(seen.iter().filter(|it| it.method == "POST").count(), 1, "only what is right came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_tier_need_not_give_what_only_tier_0_has() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = Server::on(listener, "plain", &[]);
    *server.model.lock() = (200, MODEL.into());
    let gateway = gateway(&server.url, DEFAULT).await;
    let told = until_told(async || model(&gateway).await, is_known).await;
    assert_eq!(told["outputs"].as_array().map(Vec::len), Some(2));
    // Tier 0 itself does not keep its word either, and is believed by what it gives.
    let got = infer(&gateway, RIGHT).await;
    assert_eq!((got.status, got.header("evenkeel-tier"), got.scores()), (200, "0", vec![0.5]));
    server.stop().await;
    let got = infer(&gateway, RIGHT).await;
    assert_eq!((got.status, got.header("evenkeel-tier"), got.scores()), (200, "1", vec![0.0]));
    assert!(is_known(&model(&gateway).await), "KNOWN-1: who is gone takes nothing back");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_18_empty_metadata_upstream_are_survived() {
    for (status, said) in [(200, EMPTY), (200, "{}"), (200, "<html>"), (404, ""), (501, ""), (500, "")] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Server::on(listener, "plain", &[]);
        *server.model.lock() = (status, said.into());
        let gateway = gateway(&server.url, "").await;
        let asked = || server.asked.lock().iter().any(|(line, _)| line.starts_with("GET /v2/models/m "));
        until_told(async || json!(asked()), |asked| asked == &json!(true)).await;
        assert_eq!(
            infer(&gateway, WRONG).await.header("evenkeel-tier"),
            "0",
            "{status} {said}: the server's to refuse"
        );
        let broken = r#"{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2]}]}"#;
        assert_eq!(infer(&gateway, broken).await.status, 400, "{status} {said}: wrong in itself");
        assert_eq!(model(&gateway).await["inputs"], json!([]), "{status} {said}");
        assert_eq!(server.inferences().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_gone_is_asked_again_and_what_was_learned_stays_until_more_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let gateway = gateway(&format!("http://{address}"), "").await;
    assert_ne!(infer(&gateway, WRONG).await.status, 400, "MODEL-1: it is not down for its contract");
    let come_back = async |said: &str| {
        let server = Server::on(TcpListener::bind(address).await.expect("it is free"), "plain", &[]);
        *server.model.lock() = (200, said.into());
        server
    };
    let asked = async |server: &Server| {
        let looks = || server.asked.lock().iter().filter(|(line, _)| line.starts_with("GET /v2/models/m ")).count();
        let told = async || {
            infer(&gateway, RIGHT).await;
            json!(looks())
        };
        until_told(told, |looks| looks != &json!(0)).await;
        // Traffic is not low, so that a few failures do not open the breaker (F-063).
        for _ in 0..25 {
            infer(&gateway, RIGHT).await;
        }
    };
    let server = come_back(MODEL).await;
    asked(&server).await;
    until_told(async || model(&gateway).await, is_known).await;
    assert_eq!(infer(&gateway, WRONG).await.status, 400);
    server.stop().await;
    until_gone(&gateway).await;
    let server = come_back(EMPTY).await;
    asked(&server).await;
    assert_eq!(infer(&gateway, WRONG).await.status, 400, "KNOWN-1: nothing that was said takes back what was");
    server.stop().await;
    until_gone(&gateway).await;
    let server = come_back(&MODEL.replace("[-1,2]", "[-1,3]")).await;
    asked(&server).await;
    until_told(async || model(&gateway).await, |told| told["inputs"][0]["shape"] == json!([-1, 3])).await;
    assert_eq!(infer(&gateway, RIGHT).await.status, 400, "another model");
}

/// Asks until the server is noticed to be gone.
async fn until_gone(gateway: &Gateway) {
    until_told(async || json!(infer(gateway, RIGHT).await.status), |status| status == &json!(503)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_learned_stays_through_a_reload_that_leaves_its_path_alone() {
    let server = Server::on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), "plain", &[]);
    *server.model.lock() = (200, MODEL.into());
    let gateway = gateway(&server.url, "").await;
    until_told(async || model(&gateway).await, is_known).await;
    *server.model.lock() = (200, EMPTY.into());
    gateway.apply(deployment(&server.url, "m", DEFAULT)).expect("it is ready");
    assert!(is_known(&model(&gateway).await), "only a tier below is new");
    gateway.apply(deployment(&server.url, "other", DEFAULT)).expect("it is ready");
    assert!(!is_known(&model(&gateway).await), "of this model nothing was said");
}

/// A route that declares tensors of any shape, over a model that answers a word.
const LOOK: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {big: {protocol: oip, url: "BIG", dialect: plain}}
routes:
  look:
    protocol: oip
    input:
      features: {where: {type: category, categories: [in, out]}}
      tensors:
        image: {datatype: UINT8, shape: [-1, 2, -1], max: 250}
        tint: {datatype: FP32, shape: [2], required: false}
    output: {tensors: {label: {datatype: BYTES, categories: [cat, dog]}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: MODEL}, retries: 0}
      - {name: default, fixed: {outputs: {label: cat}}}
  sampled:
    protocol: oip
    input: {sample: request.json}
    tiers: [{name: default, fixed: {outputs: {label: cat}}}]
"#;

/// A request of two rows.
fn look() -> Value {
    json!({"inputs": [
        {"name": "image", "datatype": "UINT8", "shape": [2, 2, 1], "data": [1, 2, 3, 250]},
        {"name": "where", "datatype": "BYTES", "shape": [2], "data": ["in", "out"]},
    ]})
}

async fn looking(model: &str) -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("request.json"), look().to_string()).expect("written");
    let answers = |word: &str| {
        let inputs = [("image", "UINT8", vec![-1, 2, -1]), ("where", "BYTES", vec![-1])];
        let inputs = inputs.map(|(name, datatype, shape)| TensorSpec::new(name, datatype, shape));
        OipModel::declared(inputs.into(), TensorSpec::new("label", "BYTES", [-1]), vec![json!("dog"), json!(word)])
    };
    let models = [("known", answers("cat")), ("unknown", answers("cow"))].map(|(name, it)| (name.to_owned(), it));
    Kit::of(&LOOK.replace("MODEL", model), folder.path(), models.into()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_declares_of_tensors_is_told_and_held_against_requests_before_any_server_sees_them() {
    let kit = looking("known").await;
    let told = kit.model("look").await;
    let port = |name: &str, datatype: &str, shape: Value| json!({"name": name, "datatype": datatype, "shape": shape});
    let [image, place] = [port("image", "UINT8", json!([-1, 2, -1])), port("where", "BYTES", json!([-1]))];
    assert_eq!(told["inputs"], json!([place, image, port("tint", "FP32", json!([2]))]));
    let sampled = kit.model("sampled").await;
    assert_eq!(
        sampled["inputs"],
        json!([port("image", "UINT8", json!([-1, 2, 1])), port("where", "BYTES", json!([-1]))])
    );
    for (route, input, key, value, words) in [
        ("look", 0, "data", json!([1, 2, 3, 251]), "input 'image' row 1: 251 and must be at most 250"),
        ("look", 0, "shape", json!([2, 1, 2]), "expected [-1, 2, -1]"),
        ("look", 0, "shape", json!([4]), "expected [-1, 2, -1]"),
        ("look", 0, "datatype", json!("INT8"), "is INT8, expected UINT8"),
        ("look", 1, "data", json!(["in", "near"]), "input 'where' row 1: \"near\" is none of the categories"),
        ("look", 1, "name", json!("place"), "unknown input 'place'"),
        ("sampled", 0, "shape", json!([1, 2, 2]), "expected [-1, 2, 1]"),
        ("sampled", 0, "datatype", json!("INT8"), "is INT8, expected UINT8"),
    ] {
        let mut body = look();
        body["inputs"][input][key] = value;
        let got = kit.infer(route, &body).await;
        let error = got.json()["error"].as_str().unwrap_or_default().to_owned();
        assert_eq!((got.status, error.contains(words)), (400, true), "{words}: {got:?}");
    }
    let mut fewer = look();
    fewer["inputs"][1] = json!({"name": "where", "datatype": "BYTES", "shape": [1], "data": ["in"]});
    let got = kit.infer("look", &fewer).await;
    assert!(got.status == 400 && got.json()["error"].to_string().contains("has 1 rows"), "{got:?}");
    fewer["inputs"][1].take();
    assert_eq!(kit.infer("look", &fewer).await.status, 400, "an input that is needed is missing");
    let mut tinted = look();
    let tint = json!({"name": "tint", "datatype": "FP32", "shape": [3], "data": [0.5, 1, 0]});
    tinted["inputs"].as_array_mut().expect("a list").push(tint);
    assert_eq!(kit.infer("look", &tinted).await.status, 400, "what may be left out must fit where it is there");
    assert_eq!(kit.seen_by_primary().await.iter().filter(|it| it.method == "POST").count(), 0, "nothing of it came");

    let got = kit.infer("look", &look()).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "0"), "`tint` may be left out: {got:?}");
    assert_eq!(got.json()["outputs"][0]["data"], json!(["dog", "cat"]));
    assert_eq!(kit.infer("sampled", &look()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_the_contract_does_not_have_is_no_answer() {
    let kit = looking("unknown").await;
    let got = kit.infer("look", &look()).await;
    assert_eq!((got.status, got.header("evenkeel-tier")), (200, "1"), "{got:?}");
    assert_eq!(got.json()["outputs"][0]["data"], json!(["cat", "cat"]));
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "quality.contract_range");
}
