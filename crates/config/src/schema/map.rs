//! `routes.NAME.tiers[].map`: how the outputs of a route are made of what one of its tiers answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{contract::Datatype, tensor::FixedOutput};

/// How an output of the route is made: of one that the tier gives, in the order of these keys, or of nothing (`default`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MappedOutput {
    /// What the tier calls it; by default as the route does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Which column of its last axis is taken, from 0: of `[n, 2]` remains `[n]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub(crate) column: Option<u32>,
    /// The type that it is converted to, which is that of the route's `output`; without it, its type is not changed. A value
    /// that the type cannot hold is a failure of the tier: nothing wraps, and whole numbers become floats up to 2^53 (FP32:
    /// 2^24) only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datatype: Option<Datatype>,
    /// Whether fractions may become whole numbers, or places among `labels`: the nearest, of two the even one.
    #[serde(default)]
    pub(crate) round: bool,
    /// The dimensions that it gets, of as many elements; −1 in the first place is what remains. `[n, 1]` for `[n]`, and the
    /// other way round, need not be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub(crate) shape: Option<Vec<i64>>,
    /// The words that whole numbers stand for, from 0; the output is BYTES.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub(crate) labels: Vec<String>,
    /// What is answered where the tier has no such output: a value that is repeated for each row, or a whole tensor. No
    /// other key stands beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<FixedOutput>,
}

impl MappedOutput {
    /// Returns the output of the tier that it is made of, by the name that the route has for it; none for a default.
    pub(crate) fn source<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.default.is_none().then(|| self.from.as_deref().unwrap_or(name))
    }

    /// Says whether something is done to the output that is picked.
    pub(crate) fn has_steps(&self) -> bool {
        let Self { from: _, column, datatype, round, shape, labels, default: _ } = self;
        column.is_some() || datatype.is_some() || *round || shape.is_some() || !labels.is_empty()
    }
}
