//! Keep: which answers are kept, and why others are not (F-140).
//!
//! # Invariants
//! - `KEEP-1`: what is kept was said by one attempt, or voted by those of one ensemble, to its verified end, and met its
//!   contract.
//! - `KEEP-2`: the first reason against an answer is the one that is counted.
//! - `KEEP-3`: what was made of documents is not kept: they end, are withdrawn and changed, and an answer that is kept would not know.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_core::{AttemptRecord, Decision, End, Refusal, Rescue, ResultCode, Role};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Cache, Entry, Said, whole::assemble};
use crate::{
    ask::{Ask, Question},
    protocol::openai::{answer::judge_chat, envelope::Envelope},
    sure::Sure,
    tensor::InferAnswer,
};

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unkept {
    /// There is none, or none that an attempt gave.
    NoAnswer,
    /// A tier gave it whose answers are not kept.
    LowerTier,
    /// Another attempt finished what one had begun.
    Mended,
    /// Several tiers answered rows of it.
    InPart,
    /// The end mark of its stream never came.
    DoneMissing,
    /// A malformed event was left out of its stream.
    EventSkipped,
    /// It was slower than it should have been; whether its end mark came is not told.
    Slow,
    /// It ended for another reason than that all was said: its length, a filter.
    FinishReason,
    /// It cannot be written in one piece.
    Form,
    /// It is larger than what is kept.
    TooLarge,
    /// The copies of streams that were open with it took all the memory that they may.
    NoRoom,
    /// It was made of documents, which answer only while they are valid.
    Documents,
}

impl Unkept {
    /// Every reason.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 12] = [
        Self::NoAnswer,
        Self::LowerTier,
        Self::Mended,
        Self::InPart,
        Self::DoneMissing,
        Self::EventSkipped,
        Self::Slow,
        Self::FinishReason,
        Self::Form,
        Self::TooLarge,
        Self::NoRoom,
        Self::Documents,
    ];

    /// Returns the word of metrics and records.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::LowerTier => "lower_tier",
            Self::Mended => "mended",
            Self::InPart => "in_part",
            Self::DoneMissing => "done_missing",
            Self::EventSkipped => "event_skipped",
            Self::Slow => "slow",
            Self::FinishReason => "finish_reason",
            Self::Form => "form",
            Self::TooLarge => "too_large",
            Self::NoRoom => "no_room",
            Self::Documents => "documents",
        }
    }
}

/// What an answer was made of.
#[derive(Debug)]
pub(crate) enum Material<'a> {
    /// A body, where our own object would go, and who is named in it where nobody is.
    Body(&'a Bytes, &'a Envelope, &'a str),
    /// The events of a stream, or why they were not copied.
    Events(Result<Vec<Bytes>, Unkept>, &'a str),
    /// Tensors.
    Tensors(&'a InferAnswer),
    /// Nothing is left of it.
    Nothing,
}

/// An answer that was given.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) material: Material<'a>,
    /// How likely it is right, where that is known.
    pub(crate) sure: Option<Sure>,
    /// Whether it was made of documents.
    pub(crate) of_documents: bool,
}

/// What is made of an answer for others.
#[derive(Debug)]
pub(crate) struct Made {
    /// What those may have who wait for it now; none where it is for its own client alone (F-145).
    pub(crate) shared: Option<Arc<Entry>>,
    /// Why it is not kept for those who come later.
    pub(crate) unkept: Option<Unkept>,
}

/// Makes what is kept of an answer. One that is whole, but not for keeping, is shared with those who have waited for it: a text
/// that ended for its length, or a lower tier's, is what each of them would have got.
pub(crate) fn keep(cache: &Cache, (decision, ask): (&Decision, &Ask), given: Given<'_>, made: Timestamp) -> Made {
    let Given { material, sure, of_documents } = given;
    let answered = match answered(decision) {
        Ok(answered) => answered,
        Err(why) => return Made { shared: None, unkept: Some(why) },
    };
    let (said, whole) = match said(ask, material) {
        Ok(said) => said,
        Err(why) => return Made { shared: None, unkept: Some(why) },
    };
    let unkept = match answered.result {
        ResultCode::OkDoneMissing => Some(Unkept::DoneMissing),
        ResultCode::OkSlow => Some(Unkept::Slow),
        _ if answered.tier > 0 && !cache.spec.any_tier => Some(Unkept::LowerTier),
        _ if of_documents => Some(Unkept::Documents),
        _ if !whole => Some(Unkept::FinishReason),
        _ if said.size() as u64 > cache.spec.max_entry => Some(Unkept::TooLarge),
        _ => None,
    };
    Made { shared: Some(Arc::new(Entry { tier: answered.tier, made, sure, said })), unkept }
}

/// Returns the attempt that gave the whole answer; of an ensemble, whose votes made it together, the one
/// that speaks against it most (KEEP-1).
fn answered(decision: &Decision) -> Result<&AttemptRecord, Unkept> {
    if !matches!(decision.outcome.end, End::Answered | End::Refused(Refusal::ClientGone)) {
        return Err(Unkept::NoAnswer);
    }
    let whole = || decision.attempts.iter().filter(|attempt| attempt.result.is_ok());
    let attempt = whole().find(|it| it.result != ResultCode::Ok).or_else(|| whole().next()).ok_or(Unkept::NoAnswer)?;
    match attempt.result {
        _ if attempt.role != Role::Answer || decision.rescue() != Rescue::None => Err(Unkept::Mended),
        ResultCode::OkPart => Err(Unkept::InPart),
        _ if whole().any(|other| other.tier != attempt.tier) => Err(Unkept::InPart),
        ResultCode::OkEventSkipped => Err(Unkept::EventSkipped),
        ResultCode::Ok | ResultCode::OkDoneMissing | ResultCode::OkSlow => Ok(attempt),
        // A result that is new here is not kept before somebody has thought of it.
        _ => Err(Unkept::NoAnswer),
    }
}

/// Returns what was said, in the form in which it is kept, and whether that was all there was to say.
fn said(ask: &Ask, material: Material<'_>) -> Result<(Said, bool), Unkept> {
    let body = match material {
        Material::Nothing => return Err(Unkept::NoAnswer),
        Material::Tensors(answer) => {
            let InferAnswer { parameters, outputs, .. } = answer.clone();
            return Ok((Said::Infer(InferAnswer { parameters, outputs, ..InferAnswer::default() }), true));
        }
        Material::Body(body, envelope, model) => envelope.name(body, model),
        Material::Events(events, model) => {
            let events = events?;
            let whole: Bytes = assemble(&events).ok_or(Unkept::Form)?.into();
            let envelope = Envelope::read(&whole, |_, reader| reader.pass()).map_err(|_| Unkept::Form)?;
            envelope.name(&whole, model)
        }
    };
    let Question::Chat(peek) = &ask.question else { return Ok((Said::Json(body), true)) };
    // Judged like anybody's answer: a stream that was put together is believed nothing.
    judge_chat(&body, peek).map_err(|_| Unkept::Form)?;
    let Ok(Finished { choices }) = serde_json::from_slice(&body) else { return Err(Unkept::Form) };
    let said_all = |choice: &Choice| matches!(choice.finish_reason.as_deref(), Some("stop" | "tool_calls"));
    let whole = choices.iter().all(said_all);
    Ok((Said::Json(body), whole))
}

#[derive(Deserialize)]
struct Finished {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
}

#[cfg(test)]
mod tests;
