//! Chat completions and embeddings: reads the request, finds its route, and waits for what the driver brings.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{Features, Operation, Protocol, RouteId};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;

use super::{Fault, body::Body, read, send, terms};
use crate::{
    ask::{Ask, Question},
    driver::request::{Submission, Terms, submit},
    gateway::Shared,
    protocol::{
        openai::peek::{BadRequest, peek_chat, peek_embeddings},
        problem::Problem,
    },
    reply,
    snapshot::Applied,
};

/// Tokens that an answer is expected to have where the client does not say (F-044).
const EXPECTED_TOKENS: u64 = 512;

/// Answers a chat completion.
pub(super) async fn chat(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    let (headers, body) = read_request(shared, request).await?;
    let peek = peek_chat(&body).map_err(bad_request)?;
    let operation = if peek.stream { Operation::ChatStream } else { Operation::Chat };
    let expected = peek.max_tokens.unwrap_or(EXPECTED_TOKENS).min(EXPECTED_TOKENS);
    let (tokens, needs) = (peek.text_bytes as u64 / 8, peek.needs);
    let weight = Weight { operation, cost: (body.len() as u64 / 4 + expected) * 1_000, tokens, needs };
    let model = peek.model.clone();
    answer(shared, Asked { headers, body, question: Question::Chat(peek), model, weight }).await
}

/// Answers an embeddings request.
pub(super) async fn embeddings(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    let (headers, body) = read_request(shared, request).await?;
    let peek = peek_embeddings(&body).map_err(bad_request)?;
    let tokens = peek.text_bytes as u64 / 8;
    let cost = (body.len() as u64 / 4).max(1) * 1_000;
    let weight = Weight { operation: Operation::Embeddings, cost, tokens, needs: Features::NONE };
    let model = peek.model.clone();
    answer(shared, Asked { headers, body, question: Question::Embeddings(peek), model, weight }).await
}

/// What a request weighs.
struct Weight {
    operation: Operation,
    cost: u64,
    tokens: u64,
    needs: Features,
}

struct Asked {
    headers: HeaderMap,
    body: Bytes,
    question: Question,
    model: String,
    weight: Weight,
}

async fn read_request(shared: &Shared, request: Request<Incoming>) -> Result<(HeaderMap, Bytes), Fault> {
    let most = shared.applied.load().deployment.server.max_body.0;
    let (head, body) = request.into_parts();
    let body = read::body(&head.headers, body, most).await?;
    Ok((head.headers, body))
}

fn bad_request(wrong: BadRequest) -> Fault {
    Fault { param: wrong.param, ..Fault::new(Problem::Invalid, "bad_request", wrong.message) }
}

async fn answer(shared: &Arc<Shared>, asked: Asked) -> Result<Response<Body>, Fault> {
    let (headers, weight) = (&asked.headers, &asked.weight);
    let terms = Terms {
        operation: weight.operation,
        entropy: shared.entropy.draw(),
        deadline: terms::deadline(headers, weight.operation.is_stream()),
        max_tier: terms::max_tier(headers)?,
        cost: weight.cost,
        tokens: weight.tokens,
        needs: weight.needs,
    };
    let now = Timestamp::now();
    let mut ask = Arc::new(Ask {
        question: asked.question,
        body: asked.body,
        headers: terms::forwarded(headers)?,
        decision: shared.entropy.ulid(now),
        revision: String::new(),
        created: u64::try_from(now.as_second()).unwrap_or(0),
    });
    let (reply, presence) = loop {
        let applied = shared.applied.load_full();
        let route = find(&applied, &asked.model, weight.operation)?;
        if let Some(ask) = Arc::get_mut(&mut ask) {
            ask.revision.clone_from(&applied.name);
        }
        let submission = Submission { applied, route, ask: ask.clone(), terms };
        // None means that a reload came in between: the request is made again, on the new revision.
        if let Some(submitted) = submit(&shared.driver, &shared.events, submission) {
            break submitted;
        }
    };
    match reply.await {
        Ok(reply) => Ok(send(reply, Some(presence))),
        Err(_) => {
            shared.events.lost();
            let message = "the request was lost inside the gateway; it may be sent again";
            Ok(send(reply::refused(Problem::Overloaded, message, HeaderMap::new(), Some(1_000_000_000)), None))
        }
    }
}

/// Finds the route that a client names as `model`; an unknown name is not repeated (CL-11).
fn find(applied: &Applied, model: &str, operation: Operation) -> Result<RouteId, Fault> {
    let revision = &applied.deployment.revision;
    let unknown = |message: &str| Fault {
        param: Some("model".into()),
        ..Fault::new(Problem::UnknownModel, "unknown_model", message)
    };
    let route = revision.route(model).ok_or_else(|| unknown("there is no route of this name; see GET /v1/models"))?;
    let speaks = match operation {
        Operation::Chat | Operation::ChatStream => Protocol::OpenaiChat,
        Operation::Embeddings => Protocol::OpenaiEmbeddings,
        Operation::Infer => Protocol::Oip,
    };
    match revision.routes[route.index()].protocol == speaks {
        true => Ok(route),
        false => Err(unknown("this route does not answer at this address")),
    }
}
