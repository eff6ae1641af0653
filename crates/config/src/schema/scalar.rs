//! Values with a unit: durations, ratios, sizes. Each has one text form, checked in one place.

use std::{borrow::Cow, fmt};

use evenkeel_core::Nanos;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{decisions::input_log, first_token::first_token};

/// Units of a duration, longest first.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The longest duration that makes sense in a configuration.
const LONGEST: u64 = 366 * UNITS[0].1;

/// Why a text is not a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misread {
    /// What is wrong with it.
    pub(crate) message: String,
    /// How to mend it; none where an example says it best.
    pub(crate) hint: Option<&'static str>,
}

impl Misread {
    /// It is written as no value is.
    fn form(message: String) -> Self {
        Self { message, hint: None }
    }

    /// It is less or more than a value may be.
    fn range(message: String, hint: &'static str) -> Self {
        Self { message, hint: Some(hint) }
    }
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Checks a text against the format that the schema names; unknown formats accept everything.
pub(crate) fn check_format(format: &str, text: &str) -> Result<(), Misread> {
    match format {
        "duration" => duration(text).map(drop),
        "size" => size(text).map(drop),
        "limit" => limit(text).map(drop),
        "first_token" => first_token(text).map(drop),
        "input_log" => input_log(text).map(drop),
        _ => Ok(()),
    }
}

/// Returns a text of a format as its number, of nanoseconds or bytes; none for formats that are words.
pub(crate) fn in_units(format: &str, text: &str) -> Option<u64> {
    match format {
        "duration" | "first_token" => duration(text).ok(),
        "size" | "input_log" => size(text).ok(),
        _ => None,
    }
}

/// Reads `250ms`, `1.5s`, `10m`.
pub(super) fn duration(text: &str) -> Result<u64, Misread> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || {
        Misread::form(format!("`{text}` is not a duration: write a number and ns, us, ms, s, m, h or d, such as 250ms"))
    };
    let unit = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let digits = u32::try_from(fraction.len()).ok().filter(|n| (1..=9).contains(n)).ok_or_else(wrong)?;
    let fraction: u64 = fraction.parse().map_err(|_| wrong())?;
    let part = u128::from(fraction) * u128::from(unit) / u128::from(10u64.pow(digits));
    let nanos = u128::from(whole) * u128::from(unit) + part;
    match u64::try_from(nanos) {
        Ok(0) => Err(Misread::range(format!("`{text}` is no time at all"), "write how long at least, such as 1ms")),
        Ok(nanos) if nanos <= LONGEST => Ok(nanos),
        _ => Err(Misread::range(format!("`{text}` is longer than 366d"), "write 366d or less")),
    }
}

/// Reads `16MiB`, `64KiB`, `1GiB`, `512B`.
pub(super) fn size(text: &str) -> Result<u64, Misread> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong =
        || Misread::form(format!("`{text}` is not a size: write a whole number and B, KiB, MiB or GiB, such as 16MiB"));
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    match number.checked_shl(shift).filter(|bytes| bytes >> shift == number) {
        Some(0) => Err(Misread::range(format!("`{text}` holds nothing"), "write 1B or more")),
        Some(bytes) if bytes <= 1 << 40 => Ok(bytes),
        _ => Err(Misread::range(format!("`{text}` is more than 1024GiB"), "write 1024GiB or less")),
    }
}

macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident, $format:literal, $example:literal, $parse:ident, $write:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(from)?;
                $parse(&text).map(Self).map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&$write(self.0))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format, "examples": [$example] })
            }
        }
    };
}

scalar!(
    /// A length of time in nanoseconds, written `250ms`.
    Duration,
    "duration",
    "250ms",
    duration,
    write_duration
);
scalar!(
    /// A number of bytes, written `16MiB`.
    Size,
    "size",
    "16MiB",
    size,
    write_size
);

impl Duration {
    /// Returns the nanoseconds.
    pub const fn nanos(self) -> Nanos {
        self.0
    }

    /// Makes one of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000_000_000)
    }
}

fn write_duration(nanos: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit)| nanos.is_multiple_of(*unit)).expect("every number is a multiple of one");
    format!("{}{}", nanos / unit.1, unit.0)
}

fn write_size(bytes: u64) -> String {
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)].into_iter().find(|it| bytes.is_multiple_of(1 << it.1));
    let (name, shift) = unit.expect("every number is a multiple of one");
    format!("{}{name}", bytes >> shift)
}

/// The most that a limit may be.
const LARGEST: u64 = 1_000_000;

/// How much work a model may have at once at a replica: what it shows by pushing back, or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Limit {
    /// As much as comes, until the server pushes back.
    #[default]
    Auto,
    /// So much, in weights of F-080.
    Fixed(u64),
}

/// Reads `auto` or a whole number.
fn limit(text: &str) -> Result<Limit, Misread> {
    let number = text.parse().ok().filter(|number| (1..=LARGEST).contains(number)).map(Limit::Fixed);
    let wrong = || Misread::form(format!("`{text}` is not a limit: write auto, or a whole number from 1 to {LARGEST}"));
    if text == "auto" { Ok(Limit::Auto) } else { number.ok_or_else(wrong) }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        limit(&text).map_err(D::Error::custom)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Fixed(limit) => to.serialize_u64(*limit),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "format": "limit", "minimum": 1, "maximum": LARGEST, "examples": ["auto", 16] })
    }
}

/// A share from 0 to 1, kept in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub u16);

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let share = f64::deserialize(from)?;
        match (0.0..=1.0).contains(&share) {
            true => Ok(Self((share * 1_000.0).round() as u16)),
            false => Err(D::Error::custom(format!("{share} is not a share from 0 to 1"))),
        }
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(f64::from(self.0) / 1_000.0)
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> Cow<'static, str> {
        "Ratio".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.001 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_081_a_limit_is_a_word_or_a_number() {
        for (text, read) in [("auto", Limit::Auto), ("1", Limit::Fixed(1)), ("1000000", Limit::Fixed(1_000_000))] {
            assert_eq!(limit(text), Ok(read), "{text}");
        }
        for wrong in ["", "0", "-1", "1.5", "1000001", "none", "Auto", "99999999999999999999"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_are_read_exactly_and_written_shortest() {
        for (text, nanos) in [("250ms", 250_000_000), ("1.5s", 1_500_000_000), ("2m", 120_000_000_000), ("1ns", 1)] {
            assert_eq!(duration(text), Ok(nanos), "{text}");
            assert_eq!(duration(&write_duration(nanos)), Ok(nanos));
        }
        for wrong in ["", "5", "5 s", "-5s", "0s", "1e3s", "NaNs", "400d", "99999999999999999999s", "5sec"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!((size("16MiB"), write_size(16 << 20)), (Ok(16 << 20), "16MiB".into()));
        for wrong in ["16", "16MB", "0B", "1.5MiB", "99999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
