//! Status: what the HTTP status of an upstream means, where nothing in its body says more (F-001, F-002).
//!
//! The last resort of every codec, and all that a modelled server says: one table for both.
//!
//! # Source
//! `docs/design/failures.md`, section 1.

use super::{Again, ResultCode};

impl ResultCode {
    /// Reads a status other than 200, as tier 0 does; `push_back` says that it came with a time to come back.
    pub const fn of_status(status: u16, push_back: bool) -> Self {
        match status {
            204 => Self::EmptyAnswer,
            300..=399 => Self::ProtocolError,
            401 | 407 => Self::CredentialRejected,
            402 => Self::QuotaExhausted,
            403 => Self::CredentialForbidden,
            404 | 410 | 421 => Self::ModelMissing,
            408 | 504 => Self::TotalTimeout,
            413 => Self::MessageTooLarge,
            429 | 529 => Self::RateLimited,
            503 if push_back => Self::PushBack,
            400..=499 => Self::CallerInvalid,
            500..=599 => Self::Status5xx,
            _ => Self::DecodeFailed,
        }
    }

    /// Returns whether the same path may be asked again, where the result came with this status: a redirect stays one, however
    /// often it is asked for (row *broken*), unlike HTTP that was garbled on its way.
    pub const fn again_at(self, status: Option<u16>) -> Again {
        match (self, status) {
            (Self::ProtocolError, Some(300..=399)) => Again::No,
            _ => self.again(),
        }
    }
}
