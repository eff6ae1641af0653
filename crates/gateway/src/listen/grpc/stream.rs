//! Stream: `ModelStreamInfer`: requests that come one by one and are answered one by one, each its own decision.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6; OIP-31.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Response};
use hyper::body::Incoming;
use tokio::{sync::mpsc, time::Instant};

use super::{Code, Fault, Frames, frames::framed, infer, malformed, part, respond, status};
use crate::{
    gateway::{Phase, Shared, reached},
    listen::{
        body::{Body, Said},
        terms,
    },
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
    // The time of the call is that of the whole stream.
    let deadline = terms::grpc_timeout(&headers).map(|most| Instant::now() + Duration::from_nanos(most));
    loop {
        let mut held = shared.bodies.hold();
        let next = tokio::select! {
            biased;
            () = passed(deadline) => {
                status(&mut end, Code::DEADLINE_EXCEEDED, "the time of the stream is over");
                return end;
            }
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
        let asked = Asked::read(message.clone()).map_err(malformed);
        // Where it cannot be read, nobody knows which it was.
        let id = asked.as_ref().map(|asked| asked.id.clone()).unwrap_or_default();
        let answered = match asked {
            Ok(asked) => infer(shared, left(&headers, deadline), (asked, message), held).await,
            Err(fault) => Err(fault),
        };
        let answer = match answered {
            Ok((reply, _)) => part(reply).1.map_err(|(_, message)| message),
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

/// Waits until a deadline has passed; for ever where there is none.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Returns the headers of a call with what is left of its time.
fn left(headers: &HeaderMap, deadline: Option<Instant>) -> HeaderMap {
    let mut headers = headers.clone();
    if let Some(deadline) = deadline {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis().min(99_999_999);
        headers.insert("grpc-timeout", format!("{left}m").parse().expect("digits and a letter"));
    }
    headers
}

impl Said {
    /// One message, for those who send what is no inference.
    pub(super) fn message(message: Rope) -> Self {
        Self::Message(framed(message))
    }
}
