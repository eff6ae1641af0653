//! OpenAI: chat completions, embeddings and the list of models.
//!
//! It is not picky where a provider is not: unknown keys are welcome, every model name is served.
//!
//! # Source
//! `protocols.md`, section 4.

mod chat;
mod embeddings;
mod render;

use serde_json::json;

pub(crate) use chat::{Chat, Choice, Completion, Say, Usage, is_prefilled};
pub(crate) use embeddings::Embeddings;
pub(crate) use render::{body, delta_event, events};

use super::{Ask, Call, Dialect, Work, error::ApiError, percent_decode};
use crate::{Options, reply::Reply};

/// When everything was made: a fixed time, so that equal requests have equal answers.
pub(super) const CREATED: u64 = 1_760_000_000;

/// Understands a request below `/v1` (or below nothing).
pub(super) fn read(options: &Options, method: &str, path: &str, body: &[u8]) -> Call {
    let known = match path {
        "/chat/completions" => {
            let (stream, model, ask) = chat::read(options, body);
            return gate(method, "POST", call(Work::Chat { stream }, model, ask.map(Ask::Chat)));
        }
        "/embeddings" => {
            let (model, ask) = embeddings::read(options, body);
            return gate(method, "POST", call(Work::Embeddings, model, ask.map(Ask::Embeddings)));
        }
        "/models" => Some(list(options)),
        _ => path.strip_prefix("/models/").map(|model| Reply::json(200, &card(&percent_decode(model)))),
    };
    let Some(reply) = known else {
        let error = ApiError::missing("unknown_url", "there is nothing at this address");
        return call(Work::Probe, String::new(), Err(error));
    };
    let model = path.strip_prefix("/models/").map(percent_decode).unwrap_or_default();
    gate(method, "GET", call(Work::Probe, model, Ok(Ask::Ready(Box::new(reply)))))
}

fn call(work: Work, model: String, ask: Result<Ask, ApiError>) -> Call {
    Call { work, dialect: Dialect::OpenAi, model, ask }
}

/// Refuses a wrong verb.
fn gate(method: &str, wanted: &str, call: Call) -> Call {
    if method == wanted || (wanted == "GET" && method == "HEAD") {
        return call;
    }
    let error = ApiError::new(405, "invalid_request_error", "method_not_allowed", format!("this takes {wanted}"));
    Call { ask: Err(error), ..call }
}

fn list(options: &Options) -> Reply {
    let data: Vec<_> = options.models.keys().map(|model| card(model)).collect();
    Reply::json(200, &json!({"object": "list", "data": data}))
}

fn card(model: &str) -> serde_json::Value {
    json!({"id": model, "object": "model", "created": CREATED, "owned_by": "evenkeel-mock"})
}

/// Names an answer by the number of its text.
fn answer_id(prefix: &str, number: u64) -> String {
    format!("{prefix}-{number:016x}")
}
