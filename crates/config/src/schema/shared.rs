//! `shared`: the store in which gateways keep answers together.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A Redis or Valkey in which gateways keep answers together: its address, or its address and more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// Its address alone.
    At(String),
    /// Its address, and more of it.
    Store(Store),
}

/// A store, and whom it may be known by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    /// Its address, as `shared` takes it alone.
    pub(crate) url: String,
    /// A PEM file: the issuers whose certificates a `rediss://` may show, in place of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
}

impl Shared {
    /// Returns its address as it was written; none where gateways keep nothing together.
    pub(crate) fn url(&self) -> Option<&str> {
        let (Self::At(url) | Self::Store(Store { url, .. })) = self;
        Some(url.as_str()).filter(|it| *it != "none")
    }

    /// Returns the file of those who may have issued its certificate.
    pub(crate) fn ca(&self) -> Option<&str> {
        match self {
            Self::At(_) => None,
            Self::Store(store) => store.ca.as_deref(),
        }
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its shape, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::Store),
            false => serde_json::from_value(value).map(Self::At),
        };
        read.map_err(D::Error::custom)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(url) => url.serialize(to),
            Self::Store(store) => store.serialize(to),
        }
    }
}

impl JsonSchema for Shared {
    fn schema_name() -> Cow<'static, str> {
        "Shared".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (at, store) = (generator.subschema_for::<String>(), generator.subschema_for::<Store>());
        json_schema!({
            "description": "A Redis or Valkey in which gateways keep answers together: its address, or its address and more.",
            "anyOf": [at, store],
        })
    }
}
