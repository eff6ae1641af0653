//! Json: a reader over bytes that walks, skips and never builds a tree (RFC 8259).
//!
//! Not a deserialiser: callers ask for the members that they know and skip the rest, which is checked all the same.
//!
//! # Invariants
//! - `JSON-1`: a text that was read to its [`end`](Reader::end) without a flaw is well-formed JSON in UTF-8, no deeper
//!   than the limit, without a lone surrogate.
//! - `JSON-2`: skipping does not recurse and allocates nothing.
//!
//! # Source
//! RFC 8259; `docs/design/protocols.md`, sections 2.4 and 5 (depths), fault catalogue CL-12 and CL-13.

use std::ops::Range;

use self::text::hex;
pub(crate) use self::{
    flaw::{Flaw, What},
    text::{Text, push_string},
};

mod flaw;
mod text;

/// The kind of a value, told by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// `-1.5e3`
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// `NaN`, `Infinity`, `-Infinity`: no JSON, and read only where [`Reader::tokens`] is set.
    Token,
}

/// Walks an object or an array that was entered.
#[derive(Debug)]
pub(crate) struct Inside {
    first: bool,
}

/// Bytes at which a run of plain string bytes stops.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        stops[byte] = true;
        byte += 1;
    }
    stops[b'"' as usize] = true;
    stops[b'\\' as usize] = true;
    stops
};

/// A position in a text.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    limit: u8,
    /// Whether bare `NaN`, `Infinity` and `-Infinity` are numbers.
    pub(crate) tokens: bool,
}

impl<'a> Reader<'a> {
    /// Starts reading. `limit` is the deepest nesting, at most 128.
    pub(crate) fn new(bytes: &'a [u8], limit: u8) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(bytes).map_err(|error| Flaw { what: What::Utf8, at: error.valid_up_to() })?;
        if text.starts_with('\u{feff}') {
            return Err(Flaw { what: What::ByteOrderMark, at: 0 });
        }
        Ok(Self { text, at: 0, depth: 0, limit: limit.min(128), tokens: false })
    }

    /// Tells the kind of the next value.
    pub(crate) fn kind(&mut self) -> Result<Kind, Flaw> {
        self.space();
        match self.byte()? {
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b'"' => Ok(Kind::String),
            b'-' if self.tokens && self.rest().starts_with(b"-I") => Ok(Kind::Token),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b't' | b'f' => Ok(Kind::Bool),
            b'n' => Ok(Kind::Null),
            b'N' | b'I' if self.tokens => Ok(Kind::Token),
            _ => self.flaw(What::Expected("a value")),
        }
    }

    /// Enters an object.
    pub(crate) fn object(&mut self) -> Result<Inside, Flaw> {
        self.enter(b'{', "'{'")
    }

    /// Enters an array.
    pub(crate) fn array(&mut self) -> Result<Inside, Flaw> {
        self.enter(b'[', "'['")
    }

