//! `routes.NAME.commit`: what a stream must have said before any of it is sent.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The most characters that can be held; four bytes each, they fit into what is held of a stream.
const MOST: u32 = 16_384;

/// What a stream must have said before any of it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Commit {
    /// The first piece of content.
    #[default]
    FirstContent,
    /// All of it, to its verified end.
    Full,
    /// So many characters of content.
    NChars(u32),
}

impl JsonSchema for Commit {
    fn schema_name() -> Cow<'static, str> {
        "Commit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({
            "type": "integer", "minimum": 1, "maximum": MOST, "description": "So many characters of content.",
        });
        json_schema!({
            "description": "What a stream must have said before any of it is sent.",
            "anyOf": [
                {"type": "string", "enum": ["first_content", "full"]},
                {"type": "object", "properties": {"n_chars": number}, "required": ["n_chars"], "additionalProperties": false},
            ],
        })
    }
}
