//! Upstream: connections to the replicas of one server, and what goes wrong on the way.
//!
//! It follows no redirect, reads no proxy variable and decompresses nothing. What an answer means is the path's.
//!
//! # Invariants
//! - `UP-A`: a connection is never shared between upstreams; an idle one is dropped before the server drops it (F-032).
//! - `UP-B`: an error says how far the request came: never resolved, never connected, never sent, or sent.

mod alive;
mod connect;
mod fault;
mod grpc;
mod line;
pub(crate) mod push_back;
mod ready;
mod repute;
mod resolve;

pub(crate) use fault::in_body;
pub(crate) use grpc::Called;
pub(crate) use repute::Repute;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use evenkeel_config::{Dialect, Secret, UpstreamProtocol, UpstreamSpec};
use evenkeel_core::{Nanos, ResultCode};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client, connect::dns::GaiResolver},
    rt::{TokioExecutor, TokioTimer},
};

use self::{connect::Connector, repute::Reputes, resolve::Resolver};
use crate::{rope::Rope, tls};

/// The largest block of headers of an answer; what is larger is no answer (SE-10).
const MOST_HEADERS: u32 = 64 << 10;
/// Idle connections that are kept per replica.
const IDLE_CONNECTIONS: usize = 256;

/// How one attempt is to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Which replica.
    pub(crate) replica: usize,
    /// Time left to the attempt: told to the upstream (F-021).
    pub(crate) budget: Nanos,
    /// No idle connection may be reused.
    pub(crate) fresh: bool,
}

/// A server that runs models.
pub(crate) struct Upstream {
    urls: Vec<String>,
    protocol: UpstreamProtocol,
    dialect: Dialect,
    /// By replica: it has been said that its probes are turned away.
    doubted: Vec<AtomicBool>,
    /// By replica: it has been said why nothing can be encrypted with it.
    distrusted: Vec<AtomicBool>,
    /// By model: what those know of it that ask it beside the tiers.
    reputes: Reputes,
    authorization: Option<HeaderValue>,
    pooled: Client<Connector, Rope>,
    fresh: Client<Connector, Rope>,
}

impl Upstream {
    /// Makes an upstream, without a connection yet.
    ///
    /// # Errors
    /// What is wrong with the issuers that it trusts.
    pub(crate) fn new(spec: &UpstreamSpec) -> Result<Arc<Self>, String> {
        let bearer = |secret: &Secret| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.reveal())).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        // What one learns of a name the other knows.
        let resolver = Resolver::new(GaiResolver::new(), Duration::from_nanos(spec.dns));
        let tls = tls::client(spec.issuers.as_ref())?;
        let client = |idle, resolver| client(spec, idle, Connector::new(spec, resolver, tls.clone()));
        Ok(Arc::new(Self {
            urls: spec.urls.clone(),
            protocol: spec.protocol,
            dialect: spec.dialect,
            doubted: spec.urls.iter().map(|_| AtomicBool::new(false)).collect(),
            distrusted: spec.urls.iter().map(|_| AtomicBool::new(false)).collect(),
            reputes: Reputes::default(),
            authorization: spec.api_key.as_ref().and_then(bearer),
            pooled: client(IDLE_CONNECTIONS, resolver.clone()),
            fresh: client(0, resolver),
        }))
    }

    /// Returns how many replicas it has, at least one.
    pub(crate) fn replicas(&self) -> usize {
        self.urls.len()
    }

    /// Returns what it speaks.
    pub(crate) fn protocol(&self) -> UpstreamProtocol {
        self.protocol
    }

    /// Returns the habits that are declared of an Open Inference Protocol server.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns what is known of one of its models by those that ask it beside the tiers: one for all of them.
    pub(crate) fn repute(&self, model: &str) -> Arc<Repute> {
        self.reputes.of(model)
    }

    /// Says, once for each replica, that nobody has heard yet that its probes are turned away.
    pub(crate) fn is_first_doubt(&self, replica: usize) -> bool {
        !self.doubted[replica].swap(true, Ordering::Relaxed)
    }

    /// Reads what a replica says of itself, on a connection that may be an old one; where that was kept too long, on a
    /// fresh one.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(crate) async fn look(&self, path: &str, replica: usize) -> Result<Response<Incoming>, ResultCode> {
        let mut request = self.request(Method::GET, path, replica)?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let looked = self.pooled.request(request.clone()).await.map_err(|error| self.failed(&error, replica));
        match looked {
            Err(ResultCode::Unsent) => self.fresh.request(request).await.map_err(|error| self.failed(&error, replica)),
            looked => looked,
        }
    }

    /// Reads what a replica says, on a connection of its own that is not kept: who is asked is who is there now.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(crate) async fn look_afresh(&self, path: &str, replica: usize) -> Result<Response<Incoming>, ResultCode> {
        let mut request = self.request(Method::GET, path, replica)?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        self.fresh.request(request).await.map_err(|error| self.failed(&error, replica))
    }

    /// Sends a request and returns the head of the answer.
    ///
    /// # Errors
    /// The result that says how far the request came.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: HeaderMap,
        body: Rope,
        call: Call,
    ) -> Result<Response<Incoming>, ResultCode> {
        let mut request = self.request(Method::POST, path, call.replica)?.map(|_| body);
        request.headers_mut().extend(headers);
        let millis = HeaderValue::from(call.budget / 1_000_000);
        request.headers_mut().insert("x-envoy-expected-rq-timeout-ms", millis);
        let client = if call.fresh { &self.fresh } else { &self.pooled };
        client.request(request).await.map_err(|error| self.failed(&error, call.replica))
    }

    /// Classifies a failure; why nothing can be encrypted with a replica is said once, as no record has room for it.
    fn failed(&self, error: &legacy::Error, replica: usize) -> ResultCode {
        let result = fault::classify(error);
        if result == ResultCode::TlsFailed && !self.distrusted[replica].swap(true, Ordering::Relaxed) {
            let (url, why) = (&self.urls[replica], fault::why(error));
            tracing::warn!(target: "evenkeel::upstream", url, why, "no TLS handshake; what follows alike is not logged");
        }
        result
    }

    fn request(&self, method: Method, path: &str, replica: usize) -> Result<Request<Rope>, ResultCode> {
        let uri = format!("{}{path}", self.urls[replica]);
        let uri: Uri = uri.parse().map_err(|_| ResultCode::ConnectFailed)?;
        let mut request = Request::new(Rope::default());
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }
}

fn client(spec: &UpstreamSpec, idle: usize, connector: Connector) -> Client<Connector, Rope> {
    let mut builder = Client::builder(TokioExecutor::new());
    alive::http2(&mut builder, TokioTimer::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_nanos(spec.idle))
        .pool_max_idle_per_host(idle)
        .http1_max_buf_size(MOST_HEADERS as usize)
        .http2_max_header_list_size(MOST_HEADERS)
        // gRPC is spoken over HTTP/2 alone, also where nothing is encrypted and nobody can be asked.
        .http2_only(spec.protocol == UpstreamProtocol::OipGrpc)
        .build(connector)
}
