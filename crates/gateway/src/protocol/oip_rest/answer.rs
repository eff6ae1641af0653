//! Answer: an answer to a request for inference, read from an upstream and written for a client.
//!
//! # Invariants
//! - `OIPANS-1`: an answer that was decoded is one that can be written: [`Mapping::accept`] has seen it.
//! - `OIPANS-2`: whoever answers, the client reads its route, its version and its id (OIP-12, OIP-16).
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.2 and 3; F-004, OIP-20, OIP-40.

use bytes::Bytes;
use evenkeel_core::ResultCode;

use super::{
    DEPTH, MAX_TENSORS, Written,
    binary::{self, Divided, Tail},
    data::{self, Nulls},
    parameter::{self, Found, Unread},
    request::{self, Place},
};
use crate::{
    protocol::json::{self, Flaw, Kind, Reader},
    sequence,
    tensor::{Datatype, Form, Infer, InferAnswer, Mapping, Output, Parameter, Parameters, Tensor},
};

/// Reads the body of a 200, in whatever dialect, and accepts it as the route promises it.
///
/// # Errors
/// The result of the attempt that got it.
pub(crate) fn decode(body: Divided, request: &Infer, mapping: &Mapping) -> Result<InferAnswer, ResultCode> {
    let (json, tail) = match body {
        Divided::Json(json) => (json, None),
        Divided::Tailed { json, tail } => (json, Some(tail)),
        Divided::Raw(_) => return Err(ResultCode::DecodeFailed),
    };
    if json.trim_ascii().is_empty() {
        return Err(ResultCode::EmptyAnswer);
    }
    let answer = read(&json, Tail::new(tail)).map_err(|Bad(result)| result)?;
    mapping.accept(answer, request)
}

/// What an answer says of itself to a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The route.
    pub(crate) route: &'a str,
    /// The version that was asked for, or `1`.
    pub(crate) version: &'a str,
    /// What was asked for: the client's id, and which outputs in bytes.
    pub(crate) request: &'a Infer,
    /// What is said of the decision, each name with `evenkeel.` before it.
    pub(crate) evenkeel: &'a [(&'a str, Parameter)],
}

/// Writes an answer for a client. It must have been accepted by the route's contract.
pub(crate) fn encode(answer: &InferAnswer, told: Told<'_>) -> Written {
    let is_binary = |tensor: &Tensor| told.request.form_of(tensor.name()) == Form::Bytes;
    let size = |tensor: &Tensor| if is_binary(tensor) { 192 } else { tensor.data().len() * 3 + 128 };
    let size: usize = answer.outputs.iter().map(|output| size(&output.tensor)).sum();
    let mut out = Vec::with_capacity(size + 512);
    out.extend_from_slice(b"{\"model_name\":");
    json::push_string(&mut out, told.route);
    out.extend_from_slice(b",\"model_version\":");
    json::push_string(&mut out, told.version);
    if let Some(id) = &told.request.id {
        out.extend_from_slice(b",\"id\":");
        json::push_string(&mut out, id);
    }
    let theirs = answer.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter));
    parameter::write(&mut out, theirs.chain(told.evenkeel.iter().map(|(name, parameter)| (*name, parameter))), &None);
    out.extend_from_slice(b",\"outputs\":[");
    for (at, Output { tensor, parameters }) in answer.outputs.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
        let parameters = parameters.iter().map(|(name, parameter)| (name.as_str(), parameter));
        let place = if is_binary(tensor) { Place::Tail } else { Place::Data };
        request::write_tensor(&mut out, (tensor, place), |out, size| parameter::write(out, parameters, size));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    Written::new(out, answer.outputs.iter().map(|output| &output.tensor).filter(|tensor| is_binary(tensor)))
}

/// Why an answer is none.
struct Bad(ResultCode);

impl From<Flaw> for Bad {
    fn from(_: Flaw) -> Self {
        Self(ResultCode::DecodeFailed)
    }
}

impl From<Unread> for Bad {
    fn from(_: Unread) -> Self {
        Self(ResultCode::DecodeFailed)
    }
}

