//! Operators: what a node of a graph computes, and the registry of those that are offered.

mod broadcast;
mod category;
mod element;
mod extract;
mod impute;
mod keys;
mod labels;
mod linear;
mod map;
mod plain;
mod product;
mod reduce;
mod scale;
mod shape;
mod svm;
mod tree;
mod vectorize;

use std::{fmt::Debug, ops::RangeInclusive};

use labels::Labels;

use crate::{
    attribute::Attributes,
    extent::Extent,
    proto::NodeProto,
    tensor::{Data, Tensor, elements},
};

/// Elements of a result, at most: 128 MiB of f64. A file cannot say how many rows come, but neither can rows be many and
/// wide at once.
const MAX_ELEMENTS: usize = 1 << 24;
/// Bytes of the texts of a result, at most.
const MAX_TEXT_BYTES: usize = 1 << 27;
/// Multiplications of one node, at most: some seconds. Two constants of a small file make more of them than anyone waits for.
const MAX_PRODUCTS: usize = 1 << 32;

/// What a node computes.
pub(crate) trait Operator: Debug + Send + Sync {
    /// Computes the outputs, in order.
    ///
    /// # Errors
    /// The inputs are not what it takes, in words.
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String>;

    /// Says how each output stands to the rows, where not all inputs are fixed (EXTENT-1).
    fn extent(&self, inputs: &[Extent]) -> Vec<Extent>;
}

/// An operator, and how many values it reads and writes.
pub(crate) struct Built {
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) reads: RangeInclusive<usize>,
    pub(crate) writes: usize,
    /// What it reads is a map: its keys and its values.
    pub(crate) of_map: bool,
}

impl Built {
    fn new(operator: impl Operator + 'static, reads: usize, writes: usize) -> Self {
        Self::reading(operator, reads..=reads, writes)
    }

    fn reading(operator: impl Operator + 'static, reads: RangeInclusive<usize>, writes: usize) -> Self {
        Self { operator: Box::new(operator), reads, writes, of_map: false }
    }

    fn of_map(operator: impl Operator + 'static) -> Self {
        Self { of_map: true, ..Self::new(operator, 1, 1) }
    }
}

/// The names of the domain of plain operators: the specification's, and one that some exporters write.
pub(crate) const PLAIN: [&str; 2] = ["", "ai.onnx"];
/// The domain of what is not neural.
pub(crate) const ML: &str = "ai.onnx.ml";

/// Makes the operator of a node, of a version of its domain; none where it is not offered.
///
/// # Errors
/// Its attributes contradict one another, in words.
pub(crate) fn build(node: &NodeProto, version: i64) -> Result<Option<Built>, String> {
    let attributes = Attributes::of(node);
    if attributes.is_given("broadcast") {
        return Err("`broadcast` is of operators before version 7, which are not offered".into());
    }
    let (domain, name) = (node.domain.as_str(), node.op_type.as_str());
    match PLAIN.contains(&domain) {
        true => plain(name, attributes, version),
        false if domain == ML => learned(name, attributes, version),
        false => Ok(None),
    }
}

/// Operators of `ai.onnx.ml`.
fn learned(name: &str, attributes: Attributes<'_>, version: i64) -> Result<Option<Built>, String> {
    Ok(Some(match name {
        "TreeEnsembleClassifier" => Built::new(tree::Classifier::new(attributes)?, 1, 2),
        "TreeEnsembleRegressor" => Built::new(tree::Regressor::new(attributes)?, 1, 1),
        "TreeEnsemble" => Built::new(tree::ensemble(attributes)?, 1, 1),
        "LinearClassifier" => Built::new(linear::Classifier::new(attributes)?, 1, 2),
        "LinearRegressor" => Built::new(linear::Regressor::new(attributes)?, 1, 1),
        "SVMClassifier" => Built::new(svm::Classifier::new(attributes)?, 1, 2),
        "SVMRegressor" => Built::new(svm::Regressor::new(attributes)?, 1, 1),
        "Scaler" => Built::new(scale::Scaler::new(attributes), 1, 1),
        "Normalizer" => Built::new(scale::Normalizer::new(attributes)?, 1, 1),
        "Imputer" => Built::new(impute::Imputer::new(attributes)?, 1, 1),
        "Binarizer" => Built::new(impute::Binarizer::new(attributes), 1, 1),
        "OneHotEncoder" => Built::new(category::OneHotEncoder::new(attributes)?, 1, 1),
        "LabelEncoder" => Built::new(category::Lookup::labels(attributes, version)?, 1, 1),
        "CategoryMapper" => Built::new(category::Lookup::categories(attributes)?, 1, 1),
        "FeatureVectorizer" => {
            let operator = vectorize::FeatureVectorizer::new(attributes)?;
            let reads = operator.inputs();
            Built::reading(operator, reads, 1)
        }
        "ArrayFeatureExtractor" => Built::new(extract::ArrayFeatureExtractor, 2, 1),
        "DictVectorizer" => Built::of_map(map::DictVectorizer::new(attributes)?),
        "CastMap" => Built::of_map(map::CastMap::new(attributes)?),
        // What it zips, a list of maps, is no tensor: the probabilities go on as they are.
        "ZipMap" => Built::new(plain::Identity, 1, 1),
        _ => return Ok(None),
    }))
}

