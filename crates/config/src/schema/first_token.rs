//! `routes.NAME.tiers[].first_token`: how long the first content of a stream may take (F-022).

use std::borrow::Cow;

use evenkeel_core::Nanos;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::scalar::{Duration, Misread, duration};

/// The word for a clock that is learned.
const AUTO: &str = "auto";

/// How long the first content of a stream may take: what its path has shown, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstToken {
    /// Four times the 95th percentile of prompts of the same length.
    Auto,
    /// So long.
    Fixed(Duration),
}

impl FirstToken {
    /// Returns the shortest time that it may be.
    pub(crate) const fn shortest(self) -> Nanos {
        match self {
            Self::Auto => evenkeel_core::FIRST_CLOCKS[0],
            Self::Fixed(clock) => clock.nanos(),
        }
    }

    /// Returns the longest time that it may be.
    pub(crate) const fn longest(self) -> Nanos {
        match self {
            Self::Auto => evenkeel_core::FIRST_CLOCKS[1],
            Self::Fixed(clock) => clock.nanos(),
        }
    }
}

/// Reads `auto` or a duration.
pub(super) fn first_token(text: &str) -> Result<FirstToken, Misread> {
    if text == AUTO {
        return Ok(FirstToken::Auto);
    }
    let help = |it: Misread| Misread { hint: it.hint.or(Some("for example 4s, or auto")), ..it };
    duration(text).map(Duration).map(FirstToken::Fixed).map_err(help)
}

impl<'de> Deserialize<'de> for FirstToken {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        first_token(&Cow::<'de, str>::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for FirstToken {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str(AUTO),
            Self::Fixed(clock) => clock.serialize(to),
        }
    }
}

impl JsonSchema for FirstToken {
    fn schema_name() -> Cow<'static, str> {
        "FirstToken".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "first_token", "examples": [AUTO, "4s"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_022_a_first_clock_is_a_word_or_a_duration() {
        let fixed = |nanos| FirstToken::Fixed(Duration(nanos));
        for (text, read) in [("auto", FirstToken::Auto), ("4s", fixed(4_000_000_000)), ("250ms", fixed(250_000_000))] {
            assert_eq!(first_token(text), Ok(read), "{text}");
        }
        for wrong in ["", "Auto", "off", "none", "0s", "4", "auto 4s", "367d"] {
            let misread = first_token(wrong).expect_err(wrong);
            assert!(misread.hint.is_some(), "{wrong}");
        }
    }
}
