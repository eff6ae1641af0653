//! Answer: judges a completion in one piece before a client gets it (F-004, F-006, OAI-07).
//!
//! # Invariants
//! - `ANSWER-1`: a 200 is a success only if it is no error, has its choices, each with a `finish_reason`, and something
//!   in them, unless the reason or the last message makes nothing legitimate.
//!
//! # Source
//! `docs/design/protocols.md`, section 4.2.

use evenkeel_core::ResultCode;

use super::{
    envelope::Envelope,
    error::{Place, classify_in_band},
    peek::ChatPeek,
    scan::{Said, Usage, Volume, scan},
};
use crate::bill::Counts;

/// A verified answer. Its bytes stay with whoever read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Where something of ours can be inserted.
    pub(crate) envelope: Box<Envelope>,
    /// What it cost, as the model says.
    pub(crate) usage: Option<Usage>,
    /// How much it says.
    pub(crate) said: Volume,
}

impl Answer {
    /// Returns what it costs.
    pub(crate) fn counts(&self) -> Counts {
        Counts { told: self.usage, said: self.said }
    }
}

/// Judges the body of a 200.
///
/// # Errors
/// The result of the attempt that got it.
pub(crate) fn judge_chat(body: &[u8], request: &ChatPeek) -> Result<Answer, ResultCode> {
    if body.trim_ascii().is_empty() {
        return Err(ResultCode::EmptyAnswer);
    }
    let scan = scan(body, Said::Message).map_err(|_| ResultCode::DecodeFailed)?;
    if let Some(error) = &scan.error {
        return Err(classify_in_band(error, Place::Body));
    }
    let choices = scan.choices.unwrap_or(0);
    match () {
        () if scan.failed => Err(ResultCode::ErrorInBody),
        () if choices == 0 => Err(ResultCode::EmptyAnswer),
        () if scan.unfinished || choices < usize::from(request.n) => Err(ResultCode::Truncated),
        () if !scan.content && !scan.may_be_empty && !request.after_tool => Err(ResultCode::EmptyAnswer),
        () => Ok(Answer { envelope: scan.envelope.into(), usage: scan.usage, said: scan.said }),
    }
}

#[cfg(test)]
mod tests;
