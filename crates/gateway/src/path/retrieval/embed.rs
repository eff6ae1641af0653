//! Embed: what a question means, as an upstream says that speaks the embeddings API of OpenAI, within a short clock.
//!
//! # Invariants
//! - `EMBED-1`: nobody waits longer for it than `timeout`, nor at all while its breaker is open, or as many wait as may.
//! - `EMBED-2`: a replica that fails is passed over, within the same `timeout`; who answered last is asked first, and one that has used
//!   up the whole time is asked first no more.

use std::{sync::Arc, time::Duration};

use evenkeel_config::kind::Embeddings;
use evenkeel_core::{Class, Nanos, ResultCode};
use evenkeel_signals::cosine::Unit;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use crate::{
    calling::Calling,
    clock::Clock,
    path::read,
    protocol::openai::error::{Head, classify_http},
    rope::Rope,
    upstream::{Call, Repute, Upstream},
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
    clock: Clock,
    repute: Arc<Repute>,
}

/// Why nobody has said what a question means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsaid {
    /// It was asked, and ended so.
    Failed(ResultCode),
    /// It was not asked: its breaker was open.
    Open,
    /// It was not asked: too many others waited for it.
    Busy,
}

impl Unsaid {
    /// Returns the word of records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Failed(result) => result.name(),
            Self::Open => "breaker_open",
            Self::Busy => "busy",
        }
    }
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
    pub(crate) fn new(of: &Embeddings, upstream: Arc<Upstream>, clock: Clock) -> Self {
        let repute = upstream.repute(&of.model);
        Self { upstream, model: of.model.clone(), timeout: of.timeout, clock, repute }
    }

    /// Says whether it asks whom another one asks.
    pub(crate) fn is_of(&self, repute: &Arc<Repute>) -> bool {
        Arc::ptr_eq(&self.repute, repute)
    }

    /// Returns what is known of whom it asks: one for each model of an upstream.
    pub(crate) fn repute(&self) -> &Arc<Repute> {
        &self.repute
    }

    /// Returns how long it may take, where so much time is left (EMBED-1).
    pub(crate) fn budget(&self, left: Nanos) -> Nanos {
        self.timeout.min(left / 2)
    }

    /// Asks for the vector of a question, in no more than half of the time that is left to the attempt (EMBED-1).
    pub(crate) async fn vector(&self, question: &str, (entropy, left): (u64, Nanos)) -> Result<Vec<f32>, Unsaid> {
        let Ok(_place) = self.repute.calls.try_acquire() else { return Err(Unsaid::Busy) };
        let calling = Calling::start(&self.repute.aside, self.clock, (entropy, self.timeout));
        let Some(mut calling) = calling else { return Err(Unsaid::Open) };
        let (budget, first) = (self.budget(left), self.repute.first());
        let mut replica = first;
        let asked = self.ask_each(question, &mut replica, budget);
        let said = tokio::time::timeout(Duration::from_nanos(budget), asked).await;
        let said = said.unwrap_or(Err(ResultCode::TotalTimeout));
        let is_late = said == Err(ResultCode::TotalTimeout);
        // A request that left it less time than it may take says nothing of it.
        if !(is_late && budget < self.timeout) {
            let next = if is_late { (replica + 1) % self.upstream.replicas() } else { replica };
            self.repute.turn(first, next);
            calling.end(said.as_ref().err().copied().unwrap_or(ResultCode::Ok));
        }
        said.map_err(Unsaid::Failed)
    }

    /// Asks one replica after the other while the fault is theirs (EMBED-2).
    async fn ask_each(&self, question: &str, replica: &mut usize, budget: Nanos) -> Result<Vec<f32>, ResultCode> {
        let (begun, mut said) = (self.clock.now(), Err(ResultCode::ConnectFailed));
        for _ in 0..self.upstream.replicas() {
            let spent = self.clock.now().saturating_sub(begun);
            said = self.ask(question, *replica, budget.saturating_sub(spent)).await;
            if said.as_ref().err().is_none_or(|it| it.class() != Class::Target) {
                break;
            }
            *replica = (*replica + 1) % self.upstream.replicas();
        }
        said
    }

    async fn ask(&self, question: &str, replica: usize, budget: Nanos) -> Result<Vec<f32>, ResultCode> {
        let question = &question[..question.floor_char_boundary(MOST_QUESTION)];
        let body = json!({"model": self.model, "input": [question], "encoding_format": "float"}).to_string();
        let mut headers = HeaderMap::new();
        for name in [header::CONTENT_TYPE, header::ACCEPT] {
            headers.insert(name, HeaderValue::from_static("application/json"));
        }
        let post = |fresh| {
            let (call, body) = (Call { replica, budget, fresh }, Rope::from(bytes::Bytes::from(body.clone())));
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
        // One whose length is no number has no direction, either (COS-1).
        vector.filter(|it| Unit::of(it).is_some()).ok_or(ResultCode::DecodeFailed)
    }
}
