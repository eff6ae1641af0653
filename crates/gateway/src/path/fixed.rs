//! `fixed`: an answer that is written down, prepared when the revision is applied, so that it cannot fail (F-163): what its route
//! does to every answer is done then, too.
//!
//! Accepted: `fixed: {content: "A person will reply within one hour."}`, `fixed: {outputs: {score: 0.5}}`. Rejected by
//! `check`: an empty `content`, an output that the route does not promise.

use std::sync::Arc;

use evenkeel_config as config;
use evenkeel_core::ResultCode;

use super::{Attempting, Certain, Ended, Path, Pieces, Site};
use crate::{
    ask::{Ask, Question},
    post::{self, Posted},
    protocol::openai::own::{Meta, own_chat, own_stream},
    tensor::{Infer, InferAnswer, Prepared},
    upstream::Call,
};

/// A fixed answer.
pub(crate) struct Fixed {
    content: String,
    outputs: Vec<Prepared>,
    name: String,
    posted: Vec<Posted>,
}

impl Fixed {
    pub(super) fn path(kind: &config::kind::Fixed, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let given = kind.outputs.iter().map(Prepared::new).collect::<Option<Vec<_>>>();
        let outputs = site.mapping()?.prepared(given.ok_or("a value does not fit its datatype")?)?;
        let ((content, of_text), (outputs, of_tensors)) = match kind.content.is_empty() {
            true => (Default::default(), post::prepared(outputs, site.post)?),
            false => (post::written(&kind.content, site.post)?, (outputs, Vec::new())),
        };
        let posted = [of_text, of_tensors].concat();
        Ok(Arc::new(Self { content, outputs, name: site.path.name.as_str().into(), posted }))
    }

    fn infer(&self, request: &Infer) -> InferAnswer {
        let wanted = self.outputs.iter().filter(|it| request.wants(&it.name));
        InferAnswer::of(wanted.filter_map(|it| it.tensor(request.batch())))
    }
}

impl Path for Fixed {
    fn attempt(self: Arc<Self>, _: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        // The core answers a certain path without an attempt; one that is made all the same has nothing to call.
        Box::pin(std::future::ready(Ended::bare(ResultCode::PathPanic, None)))
    }

    fn posted(&self) -> &[Posted] {
        &self.posted
    }

    fn certain(&self, ask: &Ask, evenkeel: &str) -> Option<Certain> {
        let Ask { decision, created, revision, .. } = ask;
        let meta = Meta { decision, created: *created, path: &self.name, revision, evenkeel };
        match &ask.question {
            Question::Chat(peek) if peek.stream => {
                Some(Certain::Events(own_stream(&self.content, peek.n, peek.include_usage, meta)))
            }
            Question::Chat(peek) => Some(Certain::Whole(own_chat(&self.content, peek.n, meta))),
            // `check` refuses a fixed answer on an embeddings route.
            Question::Embeddings(_) => None,
            Question::Infer(asked) => Some(Certain::Infer(self.infer(&asked.infer))),
        }
    }
}
