//! Protocol: what a request asks for, in either of the two protocols.
//!
//! It is not the answer (`respond` makes it) and not the socket. Nothing here knows of faults.
//!
//! # Source
//! `protocols.md`, sections 1, 2 and 4.

pub(crate) mod error;
pub(crate) mod oip;
pub(crate) mod openai;

pub use oip::{Evaluate, OipAnswer, OipModel, Sums, Tensor, TensorData, TensorSpec};

use crate::{
    reply::Reply,
    server::{Head, Shared},
};
use error::ApiError;

/// The kind of work that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Chat {
        stream: bool,
    },
    Embeddings,
    Infer,
    /// Health, metadata, model lists, and whatever is no work at all.
    Probe,
}

/// Whose error shape a client expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    OpenAi,
    Oip,
}

/// What is to be answered.
#[derive(Debug)]
pub(crate) enum Ask {
    Chat(openai::Chat),
    Embeddings(openai::Embeddings),
    Infer(oip::Infer),
    /// Answered already: metadata and the like.
    Ready(Box<Reply>),
}

/// A request that was understood as far as it can be.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) work: Work,
    pub(crate) dialect: Dialect,
    /// The model it names; empty where it names none.
    pub(crate) model: String,
    pub(crate) ask: Result<Ask, ApiError>,
}

/// Understands a request.
pub(crate) fn read(shared: &Shared, head: &Head, body: &[u8]) -> Call {
    let path = head.path().trim_end_matches('/');
    let mut call = match path.strip_prefix("/v2") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let body = oip::Body { bytes: body, json: head.header(oip::JSON_LENGTH) };
            oip::read(&shared.options.oip, (&head.method, rest), body)
        }
        _ => openai::read(&shared.options, &head.method, path.strip_prefix("/v1").unwrap_or(path), body),
    };
    let key = head.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if shared.options.api_key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
        call.ask = Err(ApiError::credential());
    }
    call
}

/// Decodes `%xx` in a path segment; what is no such code stays as it is.
pub(crate) fn percent_decode(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = segment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
