//! gRPC on both sides: clients that call, and servers that are called, which here are other gateways.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use evenkeel_config::load_text;
use evenkeel_gateway::Gateway;
use evenkeel_mock::{OipAnswer, OipModel, TensorSpec};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use serde_json::json;

use self::oracle::{
    InferTensor, InferTensorContents, ModelInferRequest, ModelInferResponse, ModelStreamInferResponse, RequestedOutput,
    Scalar,
};
use crate::client::{Kit, until, until_told};

#[path = "../../src/protocol/oip_grpc/oracle.rs"]
mod oracle;
mod sequences;

/// What stands before the models.
const BEHIND: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {big: {protocol: oip, url: "BIG", dialect: plain}}
routes:
  m:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    tiers: [{name: primary, oip: {upstream: big, model: m}, total: 1s, retries: 0}]
  n: {protocol: oip, tiers: [{name: primary, oip: {upstream: big, model: n}, total: 1s, retries: 0}]}
  declared: {protocol: oip, output: {tensors: {y: {datatype: FP32}}}, tiers: [{name: default, fixed: {outputs: {y: 0.5}}}]}
  sum: {protocol: oip, tiers: [{name: primary, oip: {upstream: big, model: sum}, total: 1s}]}
  echo: {protocol: oip, tiers: [{name: default, fixed: {outputs: {y: 0.5}}}]}
"#;

/// What stands before that: one route that calls it over REST, one that does over gRPC, and one that knows a name it does not.
const BEFORE: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams:
  rest: {protocol: oip, url: "BEHIND", dialect: triton}
  grpc: {protocol: oip-grpc, url: "BEHIND"}
routes:
  rest: {protocol: oip, tiers: [{name: primary, oip: {upstream: rest, model: m}, retries: 0}]}
  grpc: {protocol: oip, tiers: [{name: primary, oip: {upstream: grpc, model: m}, retries: 0}]}
  sum: {protocol: oip, tiers: [{name: primary, oip: {upstream: grpc, model: sum}}]}
  sum-rest: {protocol: oip, tiers: [{name: primary, oip: {upstream: rest, model: sum}}]}
  echo: {protocol: oip, tiers: [{name: primary, oip: {upstream: grpc, model: echo}, retries: 0}]}
  seven: {protocol: oip, versions: ["7", "12"], tiers: [{name: primary, oip: {upstream: grpc, model: echo}, retries: 0}]}
  missing:
    protocol: oip
    tiers:
      - {name: primary, oip: {upstream: grpc, model: nope}, retries: 0}
      - {name: default, fixed: {outputs: {y: 0.5}}}
  gone:
    protocol: oip
    tiers:
      - {name: primary, oip: {upstream: grpc, model: echo}, retries: 0, total: 300ms}
      - {name: default, fixed: {outputs: {y: 0.5}}}
  mapped:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    output: {tensors: {score: {datatype: FP32}, word: {datatype: BYTES}}}
    tiers:
      - name: primary
        oip: {upstream: grpc, model: n}
        map: {score: {from: proba, column: 1, datatype: FP32}, word: {from: class, labels: [no, yes]}}
  missed:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    output: {tensors: {score: {datatype: FP32}, word: {datatype: BYTES}}}
    tiers:
      - {name: primary, oip: {upstream: grpc, model: n}, map: {score: {from: proba, column: 1, datatype: FP32}, word: {from: class, labels: [no]}}}
      - {name: second, oip: {upstream: rest, model: m}, map: {score: {from: y, datatype: FP32}, word: {default: unsure}}}
  wrong:
    protocol: oip
    output: {tensors: {y: {datatype: FP32}}}
    tiers:
      - {name: primary, oip: {upstream: grpc, model: declared}, map: {y: {from: z}}}
      - {name: default, fixed: {outputs: {y: 0.5}}}
  saved:
    protocol: oip
    tiers:
      - {name: primary, oip: {upstream: grpc, model: m}, retries: 0, total: 300ms}
      - {name: default, fixed: {outputs: {y: 0.5}}}
"#;

