//! Envelope: the top level of an answer, and how something of ours is put into it without writing it again.
//!
//! # Invariants
//! - `ENV-1`: every byte of the upstream stays as it was, but for an `evenkeel` object of a gateway behind us, a `model`
//!   that is `null`, and, where a chunk goes on with the stream of another, its `id`, its `created`, its `usage`, and
//!   the part of its text that was sent before (F-123, F-130, F-131).
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
    /// Where the values of `id` and of `created` stand.
    id: Option<Range<usize>>,
    created: Option<Range<usize>>,
    /// Where the value of `usage` stands.
    usage: Option<Range<usize>>,
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
                "id" => envelope.id = Some(reader.skip()?),
                "created" => envelope.created = Some(reader.skip()?),
                key => {
                    let start = reader.offset();
                    each(key, &mut reader)?;
                    if key == "usage" {
                        envelope.usage = Some(start..reader.here());
                    }
                }
            }
        }
        envelope.end = reader.here() - 1;
        reader.end()?;
        Ok(envelope)
    }

    /// Inserts the `evenkeel` object before the last brace, and `model` where the upstream named none.
    pub(crate) fn insert(&self, body: &Bytes, evenkeel: &str, model: &str) -> Bytes {
        self.change(body, Changes { evenkeel: Some(evenkeel), model, ..Changes::default() })
    }

    /// Names who answers, where the upstream named nobody.
    pub(crate) fn name(&self, body: &Bytes, model: &str) -> Bytes {
        if self.named { body.clone() } else { self.change(body, Changes { model, ..Changes::default() }) }
    }

    /// Returns what makes every chunk of a stream one of the same.
    pub(crate) fn identity(&self, body: &Bytes) -> Identity {
        let value = |span: &Option<Range<usize>>| span.clone().map(|span| body.slice(span));
        Identity { id: value(&self.id), created: value(&self.created) }
    }

    /// Writes it with changes; all else stays byte for byte.
    pub(crate) fn change(&self, body: &Bytes, changes: Changes<'_>) -> Bytes {
        let Changes { evenkeel, model, identity, text, usage } = changes;
        let mut patches: Vec<(Range<usize>, Vec<u8>)> = Vec::with_capacity(4);
        let mut tail = Vec::with_capacity(evenkeel.map_or(0, str::len) + model.len() + 32);
        let mut append = |key: &[u8], value: &[u8]| {
            let comma: &[u8] = if self.empty && tail.is_empty() { b"" } else { b"," };
            tail.extend([comma, key, value].concat());
        };
        match (evenkeel, &self.evenkeel) {
            (Some(evenkeel), Some(span)) => patches.push((span.clone(), evenkeel.into())),
            (Some(evenkeel), None) => append(b"\"evenkeel\":", evenkeel.as_bytes()),
            (None, _) => {}
        }
        if !self.named {
            let mut name = Vec::with_capacity(model.len() + 2);
            json::push_string(&mut name, model);
            match &self.model {
                Some(span) => patches.push((span.clone(), name)),
                None => append(b"\"model\":", &name),
            }
        }
        let Identity { id, created } = identity.cloned().unwrap_or_default();
        for (span, value) in [(&self.id, id), (&self.created, created)] {
            patches.extend(span.clone().zip(value.map(Vec::from)));
        }
        patches.extend(self.usage.clone().zip(usage.map(|usage| usage.into())));
        if let Some((span, text)) = text {
            let mut value = Vec::with_capacity(text.len() + 2);
            json::push_string(&mut value, text);
            patches.push((span, value));
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

/// What makes every chunk of a stream one of the same: the values of `id` and `created`, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    id: Option<Bytes>,
    created: Option<Bytes>,
}

/// What is written otherwise than it came.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    /// The object that is inserted.
    pub(crate) evenkeel: Option<&'a str>,
    /// Who answers, where the upstream named nobody.
    pub(crate) model: &'a str,
    /// The stream that it becomes a part of.
    pub(crate) identity: Option<&'a Identity>,
    /// Where another text stands, and which.
    pub(crate) text: Option<(Range<usize>, &'a str)>,
    /// What stands in place of its `usage`, where it has one.
    pub(crate) usage: Option<&'a str>,
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

    #[test]
    fn f_130_a_chunk_becomes_part_of_another_stream_and_keeps_its_model() {
        let envelope = |body: &str| Envelope::read(body.as_bytes(), |_, reader| reader.pass()).expect("an object");
        let first = r#"{"id":"one","created":7,"model":"large"}"#;
        let identity = envelope(first).identity(&Bytes::copy_from_slice(first.as_bytes()));
        let second = r#"{"model":"small","created":9, "id":"two","choices":[{"delta":{"content":"ab\"cd"}}], "usage": {"a":[1]}}"#;
        let at = second.find("\"ab").expect("the text");
        let changes = Changes {
            evenkeel: Some("{}"),
            model: "p",
            identity: Some(&identity),
            text: Some((at..at + "\"ab\\\"cd\"".len(), "\"cd")),
            usage: Some("null"),
        };
        let out = envelope(second).change(&Bytes::copy_from_slice(second.as_bytes()), changes);
        let expected = r#"{"model":"small","created":7, "id":"one","choices":[{"delta":{"content":"\"cd"}}], "usage": null,"evenkeel":{}}"#;
        assert_eq!(out, expected);
    }
}
