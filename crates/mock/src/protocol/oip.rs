//! OIP: the Open Inference Protocol over REST, tensors as JSON or as bytes: health, metadata, inference of declared models.
//!
//! It is not lenient: non-finite numbers in JSON and unknown models are refused, as most servers do.
//!
//! # Source
//! `protocols.md`, sections 2.1, 2.2 and 3.

mod binary;
mod infer;
mod model;
mod sequence;
mod tensor;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) use binary::JSON_LENGTH;
pub(crate) use infer::{Answer, Infer, Output};
pub use model::{Evaluate, OipAnswer, OipModel, TensorSpec};
pub use sequence::Sums;
pub use tensor::{Tensor, TensorData};

use super::{Ask, Call, Dialect, Work, error::ApiError, percent_decode};
use crate::reply::Reply;

/// The one version that every model has.
const VERSION: &str = "1";

/// A body, and how many bytes of it are JSON, where that is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) json: Option<&'b str>,
}

/// Understands a request below `/v2`.
pub(super) fn read(models: &BTreeMap<String, OipModel>, (method, path): (&str, &str), body: Body<'_>) -> Call {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let (model, verb) = match parts[..] {
        ["models", model] => (model, ""),
        ["models", model, "versions", VERSION] => (model, ""),
        ["models", model, verb @ ("ready" | "infer")] => (model, verb),
        ["models", model, "versions", VERSION, verb @ ("ready" | "infer")] => (model, verb),
        _ => return call(Work::Probe, String::new(), server(method, path, models)),
    };
    let model = percent_decode(model);
    let found = models.get(&model).ok_or_else(|| ApiError::missing("model_not_found", format!("no model {model:?}")));
    match verb {
        "infer" => {
            let ask = found.and_then(|found| post(method).and_then(|()| infer::read(&model, found, body)));
            call(Work::Infer, model, ask.map(Ask::Infer))
        }
        verb => {
            let answer = found.map(|found| if verb == "ready" { ready(&model) } else { metadata(&model, found) });
            let ask = answer.and_then(|answer| get(method).map(|()| ready_made(&answer)));
            call(Work::Probe, model, ask)
        }
    }
}

fn call(work: Work, model: String, ask: Result<Ask, ApiError>) -> Call {
    Call { work, dialect: Dialect::Oip, model, ask }
}

fn ready_made(answer: &Value) -> Ask {
    Ask::Ready(Box::new(Reply::json(200, answer)))
}

fn get(method: &str) -> Result<(), ApiError> {
    verb(matches!(method, "GET" | "HEAD"), "GET")
}

fn post(method: &str) -> Result<(), ApiError> {
    verb(method == "POST", "POST")
}

fn verb(right: bool, wanted: &str) -> Result<(), ApiError> {
    let wrong = || ApiError::new(405, "invalid_request_error", "method_not_allowed", format!("this takes {wanted}"));
    if right { Ok(()) } else { Err(wrong()) }
}

/// Answers what is asked of the server, not of a model.
fn server(method: &str, path: &str, models: &BTreeMap<String, OipModel>) -> Result<Ask, ApiError> {
    let extensions = ["binary_tensor_data", "parameters"];
    let answer = match path {
        "" => json!({"name": "evenkeel-mock", "version": env!("CARGO_PKG_VERSION"), "extensions": extensions}),
        "/health/live" => json!({"live": true}),
        "/health/ready" => json!({"ready": true}),
        "/models" => json!({"models": models.keys().collect::<Vec<_>>()}),
        _ => return Err(ApiError::missing("unknown_url", "there is nothing at this address")),
    };
    get(method).map(|()| ready_made(&answer))
}

fn ready(model: &str) -> Value {
    json!({"name": model, "ready": true})
}

fn metadata(name: &str, model: &OipModel) -> Value {
    json!({
        "name": name,
        "versions": [VERSION],
        "platform": model.platform(),
        "inputs": model.inputs,
        "outputs": model.outputs,
    })
}