/// A gateway, one behind it, and the model behind that.
struct Row {
    before: Gateway,
    behind: Kit,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// How a call ended, and with what.
#[derive(Debug)]
struct Said {
    code: u32,
    text: String,
    headers: HeaderMap,
    messages: Vec<Bytes>,
}

impl Row {
    async fn start() -> Self {
        let input = TensorSpec::new("x", "FP32", [-1, 2]);
        let model = OipModel::declared(vec![input], TensorSpec::new("y", "FP64", [-1]), vec![json!(0.25), json!(-1)]);
        let specs = [("proba", "FP64", vec![-1, 2]), ("class", "INT8", vec![-1, 1])];
        let values = [("proba", vec![json!(0.25), json!(0.75)]), ("class", vec![json!(0), json!(1)])];
        let other = OipModel {
            inputs: model.inputs.clone(),
            outputs: specs.map(|(name, datatype, shape)| TensorSpec::new(name, datatype, shape)).into(),
            answer: OipAnswer::Declared(values.map(|(name, values)| (name.to_owned(), values)).into()),
        };
        let sum = OipModel::summed(vec![TensorSpec::new("x", "FP32", [1])], TensorSpec::new("y", "FP32", [1]));
        let models = [("m", model), ("n", other), ("sum", sum)].map(|(name, it)| (name.to_owned(), it));
        let behind = Kit::of(BEHIND, Path::new("."), BTreeMap::from(models)).await;
        let text = BEFORE.replace("BEHIND", &format!("http://{}", behind.gateway.address()));
        let deployment = load_text("before", &text, Path::new(".")).deployment.expect("it compiles");
        let before = Gateway::start(deployment).await.expect("it starts");
        Self { before, behind, http: client() }
    }

    async fn call(&self, method: &str, message: &impl Message, headers: &[(&str, &str)]) -> Said {
        let path =
            if method.contains('/') { method.into() } else { format!("inference.GRPCInferenceService/{method}") };
        let mut request = Request::post(format!("http://{}/{path}", self.before.address()));
        request = request.header(header::CONTENT_TYPE, "application/grpc").header(header::TE, "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(framed(message))).expect("a request");
        let answered = tokio::time::timeout(Duration::from_secs(20), self.http.request(request)).await;
        said(answered.expect("an answer in 20 s").expect("an answer")).await
    }

    async fn infer(&self, request: &ModelInferRequest) -> Result<(ModelInferResponse, Said), Said> {
        let said = self.call("ModelInfer", request, &[]).await;
        match said.code {
            0 => Ok((ModelInferResponse::decode(said.messages[0].clone()).expect("an answer"), said)),
            _ => Err(said),
        }
    }
}

fn client<B>() -> Client<HttpConnector, B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn framed(message: &impl Message) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(0);
    out.put_u32(message.encoded_len() as u32);
    message.encode(&mut out).expect("memory");
    out.freeze()
}

/// Reads an answer to its end.
async fn said(response: http::Response<Incoming>) -> Said {
    assert_eq!(
        (response.status().as_u16(), response.headers()[header::CONTENT_TYPE].as_bytes()),
        (200, &b"application/grpc"[..])
    );
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.expect("to its end");
    let end = body.trailers().cloned().unwrap_or_else(|| headers.clone());
    let mut bytes = body.to_bytes();
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let prefix = bytes.split_to(5);
        messages.push(bytes.split_to(u32::from_be_bytes(prefix[1..].try_into().expect("four")) as usize));
    }
    let text = |name| end.get(name).map(|it| it.to_str().expect("text").to_owned()).unwrap_or_default();
    Said { code: text("grpc-status").parse().expect("a code"), text: text("grpc-message"), headers, messages }
}