/// Operators of `ai.onnx` that stand around those.
fn plain(name: &str, attributes: Attributes<'_>, version: i64) -> Result<Option<Built>, String> {
    use element::{Comparison, Logic, Unary};
    use plain::Arithmetic;
    /// As many inputs as there is room for.
    const ANY: RangeInclusive<usize> = 1..=1_024;
    Ok(Some(match name {
        "Identity" => Built::new(plain::Identity, 1, 1),
        "Cast" => Built::new(plain::Cast::new(attributes)?, 1, 1),
        "Add" => Built::new(Arithmetic::Add, 2, 1),
        "Sub" => Built::new(Arithmetic::Sub, 2, 1),
        "Mul" => Built::new(Arithmetic::Mul, 2, 1),
        "Div" => Built::new(Arithmetic::Div, 2, 1),
        "Sum" => Built::reading(plain::Sum, ANY, 1),
        "Pow" => Built::new(element::Pow, 2, 1),
        "Neg" => Built::new(Unary::Neg, 1, 1),
        "Abs" => Built::new(Unary::Abs, 1, 1),
        "Sqrt" => Built::new(Unary::Sqrt, 1, 1),
        "Log" => Built::new(Unary::Log, 1, 1),
        "Exp" => Built::new(Unary::Exp, 1, 1),
        "Sigmoid" => Built::new(Unary::Sigmoid, 1, 1),
        "Relu" => Built::new(Unary::Relu, 1, 1),
        "Sign" => Built::new(Unary::Sign, 1, 1),
        "Less" => Built::new(Comparison::Less, 2, 1),
        "Greater" => Built::new(Comparison::Greater, 2, 1),
        "Equal" => Built::new(Comparison::Equal, 2, 1),
        "Not" => Built::new(element::Not, 1, 1),
        "And" => Built::new(Logic::And, 2, 1),
        "Or" => Built::new(Logic::Or, 2, 1),
        "Where" => Built::new(element::Where, 3, 1),
        "Reshape" => Built::new(shape::Reshape::new(attributes), 2, 1),
        "Concat" => Built::reading(shape::Concat::new(attributes)?, ANY, 1),
        "Gather" => Built::new(shape::Gather::new(attributes), 2, 1),
        "ArgMax" => Built::new(reduce::ArgMax::new(attributes), 1, 1),
        "ReduceSum" => Built::reading(reduce::ReduceSum::new(attributes), 1..=if version < 13 { 1 } else { 2 }, 1),
        "Softmax" => Built::new(reduce::Softmax::new(attributes, version), 1, 1),
        "MatMul" => Built::new(product::MatMul, 2, 1),
        "Gemm" => Built::reading(product::Gemm::new(attributes), 2..=3, 1),
        _ => return Ok(None),
    }))
}

/// Returns the elements of a result, before any of them is made.
fn room(shape: &[usize]) -> Result<usize, String> {
    let count = elements(shape).filter(|it| *it <= MAX_ELEMENTS);
    count.ok_or_else(|| format!("a result of the shape {shape:?} has too many elements"))
}

/// Refuses sums of products that nobody would wait for.
fn products(factors: [usize; 3]) -> Result<(), String> {
    let count = elements(&factors).filter(|it| *it <= MAX_PRODUCTS);
    count.map(|_| ()).ok_or_else(|| format!("{factors:?} multiplications are too many"))
}

/// Copies some of the texts, where they are not too long together.
fn texts(from: &[String], places: impl Iterator<Item = usize> + Clone) -> Result<Data, String> {
    let length = places.clone().try_fold(0_usize, |sum, at| sum.checked_add(from[at].len()));
    match length.is_some_and(|it| it <= MAX_TEXT_BYTES) {
        true => Ok(Data::Text(places.map(|at| from[at].clone()).collect())),
        false => Err("the texts of a result are too long together".into()),
    }
}

/// Copies some of the elements.
fn pick(from: &Data, places: impl Iterator<Item = usize> + Clone) -> Result<Data, String> {
    Ok(match from {
        Data::F32(it) => Data::F32(places.map(|at| it[at]).collect()),
        Data::F64(it) => Data::F64(places.map(|at| it[at]).collect()),
        Data::I32(it) => Data::I32(places.map(|at| it[at]).collect()),
        Data::I64(it) => Data::I64(places.map(|at| it[at]).collect()),
        Data::Bool(it) => Data::Bool(places.map(|at| it[at]).collect()),
        Data::Text(it) => texts(it, places)?,
    })
}

/// Finds an axis, which may count from the end.
fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let place = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let place = place.and_then(|it| usize::try_from(it).ok()).filter(|it| *it < rank);
    place.ok_or_else(|| format!("there is no axis {axis} among {rank}"))
}

/// Makes a result of a shape that its elements were counted by.
fn made(shape: Vec<usize>, data: Data) -> Result<Vec<Tensor>, String> {
    Tensor::new(shape, data).map(|it| vec![it]).map_err(|misfit| misfit.to_string())
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
