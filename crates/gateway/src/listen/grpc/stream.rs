//! Stream: `ModelStreamInfer`: requests that come one by one and are answered one by one, each its own decision.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6; OIP-31.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::{Code, Fault, Frames, frames::framed, infer, part, respond, status};
use crate::{
    gateway::{Phase, Shared, reached},
    listen::body::{Body, Said},
    protocol::oip_grpc::{
        answer::{error_in_stream, in_stream},
        request::Asked,
    },
    rope::Rope,
};

/// Answers that wait for their client: the next request is not read before there is room.
const UNREAD: usize = 1;

/// Begins to answer a stream.
pub(super) fn answer(shared: &Arc<Shared>, headers: HeaderMap, frames: Frames<Incoming>) -> Response<Body> {
    let (said, receiver) = mpsc::channel(UNREAD);
    let shared = shared.clone();
    #[expect(clippy::disallowed_methods, reason = "it ends with the body of its answer, which the connection holds")]
    tokio::spawn(async move {
        let end = tokio::select! {
            biased;
            () = said.closed() => return,
            end = converse(&shared, headers, frames, &said) => end,
        };
        // Who has left hears no end.
        let _ = said.send(Said::End(end)).await;
    });
    respond(HeaderMap::new(), Body::messages(receiver))
}

/// Answers requests until there are no more; returns how the stream ends.
async fn converse(
    shared: &Arc<Shared>,
    headers: HeaderMap,
    mut frames: Frames<Incoming>,
    said: &mpsc::Sender<Said>,
) -> HeaderMap {
    let mut phase = shared.phase.subscribe();
    let mut end = HeaderMap::new();
    loop {
        let mut held = shared.bodies.hold();
        let next = tokio::select! {
            biased;
            () = reached(&mut phase, Phase::Draining) => {
                status(&mut end, Code::UNAVAILABLE, "this replica is stopping");
                return end;
            }
            next = frames.next(&mut held) => next,
        };
        let message = match next {
            Ok(Some(message)) => message,
            Ok(None) => {
                status(&mut end, Code::OK, "");
                return end;
            }
            // Where the next message begins, nobody knows.
            Err(fault) => {
                shared.events.refused(fault.kind);
                status(&mut end, Code::of(fault.problem), &fault.message);
                return end;
            }
        };
        let id = id_of(&message);
        let answer = match infer(shared, headers.clone(), message, held).await {
            // Its guard lives until the answer is on its way.
            Ok((reply, _presence)) => part(reply).1.map_err(|(_, message)| message),
            Err(Fault { kind, message, .. }) => {
                shared.events.refused(kind);
                Err(message)
            }
        };
        let answer = answer.map_or_else(|message| error_in_stream(&message, &id), in_stream);
        if said.send(Said::Message(framed(answer))).await.is_err() {
            return end;
        }
    }
}

/// Returns the id of a request, where it has one that can be read.
fn id_of(message: &Bytes) -> String {
    Asked::read(message.clone()).map(|asked| asked.id).unwrap_or_default()
}

impl Said {
    /// One message, for those who send what is no inference.
    pub(super) fn message(message: Rope) -> Self {
        Self::Message(framed(message))
    }
}
