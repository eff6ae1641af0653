//! Parse: a list of faults from JSON or YAML.
//!
//! It is not lenient: the whole list is right, or none of it is taken.
//!
//! # Invariants
//! - `PARSE-1`: both formats go through one door (`rule`), so they know the same names, types and limits.
//! - `PARSE-2`: a message names the entry, what is wrong and the names that are allowed.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{Fault, On, RetryAfter, Rule};

/// The most that one fault may make the mock hold in memory.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// The most numbers that one fault may make the mock generate at once.
const MAX_COUNT: u32 = 1_000_000;
/// Keys that every entry may have beside the parameters of its fault.
const COMMON: &str = "`fault`, `model`, `share`, `times`, `on` are allowed in every entry";

/// Why a list of faults was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    /// The text is not the format.
    #[error("read the faults: {0}")]
    Syntax(String),
    /// One entry is wrong.
    #[error("take entry {index} of the faults ({name}): {why}")]
    Entry {
        /// Counted from 0, as in the list.
        index: usize,
        /// The fault's name as it was written.
        name: String,
        /// What is wrong, with the names that are allowed.
        why: String,
    },
}

/// Reads a list of faults from JSON.
pub(crate) fn parse_faults_json(text: &[u8]) -> Result<Vec<Rule>, FaultsError> {
    let entries: Vec<Map<String, Value>> = serde_json::from_slice(text)
        .map_err(|error| FaultsError::Syntax(format!("{error}; a list of objects is needed")))?;
    rules(entries)
}

/// Reads a list of faults from YAML; an empty text is an empty list.
///
/// # Errors
/// The text is no YAML list, or an entry has an unknown name, parameter or type.
pub fn parse_faults_yaml(text: &str) -> Result<Vec<Rule>, FaultsError> {
    let entries: Option<Vec<Entry>> =
        serde_saphyr::from_str(text).map_err(|error| FaultsError::Syntax(error.to_string()))?;
    rules(entries.unwrap_or_default().into_iter().map(|Entry(map)| map).collect())
}

fn rules(entries: Vec<Map<String, Value>>) -> Result<Vec<Rule>, FaultsError> {
    let one = |(index, entry): (usize, Map<String, Value>)| {
        let name = entry.get("fault").map_or_else(|| "no `fault`".to_owned(), Value::to_string);
        rule(entry).map_err(|why| FaultsError::Entry { index, name, why })
    };
    entries.into_iter().enumerate().map(one).collect()
}

/// Makes one rule of an entry: takes what every entry may have, the rest are the fault's parameters.
fn rule(mut entry: Map<String, Value>) -> Result<Rule, String> {
    let fault = match entry.remove("fault") {
        Some(Value::String(name)) => name.replace('-', "_"),
        Some(other) => return Err(format!("`fault` must be a name, not {other}")),
        None => return Err("`fault` is missing".to_owned()),
    };
    let model = match entry.remove("model") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => (name != "*").then_some(name),
        Some(other) => return Err(format!("`model` must be a name or `*`, not {other}")),
    };
    let share = match entry.remove("share") {
        None => 1.0,
        Some(value) => value
            .as_f64()
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| format!("`share` must be a number from 0 to 1, not {value}"))?,
    };
    let times = match entry.remove("times") {
        None => None,
        Some(value) => Some(value.as_u64().ok_or_else(|| format!("`times` must be a whole number, not {value}"))?),
    };
    let on = match entry.remove("on") {
        None => On::Work,
        Some(value) => value
            .as_str()
            .and_then(On::parse)
            .ok_or_else(|| format!("`on` must be one of `work`, `probes`, `all`, not {value}"))?,
    };
    let tagged = Value::Object(Map::from_iter([(fault, Value::Object(entry))]));
    let fault: Fault = serde_json::from_value(tagged).map_err(|error| format!("{error}; {COMMON}"))?;
    let rule = Rule { model, fault, share, times, on };
    check(&rule)?;
    Ok(rule)
}

/// Checks what types alone cannot say.
fn check(rule: &Rule) -> Result<(), String> {
    let within = |name: &str, value: u64, low: u64, high: u64| {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        Err(format!("`{name}` must be from {low} to {high}, not {value}"))
    };
    match &rule.fault {
        Fault::Status { status, .. } => within("status", (*status).into(), 200, 599),
        Fault::Redirect { status, .. } => within("status", (*status).into(), 300, 399),
        Fault::SlowDrip { bytes, .. } | Fault::SplitEvents { bytes, .. } => within("bytes", *bytes, 1, MAX_BYTES),
        Fault::HugeLine { bytes, .. } | Fault::HugeHeaders { bytes } => within("bytes", *bytes, 1, MAX_BYTES),
        Fault::Reasoning { tokens, .. } => within("tokens", (*tokens).into(), 1, MAX_COUNT.into()),
        Fault::AfterFinish { events, .. } => within("events", (*events).into(), 0, MAX_COUNT.into()),
        Fault::EmbeddingWidth { width } => within("width", (*width).into(), 0, MAX_COUNT.into()),
        Fault::LatencySpike { every_ms, for_ms, .. } => within("for_ms", *for_ms, 1, *every_ms),
        Fault::LatencyLongTailed { spread, .. } if !(spread.is_finite() && *spread > 0.0) => {
            Err(format!("`spread` must be a number above 0, not {spread}"))
        }
        Fault::Refuse { .. } | Fault::SynSwallowed { .. }
            if rule.model.is_some() || rule.share < 1.0 || rule.times.is_some() =>
        {
            Err("a closed socket knows no model, `share` or `times`: leave them out".to_owned())
        }
        _ => Ok(()),
    }
}

/// One entry of a YAML list. Each value is asked for by the type of its key: YAML alone would guess (`no`, `012`).
struct Entry(Map<String, Value>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fault with its parameters")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entry, M::Error> {
                let mut entry = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    let value = value(&key, &mut map)?;
                    if entry.insert(key.clone(), value).is_some() {
                        return Err(M::Error::custom(format!("`{key}` stands twice")));
                    }
                }
                Ok(Entry(entry))
            }
        }
        from.deserialize_map(Fields)
    }
}

/// Reads the value of a key by its type.
fn value<'de, M: MapAccess<'de>>(key: &str, map: &mut M) -> Result<Value, M::Error> {
    Ok(match key {
        "fault" | "model" | "on" | "shape" | "body" | "type" | "code" | "message" | "location" | "how" | "kind"
        | "reason" | "what" | "line_end" | "content_type" | "name" | "form" | "told" => {
            map.next_value::<String>()?.into()
        }
        "share" | "spread" | "value" | "each" => map.next_value::<f64>()?.into(),
        "role" | "hold" | "reset" | "comments" | "own_body" | "error" => map.next_value::<bool>()?.into(),
        "retry_after_date_s" => map.next_value::<i64>()?.into(),
        "retry_after" => match map.next_value::<RetryAfter>()? {
            RetryAfter::Seconds(seconds) => seconds.into(),
            RetryAfter::Text(text) => text.into(),
        },
        "times" | "ms" | "median_ms" | "max_ms" | "every_ms" | "for_ms" | "close_after_ms" | "retry_after_ms"
        | "status" | "tokens" | "after_tokens" | "at_token" | "events" | "bytes" | "width" | "row" => {
            map.next_value::<u64>()?.into()
        }
        // No fault has it: `rule` refuses it with the names that the entry's fault has.
        _ => {
            map.next_value::<IgnoredAny>()?;
            Value::Null
        }
    })
}
