//! Chat completions and embeddings: what is asked, of which route, and what it weighs.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{Features, Operation, RouteId, weight_of_tokens};
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;

use super::{
    Fault,
    admit::{self, Prepared},
    body::Body,
};
use crate::{
    ask::Question,
    driver::request::Size,
    gateway::Shared,
    protocol::{
        openai::peek::{BadRequest, peek_chat, peek_embeddings, peek_model},
        problem::Problem,
    },
    snapshot::Applied,
};

/// Tokens that an answer is expected to have where the client does not say (F-044).
const EXPECTED_TOKENS: u64 = 512;
/// Bytes of a token, as a rule of thumb.
const TOKEN: u64 = 4;

/// Answers a chat completion.
pub(super) async fn chat(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    json(request.headers())?;
    admit::answer(shared, admit::receive(shared, request).await?, read_chat).await
}

/// Answers an embeddings request.
pub(super) async fn embeddings(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    json(request.headers())?;
    admit::answer(shared, admit::receive(shared, request).await?, read_embeddings).await
}

/// Refuses a body that says it is something else than JSON (CL-15). A type that says nothing of what the body means, as
/// curl writes one by itself, is no lie.
fn json(headers: &HeaderMap) -> Result<(), Fault> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let vague = ["", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"];
    if kind.ends_with("/json") || kind.ends_with("+json") || vague.contains(&kind.as_str()) {
        return Ok(());
    }
    let message = "the body must be JSON, and Content-Type say `application/json`";
    Err(Fault::closing(Problem::UnknownMedia, "unknown_media", message))
}

fn read_chat(applied: &Applied, body: &Bytes) -> Result<Prepared, Fault> {
    let peek = peek_chat(body).map_err(|wrong| bad_request(applied, body, wrong))?;
    let operation = if peek.stream { Operation::ChatStream } else { Operation::Chat };
    let expected = peek.max_tokens.unwrap_or(EXPECTED_TOKENS).min(EXPECTED_TOKENS);
    let (text, needs) = (peek.text_bytes as u64, peek.needs);
    let weight = weight_of_tokens(text / TOKEN, peek.max_tokens.unwrap_or(EXPECTED_TOKENS));
    let cost = (body.len() as u64 / TOKEN + expected) * 1_000;
    let size = Size { operation, cost, weight, tokens: text / 8, needs };
    let route = find(applied, &peek.model, operation)?;
    Ok(Prepared { route, question: Question::Chat(peek), size })
}

fn read_embeddings(applied: &Applied, body: &Bytes) -> Result<Prepared, Fault> {
    let peek = peek_embeddings(body).map_err(|wrong| bad_request(applied, body, wrong))?;
    let operation = Operation::Embeddings;
    let cost = (body.len() as u64 / TOKEN).max(1) * 1_000;
    let text = peek.text_bytes as u64;
    let size =
        Size { operation, cost, weight: weight_of_tokens(text / TOKEN, 0), tokens: text / 8, needs: Features::NONE };
    let route = find(applied, &peek.model, operation)?;
    Ok(Prepared { route, question: Question::Embeddings(peek), size })
}

fn bad_request(applied: &Applied, body: &Bytes, wrong: BadRequest) -> Fault {
    let fault = Fault { param: wrong.param, ..Fault::new(Problem::Invalid, "bad_request", wrong.message) };
    match peek_model(body) {
        Some(model) => fault.on(applied, &model),
        None => fault,
    }
}

fn find(applied: &Applied, model: &str, operation: Operation) -> Result<RouteId, Fault> {
    admit::find(applied, model, operation).map_err(|why| {
        let fault = Fault::new(Problem::UnknownModel, "unknown_model", format!("{why}; see GET /v1/models"));
        Fault { param: Some("model".into()), ..fault }.on(applied, model)
    })
}
