//! Operators: what a node of a graph computes, and the registry of those that are offered.

mod extract;
mod labels;
mod linear;
mod plain;
mod scale;
mod tree;

use std::fmt::Debug;

use labels::Labels;

use crate::{
    attribute::Attributes,
    proto::NodeProto,
    tensor::{Data, Tensor, elements},
};

/// Elements of a result, at most: 128 MiB of f64. A file cannot say how many rows come, but neither can rows be many and
/// wide at once.
const MAX_ELEMENTS: usize = 1 << 24;
/// Bytes of the texts of a result, at most.
const MAX_TEXT_BYTES: usize = 1 << 27;

/// What a node computes.
pub(crate) trait Operator: Debug + Send + Sync {
    /// Computes the outputs, in order.
    ///
    /// # Errors
    /// The inputs are not what it takes, in words.
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String>;
}

/// An operator, and how many values it reads and writes.
pub(crate) struct Built {
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

impl Built {
    fn new(operator: impl Operator + 'static, reads: usize, writes: usize) -> Self {
        Self { operator: Box::new(operator), reads, writes }
    }
}

/// Makes the operator of a node; none where it is not offered.
///
/// # Errors
/// Its attributes contradict one another, in words.
pub(crate) fn build(node: &NodeProto) -> Result<Option<Built>, String> {
    let attributes = Attributes::of(node);
    if attributes.is_given("broadcast") {
        return Err("`broadcast` is of operators before version 7, which are not offered".into());
    }
    Ok(Some(match (node.domain.as_str(), node.op_type.as_str()) {
        ("ai.onnx.ml", "TreeEnsembleClassifier") => Built::new(tree::Classifier::new(attributes)?, 1, 2),
        ("ai.onnx.ml", "TreeEnsembleRegressor") => Built::new(tree::Regressor::new(attributes)?, 1, 1),
        ("ai.onnx.ml", "LinearClassifier") => Built::new(linear::Classifier::new(attributes)?, 1, 2),
        ("ai.onnx.ml", "LinearRegressor") => Built::new(linear::Regressor::new(attributes)?, 1, 1),
        ("ai.onnx.ml", "Scaler") => Built::new(scale::Scaler::new(attributes), 1, 1),
        ("ai.onnx.ml", "Normalizer") => Built::new(scale::Normalizer::new(attributes)?, 1, 1),
        ("ai.onnx.ml", "ArrayFeatureExtractor") => Built::new(extract::ArrayFeatureExtractor, 2, 1),
        // What it zips, a list of maps, is no tensor: the probabilities go on as they are.
        ("ai.onnx.ml", "ZipMap") | ("" | "ai.onnx", "Identity") => Built::new(plain::Identity, 1, 1),
        ("" | "ai.onnx", "Cast") => Built::new(plain::Cast::new(attributes)?, 1, 1),
        ("" | "ai.onnx", "Add") => Built::new(plain::Arithmetic::Add, 2, 1),
        ("" | "ai.onnx", "Sub") => Built::new(plain::Arithmetic::Sub, 2, 1),
        ("" | "ai.onnx", "Mul") => Built::new(plain::Arithmetic::Mul, 2, 1),
        ("" | "ai.onnx", "Div") => Built::new(plain::Arithmetic::Div, 2, 1),
        _ => return Ok(None),
    }))
}

/// Returns the elements of a result, before any of them is made.
fn room(shape: &[usize]) -> Result<usize, String> {
    let count = elements(shape).filter(|it| *it <= MAX_ELEMENTS);
    count.ok_or_else(|| format!("a result of the shape {shape:?} has too many elements"))
}

/// Copies some of the texts, where they are not too long together.
fn texts(from: &[String], places: impl Iterator<Item = usize> + Clone) -> Result<Data, String> {
    let length = places.clone().try_fold(0_usize, |sum, at| sum.checked_add(from[at].len()));
    match length.is_some_and(|it| it <= MAX_TEXT_BYTES) {
        true => Ok(Data::Text(places.map(|at| from[at].clone()).collect())),
        false => Err("the texts of a result are too long together".into()),
    }
}

/// Returns rows, columns and the numbers of a table, as f32 (the domain `ai.onnx.ml` computes in it).
fn table(tensor: &Tensor) -> Result<(usize, usize, Vec<f32>), String> {
    let (rows, columns) = tensor.rows().ok_or_else(|| format!("the shape {:?} is no table", tensor.shape()))?;
    let numbers = match tensor.data() {
        Data::F32(it) => it.clone(),
        Data::F64(it) => it.iter().map(|it| *it as f32).collect(),
        Data::I32(it) => it.iter().map(|it| *it as f32).collect(),
        Data::I64(it) => it.iter().map(|it| *it as f32).collect(),
        Data::Bool(_) | Data::Text(_) => return Err("it holds no numbers".into()),
    };
    Ok((rows, columns, numbers))
}
