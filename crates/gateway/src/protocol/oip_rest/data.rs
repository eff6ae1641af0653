//! Data: the elements of a tensor, between JSON and the canonical bytes.
//!
//! # Invariants
//! - `DATA-1`: numbers are read from their text: no integer passes through a float, nothing wraps (OIP-09, OIP-10).
//! - `DATA-2`: decode after encode is the identity, but for the payload of a NaN.
//! - `DATA-3`: memory is bounded by the text that came, whatever the shape claims (TN-01).
//!
//! # Source
//! `docs/design/protocols.md`, section 2.2.

use thiserror::Error;

use super::DEPTH;
use crate::{
    protocol::json::{self, Flaw, Kind, Reader},
    tensor::{self, Datatype, Tensor},
};

/// Dimensions of a tensor, at most.
pub(super) const MAX_RANK: usize = 16;

/// What a `null` among the elements is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// A mistake.
    Refused,
    /// How some servers write NaN in their answers.
    Nan,
}

/// Why text is not the data of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum BadData {
    /// No JSON.
    #[error("{0}")]
    Json(#[from] Flaw),
    /// More or fewer elements than the shape says, or nested otherwise.
    #[error("data does not have the shape {0:?}")]
    Shape(Vec<u64>),
    /// The product of the dimensions is beyond 63 bits.
    #[error("shape {0:?} has more elements than can be counted")]
    Uncountable(Vec<u64>),
    /// Another kind of element.
    #[error("element {at} is not {wanted}")]
    Element {
        /// Which element.
        at: u64,
        /// What it should be.
        wanted: &'static str,
    },
    /// A number that the datatype does not hold.
    #[error("element {at} is out of range for {datatype}")]
    Range {
        /// Which element.
        at: u64,
        /// The datatype.
        datatype: &'static str,
    },
    /// Half-precision numbers, which travel as binary only.
    #[error("{0} has no JSON form")]
    NoForm(&'static str),
}

/// Reads the elements of a tensor; `text` was checked before to be JSON, with tokens.
pub(super) fn read(text: &[u8], datatype: Datatype, shape: &[u64], nulls: Nulls) -> Result<Vec<u8>, BadData> {
    let Some(count) = tensor::elements(shape) else { return Err(BadData::Uncountable(shape.into())) };
    if !datatype.has_json_form() {
        return Err(BadData::NoForm(datatype.name()));
    }
    let mut reader = Reader::new(text, DEPTH)?;
    reader.tokens = matches!(datatype, Datatype::Fp32 | Datatype::Fp64);
    // Every element takes a byte of text at least.
    let expected = usize::try_from(count).unwrap_or(usize::MAX).min(text.len());
    let out = Vec::with_capacity(expected * datatype.size().unwrap_or(8));
    let mut elements = Elements { datatype, nulls, out, at: 0 };
    walk(&mut reader, shape, count, |reader| elements.read(reader))?;
    Ok(elements.out)
}

/// Walks the elements, flat or nested as the shape says, without recursion (OIP-07, OIP-13).
fn walk(
    reader: &mut Reader<'_>,
    shape: &[u64],
    count: u64,
    mut leaf: impl FnMut(&mut Reader<'_>) -> Result<(), BadData>,
) -> Result<(), BadData> {
    let ragged = || BadData::Shape(shape.into());
    if reader.kind()? != Kind::Array {
        return if shape.is_empty() { leaf(reader) } else { Err(ragged()) };
    }
    let mut ahead = reader.clone();
    let mut first = ahead.array()?;
    let nested = ahead.item(&mut first)? && ahead.kind()? == Kind::Array;
    let flat = [count];
    let dimensions = if nested { shape } else { &flat };
    let mut open = vec![(reader.array()?, 0_u64)];
    while let Some((inside, seen)) = open.last_mut() {
        let more = reader.item(inside)?;
        *seen += u64::from(more);
        // `open` is never longer than `dimensions`: a level is opened only above the innermost.
        let Some(dimension) = dimensions.get(open.len() - 1) else { return Err(ragged()) };
        let seen = open.last().map_or(0, |(_, seen)| *seen);
        match more {
            true if seen > *dimension => return Err(ragged()),
            true if open.len() < dimensions.len() => {
                if reader.kind()? != Kind::Array {
                    return Err(ragged());
                }
                open.push((reader.array()?, 0));
            }
            true if reader.kind()? == Kind::Array => return Err(ragged()),
            true => leaf(reader)?,
            false if seen != *dimension => return Err(ragged()),
            false => drop(open.pop()),
        }
    }
    Ok(())
}

/// Elements on their way into the canonical form.
struct Elements {
    datatype: Datatype,
    nulls: Nulls,
    out: Vec<u8>,
    at: u64,
}

impl Elements {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), BadData> {
        macro_rules! integer {
            ($type:ty) => {{
                let number = self.integer(reader)?;
                let number = <$type>::try_from(number).map_err(|_| self.range())?;
                self.out.extend_from_slice(&number.to_le_bytes());
            }};
        }
        macro_rules! float {
            ($type:ty) => {{
                let number = match self.float(reader)? {
                    None => <$type>::NAN,
                    Some((text, token)) => match text.parse::<$type>().expect("a number of JSON is one of Rust") {
                        // Digits that no number of this type stands for would silently become an infinity.
                        number if number.is_infinite() && !token => return Err(self.range()),
                        number => number,
                    },
                };
                self.out.extend_from_slice(&number.to_le_bytes());
            }};
        }
        match self.datatype {
            Datatype::Bool => {
                self.is(reader, Kind::Bool, "true or false")?;
                self.out.push(u8::from(reader.boolean()?));
            }
            Datatype::Uint8 => integer!(u8),
            Datatype::Uint16 => integer!(u16),
            Datatype::Uint32 => integer!(u32),
            Datatype::Uint64 => integer!(u64),
            Datatype::Int8 => integer!(i8),
            Datatype::Int16 => integer!(i16),
            Datatype::Int32 => integer!(i32),
            Datatype::Int64 => integer!(i64),
            Datatype::Fp32 => float!(f32),
            Datatype::Fp64 => float!(f64),
            Datatype::Bytes => {
                self.is(reader, Kind::String, "a string")?;
                tensor::push_bytes(&mut self.out, reader.string()?.decode().as_bytes());
            }
            Datatype::Fp16 | Datatype::Bf16 => return Err(BadData::NoForm(self.datatype.name())),
        }
        self.at += 1;
        Ok(())
    }

    fn is(&self, reader: &mut Reader<'_>, kind: Kind, wanted: &'static str) -> Result<(), BadData> {
        if reader.kind()? == kind { Ok(()) } else { Err(BadData::Element { at: self.at, wanted }) }
    }

    /// Reads an integer from its digits; a fraction or an exponent is none, whatever its value.
    fn integer(&self, reader: &mut Reader<'_>) -> Result<i128, BadData> {
        self.is(reader, Kind::Number, "an integer")?;
        let text = reader.number()?;
        if text.contains(['.', 'e', 'E']) {
            return Err(BadData::Element { at: self.at, wanted: "an integer" });
        }
        text.parse().map_err(|_| self.range())
    }

    /// Reads a number as its text, and whether it is a token; none for a `null` that is NaN.
    fn float<'t>(&self, reader: &mut Reader<'t>) -> Result<Option<(&'t str, bool)>, BadData> {
        match reader.kind()? {
            Kind::Null if self.nulls == Nulls::Nan => {
                reader.null()?;
                Ok(None)
            }
            kind @ (Kind::Number | Kind::Token) => Ok(Some((reader.number()?, kind == Kind::Token))),
            _ => Err(BadData::Element { at: self.at, wanted: "a number" }),
        }
    }

    fn range(&self) -> BadData {
        BadData::Range { at: self.at, datatype: self.datatype.name() }
    }
}

