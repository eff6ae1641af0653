//! Error: what is wrong with a request, what an upstream's error means, and how errors of ours look (OIP-22).
//!
//! # Source
//! `docs/design/protocols.md`, section 1; `docs/design/failures.md`, section 1.

use std::fmt::Display;

use bytes::Bytes;
use evenkeel_core::ResultCode;
use thiserror::Error;

use crate::protocol::{
    json::{self, Flaw},
    openai::error::ErrorObject,
    sanitise::sanitise,
};

/// What is wrong with a request, in words for the client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct BadInfer {
    /// The words.
    pub(crate) message: String,
}

impl BadInfer {
    pub(in crate::protocol) fn new(message: impl Display) -> Self {
        Self { message: message.to_string() }
    }

    pub(super) fn twice(key: &str) -> Self {
        Self::new(format_args!("'{key}' stands there twice"))
    }
}

impl From<Flaw> for BadInfer {
    fn from(flaw: Flaw) -> Self {
        Self::new(format_args!("the body is not valid JSON: {flaw}"))
    }
}

/// Classifies an answer with another status than 200: success is exactly 200 (OIP-23). The protocol has no codes, so
/// that nothing but the status tells.
pub(crate) const fn classify_http(status: u16, push_back: bool) -> ResultCode {
    ResultCode::of_status(status, push_back)
}

/// Writes the body of an error of ours.
pub(crate) fn error_body(message: &str) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 16);
    out.extend_from_slice(b"{\"error\":");
    json::push_string(&mut out, message);
    out.push(b'}');
    out.into()
}

/// Writes the body of an upstream's error that is for the client to see.
pub(crate) fn relay(body: &[u8]) -> Bytes {
    error_body(&relayed(body))
}

/// Returns the text of such an error.
pub(crate) fn relayed(body: &[u8]) -> String {
    let told = ErrorObject::read(body).and_then(|error| error.message).map(|message| sanitise(&message));
    told.filter(|told| !told.is_empty()).unwrap_or_else(|| "the model refused the request".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oip_22_an_error_is_always_one_string() {
        assert_eq!(error_body("a \"b\"\n"), r#"{"error":"a \"b\"\n"}"#);
        let check = |body: &str, message: &str| assert_eq!(relay(body.as_bytes()), error_body(message), "{body}");
        check(r#"{"error":"unexpected shape\u001b[0m for input 'x'"}"#, "unexpected shape[0m for input 'x'");
        check(r#"{"error":{"message":"m","code":400}}"#, "m");
        check(r#"{"detail":"m"}"#, "m");
        check(r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "the model refused the request");
        check("Internal Server Error", "the model refused the request");
        check("", "the model refused the request");
    }

    #[test]
    fn f_003_oip_23_statuses_mean_what_they_mean_everywhere() {
        let check = |status, expected| assert_eq!(classify_http(status, false), expected, "{status}");
        check(400, ResultCode::CallerInvalid);
        check(422, ResultCode::CallerInvalid);
        check(404, ResultCode::ModelMissing);
        check(413, ResultCode::MessageTooLarge);
        check(500, ResultCode::Status5xx);
        check(501, ResultCode::Status5xx);
        check(503, ResultCode::Status5xx);
        check(504, ResultCode::TotalTimeout);
        check(201, ResultCode::DecodeFailed);
        check(206, ResultCode::DecodeFailed);
        assert_eq!(classify_http(503, true), ResultCode::PushBack);
    }
}
