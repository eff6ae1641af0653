//! `decisions`: what is kept of requests on disk (`governance.md`, section 12).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    probe::Off,
    scalar::{Duration, Misread, Ratio, Size, size},
};

/// The word for no log of inputs.
const OFF: &str = "off";

/// What is kept of requests on disk, below `server.data_dir`; or that nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decisions {
    /// Nothing is kept there.
    Not(Off),
    /// Something of every request is.
    Kept(Kept),
}

/// How much of requests is kept on disk, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kept {
    /// The share of ordinary requests whose record is kept whole, drawn by the request's own bits; of the others a line is
    /// kept. Whole in any case: what another tier than the first answered, what was refused or ended in an error, and what its
    /// client wants explained (`evenkeel-explain: full`).
    pub sample: Ratio,
    /// The most that waits on disk for whoever reads it; what comes beyond that is not kept, and counted.
    pub spool: Size,
    /// How long a file is kept that everybody has read who reads them.
    pub keep: Duration,
    /// The most that the log of inputs has on disk, from which `evenkeel replay` makes every decision again; `off` writes none.
    /// One that was `off` begins at the next start of the process.
    pub inputs: InputLog,
}

/// How much is kept of what enters the core, or that nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputLog {
    /// Nothing is.
    Off,
    /// So many bytes at most.
    Most(Size),
}

impl InputLog {
    /// Returns how many bytes are kept at most; none where nothing is.
    pub const fn most(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::Most(size) => Some(size.0),
        }
    }
}

impl Default for Kept {
    fn default() -> Self {
        let (keep, inputs) = (Duration::seconds(183 * 86_400), InputLog::Most(Size(1 << 30)));
        Self { sample: Ratio(1_000), spool: Size(1 << 30), keep, inputs }
    }
}

impl Default for Decisions {
    fn default() -> Self {
        Self::Kept(Kept::default())
    }
}

impl Decisions {
    /// Returns how much is kept; none where nothing is.
    pub(crate) fn kept(self) -> Option<Kept> {
        match self {
            Self::Not(Off::Off) => None,
            Self::Kept(kept) => Some(kept),
        }
    }
}

impl<'de> Deserialize<'de> for Decisions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // By its shape, so that a message is about what was written.
        let value = serde_json::Value::deserialize(from)?;
        let read = match value.is_object() {
            true => serde_json::from_value(value).map(Self::Kept),
            false => serde_json::from_value(value).map(Self::Not),
        };
        read.map_err(D::Error::custom)
    }
}

impl Serialize for Decisions {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Not(off) => off.serialize(to),
            Self::Kept(kept) => kept.serialize(to),
        }
    }
}

/// Reads `off` or a size.
pub(super) fn input_log(text: &str) -> Result<InputLog, Misread> {
    match text {
        OFF => Ok(InputLog::Off),
        text => size(text).map(|most| InputLog::Most(Size(most))),
    }
}

impl<'de> Deserialize<'de> for InputLog {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        input_log(&text).map_err(D::Error::custom)
    }
}

impl Serialize for InputLog {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => to.serialize_str(OFF),
            Self::Most(size) => size.serialize(to),
        }
    }
}

impl JsonSchema for InputLog {
    fn schema_name() -> Cow<'static, str> {
        "InputLog".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "input_log", "examples": [OFF, "1GiB"] })
    }
}

impl JsonSchema for Decisions {
    fn schema_name() -> Cow<'static, str> {
        "Decisions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (off, kept) = (generator.subschema_for::<Off>(), generator.subschema_for::<Kept>());
        json_schema!({
            "description": "What is kept of requests on disk, below `server.data_dir`; or that nothing is.",
            "anyOf": [off, kept],
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn g_112_it_is_written_as_it_is_read_a_word_or_its_bounds() {
        let kept = |inputs: &str| json!({"sample": 0.25, "spool": "16MiB", "keep": "30d", "inputs": inputs});
        for value in [json!("off"), kept("off"), kept("64MiB")] {
            let decisions: Decisions = serde_json::from_value(value.clone()).expect("it is one");
            assert_eq!(serde_json::to_value(decisions).expect("it can be written"), value);
        }
        assert_eq!(Decisions::default().kept(), Some(Kept::default()));
        assert_eq!(serde_json::from_value::<Decisions>(json!("off")).expect("a word").kept(), None);
        assert!(serde_json::from_value::<Decisions>(json!("on")).is_err());
        assert!(serde_json::from_value::<Decisions>(json!({"inputs": "on"})).is_err());
    }
}
