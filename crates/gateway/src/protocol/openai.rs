//! OpenAI: chat completions, plain and streamed, embeddings, models.
//!
//! Not here: HTTP itself and SSE framing (`sse`). Requests are peeked at and spliced, answers scanned and passed on:
//! nothing that a client or a model wrote is written again (OAI-01).
//!
//! # Source
//! `docs/design/protocols.md`, section 4.

pub(crate) mod answer;
pub(crate) mod embeddings;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod logprobs;
pub(crate) mod models;
pub(crate) mod own;
pub(crate) mod peek;
pub(crate) mod question;
pub(crate) mod scan;
