//! The Open Inference Protocol over REST: inferences, and what a gateway and its routes say of themselves.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{Features, Operation, RouteId, weight_of_bytes};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use super::{
    Fault,
    address::Model,
    admit::{self, Prepared, Size},
    body::Body,
    send,
};
use crate::{
    ask::{Inference, Question},
    gateway::{Phase, Shared},
    protocol::{
        oip_rest::{metadata, request},
        problem::Problem,
    },
    reply::{self, Reply},
    snapshot::Applied,
};

/// The one version of a route.
const VERSION: &str = "1";
/// Says how long the JSON before binary tensors is.
const BINARY: &str = "inference-header-content-length";

/// Answers an inference.
pub(super) async fn infer(
    shared: &Arc<Shared>,
    model: &Model,
    request: Request<Incoming>,
) -> Result<Response<Body>, Fault> {
    if request.headers().contains_key(BINARY) {
        let message = "binary tensors are not offered yet; send the tensors as JSON, in `data`";
        return Err(Fault::new(Problem::Invalid, "binary_tensors", message));
    }
    let received = admit::receive(shared, request).await?;
    admit::answer(shared, received, |applied, body| read(applied, model, body)).await
}

fn read(applied: &Applied, model: &Model, body: &Bytes) -> Result<Prepared, Fault> {
    let operation = Operation::Infer;
    let route = find(applied, model)?;
    let infer = request::decode(body, &applied.contracts[route.index()])
        .map_err(|wrong| Fault::new(Problem::Invalid, "bad_request", wrong.message))?;
    let cost = (body.len() as u64 / 4).max(1) * 1_000;
    let question = Question::Infer(Inference { infer, version: VERSION.into() });
    let size = Size { operation, cost, weight: weight_of_bytes(body.len() as u64), tokens: 0, needs: Features::NONE };
    Ok(Prepared { route, question, size })
}

/// What can be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Server,
    Live,
    Ready,
    Models,
    Model(Model),
    ModelReady(Model),
}

/// Answers a look.
pub(super) fn look(shared: &Arc<Shared>, what: &Look) -> Result<Response<Body>, Fault> {
    let applied = shared.applied.load();
    let body = match what {
        Look::Server => metadata::server(env!("CARGO_PKG_VERSION")),
        Look::Live => metadata::live(),
        Look::Ready if *shared.phase.borrow() != Phase::Open => {
            return Err(Fault::new(Problem::Overloaded, "draining", "this replica is stopping"));
        }
        Look::Ready => metadata::ready(),
        Look::Models => {
            let routes = applied.deployment.revision.routes.iter();
            let speaks = routes.filter(|it| it.protocol == evenkeel_core::Protocol::Oip);
            metadata::models(speaks.map(|it| it.name.as_str()))
        }
        Look::Model(model) => {
            let route = find(&applied, model)?;
            metadata::model(&model.name, &[VERSION.into()], &applied.contracts[route.index()])
        }
        Look::ModelReady(model) => {
            find(&applied, model)?;
            let (revision, states) = shared.driver.routes();
            let state = revision.route(&model.name).map(|route| &states[route.index()]);
            if !state.is_some_and(|it| it.tiers.iter().any(|tier| tier.eligible)) {
                return Err(Fault::new(Problem::Exhausted, "not_ready", "no tier of this route can answer now"));
            }
            metadata::model_ready(&model.name)
        }
    };
    Ok(send(Reply::Whole { status: 200, headers: reply::json(HeaderMap::new()), body }, None))
}

/// Finds the route of a model; an unknown name is not repeated (CL-11).
fn find(applied: &Applied, model: &Model) -> Result<RouteId, Fault> {
    let unknown = |why: &str| Fault::new(Problem::UnknownModel, "unknown_model", format!("{why}; see GET /v2/models"));
    if model.version.as_ref().is_some_and(|version| version != VERSION) {
        return Err(unknown("this route has version 1 only"));
    }
    admit::find(applied, &model.name, Operation::Infer).map_err(unknown)
}
