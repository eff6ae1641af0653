//! gRPC: calls of `inference.GRPCInferenceService` and of `grpc.health.v1.Health`, on the port of everything else.
//!
//! # Invariants
//! - `GRPC-1`: a call goes the way of any other request: the same checks, one decision, one record.
//! - `GRPC-2`: requests of a stream are answered one by one, in order; one that goes wrong does not end it (OIP-31).
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6; *gRPC over HTTP/2*; ADR 5.

mod frames;
mod health;
mod stream;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;

use self::frames::Frames;
use super::{
    Fault,
    address::Model,
    admit::{self, Prepared, Received},
    body::Body,
    inference, of_route, proper, read,
};
use crate::{
    ask::{Inference, Question},
    bodies::Held,
    driver::request::Presence,
    gateway::{Phase, Shared},
    protocol::{
        front::Front,
        oip_grpc::{
            Malformed, look,
            request::Asked,
            status::{Code, percent_encode},
        },
        problem::Problem,
    },
    reply::{GRPC_STATUS, Reply},
    rope::Rope,
    snapshot::Applied,
};

const INFERENCE: &str = "/inference.GRPCInferenceService/";
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Says whether a request is a call of gRPC.
pub(super) fn is_asked(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let rest = kind.and_then(|kind| kind.strip_prefix("application/grpc"));
    request.version() == Version::HTTP_2 && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// Answers a call.
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    call(shared, request).await.unwrap_or_else(|fault| {
        shared.events.refused(fault.kind);
        refuse(&fault)
    })
}

async fn call(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    proper::check(&request)?;
    let (head, body) = request.into_parts();
    let bounds = read::Bounds::of(&shared.applied.load().deployment.server);
    let frames = Frames::new(&head.headers, body, bounds)?;
    let path = head.uri.path();
    match (path.strip_prefix(INFERENCE), path.strip_prefix(HEALTH)) {
        (Some("ModelInfer"), _) => {
            let (message, held) = only(shared, frames).await?;
            let asked = Asked::read(message.clone()).map_err(malformed)?;
            let (reply, _presence) = infer(shared, head.headers, (asked, message), held).await?;
            Ok(send(reply))
        }
        (Some("ModelStreamInfer"), _) => Ok(stream::answer(shared, head.headers, frames)),
        (Some(method), _) => {
            let (message, _held) = only(shared, frames).await?;
            tell(shared, method, message).map(said)
        }
        (_, Some("Check")) => {
            let (message, _held) = only(shared, frames).await?;
            health::check(shared, message).map(said)
        }
        (_, Some("Watch")) => {
            let (message, _held) = only(shared, frames).await?;
            health::watch(shared, message)
        }
        _ => Err(unknown()),
    }
}

fn unknown() -> Fault {
    Fault::new(Problem::UnknownUrl, "unknown_url", "there is no such method here")
}

/// Reads the one message of a call.
async fn only(shared: &Shared, mut frames: Frames<Incoming>) -> Result<(Bytes, Held), Fault> {
    let mut held = shared.bodies.hold();
    let message = frames.only(&mut held).await?;
    Ok((message, held))
}

/// Answers one inference, of which this message was read.
async fn infer(
    shared: &Arc<Shared>,
    headers: HeaderMap,
    (asked, message): (Asked, Bytes),
    held: Held,
) -> Result<(Reply, Option<Presence>), Fault> {
    let received = Received::new(headers, message, held);
    admit::ask(shared, received, |applied, body| prepare(applied, &asked, body)).await
}

fn malformed(_: Malformed) -> Fault {
    let message = "the message is not one of this method, or has more parts than a request may have";
    Fault::new(Problem::Invalid, "bad_request", message)
}

fn prepare(applied: &Applied, asked: &Asked, body: &Bytes) -> Result<Prepared, Fault> {
    let meant = |fault: Fault| fault.on(applied, &asked.model);
    let (route, version) = inference::find(applied, &model(&asked.model, &asked.version)).map_err(meant)?;
    let infer = asked
        .check(&applied.contracts[route.index()].now())
        .map_err(|wrong| meant(Fault::new(Problem::Invalid, "bad_request", wrong.message)))?;
    let size = inference::size(body.len());
    let question = Question::Infer(Inference {
        infer,
        version: version.into(),
        front: Front::OipGrpc,
        enriched: None,
        turn: None,
    });
    Ok(Prepared { route, question, size })
}

