//! Seen: a row that was looked at, in values of its own, so that it may wait while its request is gone.
//!
//! Its names lie in one string, one behind the other: a row of thirty columns is two allocations, which another thread gives back.

use evenkeel_signals::{anomaly::Score, cells, row::Value};

use super::look::short;

/// Bytes of a name that are kept, at most.
const MOST_NAME: usize = 1_024;
/// Bytes of a name that there is room for at first, so that a row of short ones is written without moving.
const NAME: usize = 4;

/// A row that was looked at, kept for whoever looks at it later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Its scalars, in the order of [`evenkeel_signals::reference::Live::scalars`].
    pub(crate) scalars: Scalars,
    /// How far it is from the reference, and how rare that is; none where it cannot be scored.
    pub(crate) score: Option<Score>,
}

/// Scalars that belong to nobody else.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scalars {
    values: Vec<Scalar>,
    names: String,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scalar {
    Missing,
    Invalid,
    Number(f64),
    /// From where to where its name goes.
    Name(u32, u32),
}

impl Scalars {
    /// Returns one as cells take it, by its place; what is not there is missing.
    #[inline]
    pub(crate) fn value(&self, at: usize) -> cells::Value<'_> {
        match self.values.get(at) {
            Some(Scalar::Number(number)) => cells::Value::Number(*number),
            Some(Scalar::Name(begin, end)) => cells::Value::Category(&self.names[*begin as usize..*end as usize]),
            Some(Scalar::Invalid) => cells::Value::Invalid,
            Some(Scalar::Missing) | None => cells::Value::Missing,
        }
    }

    /// Returns the bytes that they take while they wait.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<Scalar>() + self.names.len()
    }
}

impl<'a> FromIterator<Value<'a>> for Scalars {
    fn from_iter<T: IntoIterator<Item = Value<'a>>>(values: T) -> Self {
        let values = values.into_iter();
        let (mut names, all) = (String::new(), values.size_hint().0);
        let scalar = |value: Value<'a>| match value {
            Value::Missing => Scalar::Missing,
            Value::Number(number) => Scalar::Number(number),
            Value::Category(name) => {
                if names.is_empty() {
                    names.reserve(all * NAME);
                }
                let begin = u32::try_from(names.len());
                // No reference has a longer name, and what waits is bounded.
                names.push_str(&short(name, MOST_NAME));
                let place = begin.ok().zip(u32::try_from(names.len()).ok());
                place.map_or(Scalar::Invalid, |(begin, end)| Scalar::Name(begin, end))
            }
            Value::Vector(_) | Value::Text(_) | Value::Invalid => Scalar::Invalid,
        };
        Self { values: values.map(scalar).collect(), names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was_but_for_what_no_cell_takes() {
        let long = "x".repeat(5_000);
        let row = [
            Value::Category("a"),
            Value::Number(1.5),
            Value::Category(""),
            Value::Missing,
            Value::Category(&long),
            Value::Text("said"),
            Value::Category("last"),
        ];
        let scalars: Scalars = row.into_iter().collect();
        let found: Vec<_> = (0..row.len()).map(|at| scalars.value(at)).collect();
        let cut = format!("{}…", &long[..MOST_NAME]);
        let expected = [
            cells::Value::Category("a"),
            cells::Value::Number(1.5),
            cells::Value::Category(""),
            cells::Value::Missing,
            cells::Value::Category(&cut),
            cells::Value::Invalid,
            cells::Value::Category("last"),
        ];
        assert_eq!(found, expected);
        assert_eq!(scalars.value(row.len()), cells::Value::Missing, "there is none");
        assert!(scalars.bytes() < 2 * MOST_NAME, "what waits is bounded");
    }
}
