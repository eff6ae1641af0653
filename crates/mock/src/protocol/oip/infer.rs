//! Infer: an inference request taken apart, and its answer.
//!
//! It is not the evaluation of a model; `model` says where outputs come from.
//!
//! # Invariants
//! - `INFER-1`: every element of an output is kept as the JSON text it will be, so that integers never pass through a
//!   float, and faults can write what JSON has no number for.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{OipAnswer, OipModel, Tensor, TensorData, TensorSpec, VERSION};
use crate::protocol::error::ApiError;

/// The most elements of one tensor.
const MAX_ELEMENTS: u64 = 16_000_000;

/// An inference request, with all that its answer follows from.
#[derive(Debug)]
pub(crate) struct Infer {
    model: String,
    id: Option<String>,
    inputs: Vec<Tensor>,
    /// The outputs asked for; none are all.
    wanted: Vec<String>,
}

/// An answer before it is written.
#[derive(Debug)]
pub(crate) struct Answer {
    model: String,
    id: Option<String>,
    pub(crate) outputs: Vec<Output>,
}

/// One output tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) datatype: String,
    pub(crate) shape: Vec<u64>,
    /// Each element as JSON text.
    pub(crate) data: Vec<String>,
}

#[derive(Deserialize)]
struct Request {
    id: Option<String>,
    inputs: Vec<Sent>,
    #[serde(default)]
    outputs: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    data: Value,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
}

/// Understands an inference request.
pub(super) fn read(name: &str, model: &OipModel, body: &[u8]) -> Result<Infer, ApiError> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("the body is no inference request in JSON: {error}")))?;
    if request.inputs.is_empty() {
        return Err(ApiError::invalid("`inputs` is empty"));
    }
    let inputs = request.inputs.into_iter().map(input).collect::<Result<Vec<_>, _>>()?;
    check(model, &inputs)?;
    let wanted: Vec<String> = request.outputs.unwrap_or_default().into_iter().map(|output| output.name).collect();
    if let Some(unknown) = wanted.iter().find(|name| !model.outputs.iter().any(|output| output.name == **name)) {
        return Err(ApiError::invalid(format!("no output {unknown:?}")));
    }
    Ok(Infer { model: name.to_owned(), id: request.id.filter(|id| !id.is_empty()), inputs, wanted })
}

fn input(sent: Sent) -> Result<Tensor, ApiError> {
    let Sent { name, shape, datatype, data } = sent;
    let count = elements(&shape).ok_or_else(|| ApiError::invalid(format!("input {name:?} is too large")))?;
    let mut flat = Vec::new();
    flatten(data, &mut flat);
    if flat.len() as u64 != count {
        let message = format!("input {name:?} has {} elements, its shape {shape:?} has {count}", flat.len());
        return Err(ApiError::invalid(message));
    }
    let data = TensorData::read(&datatype, flat)
        .map_err(|wrong| ApiError::invalid(format!("input {name:?} holds {wrong}, which is no {datatype}")))?;
    Ok(Tensor { name, datatype, shape, data })
}

/// Holds the inputs to what the model declares: names and datatypes.
fn check(model: &OipModel, inputs: &[Tensor]) -> Result<(), ApiError> {
    for spec in &model.inputs {
        if !inputs.iter().any(|input| input.name == spec.name) {
            return Err(ApiError::invalid(format!("input {:?} is missing", spec.name)));
        }
    }
    for Tensor { name, datatype, .. } in inputs {
        let spec = model.inputs.iter().find(|spec| spec.name == *name);
        let spec = spec.ok_or_else(|| ApiError::invalid(format!("no input {name:?}")))?;
        if *datatype != spec.datatype {
            return Err(ApiError::invalid(format!("input {name:?} is {}, not {datatype}", spec.datatype)));
        }
    }
    Ok(())
}

fn elements(shape: &[u64]) -> Option<u64> {
    let count = shape.iter().try_fold(1_u64, |count, size| count.checked_mul(*size))?;
    (count <= MAX_ELEMENTS).then_some(count)
}

