//! Chat: the texts of a completion, or of an event of a stream, and where they stand in its bytes.
//!
//! Changed is what a model says: `content`, and beside it reasoning and a refusal, and each text below any other key of a message.
//! Calls of tools are for machines, and stay what they are; sound is no text. The probabilities of words that are changed are those of
//! other words: they are left out. In the pieces of a stream a text below another key has no place where what is held back of it could
//! go: such a key is left out there.

use std::ops::Range;

use bytes::Bytes;
use evenkeel_config::{Changes, Post, Said as Text};
use evenkeel_core::ResultCode;

use super::Unfit;
use crate::protocol::{
    json::{Flaw, Kind, Reader, push_string},
    openai::scan::Said,
    patch::{Patch, patched},
};

/// Where the texts of a choice stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) index: u64,
    /// The texts, each with its key.
    pub(super) texts: Vec<(&'static str, Range<usize>)>,
    /// Texts below other keys of what it says.
    pub(super) below: Vec<Range<usize>>,
    /// The values that have such texts, and what stands in place of each where they cannot be looked at.
    pub(super) unseen: Vec<(Range<usize>, &'static str)>,
    /// The probabilities of its words.
    pub(super) logprobs: Option<Range<usize>>,
    /// Behind the brace that begins what it says, and whether nothing follows in that.
    pub(super) inside: Option<(usize, bool)>,
    /// A call, sound: what a text before it ends with.
    pub(super) other: bool,
    /// It ends with this.
    pub(super) finished: bool,
    /// A text that is none.
    pub(super) odd: bool,
}

/// The keys of texts: that of the answer, then those of what stands beside it.
const KEYS: [&str; 4] = ["content", "reasoning", "reasoning_content", "refusal"];

/// Returns which text a key holds.
pub(super) fn said(key: &str) -> Text {
    if key == KEYS[0] { Text::Answer } else { Text::Aside }
}

/// Finds the texts of a completion, or an event.
///
/// # Errors
/// It cannot be read, which has been seen before.
pub(super) fn choices(body: &[u8], of: Said) -> Result<Vec<Choice>, Flaw> {
    let mut reader = Reader::new(body, 128)?;
    let (mut found, mut inside) = (Vec::new(), reader.object()?);
    while let Some(key) = reader.key(&mut inside)? {
        if key.decode() != "choices" || reader.kind()? != Kind::Array {
            reader.pass()?;
            continue;
        }
        let mut items = reader.array()?;
        while reader.item(&mut items)? {
            found.push(choice(&mut reader, of)?);
        }
    }
    Ok(found)
}

fn choice(reader: &mut Reader<'_>, of: Said) -> Result<Choice, Flaw> {
    let (mut choice, mut inside) = (Choice::default(), reader.object()?);
    while let Some(key) = reader.key(&mut inside)? {
        match (&*key.decode(), reader.kind()?) {
            ("index", Kind::Number) => choice.index = reader.number()?.parse().unwrap_or(u64::MAX),
            ("finish_reason", Kind::String) => choice.finished |= !reader.string()?.decode().is_empty(),
            ("logprobs", Kind::Object) => choice.logprobs = Some(reader.skip()?),
            ("message", Kind::Object) if of == Said::Message => says(reader, &mut choice)?,
            ("delta", Kind::Object) if of == Said::Delta => says(reader, &mut choice)?,
            // What a model says, where nobody looks for it.
            ("message" | "delta" | "text", _) => choice.other_key(reader)?,
            _ => reader.pass()?,
        }
    }
    Ok(choice)
}

impl Choice {
    /// Notes the texts of a value that stands under another key.
    fn other_key(&mut self, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        let (start, known) = (reader.offset(), self.below.len());
        strings(reader, &mut self.below)?;
        if self.below.len() > known {
            self.unseen.push((start..reader.here(), "null"));
        }
        Ok(())
    }

    /// Notes what is said in words of a sound.
    fn audio(&mut self, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        if reader.kind()? != Kind::Object {
            return self.other_key(reader);
        }
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            if key.decode() != "transcript" || reader.kind()? != Kind::String {
                reader.pass()?;
                continue;
            }
            let place = reader.skip()?;
            self.unseen.push((place.clone(), "\"\""));
            self.below.push(place);
        }
        Ok(())
    }

    /// Leaves out what cannot be looked at piece by piece.
    pub(super) fn without_unseen(&self, post: &Post) -> Vec<Patch> {
        let unseen = self.unseen.iter().filter(|_| post.is_for_asides());
        unseen.map(|(place, instead)| (place.clone(), instead.as_bytes().to_vec())).collect()
    }
}

