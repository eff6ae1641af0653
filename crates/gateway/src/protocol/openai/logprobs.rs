//! Logprobs: the log-probabilities of the tokens of an answer, asked for where a client did not, read, and left out again.
//!
//! Whether an answer is good enough by them is `judge`'s to say.
//!
//! # Invariants
//! - `LOGP-1`: a request differs in the value of `logprobs` alone, and an answer in `null` where these stand.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.2; the forms are those of OpenAI's chat completions.

use std::ops::Range;

use bytes::Bytes;

use super::scan::Said;
use crate::protocol::{
    json::{Flaw, Kind, Reader},
    patch::{Patch, patched},
};

/// The deepest nesting of an answer.
const DEPTH: u8 = 128;

/// What a choice, or a piece of one, says of its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Choice {
    pub(crate) index: u64,
    /// The log-probabilities of its tokens, in their order; one that is no number is NaN.
    pub(crate) tokens: Vec<f64>,
    /// Where they stand.
    place: Option<Range<usize>>,
}

/// Writes a request in which they are asked for; `messages_end` is where the bracket stands that ends its messages.
///
/// # Errors
/// It cannot be read, which has been seen before.
pub(crate) fn asked_for(body: &[u8], messages_end: usize) -> Result<Bytes, Flaw> {
    let mut reader = Reader::new(body, DEPTH)?;
    let (mut said, mut inside) = (None, reader.object()?);
    while let Some(key) = reader.key(&mut inside)? {
        let ours = key.decode() == "logprobs";
        let place = reader.skip()?;
        said = if ours { Some(place) } else { said };
    }
    let patch = match said {
        Some(place) => (place, b"true".to_vec()),
        None => (messages_end + 1..messages_end + 1, b",\"logprobs\":true".to_vec()),
    };
    Ok(patched(body, vec![patch]))
}

/// Reads those of a completion, or of an event of a stream.
///
/// # Errors
/// It cannot be read, which has been seen before.
pub(crate) fn read(body: &[u8], of: Said) -> Result<Vec<Choice>, Flaw> {
    let mut reader = Reader::new(body, DEPTH)?;
    let (mut found, mut inside) = (Vec::new(), reader.object()?);
    while let Some(key) = reader.key(&mut inside)? {
        if key.decode() != "choices" || reader.kind()? != Kind::Array {
            reader.pass()?;
            continue;
        }
        let mut items = reader.array()?;
        while reader.item(&mut items)? {
            found.push(choice(&mut reader)?);
        }
    }
    // The chunk with which a stream ends, and its usage, say nothing of any token.
    found.retain(|it| of == Said::Message || it.place.is_some());
    Ok(found)
}

/// Leaves them out; nothing where none stand there.
pub(crate) fn left_out(body: &[u8], choices: &[Choice]) -> Option<Bytes> {
    let patches: Vec<Patch> =
        choices.iter().filter_map(|it| it.place.clone()).map(|place| (place, b"null".to_vec())).collect();
    (!patches.is_empty()).then(|| patched(body, patches))
}

fn choice(reader: &mut Reader<'_>) -> Result<Choice, Flaw> {
    let (mut choice, mut inside) = (Choice::default(), reader.object()?);
    while let Some(key) = reader.key(&mut inside)? {
        match (&*key.decode(), reader.kind()?) {
            ("index", Kind::Number) => choice.index = reader.number()?.parse().unwrap_or(u64::MAX),
            ("logprobs", Kind::Object) => {
                let start = reader.offset();
                choice.tokens = tokens(reader)?;
                choice.place = Some(start..reader.here());
            }
            _ => reader.pass()?,
        }
    }
    Ok(choice)
}

/// Reads the tokens of a text; where a model has refused, those of its refusal.
fn tokens(reader: &mut Reader<'_>) -> Result<Vec<f64>, Flaw> {
    let (mut content, mut refusal) = (Vec::new(), Vec::new());
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        let tokens = match (&*key.decode(), reader.kind()?) {
            ("content", Kind::Array) => &mut content,
            ("refusal", Kind::Array) => &mut refusal,
            _ => {
                reader.pass()?;
                continue;
            }
        };
        let mut items = reader.array()?;
        while reader.item(&mut items)? {
            tokens.push(token(reader)?);
        }
    }
    Ok(if content.is_empty() { refusal } else { content })
}

fn token(reader: &mut Reader<'_>) -> Result<f64, Flaw> {
    let mut logprob = f64::NAN;
    if reader.kind()? != Kind::Object {
        reader.pass()?;
        return Ok(logprob);
    }
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        match (&*key.decode(), reader.kind()?) {
            ("logprob", Kind::Number) => logprob = reader.number()?.parse().unwrap_or(f64::NAN),
            _ => reader.pass()?,
        }
    }
    Ok(logprob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logp_1_a_request_differs_in_one_value_alone() {
        for (body, expected) in [
            (r#"{"model":"m","messages":[{}], "n":1}"#, r#"{"model":"m","messages":[{}],"logprobs":true, "n":1}"#),
            (r#"{"logprobs": false,"messages":[{}]}"#, r#"{"logprobs": true,"messages":[{}]}"#),
            (r#"{"messages":[{"logprobs":0}],"logprobs":null }"#, r#"{"messages":[{"logprobs":0}],"logprobs":true }"#),
        ] {
            let end = body.rfind("}]").expect("messages") + 1;
            assert_eq!(asked_for(body.as_bytes(), end).expect("well-formed"), expected);
        }
    }

    #[test]
    fn logp_1_what_was_read_is_left_out_and_nothing_else() {
        let body = r#"{"choices":[{"index":0,"message":{"content":"a"},"logprobs":{"content":[{"token":"a","logprob":-0.5,"top_logprobs":[{"logprob":-9}]},{"logprob":-1e1}],"refusal":null}},{"index":1,"logprobs":null},{"index":2,"logprobs":{"content":[{"logprob":"x"}]}}]}"#;
        let choices = read(body.as_bytes(), Said::Message).expect("well-formed");
        let tokens: Vec<_> = choices.iter().map(|it| (it.index, &it.tokens[..])).collect();
        assert_eq!(tokens[..2], [(0, &[-0.5, -10.0][..]), (1, &[])]);
        assert!(tokens[2].1[0].is_nan());
        let expected = r#"{"choices":[{"index":0,"message":{"content":"a"},"logprobs":null},{"index":1,"logprobs":null},{"index":2,"logprobs":null}]}"#;
        assert_eq!(left_out(body.as_bytes(), &choices).expect("some"), expected);
        assert_eq!(
            left_out(expected.as_bytes(), &read(expected.as_bytes(), Said::Message).expect("well-formed")),
            None
        );
        let refused = r#"{"choices":[{"logprobs":{"content":null,"refusal":[{"logprob":-2}]}}]}"#;
        assert_eq!(read(refused.as_bytes(), Said::Delta).expect("well-formed")[0].tokens, [-2.0]);
        assert_eq!(read(br#"{"choices":[{"delta":{}}]}"#, Said::Delta), Ok(vec![]));
    }
}
