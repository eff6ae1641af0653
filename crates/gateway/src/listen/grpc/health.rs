//! Health: `grpc.health.v1.Health`, which asks whether this process takes work; it says nothing of upstreams.
//!
//! # Source
//! The gRPC health checking protocol: an unknown service is NOT_FOUND to `Check`, and SERVICE_UNKNOWN to `Watch`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::sync::mpsc;

use super::{Code, Fault, malformed, respond, status};
use crate::{
    gateway::{Phase, Shared},
    listen::body::{Body, Said},
    protocol::{
        oip_grpc::look::{self, Health},
        problem::Problem,
    },
    rope::Rope,
};

/// What can be asked about besides the whole, which has no name.
const SERVICE: &str = "inference.GRPCInferenceService";

/// Answers once.
pub(super) fn check(shared: &Arc<Shared>, message: Bytes) -> Result<Rope, Fault> {
    if !is_known(message)? {
        return Err(Fault::new(Problem::UnknownModel, "unknown_service", "there is no such service here"));
    }
    Ok(look::health(now(*shared.phase.borrow())))
}

/// Answers at once, and again when that has changed; a process that stops says so, and ends it.
pub(super) fn watch(shared: &Arc<Shared>, message: Bytes) -> Result<Response<Body>, Fault> {
    let known = is_known(message)?;
    let (said, receiver) = mpsc::channel(1);
    let mut phase = shared.phase.subscribe();
    #[expect(clippy::disallowed_methods, reason = "it ends with the body of its answer, which the connection holds")]
    tokio::spawn(async move {
        let mut last = None;
        loop {
            let now = now(*phase.borrow_and_update());
            let health = if known { now } else { Health::Unknown };
            if last.replace(health) != Some(health) && said.send(Said::message(look::health(health))).await.is_err() {
                return;
            }
            if now == Health::NotServing {
                let mut end = HeaderMap::new();
                status(&mut end, Code::UNAVAILABLE, "this replica is stopping");
                // Who has left hears no end.
                let _ = said.send(Said::End(end)).await;
                return;
            }
            tokio::select! {
                () = said.closed() => return,
                changed = phase.changed() => if changed.is_err() { return },
            }
        }
    });
    Ok(respond(HeaderMap::new(), Body::messages(receiver)))
}

fn is_known(message: Bytes) -> Result<bool, Fault> {
    let (service, _) = look::read_model(message).map_err(malformed)?;
    Ok(service.is_empty() || service == SERVICE)
}

fn now(phase: Phase) -> Health {
    if phase == Phase::Open { Health::Serving } else { Health::NotServing }
}