/// Flattens nested rows. serde_json has bounded the depth.
fn flatten(value: Value, flat: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| flatten(item, flat)),
        single => flat.push(single),
    }
}

impl Infer {
    /// Evaluates the model.
    pub(crate) fn answer(self, models: &BTreeMap<String, OipModel>) -> Result<Answer, ApiError> {
        let model = &models[&self.model];
        let batch = self.inputs.first().and_then(|input| input.shape.first()).copied().unwrap_or(1);
        let mut outputs = match &model.answer {
            OipAnswer::Declared(values) => model
                .outputs
                .iter()
                .map(|spec| declared(spec, values.get(&spec.name).map_or(&[], Vec::as_slice), batch))
                .collect::<Result<Vec<_>, _>>()?,
            OipAnswer::Evaluated(evaluator) => evaluator
                .evaluate(&self.inputs)
                .map_err(|why| ApiError::new(500, "server_error", "server_error", why))?
                .into_iter()
                .map(Output::from)
                .collect(),
        };
        if !self.wanted.is_empty() {
            outputs.retain(|output| self.wanted.contains(&output.name));
        }
        Ok(Answer { model: self.model, id: self.id, outputs })
    }
}

/// Repeats values until the shape, with the batch in it, is full.
fn declared(spec: &TensorSpec, values: &[Value], batch: u64) -> Result<Output, ApiError> {
    let size = |(axis, size): (usize, &i64)| match u64::try_from(*size) {
        Ok(size) => size,
        Err(_) if axis == 0 => batch,
        Err(_) => 1,
    };
    let shape: Vec<u64> = spec.shape.iter().enumerate().map(size).collect();
    let count = elements(&shape).ok_or_else(|| ApiError::invalid(format!("output {:?} is too large", spec.name)))?;
    let zero = [if spec.datatype == "BYTES" { json!("") } else { json!(0) }];
    let values = if values.is_empty() { &zero[..] } else { values };
    let data = values.iter().cycle().take(count as usize).map(Value::to_string).collect();
    Ok(Output { name: spec.name.clone(), datatype: spec.datatype.clone(), shape, data })
}

impl From<Tensor> for Output {
    fn from(tensor: Tensor) -> Output {
        let data = tensor.data.write(&tensor.datatype);
        Output { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape, data }
    }
}

impl Output {
    /// Says whether its elements are floating-point numbers.
    pub(crate) fn is_float(&self) -> bool {
        matches!(self.datatype.as_str(), "FP16" | "FP32" | "FP64" | "BF16")
    }

    /// Writes a token in place of the first element of a row; a row that is not there is the last one.
    pub(crate) fn spoil_row(&mut self, row: usize, token: &str) {
        let rows = self.shape.first().map_or(1, |rows| *rows as usize).max(1);
        let width = self.data.len() / rows;
        if let Some(element) = self.data.get_mut(row.min(rows - 1) * width) {
            *element = token.to_owned();
        }
    }

    /// Writes one number in place of every element that is a number.
    pub(crate) fn fill(&mut self, number: f64) {
        let text = match self.datatype.as_str() {
            "BOOL" | "BYTES" => return,
            _ if self.is_float() => format!("{number:?}"),
            _ => format!("{}", number as i64),
        };
        self.data.fill(text);
    }
}

impl Answer {
    /// Writes the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut body = format!("{{\"model_name\":{},\"model_version\":\"{VERSION}\"", quoted(&self.model));
        if let Some(id) = &self.id {
            write!(body, ",\"id\":{}", quoted(id)).expect("a String takes every byte");
        }
        body.push_str(",\"outputs\":[");
        for (index, output) in self.outputs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (name, datatype) = (quoted(&output.name), quoted(&output.datatype));
            let (shape, data) = (json!(output.shape), output.data.join(","));
            write!(body, "{comma}{{\"name\":{name},\"datatype\":{datatype},\"shape\":{shape},\"data\":[{data}]}}")
                .expect("a String takes every byte");
        }
        body.push_str("]}");
        body.into_bytes()
    }
}
