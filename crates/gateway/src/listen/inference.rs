//! The Open Inference Protocol over REST: inferences, and what a gateway and its routes say of themselves.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{Features, Operation, RouteId, weight_of_bytes};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use super::{
    Fault,
    address::Model,
    admit::{self, Prepared, Received},
    body::Body,
    send,
};
use crate::{
    ask::{Inference, Question},
    driver::request::Size,
    gateway::{Phase, Shared},
    protocol::{
        front::Front,
        oip_rest::{
            binary::{self, Divided},
            metadata, request,
        },
        problem::Problem,
    },
    reply::{self, Reply},
    snapshot::Applied,
};

/// Bytes of the JSON before the bytes of tensors.
const MOST_JSON: usize = 8 << 20;

/// Answers an inference.
pub(super) async fn infer(
    shared: &Arc<Shared>,
    model: &Model,
    request: Request<Incoming>,
) -> Result<Response<Body>, Fault> {
    let answered = async {
        let received = admit::receive(shared, request).await?;
        let divided = divide(&received)?;
        admit::answer(shared, received, |applied, body| read(applied, model, (body, &divided))).await
    };
    answered.await.map_err(|fault| fault.on(&shared.applied.load(), &model.name))
}

/// Finds out which bytes of a body are JSON.
fn divide(received: &Received) -> Result<Divided, Fault> {
    let divided = binary::divide(&received.headers, received.body.clone()).map_err(|_| {
        let message = "Inference-Header-Content-Length must say once how many bytes of the body are JSON";
        Fault::new(Problem::Invalid, "bad_request", message)
    })?;
    match &divided {
        Divided::Tailed { json, .. } if json.len() > MOST_JSON => {
            let message = format!("the JSON before the tensors is larger than {MOST_JSON} bytes");
            Err(Fault::new(Problem::TooLarge, "too_large", message))
        }
        _ => Ok(divided),
    }
}

fn read(applied: &Applied, model: &Model, (body, divided): (&Bytes, &Divided)) -> Result<Prepared, Fault> {
    let (route, version) = find(applied, model)?;
    let infer = request::decode(divided.clone(), &applied.contracts[route.index()].now())
        .map_err(|wrong| Fault::new(Problem::Invalid, "bad_request", wrong.message))?;
    let question =
        Question::Infer(Inference { infer, version: version.into(), front: Front::Oip, enriched: None, turn: None });
    Ok(Prepared { route, question, size: size(body.len()) })
}

/// Returns how large an inference is of which so many bytes came.
pub(super) fn size(bytes: usize) -> Size {
    let bytes = bytes as u64;
    let (operation, needs) = (Operation::Infer, Features::NONE);
    Size { operation, cost: (bytes / 4).max(1) * 1_000, weight: weight_of_bytes(bytes), tokens: 0, needs }
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
            let (route, _) = find(&applied, model)?;
            let versions = &applied.deployment.routes[route.index()].versions;
            metadata::model(&model.name, versions, &applied.contracts[route.index()].now())
        }
        Look::ModelReady(model) => {
            find(&applied, model)?;
            if !is_ready(shared, model) {
                return Err(Fault::new(Problem::Exhausted, "not_ready", "no tier of this route can answer now"));
            }
            metadata::model_ready(&model.name)
        }
    };
    Ok(send(Reply::Whole { status: 200, headers: reply::json(HeaderMap::new()), body: body.into() }, None))
}

/// Says whether some tier of a route may answer now.
pub(super) fn is_ready(shared: &Shared, model: &Model) -> bool {
    let (revision, states) = shared.driver.routes();
    let state = revision.route(&model.name).map(|route| &states[route.index()]);
    state.is_some_and(|it| it.tiers.iter().any(|tier| tier.eligible))
}

/// Finds the route of a model, and which of its versions is meant; an unknown name is not repeated (CL-11).
pub(super) fn find<'a>(applied: &'a Applied, model: &Model) -> Result<(RouteId, &'a str), Fault> {
    let unknown = |why: &str| Fault::new(Problem::UnknownModel, "unknown_model", format!("{why}; see GET /v2/models"));
    let route = admit::find(applied, &model.name, Operation::Infer).map_err(unknown)?;
    let versions = &applied.deployment.routes[route.index()].versions;
    let meant = |version: &&String| model.version.as_ref().is_none_or(|asked| asked == *version);
    let version = versions.iter().find(meant);
    let version = version.ok_or_else(|| unknown(&format!("this route has version {} only", versions.join(", "))))?;
    Ok((route, version))
}
