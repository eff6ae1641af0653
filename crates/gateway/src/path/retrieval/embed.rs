//! Embed: what a question means, as an upstream says that speaks the embeddings API of OpenAI, within a short clock.

use std::{sync::Arc, time::Duration};

use evenkeel_config::kind::Embeddings;
use evenkeel_core::{Nanos, ResultCode};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::{
    path::read,
    protocol::openai::error::{Head, classify_http},
    rope::Rope,
    upstream::{Call, Upstream},
};

/// The largest answer that is read: 16,384 numbers of 32 characters.
const MOST_ANSWER: usize = 1 << 20;
/// Bytes of a question that are sent: more than any embedder reads.
const MOST_QUESTION: usize = 16 << 10;

/// Who says what a question means.
pub(crate) struct Embedder {
    upstream: Arc<Upstream>,
    model: String,
    timeout: Nanos,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    embedding: Vec<f32>,
}

impl Embedder {
    pub(crate) fn new(of: &Embeddings, upstream: Arc<Upstream>) -> Self {
        Self { upstream, model: of.model.clone(), timeout: of.timeout }
    }

    /// Asks for the vector of a question, in no more than half of the time that is left to the attempt.
    pub(crate) async fn vector(&self, question: &str, left: Nanos) -> Result<Vec<f32>, ResultCode> {
        let budget = self.timeout.min(left / 2);
        let asked = tokio::time::timeout(Duration::from_nanos(budget), self.ask(question, budget)).await;
        asked.unwrap_or(Err(ResultCode::TotalTimeout))
    }

    async fn ask(&self, question: &str, budget: Nanos) -> Result<Vec<f32>, ResultCode> {
        let question = &question[..question.floor_char_boundary(MOST_QUESTION)];
        let body = json!({"model": self.model, "input": [question], "encoding_format": "float"}).to_string();
        let mut headers = HeaderMap::new();
        for name in [header::CONTENT_TYPE, header::ACCEPT] {
            headers.insert(name, HeaderValue::from_static("application/json"));
        }
        let post = |fresh| {
            let (call, body) = (Call { replica: 0, budget, fresh }, Rope::from(bytes::Bytes::from(body.clone())));
            self.upstream.post("/embeddings", headers.clone(), body, call)
        };
        let response = match post(false).await {
            Err(ResultCode::Unsent) => post(true).await?,
            response => response?,
        };
        let status = response.status();
        let body = read(response.into_body(), MOST_ANSWER).await?;
        if status != StatusCode::OK {
            let head = Head { status: status.as_u16(), content_type: None, push_back: false };
            return Err(classify_http(head, &body));
        }
        let mut answer: Answer = serde_json::from_slice(&body).map_err(|_| ResultCode::DecodeFailed)?;
        let vector = answer.data.pop().map(|it| it.embedding).filter(|_| answer.data.is_empty());
        let has_direction = |it: &Vec<f32>| it.iter().all(|it| it.is_finite()) && it.iter().any(|it| *it != 0.0);
        vector.filter(has_direction).ok_or(ResultCode::DecodeFailed)
    }
}
