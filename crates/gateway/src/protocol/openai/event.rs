//! Event: judges a streamed completion, event by event, and says when it is complete (F-004).
//!
//! A pure state machine: it holds no clock and no bytes. Framing is `sse`'s, the clocks are the core's; the two seconds
//! that an upstream gets for its `[DONE]` after the last `finish_reason` (F-005) are the caller's, who asks
//! [`StreamJudge::is_complete`] and then [`StreamJudge::quiet`].
//!
//! # Invariants
//! - `JUDGE-1`: a stream is a success only if every choice had a `finish_reason` (OAI-04).
//! - `JUDGE-2`: after its end nothing counts and nothing is forwarded (ST-14).
//! - `JUDGE-3`: at most one malformed event is left out, after commit only, and never with tools or JSON (F-128).
//! - `JUDGE-4`: what is wrong after the last `finish_reason` ends the stream and does not fail it: it has one end (F-004).
//!
//! # Source
//! `docs/design/protocols.md`, section 4.3; `docs/design/failures.md`, F-004 to F-006, F-023, F-128.

use evenkeel_core::ResultCode;

use super::{
    envelope::Envelope,
    error::{Place, classify_in_band},
    peek::ChatPeek,
    scan::{Said, Says, Scan, Usage, Volume, scan},
};
use crate::{bill::Counts, sse};

/// What an event is to the attempt and its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Forward it; it is neither content nor reasoning.
    Nothing,
    /// Forward it; it stops the first clock and commits nothing.
    Reasoning,
    /// Forward it; a client can use it.
    Content,
    /// Leave it out: it is malformed, and the only one so far.
    Skipped,
    /// Leave it out: the stream is over.
    Ignored,
    /// The stream is over and was verified; `[DONE]` is to be written.
    Complete(ResultCode),
    /// The attempt has failed.
    Failed(ResultCode),
}

/// An event, judged.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// What it is.
    pub(crate) step: Step,
    /// Where something of ours can be inserted, if it is to be forwarded.
    pub(crate) envelope: Envelope,
    /// How much it says.
    pub(crate) said: Volume,
    /// Its text, as far as it is one.
    pub(crate) says: Says,
    /// What the stream has cost so far, where it says so.
    pub(crate) usage: Option<Usage>,
}

impl Judged {
    /// An event of which nothing is forwarded.
    fn bare(step: Step) -> Self {
        let (envelope, said, says) = (Envelope::default(), Volume::default(), Says::default());
        Self { step, envelope, said, says, usage: None }
    }

    /// Returns what it costs.
    pub(crate) fn counts(&self) -> Counts {
        Counts { told: self.usage, said: self.said }
    }
}

/// Judges one stream. Every attempt has its own (F-020).
#[derive(Clone, Debug)]
pub(crate) struct StreamJudge {
    /// One bit per choice that was asked for.
    wanted: u128,
    finished: u128,
    strict: bool,
    empty_is_fine: bool,
    /// A choice has been in it.
    spoken: bool,
    content: bool,
    committed: bool,
    skipped: bool,
    over: bool,
    usage: Option<Usage>,
}

impl StreamJudge {
    /// Starts judging the answer to a request.
    pub(crate) fn new(request: &ChatPeek) -> Self {
        Self {
            wanted: u128::MAX >> (128 - u32::from(request.n.clamp(1, 128))),
            finished: 0,
            strict: request.is_strict(),
            empty_is_fine: request.after_tool,
            spoken: false,
            content: false,
            committed: false,
            skipped: false,
            over: false,
            usage: None,
        }
    }

    /// Notes that what was forwarded belongs to the client from here on.
    pub(crate) fn commit(&mut self) {
        self.committed = true;
    }

    /// Says whether every choice has its `finish_reason`.
    pub(crate) fn is_complete(&self) -> bool {
        self.wanted & !self.finished == 0
    }

