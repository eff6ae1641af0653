//! Request: `ModelInferRequest`, read from a client and written for an upstream.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6; OIP-27, OIP-28.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    MAX_RANK, MAX_TENSORS, Malformed, contents, parameter,
    wire::{Fields, Value, Writer, varint},
    with_raw,
};
use crate::{
    protocol::oip_rest::{
        Dialect, check,
        draft::{Draft, Id, Part},
        error::BadInfer,
        parameter::Found,
        request::{Upstream, told},
    },
    rope::Rope,
    tensor::{Contract, Form, Infer},
};

/// A request, before it is held against a contract.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// The model that it names.
    pub(crate) model: String,
    /// The version that it names; empty where it names none.
    pub(crate) version: String,
    pub(crate) id: String,
    parameters: Vec<(String, Found)>,
    inputs: Vec<Sent>,
    outputs: Vec<Sent>,
    raw: Vec<Bytes>,
}

/// A tensor as it came: an input or an output, which are written alike, or an output that is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sent {
    pub(super) name: String,
    pub(super) datatype: String,
    pub(super) shape: Vec<i64>,
    pub(super) parameters: Vec<(String, Found)>,
    pub(super) contents: Bytes,
}

impl Asked {
    /// Reads a message.
    ///
    /// # Errors
    /// It is none, or has more parts than any request may have.
    pub(crate) fn read(message: Bytes) -> Result<Self, Malformed> {
        let mut asked = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, value) => asked.model = value.text()?,
                (2, value) => asked.version = value.text()?,
                (3, value) => asked.id = value.text()?,
                (4, value) => parameter::read(value.bytes()?, &mut asked.parameters)?,
                (5, value) => push(&mut asked.inputs, Sent::read(value.bytes()?)?)?,
                (6, value) => push(&mut asked.outputs, Sent::read_output(value.bytes()?)?)?,
                (7, value) => push(&mut asked.raw, value.bytes()?)?,
                _ => {}
            }
        }
        Ok(asked)
    }

    /// Checks it against the contract of its route.
    ///
    /// # Errors
    /// Whatever the client got wrong.
    pub(crate) fn check(&self, contract: &Contract) -> Result<Infer, BadInfer> {
        let typed = self.inputs.iter().any(|input| !input.contents.is_empty());
        let raw = !self.raw.is_empty();
        if raw && typed {
            return Err(BadInfer::new("an input has contents, though raw_input_contents are there"));
        }
        if raw && self.raw.len() != self.inputs.len() {
            let (raw, inputs) = (self.raw.len(), self.inputs.len());
            return Err(BadInfer::new(format_args!("{raw} raw_input_contents for {inputs} inputs")));
        }
        for (list, parts) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            if let Some(at) = parts.iter().position(|it| it.name.is_empty()) {
                return Err(BadInfer::new(format_args!("{list}[{at}].name must be given")));
            }
        }
        let inputs = self.inputs.iter().map(Sent::part).collect::<Result<Vec<_>, _>>()?;
        let draft = Draft {
            id: Some(Id::Text(self.id.clone())),
            parameters: self.parameters.clone(),
            inputs: Some(inputs),
            outputs: self.outputs.iter().map(Sent::part).collect::<Result<_, _>>()?,
            others: Vec::new(),
        };
        let mut infer = check::accept(draft, &Bytes::new(), contract, |at, part, datatype| match self.raw.get(at) {
            Some(raw) => Ok(raw.clone()),
            None => contents::read(self.inputs[at].contents.clone(), datatype, check::shape(part)?)
                .map_err(|bad| BadInfer::new(format_args!("input '{}': {bad}", part.name))),
        })?;
        // What is said of binary data is meant for JSON.
        infer.form = if raw { Form::Bytes } else { Form::Typed };
        infer.outputs.iter_mut().for_each(|wanted| wanted.binary = None);
        Ok(infer)
    }
}

fn push<T>(all: &mut Vec<T>, one: T) -> Result<(), Malformed> {
    if all.len() == MAX_TENSORS {
        return Err(Malformed);
    }
    all.push(one);
    Ok(())
}

