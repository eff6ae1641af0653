//! `oip`: a model on a server that speaks the Open Inference Protocol, over REST or over gRPC.
//!
//! The request is written in the dialect of the server; the answer is read in whatever dialect it came, and accepted by
//! the contract of the route, onto which its outputs are mapped.
//!
//! Accepted: `oip: {upstream: triton, model: fraud, version: "3"}`. Rejected by `check`: an upstream that is not declared.

mod dialect;
mod grpc;
mod lacking;
mod learned;
mod model;
mod signatures;
mod standing;

use std::{sync::Arc, time::Duration};

use evenkeel_config as config;
use evenkeel_core::ResultCode;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use jiff::Timestamp;

use self::{
    lacking::Lacking,
    learned::Learned,
    model::{Model, Place},
    signatures::Signatures,
};
use super::{Attempting, Ended, Left, Path, Pieces, Site, read};
use crate::{
    ask::{Ask, Inference, Question},
    protocol::oip_rest::{
        answer, binary,
        error::{classify_http, error_body},
        metadata, request,
    },
    tensor::{Infer, Mapping},
    upstream::{Call, Upstream, push_back},
};

/// Bytes of an error body that are read.
const MOST_ERROR: usize = 64 << 10;
/// Bytes of what a model says of itself that are read.
const MOST_SAID: usize = 64 << 10;
/// What a client reads where no tier can take its request.
const UNREAD: &str =
    "an input has values that the model's server cannot read as JSON (NaN, infinity, or bytes that are no text)";
/// How long a model is given to say whether it is ready.
const READY: Duration = Duration::from_millis(250);

/// A model on an Open Inference Protocol server.
pub(crate) struct Oip {
    upstream: Arc<Upstream>,
    /// `/v2/models/{model}`, with the version where one is named.
    model: String,
    mapping: Mapping,
    learned: Learned,
    signatures: Signatures,
    max_answer: usize,
    lacking: Lacking,
}

impl Oip {
    pub(super) fn path(kind: &config::kind::Oip, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let upstream = site.upstream.expect("the core makes a path with an upstream a remote one").clone();
        let (mapping, lacking) = (site.mapping()?, Lacking::default());
        let max_answer = usize::try_from(site.spec.max_answer).unwrap_or(usize::MAX);
        let signatures = Signatures::new(site.clock, site.known.clone());
        let learned = |place: Place| {
            let known = Some(site.known).filter(|known| site.is_first && known.is_open());
            let model = known.map(|known| Model::learn(upstream.clone(), place, known.clone()));
            Learned::new(upstream.clone(), model)
        };
        if upstream.protocol() == config::UpstreamProtocol::OipGrpc {
            let (model, version) = (kind.model.clone(), kind.version.clone().unwrap_or_default());
            let learned = learned(Place::Grpc(model.clone(), version.clone()));
            let path = grpc::OipGrpc { upstream, model, version, mapping, learned, signatures, max_answer, lacking };
            return Ok(Arc::new(path));
        }
        let version = kind.version.as_ref().map(|it| format!("/versions/{}", encoded(it))).unwrap_or_default();
        let model = format!("/v2/models/{}{version}", encoded(&kind.model));
        let learned = learned(Place::Rest(model.clone()));
        Ok(Arc::new(Self { upstream, model, mapping, learned, signatures, max_answer, lacking }))
    }

