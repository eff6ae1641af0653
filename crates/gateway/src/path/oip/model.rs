//! What a server says that a model of it takes and gives: learned for a route whose file does not say it.
//!
//! # Invariants
//! - `MODEL-1`: nobody waits for it. Until a server has said it, and where it says nothing, requests are checked as far as they
//!   can be checked by themselves.
//! - `MODEL-2`: a model that is exchanged under its name is noticed: it is asked about again after each reconnection, and now
//!   and then. Else requests that only the new one takes would be refused for ever, and none would come to tell.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.4; OIP-18.

use std::{sync::Arc, time::Duration};

use evenkeel_core::ResultCode;
use http::HeaderMap;

use super::standing::{Heard, Standing, WAIT};
use crate::{
    path::read,
    protocol::{
        oip_grpc::{look, request::encode_model},
        oip_rest::metadata,
    },
    tensor::{Known, Signature},
    upstream::{Call, Called, Upstream},
};

/// Bytes of what is said that are read.
const MOST: usize = 64 << 10;
/// How long a model is left alone that is not there, or of which nothing is said: it may be loaded later.
const ABSENT: Duration = Duration::from_secs(5);
/// After this time it is asked about again.
const AGAIN: Duration = Duration::from_secs(60);

/// A model of which is learned what it takes and gives.
pub(super) struct Model {
    upstream: Arc<Upstream>,
    place: Place,
    known: Arc<Known>,
    standing: Arc<Standing>,
}

/// Where a model is, in the words of its server.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Its address.
    Rest(String),
    /// Its name and its version, which may be empty.
    Grpc(String, String),
}

impl Model {
    /// Begins to ask, for as long as somebody holds it.
    pub(super) fn learn(upstream: Arc<Upstream>, place: Place, known: Arc<Known>) -> Arc<Self> {
        let this = Arc::new(Self { upstream, place, known, standing: Standing::new() });
        let weak = Arc::downgrade(&this);
        #[expect(clippy::disallowed_methods, reason = "it ends with the path, of which it holds no share")]
        tokio::spawn(async move {
            for turn in 0.. {
                let Some(this) = weak.upgrade() else { return };
                this.standing.doubt();
                this.ask(turn % this.upstream.replicas());
                drop(this);
                tokio::time::sleep(AGAIN).await;
            }
        });
        this
    }

    /// Asks a replica, where nobody has asked since the server was out of reach.
    pub(super) fn ask(self: &Arc<Self>, replica: usize) {
        self.standing.ask(|| {
            let this = self.clone();
            async move { this.hear(replica).await }
        });
    }

    pub(super) fn doubt(&self) {
        self.standing.doubt();
    }

    async fn hear(&self, replica: usize) -> Heard {
        let said = match &self.place {
            Place::Rest(path) => self.said(path, replica).await,
            Place::Grpc(model, version) => self.said_over_grpc((model, version), replica).await,
        };
        match said {
            Ok(Some(signature)) => {
                if self.known.learn(signature) {
                    let now = self.known.now();
                    let (inputs, outputs) = (now.inputs.len(), now.outputs.len());
                    tracing::info!(target: "evenkeel::upstream", place = ?self.place, inputs, outputs, "the model says what it takes and gives");
                }
                Heard::All
            }
            Ok(None) => Heard::All,
            Err(nothing) => nothing,
        }
    }

    /// Reads what is said of the model; none where there is nothing to be said.
    async fn said(&self, path: &str, replica: usize) -> Result<Option<Signature>, Heard> {
        let response = self.upstream.look_afresh(path, replica).await.map_err(|_| Heard::Nothing)?;
        match response.status().as_u16() {
            200 => {}
            405 | 501 => return Ok(None),
            400..=499 => return Err(Heard::NothingFor(ABSENT)),
            _ => return Err(Heard::Nothing),
        }
        match read(response.into_body(), MOST).await {
            Ok(body) => Ok(metadata::read_model(&body)),
            Err(ResultCode::AnswerTooLarge) => Ok(None),
            Err(_) => Err(Heard::Nothing),
        }
    }

    /// The same over gRPC.
    async fn said_over_grpc(
        &self,
        (model, version): (&str, &str),
        replica: usize,
    ) -> Result<Option<Signature>, Heard> {
        let call = Call { replica, budget: WAIT.as_nanos() as u64, fresh: true };
        let asked = (encode_model(model, version), MOST);
        match self.upstream.call("ModelMetadata", HeaderMap::new(), asked, call).await {
            Ok(Called::Message(message)) => Ok(look::read_signature(message)),
            // It has no such method, or says more than anybody reads.
            Ok(Called::Refused { code: 12, .. }) | Err(ResultCode::AnswerTooLarge) => Ok(None),
            Ok(Called::Refused { code: 14, .. } | Called::Status { .. }) | Err(_) => Err(Heard::Nothing),
            Ok(Called::Refused { .. }) => Err(Heard::NothingFor(ABSENT)),
        }
    }
}
