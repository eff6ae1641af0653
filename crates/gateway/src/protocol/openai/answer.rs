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

/// Why the body of a 200 is no answer. What it says of its cost holds all the same (F-131).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    /// The result of the attempt that got it.
    pub(crate) result: ResultCode,
    /// What it cost, as far as it shows.
    pub(crate) counts: Counts,
}

impl From<ResultCode> for NoAnswer {
    /// One of which nothing could be read.
    fn from(result: ResultCode) -> Self {
        Self { result, counts: Counts::default() }
    }
}

/// Judges the body of a 200.
///
/// # Errors
/// What it is in place of an answer.
pub(crate) fn judge_chat(body: &[u8], request: &ChatPeek) -> Result<Answer, NoAnswer> {
    if body.trim_ascii().is_empty() {
        return Err(ResultCode::EmptyAnswer.into());
    }
    let scan = scan(body, Said::Message).map_err(|_| ResultCode::DecodeFailed)?;
    let choices = scan.choices.unwrap_or(0);
    let counts = Counts { told: scan.usage, said: scan.said };
    let judged = match () {
        () if let Some(error) = &scan.error => Err(classify_in_band(error, Place::Body)),
        () if scan.failed => Err(ResultCode::ErrorInBody),
        () if choices == 0 => Err(ResultCode::EmptyAnswer),
        () if scan.unfinished || choices < usize::from(request.n) => Err(ResultCode::Truncated),
        () if !scan.content && !scan.may_be_empty && !request.after_tool => Err(ResultCode::EmptyAnswer),
        () => Ok(Answer { envelope: scan.envelope.into(), usage: scan.usage, said: scan.said }),
    };
    judged.map_err(|result| NoAnswer { result, counts })
}

#[cfg(test)]
mod tests;
