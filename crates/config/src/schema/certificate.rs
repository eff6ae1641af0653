//! `routes.NAME.certificate`: what is promised of the thresholds of a route, and what follows where that is not kept.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A certificate: its file, or its file and what follows where it is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// Its file alone.
    File(String),
    /// Its file, and more.
    Promise(Promise),
}

/// A certificate, and what follows where it is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Promise {
    /// Its file.
    pub(crate) file: String,
    /// What follows where labels show in service that it is not kept.
    #[serde(default)]
    pub(crate) mode: Mode,
}

/// What follows where labels show in service that a certificate is not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It is void, which is said, and nothing else.
    #[default]
    Observe,
    /// It is void, and the route goes back to the next safer threshold that was certified, after the last of them to the last model
    /// alone, until it has another certificate.
    Enforce,
}

impl Certificate {
    /// Returns its file.
    pub(crate) fn file(&self) -> &String {
        let (Self::File(file) | Self::Promise(Promise { file, .. })) = self;
        file
    }

    /// Returns what follows where it is not kept.
    pub(crate) fn mode(&self) -> Mode {
        match self {
            Self::File(_) => Mode::default(),
            Self::Promise(it) => it.mode,
        }
    }
}

impl<'de> Deserialize<'de> for Certificate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its shape, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::Promise),
            false => serde_json::from_value(value).map(Self::File),
        };
        read.map_err(D::Error::custom)
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File(file) => file.serialize(to),
            Self::Promise(promise) => promise.serialize(to),
        }
    }
}

impl JsonSchema for Certificate {
    fn schema_name() -> Cow<'static, str> {
        "Certificate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (file, promise) = (generator.subschema_for::<String>(), generator.subschema_for::<Promise>());
        json_schema!({
            "description": "A file of `evenkeel tune`, or that file and what follows where its promise is not kept.",
            "anyOf": [file, promise],
        })
    }
}
