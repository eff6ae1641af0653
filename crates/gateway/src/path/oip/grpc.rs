//! A model on a server that speaks the Open Inference Protocol over gRPC.
//!
//! The request goes as raw bytes, which every server reads; the answer is read raw or typed, as it came.

use std::{sync::Arc, time::Duration};

use evenkeel_core::ResultCode;
use http::HeaderMap;

use super::{Lacking, MOST_SAID, READY, forgotten, learned::Learned, signatures::Signatures};
use crate::{
    ask::{Ask, Inference, Question},
    path::{Attempting, Ended, Left, Path, Pieces},
    protocol::{
        oip_grpc::{
            answer, look,
            request::{encode, encode_model},
            status::{Refused, classify},
        },
        oip_rest::{error::error_body, request},
    },
    tensor::{Infer, Mapping},
    upstream::{Call, Called, Upstream},
};

/// Bytes of an answer of yes or no.
const MOST_ANSWERED: usize = 1 << 10;

/// A model on a gRPC server.
pub(super) struct OipGrpc {
    pub(super) upstream: Arc<Upstream>,
    pub(super) model: String,
    /// Its version; empty where the server chooses.
    pub(super) version: String,
    pub(super) mapping: Mapping,
    pub(super) learned: Learned,
    pub(super) signatures: Signatures,
    pub(super) max_answer: usize,
    pub(super) lacking: Lacking,
}

impl OipGrpc {
    async fn ask(&self, ask: &Ask, call: Call) -> Result<Ended, ResultCode> {
        let Question::Infer(Inference { infer, .. }) = &ask.question else {
            // `check` lets such a path stand on an `oip` route only.
            return Err(ResultCode::UnsupportedFeature);
        };
        let told = request::Upstream { id: &ask.decision, dialect: self.learned.dialect(), budget_us: call.budget / 1_000 };
        let asked = self.mapping.asked(infer);
        let message = encode(&asked, (&self.model, &self.version), told);
        let called = self.upstream.call("ModelInfer", ask.headers.clone(), (message, self.max_answer), call).await;
        let called = called.inspect_err(|_| self.learned.doubt())?;
        self.learned.ask(call.replica);
        let ended = match called {
            Called::Message(message) => match answer::decode(message, infer, &self.mapping) {
                Ok(answer) => {
                    self.lacking.came(&self.mapping, &asked);
                    Ended { result: ResultCode::Ok, status: Some(200), after: None, left: Left::Infer(answer) }
                }
                Err(result) => Ended::bare(result, Some(200)),
            },
            Called::Refused { code, message, push_back, after } => {
                let (mut result, status) = classify(Refused { code, message: &message, push_back });
                // Neither a model that is not loaded is a fault of the client, nor one that has no such output, whatever its
                // server says.
                if result == ResultCode::CallerInvalid {
                    result = match self.is_ready(call).await {
                        false => ResultCode::ModelMissing,
                        true if self.lacks(&asked, call).await => ResultCode::OutputMissing,
                        true => result,
                    };
                }
                // A gateway says so that a sequence is lost.
                let status = if code == 9 && ask.turn().is_some() { 409 } else { status };
                Ended { result, status: Some(status), after, left: Left::Error(error_body(&message)) }
            }
            Called::Status { status, push_back, after } => {
                let result = of_proxy(status.as_u16(), push_back);
                Ended { result, status: Some(status.as_u16()), after, left: Left::Nothing }
            }
        };
        Ok(self.signatures.judge(infer, forgotten(ask, ended)))
    }

    /// Asks whether the model is ready. Who does not say in time is not said to be unready.
    async fn is_ready(&self, call: Call) -> bool {
        let message = encode_model(&self.model, &self.version);
        let asking = self.upstream.call("ModelReady", HeaderMap::new(), (message, MOST_ANSWERED), call);
        match tokio::time::timeout(READY.min(Duration::from_nanos(call.budget)), asking).await {
            Ok(Ok(Called::Message(message))) => look::is_said(message).unwrap_or(true),
            // Who knows no such model says so in many ways; who knows no such method, or has no time, says nothing.
            Ok(Ok(Called::Refused { code, .. })) => matches!(code, 4 | 8 | 12 | 14),
            Ok(Err(ResultCode::OwnLimit)) => true,
            Ok(Ok(Called::Status { .. }) | Err(_)) => false,
            Err(_) => true,
        }
    }

    /// Says whether the model has not what it was asked for.
    async fn lacks(&self, asked: &Infer, call: Call) -> bool {
        self.lacking.explains((&self.mapping, asked), self.outputs(call)).await
    }

    /// Returns the outputs that the model says it has; none where it does not say in time.
    async fn outputs(&self, call: Call) -> Option<Vec<String>> {
        let message = encode_model(&self.model, &self.version);
        let asking = self.upstream.call("ModelMetadata", HeaderMap::new(), (message, MOST_SAID), call);
        match tokio::time::timeout(READY.min(Duration::from_nanos(call.budget)), asking).await {
            Ok(Ok(Called::Message(message))) => look::read_outputs(message).ok(),
            _ => None,
        }
    }
}

impl Path for OipGrpc {
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, call: Call, _: Pieces) -> Attempting {
        Box::pin(async move { self.ask(&ask, call).await.unwrap_or_else(|result| Ended::bare(result, None)) })
    }
}

/// Classifies a status of HTTP: no client has a hand in one, it is the word of a proxy, or of a server that speaks no gRPC.
fn of_proxy(status: u16, push_back: bool) -> ResultCode {
    match ResultCode::of_status(status, push_back) {
        ResultCode::CallerInvalid => ResultCode::ProtocolError,
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_003_a_server_that_speaks_no_grpc_is_no_fault_of_the_client() {
        for (status, result) in [
            (400, ResultCode::ProtocolError),
            (405, ResultCode::ProtocolError),
            (415, ResultCode::ProtocolError),
            (401, ResultCode::CredentialRejected),
            (404, ResultCode::ModelMissing),
            (429, ResultCode::RateLimited),
            (502, ResultCode::Status5xx),
        ] {
            assert_eq!(of_proxy(status, false), result, "{status}");
        }
        assert_eq!(of_proxy(503, true), ResultCode::PushBack);
    }
}
