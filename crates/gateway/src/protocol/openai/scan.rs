//! Scan: one bounded look over an answer or an event of a stream, without a document tree (F-129).
//!
//! A completion in one piece and a chunk of a stream differ in one key, `message` and `delta`, so that both are judged
//! by the same eyes (F-003).
//!
//! # Invariants
//! - `SCAN-1`: what was scanned is one well-formed JSON object.
//! - `SCAN-2`: nothing is allocated but for an error object.
//!
//! # Source
//! `docs/design/protocols.md`, sections 4.2 and 4.3; F-023.

use std::ops::Range;

use super::{envelope::Envelope, error::ErrorObject};
use crate::protocol::json::{Flaw, Kind, Reader};

/// How much content and reasoning there is, in bytes, as JSON writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// All of it.
    pub(crate) bytes: usize,
    /// What of it is text, and not the pieces of a call or sound.
    pub(crate) text: usize,
}

/// What an event says to a client, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Says {
    /// Where the text stands, quotes included, if there is one and no other.
    pub(crate) text: Option<Range<usize>>,
    /// Whether there is content besides: a call, a refusal, sound, another text.
    pub(crate) other: bool,
    /// Whether a choice ends with it.
    pub(crate) finishes: bool,
}

/// What one look has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scan {
    /// How many choices are in it; none where there is no such key.
    pub(crate) choices: Option<usize>,
    /// The indices, one bit each, of choices that have a `finish_reason`.
    pub(crate) finished: u128,
    /// Whether a choice is in it that has none.
    pub(crate) unfinished: bool,
    /// Whether a choice ended for a reason for which it may be empty (F-006).
    pub(crate) may_be_empty: bool,
    /// Whether a choice ended in an error.
    pub(crate) failed: bool,
    /// Whether it holds something that a client can use (F-023).
    pub(crate) content: bool,
    /// Whether it holds reasoning.
    pub(crate) reasoning: bool,
    /// How much it says.
    pub(crate) said: Volume,
    /// Its text, as far as it is one.
    pub(crate) says: Says,
    /// What it cost, as the model says.
    pub(crate) usage: Option<Usage>,
    /// The error that it is.
    pub(crate) error: Option<ErrorObject>,
    /// Where things of ours go.
    pub(crate) envelope: Envelope,
}

/// Tokens, as an upstream counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the prompt.
    pub(crate) prompt_tokens: u64,
    /// Of the answer.
    pub(crate) completion_tokens: u64,
}

/// Which key of a choice holds what the model said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// `message`, of an answer in one piece.
    Message,
    /// `delta`, of a chunk.
    Delta,
}

/// Looks over a completion or a chunk.
///
/// # Errors
/// What makes it unreadable: no JSON, no object, or a structure that no client could read.
pub(crate) fn scan(body: &[u8], said: Said) -> Result<Scan, Flaw> {
    let mut scan = Scan::default();
    scan.envelope = Envelope::read(body, |key, reader| match key {
        "choices" if reader.kind()? != Kind::Null => scan.choices(reader, said),
        "usage" => {
            scan.usage = usage(reader)?;
            Ok(())
        }
        "error" => {
            scan.error = error(reader)?.or(scan.error.take());
            Ok(())
        }
        "object" if reader.kind()? == Kind::String => {
            if reader.string()?.decode() == "error" {
                scan.error.get_or_insert_default();
            }
            Ok(())
        }
        _ => reader.pass(),
    })?;
    if scan.error == Some(ErrorObject::default()) {
        scan.error = Some(ErrorObject::read(body).unwrap_or_default());
    }
    Ok(scan)
}

/// Says whether a body under 200 is an error.
pub(crate) fn has_error(body: &[u8]) -> bool {
    scan(body, Said::Message).is_ok_and(|scan| scan.error.is_some())
}

