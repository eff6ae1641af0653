//! The Open Inference Protocol over REST: what goes on, what is refused and how, what can be looked at.

use std::collections::BTreeMap;

use evenkeel_mock::{OipModel, TensorSpec};
use serde_json::{Value, json};

use crate::client::{Got, Kit};

/// A route with all that it takes and gives declared, and one that declares nothing. The servers' dialect is declared, so
/// that the first inference finds a new connection, not the one on which they were asked what they are.
const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", max_body: 1MiB}
upstreams:
  big: {protocol: oip, url: "BIG", dialect: plain}
  small: {protocol: oip, url: "SMALL", dialect: plain}
routes:
  price:
    protocol: oip
    deadline: 2s
    max_batch: 4
    input:
      tensor: x
      columns: [income, rooms]
      features: {rooms: {type: int, min: 0, max: 40}}
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: primary, oip: {upstream: big, model: price model}, total: 500ms}
      - {name: rules, rules: {file: price.rules}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
  free:
    protocol: oip
    deadline: 2s
    tiers:
      - {name: primary, oip: {upstream: big, model: free, version: "1"}, total: 500ms}
      - {name: second, oip: {upstream: small, model: free}, total: 500ms}
  chat:
    protocol: openai-chat
    tiers: [{name: default, fixed: {content: "Later."}}]
"#;

const RULES: &str = r#"
inputs: {income: float, rooms: int}
rules:
  - {id: rich, when: "income >= 5.0", answer: {score: 0.9}}
  - {id: many-rooms, when: "rooms > 7", answer: {score: 0.7}}
otherwise: {score: 0.1}
"#;

/// Starts it; the models answer 0.25 for each row, and a label that nobody wants.
pub(crate) async fn kit() -> Kit {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("price.rules"), RULES).expect("written");
    let model = || {
        let input = TensorSpec::new("x", "FP32", [-1, 2]);
        let score = TensorSpec::new("score", "FP32", [-1]);
        let mut model = OipModel::declared(vec![input], score, vec![json!(0.25)]);
        model.outputs.push(TensorSpec::new("label", "INT64", [-1]));
        model
    };
    let models = [("price model", model()), ("free", model())].map(|(name, it)| (name.to_owned(), it));
    Kit::of(CONFIG, folder.path(), BTreeMap::from(models)).await
}

/// A request of rows.
pub(crate) fn rows(rows: &[[f64; 2]]) -> Value {
    json!({"inputs": [{"name": "x", "datatype": "FP32", "shape": [rows.len(), 2], "data": rows}]})
}

impl Kit {
    pub(crate) async fn infer(&self, route: &str, body: &Value) -> Got {
        self.post(&format!("/v2/models/{route}/infer"), body.to_string(), &[]).await
    }
}

