//! Status: what an HTTP status of an upstream means, where nothing in its body says more (F-001, F-002).
//!
//! # Source
//! `docs/design/failures.md`, section 1.

use evenkeel_core::ResultCode;

/// Classifies a status other than 200, as tier 0 reads it.
pub(crate) const fn by_status(status: u16, push_back: bool) -> ResultCode {
    match status {
        204 => ResultCode::EmptyAnswer,
        300..=399 => ResultCode::ProtocolError,
        401 | 407 => ResultCode::CredentialRejected,
        402 => ResultCode::QuotaExhausted,
        403 => ResultCode::CredentialForbidden,
        404 | 410 | 421 => ResultCode::ModelMissing,
        408 | 504 => ResultCode::TotalTimeout,
        413 => ResultCode::MessageTooLarge,
        429 | 529 => ResultCode::RateLimited,
        503 if push_back => ResultCode::PushBack,
        400..=499 => ResultCode::CallerInvalid,
        500..=599 => ResultCode::Status5xx,
        _ => ResultCode::DecodeFailed,
    }
}
