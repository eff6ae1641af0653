//! Parameter: named scalars, between JSON and the inside.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.5.

use crate::{
    protocol::json::{self, Flaw, Kind, Reader},
    tensor::{Parameter, Parameters},
};

/// What stands at a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// A scalar.
    Scalar(Parameter),
    /// Something else.
    Other,
}

/// Reads an object of parameters, also what is none; `null` is absent.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<(String, Found)>, Flaw> {
    let mut found = Vec::new();
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        let name = key.decode().into_owned();
        match reader.kind()? {
            Kind::Null => reader.null()?,
            _ => found.push((name, value(reader)?)),
        }
    }
    Ok(found)
}

/// Keeps the scalars.
pub(super) fn scalars(found: Vec<(String, Found)>) -> Parameters {
    let scalar = |(name, found)| match found {
        Found::Scalar(parameter) => Some((name, parameter)),
        Found::Other => None,
    };
    found.into_iter().filter_map(scalar).collect()
}

fn value(reader: &mut Reader<'_>) -> Result<Found, Flaw> {
    Ok(match reader.kind()? {
        Kind::Bool => Found::Scalar(Parameter::Bool(reader.boolean()?)),
        Kind::String => Found::Scalar(Parameter::String(reader.string()?.decode().into_owned())),
        Kind::Number => number(reader.number()?).map_or(Found::Other, Found::Scalar),
        _ => {
            reader.pass()?;
            Found::Other
        }
    })
}

/// Reads a number: an integer where it is written as one, else a float; none where neither holds it.
fn number(text: &str) -> Option<Parameter> {
    if text.contains(['.', 'e', 'E']) {
        return text.parse().ok().filter(|number: &f64| number.is_finite()).map(Parameter::Float);
    }
    text.parse().map(Parameter::Int).or_else(|_| text.parse().map(Parameter::Uint)).ok()
}

/// Appends `,"parameters":{…}`, unless there are none.
pub(super) fn write<'p>(out: &mut Vec<u8>, parameters: impl IntoIterator<Item = (&'p str, &'p Parameter)>) {
    let mut open = false;
    for (name, parameter) in parameters {
        out.extend_from_slice(if open { b"," } else { b",\"parameters\":{" });
        open = true;
        json::push_string(out, name);
        out.push(b':');
        let written = match parameter {
            Parameter::Bool(value) => serde_json::to_writer(&mut *out, value),
            Parameter::Int(value) => serde_json::to_writer(&mut *out, value),
            Parameter::Uint(value) => serde_json::to_writer(&mut *out, value),
            Parameter::Float(value) => serde_json::to_writer(&mut *out, value),
            Parameter::String(value) => serde_json::to_writer(&mut *out, value),
        };
        written.expect("a scalar can be written into memory");
    }
    if open {
        out.push(b'}');
    }
}