impl Got {
    /// The values of the first output.
    pub(crate) fn scores(&self) -> Vec<f64> {
        let data = self.json()["outputs"][0]["data"].as_array().cloned().unwrap_or_default();
        data.iter().filter_map(Value::as_f64).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_12_oip_16_the_route_answers_under_its_own_name_and_headers_parameters_and_record_agree() {
    let kit = kit().await;
    let mut body = rows(&[[1.0, 2.0], [6.0, 3.0]]);
    body["id"] = "mine-7".into();
    body["parameters"] = json!({"priority": 3, "evenkeel.tier": 9});
    let got = kit.infer("price", &body).await;
    assert_eq!((got.status, got.scores()), (200, vec![0.25, 0.25]), "{got:?}");
    assert_eq!(got.header("content-type"), "application/json", "OIP-24");
    let (answer, record) = (got.json(), kit.record(&got).await);
    assert_eq!(
        (&answer["model_name"], &answer["model_version"], &answer["id"]),
        (&"price".into(), &"1".into(), &"mine-7".into())
    );
    let told = &answer["parameters"];
    for name in ["decision", "route", "method", "path", "reason", "revision"] {
        assert_eq!(told[format!("evenkeel.{name}")], got.header(&format!("evenkeel-{name}")), "{name}: {answer}");
    }
    assert_eq!((&told["evenkeel.tier"], &told["evenkeel.degraded"]), (&0.into(), &false.into()));
    assert_eq!((&record["protocol"], &record["outcome"]["tier"]), (&"oip".into(), &0.into()), "{record}");
    let seen = kit.seen_by_primary().await;
    let sent: Vec<_> = seen.iter().filter(|it| it.model == "price model").collect();
    let sent: Value = serde_json::from_slice(sent[0].body.as_deref().expect("a body")).expect("JSON");
    assert_eq!(sent["inputs"][0]["data"], json!([1.0, 2.0, 6.0, 3.0]), "written flat: {sent}");
    assert_eq!((&sent["id"], &sent["parameters"]), (&"mine-7".into(), &json!({"priority": 3})), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_in_the_protocols_own_shape_and_reaches_no_upstream() {
    let kit = kit().await;
    let price = "/v2/models/price/infer";
    let x = |shape: &str, datatype: &str, data: &str| {
        format!(r#"{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}"#).into_bytes()
    };
    let with = |members: &str| {
        let x = r#"{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}"#;
        format!(r#"{{"inputs":[{x}],{members}}}"#).into_bytes()
    };
    let table: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        (price, b"{".to_vec(), 400, "not valid JSON"),
        (price, b"{\"id\":\"\xff\"}".to_vec(), 400, "not valid JSON"),
        (price, b"{}".to_vec(), 400, "'inputs' is missing"),
        (price, with("\"id\":7"), 400, "'id' must be a string"),
        (price, with("\"outputs\":[{\"name\":\"nope\"}]"), 400, "'nope'"),
        (price, with("\"parameters\":{\"a\":[1]}"), 400, "'a'"),
        (price, x("[1,2]", "FP32", "[1]"), 400, "input 'x'"),
        (price, x("[1,2]", "FP32", "[1,2,3]"), 400, "input 'x'"),
        (price, x("[1,2]", "FP32", "[[1],[2]]"), 400, "input 'x'"),
        (price, x("[1,2]", "FP32", "[1,\"2\"]"), 400, "input 'x'"),
        (price, x("[1,2]", "FP32", "[null,2]"), 400, "input 'x'"),
        (price, x("[1,2]", "FP64", "[1,2]"), 400, "input 'x' is FP64, expected FP32"),
        (price, x("[1,2]", "COMPLEX", "[1,2]"), 400, "input 'x'"),
        (price, x("[1,3]", "FP32", "[1,2,3]"), 400, "input 'x' has shape [1, 3], expected [-1, 2]"),
        (price, x("[-1,2]", "FP32", "[1,2]"), 400, "shape"),
        (price, x("[4611686018427387904,2]", "FP32", "[1,2]"), 400, "input 'x'"),
        (price, x("[5,2]", "FP32", "[1,2,1,2,1,2,1,2,1,2]"), 400, "5 rows, the limit is 4 (max_batch)"),
        (price, x("[1,2]", "FP32", "[1,41]"), 400, "input 'x' row 0: 'rooms' is 41 and must be at most 40"),
        (price, x("[1,2]", "FP32", "[1,NaN]"), 400, "'rooms' is NaN"),
        (price, x("[1,2]", "FP32", "[1,1.5]"), 400, "'rooms' is 1.5 and must be a whole number"),
        (price, vec![b' '; 2 << 20], 413, "server.max_body"),
        ("/v2/models/nope/infer", rows(&[[1.0, 2.0]]).to_string().into_bytes(), 404, "GET /v2/models"),
        ("/v2/models/chat/infer", rows(&[[1.0, 2.0]]).to_string().into_bytes(), 404, "does not answer"),
        ("/v2/models/price/versions/7/infer", rows(&[[1.0, 2.0]]).to_string().into_bytes(), 404, "version 1"),
        ("/v2/models/price/generate", b"{}".to_vec(), 501, "not offered"),
        ("/v2/systemsharedmemory/region/a/register", b"{}".to_vec(), 501, "not offered"),
        ("/v2/repository/index", b"{}".to_vec(), 404, "nothing at this address"),
        ("/v2/models", b"{}".to_vec(), 405, "another verb"),
    ];
    for (path, body, status, words) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(90)]).into_owned();
        let got = kit.post(path, body, &[]).await;
        let answer = got.json();
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(got.status == status && error.contains(words), "{path} {shown}: {got:?}");
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1), "OIP-22: {answer}");
    }
    for length in ["-1", "10", "1000000", "18446744073709551616"] {
        let binary = [("Inference-Header-Content-Length", length)];
        let got = kit.post(price, rows(&[[1.0, 2.0]]).to_string(), &binary).await;
        assert!(got.status == 400 && got.json()["error"].is_string(), "OIP-03 {length}: {got:?}");
    }
    let asked: Vec<_> = kit.seen_by_primary().await.into_iter().filter(|it| it.method == "POST").collect();
    assert!(asked.is_empty(), "no upstream call: {asked:?}");
    let state = kit.gateway.route_state("price").expect("a route");
    assert!(state.tiers.iter().all(|tier| tier.breaker == "closed"), "no evidence");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_21_oip_24_oip_32_clients_can_look_around() {
    let kit = kit().await;
    let table = [
        (
            "/v2",
            json!({"name": "evenkeel", "version": env!("CARGO_PKG_VERSION"), "extensions": ["binary_tensor_data", "parameters"]}),
        ),
        ("/v2/health/live", json!({"live": true})),
        ("/v2/health/ready/", json!({"ready": true})),
        ("/v2/models", json!({"models": ["free", "price"]})),
        ("/v2/models/price/ready", json!({"name": "price", "ready": true})),
        ("/v2/models/price/versions/1/ready/", json!({"name": "price", "ready": true})),
        (
            "/v2/models/price",
            json!({
                "name": "price", "versions": ["1"], "platform": "evenkeel",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
                "outputs": [{"name": "score", "datatype": "FP32", "shape": [-1]}],
            }),
        ),
    ];
    for (path, expected) in table {
        let got = kit.get(path).await;
        assert_eq!((got.status, got.json()), (200, expected), "{path}");
        let head = kit.look("HEAD", path).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "OIP-21 {path}");
    }
    for path in ["/v2/models/nope", "/v2/models/price/versions/2", "/v2/models/chat/ready", "/v2/models/price/config"] {
        let got = kit.get(path).await;
        assert!(got.status == 404 && got.json()["error"].is_string(), "{path}: {got:?}");
    }
    let slash = kit.post("/v2/models/price/infer/", rows(&[[1.0, 2.0]]).to_string(), &[("content-type", "text/plain")]);
    assert_eq!(slash.await.status, 200, "any content type");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_ready_while_some_tier_of_it_may_answer() {
    let kit = kit().await;
    kit.big.kill().await;
    kit.small.kill().await;
    for _ in 0..8 {
        let got = kit.infer("free", &rows(&[[1.0, 2.0]])).await;
        assert!(matches!(got.status, 503 | 504) && got.json()["error"].is_string(), "{got:?}");
        assert!(got.header("evenkeel-decision").len() == 26 && got.header("x-should-retry") == "false", "{got:?}");
    }
    assert_eq!(kit.get("/v2/models/free/ready").await.status, 503, "both breakers are open");
    assert_eq!(kit.get("/v2/health/ready").await.status, 200, "which says nothing of the gateway");
    assert_eq!(kit.get("/v2/models/price/ready").await.status, 200);
    let got = kit.infer("price", &rows(&[[6.0, 1.0], [1.0, 8.0], [1.0, 1.0]])).await;
    assert_eq!((got.header("evenkeel-tier"), got.scores()), ("1", vec![0.9, 0.7, 0.1]), "the rules, row by row");
    assert_eq!(got.header("evenkeel-method"), "rules");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_17_a_route_has_the_versions_that_it_declares_and_else_version_1() {
    let config = "version: 1\nserver: {listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\"}\nroutes:\n  plain:\n    protocol: oip\n    \
                  tiers: [{name: d, fixed: {outputs: {y: 0.5}}}]\n  many:\n    protocol: oip\n    versions: [\"7\", \"12\"]\n    \
                  tiers: [{name: d, fixed: {outputs: {y: 0.5}}}]\n";
    let kit = Kit::of(config, std::path::Path::new("."), BTreeMap::new()).await;
    for (route, versions) in [("plain", &["1"][..]), ("many", &["7", "12"])] {
        let told = json!(versions);
        assert_eq!(kit.get(&format!("/v2/models/{route}")).await.json()["versions"], told);
        let got = kit.infer(route, &rows(&[[1.0, 2.0]])).await;
        assert_eq!(
            (got.status, &got.json()["model_version"]),
            (200, &versions[0].into()),
            "{route}: none is the first"
        );
        for version in versions {
            let at = format!("/v2/models/{route}/versions/{version}");
            assert_eq!(kit.get(&at).await.json()["versions"], told, "{at}");
            assert_eq!(kit.get(&format!("{at}/ready")).await.status, 200, "{at}");
            let got = kit.post(&format!("{at}/infer"), rows(&[[1.0, 2.0]]).to_string(), &[]).await;
            assert_eq!((got.status, &got.json()["model_version"]), (200, &(*version).into()), "{at}");
        }
    }
    for at in ["plain/versions/7", "plain/versions/01", "many/versions/1", "many/versions/8"] {
        let got = kit.get(&format!("/v2/models/{at}")).await;
        assert_eq!(got.status, 404, "{at}: {got:?}");
        let got = kit.post(&format!("/v2/models/{at}/infer"), rows(&[[1.0, 2.0]]).to_string(), &[]).await;
        let has = if at.starts_with("plain") { "version 1 only" } else { "version 7, 12 only" };
        let error = got.json()["error"].to_string();
        assert!(got.status == 404 && error.contains(has), "{at}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tn_06_se_09_a_few_bytes_a_row_do_not_become_gigabytes() {
    let long = "x".repeat(10_000);
    let config = format!(
        "version: 1\nserver: {{listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", max_body: 1MiB}}\nroutes:\n  text:\n    \
         protocol: oip\n    tiers: [{{name: d, fixed: {{outputs: {{y: {long}}}}}}}]\n  score:\n    protocol: oip\n    \
         input: {{features: {{a: {{type: int}}}}}}\n    tiers: [{{name: d, fixed: {{outputs: {{y: 0.5}}}}}}]\n"
    );
    let kit = Kit::of(&config, std::path::Path::new("."), BTreeMap::new()).await;
    // 100,000 rows of one digit would be 1 GB of text.
    for (route, rows, fits) in
        [("text", 100_000, false), ("text", 100, true), ("score", 65_537, false), ("score", 65_536, true)]
    {
        let body = json!({"inputs": [{"name": "a", "datatype": "INT8", "shape": [rows], "data": vec![1; rows]}]});
        let got = kit.infer(route, &body).await;
        assert_eq!(got.status, if fits { 200 } else { 400 }, "{route} {rows}: {got:?}");
        let said = if fits { got.json()["outputs"][0]["shape"].to_string() } else { got.json()["error"].to_string() };
        assert!(said.contains(if fits { "[" } else { "max_batch" }), "{route} {rows}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_08_non_finite_inputs_go_where_they_are_understood_and_nowhere_else() {
    let kit = kit().await;
    let body = r#"{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1.5,1,-Infinity,2]}]}"#;
    let got = kit.post("/v2/models/price/infer", body, &[]).await;
    let words = json!({"error": "input 'x' row 1: 'income' is -inf and must be a finite number"});
    assert_eq!((got.status, got.json()), (400, words), "TN-03: a declared number is one");
    // Where nothing is declared, it goes to whoever reads it. The mocks are plain servers: they would refuse the tokens, so
    // they are not asked.
    let got = kit.post("/v2/models/free/infer", body, &[]).await;
    assert_eq!(kit.record(&got).await["attempts"][0]["result"], "capability.unsupported_feature", "{got:?}");
    assert!(kit.big.log().iter().chain(&kit.small.log()).all(|it| it.method == "GET"));
}
