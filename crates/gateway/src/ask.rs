//! Ask: one request as paths see it, free of clients and tiers.

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    enrich::Enriched,
    protocol::{
        front::Front,
        openai::{
            logprobs::asked_for,
            peek::{ChatPeek, EmbeddingsPeek, begin_answer, peek_chat},
        },
    },
    sequence::Turn,
    tensor::Infer,
};

/// What is asked.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a request, and it is shared, not moved")]
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
    /// What its client speaks.
    pub(crate) front: Front,
    /// What was fetched and imputed, where its route is enriched.
    pub(crate) enriched: Option<Enriched>,
    /// Its place in a sequence.
    pub(crate) turn: Option<Box<Turn>>,
}

impl Question {
    /// Returns the age of the oldest feature that was fetched or stands in, in ms; none where nobody says any.
    pub(crate) fn oldest(&self) -> Option<u64> {
        match self {
            Self::Infer(inference) => inference.enriched.as_ref()?.oldest_ms,
            Self::Chat(_) | Self::Embeddings(_) => None,
        }
    }
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

    /// Says whether it may be asked twice (F-034); how it stands with what belongs to a sequence, the core knows.
    pub(crate) fn is_pure(&self) -> bool {
        !matches!(&self.question, Question::Chat(peek) if peek.store)
    }

    /// Returns its place in a sequence, where it belongs to one.
    pub(crate) fn turn(&self) -> Option<&Turn> {
        match &self.question {
            Question::Infer(inference) => inference.turn.as_deref(),
            Question::Chat(_) | Question::Embeddings(_) => None,
        }
    }

    /// Returns the same with an answer begun behind its messages, for a model to go on with it (F-126); none where its
    /// client has begun one itself.
    pub(crate) fn begun(&self, text: &str) -> Option<Self> {
        let Question::Chat(peek) = &self.question else { return None };
        let body = begin_answer(&self.body, peek.messages_end, text);
        // Nothing may be left to be said.
        let begun = peek_chat(&body).ok().map(|begun| ChatPeek { after_tool: true, ..begun });
        Some(Self {
            question: Question::Chat(begun.filter(|_| !peek.after_assistant)?),
            body,
            headers: self.headers.clone(),
            decision: self.decision.clone(),
            revision: self.revision.clone(),
            created: self.created,
        })
    }

    /// Returns the same with a wish for the log-probabilities of its tokens; none where it has that, or is no chat.
    pub(crate) fn asking_logprobs(&self) -> Option<Self> {
        let Question::Chat(peek) = &self.question else { return None };
        let body = asked_for(&self.body, peek.messages_end).ok().filter(|_| !peek.wants_logprobs())?;
        Some(Self {
            question: Question::Chat(peek_chat(&body).ok()?),
            body,
            headers: self.headers.clone(),
            decision: self.decision.clone(),
            revision: self.revision.clone(),
            created: self.created,
        })
    }

    /// Returns the same with other tensors, or another wish for some; none where it is no inference.
    pub(crate) fn asking(&self, infer: Infer) -> Option<Self> {
        let Question::Infer(Inference { version, front, enriched, turn, .. }) = &self.question else { return None };
        let (version, enriched, turn) = (version.clone(), enriched.clone(), turn.clone());
        let inference = Inference { infer, version, front: *front, enriched, turn };
        Some(Self {
            question: Question::Infer(inference),
            body: self.body.clone(),
            headers: self.headers.clone(),
            decision: self.decision.clone(),
            revision: self.revision.clone(),
            created: self.created,
        })
    }

    /// Returns what was fetched and imputed, where the route is enriched.
    pub(crate) fn enriched(&self) -> Option<&Enriched> {
        match &self.question {
            Question::Infer(inference) => inference.enriched.as_ref(),
            Question::Chat(_) | Question::Embeddings(_) => None,
        }
    }

    /// Returns what its client speaks.
    pub(crate) fn front(&self) -> Front {
        match &self.question {
            Question::Chat(_) | Question::Embeddings(_) => Front::Openai,
            Question::Infer(inference) => inference.front,
        }
    }
}