/// A model as it is named here: no version is an empty one.
fn model(name: &str, version: &str) -> Model {
    Model { name: name.into(), version: Some(version).filter(|it| !it.is_empty()).map(str::to_owned) }
}

/// Answers what is asked of the gateway or of a route.
fn tell(shared: &Arc<Shared>, method: &str, message: Bytes) -> Result<Rope, Fault> {
    let applied = shared.applied.load();
    let asked = || look::read_model(message.clone()).map(|(name, version)| model(&name, &version)).map_err(malformed);
    Ok(match method {
        "ServerLive" => look::said(true),
        "ServerReady" => look::said(*shared.phase.borrow() == Phase::Open),
        "ServerMetadata" => look::server(env!("CARGO_PKG_VERSION")),
        "ModelReady" => {
            let model = asked()?;
            inference::find(&applied, &model)?;
            look::said(inference::is_ready(shared, &model))
        }
        "ModelMetadata" => {
            let model = asked()?;
            let (route, _) = inference::find(&applied, &model)?;
            let versions = &applied.deployment.routes[route.index()].versions;
            look::model(&model.name, versions, &applied.contracts[route.index()].now())
        }
        _ => return Err(unknown()),
    })
}

/// Turns a reply into the answer of a call of one message.
fn send(reply: Reply) -> Response<Body> {
    let (headers, said) = part(reply);
    match said {
        Ok(message) => respond(headers, Body::message(frames::framed(message))),
        Err((code, message)) => end(headers, code, &message),
    }
}

/// The answer of a call that is known at once.
fn said(message: Rope) -> Response<Body> {
    respond(HeaderMap::new(), Body::message(frames::framed(message)))
}

/// Takes a reply apart: its headers, and the message, or what went wrong.
fn part(reply: Reply) -> (HeaderMap, Result<Rope, (Code, String)>) {
    let (mut headers, body) = match reply {
        Reply::Whole { headers, body, .. } => (headers, body),
        Reply::Stream { headers, .. } => (headers, Rope::default()),
    };
    match headers.remove(GRPC_STATUS).and_then(|code| code.to_str().ok()?.parse().ok()) {
        None if body.len() > frames::MOST => {
            let message = "the answer is larger than a message of gRPC can be";
            (headers, Err((Code::RESOURCE_EXHAUSTED, message.into())))
        }
        None => (headers, Ok(body)),
        Some(code) => (headers, Err((Code(code), body.to_text()))),
    }
}

fn refuse(fault: &Fault) -> Response<Body> {
    let mut headers = of_route(fault);
    if fault.problem == Problem::UnknownEncoding {
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity, gzip, deflate"));
    }
    end(headers, Code::of(fault.problem), &fault.message)
}

/// An answer without a message: all that it says stands in the headers.
fn end(mut headers: HeaderMap, code: Code, message: &str) -> Response<Body> {
    status(&mut headers, code, message);
    respond(headers, Body::from(Rope::default()))
}

/// Says how a call ended.
fn status(headers: &mut HeaderMap, code: Code, message: &str) {
    headers.insert(GRPC_STATUS, HeaderValue::from(code.0));
    if let Ok(message) = percent_encode(message).parse() {
        headers.insert("grpc-message", message);
    }
}

fn respond(mut headers: HeaderMap, body: Body) -> Response<Body> {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oip_25_an_answer_that_no_message_can_hold_is_refused_and_no_panic() {
        let piece = Bytes::from(vec![0; 1 << 20]);
        let reply = |pieces: usize| {
            let mut body = Rope::default();
            (0..pieces).for_each(|_| body.push(piece.clone()));
            part(Reply::Whole { status: 200, headers: HeaderMap::new(), body }).1
        };
        assert_eq!(reply(2_047).map(|it| it.len()), Ok(2_047 << 20));
        let (code, message) = reply(2_048).expect_err("2 GiB");
        assert_eq!((code.0, message.as_str()), (8, "the answer is larger than a message of gRPC can be"));
    }
}
