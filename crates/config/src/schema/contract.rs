//! `routes.NAME.input` and `.output`: what an `oip` route takes and gives, whichever tier answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a route takes: named tensors of one value a row, one tensor of rows and columns, or tensors of any shape.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The name of the one `[n, k]` FP32 tensor that holds all columns; without it, each feature is a tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tensor: Option<String>,
    /// The names of the columns of that tensor, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub(crate) columns: Vec<String>,
    /// What is known of each feature; of columns, only what is to be checked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) features: BTreeMap<String, Feature>,
    /// Tensors of any shape, beside features that are tensors of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tensors: BTreeMap<String, InputTensor>,
    /// A file with a request as clients make it, in JSON: its tensors are what the route takes, with any number of rows.
    /// Exactly one of `sample`, `tensor` with `columns`, and `features` or `tensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<String>,
}

/// A tensor of a request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputTensor {
    /// The type of its elements.
    pub(crate) datatype: Datatype,
    /// Its dimensions; −1 is any number, and in the first place that of the rows, which is the same for all inputs.
    #[serde(default = "one_a_row")]
    #[schemars(length(max = 16))]
    pub(crate) shape: Vec<i64>,
    /// The least value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// The greatest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// The texts that are accepted; without it, any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub(crate) categories: Vec<String>,
    /// Whether a request without it is refused.
    #[serde(default = "required")]
    pub(crate) required: bool,
}

/// What is known of a feature.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Feature {
    /// What its values are.
    #[serde(rename = "type")]
    pub(crate) kind: FeatureKind,
    /// The least value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// The greatest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// The words that are accepted; without it, any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub(crate) categories: Vec<String>,
    /// Whether a request without it is refused; a column is always there.
    #[serde(default = "required")]
    pub(crate) required: bool,
}

/// What the values of a feature are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// Numbers: FP32 or FP64.
    Float,
    /// Whole numbers: any of the INT and UINT types.
    Int,
    /// One word of a known or open set: BYTES.
    Category,
    /// Text: BYTES.
    String,
    /// True or false: BOOL.
    Bool,
}

/// What a route gives.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    /// The tensors of an answer, by name; all of them, from every tier.
    pub(crate) tensors: BTreeMap<String, OutputTensor>,
    /// What NaN and infinite values in an answer do.
    #[serde(default)]
    pub(crate) non_finite: NonFinite,
}

/// A tensor of an answer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputTensor {
    /// The type of its elements.
    pub(crate) datatype: Datatype,
    /// Its dimensions; −1 in the first place is the number of rows.
    #[serde(default = "one_a_row")]
    #[schemars(length(max = 8))]
    pub(crate) shape: Vec<i64>,
    /// The least value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// The greatest value that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// The texts that are accepted; without it, any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub(crate) categories: Vec<String>,
}

/// What NaN and infinite values in an answer do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NonFinite {
    /// They are a failure of the path; the next tier answers.
    #[default]
    Refuse,
    /// They go to the client.
    Allow,
}

/// The type of a tensor's elements. FP16 and BF16 have no form in JSON: they come and go as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are those of the protocol")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    /// Returns the name that goes over the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Bf16 => "BF16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// Says whether its elements are numbers.
    pub const fn is_number(self) -> bool {
        !matches!(self, Self::Bool | Self::Bytes)
    }

    /// Says whether its elements are numbers with a fraction.
    pub(crate) const fn is_float(self) -> bool {
        self.is_number() && self.whole().is_none()
    }

    /// Returns the range of a type of whole numbers.
    pub(crate) const fn whole(self) -> Option<(i128, i128)> {
        match self {
            Self::Uint8 => Some((0, u8::MAX as i128)),
            Self::Uint16 => Some((0, u16::MAX as i128)),
            Self::Uint32 => Some((0, u32::MAX as i128)),
            Self::Uint64 => Some((0, u64::MAX as i128)),
            Self::Int8 => Some((i8::MIN as i128, i8::MAX as i128)),
            Self::Int16 => Some((i16::MIN as i128, i16::MAX as i128)),
            Self::Int32 => Some((i32::MIN as i128, i32::MAX as i128)),
            Self::Int64 => Some((i64::MIN as i128, i64::MAX as i128)),
            Self::Bool | Self::Fp16 | Self::Bf16 | Self::Fp32 | Self::Fp64 | Self::Bytes => None,
        }
    }
}

fn required() -> bool {
    true
}

/// One value a row: what scores and labels are.
pub(crate) fn one_a_row() -> Vec<i64> {
    vec![-1]
}
