//! Form: what is asked, in the forms that clients have; about a kilobyte of chat, or a tensor of a thousand numbers; and, where inputs are
//! looked at, rows of thirty features and chats of two kilobytes that are drawn by a seed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use anyhow::bail;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;

/// Numbers of a tensor.
const NUMBERS: usize = 1_000;
/// Features of a drawn row: half of them numbers, half of them one of four names, by number.
const FEATURES: usize = 30;
/// Requests that are drawn: so many that rows look like those of a reference.
const DRAWN: u64 = 4_096;

/// Requests that are asked again and again, one after the other.
#[derive(Clone)]
pub(crate) struct Form {
    url: String,
    headers: Vec<(&'static str, String)>,
    bodies: Arc<[Bytes]>,
    next: Arc<AtomicUsize>,
    grpc: bool,
}

impl Form {
    /// Makes one of a name, for a model of a server.
    pub(crate) fn named(name: &str, base: &str, model: &str) -> anyhow::Result<Self> {
        let tensor: Vec<f32> = (0..NUMBERS).map(|at| at as f32 * 0.001_953_125).collect();
        let bytes: Vec<u8> = tensor.iter().flat_map(|it| it.to_le_bytes()).collect();
        let plain = vec![("content-type", "application/json".to_owned())];
        let infer = format!("{base}/v2/models/{model}/infer");
        let chat = |text: &str| json!({"model": model, "messages": [{"role": "user", "content": text}]}).to_string();
        if let Some(bodies) = drawn(name, model) {
            let url = if name == "rows-30" { infer } else { format!("{base}/v1/chat/completions") };
            return Ok(Self { url, headers: plain, bodies, next: Arc::default(), grpc: false });
        }
        let (url, headers, body) = match name {
            "chat" => {
                let text = "How do I reset my password? ".repeat(32);
                (format!("{base}/v1/chat/completions"), plain, chat(&text).into_bytes())
            }
            // As long as the tensor.
            "chat-4k" => {
                let text = "How do I reset my password? ".repeat(NUMBERS * 4 / 28);
                (format!("{base}/v1/chat/completions"), plain, chat(&text).into_bytes())
            }
            "json" => {
                let x = json!({"name": "x", "shape": [1, NUMBERS], "datatype": "FP32", "data": tensor});
                (infer, plain, json!({"inputs": [x]}).to_string().into_bytes())
            }
            "binary" => {
                let size = json!({"binary_data_size": bytes.len()});
                let x = json!({"name": "x", "shape": [1, NUMBERS], "datatype": "FP32", "parameters": size});
                let json = json!({"inputs": [x], "parameters": {"binary_data_output": true}}).to_string();
                let headers = vec![("inference-header-content-length", json.len().to_string())];
                (infer, headers, [json.as_bytes(), &bytes].concat())
            }
            "grpc" => {
                let url = format!("{base}/inference.GRPCInferenceService/ModelInfer");
                let headers = vec![("content-type", "application/grpc".to_owned()), ("te", "trailers".to_owned())];
                (url, headers, framed(&message(model, &bytes)))
            }
            _ => bail!("there is no form {name:?}"),
        };
        let bodies = Arc::new([body.into()]);
        Ok(Self { url, headers, bodies, next: Arc::default(), grpc: name == "grpc" })
    }

    /// Makes a client that speaks it.
    pub(crate) fn client(&self) -> Client<HttpConnector, Full<Bytes>> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Client::builder(TokioExecutor::new()).http2_only(self.grpc).build(connector)
    }

    /// Makes the request.
    pub(crate) fn request(&self) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(&self.url);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let nth = self.next.fetch_add(1, Relaxed) % self.bodies.len();
        Ok(request.body(Full::new(self.bodies[nth].clone()))?)
    }

    /// Reads an answer, which must be a good one.
    pub(crate) async fn read(&self, response: Response<Incoming>) -> anyhow::Result<()> {
        if response.status() != 200 {
            bail!("status {}", response.status());
        }
        let read = response.into_body().collect().await?;
        match read.trailers().and_then(|it| it.get("grpc-status")) {
            None if self.grpc => bail!("no grpc-status behind the answer"),
            Some(code) if code != "0" => bail!("grpc-status {code:?}"),
            _ => Ok(()),
        }
    }
}

/// Draws requests of a form; none where it is not drawn.
fn drawn(name: &str, model: &str) -> Option<Arc<[Bytes]>> {
    let body = |seed: u64| match name {
        "rows-30" => {
            let value = |at: usize| match at < FEATURES / 2 {
                true => (uniform(seed, at) * 1e4).round() / 1e4,
                false => (uniform(seed, at) * 4.0).floor(),
            };
            let data: Vec<f64> = (0..FEATURES).map(value).collect();
            Some(json!({"inputs": [{"name": "x", "shape": [1, FEATURES], "datatype": "FP32", "data": [data]}]}))
        }
        "chat-2k" => Some(json!({"model": model, "messages": [{"role": "user", "content": text(seed)}]})),
        _ => None,
    };
    (0..DRAWN).map(|seed| Some(body(seed)?.to_string().into())).collect()
}

/// About two kilobytes of words.
fn text(seed: u64) -> String {
    const WORDS: [&str; 14] =
        ["how", "do", "I", "open", "a", "port", "of", "the", "firewall", "in", "2026?", "Please", "help,", "me."];
    let word = |at: usize| WORDS[(uniform(seed, at) * WORDS.len() as f64) as usize];
    (0..470).map(word).collect::<Vec<_>>().join(" ")
}

/// Uniform numbers that have nothing to do with one another (SplitMix64's finaliser, Steele and others 2014).
fn uniform(seed: u64, at: usize) -> f64 {
    let mut bits = seed.wrapping_mul(1_000).wrapping_add(at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// `ModelInferRequest` with one raw input.
fn message(model: &str, raw: &[u8]) -> Vec<u8> {
    let shape = [&[1][..], &varint(NUMBERS as u64)].concat();
    let x = [field(1, b"x"), field(2, b"FP32"), field(3, &shape)].concat();
    [field(1, model.as_bytes()), field(5, &x), field(7, raw)].concat()
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}