    /// Says whether a malformed event was left out, which the last chunk tells the client (F-128).
    pub(crate) fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// Returns the usage, as far as the upstream has told it.
    #[cfg_attr(not(test), expect(dead_code, reason = "cost is counted from it once paths have a price"))]
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Judges the data of one event.
    pub(crate) fn event(&mut self, data: &[u8]) -> Judged {
        if self.over {
            return Judged::bare(Step::Ignored);
        }
        if data.starts_with(b"[DONE]") {
            return Judged::bare(self.end(ResultCode::Ok));
        }
        match scan(data, Said::Delta) {
            Err(_) => Judged::bare(self.malformed()),
            Ok(scan) => {
                let (step, usage) = (self.chunk(&scan), scan.usage);
                Judged { step, envelope: scan.envelope, said: scan.said, says: scan.says, usage }
            }
        }
    }

    /// Judges an event that is longer than is read: a failure, before commit and after (ST-13).
    pub(crate) fn too_long(&mut self) -> Step {
        self.broke(ResultCode::DecodeFailed)
    }

    /// Judges an event with which the stream says more than it may (F-134).
    pub(crate) fn too_much(&mut self) -> Step {
        self.broke(ResultCode::AnswerTooLarge)
    }

    /// Judges the end of the body, as the SSE scanner saw it.
    pub(crate) fn eof(&mut self, end: sse::End) -> Step {
        match end {
            _ if self.over => Step::Ignored,
            sse::End::Clean => self.end(ResultCode::OkDoneMissing),
            sse::End::Done => self.end(ResultCode::Ok),
            // A line that is cut after the last word is usage, or the marker: nothing that was said is missing.
            sse::End::Cut if self.is_complete() => self.end(ResultCode::OkDoneMissing),
            sse::End::Cut => self.fail(ResultCode::Truncated),
        }
    }

    /// Judges a stream that has gone quiet after all its `finish_reason`s (F-005).
    pub(crate) fn quiet(&mut self) -> Step {
        if self.over { Step::Ignored } else { self.end(ResultCode::OkDoneMissing) }
    }

    fn chunk(&mut self, scan: &Scan) -> Step {
        if let Some(error) = &scan.error {
            return self.broke(classify_in_band(error, Place::Stream));
        }
        if scan.failed {
            return self.broke(ResultCode::ErrorInStream);
        }
        self.finished |= scan.finished;
        self.empty_is_fine |= scan.may_be_empty;
        self.spoken |= scan.choices.is_some_and(|choices| choices > 0);
        self.content |= scan.content;
        self.usage = scan.usage.or(self.usage);
        match scan {
            Scan { content: true, .. } => Step::Content,
            Scan { reasoning: true, .. } => Step::Reasoning,
            _ => Step::Nothing,
        }
    }

    fn malformed(&mut self) -> Step {
        if !self.committed || self.strict || self.skipped {
            return self.broke(ResultCode::DecodeFailed);
        }
        self.skipped = true;
        Step::Skipped
    }

    fn end(&mut self, result: ResultCode) -> Step {
        if !self.is_complete() {
            // Without a choice it has not begun, as a plain answer without one has not (F-003).
            return self.fail(if self.spoken { ResultCode::Truncated } else { ResultCode::EmptyAnswer });
        }
        if !self.content && !self.empty_is_fine {
            return self.fail(ResultCode::EmptyAnswer);
        }
        self.over = true;
        Step::Complete(if self.skipped { ResultCode::OkEventSkipped } else { result })
    }

    /// Ends it for something that it should not have said. What comes after the end was told takes nothing away, and a client
    /// that has read an end must not get another one (F-004).
    fn broke(&mut self, result: ResultCode) -> Step {
        match self.is_complete() && (self.content || self.empty_is_fine) {
            true => self.end(ResultCode::OkDoneMissing),
            false => self.fail(result),
        }
    }

    fn fail(&mut self, result: ResultCode) -> Step {
        self.over = true;
        Step::Failed(result)
    }
}

#[cfg(test)]
mod tests;
