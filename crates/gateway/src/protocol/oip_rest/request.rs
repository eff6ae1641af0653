//! Request: a request for inference, read from a client and written for an upstream.
//!
//! # Invariants
//! - `OIPREQ-1`: what is wrong is found here, in the order of the protocol, and never reaches an upstream.
//! - `OIPREQ-2`: no `null` is ever written, and an id always is.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.2, 2.4, 2.5 and 3.

use std::fmt::Display;

use bytes::Bytes;
use evenkeel_core::ResultCode;

use super::{
    Dialect, Written,
    binary::{self, Divided, Tail},
    check,
    data::{self, Nulls},
    draft::{Draft, Part},
    error::BadInfer,
    parameter::{self, Transport},
};
use crate::{
    protocol::json,
    tensor::{self, Contract, Datatype, Extra, Form, Infer, Input, Parameter, Parameters, Tensor},
};

/// Reads a request and checks it against the route's contract.
///
/// # Errors
/// Whatever the client got wrong; the answer is 400.
pub(crate) fn decode(body: Divided, contract: &Contract) -> Result<Infer, BadInfer> {
    let (body, tail) = match body {
        Divided::Json(json) => (json, None),
        Divided::Tailed { json, tail } => (json, Some(tail)),
        Divided::Raw(bytes) => return raw(bytes, contract),
    };
    let mut tail = Tail::new(tail);
    let draft = Draft::read(&body)?;
    let infer = check::accept(draft, &body, contract, |_, part, datatype| {
        let nulls = if contract.may_lack(&part.name) { Nulls::Nan } else { Nulls::Refused };
        data((&body, nulls), &mut tail, part, datatype)
    })?;
    match tail.left() {
        0 => Ok(infer),
        left => Err(BadInfer::new(format_args!("{left} bytes stand behind the last tensor"))),
    }
}

/// Reads a body that is one tensor: which, only the contract can say. The answer is in bytes, too (OIP-06).
fn raw(bytes: Bytes, contract: &Contract) -> Result<Infer, BadInfer> {
    let [port] = contract.inputs.as_slice() else {
        return Err(BadInfer::new("a body without JSON is taken by a route with exactly one declared input"));
    };
    let (datatype, mut shape) = (port.datatypes[0], port.shape.clone());
    // One row, where the first dimension counts them.
    shape.first_mut().filter(|first| **first < 0).into_iter().for_each(|first| *first = 1);
    let closed: Option<Vec<u64>> = shape.iter().map(|dimension| u64::try_from(*dimension).ok()).collect();
    let shape = closed.ok_or_else(|| {
        BadInfer::new(format_args!("input '{}' has an open shape: its tensor cannot come without JSON", port.name))
    })?;
    let bytes = match datatype {
        Datatype::Bytes => tensor::one_element(&bytes),
        _ => bytes,
    };
    let wrong = |why: &dyn Display| BadInfer::new(format_args!("input '{}': {why}", port.name));
    let tensor = Tensor::new(port.name.clone(), datatype, shape, bytes).map_err(|misfit| wrong(&misfit))?;
    contract.check_values(&tensor).map_err(BadInfer::new)?;
    let inputs = vec![Input { tensor, parameters: Parameters::new(), extra: Extra::new() }];
    let (parameters, extra) = (Parameters::new(), Extra::new());
    let shapes = inputs.iter().map(|it| (it.tensor.name(), it.tensor.shape()));
    let count = contract.check_rows(shapes).map_err(BadInfer::new)?;
    Ok(Infer { id: None, parameters, inputs, outputs: Vec::new(), form: Form::Bytes, extra, count })
}

/// What an upstream is told beside the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upstream<'a> {
    /// The id, where the client gave none: the decision's.
    pub(crate) id: &'a str,
    /// What it understands.
    pub(crate) dialect: Dialect,
    /// What is left of the deadline, in microseconds: a `timeout` parameter is never longer.
    pub(crate) budget_us: u64,
}

