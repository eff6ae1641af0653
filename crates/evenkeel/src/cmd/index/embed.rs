//! Embed: what texts mean, from a server that speaks the embeddings API of OpenAI.
//!
//! Plain HTTP alone: a server of one's own, or the gateway, which has the keys and speaks TLS to those that want it.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use evenkeel_retrieval::Embedder;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::place::{Opened, Place};
use crate::output;

/// How long one request may take: a server on a small machine has 32 passages to read.
const CLOCK: Duration = Duration::from_secs(120);
/// The largest answer that is read.
const MOST: usize = 64 << 20;

/// Whom to ask what texts mean.
#[derive(Debug, Args)]
pub(super) struct Embeddings {
    /// The base URL of a server that speaks the embeddings API of OpenAI, such as `http://127.0.0.1:8000/v1`.
    #[arg(long = "embeddings", value_name = "URL", requires = "model")]
    url: Option<String>,
    /// The model to name in each request.
    #[arg(long, requires = "url")]
    model: Option<String>,
}

impl Embeddings {
    /// Returns a client, where one is named, for an index that it fits; says so where an index has more than is asked of it.
    pub(super) fn client_of(&self, (place, opened): (&Place, &Opened)) -> anyhow::Result<Option<Asking>> {
        let client = self.client()?;
        match (&client, opened.model()) {
            (Some(it), _) => {
                if let Some(why) = opened.is_not_of(&it.model) {
                    bail!("{place} {why}");
                }
            }
            (None, Some(model)) => output::note(format_args!(
                "by words alone: a tier with `embeddings` searches by meaning, too; add --embeddings URL --model {model} for what it finds"
            )),
            (None, None) => {}
        }
        Ok(client)
    }

    /// Returns a client, where one is named.
    pub(super) fn client(&self) -> anyhow::Result<Option<Asking>> {
        let (Some(url), Some(model)) = (&self.url, &self.model) else { return Ok(None) };
        Asking::new(url, model).map(Some)
    }
}

/// A client of one server.
pub(in crate::cmd) struct Asking {
    runtime: Runtime,
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    model: String,
}

impl Asking {
    /// Makes a client of the server at a base URL, which asks a model.
    ///
    /// # Errors
    /// The URL is none that it can ask.
    pub(in crate::cmd) fn new(url: &str, model: &str) -> anyhow::Result<Self> {
        ensure!(url.starts_with("http://"), "cannot ask {url}: it does not begin with http://");
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        let url = format!("{}/embeddings", url.trim_end_matches('/'));
        Ok(Self { runtime, http, url, model: model.to_owned() })
    }

    fn ask(&self, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
        let body = json!({"model": self.model, "input": texts, "encoding_format": "float"});
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let (status, answer) = self.runtime.block_on(async {
            let asking = async {
                let response = self.http.request(request).await?;
                let status = response.status();
                let body =
                    Limited::new(response.into_body(), MOST).collect().await.map_err(anyhow::Error::from_boxed)?;
                anyhow::Ok((status, body.to_bytes()))
            };
            tokio::time::timeout(CLOCK, asking).await.context("it does not answer")?
        })?;
        if !status.is_success() {
            bail!("it answers {status}: {}", String::from_utf8_lossy(&answer[..answer.len().min(300)]));
        }
        vectors(&answer, texts.len())
    }
}

impl Embedder for Asking {
    fn model(&self) -> &str {
        &self.model
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        self.ask(texts).map_err(|error| format!("{}: {error:#}", self.url))
    }
}

/// Reads an answer, whose vectors say themselves where they belong.
fn vectors(answer: &[u8], of: usize) -> anyhow::Result<Vec<Vec<f32>>> {
    let answer: Value = serde_json::from_slice(answer).context("what it answers is no JSON")?;
    let data = answer["data"].as_array().context("its answer has no `data`")?;
    let mut vectors = vec![Vec::new(); of];
    for (at, one) in data.iter().enumerate() {
        let at = one["index"].as_u64().map_or(at, |it| usize::try_from(it).unwrap_or(usize::MAX));
        let numbers = one["embedding"].as_array().context("an `embedding` is no list of numbers")?;
        let numbers = numbers.iter().map(|it| it.as_f64().map(|it| it as f32));
        *vectors.get_mut(at).context("an `index` is beyond the texts")? =
            numbers.collect::<Option<_>>().context("an `embedding` has something that is no number")?;
    }
    ensure!(vectors.iter().all(|it| !it.is_empty()), "a text has no embedding");
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_belong_to_the_texts_that_they_name() {
        let answer = br#"{"data": [{"index": 1, "embedding": [0.5, 1]}, {"index": 0, "embedding": [2]}]}"#;
        assert_eq!(vectors(answer, 2).expect("read"), [vec![2.0], vec![0.5, 1.0]]);
        for (answer, part) in [
            ("[]", "no `data`"),
            ("x", "no JSON"),
            (r#"{"data": []}"#, "no embedding"),
            (r#"{"data": [{"index": 7, "embedding": [1]}]}"#, "beyond"),
            (r#"{"data": [{"embedding": ["1"]}]}"#, "no number"),
            (r#"{"data": [{"embedding": "AAAA"}]}"#, "no list"),
        ] {
            let error = vectors(answer.as_bytes(), 1).expect_err(answer).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
