//! Single values of any type: what rules compare and answer, and what a `fixed` tier repeats.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A single value, as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number with a fraction; never NaN nor infinite.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
}

impl Value {
    /// Returns it as a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(it) => Some(*it as f64),
            Self::Float(it) => Some(*it),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }

    /// Returns the bytes that it takes as an element of a tensor, at most: the datatype may be narrower.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64 + 4,
            Self::Int(_) | Self::Float(_) | Self::Bool(_) => 8,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(it) => it.fmt(f),
            Self::Float(it) => it.fmt(f),
            Self::Bool(it) => it.fmt(f),
            Self::Text(it) => write!(f, "\"{it}\""),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(from)? {
            serde_json::Value::Bool(it) => Ok(Self::Bool(it)),
            serde_json::Value::String(it) => Ok(Self::Text(it)),
            serde_json::Value::Number(it) => match (it.as_i64(), it.as_f64()) {
                (Some(it), _) => Ok(Self::Int(it)),
                (None, Some(it)) => Ok(Self::Float(it)),
                (None, None) => Err(D::Error::custom("the number is out of range")),
            },
            _ => Err(D::Error::custom("expected a single value")),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(it) => to.serialize_i64(*it),
            Self::Float(it) => to.serialize_f64(*it),
            Self::Bool(it) => to.serialize_bool(*it),
            Self::Text(it) => to.serialize_str(it),
        }
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "boolean", "string"] })
    }
}
