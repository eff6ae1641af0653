//! `openai`: a model on an OpenAI-compatible server.
//!
//! The request goes out as it came, but for `model` and the credential; the answer comes back as its bytes, once it is
//! seen to be one.
//!
//! Accepted: `openai: {upstream: vllm, model: qwen3-8b}`. Rejected by `check`: an upstream that is not declared.

use std::{sync::Arc, time::Duration};

use evenkeel_config as config;
use evenkeel_core::{ResultCode, least_tokens};
use jiff::Timestamp;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Incoming};
use tokio::sync::mpsc::Sender;

use self::follow::{Bounds, Follow};
use super::{Attempting, Ended, Left, Path, Piece, Pieces, Site, read};
use crate::{
    ask::{Ask, Question},
    protocol::openai::{
        answer::{NoAnswer, judge_chat},
        embeddings::{Expected, judge_embeddings},
        error::{Head, classify_http, speaks},
        peek::{ChatPeek, rewrite_model},
    },
    upstream::{Call, Upstream, push_back},
};

mod follow;

/// Bytes of an error body that are read.
const MOST_ERROR: usize = 64 << 10;

/// A model on an OpenAI-compatible server.
pub(crate) struct Openai {
    upstream: Arc<Upstream>,
    model: Arc<str>,
    bounds: Bounds,
}

impl Openai {
    pub(super) fn path(kind: &config::kind::Openai, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let Site { spec, path, upstream, .. } = site;
        Ok(Arc::new(Self {
            upstream: upstream.expect("the core makes a path with an upstream a remote one").clone(),
            model: kind.model.as_str().into(),
            bounds: Bounds {
                max_answer: usize::try_from(spec.max_answer).unwrap_or(usize::MAX),
                finalise: Duration::from_nanos(spec.finalise),
                least_tokens: least_tokens(path.min_rate),
            },
        }))
    }

    async fn ask(&self, ask: &Ask, call: Call, pieces: Pieces) -> Result<Ended, ResultCode> {
        let (path, span) = match &ask.question {
            Question::Chat(peek) => ("/chat/completions", &peek.model_span),
            Question::Embeddings(peek) => ("/embeddings", &peek.model_span),
            // `check` lets no such path stand on an `oip` route.
            Question::Infer(_) => return Err(ResultCode::UnsupportedFeature),
        };
        let body = rewrite_model(&ask.body, span, &self.model);
        let response = self.upstream.post(path, request_headers(ask), body.into(), call).await?;
        match (response.status(), &ask.question) {
            // It was not asked for, and to unpack it is what a bomb wants (SE-10).
            (StatusCode::OK, _) if is_packed(response.headers()) => Ok(Ended::bare(ResultCode::DecodeFailed, Some(200))),
            (StatusCode::OK, Question::Chat(peek)) if peek.stream => {
                let out = pieces.expect("a stream was asked for");
                self.stream(peek, response, out).await
            }
            (StatusCode::OK, question) => self.whole(question, response).await,
            (StatusCode::NO_CONTENT, _) => Ok(Ended::bare(ResultCode::EmptyAnswer, Some(204))),
            (status, _) => Ok(refused(status, response).await),
        }
    }

    async fn whole(&self, question: &Question, response: Response<Incoming>) -> Result<Ended, ResultCode> {
        if !speaks(content_type(response.headers()), false) {
            return other(response).await;
        }
        let headers = answer_headers(response.headers());
        let body = read(response.into_body(), self.bounds.max_answer).await?;
        let judged = match question {
            Question::Chat(peek) => judge_chat(&body, peek),
            Question::Infer(_) => Err(ResultCode::UnsupportedFeature.into()),
            Question::Embeddings(peek) => {
                judge_embeddings(&body, Expected { count: peek.count, dimension: peek.dimensions, base64: peek.base64 })
            }
        };
        Ok(match judged {
            Err(NoAnswer { result, counts }) => {
                Ended { result, status: Some(200), after: None, left: Left::NoAnswer(body, counts) }
            }
            Ok(answer) => {
                let (counts, envelope) = (answer.counts(), answer.envelope);
                let left = Left::Answer { headers, body, envelope, model: self.model.clone(), counts };
                Ended { result: ResultCode::Ok, status: Some(200), after: None, left }
            }
        })
    }

    async fn stream(
        &self,
        peek: &ChatPeek,
        response: Response<Incoming>,
        out: Sender<Piece>,
    ) -> Result<Ended, ResultCode> {
        if !speaks(content_type(response.headers()), true) {
            return other(response).await;
        }
        let headers = answer_headers(response.headers());
        let _ = out.send(Piece::Begin(headers, self.model.clone())).await;
        let follow = Follow::new(peek, self.bounds, out);
        let (result, error) = follow.run(response.into_body()).await;
        Ok(Ended { result, status: Some(200), after: None, left: Left::Error(error) })
    }
}

impl Path for Openai {
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, call: Call, pieces: Pieces) -> Attempting {
        Box::pin(async move {
            match self.ask(&ask, call, pieces).await {
                Ok(ended) => ended,
                Err(result) => Ended::bare(result, None),
            }
        })
    }
}

/// Looks at a 200 of another type than was asked for: often an error that came as a plain body, or nothing. What is neither
/// JSON nor text, or longer than an error, is what its type says.
async fn other(response: Response<Incoming>) -> Result<Ended, ResultCode> {
    let kind = content_type(response.headers()).map(str::to_owned);
    let may_be_error = kind.as_ref().is_none_or(|kind| kind.contains("json") || kind.starts_with("text/plain"));
    let body = match may_be_error || response.body().is_end_stream() {
        true => read(response.into_body(), MOST_ERROR).await,
        false => Err(ResultCode::AnswerTooLarge),
    };
    let body = match body {
        Err(ResultCode::AnswerTooLarge) => return Ok(Ended::bare(ResultCode::WrongContentType, Some(200))),
        body => body?,
    };
    let result = match body.trim_ascii() {
        [] => ResultCode::EmptyAnswer,
        _ => classify_http(Head { status: 200, content_type: kind.as_deref(), push_back: false }, &body),
    };
    Ok(Ended { result, status: Some(200), after: None, left: Left::Error(body) })
}

/// Reads an error answer as far as somebody may have to see it.
async fn refused(status: StatusCode, response: Response<Incoming>) -> Ended {
    let headers = response.headers();
    let (push_back, after) = (push_back::is_said(headers), push_back::read(headers, Timestamp::now()));
    let content_type = content_type(headers).map(str::to_owned);
    let status = status.as_u16();
    let body = read(response.into_body(), MOST_ERROR).await.unwrap_or_default();
    let result = classify_http(Head { status, content_type: content_type.as_deref(), push_back }, &body);
    Ended { result, status: Some(status), after, left: Left::Error(body) }
}

fn request_headers(ask: &Ask) -> HeaderMap {
    let mut headers = ask.headers.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if ask.is_stream() { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers
}

/// Keeps what a client may see of an upstream's headers (`protocols.md`, section 4.4).
fn answer_headers(headers: &HeaderMap) -> HeaderMap {
    // What the Connection header names is for us alone (HP-08).
    let hop = |name: &str| {
        let named = headers.get_all(header::CONNECTION).iter().filter_map(|it| it.to_str().ok());
        named.flat_map(|it| it.split(',')).any(|it| it.trim().eq_ignore_ascii_case(name))
    };
    let may = |name: &str| (name.starts_with("openai-") || name.starts_with("x-ratelimit-")) && !hop(name);
    headers.iter().filter(|(name, _)| may(name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}