    async fn ask(&self, ask: &Ask, call: Call) -> Result<Ended, ResultCode> {
        let Question::Infer(Inference { infer, .. }) = &ask.question else {
            // `check` lets such a path stand on an `oip` route only.
            return Err(ResultCode::UnsupportedFeature);
        };
        let told = request::Upstream { id: &ask.decision, dialect: self.learned.dialect(), budget_us: call.budget / 1_000 };
        let asked = self.mapping.asked(infer);
        let body = match request::encode(&asked, told) {
            Ok(body) => body,
            Err(result) => {
                return Ok(Ended { result, status: None, after: None, left: Left::Error(error_body(UNREAD)) });
            }
        };
        let mut headers = ask.headers.clone();
        body.label(&mut headers);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, application/octet-stream"));
        let response = self.upstream.post(&format!("{}/infer", self.model), headers, body.body, call).await;
        let response = response.inspect_err(|_| self.learned.doubt())?;
        self.learned.ask(call.replica);
        let ended = match response.status() {
            StatusCode::OK => {
                let (head, body) = response.into_parts();
                let body = read(body, self.max_answer).await?;
                let body = binary::divide(&head.headers, body).map_err(|_| ResultCode::DecodeFailed);
                match body.and_then(|body| answer::decode(body, infer, &self.mapping)) {
                    Ok(answer) => {
                        self.lacking.came(&self.mapping, &asked);
                        Ended { result: ResultCode::Ok, status: Some(200), after: None, left: Left::Infer(answer) }
                    }
                    Err(ResultCode::DecodeFailed) if is_page(&head.headers) => {
                        Ended::bare(ResultCode::WrongContentType, Some(200))
                    }
                    Err(result) => Ended::bare(result, Some(200)),
                }
            }
            status => self.refused(status, response, (&asked, call)).await,
        };
        Ok(self.signatures.judge(infer, forgotten(ask, ended)))
    }

    /// Reads an error answer as far as somebody may have to see it.
    async fn refused(&self, status: StatusCode, response: Response<Incoming>, made: (&Infer, Call)) -> Ended {
        let (asked, call) = made;
        let headers = response.headers();
        let (push_back, after) = (push_back::is_said(headers), push_back::read(headers, Timestamp::now()));
        let body = read(response.into_body(), MOST_ERROR).await.unwrap_or_default();
        let mut result = classify_http(status.as_u16(), push_back);
        // A model that is not loaded answers 400 on some servers, and on most of them one that has no such output: neither is a
        // fault of the client.
        if result == ResultCode::CallerInvalid {
            result = match self.is_ready(call).await {
                false => ResultCode::ModelMissing,
                true if self.lacks(asked, call).await => ResultCode::OutputMissing,
                true => result,
            };
        }
        Ended { result, status: Some(status.as_u16()), after, left: Left::Error(body) }
    }

    /// Asks whether the model is ready. Who does not say in time is not said to be unready.
    async fn is_ready(&self, call: Call) -> bool {
        let path = format!("{}/ready", self.model);
        match tokio::time::timeout(READY, self.upstream.look(&path, call.replica)).await {
            Ok(Ok(response)) => response.status() == StatusCode::OK,
            Ok(Err(_)) => false,
            Err(_) => true,
        }
    }

    /// Says whether the model has not what it was asked for.
    async fn lacks(&self, asked: &Infer, call: Call) -> bool {
        self.lacking.explains((&self.mapping, asked), self.outputs(call)).await
    }

    /// Returns the outputs that the model says it has; none where it does not say in time.
    async fn outputs(&self, call: Call) -> Option<Vec<String>> {
        let said = async {
            let response = self.upstream.look(&self.model, call.replica).await.ok()?;
            metadata::read_outputs(&read(response.into_body(), MOST_SAID).await.ok()?)
        };
        tokio::time::timeout(READY, said).await.ok()?
    }
}

impl Path for Oip {
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, call: Call, _: Pieces) -> Attempting {
        Box::pin(async move { self.ask(&ask, call).await.unwrap_or_else(|result| Ended::bare(result, None)) })
    }
}

/// Says whether an answer says of itself that it is a page for people. What can be read all the same is read.
fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    kind.get(..9).is_some_and(|it| it.eq_ignore_ascii_case(b"text/html"))
}

/// Reads what is said by a server that knows nothing of a sequence: whose fault that is cannot be seen, and nobody else can go
/// on with it (OIP-36).
fn forgotten(ask: &Ask, ended: Ended) -> Ended {
    let (Left::Error(body), Some(status), Some(turn)) = (&ended.left, ended.status, ask.turn()) else { return ended };
    let unknown = ended.result == ResultCode::CallerInvalid && turn.is_unknown_to(status, &String::from_utf8_lossy(body));
    if unknown { Ended { result: ResultCode::CallerSuspected, ..ended } } else { ended }
}

/// Writes a name as one segment of a path (RFC 3986, section 3.3).
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let write = |byte: u8| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") };
    name.bytes().map(write).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_of_a_path() {
        assert_eq!(encoded("home-value_1.2~"), "home-value_1.2~");
        assert_eq!(encoded("team/modèle 1?"), "team%2Fmod%C3%A8le%201%3F");
    }
}
