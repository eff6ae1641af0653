//! Listen: accepts connections, reads requests, and hands them on; HTTP/1.1 and HTTP/2 on one port.
//!
//! What a client got wrong is answered here, before admission: no core input, no upstream call, no evidence.

mod address;
mod admit;
mod body;
mod completions;
mod inference;
mod inspect;
mod read;
mod terms;

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use jiff::Timestamp;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use self::{address::Address, body::Body};
use crate::{
    gateway::Shared,
    protocol::{front::Front, problem::Problem},
    reply::{self, Reply},
};

/// The largest block of headers.
const MOST_HEADERS: u32 = 64 << 10;
/// Streams at once on one HTTP/2 connection (F-087).
const MOST_STREAMS: u32 = 100;

/// Takes connections until the gateway closes.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut closing = shared.closing.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                #[expect(clippy::disallowed_methods, reason = "a connection watches the gateway close, and a drain waits for the requests on it")]
                Ok((stream, _)) => drop(tokio::spawn(serve(shared.clone(), stream))),
                // No file descriptor is left, or the peer is gone again: neither ends the listener (PR-03).
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            () = closed(&mut closing) => return,
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // Without it, small writes wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let mut closing = shared.closing.subscribe();
    let read_timeout = Duration::from_nanos(shared.applied.load().deployment.server.read_timeout.0);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(read_timeout).max_buf_size(MOST_HEADERS as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(MOST_HEADERS)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    let begun = Arc::new(AtomicBool::new(false));
    let asked = begun.clone();
    let service = service_fn(move |request| {
        asked.store(true, Relaxed);
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(handle(&shared, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // The HTTP library's own clock starts with the first bytes that show which version is spoken; whoever sends less than
    // that, or nothing, is let go by this one (CL-06).
    let mut patience = pin!(tokio::time::sleep(read_timeout));
    let mut waited = false;
    loop {
        tokio::select! {
            // What goes wrong on a client's connection is the client's affair.
            _ = connection.as_mut() => return,
            () = closed(&mut closing) => break connection.as_mut().graceful_shutdown(),
            () = patience.as_mut(), if !waited => match begun.load(Relaxed) {
                true => waited = true,
                false => return,
            },
        }
    }
    let _ = connection.await;
}

/// Waits until the gateway closes, or is gone.
async fn closed(closing: &mut watch::Receiver<bool>) {
    drop(closing.wait_for(|closing| *closing).await);
}

/// A request that is answered before it is admitted.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) problem: Problem,
    /// The kind that it is counted as.
    pub(crate) kind: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(problem: Problem, kind: &'static str, message: impl Into<String>) -> Self {
        Self { problem, kind, param: None, message: message.into() }
    }
}

async fn handle(shared: &Arc<Shared>, request: Request<Incoming>) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    let asked_id = request_id(request.headers());
    let front = Address::front(request.uri().path());
    let verbs = Address::of(request.uri().path()).verbs();
    let mut response = match route(shared, request).await {
        Ok(response) => response,
        Err(fault) => {
            shared.events.refused(fault.kind);
            refuse(front, &fault)
        }
    };
    let decision = response.headers().get("evenkeel-decision").cloned();
    // Every answer has an id that its client can name: its own, that of the decision, or one of its own kind.
    let id = asked_id.or(decision).or_else(|| shared.entropy.ulid(Timestamp::now()).parse().ok());
    if let Some(id) = id {
        response.headers_mut().insert("x-request-id", id);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(verbs));
    }
    if head {
        *response.body_mut() = Body::from(Bytes::new());
    }
    response
}

async fn route(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Fault> {
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
        Address::Infer(model) => inference::infer(shared, &model, request).await,
        Address::Oip(what) => inference::look(shared, &what),
        other => inspect::answer(shared, &other),
    }
}

fn refuse(front: Front, fault: &Fault) -> Response<Body> {
    let mut headers = reply::json(HeaderMap::new());
    reply::hold_back(fault.problem.status(), &mut headers);
    if fault.problem == Problem::UnknownEncoding {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let body = front.error_body(fault.problem, &fault.message, fault.param.as_deref());
    send(Reply::Whole { status: fault.problem.status(), headers, body }, None)
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
