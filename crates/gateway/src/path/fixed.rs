//! `fixed`: an answer that is written down, prepared when the revision is applied, so that it cannot fail (F-163).
//!
//! Accepted: `fixed: {content: "A person will reply within one hour."}`. Rejected by `check`: an empty `content`.

use std::sync::Arc;

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::{Attempting, Body, Ended, Path, Pieces, Site};
use crate::{
    ask::{Ask, Question},
    protocol::openai::own::{Meta, own_chat, own_stream},
    upstream::Call,
};

/// A fixed answer.
pub(crate) struct Fixed {
    content: String,
    name: String,
}

impl Fixed {
    pub(super) fn path(kind: &config::kind::Fixed, site: Site<'_>) -> Arc<dyn Path> {
        Arc::new(Self { content: kind.content.clone(), name: site.name.into() })
    }
}

impl Path for Fixed {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        // The core answers a certain path without an attempt; one that is made all the same has nothing to call.
        Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
    }

    fn certain(&self, ask: &Ask, evenkeel: &str) -> Option<Body> {
        let Ask { decision, created, revision, .. } = ask;
        let meta = Meta { decision, created: *created, path: &self.name, revision, evenkeel };
        match &ask.question {
            Question::Chat(peek) if peek.stream => {
                Some(Body::Events(own_stream(&self.content, peek.n, peek.include_usage, meta)))
            }
            Question::Chat(peek) => Some(Body::Whole(own_chat(&self.content, peek.n, meta))),
            // `check` refuses a fixed answer on an embeddings route.
            Question::Embeddings(_) => None,
        }
    }
}
