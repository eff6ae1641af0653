//! Apart: a chat without the words of its last question, and these words (F-147).
//!
//! Two requests that differ in nothing else are in one scope: the same client asks the same route for the same, with the same
//! messages before, and only puts it otherwise.
//!
//! # Invariants
//! - `APART-1`: a request of which anything but the words of its last message differs is in another scope.

use super::{DEPTH, HOW, Key, Parts, Scope, sorted, value};
use crate::protocol::json::{Kind, Reader};

/// The longest question that is compared, in bytes: an embedder reads the beginning of a text, and of a longer one two that differ at
/// the end would mean the same.
const LONGEST: usize = 1 << 10;

impl Key {
    /// Takes the words of the last question apart from all the rest, as one embedder understands them; none where the last message
    /// is no text of the user.
    pub(crate) fn apart(scope: Scope<'_>, embedder: [&str; 2], body: &[u8]) -> Option<(Self, String)> {
        let mut parts = Parts::default();
        parts.part(b"evenkeel.cache.semantic/v1");
        embedder.iter().for_each(|name| parts.part(name.as_bytes()));
        parts.scope(scope);
        let (rest, question) = without_question(body)?;
        parts.part(&rest);
        Some((Self(parts.0.finalize().into()), question))
    }
}

/// Writes a body as its key has it, but without its last question.
fn without_question(body: &[u8]) -> Option<(Vec<u8>, String)> {
    let mut reader = Reader::new(body, DEPTH).ok()?;
    let (mut all, mut question) = (Vec::new(), None);
    let mut inside = reader.object().ok()?;
    while let Some(key) = reader.key(&mut inside).ok()? {
        let key = key.decode();
        let mut member = Vec::new();
        match &*key {
            name if HOW.contains(&name) => {
                reader.pass().ok()?;
                continue;
            }
            "messages" if question.is_some() => return None,
            "messages" => question = Some(messages(&mut reader, body, &mut member)?),
            _ => value(&mut reader, &mut member).ok()?,
        }
        all.push((key.into_owned(), member));
    }
    let mut out = Vec::with_capacity(body.len());
    sorted(&mut out, all);
    Some((out, question?))
}

/// Writes the messages, the last one without its text, and returns that.
fn messages(reader: &mut Reader<'_>, body: &[u8], out: &mut Vec<u8>) -> Option<String> {
    let (mut inside, mut last) = (reader.array().ok()?, None);
    out.push(b'[');
    while reader.item(&mut inside).ok()? {
        let at = reader.skip().ok()?;
        if let Some(before) = last.replace(at) {
            value(&mut Reader::new(&body[before], DEPTH).ok()?, out).ok()?;
            out.push(b',');
        }
    }
    let mut reader = Reader::new(&body[last?], DEPTH).ok()?;
    let (mut all, mut question, mut user) = (Vec::new(), None, false);
    let mut inside = reader.object().ok()?;
    while let Some(key) = reader.key(&mut inside).ok()? {
        let key = key.decode();
        match &*key {
            "content" if question.is_some() => return None,
            "content" => question = Some(text(&mut reader)?),
            "role" => user = reader.string().ok()?.decode() == "user",
            _ => {
                let mut member = Vec::new();
                value(&mut reader, &mut member).ok()?;
                all.push((key.into_owned(), member));
            }
        }
    }
    sorted(out, all);
    out.push(b']');
    question.filter(|it: &String| user && !it.trim().is_empty() && it.len() <= LONGEST)
}

/// Reads a content that is one text.
fn text(reader: &mut Reader<'_>) -> Option<String> {
    if reader.kind().ok()? == Kind::String {
        return Some(reader.string().ok()?.decode().into_owned());
    }
    let (mut inside, mut text) = (reader.array().ok()?, None);
    while reader.item(&mut inside).ok()? {
        let mut part = reader.object().ok()?;
        while let Some(key) = reader.key(&mut part).ok()? {
            match &*key.decode() {
                "type" if reader.string().ok()?.decode() == "text" => {}
                "text" if text.is_none() => text = Some(reader.string().ok()?.decode().into_owned()),
                // A picture, a second text, or what nobody here knows.
                _ => return None,
            }
        }
    }
    text
}
