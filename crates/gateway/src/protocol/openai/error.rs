//! Error: what an upstream's error means, and how errors of ours look.
//!
//! One classifier for statuses, bodies under 200 and events of streams (F-003). What a result means for the path and
//! the next tier is the core's table; that a caller's fault below tier 0 is a lack of that tier is the core's too (F-002).
//!
//! # Invariants
//! - `ERR-1`: an error object is classified by its code first, its type second, the status last (F-001).
//! - `ERR-2`: an upstream's words reach a client only through [`relay`]: without control characters, at most 2 KiB.
//!
//! # When it misleads
//! Some servers tell a full context window in prose only. Those words are read too, as the last resort: the class
//! carries no evidence and closes no gate, so a client that makes a server echo them gains nothing.
//!
//! # Source
//! `docs/design/failures.md`, section 1; `docs/design/protocols.md`, sections 1 and 4.3.

use bytes::Bytes;
use evenkeel_core::{Class, ResultCode};
use serde::Serialize;

pub(crate) use self::object::ErrorObject;
use super::scan;
use crate::protocol::{problem::Problem, sanitise::sanitise};

mod object;

/// What stands before the body of an answer that is not what was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The status.
    pub(crate) status: u16,
    /// The value of `Content-Type`.
    pub(crate) content_type: Option<&'a str>,
    /// Whether there is a `Retry-After` or `retry-after-ms`.
    pub(crate) push_back: bool,
}

/// Where an error object under 200 stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the body.
    Body,
    /// In an event of a stream.
    Stream,
}

/// Classifies an answer that is no success: another status than 200, or a 200 of another kind than was asked for.
pub(crate) fn classify_http(head: Head<'_>, body: &[u8]) -> ResultCode {
    // A page for people is no error object, whatever it quotes.
    let page = head.content_type.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let error = if page { None } else { ErrorObject::read(body) };
    if head.status == 200 && body.iter().all(u8::is_ascii_whitespace) {
        return ResultCode::EmptyAnswer;
    }
    if head.status == 200 {
        let error = error.filter(|_| scan::has_error(body));
        return error.map_or(ResultCode::WrongContentType, |error| classify_in_band(&error, Place::Body));
    }
    let told = error.as_ref().and_then(named);
    // An overload code is a push-back, unless the status says that the whole quota is meant.
    match told {
        Some(ResultCode::PushBack) if matches!(head.status, 429 | 529) => ResultCode::RateLimited,
        Some(told) => told,
        None => match error.and_then(|error| error.status) {
            Some(status @ (402 | 429 | 529)) => ResultCode::of_status(status, head.push_back),
            _ => ResultCode::of_status(head.status, head.push_back),
        },
    }
}

/// Classifies an error object under 200: by its code as if it had been the answer's status, else as broken.
pub(crate) fn classify_in_band(error: &ErrorObject, place: Place) -> ResultCode {
    let broken = match place {
        Place::Body => ResultCode::ErrorInBody,
        Place::Stream => ResultCode::ErrorInStream,
    };
    named(error).unwrap_or_else(|| match error.status {
        Some(status @ 400..=499 | status @ 529) => ResultCode::of_status(status, false),
        _ => broken,
    })
}

/// Says whether the content type of a 200 can be what was asked for. No type at all, and those that careless servers
/// set, are read; a page of HTML is not.
pub(crate) fn speaks(content_type: Option<&str>, stream: bool) -> bool {
    let Some(content_type) = content_type else { return true };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/event-stream" => stream,
        "application/json" => !stream,
        "" | "text/plain" | "application/octet-stream" | "application/x-ndjson" => true,
        other => !stream && other.starts_with("application/") && other.ends_with("+json"),
    }
}

/// Writes the body of an error of ours.
pub(crate) fn error_body(problem: Problem, message: &str, param: Option<&str>) -> Bytes {
    let (kind, code) = words(problem);
    Words { message, kind, param, code }.body()
}

/// Writes the body of an upstream's error that is for the client to see.
///
/// `result` must be of class `caller`, `capability` or `policy`; it gives the code where the upstream gave none.
pub(crate) fn relay(body: &[u8], result: ResultCode) -> Bytes {
    let error = ErrorObject::read(body).unwrap_or_default();
    let clean = |text: Option<String>| text.map(|text| sanitise(&text)).filter(|text| !text.is_empty());
    let code = match (result, result.class()) {
        (ResultCode::ContextExceeded, _) => "context_length_exceeded",
        (_, Class::Policy) => "content_filter",
        _ => "invalid_value",
    };
    Words {
        message: clean(error.message).as_deref().unwrap_or("the model refused the request"),
        kind: clean(error.kind).as_deref().unwrap_or("invalid_request_error"),
        param: clean(error.param).as_deref(),
        code: clean(error.code).as_deref().unwrap_or(code),
    }
    .body()
}