impl Sent {
    /// Reads a tensor.
    pub(super) fn read(message: Bytes) -> Result<Self, Malformed> {
        let mut sent = Self::default();
        // A message that comes in parts is all of them, one behind the other.
        let mut contents: Option<Vec<u8>> = None;
        for field in Fields::of(message) {
            match field? {
                (1, value) => sent.name = value.text()?,
                (2, value) => sent.datatype = value.text()?,
                (3, value) => read_shape(value, &mut sent.shape)?,
                (4, value) => parameter::read(value.bytes()?, &mut sent.parameters)?,
                (5, value) if sent.contents.is_empty() => sent.contents = value.bytes()?,
                (5, value) => {
                    contents.get_or_insert_with(|| sent.contents.to_vec()).extend_from_slice(&value.bytes()?);
                }
                _ => {}
            }
        }
        sent.contents = contents.map_or(sent.contents, Bytes::from);
        Ok(sent)
    }

    fn read_output(message: Bytes) -> Result<Self, Malformed> {
        let mut sent = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, value) => sent.name = value.text()?,
                (2, value) => parameter::read(value.bytes()?, &mut sent.parameters)?,
                _ => {}
            }
        }
        Ok(sent)
    }

    fn part(&self) -> Result<Part<'_>, BadInfer> {
        let natural = |dimension: &i64| {
            let wrong = || BadInfer::new(format_args!("input '{}' has a negative dimension in its shape", self.name));
            u64::try_from(*dimension).map_err(|_| wrong())
        };
        Ok(Part {
            name: self.name.clone(),
            datatype: Some(Cow::Borrowed(self.datatype.as_str())),
            shape: Some(self.shape.iter().map(natural).collect::<Result<_, _>>()?),
            data: None,
            parameters: self.parameters.clone(),
            others: Vec::new(),
        })
    }
}

/// Reads dimensions, one or several at once.
pub(super) fn read_shape(value: Value, shape: &mut Vec<i64>) -> Result<(), Malformed> {
    let mut push = |dimension: u64| {
        shape.push(dimension as i64);
        if shape.len() > MAX_RANK { Err(Malformed) } else { Ok(()) }
    };
    match value {
        Value::Varint(dimension) => push(dimension),
        Value::Bytes(mut all) => {
            while !all.is_empty() {
                push(varint(&mut all)?)?;
            }
            Ok(())
        }
        _ => Err(Malformed),
    }
}

/// Writes a shape.
pub(super) fn write_shape(out: &mut Writer, field: u32, shape: &[u64]) {
    out.packed(field, |out| shape.iter().for_each(|dimension| out.put_varint(*dimension)));
}

/// Writes a request for a model of an upstream. The elements go as bytes, which every server reads.
pub(crate) fn encode(request: &Infer, (model, version): (&str, &str), upstream: Upstream<'_>) -> Rope {
    let mut out = Writer::default();
    out.text(1, model);
    out.text(2, version);
    out.text(3, request.id.as_deref().unwrap_or(upstream.id));
    let parameters = |out: &mut Writer, field, parameters, dialect: Dialect| {
        let told = told(parameters, upstream.budget_us, dialect);
        parameter::write(out, field, told.iter().map(|(name, value)| (name.as_str(), value)));
    };
    parameters(&mut out, 4, &request.parameters, upstream.dialect);
    for input in &request.inputs {
        out.message(5, |out| {
            out.text(1, input.tensor.name());
            out.text(2, input.tensor.datatype().name());
            write_shape(out, 3, input.tensor.shape());
            parameters(out, 4, &input.parameters, upstream.dialect);
        });
    }
    for output in &request.outputs {
        out.message(6, |out| {
            out.text(1, &output.name);
            parameters(out, 2, &output.parameters, upstream.dialect);
        });
    }
    with_raw(out, 7, request.inputs.iter().map(|input| input.tensor.data()))
}

/// Writes which model a question is about.
pub(crate) fn encode_model(model: &str, version: &str) -> Rope {
    let mut out = Writer::default();
    out.text(1, model);
    out.text(2, version);
    Rope::from(out.take())
}

#[cfg(test)]
mod tests;
