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
    data::{self, Nulls},
    draft::{Draft, Id, Others, Part},
    error::BadInfer,
    parameter::{self, Found, Transport},
};
use crate::{
    protocol::json,
    tensor::{self, Contract, Datatype, Extra, Infer, Input, Parameter, Parameters, Tensor, Wanted},
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
    let Draft { id, parameters, inputs, outputs, others } = Draft::read(&body)?;
    let id = match id {
        Some(Id::Other) => return Err(BadInfer::new("'id' must be a string")),
        Some(Id::Text(id)) => Some(id).filter(|id| !id.is_empty()),
        None => None,
    };
    let inputs = inputs.filter(|inputs| !inputs.is_empty()).ok_or_else(|| BadInfer::new("'inputs' is missing"))?;
    check_unique("input", &inputs)?;
    contract.check_names(inputs.iter().map(|input| input.name.as_str())).map_err(BadInfer::new)?;
    for part in inputs.iter().chain(&outputs) {
        refuse(&part.parameters)?;
    }
    refuse(&parameters)?;
    let datatypes = inputs.iter().map(|input| datatype(input, contract)).collect::<Result<Vec<_>, _>>()?;
    for input in &inputs {
        contract.check_shape(&input.name, shape(input)?).map_err(BadInfer::new)?;
    }
    let shapes = inputs.iter().map(|input| (input.name.as_str(), input.shape.as_deref().unwrap_or_default()));
    contract.check_rows(shapes).map_err(BadInfer::new)?;
    let tensors = inputs.iter().zip(datatypes).map(|(input, datatype)| tensor(&body, &mut tail, input, datatype));
    let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
    if tail.left() > 0 {
        return Err(BadInfer::new(format_args!("{} bytes stand behind the last tensor", tail.left())));
    }
    for tensor in &tensors {
        contract.check_values(tensor).map_err(BadInfer::new)?;
    }
    check_unique("output", &outputs)?;
    for output in &outputs {
        contract.check_output(&output.name).map_err(BadInfer::new)?;
    }
    let input = |(tensor, part): (Tensor, Part<'_>)| {
        let parameters = kept(part.parameters)?;
        Ok(Input { tensor, parameters, extra: extra(&body, part.others) })
    };
    let output = |part: Part<'_>| {
        let binary = flag(&part.parameters, "binary_data")?;
        let parameters = kept(part.parameters)?;
        Ok(Wanted { name: part.name, binary, parameters, extra: extra(&body, part.others) })
    };
    Ok(Infer {
        id,
        binary: flag(&parameters, "binary_data_output")?.unwrap_or(false),
        inputs: tensors.into_iter().zip(inputs).map(input).collect::<Result<_, BadInfer>>()?,
        outputs: outputs.into_iter().map(output).collect::<Result<_, BadInfer>>()?,
        parameters: kept(parameters)?,
        extra: extra(&body, others),
    })
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
    Ok(Infer { id: None, parameters, inputs, outputs: Vec::new(), binary: true, extra })
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
    let timed: Parameters = request.parameters.iter().map(|one| shortened(one, upstream.budget_us)).collect();
    // Where outputs are named, one server reads only what is said of each.
    let all = (binary && request.outputs.is_empty()).then_some(("binary_data_output", Parameter::Bool(true)));
    write_parameters(&mut out, &timed, dialect, &all);
    out.extend_from_slice(b",\"inputs\":[");
    for (at, input) in request.inputs.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"name\":" } else { b"{\"name\":" });
        let form = if binary { Form::Tail } else { Form::Data };
        write_tensor(&mut out, (&input.tensor, form), |out, size| {
            write_parameters(out, &input.parameters, dialect, size);
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
            write_parameters(&mut out, &output.parameters, dialect, &raw);
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
pub(super) enum Form {
    /// In `data`, as JSON.
    Data,
    /// Behind the JSON, as bytes.
    Tail,
}

/// Writes the name, which is the value of a key already written, and everything else of a tensor but the bytes behind the
/// JSON: `parameters` is told how many they are.
pub(super) fn write_tensor(
    out: &mut Vec<u8>,
    (tensor, form): (&Tensor, Form),
    parameters: impl FnOnce(&mut Vec<u8>, &Transport),
) {
    json::push_string(out, tensor.name());
    out.extend_from_slice(b",\"shape\":");
    serde_json::to_writer(&mut *out, tensor.shape()).expect("numbers can be written into memory");
    out.extend_from_slice(b",\"datatype\":\"");
    out.extend_from_slice(tensor.datatype().name().as_bytes());
    out.push(b'"');
    match form {
        Form::Data => {
            parameters(out, &None);
            out.extend_from_slice(b",\"data\":");
            data::write(out, tensor);
        }
        Form::Tail => parameters(out, &Some((binary::SIZE, Parameter::Uint(tensor.data().len() as u64)))),
    }
}

fn check_unique(what: &str, parts: &[Part<'_>]) -> Result<(), BadInfer> {
    let mut names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(BadInfer::new(format_args!("{what} '{}' stands there twice", pair[0]))),
        None => Ok(()),
    }
}

/// Refuses what would be answered wrongly if it were ignored.
fn refuse(parameters: &[(String, Found)]) -> Result<(), BadInfer> {
    for (name, found) in parameters {
        let why = match (name.as_str(), found) {
            (name, _) if name.starts_with("shared_memory_") => "the region is on another host",
            ("classification", _) => "classification is not offered yet",
            ("sequence_id", Found::Scalar(id)) if !is_no_sequence(id) => "sequences are not offered yet",
            _ => continue,
        };
        return Err(BadInfer::new(format_args!("parameter '{name}': {why}")));
    }
    Ok(())
}

fn is_no_sequence(id: &Parameter) -> bool {
    match id {
        Parameter::Int(id) => *id == 0,
        Parameter::String(id) => id.is_empty(),
        _ => false,
    }
}

fn datatype(input: &Part<'_>, contract: &Contract) -> Result<Datatype, BadInfer> {
    let Part { name, datatype, .. } = input;
    let word = datatype.as_deref().ok_or_else(|| BadInfer::new(format_args!("input '{name}' has no datatype")))?;
    let unknown = || BadInfer::new(format_args!("input '{name}' has an unknown datatype"));
    let datatype = Datatype::named(word).ok_or_else(unknown)?;
    contract.check_datatype(name, datatype).map_err(BadInfer::new)?;
    Ok(datatype)
}

fn shape<'p>(input: &'p Part<'_>) -> Result<&'p [u64], BadInfer> {
    input.shape.as_deref().ok_or_else(|| BadInfer::new(format_args!("input '{}' has no shape", input.name)))
}

fn tensor(body: &Bytes, tail: &mut Tail, input: &Part<'_>, datatype: Datatype) -> Result<Tensor, BadInfer> {
    let name = &input.name;
    let wrong = |why: &dyn Display| BadInfer::new(format_args!("input '{name}': {why}"));
    let shape = shape(input)?;
    let size = binary::size(&input.parameters).map_err(|()| wrong(&"binary_data_size must be a number of bytes"))?;
    let data = match (size, input.data.clone()) {
        (None, None) => return Err(wrong(&"has no data")),
        (None, Some(span)) => {
            data::read(&body[span], datatype, shape, Nulls::Refused).map_err(|bad| wrong(&bad))?.into()
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
    };
    Tensor::new(name.clone(), datatype, shape.into(), data).map_err(|misfit| wrong(&misfit))
}

/// Reads a wish for bytes.
fn flag(parameters: &[(String, Found)], name: &str) -> Result<Option<bool>, BadInfer> {
    match parameters.iter().find(|(it, _)| it == name) {
        None => Ok(None),
        Some((_, Found::Scalar(Parameter::Bool(flag)))) => Ok(Some(*flag)),
        Some(_) => Err(BadInfer::new(format_args!("parameter '{name}' must be true or false"))),
    }
}

/// Keeps the parameters that go on: ours do not, and neither does how tensors travel on this side.
fn kept(parameters: Vec<(String, Found)>) -> Result<Parameters, BadInfer> {
    if let Some((name, _)) = parameters.iter().find(|(_, found)| *found == Found::Other) {
        let message = format_args!("parameter '{name}' must be a string, true or false, or a number in range");
        return Err(BadInfer::new(message));
    }
    let mut parameters = parameter::scalars(parameters);
    parameters.retain(|(name, _)| {
        let sequence = matches!(name.as_str(), "sequence_id" | "sequence_start" | "sequence_end");
        let transport = matches!(name.as_str(), binary::SIZE | "binary_data" | "binary_data_output");
        !sequence && !transport && !name.starts_with("evenkeel.")
    });
    Ok(parameters)
}

/// Keeps members that nobody here knows, but not names of the model: those are the route's, not the upstream's.
fn extra(body: &Bytes, others: Others<'_>) -> Extra {
    let others = others.into_iter().filter(|(name, _)| !matches!(&**name, "model_name" | "model_version"));
    others.map(|(name, span)| (name.into_owned(), body.slice(span))).collect()
}

fn shortened((name, parameter): &(String, Parameter), budget_us: u64) -> (String, Parameter) {
    let parameter = match (name.as_str(), parameter) {
        ("timeout", Parameter::Int(asked)) => {
            Parameter::Int((*asked).min(i64::try_from(budget_us).unwrap_or(i64::MAX)))
        }
        _ => parameter.clone(),
    };
    (name.clone(), parameter)
}

fn write_parameters(out: &mut Vec<u8>, parameters: &Parameters, dialect: Dialect, transport: &Transport) {
    let told = parameters.iter().filter(|(name, _)| name != "content_type" || dialect.reads_content_type());
    parameter::write(out, told.map(|(name, parameter)| (name.as_str(), parameter)), transport);
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
