//! Ask: one request as paths see it, free of clients and tiers.

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    protocol::{
        front::Front,
        openai::peek::{ChatPeek, EmbeddingsPeek},
    },
    tensor::Infer,
};

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// A chat completion.
    Chat(ChatPeek),
    /// Embeddings.
    Embeddings(EmbeddingsPeek),
    /// An inference.
    Infer(Inference),
}

/// An inference that is asked for.
#[derive(Debug)]
pub(crate) struct Inference {
    pub(crate) infer: Infer,
    /// The version of the route that was asked for, or the one it has.
    pub(crate) version: String,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) question: Question,
    /// The body as it came.
    pub(crate) body: Bytes,
    /// The headers that may go upstream.
    pub(crate) headers: HeaderMap,
    /// The decision's id.
    pub(crate) decision: String,
    /// The name of the revision.
    pub(crate) revision: String,
    /// Seconds since 1970 at admission.
    pub(crate) created: u64,
}

impl Ask {
    /// Says whether the answer is a stream.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(&self.question, Question::Chat(peek) if peek.stream)
    }

    /// Returns what its client speaks.
    pub(crate) fn front(&self) -> Front {
        match self.question {
            Question::Chat(_) | Question::Embeddings(_) => Front::Openai,
            Question::Infer(_) => Front::Oip,
        }
    }
}
