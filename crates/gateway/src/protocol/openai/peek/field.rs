//! Field: one peeked member of a request, read by its kind.
//!
//! What a value means for routing is decided here, member by member; which members there are stands in `peek`.

use std::{borrow::Cow, ops::Range};

use evenkeel_core::Features;

use super::BadRequest;
use crate::protocol::json::{Inside, Kind, Reader};

/// The deepest nesting of a body.
const DEPTH: u8 = 128;

/// The members of the top level.
pub(super) struct Top<'a> {
    pub(super) reader: Reader<'a>,
    inside: Inside,
    /// One bit per peeked key that was there.
    seen: u16,
}

impl<'a> Top<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, BadRequest> {
        let mut reader = Reader::new(body, DEPTH)?;
        if reader.kind()? != Kind::Object {
            return Err(BadRequest { param: None, message: "the body must be a JSON object".into() });
        }
        let inside = reader.object()?;
        Ok(Self { reader, inside, seen: 0 })
    }

    /// Steps to the next member with one of `names` and a value other than `null`.
    pub(super) fn next<'n>(&mut self, names: &[&'n str]) -> Result<Option<&'n str>, BadRequest> {
        while let Some(key) = self.reader.key(&mut self.inside)? {
            let key = key.decode();
            let Some(at) = names.iter().position(|name| *name == key) else {
                self.reader.skip()?;
                continue;
            };
            let name = names[at];
            if self.seen & 1 << at != 0 {
                return Err(BadRequest::of(name, "stands there twice"));
            }
            self.seen |= 1 << at;
            if self.reader.kind()? != Kind::Null {
                return Ok(Some(name));
            }
            self.reader.null()?;
        }
        Ok(None)
    }

    pub(super) fn field<'t>(&'t mut self, name: &'static str) -> Field<'t, 'a> {
        Field { reader: &mut self.reader, name }
    }
}

/// What a conversation holds.
pub(super) struct Messages {
    pub(super) needs: Features,
    pub(super) after_tool: bool,
    pub(super) after_assistant: bool,
    pub(super) text_bytes: usize,
    /// Where the bracket stands that ends them.
    pub(super) end: usize,
}

/// A peeked member whose value comes next.
pub(super) struct Field<'t, 'a> {
    reader: &'t mut Reader<'a>,
    name: &'static str,
}

