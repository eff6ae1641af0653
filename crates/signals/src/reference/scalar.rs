//! Scalar: what a column is in numbers and names, one cell each.
//!
//! A text is its twelve numbers, an embedding its direction in 64; a number or a name is itself. What does not fit its column is
//! invalid in all of them, and what is missing is missing in all.

use sha2::{Digest as _, Sha256};

use super::header::{Column, ColumnKind};
use crate::{
    anomaly::{self, Projection},
    cells,
    cosine::Unit,
    row::Value,
    text::{self, TextModel},
};

/// One scalar of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its name: the column's, and for one of many what it is of it, `question.byte_entropy` or `vector[3]`.
    pub name: String,
    /// The place of its column.
    pub column: usize,
    /// Whether it holds names; numbers otherwise.
    pub names: bool,
    /// Whether only its cells and counts are kept.
    pub private: bool,
}

/// A value of a scalar as a sample keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
    Missing,
    Invalid,
    Number(f64),
    Category(String),
}

impl Held {
    pub(super) fn of(value: Value<'_>) -> Self {
        match value {
            Value::Missing => Self::Missing,
            Value::Number(number) => Self::Number(number),
            Value::Category(name) => Self::Category(name.to_owned()),
            Value::Text(_) | Value::Vector(_) | Value::Invalid => Self::Invalid,
        }
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Invalid => Value::Invalid,
            Self::Number(number) => Value::Number(*number),
            Self::Category(name) => Value::Category(name),
        }
    }

    pub(super) fn cell(&self) -> cells::Value<'_> {
        match self {
            Self::Missing => cells::Value::Missing,
            Self::Invalid => cells::Value::Invalid,
            Self::Number(number) => cells::Value::Number(*number),
            Self::Category(name) => cells::Value::Category(name),
        }
    }
}

/// The cells of a private scalar: fixed by the source that was first, and the same for all that merge.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Private(pub(super) cells::Kind);

/// Hashes the names of private columns by a key, which is kept elsewhere: without it names cannot be tried out.
#[derive(Clone)]
pub struct Keyed(Sha256);

impl Keyed {
    /// Takes the key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Sha256::new().chain_update(b"evenkeel private column\0").chain_update(key))
    }

    /// Returns 16 hexadecimal digits that stand for a name of a column.
    pub fn name(&self, column: &str, name: &str) -> String {
        let length = u64::try_from(column.len()).expect("a length").to_le_bytes();
        let digest = self.0.clone().chain_update(length).chain_update(column).chain_update(name).finalize();
        hex(&digest[..8])
    }
}

impl Keyed {
    /// Returns 16 hexadecimal digits by which a key is known, and that tell nothing of it.
    pub fn check(&self) -> String {
        // No length of a column's name begins so.
        hex(&self.0.clone().chain_update(b"which key is this?").finalize()[..8])
    }
}

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed")
    }
}

/// Writes bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, it| text + &format!("{it:02x}"))
}

/// Returns the scalars of columns, in their order.
pub(super) fn of(schema: &[Column]) -> Vec<Scalar> {
    let mut scalars = Vec::new();
    for (column, of) in schema.iter().enumerate() {
        let mut add = |name: String| {
            let names = of.kind == ColumnKind::Category;
            scalars.push(Scalar { name, column, names, private: of.private });
        };
        match of.kind {
            ColumnKind::Number | ColumnKind::Category => add(of.name.clone()),
            ColumnKind::Text => text::NAMES.iter().for_each(|it| add(format!("{}.{it}", of.name))),
            ColumnKind::Vector(_) => (0..anomaly::COLUMNS).for_each(|it| add(format!("{}[{it}]", of.name))),
        }
    }
    scalars
}

/// How a column becomes scalars.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// It is one.
    Itself,
    Text(Box<TextModel>),
    Vector(Projection),
    /// It becomes none: its key is not known.
    Hidden,
}

impl Form {
    /// Returns that of a column, with the seed of its reference; texts are judged by this model.
    pub(super) fn of(column: &Column, seed: u64, model: impl FnOnce() -> TextModel) -> Self {
        match column.kind {
            ColumnKind::Number | ColumnKind::Category => Self::Itself,
            ColumnKind::Text => Self::Text(Box::new(model())),
            ColumnKind::Vector(width) => {
                Self::Vector(Projection::new(seed, usize::try_from(width).unwrap_or(usize::MAX)))
            }
        }
    }

    /// Returns how many there are.
    pub(super) fn scalars(&self) -> usize {
        match self {
            Self::Itself => 1,
            Self::Text(_) => text::NUMBERS,
            Self::Vector(_) => anomaly::COLUMNS,
            Self::Hidden => 0,
        }
    }

    /// Appends what a value of a column of this kind is in them.
    pub(super) fn write<'a>(&self, kind: ColumnKind, value: Value<'a>, to: &mut Vec<Value<'a>>) {
        let all = |it: Value<'a>| std::iter::repeat_n(it, self.scalars());
        match (self, value) {
            (_, Value::Missing) => to.extend(all(Value::Missing)),
            (_, value) if !value.fits(kind.kind()) => to.extend(all(Value::Invalid)),
            (Self::Text(model), Value::Text(text)) => to.extend(text::numbers(text, model).map(Value::Number)),
            (Self::Vector(projection), Value::Vector(vector)) => match Unit::of(vector) {
                Some(unit) => {
                    to.extend(projection.of(unit.direction()).iter().map(|it| Value::Number(f64::from(*it))));
                }
                None => to.extend(all(Value::Invalid)),
            },
            (_, value) => to.extend(all(value)),
        }
    }
}

/// Says what a value of a column is in its scalars, as a sample keeps them.
pub(super) fn held(column: &Column, form: &Form, value: Value<'_>, keyed: Option<&Keyed>) -> Vec<Held> {
    match value {
        Value::Category(name) if column.private && column.kind == ColumnKind::Category => {
            vec![keyed.map_or(Held::Invalid, |it| Held::Category(it.name(&column.name, name)))]
        }
        value => {
            let mut scalars = Vec::with_capacity(form.scalars());
            form.write(column.kind, value, &mut scalars);
            scalars.into_iter().map(Held::of).collect()
        }
    }
}