/// A request of two rows, raw or typed.
fn rows(model: &str, raw: bool) -> ModelInferRequest {
    let values = vec![1.0_f32, 2.0, f32::MIN_POSITIVE, -4.0];
    let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
    let contents = InferTensorContents { fp32_contents: values, ..InferTensorContents::default() };
    let input = InferTensor {
        name: "x".into(),
        datatype: "FP32".into(),
        shape: vec![2, 2],
        parameters: [].into(),
        contents: Some(contents).filter(|_| !raw),
    };
    ModelInferRequest {
        model_name: model.into(),
        id: "mine".into(),
        inputs: vec![input],
        raw_input_contents: raw.then(|| bytes.into()).into_iter().collect(),
        ..ModelInferRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_12_oip_16_oip_28_a_call_is_answered_in_its_own_form_over_either_kind_of_upstream() {
    let row = Row::start().await;
    for route in ["rest", "grpc"] {
        for raw in [true, false] {
            let (answer, said) = row.infer(&rows(route, raw)).await.expect(route);
            let output = &answer.outputs[0];
            assert_eq!((output.name.as_str(), output.datatype.as_str(), &output.shape[..]), ("y", "FP64", &[2][..]));
            let values: Vec<f64> = match &answer.raw_output_contents[..] {
                [] => output.contents.clone().expect("typed").fp64_contents,
                [bytes] => bytes.chunks(8).map(|it| f64::from_le_bytes(it.try_into().expect("eight"))).collect(),
                _ => panic!("{answer:?}"),
            };
            assert_eq!((values, answer.raw_output_contents.is_empty()), (vec![0.25, -1.0], !raw), "{route}");
            assert_eq!(
                (answer.model_name.as_str(), answer.model_version.as_str(), answer.id.as_str()),
                (route, "1", "mine")
            );
            assert_eq!(said.headers["evenkeel-tier"], "0", "in the initial metadata");
            let told = |name: &str| answer.parameters[name].scalar.clone();
            assert_eq!(told("evenkeel.degraded"), Some(Scalar::Bool(false)));
            let decision = said.headers["evenkeel-decision"].to_str().expect("text");
            assert_eq!(told("evenkeel.decision"), Some(Scalar::String(decision.into())));
        }
    }
    let record = row.behind.seen_by_primary().await;
    assert_eq!(record.iter().filter(|it| it.method == "POST").count(), 4);
}

/// The outputs of an answer, each with its bytes, however it came.
fn outputs(answer: &ModelInferResponse) -> Vec<(String, String, Vec<i64>, Vec<u8>)> {
    let output = |(at, it): (usize, &InferTensor)| {
        let typed = it.contents.clone().unwrap_or_default();
        let counted = |it: &Bytes| [&[it.len() as u8, 0, 0, 0], &it[..]].concat();
        let bytes = match answer.raw_output_contents.get(at) {
            Some(bytes) => bytes.to_vec(),
            None if it.datatype == "FP32" => typed.fp32_contents.iter().flat_map(|it| it.to_le_bytes()).collect(),
            None => typed.bytes_contents.iter().flat_map(counted).collect(),
        };
        (it.name.clone(), it.datatype.clone(), it.shape.clone(), bytes)
    };
    answer.outputs.iter().enumerate().map(output).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_one_contract_over_either_kind_of_upstream_however_that_names_its_outputs() {
    let row = Row::start().await;
    let infer = async |route: &str, raw: bool, wanted: &[&str]| {
        let named = |name: &&str| RequestedOutput { name: (*name).into(), ..RequestedOutput::default() };
        let request = ModelInferRequest { outputs: wanted.iter().map(named).collect(), ..rows(route, raw) };
        let (answer, said) = row.infer(&request).await.expect("an answer");
        (said.headers["evenkeel-tier"].to_str().expect("text").to_owned(), outputs(&answer))
    };
    let score = |values: [f32; 2]| ("score".into(), "FP32".into(), vec![2], values.map(f32::to_le_bytes).concat());
    let word = |bytes: &[u8]| ("word".into(), "BYTES".into(), vec![2], bytes.to_vec());
    for raw in [true, false] {
        let expected = vec![score([0.75; 2]), word(b"\x02\0\0\0no\x03\0\0\0yes")];
        assert_eq!(infer("mapped", raw, &[]).await, ("0".into(), expected), "raw: {raw}");
        let below = vec![score([0.25, -1.0]), word(&b"\x06\0\0\0unsure".repeat(2))];
        assert_eq!(infer("missed", raw, &[]).await, ("1".into(), below), "raw: {raw}");
    }
    assert_eq!(infer("mapped", true, &["score"]).await, ("0".into(), vec![score([0.75; 2])]));
    let seen = row.behind.seen_by_primary().await;
    let last = seen.last().and_then(|it| it.body.as_deref()).expect("a body");
    let last: serde_json::Value = serde_json::from_slice(last).expect("JSON");
    assert_eq!(last["outputs"], json!([{"name": "proba"}]), "asked by its own name");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_17_oip_39_what_the_client_got_wrong_has_its_code_and_leaves_breakers_closed() {
    let row = Row::start().await;
    let wrong = |change: &dyn Fn(&mut ModelInferRequest)| {
        let mut request = rows("grpc", true);
        change(&mut request);
        request
    };
    for (what, request, code, words) in [
        ("a route", wrong(&|it| it.model_name = "nope".into()), 5, "there is no route of this name"),
        ("a version", wrong(&|it| it.model_version = "7".into()), 5, "version 1 only"),
        ("bytes", wrong(&|it| it.inputs[0].shape = vec![3, 2]), 3, "input 'x': the shape [3, 2] wants 6 elements"),
        ("no input", wrong(&|it| it.inputs.clear()), 3, "raw_input_contents for 0 inputs"),
        // Only the one behind knows what its model takes: what it says of the client is told on.
        ("a name", wrong(&|it| it.inputs[0].name = "z".into()), 3, "unknown input 'z'"),
        ("a datatype", wrong(&|it| it.inputs[0].datatype = "INT32".into()), 3, "is INT32, expected FP32"),
    ] {
        let said = row.infer(&request).await.expect_err(what);
        assert_eq!((said.code, said.text.contains(words)), (code, true), "{what}: {said:?}");
        assert!(said.messages.is_empty(), "{what}");
    }
    for (method, code) in [("ModelUnload", 12), ("some.Service/Method", 12), ("grpc.health.v1.Health/List", 12)] {
        assert_eq!(row.call(method, &rows("grpc", true), &[]).await.code, code, "{method}");
    }
    let said = row.call("ModelInfer", &rows("grpc", true), &[("grpc-encoding", "snappy")]).await;
    assert_eq!(
        (said.code, &said.headers["grpc-accept-encoding"]),
        (12, &"identity, gzip, deflate".parse().expect("text"))
    );
    let state = row.before.route_state("grpc").expect("a route");
    assert!(state.tiers.iter().all(|tier| tier.breaker == "closed"), "no evidence: {state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_17_a_route_has_the_versions_that_it_declares() {
    let row = Row::start().await;
    for (asked, has) in [("", Some("7")), ("7", Some("7")), ("12", Some("12")), ("1", None), ("07", None)] {
        let request = ModelInferRequest { model_version: asked.into(), ..rows("seven", true) };
        let infer = row.infer(&request).await;
        match has {
            Some(version) => assert_eq!(infer.expect(version).0.model_version, version, "asked for {asked:?}"),
            None => assert_eq!(infer.expect_err(asked).code, 5, "{asked}"),
        }
        let asked = Name { version: asked.into(), ..name("seven") };
        let ready = row.call("ModelReady", &asked, &[]).await;
        let told = row.call("ModelMetadata", &asked, &[]).await;
        let code = if has.is_some() { 0 } else { 5 };
        assert_eq!((ready.code, told.code), (code, code), "{asked:?}");
        if let Some(told) = told.messages.first() {
            assert_eq!(Metadata::decode(told.clone()).expect("what it takes").versions, ["7", "12"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_31_requests_of_a_stream_are_answered_in_order_and_one_that_is_wrong_does_not_end_it() {
    let row = Row::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let mut body = begin(&row.before, "inference.GRPCInferenceService/ModelStreamInfer", Sending(receiver)).await;
    // Each waits for the answer before, so that it is answered while the stream is open.
    for (id, model, fine) in [("one", "grpc", true), ("two", "nope", false), ("three", "rest", true)] {
        let asked = ModelInferRequest { id: id.into(), ..rows(model, true) };
        sender.send(framed(&asked)).await.expect("it reads");
        let answer: ModelStreamInferResponse = next(&mut body).await.expect("a message");
        assert_eq!(answer.error_message.is_empty(), fine, "{answer:?}");
        let response = answer.infer_response.expect("whose it is");
        assert_eq!((response.id.as_str(), response.outputs.len()), (id, usize::from(fine)));
    }
    drop(sender);
    assert_eq!(next::<ModelStreamInferResponse>(&mut body).await.expect_err("the end")["grpc-status"], "0");
}

/// A body that goes on for as long as its channel does.
struct Sending(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Begins a stream.
async fn begin(to: &Gateway, method: &str, body: Sending) -> Incoming {
    begin_within(to, method, body, "60S").await
}

async fn begin_within(to: &Gateway, method: &str, body: Sending, timeout: &str) -> Incoming {
    let request = Request::post(format!("http://{}/{method}", to.address())).header("grpc-timeout", timeout);
    let request = request.header(header::CONTENT_TYPE, "application/grpc").body(body).expect("a request");
    client().request(request).await.expect("headers at once").into_body()
}

/// Reads the next message of a stream, or its end.
async fn next<M: Message + Default>(body: &mut Incoming) -> Result<M, HeaderMap> {
    let mut whole = BytesMut::new();
    while whole.len() < 5 || whole.len() < 5 + u32::from_be_bytes(whole[1..5].try_into().expect("four")) as usize {
        match body.frame().await.expect("more").expect("whole").into_data() {
            Ok(data) => whole.extend_from_slice(&data),
            Err(frame) => return Err(frame.into_trailers().expect("an end")),
        }
    }
    Ok(M::decode(&whole[5..]).expect("a message"))
}

#[derive(Clone, PartialEq, Message)]
struct Yes {
    #[prost(bool, tag = "1")]
    yes: bool,
}

/// A name and a version; also what `ServerMetadata` says first.
#[derive(Clone, PartialEq, Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(string, repeated, tag = "3")]
    extensions: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "2")]
    versions: Vec<String>,
    #[prost(string, tag = "3")]
    platform: String,
    #[prost(message, repeated, tag = "4")]
    inputs: Vec<InferTensor>,
    #[prost(message, repeated, tag = "5")]
    outputs: Vec<InferTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Health {
    #[prost(int32, tag = "1")]
    status: i32,
}

fn name(name: &str) -> Name {
    Name { name: name.into(), ..Name::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_32_clients_can_look_around_and_ask_after_its_health() {
    let row = Row::start().await;
    let yes = async |method: &str, of: &str| {
        let said = row.call(method, &name(of), &[]).await;
        (said.code, said.messages.first().map(|it| Yes::decode(it.clone()).expect("yes or no").yes))
    };
    assert_eq!((yes("ServerLive", "").await, yes("ServerReady", "").await), ((0, Some(true)), (0, Some(true))));
    assert_eq!((yes("ModelReady", "grpc").await, yes("ModelReady", "nope").await), ((0, Some(true)), (5, None)));
    let server = row.call("ServerMetadata", &name(""), &[]).await;
    let server = Name::decode(server.messages[0].clone()).expect("what it is");
    assert_eq!((server.name.as_str(), server.extensions.contains(&"binary_tensor_data".into())), ("evenkeel", true));
    let model = row.call("ModelMetadata", &name("grpc"), &[]).await;
    let model = Metadata::decode(model.messages[0].clone()).expect("what it takes");
    assert_eq!(
        (model.name.as_str(), &model.versions[..], model.platform.as_str()),
        ("grpc", &["1".into()][..], "evenkeel")
    );
    let health = async |of: &str| {
        let said = row.call("grpc.health.v1.Health/Check", &name(of), &[]).await;
        (said.code, said.messages.first().map(|it| Health::decode(it.clone()).expect("its health").status))
    };
    assert_eq!((health("").await, health("inference.GRPCInferenceService").await), ((0, Some(1)), (0, Some(1))));
    assert_eq!(health("nope").await, (5, None));
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    sender.send(framed(&name(""))).await.expect("it reads");
    let mut watching = begin(&row.before, "grpc.health.v1.Health/Watch", Sending(receiver)).await;
    assert_eq!(next::<Health>(&mut watching).await.expect("its health").status, 1);
    let (unknown, receiver) = tokio::sync::mpsc::channel(1);
    unknown.send(framed(&name("nope"))).await.expect("it reads");
    let mut unknown = begin(&row.before, "grpc.health.v1.Health/Watch", Sending(receiver)).await;
    assert_eq!(next::<Health>(&mut unknown).await.expect("its health").status, 3, "nobody knows it");
    let watched = async {
        assert_eq!(next::<Health>(&mut watching).await.expect("its health").status, 2, "it stops");
        assert_eq!(next::<Health>(&mut watching).await.expect_err("the end")["grpc-status"], "14");
        assert_eq!(next::<Health>(&mut unknown).await.expect_err("the end")["grpc-status"], "14");
    };
    let drained = tokio::time::timeout(Duration::from_secs(10), row.before.shutdown(Duration::from_secs(60)));
    tokio::join!(drained, watched).0.expect("a drain is not held up by who watches");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_grpc_server_says_of_its_model_is_told_on_and_held_against_requests() {
    let row = Row::start().await;
    let tell = async || {
        let model = row.call("ModelMetadata", &name("grpc"), &[]).await;
        Metadata::decode(model.messages[0].clone()).expect("what it takes")
    };
    let told = until_told(tell, |model| !model.inputs.is_empty()).await;
    assert_eq!((told.name.as_str(), told.inputs.len(), told.outputs.len()), ("grpc", 1, 0));
    let input = &told.inputs[0];
    assert_eq!((input.name.as_str(), input.datatype.as_str(), &input.shape[..]), ("x", "FP32", &[-1, 2][..]));
    let mut wrong = rows("grpc", true);
    wrong.inputs[0].shape = vec![4, 1];
    let said = row.infer(&wrong).await.expect_err("another shape");
    assert_eq!((said.code, said.text.contains("expected [-1, 2]")), (3, true), "{said:?}");
    assert!(said.headers.get("evenkeel-decision").is_none(), "before dispatch");
    assert!(row.infer(&rows("grpc", true)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_29_the_time_of_a_call_is_that_of_its_whole_stream() {
    let row = Row::start().await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let method = "inference.GRPCInferenceService/ModelStreamInfer";
    let mut body = begin_within(&row.before, method, Sending(receiver), "500m").await;
    sender.send(framed(&rows("grpc", true))).await.expect("it reads");
    let answer: ModelStreamInferResponse = next(&mut body).await.expect("a message");
    assert!(answer.error_message.is_empty(), "{answer:?}");
    assert_eq!(next::<ModelStreamInferResponse>(&mut body).await.expect_err("the end")["grpc-status"], "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_25_large_messages_pass_and_one_over_the_limit_is_refused() {
    let row = Row::start().await;
    for (mebibytes, code) in [(5, 0), (60, 0), (65, 8)] {
        let data = vec![7; mebibytes << 20];
        let input = InferTensor {
            name: "x".into(),
            datatype: "UINT8".into(),
            shape: vec![1, data.len() as i64],
            parameters: [].into(),
            contents: None,
        };
        let request = ModelInferRequest {
            model_name: "echo".into(),
            inputs: vec![input],
            raw_input_contents: vec![data.into()],
            ..ModelInferRequest::default()
        };
        let said = row.call("ModelInfer", &request, &[]).await;
        assert_eq!(said.code, code, "{mebibytes} MiB: {}", said.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oip_29_a_deadline_reaches_the_model_and_is_told() {
    let row = Row::start().await;
    row.behind.break_primary("{fault: latency, ms: 30000}");
    let begun = std::time::Instant::now();
    let said = row.call("ModelInfer", &rows("grpc", true), &[("grpc-timeout", "200m")]).await;
    assert_eq!(said.code, 4, "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "it was not waited for");
    until(|| row.behind.big.log().into_iter().find(|it| it.client_gone)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_003_what_a_grpc_server_fails_at_has_the_class_that_it_would_have_over_rest() {
    let row = Row::start().await;
    let result = async |route: &str| {
        let (answer, said) = row.infer(&rows(route, true)).await.expect("a tier below answers");
        let tier = answer.parameters["evenkeel.tier"].scalar.clone();
        let decision = said.headers["evenkeel-decision"].to_str().expect("text");
        let record = until(|| row.before.decision(decision)).await;
        (tier, record.attempts[0].result.clone())
    };
    let below = Some(Scalar::Int64(1));
    assert_eq!(result("missing").await, (below.clone(), "target.model_missing".into()));
    assert_eq!(
        result("wrong").await,
        (below.clone(), "target.output_missing".into()),
        "the map asks for what is not there"
    );
    // The gateway behind has no tier left, and says when to come back.
    row.behind.break_primary("{fault: status, status: 500}");
    assert_eq!(result("saved").await, (below.clone(), "capacity.push_back".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn f_003_a_grpc_server_that_is_gone_is_a_target_that_failed() {
    let row = Row::start().await;
    assert!(row.infer(&rows("echo", true)).await.is_ok());
    row.behind.gateway.shutdown(Duration::ZERO).await;
    let (answer, said) = row.infer(&rows("gone", true)).await.expect("a tier below answers");
    assert_eq!(answer.parameters["evenkeel.tier"].scalar, Some(Scalar::Int64(1)));
    let decision = said.headers["evenkeel-decision"].to_str().expect("text");
    let record = until(|| row.before.decision(decision)).await;
    assert!(record.attempts[0].result.starts_with("target."), "{record:?}");
}
