//! Json: an answer that has to be JSON of a schema, and what of it is mended.
//!
//! The one place that knows the library of JSON Schema. Mended is what can be without a guess: words and fences around it,
//! slips of syntax, types that convert without loss, unknown fields, missing defaults. A value that is missing, or an end that
//! was cut off, is not invented.
//!
//! # Invariants
//! - `JSON-1`: what comes out is valid under the schema; what came in valid comes out byte for byte.
//! - `JSON-2`: a schema names nothing outside of itself, and its patterns are linear: none is fetched, none backtracks.

mod fit;
mod read;

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// A schema, compiled.
pub(crate) struct Schema {
    written: Value,
    validator: Validator,
    repair: bool,
}

/// An answer that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    /// What was mended, and how often.
    pub(crate) repairs: Vec<(&'static str, u64)>,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// The line and column, from 1, where it is no JSON, and why it is no schema.
    pub(crate) fn read(text: &str, repair: bool) -> Result<Self, ((usize, usize), String)> {
        let written: Value = serde_json::from_str(text)
            .map_err(|error| ((error.line(), error.column()), format!("no JSON: {}", bare(&error.to_string()))))?;
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let validator = options.build(&written).map_err(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the schema".to_owned() } else { format!("`{place}`") };
            ((1, 1), format!("no schema: {place}: {error}"))
        })?;
        Ok(Self { written, validator, repair })
    }

    /// Returns the answer as the schema wants it; none where it is not, and cannot be mended.
    pub(crate) fn of(&self, text: &str) -> Option<Written> {
        let strict = serde_json::from_str::<Value>(text).ok();
        if strict.as_ref().is_some_and(|value| self.validator.is_valid(value)) {
            return Some(Written { text: text.into(), repairs: Vec::new() });
        }
        if !self.repair {
            return None;
        }
        let read::Found { mut value, mut repairs } = match strict {
            Some(value) => read::Found { value, repairs: Vec::new() },
            None => read::find(text)?,
        };
        if !self.validator.is_valid(&value) {
            repairs.extend(fit::fit(&mut value, &self.written));
        }
        self.validator.is_valid(&value).then(|| Written { text: value.to_string(), repairs })
    }
}

/// A message without the place that is said otherwise.
fn bare(message: &str) -> &str {
    message.split(" at line ").next().unwrap_or(message)
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("repair", &self.repair).finish_non_exhaustive()
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, self.repair) == (&other.written, other.repair)
    }
}

#[cfg(test)]
mod tests;
