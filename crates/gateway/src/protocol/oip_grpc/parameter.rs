//! Parameter: named scalars, between Protocol Buffers and the inside.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.5 and 2.6 (`InferParameter`).

use bytes::Bytes;

use super::{
    Malformed,
    wire::{Fields, Value, Writer},
};
use crate::{
    protocol::oip_rest::{MAX_MEMBERS, parameter::Found},
    tensor::Parameter,
};

/// Reads an entry of a map of parameters, and puts it where the others are.
///
/// # Errors
/// It is none, its name is there already, as no writer of a map does, or there are too many.
pub(super) fn read(entry: Bytes, all: &mut Vec<(String, Found)>) -> Result<(), Malformed> {
    let (mut name, mut found) = (String::new(), Found::Other);
    for field in Fields::of(entry) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => found = read_value(value.bytes()?)?,
            _ => {}
        }
    }
    if all.len() == MAX_MEMBERS || all.iter().any(|(other, _)| *other == name) {
        return Err(Malformed);
    }
    all.push((name, found));
    Ok(())
}

fn read_value(message: Bytes) -> Result<Found, Malformed> {
    let mut found = Found::Other;
    for field in Fields::of(message) {
        found = match field? {
            (1, value) => Found::Scalar(Parameter::Bool(value.varint()? != 0)),
            (2, value) => Found::Scalar(Parameter::Int(value.varint()? as i64)),
            (3, value) => Found::Scalar(Parameter::String(value.text()?)),
            (4, Value::Fixed64(bits)) => {
                let number = Some(f64::from_bits(bits)).filter(|number| number.is_finite());
                number.map_or(Found::Other, |number| Found::Scalar(Parameter::Float(number)))
            }
            (4, _) => return Err(Malformed),
            (5, value) => {
                let number = value.varint()?;
                let small = i64::try_from(number).map(Parameter::Int);
                Found::Scalar(small.unwrap_or(Parameter::Uint(number)))
            }
            _ => found,
        };
    }
    Ok(found)
}

/// Writes a map of parameters in a field. Only texts, truth values and `int64` are written: some servers have nothing else,
/// so that a number that is none of these goes as text.
pub(super) fn write<'p>(out: &mut Writer, field: u32, parameters: impl IntoIterator<Item = (&'p str, &'p Parameter)>) {
    for (name, parameter) in parameters {
        out.message(field, |entry| {
            entry.text(1, name);
            entry.message(2, |out| match parameter {
                Parameter::Bool(value) => out.number(1, (*value).into()),
                Parameter::Int(value) => out.number(2, *value as u64),
                Parameter::Uint(value) => out.bytes(3, value.to_string().as_bytes()),
                Parameter::Float(value) => out.bytes(3, value.to_string().as_bytes()),
                Parameter::String(value) => out.bytes(3, value.as_bytes()),
            });
        });
    }
}
