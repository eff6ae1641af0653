//! Model: a declared model of the Open Inference Protocol and where its outputs come from.
//!
//! It is not a contract that is enforced: names, datatypes and shapes are metadata, and outputs are made to fit them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;
use serde_json::Value;

use super::{Sums, Tensor};

/// A named tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorSpec {
    /// The name.
    pub name: String,
    /// The datatype in the protocol's words, such as `FP32`.
    pub datatype: String,
    /// The shape; −1 is any, and first the batch.
    pub shape: Vec<i64>,
}

impl TensorSpec {
    /// Makes a description of a tensor.
    pub fn new(name: impl Into<String>, datatype: impl Into<String>, shape: impl Into<Vec<i64>>) -> TensorSpec {
        TensorSpec { name: name.into(), datatype: datatype.into(), shape: shape.into() }
    }
}

/// A model of the Open Inference Protocol.
#[derive(Clone, Debug)]
pub struct OipModel {
    /// Its inputs.
    pub inputs: Vec<TensorSpec>,
    /// Its outputs, in the order of the answer.
    pub outputs: Vec<TensorSpec>,
    /// Where its outputs come from.
    pub answer: OipAnswer,
}

/// Where outputs come from.
#[derive(Clone, Debug)]
pub enum OipAnswer {
    /// Values by output, repeated until the shape is full; an output without values is zeros.
    Declared(BTreeMap<String, Vec<Value>>),
    /// Computed from the inputs.
    Evaluated(Arc<dyn Evaluate>),
    /// The sum of all numbers of the sequence so far, in every place of every output.
    Summed(Sums),
}

/// A model that computes its outputs, such as an ONNX file behind an evaluator.
///
/// It runs on the task that serves the connection, so it is meant for models of milliseconds.
pub trait Evaluate: fmt::Debug + Send + Sync {
    /// Computes the outputs that the model declares, in its order.
    ///
    /// # Errors
    /// The model cannot be run on these inputs; the text goes to the client under 500.
    fn evaluate(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, String>;
}

impl OipModel {
    /// Makes a model with one output, whose values are repeated row by row.
    pub fn declared(inputs: Vec<TensorSpec>, output: TensorSpec, values: Vec<Value>) -> OipModel {
        let answer = OipAnswer::Declared(BTreeMap::from([(output.name.clone(), values)]));
        OipModel { inputs, outputs: vec![output], answer }
    }

    /// Makes a model whose outputs are computed.
    pub fn evaluated(inputs: Vec<TensorSpec>, outputs: Vec<TensorSpec>, model: impl Evaluate + 'static) -> OipModel {
        OipModel { inputs, outputs, answer: OipAnswer::Evaluated(Arc::new(model)) }
    }

    /// Makes a model with one output, which is the sum of all that came in a sequence.
    pub fn summed(inputs: Vec<TensorSpec>, output: TensorSpec) -> OipModel {
        OipModel { inputs, outputs: vec![output], answer: OipAnswer::Summed(Sums::default()) }
    }

    /// Returns what the metadata call the platform.
    pub(super) fn platform(&self) -> &'static str {
        match self.answer {
            OipAnswer::Declared(_) => "declared",
            OipAnswer::Evaluated(_) => "evaluated",
            OipAnswer::Summed(_) => "summed",
        }
    }
}