    /// Reads the next key of an object and its colon; none at the end, which is left.
    pub(crate) fn key(&mut self, inside: &mut Inside) -> Result<Option<Text<'a>>, Flaw> {
        if !self.advance(inside, b'}', "',' or '}'")? {
            return Ok(None);
        }
        self.member().map(Some)
    }

    /// Moves to the next item of an array; false at the end, which is left.
    pub(crate) fn item(&mut self, inside: &mut Inside) -> Result<bool, Flaw> {
        self.advance(inside, b']', "',' or ']'")
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Flaw> {
        self.space();
        if self.byte()? != b'"' {
            return self.flaw(What::Expected("a string"));
        }
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let plain = self.rest().iter().position(|byte| STOPS[usize::from(*byte)]);
            self.at = plain.map_or(self.text.len(), |plain| self.at + plain);
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.flaw(What::Control),
            }
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Text { raw, escaped })
    }

    /// Reads a number, or a token where these are allowed, as its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, Flaw> {
        self.space();
        let start = self.at;
        if self.kind()? == Kind::Token {
            let token =
                ["NaN", "Infinity", "-Infinity"].into_iter().find(|token| self.text[start..].starts_with(token));
            self.at += token.map_or_else(|| self.flaw(What::Number), |token| Ok(token.len()))?;
            return Ok(&self.text[start..self.at]);
        }
        self.at += usize::from(self.rest().first() == Some(&b'-'));
        if self.rest().first() == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.rest().first() == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.rest().first() {
            self.at += 1;
            self.at += usize::from(matches!(self.rest().first(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, Flaw> {
        self.space();
        let said = self.byte()? == b't';
        self.literal(if said { "true" } else { "false" })?;
        Ok(said)
    }

    /// Reads `null`.
    pub(crate) fn null(&mut self) -> Result<(), Flaw> {
        self.space();
        self.literal("null")
    }

    /// Checks the next value, whatever it is, and returns where it stands.
    pub(crate) fn skip(&mut self) -> Result<Range<usize>, Flaw> {
        self.space();
        let (start, base) = (self.at, self.depth);
        // One bit per open container, the lowest the innermost: whether it is an object. The limit of 128 fits.
        let mut objects: u128 = 0;
        loop {
            match self.kind()? {
                Kind::Object => {
                    let mut inside = self.object()?;
                    if self.key(&mut inside)?.is_some() {
                        objects = objects << 1 | 1;
                        continue;
                    }
                }
                Kind::Array => {
                    let mut inside = self.array()?;
                    if self.item(&mut inside)? {
                        objects <<= 1;
                        continue;
                    }
                }
                Kind::String => {
                    self.string()?;
                }
                Kind::Number | Kind::Token => {
                    self.number()?;
                }
                Kind::Bool => {
                    self.boolean()?;
                }
                Kind::Null => self.null()?,
            }
            // A value is behind us: leave what ends here, stop at what goes on.
            loop {
                if self.depth == base {
                    return Ok(start..self.at);
                }
                let mut inside = Inside { first: false };
                let more = match objects & 1 {
                    1 => self.key(&mut inside)?.is_some(),
                    _ => self.item(&mut inside)?,
                };
                if more {
                    break;
                }
                objects >>= 1;
            }
        }
    }

    /// Checks the next value and goes on.
    pub(crate) fn pass(&mut self) -> Result<(), Flaw> {
        self.skip().map(drop)
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { self.flaw(What::Expected("the end")) }
    }

    /// Returns the offset of the next value.
    pub(crate) fn offset(&mut self) -> usize {
        self.space();
        self.at
    }

    /// Returns the offset right behind what was read.
    pub(crate) fn here(&self) -> usize {
        self.at
    }

    /// Says whether the next value is an object with nothing in it.
    pub(crate) fn is_empty_object(&self) -> bool {
        let mut ahead = self.clone();
        ahead.kind() == Ok(Kind::Object) && ahead.is_filled() == Ok(false)
    }

    /// Skips a value and says whether there is anything in it: a character, an item, a member.
    pub(crate) fn is_filled(&mut self) -> Result<bool, Flaw> {
        let kind = self.kind()?;
        let span = self.skip()?;
        let inner = &self.text.as_bytes()[span.start + 1..span.end.max(span.start + 2) - 1];
        Ok(match kind {
            Kind::String => !inner.is_empty(),
            Kind::Array | Kind::Object => inner.iter().any(|byte| !byte.is_ascii_whitespace()),
            Kind::Number | Kind::Bool | Kind::Null | Kind::Token => false,
        })
    }

    fn enter(&mut self, open: u8, expected: &'static str) -> Result<Inside, Flaw> {
        self.space();
        if self.byte()? != open {
            return self.flaw(What::Expected(expected));
        }
        if self.depth == self.limit {
            return self.flaw(What::Depth(self.limit));
        }
        self.depth += 1;
        self.at += 1;
        Ok(Inside { first: true })
    }

    fn advance(&mut self, inside: &mut Inside, close: u8, expected: &'static str) -> Result<bool, Flaw> {
        self.space();
        let byte = self.byte()?;
        if byte == close {
            self.at += 1;
            self.depth -= 1;
            return Ok(false);
        }
        if !inside.first {
            if byte != b',' {
                return self.flaw(What::Expected(expected));
            }
            self.at += 1;
        }
        inside.first = false;
        Ok(true)
    }

    fn member(&mut self) -> Result<Text<'a>, Flaw> {
        let key = self.string()?;
        self.space();
        if self.byte()? != b':' {
            return self.flaw(What::Expected("':'"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Checks an escape and steps over it.
    fn escape(&mut self) -> Result<(), Flaw> {
        match self.rest().get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match hex(&self.rest()[2..]) {
                None => return self.flaw(What::Escape),
                Some(0xD800..=0xDBFF) => {
                    let low = self.rest()[6..].strip_prefix(b"\\u").and_then(hex);
                    if !matches!(low, Some(0xDC00..=0xDFFF)) {
                        return self.flaw(What::Surrogate);
                    }
                    self.at += 12;
                }
                Some(0xDC00..=0xDFFF) => return self.flaw(What::Surrogate),
                Some(_) => self.at += 6,
            },
            Some(_) => return self.flaw(What::Escape),
            None => return self.flaw(What::End),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.flaw(What::Number) } else { Ok(()) }
    }

    fn literal(&mut self, word: &'static str) -> Result<(), Flaw> {
        if !self.rest().starts_with(word.as_bytes()) {
            return self.flaw(What::Expected(word));
        }
        self.at += word.len();
        Ok(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.rest().first() {
            self.at += 1;
        }
    }

    fn byte(&self) -> Result<u8, Flaw> {
        self.rest().first().copied().ok_or(Flaw { what: What::End, at: self.at })
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn flaw<T>(&self, what: What) -> Result<T, Flaw> {
        Err(Flaw { what, at: self.at })
    }
}

#[cfg(test)]
mod tests;
