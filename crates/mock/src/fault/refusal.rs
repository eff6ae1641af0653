//! Refusal: faults that take the place of an answer: no answer at all, an error status, an error under 200.
//!
//! It is not an edit: the model is never asked.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};

use super::{Body, Empty, Fault, How, RetryAfter, Told};
use crate::{
    protocol::{Call, Work, error::ApiError},
    reply::{Framing, Kind, Piece, Reply},
    wire::{End, Script},
};

/// The page of a proxy whose upstream is gone.
pub(crate) const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head>\
    <body><h1>Bad gateway</h1><p>The server is on its way.</p></body></html>\n";
/// What every made-up error says; tests look for it where it must not be.
pub(crate) const TEXT: &str = "the mock was told to fail";

/// Returns the script of a request that gets no answer.
pub(crate) fn unanswered(fault: &Fault) -> Option<Script> {
    match fault {
        Fault::Reset { how } | Fault::ResetReused { how } => Some(Script::end(match how {
            How::Rst => End::Rst,
            How::Fin => End::Fin,
        })),
        Fault::Silence { for_ms } => Some(Script::silence(for_ms.map(Duration::from_millis))),
        _ => None,
    }
}

/// Returns the answer that a fault gives in place of the model's.
pub(crate) fn instead(fault: &Fault, call: &Call) -> Option<Reply> {
    let invalid = "invalid_request_error";
    let error = |status, kind, code| ApiError::new(status, kind, code, TEXT);
    let reply = |error: ApiError| error.reply(call.dialect);
    Some(match fault {
        Fault::Status { status, body, kind, code, message, retry_after, retry_after_ms, retry_after_date_s } => {
            let (natural_kind, natural_code) = natural(*status);
            let error = ApiError::new(
                *status,
                kind.as_deref().unwrap_or(natural_kind),
                code.as_deref().unwrap_or(natural_code),
                message.as_deref().unwrap_or(TEXT),
            );
            let reply = match body {
                Body::Json => reply(error),
                Body::Html => Reply::plain(*status, "text/html; charset=utf-8", PAGE),
                Body::Empty => Reply::plain(*status, "text/plain", ""),
            };
            later(bodiless(reply), retry_after.as_ref(), *retry_after_ms, *retry_after_date_s)
        }
        Fault::RateLimited { retry_after, retry_after_ms, retry_after_date_s } => {
            let reply = reply(error(429, "rate_limit_error", "rate_limit_exceeded"));
            later(reply, retry_after.as_ref(), *retry_after_ms, *retry_after_date_s)
        }
        Fault::QuotaExhausted { told } => quota(*told, call),
        Fault::CredentialRejected {} => reply(error(401, "authentication_error", "invalid_api_key")),
        Fault::CredentialForbidden {} => reply(error(403, "permission_error", "permission_denied")),
        Fault::ModelMissing {} => reply(error(404, invalid, "model_not_found")),
        Fault::ContextLengthExceeded {} => reply(error(400, invalid, "context_length_exceeded")),
        Fault::ContentFilter {} => reply(error(400, invalid, "content_filter")),
        Fault::UnsupportedFeature {} => reply(error(400, invalid, "unsupported_parameter")),
        Fault::PrefillRejected {} => reply(error(400, invalid, "prefill_not_supported")),
        Fault::Redirect { status, location } => {
            Reply::plain(*status, "text/plain", "").header("location", location.clone())
        }
        Fault::ErrorInBody { kind, code } => Reply::json(200, &error(200, kind, code).body(call.dialect)),
        Fault::EmptyAnswer { what: Empty::Body } => Reply::plain(200, "application/json", ""),
        Fault::EmptyAnswer { what: Empty::NoContent } => bodiless(Reply::plain(204, "application/json", "")),
        _ => return None,
    })
}

/// Takes away what 204 and 304 cannot have.
fn bodiless(mut reply: Reply) -> Reply {
    if matches!(reply.status, 204 | 304) {
        reply.framing = Framing::Absent;
        reply.pieces.clear();
        reply.headers.clear();
    }
    reply
}

/// Returns the type and code that providers give with a status.
fn natural(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => ("authentication_error", "invalid_api_key"),
        403 => ("permission_error", "permission_denied"),
        404 => ("invalid_request_error", "model_not_found"),
        429 => ("rate_limit_error", "rate_limit_exceeded"),
        503 => ("server_error", "service_unavailable"),
        529 => ("overloaded_error", "overloaded"),
        400..=499 => ("invalid_request_error", "invalid_value"),
        _ => ("server_error", "server_error"),
    }
}

fn quota(told: Told, call: &Call) -> Reply {
    let status = match told {
        Told::Status429 => 429,
        Told::Status400 => 400,
        Told::Status402 => 402,
        Told::Status403 => 403,
        Told::InBand => 200,
    };
    let error = ApiError::new(status, "insufficient_quota", "insufficient_quota", TEXT);
    if told == Told::InBand && call.work == (Work::Chat { stream: true }) {
        return Reply::stream(vec![Piece::event(Kind::Extra, &error.body(call.dialect).to_string())]);
    }
    error.reply(call.dialect)
}

/// Adds the headers that say when to come again.
fn later(mut reply: Reply, after: Option<&RetryAfter>, after_ms: Option<u64>, date_s: Option<i64>) -> Reply {
    if let Some(after) = after {
        reply = reply.header("retry-after", after.to_string());
    }
    if let Some(ms) = after_ms {
        reply = reply.header("retry-after-ms", ms.to_string());
    }
    if let Some(seconds) = date_s {
        // A date out of range is garbage that was asked for.
        let date = Timestamp::now()
            .checked_add(SignedDuration::from_secs(seconds))
            .ok()
            .and_then(|date| DateTimePrinter::new().timestamp_to_rfc9110_string(&date).ok());
        reply = reply.header("retry-after", date.unwrap_or_else(|| "the end of time".to_owned()));
    }
    reply
}
