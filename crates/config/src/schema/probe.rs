//! `upstreams.NAME.probe`: how replicas are asked whether they are ready (`failures.md`, section 8).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::scalar::Duration;

/// How the replicas of an upstream are asked whether they are ready, or that they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Probe {
    /// They are not asked.
    Not(Off),
    /// They are.
    Asked(Asked),
}

/// The word for not asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Off {
    /// They are not asked.
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
