//! Check: makes a request of what a client drafted, by the contract of its route; for both forms of the protocol.
//!
//! # Invariants
//! - `OIPCHECK-1`: what is wrong is found in the order of the protocol, and no element is looked at before the names,
//!   datatypes and shapes of all inputs are right.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.4 and 2.5.

use std::fmt::Display;

use bytes::Bytes;

use super::{
    binary,
    draft::{Draft, Id, Others, Part},
    error::BadInfer,
    parameter::{self, Found},
};
use crate::{
    sequence,
    tensor::{Contract, Datatype, Extra, Form, Infer, Input, Parameter, Parameters, Tensor, Wanted},
};

/// How many classes of an output are wanted; they are made here, of what a server answers (OIP-34).
const CLASSES: &str = "classification";

/// Checks a draft, whose inputs get their elements from `data`: of which input, its draft, its datatype.
///
/// # Errors
/// Whatever the client got wrong.
pub(in crate::protocol) fn accept<'d>(
    draft: Draft<'d>,
    body: &Bytes,
    contract: &Contract,
    mut data: impl FnMut(usize, &Part<'d>, Datatype) -> Result<Bytes, BadInfer>,
) -> Result<Infer, BadInfer> {
    let Draft { id, parameters, inputs, outputs, others } = draft;
    let id = match id {
        Some(Id::Other) => return Err(BadInfer::new("'id' must be a string")),
        Some(Id::Text(id)) => Some(id).filter(|id| !id.is_empty()),
        None => None,
    };
    let inputs = inputs.ok_or_else(|| BadInfer::new("'inputs' is missing"))?;
    if inputs.is_empty() {
        return Err(BadInfer::new("'inputs' is empty: name one tensor at the least"));
    }
    check_unique("input", &inputs)?;
    contract.check_names(inputs.iter().map(|input| input.name.as_str())).map_err(BadInfer::new)?;
    for part in inputs.iter().chain(&outputs) {
        refuse(&part.parameters)?;
    }
    refuse(&parameters)?;
    let sequence = sequence(&parameters)?;
    let datatypes = inputs.iter().map(|input| datatype(input, contract)).collect::<Result<Vec<_>, _>>()?;
    for input in &inputs {
        contract.check_shape(&input.name, shape(input)?).map_err(BadInfer::new)?;
    }
    let shapes = inputs.iter().map(|input| (input.name.as_str(), input.shape.as_deref().unwrap_or_default()));
    let count = contract.check_rows(shapes).map_err(BadInfer::new)?;
    let mut tensor = |(at, (input, datatype)): (usize, (&Part<'d>, Datatype))| {
        let (name, shape) = (input.name.clone(), shape(input)?.to_vec());
        let wrong = |why: &dyn Display| BadInfer::new(format_args!("input '{}': {why}", input.name));
        Tensor::new(name, datatype, shape, data(at, input, datatype)?).map_err(|misfit| wrong(&misfit))
    };
    let tensors = inputs.iter().zip(datatypes).enumerate().map(&mut tensor).collect::<Result<Vec<_>, _>>()?;
    for tensor in &tensors {
        contract.check_values(tensor).map_err(BadInfer::new)?;
    }
    check_unique("output", &outputs)?;
    for output in &outputs {
        contract.check_output(&output.name).map_err(BadInfer::new)?;
    }
    let input = |(tensor, part): (Tensor, Part<'_>)| {
        let parameters = kept(part.parameters)?;
        Ok(Input { tensor, parameters, extra: extra(body, part.others) })
    };
    let output = |part: Part<'_>| {
        let binary = flag(&part.parameters, "binary_data")?;
        let classes = classes(&part.parameters)?;
        if classes.is_some() {
            contract.check_classes(&part.name).map_err(BadInfer::new)?;
        }
        let parameters = kept(part.parameters)?;
        Ok(Wanted { name: part.name, binary, classes, parameters, extra: extra(body, part.others) })
    };
    let binary = flag(&parameters, "binary_data_output")?.unwrap_or(false);
    Ok(Infer {
        id,
        form: if binary { Form::Bytes } else { Form::Text },
        inputs: tensors.into_iter().zip(inputs).map(input).collect::<Result<_, BadInfer>>()?,
        outputs: outputs.into_iter().map(output).collect::<Result<_, BadInfer>>()?,
        parameters: kept(parameters)?.into_iter().chain(sequence).collect(),
        extra: extra(body, others),
        count,
    })
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
            _ => continue,
        };
        return Err(BadInfer::new(format_args!("parameter '{name}': {why}")));
    }
    Ok(())
}

