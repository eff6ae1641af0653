//! Embeddings: judges vectors before a client gets them.
//!
//! Vectors of another model, width or encoding than was asked for corrupt an index in silence, so everything that can
//! be checked is: one item per input, every index once, one width, numbers that are finite.
//!
//! # When it misleads
//! A vector of the right width from the wrong model passes; that tiers share a `space:` is what keeps it out.
//!
//! # Source
//! `docs/design/protocols.md`, section 4.2; OAI-12.

use evenkeel_core::ResultCode;

use super::{
    answer::{Answer, NoAnswer},
    envelope::Envelope,
    error::{Place, classify_in_band},
    scan,
};
use crate::{
    bill::Counts,
    protocol::json::{Flaw, Kind, Reader},
};

/// What the vectors must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// How many.
    pub(crate) count: usize,
    /// How wide, where the request or the route's space says.
    pub(crate) dimension: Option<u32>,
    /// Whether they must be base64 of little-endian f32. Clients that asked for it decode whatever comes.
    pub(crate) base64: bool,
}

/// Judges the body of a 200.
///
/// # Errors
/// What it is in place of an answer.
pub(crate) fn judge_embeddings(body: &[u8], expected: Expected) -> Result<Answer, NoAnswer> {
    if body.trim_ascii().is_empty() {
        return Err(ResultCode::EmptyAnswer.into());
    }
    let (mut error, mut usage) = (None, None);
    let mut vectors = Vectors { expected, width: None, seen: vec![false; expected.count], items: 0, wrong: None };
    let envelope = Envelope::read(body, |key, reader| match key {
        "data" if reader.kind()? != Kind::Null => vectors.data(reader),
        "usage" => scan::usage(reader).map(|found| usage = found),
        "error" => scan::error(reader).map(|found| error = found),
        _ => reader.pass(),
    });
    let envelope = envelope.map_err(|_| ResultCode::DecodeFailed)?;
    let counts = Counts { told: usage, said: scan::Volume::default() };
    let judged = match &error {
        Some(error) => Err(classify_in_band(error, Place::Body)),
        None => vectors.verdict(),
    };
    judged.map_err(|result| NoAnswer { result, counts })?;
    Ok(Answer { envelope: envelope.into(), usage, said: counts.said })
}

/// What is known of the vectors so far.
struct Vectors {
    expected: Expected,
    /// The width of the first, in elements.
    width: Option<usize>,
    /// Which inputs have theirs.
    seen: Vec<bool>,
    items: usize,
    /// The first thing that was wrong.
    wrong: Option<ResultCode>,
}

impl Vectors {
    fn verdict(&self) -> Result<(), ResultCode> {
        match self.wrong {
            _ if self.items == 0 => Err(ResultCode::EmptyAnswer),
            Some(wrong) => Err(wrong),
            None if self.seen.iter().all(|seen| *seen) => Ok(()),
            None => Err(ResultCode::ContractSchema),
        }
    }

    fn data(&mut self, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        let mut inside = reader.array()?;
        while reader.item(&mut inside)? {
            self.item(reader)?;
            self.items += 1;
        }
        Ok(())
    }

    fn item(&mut self, reader: &mut Reader<'_>) -> Result<(), Flaw> {
        let (mut index, mut found) = (None, Err(ResultCode::EmptyAnswer));
        let mut inside = reader.object()?;
        while let Some(key) = reader.key(&mut inside)? {
            match (&*key.decode(), reader.kind()?) {
                ("index", Kind::Number) => index = reader.number()?.parse::<usize>().ok(),
                ("embedding", Kind::String) => {
                    let text = reader.string()?.decode();
                    found = if self.expected.base64 { base64_width(&text) } else { Err(ResultCode::ContractSchema) };
                }
                ("embedding", Kind::Array) => {
                    found = numbers_width(reader)?;
                    found = if self.expected.base64 { Err(ResultCode::ContractSchema) } else { found };
                }
                _ => reader.pass()?,
            }
        }
        let first = index.and_then(|index| self.seen.get_mut(index)).is_some_and(|seen| !std::mem::replace(seen, true));
        let wrong = match found {
            Err(wrong) => Some(wrong),
            Ok(0) => Some(ResultCode::EmptyAnswer),
            Ok(width) if !self.fits(width) => Some(ResultCode::ContractShape),
            Ok(_) => (!first).then_some(ResultCode::ContractSchema),
        };
        self.wrong = self.wrong.or(wrong);
        Ok(())
    }

    fn fits(&mut self, width: usize) -> bool {
        let wanted = self.expected.dimension.is_none_or(|wanted| usize::try_from(wanted) == Ok(width));
        wanted && *self.width.get_or_insert(width) == width
    }
}

/// Counts the numbers of a vector.
fn numbers_width(reader: &mut Reader<'_>) -> Result<Result<usize, ResultCode>, Flaw> {
    let mut width = Ok(0);
    let mut inside = reader.array()?;
    while reader.item(&mut inside)? {
        let good = match reader.kind()? {
            Kind::Number => is_finite(reader.number()?).then_some(()).ok_or(ResultCode::ContractNonfinite),
            _ => reader.skip().map(|_| Err(ResultCode::ContractSchema))?,
        };
        width = width.and_then(|width| good.map(|()| width + 1));
    }
    Ok(width)
}

/// Says whether a number fits an f32. Short ones without an exponent do; only the others are worth parsing.
fn is_finite(number: &str) -> bool {
    let short = number.len() <= 32 && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    short || number.parse::<f32>().is_ok_and(f32::is_finite)
}

