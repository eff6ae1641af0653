//! Envelope: the top level of an answer, and how something of ours is put into it without writing it again.
//!
//! # Invariants
//! - `ENV-1`: every byte of the upstream stays as it was, but for an `evenkeel` object of a gateway behind us and a
//!   `model` that is `null`.
//! - `ENV-2`: what comes out holds exactly one `evenkeel` object.
//!
//! # Source
//! `docs/design/protocols.md`, section 4.2; `docs/design/interfaces.md`, section 3.

use std::ops::Range;

use bytes::Bytes;

use crate::protocol::json::{self, Flaw, Kind, Reader};

/// The places in a top-level object where something of ours goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Where the value of `model` stands.
    model: Option<Range<usize>>,
    /// Whether that value is a name.
    named: bool,
    /// Where an `evenkeel` object of a gateway behind us stands.
    evenkeel: Option<Range<usize>>,
    /// The offset of the last brace.
    end: usize,
    /// Whether nothing is in it.
    empty: bool,
}

impl Envelope {
    /// Walks the top-level members. `each` gets those that are not ours and must consume their values.
    ///
    /// # Errors
    /// The body is not one JSON object, or `each` says so.
    pub(crate) fn read(
        body: &[u8],
        mut each: impl FnMut(&str, &mut Reader<'_>) -> Result<(), Flaw>,
    ) -> Result<Self, Flaw> {
        let mut reader = Reader::new(body, 128)?;
        let mut envelope = Self { empty: true, ..Self::default() };
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            envelope.empty = false;
            match &*key.decode() {
                "model" => {
                    envelope.named = reader.kind()? == Kind::String;
                    envelope.model = Some(reader.skip()?);
                }
                "evenkeel" => envelope.evenkeel = Some(reader.skip()?),
                key => each(key, &mut reader)?,
            }
        }
        envelope.end = reader.here() - 1;
        reader.end()?;
        Ok(envelope)
    }

    /// Inserts the `evenkeel` object before the last brace, and `model` where the upstream named none.
    pub(crate) fn insert(&self, body: &Bytes, evenkeel: &str, model: &str) -> Bytes {
        let mut patches: Vec<(Range<usize>, Vec<u8>)> = Vec::with_capacity(2);
        let mut tail = Vec::with_capacity(evenkeel.len() + model.len() + 32);
        let mut append = |key: &[u8], value: &[u8]| {
            let comma: &[u8] = if self.empty && tail.is_empty() { b"" } else { b"," };
            tail.extend([comma, key, value].concat());
        };
        match &self.evenkeel {
            Some(span) => patches.push((span.clone(), evenkeel.into())),
            None => append(b"\"evenkeel\":", evenkeel.as_bytes()),
        }
        if !self.named {
            let mut name = Vec::with_capacity(model.len() + 2);
            json::push_string(&mut name, model);
            match &self.model {
                Some(span) => patches.push((span.clone(), name)),
                None => append(b"\"model\":", &name),
            }
        }
        patches.sort_by_key(|(span, _)| span.start);
        patches.push((self.end..self.end, tail));
        let added: usize = patches.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(body.len() + added);
        let mut at = 0;
        for (span, text) in patches {
            out.extend_from_slice(&body[at..span.start]);
            out.extend_from_slice(&text);
            at = span.end;
        }
        out.extend_from_slice(&body[at..]);
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(body: &str, evenkeel: &str, model: &str) -> String {
        let envelope = Envelope::read(body.as_bytes(), |_, reader| reader.pass()).expect("an object");
        let out = envelope.insert(&Bytes::copy_from_slice(body.as_bytes()), evenkeel, model);
        String::from_utf8(out.into()).expect("UTF-8")
    }

    #[test]
    fn the_object_goes_before_the_last_brace_and_nothing_else_moves() {
        let check = |body: &str, expected: &str| assert_eq!(insert(body, "{\"tier\":1}", "p\"q"), expected);
        check(
            "{\"model\":\"m\", \"x\":{\"model\":1,\"evenkeel\":2} } \n",
            "{\"model\":\"m\", \"x\":{\"model\":1,\"evenkeel\":2} ,\"evenkeel\":{\"tier\":1}} \n",
        );
        check("{}", "{\"evenkeel\":{\"tier\":1},\"model\":\"p\\\"q\"}");
        check("{\"a\":1}", "{\"a\":1,\"evenkeel\":{\"tier\":1},\"model\":\"p\\\"q\"}");
        check("{\"model\":null,\"a\":1}", "{\"model\":\"p\\\"q\",\"a\":1,\"evenkeel\":{\"tier\":1}}");
    }

    #[test]
    fn an_object_of_a_gateway_behind_us_is_replaced() {
        let check = |body: &str, expected: &str| assert_eq!(insert(body, "{}", "p"), expected);
        check("{\"evenkeel\":{\"tier\":0},\"model\":\"m\"}", "{\"evenkeel\":{},\"model\":\"m\"}");
        check("{\"model\":null,\"evenkeel\":1}", "{\"model\":\"p\",\"evenkeel\":{}}");
        check("{\"evenkeel\":[1]}", "{\"evenkeel\":{},\"model\":\"p\"}");
    }
}