/// Notes where the strings of a value stand, as deep as they are.
fn strings(reader: &mut Reader<'_>, found: &mut Vec<Range<usize>>) -> Result<(), Flaw> {
    match reader.kind()? {
        Kind::String => found.push(reader.skip()?),
        Kind::Object => {
            let mut inside = reader.object()?;
            while reader.key(&mut inside)?.is_some() {
                strings(reader, found)?;
            }
        }
        Kind::Array => {
            let mut inside = reader.array()?;
            while reader.item(&mut inside)? {
                strings(reader, found)?;
            }
        }
        _ => reader.pass()?,
    }
    Ok(())
}

fn says(reader: &mut Reader<'_>, choice: &mut Choice) -> Result<(), Flaw> {
    let empty = reader.is_empty_object();
    let mut inside = reader.object()?;
    choice.inside = Some((reader.here(), empty));
    while let Some(key) = reader.key(&mut inside)? {
        let key = key.decode();
        match (KEYS.into_iter().find(|it| *it == key), reader.kind()?) {
            (Some(key), Kind::String) => choice.texts.push((key, reader.skip()?)),
            (Some(_), Kind::Null) => reader.null()?,
            (Some(_), _) => choice.odd |= reader.is_filled()?,
            (None, _) if matches!(&*key, "tool_calls" | "function_call") => choice.other |= reader.is_filled()?,
            (None, _) if key == "audio" => {
                choice.other |= reader.clone().is_filled()?;
                choice.audio(reader)?;
            }
            (None, _) if key == "role" => reader.pass()?,
            (None, _) => choice.other_key(reader)?,
        }
    }
    Ok(())
}

/// Returns the text that stands at a place, decoded.
pub(super) fn text(body: &[u8], place: &Range<usize>) -> Result<String, Unfit> {
    let read = Reader::new(&body[place.clone()], 1).and_then(|mut it| Ok(it.string()?.decode().into_owned()));
    read.map_err(|_| Unfit::Form(ResultCode::GuardOutput))
}

/// Writes a text as a value.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}

/// Does to a whole completion what is done to it; nothing where that changes nothing.
pub(super) fn whole(body: &Bytes, post: &Post, changes: &mut Changes) -> Result<Option<Bytes>, Unfit> {
    let mut patches: Vec<Patch> = Vec::new();
    for choice in choices(body, Said::Message).map_err(|_| Unfit::Form(ResultCode::GuardOutput))? {
        if choice.odd {
            return Err(Unfit::Form(ResultCode::GuardOutput));
        }
        let before = patches.len();
        for (key, place) in choice.texts {
            let text = text(body, &place)?;
            // A call of a tool may come with an empty text, which is no answer.
            let made = if text.is_empty() { text.clone() } else { post.text(&text, said(key), changes)? };
            if made != text {
                patches.push((place, quoted(&made)));
            }
        }
        if patches.len() > before {
            patches.extend(choice.logprobs.map(|place| (place, b"null".to_vec())));
        }
        for place in choice.below {
            let text = text(body, &place)?;
            let made = post.text(&text, Text::Aside, changes)?;
            if made != text {
                patches.push((place, quoted(&made)));
            }
        }
    }
    Ok(Some(patches).filter(|it| !it.is_empty()).map(|patches| patched(body, patches)))
}
