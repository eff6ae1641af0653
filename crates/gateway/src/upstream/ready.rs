//! Ready: what a replica says when it is asked whether it is ready (F-111 to F-114).
//!
//! An `oip` server is asked a question that it answers by yes or no. An `openai` server has none: it is asked for its models,
//! which costs nothing; that it cannot say them is no proof that it cannot answer, so an error counts as busy.

use evenkeel_config::UpstreamProtocol;
use evenkeel_core::{Found, ResultCode};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy;

use super::{Call, Called, Upstream, fault};
use crate::{
    protocol::oip_grpc::{
        look,
        status::{Refused, classify},
    },
    rope::Rope,
};

/// Bytes of an answer that are read, so that its connection can be used again.
const MOST: usize = 256 << 10;

impl Upstream {
    /// Asks a replica whether it is ready; none where that could not be asked for a reason of our own (F-106).
    pub(crate) async fn is_ready(&self, replica: usize) -> Option<Found> {
        let path = match self.protocol {
            UpstreamProtocol::Openai => "/models",
            UpstreamProtocol::Oip => "/v2/health/ready",
            // The core asks for no probe of it.
            UpstreamProtocol::Feast => "/health",
            UpstreamProtocol::OipGrpc => return self.says_that_it_is_ready(replica).await,
        };
        let Ok(mut request) = self.request(Method::GET, path, replica) else { return Some(Found::Unknown) };
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        // On a connection of its own: one that was kept may be stale, and one that waits for a probe says nothing of the next.
        match self.fresh.request(request).await {
            Ok(response) => Some(self.said(response).await),
            Err(error) => unsaid(&error),
        }
    }

    /// Asks over gRPC. Who does not know the method tells nothing.
    async fn says_that_it_is_ready(&self, replica: usize) -> Option<Found> {
        let call = Call { replica, budget: u64::MAX, fresh: true };
        Some(match self.call("ServerReady", HeaderMap::new(), (Rope::default(), MOST), call).await {
            Ok(Called::Message(message)) => match look::is_said(message) {
                Ok(true) => Found::Good,
                Ok(false) => Found::Refused,
                Err(_) => Found::Unknown,
            },
            Ok(Called::Refused { code, message, push_back, .. }) => {
                let (_, status) = classify(Refused { code, message: &message, push_back });
                StatusCode::from_u16(status).map_or(Found::Unknown, |status| read(self.protocol, status))
            }
            Ok(Called::Status { status, .. }) => read(self.protocol, status),
            Err(ResultCode::OwnLimit) => return None,
            Err(ResultCode::ConnectFailed | ResultCode::Reset | ResultCode::Unsent) => Found::Refused,
            Err(_) => Found::Unknown,
        })
    }

    async fn said(&self, response: Response<Incoming>) -> Found {
        let found = read(self.protocol, response.status());
        // A body that never comes is an answer that did not come in time.
        drop(Limited::new(response.into_body(), MOST).collect().await);
        found
    }
}

/// Reads a status. One that asks to come again later is busy; one that turns us away, or does not know what we ask for, tells
/// nothing. What is left of the others is a no, where the question is one of yes or no.
fn read(protocol: UpstreamProtocol, status: StatusCode) -> Found {
    match (status.as_u16(), protocol) {
        (200..=299, _) => Found::Good,
        (408 | 425 | 429, _) => Found::Busy,
        (300..=399 | 401 | 403 | 404 | 405 | 501, _) => Found::Unknown,
        (500..=599, UpstreamProtocol::Openai) => Found::Busy,
        (_, UpstreamProtocol::Openai) => Found::Unknown,
        (_, UpstreamProtocol::Oip | UpstreamProtocol::OipGrpc | UpstreamProtocol::Feast) => Found::Refused,
    }
}

/// Reads that no answer came.
fn unsaid(error: &legacy::Error) -> Option<Found> {
    if fault::is_timeout(error) {
        return Some(Found::Busy);
    }
    match fault::classify(error) {
        ResultCode::OwnLimit => None,
        ResultCode::ConnectFailed | ResultCode::Reset | ResultCode::Unsent => Some(Found::Refused),
        // A resolver's failure is no server's (F-033); a peer that is not the one that we expect says nothing of it.
        _ => Some(Found::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_113_f_114_a_status_says_ready_not_ready_busy_or_nothing() {
        use Found::{Busy, Good, Refused, Unknown};
        for (status, oip, openai) in [
            (200, Good, Good),
            (204, Good, Good),
            (302, Unknown, Unknown),
            (400, Refused, Unknown),
            (401, Unknown, Unknown),
            (403, Unknown, Unknown),
            (404, Unknown, Unknown),
            (405, Unknown, Unknown),
            (408, Busy, Busy),
            (422, Refused, Unknown),
            (425, Busy, Busy),
            (429, Busy, Busy),
            (500, Refused, Busy),
            (501, Unknown, Unknown),
            (503, Refused, Busy),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            let found = [UpstreamProtocol::Oip, UpstreamProtocol::Openai].map(|protocol| read(protocol, status));
            assert_eq!(found, [oip, openai], "{status}");
        }
    }
}