/// Writes a request for an upstream.
///
/// # Errors
/// The upstream's form cannot carry it: `capability`, so that the tier is skipped.
pub(crate) fn encode(request: &Infer, upstream: Upstream<'_>) -> Result<Written, ResultCode> {
    let dialect = upstream.dialect;
    let binary = dialect.reads_binary();
    let tensors = || request.inputs.iter().map(|input| &input.tensor);
    let carried = |tensor: &Tensor| tensor.is_text() && !tensor.has_non_finite();
    if !binary && !tensors().all(carried) {
        return Err(ResultCode::UnsupportedFeature);
    }
    let size = |tensor: &Tensor| if binary { 192 } else { tensor.data().len() * 3 + 128 };
    let mut out = Vec::with_capacity(tensors().map(size).sum::<usize>() + 128);
    out.extend_from_slice(b"{\"id\":");
    json::push_string(&mut out, request.id.as_deref().unwrap_or(upstream.id));
    // Where outputs are named, one server reads only what is said of each.
    let all = (binary && request.outputs.is_empty()).then_some(("binary_data_output", Parameter::Bool(true)));
    write_parameters(&mut out, &request.parameters, upstream, &all);
    out.extend_from_slice(b",\"inputs\":[");
    for (at, input) in request.inputs.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
        let place = if binary { Place::Tail } else { Place::Data };
        write_tensor(&mut out, (&input.tensor, place), |out, size| {
            write_parameters(out, &input.parameters, upstream, size);
        });
        write_extra(&mut out, &input.extra);
        out.push(b'}');
    }
    out.push(b']');
    if !request.outputs.is_empty() {
        out.extend_from_slice(b",\"outputs\":[");
        for (at, output) in request.outputs.iter().enumerate() {
            out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
            json::push_string(&mut out, &output.name);
            let raw = binary.then_some(("binary_data", Parameter::Bool(true)));
            write_parameters(&mut out, &output.parameters, upstream, &raw);
            write_extra(&mut out, &output.extra);
            out.push(b'}');
        }
        out.push(b']');
    }
    write_extra(&mut out, &request.extra);
    out.push(b'}');
    Ok(Written::new(out, tensors().filter(|_| binary)))
}

/// Where the elements of a tensor stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In `data`, as JSON.
    Data,
    /// Behind the JSON, as bytes.
    Tail,
}

/// Writes the name, which is the value of a key already written, and everything else of a tensor but the bytes behind the
/// JSON: `parameters` is told how many they are.
pub(super) fn write_tensor(
    out: &mut Vec<u8>,
    (tensor, place): (&Tensor, Place),
    parameters: impl FnOnce(&mut Vec<u8>, &Transport),
) {
    json::push_string(out, tensor.name());
    out.extend_from_slice(b",\"shape\":");
    serde_json::to_writer(&mut *out, tensor.shape()).expect("numbers can be written into memory");
    out.extend_from_slice(b",\"datatype\":\"");
    out.extend_from_slice(tensor.datatype().name().as_bytes());
    out.push(b'"');
    match place {
        Place::Data => {
            parameters(out, &None);
            out.extend_from_slice(b",\"data\":");
            data::write(out, tensor);
        }
        Place::Tail => parameters(out, &Some((binary::SIZE, Parameter::Uint(tensor.data().len() as u64)))),
    }
}

/// Returns the elements of an input, from the JSON or from behind it.
fn data(
    (body, nulls): (&Bytes, Nulls),
    tail: &mut Tail,
    input: &Part<'_>,
    datatype: Datatype,
) -> Result<Bytes, BadInfer> {
    let wrong = |why: &dyn Display| BadInfer::new(format_args!("input '{}': {why}", input.name));
    let size = binary::size(&input.parameters).map_err(|()| wrong(&"binary_data_size must be a number of bytes"))?;
    Ok(match (size, input.data.clone()) {
        (None, None) => return Err(wrong(&"has no data")),
        (None, Some(span)) => {
            let shape = check::shape(input)?;
            data::read(&body[span], datatype, shape, nulls).map_err(|bad| wrong(&bad))?.into()
        }
        (Some(_), Some(_)) => return Err(wrong(&"has both data and binary_data_size")),
        (Some(_), None) if !tail.is_there() => {
            return Err(wrong(
                &"has a binary_data_size, and no Inference-Header-Content-Length says where its bytes begin",
            ));
        }
        (Some(size), None) => {
            tail.take(size).ok_or_else(|| wrong(&format_args!("binary_data_size is {size}, fewer bytes are left")))?
        }
    })
}

/// Returns the parameters that an upstream is told: a `timeout` no longer than what is left, and no `content_type` where it
/// has no meaning.
pub(in crate::protocol) fn told(parameters: &Parameters, budget_us: u64, dialect: Dialect) -> Parameters {
    let read = |(name, _): &&(String, Parameter)| name != "content_type" || dialect.reads_content_type();
    let most = i64::try_from(budget_us).unwrap_or(i64::MAX);
    let shortened = |(name, parameter): &(String, Parameter)| match (name.as_str(), parameter) {
        ("timeout", Parameter::Int(asked)) => (name.clone(), Parameter::Int((*asked).min(most))),
        _ => (name.clone(), parameter.clone()),
    };
    parameters.iter().filter(read).map(shortened).collect()
}

fn write_parameters(out: &mut Vec<u8>, parameters: &Parameters, upstream: Upstream<'_>, transport: &Transport) {
    let told = told(parameters, upstream.budget_us, upstream.dialect);
    parameter::write(out, told.iter().map(|(name, parameter)| (name.as_str(), parameter)), transport);
}

fn write_extra(out: &mut Vec<u8>, extra: &Extra) {
    for (name, value) in extra {
        out.push(b',');
        json::push_string(out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