fn read(body: &Bytes, mut tail: Tail) -> Result<InferAnswer, Bad> {
    let mut reader = Reader::new(body, DEPTH)?;
    let mut answer = InferAnswer::default();
    let mut error = false;
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        match (&*key.decode(), reader.kind()?) {
            ("error", _) => error |= reader.is_filled()?,
            ("outputs", Kind::Array) => {
                let mut list = reader.array()?;
                while reader.item(&mut list)? {
                    let output = output(&mut reader, body, &mut tail)?;
                    if answer.outputs.len() == MAX_TENSORS || answer.output(output.tensor.name()).is_some() {
                        return Err(Bad(ResultCode::DecodeFailed));
                    }
                    answer.outputs.push(output);
                }
            }
            ("parameters", Kind::Object) => answer.parameters = kept(parameter::read(&mut reader)?),
            _ => reader.pass()?,
        }
    }
    reader.end()?;
    match error {
        true => Err(Bad(ResultCode::ErrorInBody)),
        false if tail.left() > 0 => Err(Bad(ResultCode::DecodeFailed)),
        false => Ok(answer),
    }
}

fn output(reader: &mut Reader<'_>, body: &Bytes, tail: &mut Tail) -> Result<Output, Bad> {
    let (mut name, mut datatype, mut shape, mut data) = (None, None, None, None);
    let (mut told, mut size) = (Parameters::new(), None);
    let mut inside = reader.object()?;
    while let Some(key) = reader.key(&mut inside)? {
        match (&*key.decode(), reader.kind()?) {
            ("name", Kind::String) => name = Some(reader.string()?.decode().into_owned()),
            ("datatype", Kind::String) => datatype = Datatype::named(&reader.string()?.decode()),
            ("shape", Kind::Array) => shape = Some(dimensions(reader)?),
            ("data", _) => {
                reader.tokens = true;
                data = Some(reader.skip()?);
                reader.tokens = false;
            }
            ("parameters", Kind::Object) => {
                let found = parameter::read(reader)?;
                size = binary::size(&found).map_err(|()| Bad(ResultCode::DecodeFailed))?;
                told = kept(found);
            }
            _ => reader.pass()?,
        }
    }
    let broken = || Bad(ResultCode::DecodeFailed);
    let (name, shape) = (name.ok_or_else(broken)?, shape.ok_or_else(broken)?);
    let datatype = datatype.ok_or(Bad(ResultCode::ContractDtype))?;
    let data = match (size, data) {
        (Some(size), None) => tail.take(size).ok_or_else(broken)?,
        (None, Some(data)) => data::read(&body[data], datatype, &shape, Nulls::Nan).map_err(|_| broken())?.into(),
        _ => return Err(broken()),
    };
    let tensor = Tensor::new(name, datatype, shape, data).map_err(|_| broken())?;
    Ok(Output { tensor, parameters: told })
}

fn dimensions(reader: &mut Reader<'_>) -> Result<Vec<u64>, Bad> {
    let mut shape = Vec::new();
    let mut inside = reader.array()?;
    while reader.item(&mut inside)? {
        let dimension = reader.number()?.parse().ok().filter(|_| shape.len() < data::MAX_RANK);
        shape.push(dimension.ok_or(Bad(ResultCode::DecodeFailed))?);
    }
    Ok(shape)
}

/// Keeps the parameters of an answer that a client may see: scalars, and none that speak of transport, of us, or of a sequence,
/// which a server knows by another id.
pub(in crate::protocol) fn kept(found: Vec<(String, Found)>) -> Parameters {
    let mut parameters = parameter::scalars(found);
    parameters.retain(|(name, _)| {
        let transport = name.starts_with("shared_memory_") || matches!(name.as_str(), binary::SIZE | "headers");
        let sequence = matches!(name.as_str(), sequence::ID | sequence::START | sequence::END);
        !transport && !sequence && !name.starts_with("evenkeel.")
    });
    parameters
}

#[cfg(test)]
mod tests;