impl<'a> Field<'_, 'a> {
    pub(super) fn wrong<T>(&self, message: &str) -> Result<T, BadRequest> {
        Err(BadRequest::of(self.name, message))
    }

    fn is(&mut self, kind: Kind, message: &str) -> Result<(), BadRequest> {
        if self.reader.kind()? == kind { Ok(()) } else { self.wrong(message) }
    }

    pub(super) fn boolean(&mut self) -> Result<bool, BadRequest> {
        self.is(Kind::Bool, "must be true or false")?;
        Ok(self.reader.boolean()?)
    }

    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, BadRequest> {
        self.is(Kind::String, "must be a string")?;
        Ok(self.reader.string()?.decode())
    }

    pub(super) fn spanned(&mut self) -> Result<(String, Range<usize>), BadRequest> {
        let start = self.reader.offset();
        let text = self.string()?.into_owned();
        Ok((text, start..self.reader.here()))
    }

    pub(super) fn integer(&mut self, low: u64, high: u64) -> Result<u64, BadRequest> {
        let message = || format!("must be an integer from {low} to {high}");
        if self.reader.kind()? != Kind::Number {
            return self.wrong(&message());
        }
        match self.reader.number()?.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            _ => self.wrong(&message()),
        }
    }

    pub(super) fn include_usage(&mut self) -> Result<bool, BadRequest> {
        self.is(Kind::Object, "must be an object")?;
        let mut asked = false;
        let mut inside = self.reader.object()?;
        while let Some(key) = self.reader.key(&mut inside)? {
            if key.decode() != "include_usage" || self.reader.kind()? == Kind::Null {
                self.reader.skip()?;
            } else {
                asked = Field { reader: self.reader, name: "stream_options.include_usage" }.boolean()?;
            }
        }
        Ok(asked)
    }

    /// Returns the bytes that tools take; 0 for none.
    pub(super) fn tools(&mut self) -> Result<usize, BadRequest> {
        self.is(Kind::Array, "must be an array")?;
        let start = self.reader.offset();
        let filled = self.reader.is_filled()?;
        Ok(if filled { self.reader.here() - start } else { 0 })
    }

    /// Anything but `auto` and `none` is read as a call that must be made: vendors have words of their own for it.
    pub(super) fn tool_choice(&mut self) -> Result<Features, BadRequest> {
        if self.reader.kind()? == Kind::Object {
            self.reader.skip()?;
            return Ok(Features::TOOL_REQUIRED);
        }
        self.is(Kind::String, "must be a string or an object")?;
        let word = self.reader.string()?.decode();
        Ok(if matches!(&*word, "auto" | "none") { Features::NONE } else { Features::TOOL_REQUIRED })
    }

    /// A format that is not known is read as a schema: it binds the answer to a grammar.
    pub(super) fn response_format(&mut self) -> Result<Features, BadRequest> {
        self.is(Kind::Object, "must be an object")?;
        let mut needs = Features::NONE;
        let mut inside = self.reader.object()?;
        while let Some(key) = self.reader.key(&mut inside)? {
            if key.decode() != "type" {
                self.reader.skip()?;
                continue;
            }
            let word = Field { reader: self.reader, name: "response_format.type" }.string()?;
            needs = match &*word {
                "text" => Features::NONE,
                "json_object" => Features::JSON,
                _ => Features::SCHEMA,
            };
        }
        Ok(needs)
    }

    pub(super) fn modalities(&mut self) -> Result<Features, BadRequest> {
        self.is(Kind::Array, "must be an array")?;
        let mut needs = Features::NONE;
        let mut inside = self.reader.array()?;
        while self.reader.item(&mut inside)? {
            let word = Field { reader: self.reader, name: "modalities" }.string()?;
            if word == "audio" {
                needs = Features::AUDIO;
            }
        }
        Ok(needs)
    }

    pub(super) fn messages(&mut self) -> Result<Messages, BadRequest> {
        self.is(Kind::Array, "must be an array")?;
        let needs = Features::NONE;
        let mut found = Messages { needs, after_tool: false, after_assistant: false, text_bytes: 0, end: 0 };
        let mut count = 0_usize;
        let mut inside = self.reader.array()?;
        while self.reader.item(&mut inside)? {
            self.message(count, &mut found)?;
            count += 1;
        }
        found.end = self.reader.here() - 1;
        if count == 0 { self.wrong("must not be empty") } else { Ok(found) }
    }

    fn message(&mut self, at: usize, found: &mut Messages) -> Result<(), BadRequest> {
        if self.reader.kind()? != Kind::Object {
            return Err(BadRequest::of(format_args!("messages[{at}]"), "must be an object"));
        }
        (found.after_tool, found.after_assistant) = (false, false);
        let mut inside = self.reader.object()?;
        while let Some(key) = self.reader.key(&mut inside)? {
            let kind = self.reader.kind()?;
            match (&*key.decode(), kind) {
                ("role", Kind::String) => {
                    let role = self.reader.string()?.decode();
                    found.after_tool = matches!(&*role, "tool" | "function");
                    found.after_assistant = role == "assistant";
                }
                ("role", _) => return Err(BadRequest::of(format_args!("messages[{at}].role"), "must be a string")),
                ("content", Kind::Array) => self.parts(at, found)?,
                ("content", Kind::String) => found.text_bytes += self.reader.skip()?.len(),
                ("content", Kind::Null) => self.reader.null()?,
                ("content", _) => {
                    let param = format!("messages[{at}].content");
                    return Err(BadRequest::of(param, "must be a string or an array of parts"));
                }
                _ => self.reader.pass()?,
            }
        }
        Ok(())
    }

    fn parts(&mut self, at: usize, found: &mut Messages) -> Result<(), BadRequest> {
        let mut number = 0_usize;
        let mut inside = self.reader.array()?;
        while self.reader.item(&mut inside)? {
            let param = || format!("messages[{at}].content[{number}]");
            if self.reader.kind()? != Kind::Object {
                return Err(BadRequest::of(param(), "must be an object"));
            }
            let mut part = self.reader.object()?;
            while let Some(key) = self.reader.key(&mut part)? {
                match (&*key.decode(), self.reader.kind()?) {
                    ("type", Kind::String) => {
                        found.needs = found.needs.with(reads(&self.reader.string()?.decode()));
                    }
                    ("type", _) => return Err(BadRequest::of(param() + ".type", "must be a string")),
                    ("text", _) => found.text_bytes += self.reader.skip()?.len(),
                    _ => self.reader.pass()?,
                }
            }
            number += 1;
        }
        Ok(())
    }

    /// Counts inputs and their bytes: a text, texts, tokens, or lists of tokens.
    pub(super) fn input(&mut self) -> Result<(usize, usize), BadRequest> {
        const FORMS: &str = "must be a string, an array of strings, or one or more arrays of tokens";
        match self.reader.kind()? {
            Kind::String => return Ok((1, self.reader.skip()?.len())),
            Kind::Array => {}
            _ => return self.wrong(FORMS),
        }
        let start = self.reader.offset();
        let (mut count, mut all) = (0, None);
        let mut inside = self.reader.array()?;
        while self.reader.item(&mut inside)? {
            let kind = self.reader.kind()?;
            let known = matches!(kind, Kind::String | Kind::Number | Kind::Array);
            if !known || *all.get_or_insert(kind) != kind {
                return self.wrong(FORMS);
            }
            self.reader.skip()?;
            count += 1;
        }
        match all {
            None => self.wrong("must not be empty"),
            Some(Kind::Number) => Ok((1, self.reader.here() - start)),
            Some(_) => Ok((count, self.reader.here() - start)),
        }
    }
}

/// Returns what a part of this type asks a model to read.
fn reads(part: &str) -> Features {
    match part {
        "image_url" | "image" | "input_image" => Features::IMAGE,
        "input_audio" | "audio" | "audio_url" => Features::AUDIO,
        "file" | "input_file" => Features::FILE,
        _ => Features::NONE,
    }
}