/// Reads to which sequence a request belongs, and that it begins or ends it; nothing where it belongs to none, whatever else is
/// said of one (OIP-36).
fn sequence(parameters: &[(String, Found)]) -> Result<Parameters, BadInfer> {
    let id = match parameters.iter().find(|(name, _)| name == sequence::ID) {
        None | Some((_, Found::Scalar(Parameter::Int(0)))) => return Ok(Parameters::new()),
        Some((_, Found::Scalar(Parameter::String(id)))) if id.is_empty() => return Ok(Parameters::new()),
        Some((_, Found::Scalar(id @ (Parameter::Int(1..) | Parameter::Uint(_) | Parameter::String(_))))) => id.clone(),
        Some(_) => return Err(BadInfer::new("parameter 'sequence_id' must be a whole number from 0 or a string")),
    };
    let flag = |name: &str| flag(parameters, name).map(|it| Parameter::Bool(it.unwrap_or(false)));
    let named = |name: &str, value| (name.to_owned(), value);
    Ok(vec![
        named(sequence::ID, id),
        named(sequence::START, flag(sequence::START)?),
        named(sequence::END, flag(sequence::END)?),
    ])
}

fn datatype(input: &Part<'_>, contract: &Contract) -> Result<Datatype, BadInfer> {
    let Part { name, datatype, .. } = input;
    let word = datatype.as_deref().ok_or_else(|| BadInfer::new(format_args!("input '{name}' has no datatype")))?;
    let unknown = || BadInfer::new(format_args!("input '{name}' has an unknown datatype"));
    let datatype = Datatype::named(word).ok_or_else(unknown)?;
    contract.check_datatype(name, datatype).map_err(BadInfer::new)?;
    Ok(datatype)
}

pub(in crate::protocol) fn shape<'p>(input: &'p Part<'_>) -> Result<&'p [u64], BadInfer> {
    input.shape.as_deref().ok_or_else(|| BadInfer::new(format_args!("input '{}' has no shape", input.name)))
}

/// Reads a wish for classes; none of them is no wish.
fn classes(parameters: &[(String, Found)]) -> Result<Option<u32>, BadInfer> {
    let wrong = || BadInfer::new("parameter 'classification' must be a number of classes");
    match parameters.iter().find(|(it, _)| it == CLASSES) {
        None => Ok(None),
        Some((_, Found::Scalar(Parameter::Int(count)))) => match u32::try_from(*count) {
            Ok(count) => Ok(Some(count).filter(|count| *count > 0)),
            Err(_) => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// Reads a wish for bytes.
fn flag(parameters: &[(String, Found)], name: &str) -> Result<Option<bool>, BadInfer> {
    match parameters.iter().find(|(it, _)| it == name) {
        None => Ok(None),
        Some((_, Found::Scalar(Parameter::Bool(flag)))) => Ok(Some(*flag)),
        Some(_) => Err(BadInfer::new(format_args!("parameter '{name}' must be true or false"))),
    }
}

/// Keeps the parameters that go on as they are: ours do not, nor does how tensors travel on this side, nor what is said of a
/// sequence, which is read by itself.
fn kept(parameters: Vec<(String, Found)>) -> Result<Parameters, BadInfer> {
    if let Some((name, _)) = parameters.iter().find(|(_, found)| *found == Found::Other) {
        let message = format_args!("parameter '{name}' must be a string, true or false, or a number in range");
        return Err(BadInfer::new(message));
    }
    let mut parameters = parameter::scalars(parameters);
    parameters.retain(|(name, _)| {
        let sequence = matches!(name.as_str(), sequence::ID | sequence::START | sequence::END);
        let transport = matches!(name.as_str(), binary::SIZE | "binary_data" | "binary_data_output" | CLASSES);
        !sequence && !transport && !name.starts_with("evenkeel.")
    });
    Ok(parameters)
}

/// Keeps members that nobody here knows, but not names of the model: those are the route's, not the upstream's.
fn extra(body: &Bytes, others: Others<'_>) -> Extra {
    let others = others.into_iter().filter(|(name, _)| !matches!(&**name, "model_name" | "model_version"));
    others.map(|(name, span)| (name.into_owned(), body.slice(span))).collect()
}
