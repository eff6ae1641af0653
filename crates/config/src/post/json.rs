//! Json: an answer that has to be JSON of a schema, and what of it is mended.
//!
//! The one place that knows the library of JSON Schema. Mended is what can be without a guess: words and fences around it,
//! slips of syntax, types that convert without loss, unknown fields, missing defaults. A value that is missing, or an end that
//! was cut off, is not invented. Of several values the last counts that is valid as it stands; where none is, or a later one could be
//! mended as well, which one was meant would be a guess.
//!
//! # Invariants
//! - `JSON-1`: what comes out is valid under the schema; what came in valid comes out byte for byte. An object with a key twice is
//!   not valid: which of the two counts is for whoever reads it to say, so that it is written anew, with the last.
//! - `JSON-2`: a schema names nothing outside of itself, and its patterns are linear: none is fetched, none backtracks.

mod distinct;
mod fit;
mod read;

use std::fmt;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use self::read::Found;

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
        let twice = if strict.is_some() { distinct::twice(text) } else { 0 };
        if twice == 0 && strict.as_ref().is_some_and(|value| self.validator.is_valid(value)) {
            return Some(Written { text: text.into(), repairs: Vec::new() });
        }
        if !self.repair {
            return None;
        }
        let Found { value, repairs } = match strict {
            Some(value) => {
                let repairs = Some(("twice", twice)).filter(|it| it.1 > 0).into_iter().collect();
                self.fitted(Found { value, repairs })?
            }
            None => self.meant(read::find(text))?,
        };
        Some(Written { text: value.to_string(), repairs })
    }

    /// Returns the value that an answer is, of all that stand in it.
    fn meant(&self, mut found: Vec<Found>) -> Option<Found> {
        // What is of another type cannot be meant: "as [1] says".
        let wanted = self.written["type"].as_str();
        found.retain(|it| match wanted {
            Some("object") => it.value.is_object(),
            Some("array") => it.value.is_array(),
            _ => true,
        });
        match found.iter().rposition(|it| self.validator.is_valid(&it.value)) {
            Some(last) => {
                let after = found.split_off(last + 1);
                let other = after.into_iter().any(|it| self.fitted(it).is_some());
                found.pop().filter(|_| !other)
            }
            None if found.len() == 1 => self.fitted(found.pop()?),
            None => None,
        }
    }

    /// Makes a value fit the schema; none where that cannot be.
    fn fitted(&self, found: Found) -> Option<Found> {
        let Found { mut value, mut repairs } = found;
        if !self.validator.is_valid(&value) {
            repairs.extend(fit::fit(&mut value, &self.written));
        }
        self.validator.is_valid(&value).then_some(Found { value, repairs })
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
