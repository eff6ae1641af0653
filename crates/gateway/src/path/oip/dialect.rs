//! What a server understands by the protocol: what the configuration says, else what the server says of itself.
//!
//! # Invariants
//! - `DIAL-1`: nobody waits for it: while a server has not said what it is, it gets the plain specification.
//! - `DIAL-2`: a server that cannot speak yet is not plain for ever: it is asked again, with a pause in between.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use evenkeel_config as config;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{
    path::read,
    protocol::{oip_grpc::look, oip_rest::Dialect},
    rope::Rope,
    upstream::{Call, Called, Upstream},
};

/// How long a server is given to say what it is.
const WAIT: Duration = Duration::from_secs(2);
/// How long one that has not said it is left alone: a server that starts gets four questions a second, not one for each
/// inference.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of what it says that are read.
const MOST: usize = 64 << 10;

/// A dialect that may have to be learned.
#[derive(Debug)]
pub(super) struct Learned {
    declared: Option<Dialect>,
    said: ArcSwapOption<Dialect>,
    /// Nobody has asked since the server was last out of reach.
    stale: AtomicBool,
}

impl Learned {
    pub(super) fn new(declared: config::Dialect) -> Arc<Self> {
        let declared = match declared {
            config::Dialect::Auto => None,
            config::Dialect::Triton => Some(Dialect::Triton),
            config::Dialect::Mlserver => Some(Dialect::Mlserver),
            config::Dialect::Kserve => Some(Dialect::Kserve),
            config::Dialect::Plain => Some(Dialect::Plain),
        };
        Arc::new(Self { declared, said: ArcSwapOption::empty(), stale: AtomicBool::new(true) })
    }

    /// Returns what is known by now.
    pub(super) fn now(&self) -> Dialect {
        self.declared.or_else(|| self.said.load().as_deref().copied()).unwrap_or(Dialect::Plain)
    }

    /// Asks the server what it is, where that is not known.
    pub(super) fn ask(self: &Arc<Self>, upstream: &Arc<Upstream>) {
        if self.declared.is_some() || !self.stale.swap(false, Ordering::Relaxed) {
            return;
        }
        let (this, upstream) = (self.clone(), upstream.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by WAIT, and a server that was not asked in time is asked again"
        )]
        tokio::spawn(async move {
            match tokio::time::timeout(WAIT, said(&upstream)).await {
                Ok(Some(said)) => this.said.store(Some(Arc::new(said))),
                Ok(None) | Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    this.doubt();
                }
            }
        });
    }

    /// A server that could not be reached may come back as another one: it is asked again when it answers.
    pub(super) fn doubt(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }
}

/// Reads what a server says of itself: its name; or that it says nothing, which is plain. None where it could not speak,
/// as one that starts behind a proxy.
async fn said(upstream: &Upstream) -> Option<Dialect> {
    if upstream.protocol() == config::UpstreamProtocol::OipGrpc {
        return said_over_grpc(upstream).await;
    }
    #[derive(Deserialize)]
    struct Server {
        name: String,
    }
    let response = upstream.look("/v2", 0).await.ok()?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            return Some(Dialect::Plain);
        }
        _ => return None,
    }
    let body = read(response.into_body(), MOST).await.ok()?;
    let Server { name } = serde_json::from_slice(&body).ok()?;
    Some(named(&name))
}

/// The same over gRPC.
async fn said_over_grpc(upstream: &Upstream) -> Option<Dialect> {
    let call = Call { replica: 0, budget: WAIT.as_nanos() as u64, fresh: false };
    match upstream.call("ServerMetadata", HeaderMap::new(), (Rope::default(), MOST), call).await.ok()? {
        Called::Message(message) => look::read_server(message).ok().map(|name| named(&name)),
        // It has no such method.
        Called::Refused { code: 12, .. } => Some(Dialect::Plain),
        Called::Refused { .. } | Called::Status { .. } => None,
    }
}

fn named(name: &str) -> Dialect {
    match name.to_ascii_lowercase() {
        name if name.contains("triton") => Dialect::Triton,
        name if name.contains("mlserver") => Dialect::Mlserver,
        name if name.contains("kserve") => Dialect::Kserve,
        _ => Dialect::Plain,
    }
}