/// Appends the elements of a tensor as one flat array. The tensor must have a JSON form.
pub(super) fn write(out: &mut Vec<u8>, tensor: &Tensor) {
    macro_rules! numbers {
        ($type:ty) => {
            list(out, tensor.values(), |out, bytes| number(out, <$type>::from_le_bytes(bytes)))
        };
    }
    match tensor.datatype() {
        Datatype::Bool => list(out, tensor.values::<1>(), |out, [byte]| number(out, byte != 0)),
        Datatype::Uint8 => numbers!(u8),
        Datatype::Uint16 => numbers!(u16),
        Datatype::Uint32 => numbers!(u32),
        Datatype::Uint64 => numbers!(u64),
        Datatype::Int8 => numbers!(i8),
        Datatype::Int16 => numbers!(i16),
        Datatype::Int32 => numbers!(i32),
        Datatype::Int64 => numbers!(i64),
        Datatype::Fp32 => list(out, tensor.values(), |out, bytes| {
            let value = f32::from_le_bytes(bytes);
            match token(f64::from(value)) {
                Some(token) => out.extend_from_slice(token),
                None => number(out, value),
            }
        }),
        Datatype::Fp64 => list(out, tensor.values(), |out, bytes| {
            let value = f64::from_le_bytes(bytes);
            match token(value) {
                Some(token) => out.extend_from_slice(token),
                None => number(out, value),
            }
        }),
        Datatype::Bytes => list(out, tensor.strings(), |out, element| {
            json::push_string(out, std::str::from_utf8(element).expect("a tensor without a JSON form was refused"));
        }),
        Datatype::Fp16 | Datatype::Bf16 => unreachable!("a tensor without a JSON form was refused"),
    }
}

fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Writes a number so that it is read back as itself: integers exactly, floats in their shortest form.
fn number(out: &mut Vec<u8>, value: impl serde::Serialize) {
    serde_json::to_writer(out, &value).expect("a number can be written into memory");
}

fn token(value: f64) -> Option<&'static [u8]> {
    match value {
        _ if value.is_nan() => Some(b"NaN"),
        f64::INFINITY => Some(b"Infinity"),
        f64::NEG_INFINITY => Some(b"-Infinity"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
