//! What an `oip` route takes and gives, as the gateway holds requests and answers against it.

use crate::{
    outside::Outside,
    schema::{
        contract::{self, Datatype, FeatureKind, NonFinite, one_a_row},
        route::Route,
        tensor::FixedOutput,
        value::Value,
    },
};

/// What a route takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The one `[n, k]` FP32 tensor whose columns the features are; without it, each feature is a tensor of its own.
    pub tensor: Option<String>,
    /// In the order of the columns; tensors of their own are sorted by name.
    pub features: Vec<Feature>,
    /// Tensors of any shape, sorted by name.
    pub tensors: Vec<InputTensor>,
}

/// A tensor of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct InputTensor {
    /// The name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its dimensions; −1 is any number, and in the first place that of the rows.
    pub shape: Vec<i64>,
    /// The least value that is accepted, as its elements hold it.
    pub min: Option<f64>,
    /// The greatest value that is accepted, as its elements hold it.
    pub max: Option<f64>,
    /// The texts that are accepted, sorted; any, where there is none.
    pub categories: Vec<String>,
    /// Whether a request without it is refused.
    pub required: bool,
}

/// A feature: one value a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// The name.
    pub name: String,
    /// What its values are.
    pub kind: FeatureKind,
    /// The least value that is accepted; NaN is not at least anything.
    pub min: Option<f64>,
    /// The greatest value that is accepted.
    pub max: Option<f64>,
    /// The words that are accepted, sorted; any, where there is none.
    pub categories: Vec<String>,
    /// Whether a request without it is refused.
    pub required: bool,
    /// What a client writes where there is no value.
    pub missing: Option<Absent>,
}

/// What a client writes where there is no value of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Absent {
    /// NaN.
    Nan,
    /// A number, as FP32 and FP64 hold it.
    Number([f64; 2]),
    /// A text.
    Text(String),
}

impl Absent {
    /// Returns what is written; none where it is nothing that a feature of this kind could be.
    pub(crate) fn of(value: &Value, kind: FeatureKind) -> Option<Self> {
        match (value, kind) {
            (Value::Text(word), FeatureKind::Float) if word == "nan" => Some(Self::Nan),
            (Value::Text(word), FeatureKind::Category | FeatureKind::String) => Some(Self::Text(word.clone())),
            (Value::Int(_), FeatureKind::Int) | (Value::Int(_) | Value::Float(_), FeatureKind::Float) => {
                let number = value.number()?;
                Some(Self::Number([Datatype::Fp32.holds(number), number]))
            }
            _ => None,
        }
    }

    /// Says whether a number is it.
    pub fn is_number(&self, number: f64) -> bool {
        match self {
            Self::Nan => number.is_nan(),
            Self::Number(it) => it.contains(&number),
            Self::Text(_) => false,
        }
    }
}

/// What a route gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The tensors, sorted by name; an answer has all of them.
    pub tensors: Vec<OutputTensor>,
    /// Whether NaN and infinite values go to the client.
    pub non_finite: bool,
}

/// A tensor of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputTensor {
    /// The name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its dimensions; −1 in the first place is the number of rows.
    pub shape: Vec<i64>,
    /// The least value that is accepted, as its elements hold it.
    pub min: Option<f64>,
    /// The greatest value that is accepted, as its elements hold it.
    pub max: Option<f64>,
    /// The texts that are accepted, sorted; any, where there is none.
    pub categories: Vec<String>,
}

/// A tensor of a fixed answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedTensor {
    /// The name.
    pub name: String,
    /// The type of its elements.
    pub datatype: Datatype,
    /// Its dimensions; −1 is the number of rows of the request, for which the one element is repeated.
    pub shape: Vec<i64>,
    /// Its elements; each fits the type.
    pub data: Vec<Value>,
}

impl FixedTensor {
    /// Makes what an output becomes that is written down: one value is what the contract says of it, else one element a row.
    pub(crate) fn new(name: &str, output: &FixedOutput, contract: Option<&contract::OutputTensor>) -> Self {
        let (datatype, shape, data) = match output {
            FixedOutput::PerRow(value) => (
                contract.map_or(Datatype::of(value), |it| it.datatype),
                contract.map_or_else(one_a_row, |it| it.shape.clone()),
                vec![value.clone()],
            ),
            FixedOutput::Whole(it) => (it.dtype, it.shape.iter().map(|at| i64::from(*at)).collect(), it.data.clone()),
        };
        Self { name: name.into(), datatype, shape, data }
    }
}

/// Writes a contract in one way: what a sample says of tensors in their place, words of which the order says nothing sorted.
pub(super) fn write_out(route: &mut Route, outside: &Outside) {
    if let Some(input) = &mut route.input {
        if let Some(file) = input.sample.take() {
            input.tensors = outside.sample(&file);
        }
        let features = input.features.values_mut().map(|it| &mut it.categories);
        features.chain(input.tensors.values_mut().map(|it| &mut it.categories)).for_each(|words| words.sort_unstable());
    }
    let outputs = route.output.iter_mut().flat_map(|it| it.tensors.values_mut());
    outputs.for_each(|it| it.categories.sort_unstable());
}

pub(super) fn input(it: &contract::Input) -> Input {
    let feature = |name: &String| {
        let declared = it.features.get(name);
        Feature {
            name: name.clone(),
            kind: declared.map_or(FeatureKind::Float, |it| it.kind),
            min: declared.and_then(|it| it.min),
            max: declared.and_then(|it| it.max),
            categories: declared.map_or_else(Vec::new, |it| it.categories.clone()),
            required: declared.is_none_or(|it| it.required),
            missing: declared.and_then(|it| Absent::of(it.missing.as_ref()?, it.kind)),
        }
    };
    let features = match &it.tensor {
        Some(_) => it.columns.iter().map(feature).collect(),
        None => it.features.keys().map(feature).collect(),
    };
    let tensor = |(name, it): (&String, &contract::InputTensor)| InputTensor {
        name: name.clone(),
        datatype: it.datatype,
        shape: it.shape.clone(),
        min: it.min.map(|bound| it.datatype.holds(bound)),
        max: it.max.map(|bound| it.datatype.holds(bound)),
        categories: it.categories.clone(),
        required: it.required,
    };
    Input { tensor: it.tensor.clone(), features, tensors: it.tensors.iter().map(tensor).collect() }
}

pub(super) fn output(it: &contract::Output) -> Output {
    let tensor = |(name, it): (&String, &contract::OutputTensor)| OutputTensor {
        name: name.clone(),
        datatype: it.datatype,
        shape: it.shape.clone(),
        min: it.min.map(|bound| it.datatype.holds(bound)),
        max: it.max.map(|bound| it.datatype.holds(bound)),
        categories: it.categories.clone(),
    };
    Output { tensors: it.tensors.iter().map(tensor).collect(), non_finite: it.non_finite == NonFinite::Allow }
}