/// Writes the event that ends a stream which broke after commit; no `[DONE]` may follow (F-127, F-134).
pub(crate) fn error_event(result: ResultCode, message: &str, evenkeel: &str) -> Bytes {
    let code = if result == ResultCode::AnswerTooLarge { "output_limit" } else { "stream_interrupted" };
    let error = Words { message, kind: "server_error", param: None, code }.json();
    format!("data: {{\"error\":{error},\"evenkeel\":{evenkeel}}}\n\n").into()
}

/// The value of `error`: always all four keys.
#[derive(Serialize)]
struct Words<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: &'a str,
}

impl Words<'_> {
    fn json(&self) -> String {
        serde_json::to_string(self).expect("strings can be written into memory")
    }

    fn body(&self) -> Bytes {
        format!("{{\"error\":{}}}", self.json()).into()
    }
}

/// Returns the `type` and the `code` of a problem in this dialect.
const fn words(problem: Problem) -> (&'static str, &'static str) {
    const REQUEST: &str = "invalid_request_error";
    const DEGRADED: &str = "service_degraded";
    match problem {
        Problem::Invalid => (REQUEST, "invalid_value"),
        Problem::UnknownModel => (REQUEST, "model_not_found"),
        Problem::UnknownUrl => (REQUEST, "unknown_url"),
        Problem::MethodNotAllowed => (REQUEST, "method_not_allowed"),
        Problem::NotOffered => (REQUEST, "not_supported"),
        Problem::TooLarge => (REQUEST, "request_too_large"),
        Problem::AddressTooLong => (REQUEST, "url_too_long"),
        Problem::HeadTooLarge => (REQUEST, "headers_too_large"),
        Problem::TooSlow => (REQUEST, "request_timeout"),
        Problem::UnknownEncoding => (REQUEST, "unsupported_encoding"),
        Problem::UnknownMedia => (REQUEST, "unsupported_media_type"),
        Problem::Overloaded => (DEGRADED, "overloaded"),
        Problem::Exhausted => (DEGRADED, "all_tiers_exhausted"),
        Problem::DegradationRefused => (DEGRADED, "degradation_refused"),
        Problem::DeadlineExceeded => (DEGRADED, "deadline_exceeded"),
        // This dialect has no sequences.
        Problem::SequenceLost => (REQUEST, "sequence_lost"),
    }
}

/// Classifies by the code, then by the type, then by words about a full window.
fn named(error: &ErrorObject) -> Option<ResultCode> {
    let words = [&error.code, &error.kind].into_iter().flatten();
    let named = words.filter_map(|word| by_word(&word.to_ascii_lowercase())).next();
    named.or_else(|| {
        let told = error.message.as_deref().unwrap_or_default().to_ascii_lowercase();
        told.contains("maximum context length").then_some(ResultCode::ContextExceeded)
    })
}

/// Classifies a code or a type. Words that only repeat the status (`invalid_request_error`, `server_error`) are absent.
fn by_word(word: &str) -> Option<ResultCode> {
    Some(match word {
        "insufficient_quota"
        | "quota_exceeded"
        | "quota_exhausted"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "billing_error"
        | "usage_limit_reached"
        | "usage_limit_exceeded"
        | "insufficient_balance"
        | "insufficient_credits"
        | "credit_balance_too_low"
        | "payment_required"
        | "budget_exceeded" => ResultCode::QuotaExhausted,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limit_reached"
        | "rate_limited"
        | "rate_limit"
        | "ratelimitreached"
        | "too_many_requests"
        | "throttling_exception"
        | "resource_exhausted" => ResultCode::RateLimited,
        "overloaded" | "overloaded_error" | "engine_overloaded" | "server_overloaded" | "slow_down" => {
            ResultCode::PushBack
        }
        "context_length_exceeded" | "context_window_exceeded" | "exceed_context_size_error" => {
            ResultCode::ContextExceeded
        }
        "content_filter"
        | "content_filtered"
        | "content_policy_violation"
        | "responsibleaipolicyviolation"
        | "moderation_blocked"
        | "data_inspection_failed" => ResultCode::ContentFiltered,
        "unsupported_parameter" | "unsupported_value" | "unsupported_feature" | "not_supported" => {
            ResultCode::UnsupportedFeature
        }
        "request_too_large" | "payload_too_large" => ResultCode::MessageTooLarge,
        "model_not_found" | "deploymentnotfound" | "not_found_error" => ResultCode::ModelMissing,
        "invalid_api_key" | "incorrect_api_key" | "authentication_error" | "invalid_authentication" => {
            ResultCode::CredentialRejected
        }
        "permission_denied" | "permission_error" => ResultCode::CredentialForbidden,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
