//! Asks N times over C connections, one request at a time on each, and fails unless every answer is a 200 (`bench/proxy`).
//!
//! Usage: `load URL MODEL N C`. The request is a chat completion of about 1 KB.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, model, requests, connections] = arguments.as_slice() else { bail!("usage: load URL MODEL N C") };
    let (requests, connections): (usize, usize) = (requests.parse()?, connections.parse()?);
    let text = "How do I reset my password? ".repeat(32);
    let body = Bytes::from(json!({"model": model, "messages": [{"role": "user", "content": text}]}).to_string());
    #[expect(clippy::disallowed_methods, reason = "all are waited for below")]
    let tasks: Vec<_> =
        (0..connections).map(|_| tokio::spawn(ask(url.clone(), body.clone(), requests / connections))).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn ask(url: String, body: Bytes, times: usize) -> anyhow::Result<()> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    for _ in 0..times {
        let request = Request::post(&url).header("content-type", "application/json").body(Full::new(body.clone()))?;
        let response = client.request(request).await.context("no answer")?;
        if response.status() != 200 {
            bail!("status {}", response.status());
        }
        response.into_body().collect().await?;
    }
    Ok(())
}
