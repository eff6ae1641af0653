//! Outputs that are written down: a value that is repeated for each row, or a whole tensor.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{contract::Datatype, value::Value};

/// A fixed output as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FixedOutput {
    /// One value, repeated for each row.
    PerRow(Value),
    /// A whole tensor.
    Whole(WholeTensor),
}

/// A whole tensor as written.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WholeTensor {
    /// The type of its elements.
    pub(crate) dtype: Datatype,
    /// Its dimensions.
    #[schemars(length(max = 8))]
    pub(crate) shape: Vec<u32>,
    /// Its elements, the last dimension running fastest.
    #[schemars(length(max = 65_536))]
    pub(crate) data: Vec<Value>,
}

impl<'de> Deserialize<'de> for FixedOutput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::Whole),
            false => serde_json::from_value(value).map(Self::PerRow),
        };
        read.map_err(D::Error::custom)
    }
}

impl Serialize for FixedOutput {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::PerRow(value) => value.serialize(to),
            Self::Whole(tensor) => tensor.serialize(to),
        }
    }
}

impl JsonSchema for FixedOutput {
    fn schema_name() -> Cow<'static, str> {
        "FixedOutput".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (one, whole) = (Value::json_schema(generator), generator.subschema_for::<WholeTensor>());
        json_schema!({
            "description": "A value that is repeated for each row, or a whole tensor.",
            "anyOf": [one, whole],
        })
    }
}
