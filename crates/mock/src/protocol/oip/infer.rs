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

use super::{
    Body, JSON_LENGTH, OipAnswer, OipModel, Tensor, TensorData, TensorSpec, VERSION,
    binary::{self, Transport},
    sequence::Turn,
};
use crate::protocol::error::ApiError;

/// The most elements of one tensor.
const MAX_ELEMENTS: u64 = 16_000_000;

/// An inference request, with all that its answer follows from.
#[derive(Debug)]
pub(crate) struct Infer {
    model: String,
    id: Option<String>,
    inputs: Vec<Tensor>,
    /// The outputs asked for, and whether as bytes; none are all.
    wanted: Vec<(String, Option<bool>)>,
    /// Whether outputs of which that is not said are asked for as bytes.
    binary: bool,
    turn: Option<Turn>,
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
    /// Goes as bytes, if all its elements can.
    pub(crate) binary: bool,
}

#[derive(Deserialize)]
struct Request {
    id: Option<String>,
    inputs: Vec<Sent>,
    #[serde(default)]
    outputs: Option<Vec<Wanted>>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    binary_data_output: Option<bool>,
    sequence_id: Option<Value>,
    sequence_start: Option<bool>,
    sequence_end: Option<bool>,
}

#[derive(Deserialize)]
struct Sent {
    name: String,
    shape: Vec<u64>,
    datatype: String,
    #[serde(default)]
    data: Option<Value>,
    #[serde(default)]
    parameters: Option<Transport>,
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    parameters: Option<Transport>,
}

/// Understands an inference request.
pub(super) fn read(name: &str, model: &OipModel, body: Body<'_>) -> Result<Infer, ApiError> {
    let (json, mut tail) = match body.json {
        None => (body.bytes, &[][..]),
        Some(length) => {
            let divided = length.parse().ok().and_then(|length| body.bytes.split_at_checked(length));
            divided.ok_or_else(|| ApiError::invalid(format!("{JSON_LENGTH}: {length:?} is no length of this body")))?
        }
    };
    let request: Request = serde_json::from_slice(json)
        .map_err(|error| ApiError::invalid(format!("the body is no inference request in JSON: {error}")))?;
    if request.inputs.is_empty() {
        return Err(ApiError::invalid("`inputs` is empty"));
    }
    let inputs = request.inputs.into_iter().map(|sent| input(sent, &mut tail)).collect::<Result<Vec<_>, _>>()?;
    if !tail.is_empty() {
        return Err(ApiError::invalid(format!("{} bytes stand behind the last tensor", tail.len())));
    }
    check(model, &inputs)?;
    let wish = |it: Wanted| (it.name, it.parameters.and_then(|it| it.binary_data));
    let wanted: Vec<_> = request.outputs.unwrap_or_default().into_iter().map(wish).collect();
    if let Some((unknown, _)) = wanted.iter().find(|(name, _)| !model.outputs.iter().any(|output| output.name == *name))
    {
        return Err(ApiError::invalid(format!("no output {unknown:?}")));
    }
    let said = request.parameters.unwrap_or_default();
    let binary = said.binary_data_output.unwrap_or(false);
    let turn = Turn::read(said.sequence_id.as_ref(), [said.sequence_start, said.sequence_end]);
    Ok(Infer { model: name.to_owned(), id: request.id.filter(|id| !id.is_empty()), inputs, wanted, binary, turn })
}

fn input(sent: Sent, tail: &mut &[u8]) -> Result<Tensor, ApiError> {
    let Sent { name, shape, datatype, data, parameters } = sent;
    let count = elements(&shape).ok_or_else(|| ApiError::invalid(format!("input {name:?} is too large")))?;
    let data = match (data, parameters.and_then(|it| it.binary_data_size)) {
        (Some(data), None) => {
            let mut flat = Vec::new();
            flatten(data, &mut flat);
            TensorData::read(&datatype, flat)
                .map_err(|wrong| ApiError::invalid(format!("input {name:?} holds {wrong}, which is no {datatype}")))?
        }
        (None, Some(size)) => {
            let wrong = || ApiError::invalid(format!("input {name:?} is not {size} bytes of {datatype}"));
            let (bytes, rest) = tail.split_at_checked(size).ok_or_else(wrong)?;
            *tail = rest;
            binary::read(&datatype, bytes).ok_or_else(wrong)?
        }
        _ => return Err(ApiError::invalid(format!("input {name:?} wants either data or binary_data_size"))),
    };
    if data.len() as u64 != count {
        let message = format!("input {name:?} has {} elements, its shape {shape:?} has {count}", data.len());
        return Err(ApiError::invalid(message));
    }
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
            OipAnswer::Summed(sums) => {
                let sum = [Value::from(sums.add(self.turn.as_ref(), &self.inputs)?)];
                model.outputs.iter().map(|spec| declared(spec, &sum, batch)).collect::<Result<Vec<_>, _>>()?
            }
            OipAnswer::Evaluated(evaluator) => evaluator
                .evaluate(&self.inputs)
                .map_err(|why| ApiError::new(500, "server_error", "server_error", why))?
                .into_iter()
                .map(Output::from)
                .collect(),
        };
        if !self.wanted.is_empty() {
            outputs.retain(|output| self.wanted.iter().any(|(name, _)| *name == output.name));
        }
        for output in &mut outputs {
            let wish = self.wanted.iter().find(|(name, _)| *name == output.name);
            output.binary = wish.and_then(|(_, binary)| *binary).unwrap_or(self.binary);
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
    Ok(Output { name: spec.name.clone(), datatype: spec.datatype.clone(), shape, data, binary: false })
}

impl From<Tensor> for Output {
    fn from(tensor: Tensor) -> Output {
        let data = tensor.data.write(&tensor.datatype);
        Output { name: tensor.name, datatype: tensor.datatype, shape: tensor.shape, data, binary: false }
    }
}

impl Output {
    /// Returns its elements as bytes, where it is to go so and they can.
    fn bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut all = self.data.iter().map(|element| binary::write(&mut bytes, &self.datatype, element));
        (self.binary && all.all(|it| it.is_some())).then_some(bytes)
    }

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
    /// Writes the answer; tells how many bytes of it are JSON, where others follow.
    pub(crate) fn body(&self) -> (Vec<u8>, Option<usize>) {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut body = format!("{{\"model_name\":{},\"model_version\":\"{VERSION}\"", quoted(&self.model));
        if let Some(id) = &self.id {
            write!(body, ",\"id\":{}", quoted(id)).expect("a String takes every byte");
        }
        body.push_str(",\"outputs\":[");
        let mut tail = None;
        for (index, output) in self.outputs.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let (name, datatype) = (quoted(&output.name), quoted(&output.datatype));
            let shape = json!(output.shape);
            let elements = match output.bytes() {
                None => format!("\"data\":[{}]", output.data.join(",")),
                Some(bytes) => {
                    let size = bytes.len();
                    tail.get_or_insert_with(Vec::new).extend(bytes);
                    format!("\"parameters\":{{\"binary_data_size\":{size}}}")
                }
            };
            write!(body, "{comma}{{\"name\":{name},\"datatype\":{datatype},\"shape\":{shape},{elements}}}")
                .expect("a String takes every byte");
        }
        body.push_str("]}");
        let (mut body, json) = (body.into_bytes(), tail.is_some());
        let json = json.then_some(body.len());
        body.extend(tail.unwrap_or_default());
        (body, json)
    }
}
