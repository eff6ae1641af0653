//! Feast: what a feature server is asked, and what it answers (`POST /get-online-features`).
//!
//! It answers a table. Its servers of today write it feature by feature, older ones entity by entity, and nothing says which
//! but the lengths of the lists; the entities stand in the table, too, and decide where both lengths would do.
//!
//! # Invariants
//! - `FEAST-1`: what is read has a place for each feature that was asked for and each entity, in the order of the question,
//!   whatever the order of the answer.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.7 and 6: what Feast 0.67.0 answers, not what its documentation says.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The path below the address of a feature server.
pub(crate) const PATH: &str = "/get-online-features";

/// What a feature server is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked<'a> {
    /// Features, each with its view.
    pub(crate) features: Vec<(&'a str, &'a str)>,
    /// Join keys, each with its value for each entity.
    pub(crate) keys: Vec<(&'a str, Vec<Value>)>,
}

/// A value that a feature server has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    /// The value; booleans are 0 and 1.
    pub(crate) number: f64,
    /// Of when it is; none where that is not said, which servers write as 1970.
    pub(crate) of: Option<Timestamp>,
    /// The server itself says that it is too old.
    pub(crate) outdated: bool,
}

/// An answer that is none to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

#[derive(Deserialize)]
struct Answer {
    metadata: Metadata,
    results: Vec<List>,
}

#[derive(Deserialize)]
struct Metadata {
    feature_names: Vec<String>,
}

/// The values of a feature, or of an entity.
#[derive(Deserialize)]
struct List {
    values: Vec<Value>,
    #[serde(default)]
    statuses: Vec<Value>,
    #[serde(default)]
    event_timestamps: Vec<Value>,
}

/// Which way a table is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Feature,
    Entity,
}

impl Asked<'_> {
    /// Returns how many entities are asked about.
    fn entities(&self) -> usize {
        self.keys.first().map_or(0, |(_, values)| values.len())
    }

    /// Writes the question. Features are named with their views, so that two of one name differ in the answer.
    pub(crate) fn write(&self) -> Bytes {
        let features: Vec<String> = self.features.iter().map(|(view, name)| format!("{view}:{name}")).collect();
        let entities: serde_json::Map<_, _> =
            self.keys.iter().map(|(key, values)| ((*key).to_owned(), Value::from(values.clone()))).collect();
        let question = json!({"features": features, "entities": entities, "full_feature_names": true});
        question.to_string().into()
    }

    /// Reads the answer: by feature, then by entity, what there is.
    ///
    /// # Errors
    /// It is no JSON, has another shape, or lacks a feature.
    pub(crate) fn read(&self, body: &[u8]) -> Result<Vec<Vec<Option<Found>>>, Unreadable> {
        let answer: Answer = serde_json::from_slice(body).map_err(|_| Unreadable)?;
        let names = &answer.metadata.feature_names;
        let by = self.written_by(&answer)?;
        let column = |wanted: &(&str, &str)| {
            let place = self.place(names, wanted).ok_or(Unreadable)?;
            let cell = |entity| match by {
                By::Feature => answer.results[place].cell(entity),
                By::Entity => answer.results[entity].cell(place),
            };
            Ok((0..self.entities()).map(cell).collect())
        };
        self.features.iter().map(column).collect()
    }

    /// Finds out which way the table is written.
    fn written_by(&self, answer: &Answer) -> Result<By, Unreadable> {
        let Answer { metadata: Metadata { feature_names: names }, results } = answer;
        let is = |lists: usize, each: usize| results.len() == lists && results.iter().all(|list| list.has(each));
        let (features, entities) = (is(names.len(), self.entities()), is(self.entities(), names.len()));
        match (features, entities) {
            (true, false) => Ok(By::Feature),
            (false, true) => Ok(By::Entity),
            (false, false) => Err(Unreadable),
            // As many features as entities: the values of the join keys tell.
            (true, true) => {
                let turned = |(key, values): &(&str, Vec<Value>)| {
                    let place = names.iter().position(|name| name == key)?;
                    let by_entity = results.iter().zip(values).all(|(list, value)| list.values[place] == *value);
                    Some(by_entity && results[place].values != *values)
                };
                let turned = self.keys.iter().filter_map(turned).any(|turned| turned);
                Ok(if turned { By::Entity } else { By::Feature })
            }
        }
    }

    /// Finds a feature among the names of an answer: with its view, or alone where that is the name of one only.
    fn place(&self, names: &[String], (view, name): &(&str, &str)) -> Option<usize> {
        let full = format!("{view}__{name}");
        let alone = self.features.iter().filter(|(_, other)| other == name).count() == 1;
        let place = |wanted: &str| names.iter().position(|it| it == wanted);
        place(&full).or_else(|| place(name).filter(|_| alone))
    }
}

impl List {
    /// Says whether it has so many values, and says something of all of them or of none.
    fn has(&self, count: usize) -> bool {
        let told = |list: &[Value]| list.is_empty() || list.len() == count;
        self.values.len() == count && told(&self.statuses) && told(&self.event_timestamps)
    }

    fn cell(&self, at: usize) -> Option<Found> {
        let outdated = match self.statuses.get(at).map(Value::as_str) {
            None | Some(Some("PRESENT")) => false,
            Some(Some("OUTSIDE_MAX_AGE")) => true,
            Some(_) => return None,
        };
        // A `null` is present, too.
        let number = match &self.values[at] {
            Value::Number(number) => number.as_f64()?,
            Value::Bool(truth) => f64::from(u8::from(*truth)),
            _ => return None,
        };
        let of = self.event_timestamps.get(at).and_then(Value::as_str).and_then(|text| text.parse().ok());
        Some(Found { number, of: of.filter(|of| *of > Timestamp::UNIX_EPOCH), outdated })
    }
}

#[cfg(test)]
mod tests;
