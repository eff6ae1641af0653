//! Problem: why a client gets an error instead of an answer, the same for every dialect.
//!
//! One table maps each to a status; what a dialect calls it stands with the dialect. Not the result of an attempt:
//! that is [`ResultCode`](evenkeel_core::ResultCode).
//!
//! # Source
//! `docs/design/protocols.md`, section 1.

use evenkeel_core::Refusal;

/// Why a client gets an error of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Malformed, or against the contract.
    Invalid,
    /// No such route or version.
    UnknownModel,
    /// No such address.
    UnknownUrl,
    /// The address exists, the verb does not.
    MethodNotAllowed,
    /// Known, and not offered here.
    NotOffered,
    /// Larger than we take.
    TooLarge,
    /// An address that is longer than we take.
    AddressTooLong,
    /// Headers that are larger, or more, than we take.
    HeadTooLarge,
    /// Slower than we wait for.
    TooSlow,
    /// A `Content-Encoding` that we do not know.
    UnknownEncoding,
    /// A `Content-Type` that is not ours.
    UnknownMedia,
    /// Too much at once.
    Overloaded,
    /// No tier could answer (F-165).
    Exhausted,
    /// The client refuses the tiers that could (F-168).
    DegradationRefused,
    /// The deadline passed (F-167).
    DeadlineExceeded,
    /// A sequence cannot be gone on with (OIP-36).
    SequenceLost,
}

impl Problem {
    /// Every problem, in the order of the table.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::Invalid,
        Self::UnknownModel,
        Self::UnknownUrl,
        Self::MethodNotAllowed,
        Self::NotOffered,
        Self::TooLarge,
        Self::AddressTooLong,
        Self::HeadTooLarge,
        Self::TooSlow,
        Self::UnknownEncoding,
        Self::UnknownMedia,
        Self::Overloaded,
        Self::Exhausted,
        Self::DegradationRefused,
        Self::DeadlineExceeded,
        Self::SequenceLost,
    ];

    /// Returns the HTTP status.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::UnknownModel | Self::UnknownUrl => 404,
            Self::MethodNotAllowed => 405,
            Self::TooSlow => 408,
            Self::SequenceLost => 409,
            Self::TooLarge => 413,
            Self::AddressTooLong => 414,
            Self::UnknownEncoding | Self::UnknownMedia => 415,
            Self::HeadTooLarge => 431,
            Self::NotOffered => 501,
            Self::Overloaded | Self::Exhausted | Self::DegradationRefused => 503,
            Self::DeadlineExceeded => 504,
        }
    }

    /// Returns what a refusal of the core is to a client; none where nobody is there to read it.
    pub(crate) const fn of(refusal: Refusal) -> Option<Self> {
        match refusal {
            Refusal::Exhausted => Some(Self::Exhausted),
            Refusal::Deadline => Some(Self::DeadlineExceeded),
            Refusal::Degradation => Some(Self::DegradationRefused),
            Refusal::Overloaded | Refusal::Draining => Some(Self::Overloaded),
            Refusal::SequenceLost | Refusal::SequenceBusy => Some(Self::SequenceLost),
            Refusal::ClientGone => None,
        }
    }
}
