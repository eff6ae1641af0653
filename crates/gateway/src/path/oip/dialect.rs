//! What a server understands by the protocol: what the configuration says, else what the server says of itself.
//!
//! # Invariants
//! - `DIAL-1`: nobody waits for it: while a server has not said what it is, it gets the plain specification.
//! - `DIAL-2`: a server that cannot speak yet is not plain for ever: it is asked again (`STAND-2`).
//!
//! # Source
//! `docs/design/protocols.md`, section 3.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use evenkeel_config as config;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::standing::{Heard, Standing, WAIT};
use crate::{
    path::read,
    protocol::{oip_grpc::look, oip_rest::Dialect},
    rope::Rope,
    upstream::{Call, Called, Upstream},
};

/// Bytes of what it says that are read.
const MOST: usize = 64 << 10;

/// A dialect that may have to be learned.
#[derive(Debug)]
pub(super) struct Spoken {
    declared: Option<Dialect>,
    said: ArcSwapOption<Dialect>,
    standing: Arc<Standing>,
}

impl Spoken {
    pub(super) fn new(declared: config::Dialect) -> Arc<Self> {
        let declared = match declared {
            config::Dialect::Auto => None,
            config::Dialect::Triton => Some(Dialect::Triton),
            config::Dialect::Mlserver => Some(Dialect::Mlserver),
            config::Dialect::Kserve => Some(Dialect::Kserve),
            config::Dialect::Plain => Some(Dialect::Plain),
        };
        Arc::new(Self { declared, said: ArcSwapOption::empty(), standing: Standing::new() })
    }

    /// Returns what is known by now.
    pub(super) fn now(&self) -> Dialect {
        self.declared.or_else(|| self.said.load().as_deref().copied()).unwrap_or(Dialect::Plain)
    }

    /// Asks a replica what it is, where that is not known.
    pub(super) fn ask(self: &Arc<Self>, upstream: &Arc<Upstream>, replica: usize) {
        if self.declared.is_some() {
            return;
        }
        self.standing.ask(|| {
            let (this, upstream) = (self.clone(), upstream.clone());
            async move {
                let Some(said) = said(&upstream, replica).await else { return Heard::Nothing };
                this.said.store(Some(Arc::new(said)));
                Heard::All
            }
        });
    }

    /// It may come back as another one.
    pub(super) fn doubt(&self) {
        self.standing.doubt();
    }
}

/// Reads what a server says of itself: its name; or that it says nothing, which is plain. None where it could not speak,
/// as one that starts behind a proxy.
async fn said(upstream: &Upstream, replica: usize) -> Option<Dialect> {
    if upstream.protocol() == config::UpstreamProtocol::OipGrpc {
        return said_over_grpc(upstream, replica).await;
    }
    #[derive(Deserialize)]
    struct Server {
        name: String,
    }
    let response = upstream.look("/v2", replica).await.ok()?;
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
async fn said_over_grpc(upstream: &Upstream, replica: usize) -> Option<Dialect> {
    let call = Call { replica, budget: WAIT.as_nanos() as u64, fresh: false };
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
