//! Error: what a server says when it refuses, in the shape of the protocol that was spoken.
//!
//! It is not the choice of a status; callers and faults make it.
//!
//! # Source
//! `protocols.md`, section 1.

use serde_json::{Value, json};

use super::Dialect;
use crate::reply::Reply;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    /// OpenAI's `type`.
    pub(crate) kind: String,
    /// OpenAI's `code`.
    pub(crate) code: String,
    pub(crate) param: Option<&'static str>,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, kind: &str, code: &str, message: impl Into<String>) -> ApiError {
        ApiError { status, kind: kind.to_owned(), code: code.to_owned(), param: None, message: message.into() }
    }

    /// A request that breaks the contract.
    pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "invalid_request_error", "invalid_value", message)
    }

    /// A model or an address that is not there.
    pub(crate) fn missing(code: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(404, "invalid_request_error", code, message)
    }

    /// A credential that is not the one wanted.
    pub(crate) fn credential() -> ApiError {
        ApiError::new(401, "authentication_error", "invalid_api_key", "the API key is not the right one")
    }

    /// Returns the error object of a dialect.
    pub(crate) fn body(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::Oip => json!({"error": self.message}),
            Dialect::OpenAi => json!({
                "error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code},
            }),
        }
    }

    /// Makes the answer of a dialect.
    pub(crate) fn reply(&self, dialect: Dialect) -> Reply {
        Reply::json(self.status, &self.body(dialect))
    }
}
