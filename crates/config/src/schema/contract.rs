//! `routes.NAME.input` and `.output`: what an `oip` route takes and gives, whichever tier answers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{scalar::Duration, value::Value};

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
    /// What inputs were like when all was well: a file that `evenkeel profile` wrote. `guards` hold each request against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
    /// Features that are computed of others before a request is held against the reference, by name, each in CEL over the features
    /// and columns of the request: `{amount_log: "log1p(amount)"}`. No tier sees them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) derive: BTreeMap<String, String>,
    /// How the text of a chat, the last message of its user, is held against the reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<Text>,
}

/// How the text of a chat is held against the reference, whose only input it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "InputText")]
pub(crate) struct Text {
    /// The form of Unicode that a text is brought to before it is held against the reference.
    pub(crate) unicode: Unicode,
    /// Who says what a text means, for the guard `distance`: the model that the reference was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) embeddings: Option<Encoder>,
}

/// Who says what a text means. A request that may go to some regions only is not sent there.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TextEmbeddings")]
pub(crate) struct Encoder {
    /// The upstream that runs the model.
    pub(crate) upstream: String,
    /// Its name there, which is that of the reference.
    pub(crate) model: String,
    /// How long the answer may take, never more than half of what is left to the request; after that nobody has said what the text means, and
    /// the guard has not measured it.
    #[serde(default = "short")]
    pub(crate) timeout: Duration,
}

fn short() -> Duration {
    Duration(300_000_000)
}

/// The form of Unicode that a text is brought to before it is held against the reference; of a text above 64 KiB it stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unicode {
    /// As it came.
    #[default]
    AsItIs,
    /// Composed: one form for what looks the same (NFC).
    Nfc,
    /// Composed, and one form for what means about the same: full-width digits, ligatures (NFKC).
    Nfkc,
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
    /// What a client writes where there is no value: a word, a number, or, for a float, `nan`, which in JSON is also `null`. It is
    /// accepted beside all others, goes to the tiers as it is, and counts as missing where the input is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missing: Option<Value>,
    /// In what clients measure it; where the reference measures in another unit of the same kind (`km` and `m`), it is converted
    /// before it is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// The form of Unicode that a category or a text is brought to before it is held against the reference.
    #[serde(default, skip_serializing_if = "Unicode::is_default")]
    pub(crate) unicode: Unicode,
}

impl Unicode {
    /// Says whether texts stay as they came.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::AsItIs
    }
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