/// Counts the f32 of a vector in base64.
fn base64_width(text: &str) -> Result<usize, ResultCode> {
    let body = text.trim_end_matches('=');
    let bytes = body.len() * 3 / 4;
    let padded = text.len().is_multiple_of(4) && text.len() - body.len() <= 2;
    if !padded || !bytes.is_multiple_of(4) {
        return Err(ResultCode::ContractShape);
    }
    let (mut bits, mut held, mut float, mut filled) = (0_u32, 0_u8, 0_u32, 0_u8);
    for digit in body.bytes() {
        bits = bits << 6 | base64_digit(digit).ok_or(ResultCode::DecodeFailed)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            // Little-endian: the first byte is the lowest.
            float |= (bits >> held & 0xFF) << (8 * u32::from(filled));
            filled += 1;
        }
        if filled == 4 {
            if !f32::from_bits(float).is_finite() {
                return Err(ResultCode::ContractNonfinite);
            }
            (float, filled) = (0, 0);
        }
    }
    Ok(bytes / 4)
}

fn base64_digit(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(data: &str, count: usize, dimension: Option<u32>, base64: bool) -> Result<(), ResultCode> {
        let body = format!(r#"{{"object":"list","data":{data},"model":"m","usage":{{"prompt_tokens":3}}}}"#);
        let told = |usage: Option<scan::Usage>| usage.map(|usage| usage.prompt_tokens);
        let judged = judge_embeddings(body.as_bytes(), Expected { count, dimension, base64 });
        judged.map(|answer| assert_eq!(told(answer.usage), Some(3))).map_err(|none| {
            let read = none.result != ResultCode::DecodeFailed || base64;
            assert_eq!(told(none.counts.told), read.then_some(3), "F-131: what was told holds");
            none.result
        })
    }

    #[test]
    fn oai_12_one_vector_per_input_of_the_right_width() {
        let check = |data: &str, count, dimension, expected: Result<(), ResultCode>| {
            assert_eq!(judge(data, count, dimension, false), expected, "{data}");
        };
        let two = r#"[{"index":1,"embedding":[1,-2.5]},{"embedding":[3e-9,0],"index":0}]"#;
        check(two, 2, None, Ok(()));
        check(two, 2, Some(2), Ok(()));
        check(two, 2, Some(3), Err(ResultCode::ContractShape));
        check(two, 3, None, Err(ResultCode::ContractSchema));
        check(two, 1, None, Err(ResultCode::ContractSchema));
        let twice = r#"[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}]"#;
        check(twice, 2, None, Err(ResultCode::ContractSchema));
        check(r#"[{"embedding":[1]}]"#, 1, None, Err(ResultCode::ContractSchema));
        check(
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]"#,
            2,
            None,
            Err(ResultCode::ContractShape),
        );
        check(r#"[{"index":0,"embedding":[1e39]}]"#, 1, None, Err(ResultCode::ContractNonfinite));
        check(r#"[{"index":0,"embedding":[null]}]"#, 1, None, Err(ResultCode::ContractSchema));
        check(r#"[{"index":0,"embedding":[NaN]}]"#, 1, None, Err(ResultCode::DecodeFailed));
        check(r#"[{"index":0,"embedding":"AACAPw=="}]"#, 1, None, Err(ResultCode::ContractSchema));
        check(r#"[{"index":0,"embedding":[]}]"#, 1, None, Err(ResultCode::EmptyAnswer));
        check("[]", 1, None, Err(ResultCode::EmptyAnswer));
        check("null", 1, None, Err(ResultCode::EmptyAnswer));
        check("{}", 1, None, Err(ResultCode::DecodeFailed));
    }

    #[test]
    fn oai_12_base64_is_four_bytes_per_dimension_and_finite() {
        let check = |text: &str, dimension, expected: Result<(), ResultCode>| {
            let data = format!(r#"[{{"index":0,"embedding":{text}}}]"#);
            assert_eq!(judge(&data, 1, dimension, true), expected, "{text}");
        };
        check(r#""AACAPw==""#, Some(1), Ok(()));
        check(r#""AACAPwAAAMA=""#, Some(2), Ok(()));
        check(r#""AACAPwAAAMAAAEBA""#, Some(3), Ok(()));
        check(r#""AACAPw==""#, Some(2), Err(ResultCode::ContractShape));
        check(r#""AACAPw""#, Some(1), Err(ResultCode::ContractShape));
        check(r#""AACAPwA=""#, None, Err(ResultCode::ContractShape));
        check(r#""AAC*Pw==""#, None, Err(ResultCode::DecodeFailed));
        check(r#""AADAfw==""#, None, Err(ResultCode::ContractNonfinite));
        check(r#""AACA/w==""#, None, Err(ResultCode::ContractNonfinite));
        check(r#""""#, None, Err(ResultCode::EmptyAnswer));
        check("[1.0]", None, Err(ResultCode::ContractSchema));
    }

    #[test]
    fn an_error_under_200_is_classified_by_its_code() {
        let judge = |body: &str| {
            let expected = Expected { count: 1, dimension: None, base64: false };
            judge_embeddings(body.as_bytes(), expected).map_err(|none| none.result)
        };
        assert_eq!(judge(r#"{"error":{"code":"insufficient_quota"}}"#), Err(ResultCode::QuotaExhausted));
        assert_eq!(judge(r#"{"error":"boom"}"#), Err(ResultCode::ErrorInBody));
        assert_eq!(judge(" \n"), Err(ResultCode::EmptyAnswer));
        assert_eq!(judge("<html>"), Err(ResultCode::DecodeFailed));
    }
}
