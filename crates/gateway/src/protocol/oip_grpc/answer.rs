//! Answer: `ModelInferResponse`, read from an upstream and written for a client.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.6 and 3; OIP-16, OIP-28, OIP-40.

use bytes::Bytes;
use evenkeel_core::ResultCode;

use super::{
    MAX_TENSORS, contents, parameter,
    request::{Sent, write_shape},
    wire::{Fields, Writer},
    with_raw,
};
use crate::{
    protocol::oip_rest::answer::{Told, kept},
    rope::Rope,
    tensor::{Datatype, Form, Infer, InferAnswer, Mapping, Output, Tensor},
};

/// Reads an answer, and accepts it as the route promises it.
///
/// # Errors
/// The result of the attempt that got it.
pub(crate) fn decode(message: Bytes, request: &Infer, mapping: &Mapping) -> Result<InferAnswer, ResultCode> {
    let broken = |_| ResultCode::DecodeFailed;
    let (mut parameters, mut sent, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    for field in Fields::of(message) {
        match field.map_err(broken)? {
            (4, value) => parameter::read(value.bytes().map_err(broken)?, &mut parameters).map_err(broken)?,
            (5, value) => sent.push(Sent::read(value.bytes().map_err(broken)?).map_err(broken)?),
            (6, value) => raw.push(value.bytes().map_err(broken)?),
            _ => {}
        }
        if sent.len() > MAX_TENSORS || raw.len() > MAX_TENSORS {
            return Err(ResultCode::DecodeFailed);
        }
    }
    if !raw.is_empty() && raw.len() != sent.len() {
        return Err(ResultCode::DecodeFailed);
    }
    let mut raw = raw.into_iter();
    let outputs = Vec::with_capacity(sent.len());
    let mut answer = InferAnswer { parameters: kept(parameters), outputs, ..InferAnswer::default() };
    for sent in sent {
        let output = output(sent, raw.next())?;
        if answer.output(output.tensor.name()).is_some() {
            return Err(ResultCode::DecodeFailed);
        }
        answer.outputs.push(output);
    }
    mapping.accept(answer, request)
}

/// Makes an output of what came, and of its bytes where they came apart.
fn output(sent: Sent, raw: Option<Bytes>) -> Result<Output, ResultCode> {
    let Sent { name, datatype, shape, parameters, contents } = sent;
    let datatype = Datatype::named(&datatype).ok_or(ResultCode::ContractDtype)?;
    let natural = |dimension| u64::try_from(dimension).map_err(|_| ResultCode::DecodeFailed);
    let shape = shape.into_iter().map(natural).collect::<Result<Vec<_>, _>>()?;
    let data = match raw {
        Some(raw) if contents.is_empty() => raw,
        Some(_) => return Err(ResultCode::DecodeFailed),
        None => contents::read(contents, datatype, &shape).map_err(|_| ResultCode::DecodeFailed)?,
    };
    let tensor = Tensor::new(name, datatype, shape, data).map_err(|_| ResultCode::DecodeFailed)?;
    Ok(Output { tensor, parameters: kept(parameters) })
}

/// Writes an answer for a client. It must have been accepted by the route's contract.
pub(crate) fn encode(answer: &InferAnswer, told: Told<'_>) -> Rope {
    let tensors = || answer.outputs.iter().map(|output| &output.tensor);
    // Half-precision numbers have no other form.
    let raw = told.request.form == Form::Bytes || tensors().any(|tensor| !tensor.datatype().has_json_form());
    let mut out = Writer::default();
    out.text(1, told.route);
    out.text(2, told.version);
    out.text(3, told.request.id.as_deref().unwrap_or_default());
    let theirs = answer.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter));
    parameter::write(&mut out, 4, theirs.chain(told.evenkeel.iter().map(|(name, parameter)| (*name, parameter))));
    for Output { tensor, parameters } in &answer.outputs {
        out.message(5, |out| {
            out.text(1, tensor.name());
            out.text(2, tensor.datatype().name());
            write_shape(out, 3, tensor.shape());
            parameter::write(out, 4, parameters.iter().map(|(name, parameter)| (name.as_str(), parameter)));
            if !raw {
                out.message(5, |out| contents::write(out, tensor));
            }
        });
    }
    with_raw(out, 6, tensors().filter(|_| raw).map(Tensor::data))
}

/// Wraps an answer as one of a stream (`ModelStreamInferResponse`).
pub(crate) fn in_stream(answer: Rope) -> Rope {
    let mut out = Writer::default();
    out.key(2, answer.len());
    let mut rope = Rope::from(out.take());
    rope.append(answer);
    rope
}

/// Writes that one request of a stream could not be answered, and which.
pub(crate) fn error_in_stream(message: &str, id: &str) -> Rope {
    let mut out = Writer::default();
    out.text(1, message);
    out.message(2, |out| out.text(3, id));
    Rope::from(out.take())
}

#[cfg(test)]
mod tests;
