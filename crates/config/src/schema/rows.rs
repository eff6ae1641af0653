//! `rows`: when bad rows of a batch move it to the tiers below (OIP-35).

use std::borrow::Cow;

use evenkeel_core::{Permille, RowRule};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::scalar::Ratio;

/// What it is for.
const ABOUT: &str = "When bad rows of a batch move it to the tiers below: any, all, {fraction: 0.2}, or split, where the \
                     bad ones move and the others stay.";

/// When bad rows move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rows {
    /// One is enough.
    #[default]
    Any,
    /// Where all are bad.
    All,
    /// The bad ones move, the others stay.
    Split,
    /// Where at least this share is bad.
    Fraction(Ratio),
}

impl Rows {
    /// Returns the rule as the core has it.
    pub(crate) const fn in_core(self) -> RowRule {
        match self {
            Self::Any => RowRule::Any,
            Self::All => RowRule::All,
            Self::Split => RowRule::Split,
            Self::Fraction(share) => RowRule::Share(Permille::new(share.0)),
        }
    }

    /// Returns the word of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::All => "all",
            Self::Split => "split",
            Self::Fraction(_) => "fraction",
        }
    }
}

impl JsonSchema for Rows {
    fn schema_name() -> Cow<'static, str> {
        "Rows".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let share = json_schema!({
            "type": "number", "minimum": 0.001, "maximum": 1, "multipleOf": 0.001,
            "description": "All rows move where at least this share is bad.",
        });
        json_schema!({
            "description": ABOUT,
            "anyOf": [
                {"type": "string", "enum": ["any", "all", "split"]},
                {"type": "object", "properties": {"fraction": share}, "required": ["fraction"], "additionalProperties": false},
            ],
        })
    }
}
