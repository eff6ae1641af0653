//! Scalar: what a column is in numbers and names, one cell each.
//!
//! A text is its twelve numbers, an embedding its direction in 64; a number or a name is itself. What does not fit its column is
//! invalid in all of them, and what is missing is missing in all.

use sha2::{Digest as _, Sha256};

use super::header::{Column, ColumnKind};
use crate::{
    anomaly::{self, embedding},
    cells,
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

/// Says what a value of a column is in its scalars.
pub(super) fn held(
    column: &Column,
    value: Value<'_>,
    model: &TextModel,
    keyed: Option<&Keyed>,
    seed: u64,
) -> Vec<Held> {
    let count = match column.kind {
        ColumnKind::Number | ColumnKind::Category => 1,
        ColumnKind::Text => text::NUMBERS,
        ColumnKind::Vector(_) => anomaly::COLUMNS,
    };
    let all = |it: Held| vec![it; count];
    if value == Value::Missing {
        return all(Held::Missing);
    }
    if !value.fits(column.kind.kind()) {
        return all(Held::Invalid);
    }
    match value {
        Value::Number(number) => all(Held::Number(number)),
        Value::Category(name) if column.private => {
            all(keyed.map_or(Held::Invalid, |it| Held::Category(it.name(&column.name, name))))
        }
        Value::Category(name) => all(Held::Category(name.to_owned())),
        Value::Text(text) => text::numbers(text, model).map(Held::Number).into(),
        Value::Vector(vector) => embedding(vector, seed)
            .map_or_else(|| all(Held::Invalid), |it| it.map(|it| Held::Number(f64::from(it))).into()),
        Value::Missing | Value::Invalid => all(Held::Invalid),
    }
}
