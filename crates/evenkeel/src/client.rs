//! A client of the data plane, as strict as a good SDK: an answer counts only if it is whole.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

/// Calls one gateway.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    base: String,
}

/// A whole answer, and who gave it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) tier: u8,
}

/// How an answer fell short.
#[derive(Debug)]
pub(crate) enum Short {
    /// An error, or something that is no answer.
    Failed(anyhow::Error),
    /// A stream that ended before its end.
    Truncated(anyhow::Error),
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { http: Http::builder(TokioExecutor::new()).build(connector), base: format!("http://{address}") }
    }

    /// Asks for a chat completion and reads it to its end.
    pub(crate) async fn chat(&self, route: &str, text: &str, stream: bool) -> Result<Answered, Short> {
        let body = json!({"model": route, "stream": stream, "messages": [{"role": "user", "content": text}]});
        let response = self.post("/v1/chat/completions", &body).await.map_err(Short::Failed)?;
        let tier = tier(&response).map_err(Short::Failed)?;
        let whole = response.into_body().collect().await.map_err(|error| Short::Truncated(error.into()))?.to_bytes();
        match stream {
            true => whole_stream(&whole).map_err(Short::Truncated)?,
            false => whole_answer(&whole).map_err(Short::Failed)?,
        }
        Ok(Answered { tier })
    }

    /// Asks for the scores of rows, all of the same width.
    pub(crate) async fn score(&self, route: &str, rows: &[Vec<f64>]) -> Result<Answered, Short> {
        let width = rows.first().map_or(0, Vec::len);
        let input = json!({"name": "x", "datatype": "FP32", "shape": [rows.len(), width], "data": rows.concat()});
        let asked = self.post(&format!("/v2/models/{route}/infer"), &json!({"inputs": [input]})).await;
        let response = asked.map_err(Short::Failed)?;
        let tier = tier(&response).map_err(Short::Failed)?;
        let whole = response.into_body().collect().await.map_err(|error| Short::Truncated(error.into()))?.to_bytes();
        whole_scores(&whole, rows.len(), tier).map_err(Short::Failed)?;
        Ok(Answered { tier })
    }

    /// Asks for an inference; returns the answer, whoever gave it.
    pub(crate) async fn infer(&self, route: &str, body: &Value) -> anyhow::Result<Value> {
        let response = self.post(&format!("/v2/models/{route}/infer"), body).await?;
        let status = response.status();
        let whole = response.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(&whole));
        Ok(serde_json::from_slice(&whole)?)
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response<Incoming>> {
        let request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let asking = tokio::time::timeout(Duration::from_secs(60), self.http.request(request));
        Ok(asking.await.context("no answer in a minute")??)
    }
}

/// Reads what stands at an address, with the status of the answer.
pub(crate) async fn look(url: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let http: Http<HttpConnector, Full<Bytes>> = Http::builder(TokioExecutor::new()).build(HttpConnector::new());
    let request = Request::get(url).body(Full::default())?;
    let asking = async {
        let response = http.request(request).await?;
        let status = response.status().as_u16();
        anyhow::Ok((status, response.into_body().collect().await?.to_bytes().into()))
    };
    tokio::time::timeout(Duration::from_secs(10), asking).await.context("no answer in ten seconds")?
}

fn tier(response: &Response<Incoming>) -> anyhow::Result<u8> {
    if response.status() != 200 {
        bail!("status {}", response.status());
    }
    let tier = response.headers().get("evenkeel-tier").context("no evenkeel-tier")?;
    Ok(tier.to_str()?.parse()?)
}

fn whole_answer(body: &Bytes) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_slice(body)?;
    let choice = &answer["choices"][0];
    let said = choice["message"]["content"].as_str().is_some_and(|it| !it.is_empty());
    if !said || !choice["finish_reason"].is_string() || !answer["evenkeel"].is_object() {
        bail!("not a whole answer: {answer}");
    }
    Ok(())
}

/// Scores are whole with one for each row, none of them beyond its range, and the tier that the headers name.
fn whole_scores(body: &Bytes, rows: usize, tier: u8) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_slice(body)?;
    let output = &answer["outputs"][0];
    let scores: Vec<f64> = output["data"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    let sound = scores.len() == rows && scores.iter().all(|score| (0.0..=1.0).contains(score));
    if output["name"] != "score" || !sound || answer["parameters"]["evenkeel.tier"] != tier {
        bail!("not a whole answer: {answer}");
    }
    Ok(())
}

/// A stream is whole with a `finish_reason`, then `[DONE]`, and without an error.
fn whole_stream(body: &Bytes) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(body);
    let events: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let finished = events.iter().any(|event| event.contains("\"finish_reason\":\"stop\""));
    let failed = events.iter().any(|event| event.starts_with("{\"error\""));
    match (failed, finished, events.last()) {
        (false, true, Some(&"[DONE]")) => Ok(()),
        (.., last) => bail!("a stream ended with {}", last.unwrap_or(&"nothing")),
    }
}
