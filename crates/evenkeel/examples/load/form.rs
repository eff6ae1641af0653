//! Form: what is asked, in the forms that clients have; about a kilobyte of chat, or a tensor of a thousand numbers.

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

/// A request that is asked again and again.
#[derive(Clone)]
pub(crate) struct Form {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
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
        Ok(Self { url, headers, body: body.into(), grpc: name == "grpc" })
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
        Ok(request.body(Full::new(self.body.clone()))?)
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
