//! Listen: accepts connections, reads requests, and hands them on; HTTP/1.1 and HTTP/2 on one port.
//!
//! What a client got wrong is answered here, before admission: no core input, no upstream call, no evidence.

mod accept;
mod address;
mod admit;
mod bare;
mod body;
mod coding;
mod completions;
mod connection;
mod connections;
mod encrypt;
mod enriched;
mod farewell;
mod feedback;
mod grpc;
mod inference;
mod inspect;
mod proper;
mod pulse;
mod read;
mod socket;
mod streams;
mod terms;
mod wants;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use jiff::Timestamp;

pub(crate) use self::{accept::accept, connections::Connections};
use self::{address::Address, body::Body};
use crate::{
    gateway::Shared,
    protocol::{front::Front, problem::Problem},
    reply::{self, Reply},
    rope::Rope,
    snapshot::Applied,
};

/// A request that is answered before it is admitted.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) problem: Problem,
    /// The kind that it is counted as.
    pub(crate) kind: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    /// The route that was meant, where that is known.
    pub(crate) route: Option<String>,
    /// Nothing more is read from the connection.
    pub(crate) close: bool,
}

impl Fault {
    pub(crate) fn new(problem: Problem, kind: &'static str, message: impl Into<String>) -> Self {
        Self { problem, kind, param: None, message: message.into(), route: None, close: false }
    }

    /// One of a request that means a route, where there is one of that name: no other name is repeated (CL-11).
    pub(crate) fn on(self, applied: &Applied, name: &str) -> Self {
        let known = || applied.deployment.revision.route(name).map(|_| name.to_owned());
        Self { route: self.route.or_else(known), ..self }
    }

    /// One after which the connection is closed.
    pub(crate) fn closing(problem: Problem, kind: &'static str, message: impl Into<String>) -> Self {
        Self { close: true, ..Self::new(problem, kind, message) }
    }
}

async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let asked_id = request_id(request.headers());
    let front = Address::front(request.uri().path());
    let version = request.version();
    let verbs = Address::of(request.uri().path()).verbs();
    if grpc::is_asked(&request) {
        let mut response = grpc::answer(shared, request).await;
        identify(shared, asked_id, &mut response);
        return response;
    }
    let mut response = match route(shared, request).await {
        Ok(response) => response,
        Err(fault) => {
            shared.events.refused(fault.kind);
            let mut response = refuse(front, &fault);
            // HTTP/2 closes streams, not connections.
            if fault.close && version < Version::HTTP_2 {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    };
    identify(shared, asked_id, &mut response);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(verbs));
    }
    if head {
        *response.body_mut() = Body::from(Rope::default());
    }
    response
}

/// Gives an answer an id that its client can name: its own, that of the decision, or one of its own kind.
fn identify(shared: &Shared, asked: Option<HeaderValue>, response: &mut Response<Body>) {
    let decision = response.headers().get("evenkeel-decision").cloned();
    let id = asked.or(decision).or_else(|| shared.entropy.ulid(Timestamp::now()).parse().ok());
    if let Some(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
}

async fn route(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
    proper::check(&request)?;
    let address = Address::of(request.uri().path());
    let verb_fits = address.verbs().split(", ").any(|verb| verb == request.method());
    match address {
        Address::Unknown => Err(Fault::new(Problem::UnknownUrl, "unknown_url", "there is nothing at this address")),
        Address::NotOffered => {
            Err(Fault::new(Problem::NotOffered, "not_offered", "this part of the API is not offered"))
        }
        _ if !verb_fits => {
            Err(Fault::new(Problem::MethodNotAllowed, "method_not_allowed", "this address takes another verb"))
        }
        Address::Chat => completions::chat(shared, request).await,
        Address::Embeddings => completions::embeddings(shared, request).await,
        Address::Feedback => feedback::answer(shared, request).await,
        Address::Infer(model) => inference::infer(shared, &model, request).await,
        Address::Oip(what) => inference::look(shared, &what),
        other => inspect::answer(shared, &other),
    }
}

fn refuse(front: Front, fault: &Fault) -> Response<Body> {
    let mut headers = reply::json(of_route(fault));
    reply::hold_back(fault.problem.status(), &mut headers);
    if fault.problem == Problem::UnknownEncoding {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, deflate"));
    }
    let body = front.error_body(fault.problem, &fault.message, fault.param.as_deref());
    send(Reply::Whole { status: fault.problem.status(), headers, body: body.into() }, None)
}

/// Returns the header that names the route that was meant, where that is known.
fn of_route(fault: &Fault) -> HeaderMap {
    let route = fault.route.as_ref().and_then(|name| HeaderValue::from_str(name).ok());
    route.map(|name| (HeaderName::from_static("evenkeel-route"), name)).into_iter().collect()
}

/// Turns a reply into a response; `presence` lives as long as somebody reads.
fn send(reply: Reply, presence: Option<crate::driver::request::Presence>) -> Response<Body> {
    let (status, headers, body) = match reply {
        Reply::Whole { status, headers, body } => (status, headers, Body::from(body)),
        Reply::Stream { headers, events } => (200, headers, Body::stream(events, presence)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = headers;
    response
}

/// Returns the client's own id of a request, where it is one that can be repeated: 1 to 128 visible characters.
fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get("x-request-id")?;
    let visible = id.as_bytes().iter().all(u8::is_ascii_graphic);
    (visible && (1..=128).contains(&id.len())).then(|| id.clone())
}
