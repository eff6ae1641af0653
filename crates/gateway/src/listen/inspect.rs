//! What can be looked at on the data plane: models, status, the state of a route, the record of a decision.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde::Serialize;

use super::{Fault, address::Address, body::Body, send};
use crate::{
    gateway::Shared,
    protocol::{openai::models, problem::Problem},
    reply::{self, Reply},
    status,
};

/// Answers a look.
pub(super) fn answer(shared: &Arc<Shared>, address: &Address) -> Result<Response<Body>, Fault> {
    let applied = shared.applied.load();
    let created = u64::try_from(applied.at.as_second()).unwrap_or(0);
    let routes = &applied.deployment.revision.routes;
    let body = match address {
        Address::Models => Some(models::list(routes.iter().map(|route| route.name.as_str()), created)),
        Address::Model(id) => routes.iter().any(|route| route.name == *id).then(|| models::one(id, created)),
        Address::Status => Some(json(&status::all(&shared.driver))),
        Address::RouteState(name) => status::one(&shared.driver, &shared.events, name, &applied).map(|it| json(&it)),
        Address::Decision(id) => shared.events.find(id).map(|it| json(&it)),
        _ => None,
    };
    match (body, address) {
        (Some(body), _) => {
            let headers = reply::json(HeaderMap::new());
            Ok(send(Reply::Whole { status: 200, headers, body: body.into() }, None))
        }
        (None, Address::Decision(_)) => {
            let message = "there is no such decision among the last 10,000";
            Err(Fault::new(Problem::UnknownUrl, "unknown_decision", message))
        }
        (None, _) => {
            let message = "there is no route of this name; see GET /v1/models";
            Err(Fault::new(Problem::UnknownModel, "unknown_model", message))
        }
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("names and numbers are JSON").into()
}
