//! Seen: a row that was looked at, in values of its own, so that it may wait while its request is gone.
//!
//! Its names lie in one string, one behind the other: a row of thirty columns is two allocations, which another thread gives back.

use evenkeel_signals::{anomaly::Score, cells, row::Value};

use super::look::short;

/// Bytes of a name that are kept, at most.
const MOST_NAME: usize = 1_024;

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
    /// Up to where its name goes; it begins where the one before ends.
    Name(u32),
}

impl Scalars {
    /// Returns them as cells take them, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = cells::Value<'_>> {
        let mut begin = 0;
        self.values.iter().map(move |it| match *it {
            Scalar::Missing => cells::Value::Missing,
            Scalar::Invalid => cells::Value::Invalid,
            Scalar::Number(number) => cells::Value::Number(number),
            Scalar::Name(end) => {
                let name = &self.names[begin..end as usize];
                begin = end as usize;
                cells::Value::Category(name)
            }
        })
    }

    /// Returns the bytes that they take while they wait.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<Scalar>() + self.names.len()
    }
}

impl<'a> FromIterator<Value<'a>> for Scalars {
    fn from_iter<T: IntoIterator<Item = Value<'a>>>(values: T) -> Self {
        let mut names = String::new();
        let scalar = |value: Value<'a>| match value {
            Value::Missing => Scalar::Missing,
            Value::Number(number) => Scalar::Number(number),
            Value::Category(name) => {
                // No reference has a longer name, and what waits is bounded.
                names.push_str(&short(name, MOST_NAME));
                u32::try_from(names.len()).map_or(Scalar::Invalid, Scalar::Name)
            }
            Value::Vector(_) | Value::Text(_) | Value::Invalid => Scalar::Invalid,
        };
        Self { values: values.into_iter().map(scalar).collect(), names }
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
        let found: Vec<_> = scalars.values().collect();
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
        assert!(scalars.bytes() < 2 * MOST_NAME, "what waits is bounded");
    }
}
