//! Asking: what the clients of `broken` send, over REST and over gRPC, and what they make of what they get.

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// What speaks to the gateway, or to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Front {
    Rest,
    Grpc,
}

/// What a client gets wrong; none of it can be answered by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mistake {
    /// Seven columns where there are eight.
    Columns,
    /// A shape that says more than is there.
    Elements,
    /// Text where there are numbers.
    Datatype,
    /// An input of another name.
    Name,
    /// A body that cannot be read.
    Unread,
}

impl Mistake {
    pub(crate) const ALL: [Self; 5] = [Self::Columns, Self::Elements, Self::Datatype, Self::Name, Self::Unread];
}

/// What a client got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    /// The status, or the code of gRPC; what went wrong where there is none.
    pub(crate) code: Result<u32, String>,
    pub(crate) tier: Option<u64>,
    pub(crate) decision: Option<String>,
    /// It has a score from 0 to 1.
    pub(crate) has_score: bool,
}

/// A client that keeps its connections.
#[derive(Clone)]
pub(crate) struct Asking {
    rest: Client<HttpConnector, Full<Bytes>>,
    grpc: Client<HttpConnector, Full<Bytes>>,
}

impl Asking {
    pub(crate) fn new() -> Self {
        let builder = || Client::builder(TokioExecutor::new());
        Self { rest: builder().build_http(), grpc: builder().http2_only(true).build_http() }
    }

    /// Asks a model at an address.
    pub(crate) async fn ask(&self, (url, model): (&str, &str), front: Front, mistake: Option<Mistake>) -> Got {
        let nothing = |why: String| Got { code: Err(why), tier: None, decision: None, has_score: false };
        let (client, request) = match front {
            Front::Rest => {
                let uri = format!("{url}/v2/models/{model}/infer");
                let request = Request::post(uri).header("content-type", "application/json");
                (&self.rest, request.body(Full::from(json(mistake))))
            }
            Front::Grpc => {
                let uri = format!("{url}/inference.GRPCInferenceService/ModelInfer");
                let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
                (&self.grpc, request.body(Full::from(framed(model, mistake))))
            }
        };
        let answered = match client.request(request.expect("a request")).await {
            Ok(answered) => answered,
            Err(error) => return nothing(format!("{error:?}")),
        };
        let (head, body) = answered.into_parts();
        let body = match body.collect().await {
            Ok(body) => body,
            Err(error) => return nothing(format!("{error:?}")),
        };
        let trailers = body.trailers().cloned().unwrap_or_default();
        let bytes = body.to_bytes();
        let said = |name: &str| {
            let in_any = |headers: &HeaderMap| Some(headers.get(name)?.to_str().ok()?.to_owned());
            in_any(&head.headers).or_else(|| in_any(&trailers))
        };
        let (code, has_score) = match front {
            Front::Rest => (Some(u32::from(head.status.as_u16())), scores_json(&bytes)),
            Front::Grpc => (said("grpc-status").and_then(|it| it.parse().ok()), scores_raw(&bytes)),
        };
        let code = code.ok_or_else(|| format!("no end of the call under {}", head.status));
        let tier = said("evenkeel-tier").and_then(|it| it.parse().ok());
        Got { code, tier, decision: said("evenkeel-decision"), has_score }
    }
}

fn scores_json(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["outputs"][0]["data"][0].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score))
}

/// Raw contents come last in a message: here four bytes of one score.
fn scores_raw(body: &[u8]) -> bool {
    let score = body.last_chunk().map(|bytes| f32::from_le_bytes(*bytes));
    body.len() > 9 && score.is_some_and(|score| (0.0..=1.0).contains(&score))
}

const ROW: [f32; 8] = [6.0, 29.0, 6.2, 1.0, 1457.0, 2.4, 33.8, -118.0];

/// Returns the name of the input, its datatype, its shape, and how many values come.
fn input(mistake: Option<Mistake>) -> (&'static str, &'static str, [u8; 2], usize) {
    match mistake {
        Some(Mistake::Columns) => ("x", "FP32", [1, 7], 7),
        Some(Mistake::Elements) => ("x", "FP32", [1, 8], 7),
        Some(Mistake::Datatype) => ("x", "BYTES", [1, 8], 8),
        Some(Mistake::Name) => ("y", "FP32", [1, 8], 8),
        Some(Mistake::Unread) | None => ("x", "FP32", [1, 8], 8),
    }
}

fn json(mistake: Option<Mistake>) -> String {
    let (name, datatype, shape, values) = input(mistake);
    let text = |value: &f32| if datatype == "BYTES" { format!("\"{value}\"") } else { format!("{value:?}") };
    let data = ROW[..values].iter().map(text).collect::<Vec<_>>().join(",");
    let end = if mistake == Some(Mistake::Unread) { "" } else { "}]}" };
    format!(r#"{{"inputs":[{{"name":"{name}","shape":{shape:?},"datatype":"{datatype}","data":[{data}]{end}"#)
}

/// Writes a `ModelInferRequest` with raw contents, as one message of a call.
fn framed(model: &str, mistake: Option<Mistake>) -> Vec<u8> {
    let (name, datatype, shape, values) = input(mistake);
    let value = |it: &f32| match datatype {
        "BYTES" => [&4_u32.to_le_bytes()[..], b"text"].concat(),
        _ => it.to_le_bytes().into(),
    };
    let raw: Vec<u8> = ROW[..values].iter().flat_map(value).collect();
    let input = [field(1, name.as_bytes()), field(2, datatype.as_bytes()), field(3, &shape)].concat();
    let mut message = [field(1, model.as_bytes()), field(5, &input), field(7, &raw)].concat();
    if mistake == Some(Mistake::Unread) {
        message.truncate(message.len() - 1);
    }
    [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat()
}

/// Writes a field of bytes, shorter than 128.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).ok().filter(|it| *it < 128).expect("one byte says how long it is");
    [&[number << 3 | 2, length], bytes].concat()
}
