//! Draft: a request for inference as it stands in the text, before anything in it is believed.
//!
//! The first of the checks before dispatch: well-formed, one object, no key twice, not too deep. What the values say is
//! `request`'s to judge, in the order that the protocol lays down.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.4 and 5.

use std::{borrow::Cow, ops::Range};

use super::{
    DEPTH, MAX_MEMBERS, MAX_TENSORS,
    data::MAX_RANK,
    error::BadInfer,
    parameter::{self, Found},
};
use crate::protocol::json::{Inside, Kind, Reader};

/// Unknown members: their names, and where their values stand.
pub(in crate::protocol) type Others<'a> = Vec<(Cow<'a, str>, Range<usize>)>;

/// A request, as written.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Draft<'a> {
    pub(in crate::protocol) id: Option<Id>,
    pub(in crate::protocol) parameters: Vec<(String, Found)>,
    pub(in crate::protocol) inputs: Option<Vec<Part<'a>>>,
    pub(in crate::protocol) outputs: Vec<Part<'a>>,
    pub(in crate::protocol) others: Others<'a>,
}

/// An `id` that is there.
#[derive(Debug)]
pub(in crate::protocol) enum Id {
    /// As it should be.
    Text(String),
    /// A number, or worse.
    Other,
}

/// An input or an output, as written.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Part<'a> {
    pub(in crate::protocol) name: String,
    pub(in crate::protocol) datatype: Option<Cow<'a, str>>,
    pub(in crate::protocol) shape: Option<Vec<u64>>,
    pub(in crate::protocol) data: Option<Range<usize>>,
    pub(in crate::protocol) parameters: Vec<(String, Found)>,
    pub(in crate::protocol) others: Others<'a>,
}

/// Which of the two lists of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Inputs,
    Outputs,
}

impl<'a> Draft<'a> {
    /// Reads a body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, BadInfer> {
        let mut reader = Reader::new(body, DEPTH)?;
        if reader.kind()? != Kind::Object {
            return Err(BadInfer::new("the body must be a JSON object"));
        }
        let mut draft = Self::default();
        let mut members = Members::enter(&mut reader)?;
        while let Some(key) = members.next(&mut reader)? {
            match (&*key, reader.kind()?) {
                ("id", Kind::String) => draft.id = Some(Id::Text(reader.string()?.decode().into_owned())),
                ("id", _) => {
                    reader.pass()?;
                    draft.id = Some(Id::Other);
                }
                ("parameters", Kind::Object) => draft.parameters = read_parameters(&mut reader)?,
                ("inputs", Kind::Array) => draft.inputs = Some(read_list(&mut reader, List::Inputs)?),
                ("outputs", Kind::Array) => draft.outputs = read_list(&mut reader, List::Outputs)?,
                ("inputs" | "outputs", Kind::Object) if reader.is_empty_object() => reader.pass()?,
                ("parameters" | "inputs" | "outputs", _) => {
                    let wanted = if key == "parameters" { "an object" } else { "an array" };
                    return Err(BadInfer::new(format_args!("'{key}' must be {wanted}")));
                }
                _ => draft.others.push((key, reader.skip()?)),
            }
        }
        reader.end()?;
        Ok(draft)
    }
}

fn read_list<'a>(reader: &mut Reader<'a>, list: List) -> Result<Vec<Part<'a>>, BadInfer> {
    let mut parts = Vec::new();
    let mut inside = reader.array()?;
    while reader.item(&mut inside)? {
        if parts.len() == MAX_TENSORS {
            return Err(BadInfer::new(format_args!("more than {MAX_TENSORS} tensors")));
        }
        parts.push(read_part(reader, list, parts.len())?);
    }
    Ok(parts)
}

fn read_part<'a>(reader: &mut Reader<'a>, list: List, at: usize) -> Result<Part<'a>, BadInfer> {
    let place = if list == List::Inputs { "inputs" } else { "outputs" };
    let wrong = |key: &str, wanted: &str| Err(BadInfer::new(format_args!("{place}[{at}]{key} must be {wanted}")));
    if reader.kind()? != Kind::Object {
        return wrong("", "an object");
    }
    let (mut part, mut name) = (Part::default(), None);
    let mut members = Members::enter(reader)?;
    while let Some(key) = members.next(reader)? {
        match (&*key, reader.kind()?) {
            ("name", Kind::String) => name = Some(reader.string()?.decode().into_owned()),
            ("name", _) => return wrong(".name", "a string"),
            ("parameters", Kind::Object) => part.parameters = read_parameters(reader)?,
            ("parameters", _) => return wrong(".parameters", "an object"),
            ("datatype", Kind::String) if list == List::Inputs => part.datatype = Some(reader.string()?.decode()),
            ("datatype", _) if list == List::Inputs => return wrong(".datatype", "a string"),
            ("shape", Kind::Array) if list == List::Inputs => match read_shape(reader)? {
                Some(shape) => part.shape = Some(shape),
                None => return wrong(".shape", "at most 16 integers that are not negative"),
            },
            ("shape", _) if list == List::Inputs => return wrong(".shape", "an array"),
            ("data", _) if list == List::Inputs => {
                // The only place where bare NaN and Infinity may stand; whether they may is the datatype's to say.
                reader.tokens = true;
                part.data = Some(reader.skip()?);
                reader.tokens = false;
            }
            _ => part.others.push((key, reader.skip()?)),
        }
    }
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Ok(Part { name, ..part }),
        None => wrong(".name", "given"),
    }
}

fn read_shape(reader: &mut Reader<'_>) -> Result<Option<Vec<u64>>, BadInfer> {
    let mut shape = Vec::new();
    let mut inside = reader.array()?;
    while reader.item(&mut inside)? {
        let dimension = match reader.kind()? {
            Kind::Number => reader.number()?.parse().ok(),
            _ => None,
        };
        match dimension {
            Some(dimension) if shape.len() < MAX_RANK => shape.push(dimension),
            _ => return Ok(None),
        }
    }
    Ok(Some(shape))
}

fn read_parameters(reader: &mut Reader<'_>) -> Result<Vec<(String, Found)>, BadInfer> {
    let found = parameter::read(reader)?;
    let twice = found.iter().enumerate().find(|(at, (name, _))| found[..*at].iter().any(|(other, _)| other == name));
    match twice {
        Some((_, (name, _))) => Err(BadInfer::twice(name)),
        None => Ok(found),
    }
}

/// Walks the members of an object whose keys may stand there once.
struct Members<'a> {
    inside: Inside,
    seen: Vec<Cow<'a, str>>,
}

impl<'a> Members<'a> {
    fn enter(reader: &mut Reader<'a>) -> Result<Self, BadInfer> {
        Ok(Self { inside: reader.object()?, seen: Vec::with_capacity(8) })
    }

    /// Steps to the next member with a value other than `null`.
    fn next(&mut self, reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, BadInfer> {
        while let Some(key) = reader.key(&mut self.inside)? {
            let key = key.decode();
            if self.seen.contains(&key) {
                return Err(BadInfer::twice(&key));
            }
            if self.seen.len() == MAX_MEMBERS {
                return Err(BadInfer::new(format_args!("more than {MAX_MEMBERS} members in one object")));
            }
            self.seen.push(key.clone());
            if reader.kind()? != Kind::Null {
                return Ok(Some(key));
            }
            reader.null()?;
        }
        Ok(None)
    }
}
