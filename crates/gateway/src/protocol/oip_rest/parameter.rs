//! Parameter: named scalars, between JSON and the inside.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.5.

use super::{MAX_MEMBERS, error::BadInfer};
use crate::{
    protocol::json::{self, Flaw, Kind, Reader},
    tensor::{Parameter, Parameters},
};

/// What stands at a name.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::protocol) enum Found {
    /// A scalar.
    Scalar(Parameter),
    /// Something else.
    Other,
}

/// Why parameters were not read.
pub(super) enum Unread {
    /// They are no JSON.
    Flaw(Flaw),
    /// There are more than [`MAX_MEMBERS`].
    Many,
}

impl From<Flaw> for Unread {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<Unread> for BadInfer {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Flaw(flaw) => flaw.into(),
            Unread::Many => Self::new(format_args!("more than {MAX_MEMBERS} parameters")),
        }
    }
}

/// Reads an object of parameters, also what is none; `null` is absent, but counts.
///
/// # Errors
/// It is no JSON, or has too many members: what comes behind those is not read.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<(String, Found)>, Unread> {
    let (mut found, mut count) = (Vec::new(), 0);
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        count += 1;
        if count > MAX_MEMBERS {
            return Err(Unread::Many);
        }
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

/// A parameter that says how a tensor travels, where one does.
pub(super) type Transport = Option<(&'static str, Parameter)>;

/// Appends `,"parameters":{…}`, unless there are none.
pub(super) fn write<'p>(
    out: &mut Vec<u8>,
    parameters: impl IntoIterator<Item = (&'p str, &'p Parameter)>,
    transport: &Transport,
) {
    let mut open = false;
    let mut write = |name: &str, parameter: &Parameter| {
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
    };
    parameters.into_iter().for_each(|(name, parameter)| write(name, parameter));
    transport.iter().for_each(|(name, parameter)| write(name, parameter));
    if open {
        out.push(b'}');
    }
}
