//! Client: asks over real sockets, and keeps what came and when.

use std::{
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde_json::Value;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a finish reason that is there begins.
const FINISH: &[u8] = b"\"finish_reason\":\"";

/// A client with connections of its own.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpConnector, Full<Bytes>>);

/// What a client got.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The connection broke while the body was read.
    pub(crate) torn: bool,
    /// From the start of the request to the end of the answer.
    pub(crate) took: Duration,
    /// From the `finish_reason` of a stream to its end.
    pub(crate) after_finish: Duration,
}

impl Client {
    pub(crate) fn new() -> Client {
        // The gateway closes connections that are idle for long; one that it closes as we use it is no answer.
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        Client(builder.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(5)).build_http())
    }

    /// A client that speaks HTTP/2 and nothing else.
    pub(crate) fn http2() -> Client {
        Client(legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// Where nothing that is HTTP came back.
    pub(crate) async fn send(&self, to: SocketAddr, method: &str, path: &str, body: String) -> Got {
        let request = Request::builder().method(method).uri(format!("http://{to}{path}"));
        let request = request.body(Full::from(body)).expect("a request");
        self.exchange(request).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Posts a body and reads the whole answer.
    ///
    /// # Errors
    /// Nothing came back, or nothing that is HTTP.
    pub(crate) async fn post(
        &self,
        to: SocketAddr,
        path: &str,
        body: Bytes,
        headers: &[(&str, &str)],
    ) -> Result<Got, String> {
        let mut request = Request::post(format!("http://{to}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(Full::new(body)).expect("a request")).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Got, String> {
        let asked = Instant::now();
        let answered = tokio::time::timeout(PATIENCE, self.0.request(request)).await;
        let response = answered.map_err(|_| "no answer".to_owned())?.map_err(|error| format!("{error:?}"))?;
        let (head, mut body) = response.into_parts();
        let (mut whole, mut torn, mut finished) = (Vec::new(), false, None);
        loop {
            match tokio::time::timeout(PATIENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    let data = frame.into_data().unwrap_or_default();
                    if data.windows(FINISH.len()).any(|it| it == FINISH) {
                        finished = Some(Instant::now());
                    }
                    whole.extend_from_slice(&data);
                }
                Ok(Some(Err(_))) | Err(_) => {
                    torn = true;
                    break;
                }
                Ok(None) => break,
            }
        }
        let (status, headers) = (head.status.as_u16(), head.headers);
        Ok(Got {
            status,
            headers,
            body: whole.into(),
            torn,
            took: asked.elapsed(),
            after_finish: finished.map_or(Duration::ZERO, |it| it.elapsed()),
        })
    }
}

/// What matters of it, in a few words.
impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tier, reason) = (self.header("evenkeel-tier"), self.header("evenkeel-reason"));
        write!(f, "{} tier {tier} {reason} in {:?}", self.status, self.took)?;
        write!(f, "{}, {} `[DONE]`", if self.torn { ", torn" } else { "" }, self.dones())?;
        write!(f, ", error {:?}, said {:?}", self.error_code(), self.said())?;
        let text = self.text();
        if self.is_whole() {
            Ok(())
        } else {
            write!(
                f,
                ", ends in {:?}",
                text.chars().rev().take(300).collect::<Vec<_>>().iter().rev().collect::<String>()
            )
        }
    }
}

impl Got {
    /// Returns a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default()
    }

    /// Returns the tier that answered.
    pub(crate) fn tier(&self) -> Option<u8> {
        self.header("evenkeel-tier").parse().ok()
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Says whether it is a stream of server-sent events.
    pub(crate) fn streams(&self) -> bool {
        self.header("content-type").starts_with("text/event-stream")
    }

    /// Returns the data of each event of a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// Returns the events of a stream that are JSON.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        self.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect()
    }

    /// Returns the text of the answer.
    pub(crate) fn said(&self) -> String {
        if !self.streams() {
            return self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
        }
        let chunks = self.chunks();
        chunks.iter().filter_map(|it| it["choices"][0]["delta"]["content"].as_str()).collect()
    }

    /// Returns the usage that it tells.
    pub(crate) fn usage(&self) -> Value {
        let told = |it: &Value| Some(it["usage"].clone()).filter(|usage| !usage.is_null());
        if self.streams() {
            self.chunks().iter().find_map(told).unwrap_or_default()
        } else {
            self.json()["usage"].clone()
        }
    }

    /// Returns the models that it names, each once.
    pub(crate) fn models(&self) -> Vec<String> {
        let answers = if self.streams() { self.chunks() } else { vec![self.json()] };
        let mut models: Vec<String> = answers.iter().filter_map(|it| it["model"].as_str().map(str::to_owned)).collect();
        models.dedup();
        models
    }

    /// Returns the code of the error that it is, or that it ends in.
    pub(crate) fn error_code(&self) -> Option<String> {
        let code = |it: &Value| it["error"].is_object().then(|| it["error"]["code"].as_str().unwrap_or("").to_owned());
        let plain = || code(&self.json()).or_else(|| self.json()["error"].as_str().map(str::to_owned));
        if self.streams() { self.chunks().last().and_then(code) } else { plain() }
    }

    /// Counts the marks that end a stream.
    pub(crate) fn dones(&self) -> usize {
        self.events().iter().filter(|event| *event == "[DONE]").count()
    }

    /// Says whether it is one whole answer that says something, and nothing else.
    pub(crate) fn is_whole(&self) -> bool {
        if self.status != 200 || self.torn || self.error_code().is_some() {
            return false;
        }
        match self.streams() {
            true => {
                let finished = |it: &Value| it["choices"][0]["finish_reason"].is_string();
                let last = self.events().last().is_some_and(|it| it == "[DONE]");
                last && self.dones() == 1 && self.chunks().iter().filter(|it| finished(it)).count() == 1
            }
            false => {
                let it = self.json();
                let vector = it["data"][0]["embedding"].as_array().is_some_and(|it| !it.is_empty());
                vector || it["choices"][0]["finish_reason"].is_string() || it["outputs"].is_array()
            }
        }
    }

    /// Says whether it is one error that a client cannot take for an answer: plain, or at the end of a stream.
    pub(crate) fn is_error(&self) -> bool {
        let finished = self.chunks().iter().any(|it| it["choices"][0]["finish_reason"].is_string());
        let in_stream = self.streams() && self.dones() == 0 && !finished;
        !self.torn && self.error_code().is_some() && (self.status >= 400 || in_stream)
    }
}