/// Reads `usage`; what is absent or absurd is not invented (ST-15).
pub(crate) fn usage(reader: &mut Reader<'_>) -> Result<Option<Usage>, Flaw> {
    if reader.kind()? != Kind::Object {
        reader.skip()?;
        return Ok(None);
    }
    let (mut prompt, mut completion) = (None, None);
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        let field = match &*key.decode() {
            "prompt_tokens" => &mut prompt,
            "completion_tokens" => &mut completion,
            _ => {
                reader.skip()?;
                continue;
            }
        };
        match reader.kind()? {
            Kind::Number => *field = reader.number()?.parse().ok(),
            _ => reader.pass()?,
        }
    }
    Ok(prompt.map(|prompt_tokens| Usage { prompt_tokens, completion_tokens: completion.unwrap_or(0) }))
}

/// Reads the value of `error`; nothing, `false` and what is empty are no error.
pub(crate) fn error(reader: &mut Reader<'_>) -> Result<Option<ErrorObject>, Flaw> {
    let mut ahead = reader.clone();
    let kind = reader.kind()?;
    let start = reader.offset();
    let filled = reader.is_filled()?;
    let absent = match kind {
        Kind::Null => true,
        // `true` is an error, `false` is none; a number is a code.
        Kind::Bool => reader.here() - start == "false".len(),
        Kind::Number | Kind::Token => false,
        Kind::Object | Kind::Array | Kind::String => !filled,
    };
    if absent { Ok(None) } else { ErrorObject::value(&mut ahead).map(Some) }
}

impl Scan {
    fn choices(&mut self, reader: &mut Reader<'_>, said: Said) -> Result<(), Flaw> {
        let mut count = 0;
        let mut inside = reader.array()?;
        while reader.item(&mut inside)? {
            self.choice(reader, said)?;
            count += 1;
        }
        self.choices = Some(count);
        Ok(())
    }

    fn choice(&mut self, reader: &mut Reader<'_>, said: Said) -> Result<(), Flaw> {
        let key_of_said = if said == Said::Message { "message" } else { "delta" };
        let (mut index, mut finished) = (0_u64, false);
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            match (&*key.decode(), reader.kind()?) {
                ("index", Kind::Number) => index = reader.number()?.parse().unwrap_or(u64::MAX),
                ("finish_reason", Kind::String) => finished = self.finish(&reader.string()?.decode()),
                (_, Kind::Null) => reader.null()?,
                (key, _) if key == key_of_said => self.said(reader)?,
                _ => reader.pass()?,
            }
        }
        self.says.finishes |= finished;
        if finished {
            // An index beyond the largest `n` is nobody's choice.
            self.finished |= u32::try_from(index).ok().and_then(|index| 1_u128.checked_shl(index)).unwrap_or(0);
        } else {
            self.unfinished = true;
        }
        Ok(())
    }

    /// Notes why a choice ended. Servers that write an empty reason until there is one mean `null`.
    fn finish(&mut self, reason: &str) -> bool {
        match reason {
            "" => return false,
            "length" | "tool_calls" | "content_filter" => self.may_be_empty = true,
            "error" => self.failed = true,
            _ => {}
        }
        true
    }

    fn said(&mut self, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            let key = key.decode();
            let content = matches!(&*key, "content" | "refusal" | "tool_calls" | "function_call" | "audio");
            let found = match &*key {
                _ if content => &mut self.content,
                "reasoning" | "reasoning_content" => &mut self.reasoning,
                _ => {
                    reader.pass()?;
                    continue;
                }
            };
            let kind = reader.kind()?;
            let start = reader.offset();
            if reader.is_filled()? {
                *found = true;
                let bytes = reader.here() - start;
                self.said.bytes += bytes;
                self.said.text += if kind == Kind::String { bytes } else { 0 };
                let text = (&*key == "content" && kind == Kind::String).then(|| start..reader.here());
                match text.filter(|_| self.says.text.is_none()) {
                    Some(text) => self.says.text = Some(text),
                    None => self.says.other |= content,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
