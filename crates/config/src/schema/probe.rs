//! `upstreams.NAME.probe`: how replicas are asked whether they are ready (`failures.md`, section 8).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::scalar::Duration;

/// How the replicas of an upstream are asked whether they are ready, or that they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// They are not asked.
    Not(Off),
    /// They are.
    Asked(Asked),
}

/// The word for what is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Off {
    /// It is not done.
    Off,
}

/// When replicas are asked, and for how long they are listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// From one probe to the next, about; at least `100ms`.
    #[serde(default = "every")]
    pub(crate) every: Duration,
    /// How long an answer may take before the replica counts as busy.
    #[serde(default = "timeout")]
    pub(crate) timeout: Duration,
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its shape, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::Asked),
            false => serde_json::from_value(value).map(Self::Not),
        };
        read.map_err(D::Error::custom)
    }
}

impl Serialize for Probe {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Not(off) => off.serialize(to),
            Self::Asked(asked) => asked.serialize(to),
        }
    }
}

impl JsonSchema for Probe {
    fn schema_name() -> Cow<'static, str> {
        "Probe".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (off, asked) = (generator.subschema_for::<Off>(), generator.subschema_for::<Asked>());
        json_schema!({
            "description": "How the replicas of an upstream are asked whether they are ready, or that they are not.",
            "anyOf": [off, asked],
        })
    }
}

impl Default for Probe {
    fn default() -> Self {
        Self::Asked(Asked { every: every(), timeout: timeout() })
    }
}

impl Probe {
    /// Returns when they are asked; none where they are not.
    pub(crate) fn asked(self) -> Option<Asked> {
        match self {
            Self::Not(Off::Off) => None,
            Self::Asked(asked) => Some(asked),
        }
    }
}

fn every() -> Duration {
    Duration::seconds(10)
}

fn timeout() -> Duration {
    Duration::seconds(2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn f_111_it_is_written_as_it_is_read_a_word_or_two_times() {
        for value in [json!("off"), json!({"every": "7s", "timeout": "3s"})] {
            let probe: Probe = serde_json::from_value(value.clone()).expect("a probe");
            assert_eq!(serde_json::to_value(probe).expect("it can be written"), value);
        }
        let schema = schemars::schema_for!(Probe).to_value();
        assert_eq!(schema["anyOf"], json!([{"$ref": "#/$defs/Off"}, {"$ref": "#/$defs/Asked"}]));
    }
}
