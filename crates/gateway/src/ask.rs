//! Ask: one request as paths see it, free of clients and tiers.

use bytes::Bytes;
use http::HeaderMap;

use crate::protocol::openai::peek::{ChatPeek, EmbeddingsPeek};

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// A chat completion.
    Chat(ChatPeek),
    /// Embeddings.
    Embeddings(EmbeddingsPeek),
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
}
