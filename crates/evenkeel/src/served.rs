//! An ONNX file that a mock serves over the Open Inference Protocol: a real model behind a server that breaks on demand.

use anyhow::Context;
use evenkeel_mock::{Evaluate, OipModel, Tensor, TensorData, TensorSpec};
use evenkeel_onnx::{Data, Kind, Model, Port, Tensor as Array};

/// Makes a model that a mock can serve.
pub(crate) fn served(bytes: &[u8]) -> anyhow::Result<OipModel> {
    let model = Model::load(bytes).context("cannot load the model")?;
    let specs = |ports: &[Port]| ports.iter().map(spec).collect();
    Ok(OipModel::evaluated(specs(model.inputs()), specs(model.outputs()), Served(model)))
}

fn spec(port: &Port) -> TensorSpec {
    let shape: Vec<i64> = port.shape.iter().map(|it| it.map_or(-1, |it| it as i64)).collect();
    TensorSpec::new(&port.name, word(port.kind), shape)
}

/// Returns the word of the protocol for a kind of element.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::F32 => "FP32",
        Kind::F64 => "FP64",
        Kind::I32 => "INT32",
        Kind::I64 => "INT64",
        Kind::Bool => "BOOL",
        Kind::Text => "BYTES",
    }
}

#[derive(Debug)]
struct Served(Model);

impl Evaluate for Served {
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let inputs = inputs.iter().map(|it| Ok((it.name.as_str(), array(it)?))).collect::<Result<Vec<_>, String>>()?;
        let outputs = self.0.run(&inputs).map_err(|error| format!("the model cannot be run: {error}"))?;
        Ok(outputs.into_iter().map(|(name, array)| tensor(name, array)).collect())
    }
}

fn array(tensor: &Tensor) -> Result<Array, String> {
    let shape = tensor.shape.iter().map(|it| *it as usize).collect();
    let data = match (&tensor.data, tensor.datatype.as_str()) {
        (TensorData::Floats(values), "FP64") => Data::F64(values.clone()),
        (TensorData::Floats(values), _) => Data::F32(values.iter().map(|it| *it as f32).collect()),
        (TensorData::Integers(values), "INT32") => Data::I32(values.iter().map(|it| *it as i32).collect()),
        (TensorData::Integers(values), _) => Data::I64(values.clone()),
        (TensorData::Booleans(values), _) => Data::Bool(values.clone()),
        (TensorData::Texts(values), _) => Data::Text(values.clone()),
    };
    Array::new(shape, data).map_err(|error| error.to_string())
}

fn tensor(name: String, array: Array) -> Tensor {
    let (shape, data) = array.into_parts();
    let shape = shape.into_iter().map(|it| it as u64).collect();
    let (kind, data) = match data {
        Data::F32(values) => (Kind::F32, TensorData::Floats(values.into_iter().map(f64::from).collect())),
        Data::F64(values) => (Kind::F64, TensorData::Floats(values)),
        Data::I32(values) => (Kind::I32, TensorData::Integers(values.into_iter().map(i64::from).collect())),
        Data::I64(values) => (Kind::I64, TensorData::Integers(values)),
        Data::Bool(values) => (Kind::Bool, TensorData::Booleans(values)),
        Data::Text(values) => (Kind::Text, TensorData::Texts(values)),
    };
    Tensor { name, datatype: word(kind).into(), shape, data }
}
