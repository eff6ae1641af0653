//! Meaning: how far what a text means is from what the texts of the reference mean, as an encoder says within a short clock.
//!
//! # Invariants
//! - `FAR-1`: where nobody says what a text means it is not measured: that is no breach, and it is not well, either (F-184).
//! - `FAR-2`: nothing waits for an encoder but a request that may start elsewhere by what it says, and for which no fresh answer is held.
//! - `FAR-3`: a request that may go to some regions only, or to nobody but who answers it, does not go to an encoder.

use std::sync::Arc;

use evenkeel_config::{Guarding, MILLIONTHS};
use evenkeel_core::Nanos;
use evenkeel_signals::{
    reference::{Distance, Unlike},
    row::RowId,
    text,
};

use super::rows;
use crate::{meant::Meant, path::Embedder, protocol::openai::question::last_words};

/// Who says what texts mean, and what theirs is held against.
pub(crate) struct Encoder {
    embedder: Embedder,
    distance: Distance,
}

/// What came of asking what a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// How rare it is to be so far, in millionths; none where nobody said what it means.
    pub(super) p: Option<u64>,
    /// The nearest row of the reference.
    pub(super) nearest: Option<RowId>,
    /// How it ended, as records have it.
    pub(super) ended: &'static str,
}

impl Meaning {
    /// Nobody has said it.
    const fn unsaid(ended: &'static str) -> Self {
        Self { p: None, nearest: None, ended }
    }

    /// The answer was there before anybody had said it (FAR-2).
    pub(crate) const LATE: Self = Self::unsaid("answered_first");
}

impl Encoder {
    /// Makes one of what a route asks; none where it asks nothing, or its upstream is not there.
    pub(crate) fn of(
        spec: &Guarding,
        embedder: impl FnOnce(&evenkeel_config::kind::Embeddings) -> Option<Embedder>,
    ) -> Option<Self> {
        let distance = spec.reference.as_ref()?.0.distance()?;
        Some(Self { embedder: embedder(spec.encoder.as_ref()?)?, distance })
    }

    /// Asks what the last words of a chat mean; `moment` is entropy, and the time that is left.
    pub(super) async fn ask(
        &self,
        spec: &Guarding,
        body: &[u8],
        (meant, moment): (&Arc<Meant>, (u64, Nanos)),
    ) -> Meaning {
        if meant.stays {
            return Meaning::unsaid("not_allowed");
        }
        let words = last_words(body).map(|it| rows::question(it, spec));
        let Some(words) = words.as_deref().and_then(text::meant) else { return Meaning::unsaid("no_text") };
        let vector = match meant.of(&self.embedder, words, moment).await {
            Ok(vector) => vector,
            Err(why) => return Meaning::unsaid(why.name()),
        };
        match self.distance.of(&vector) {
            Ok(score) => {
                let p = u64::from(score.p.millionths().min(MILLIONTHS));
                Meaning { p: Some(p), nearest: self.distance.nearest(&score), ended: "ok" }
            }
            Err(Unlike::Width { .. }) => Meaning::unsaid("other_length"),
            Err(Unlike::Direction) => Meaning::unsaid("no_direction"),
        }
    }
}
