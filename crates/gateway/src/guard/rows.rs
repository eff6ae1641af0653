//! Rows: what a request brings, row by row, in the columns that its route watches.
//!
//! It reads tensors where they stand, and of a chat the last message of the user; it judges nothing. A value that is not as its
//! column says becomes *invalid*, which is not the same as missing.
//!
//! # Invariants
//! - `READ-1`: work is bounded: no more than [`MOST_ROWS`] rows and [`MOST_CELLS`] values are read, evenly spread over the request.
//! - `READ-2`: texts stay where they are: only what is brought to another form, or read out of JSON, is copied.

use std::borrow::Cow;

use evenkeel_config::{self as config, Absent, Computed, Derived, Scalar, Uncomputed, Unicode, Watched, WatchedFrom};
use evenkeel_signals::{
    anomaly::COLUMNS,
    row::{Kind, Value},
    text::{self, Form, composed},
};

use super::decimal;
use crate::tensor::{Datatype, Infer, Tensor};

/// Rows of a request that are read, at most.
pub(crate) const MOST_ROWS: usize = 1_024;
/// Values of a request that are read, at most.
pub(crate) const MOST_CELLS: usize = 65_536;

/// The rows that were read of a request.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// Row by row, column by column.
    cells: Vec<Cell<'a>>,
    columns: usize,
    /// How many rows were read.
    pub(crate) read: usize,
    /// How many there are.
    pub(crate) of: usize,
    /// Tensors that nobody has declared, and the reference does not know.
    pub(crate) strangers: Vec<&'a str>,
}

/// One value of one row.
#[derive(Clone, Debug, PartialEq)]
enum Cell<'a> {
    Missing,
    Invalid,
    Number(f64),
    Name(Cow<'a, str>),
    Text(Cow<'a, str>),
    Vector(Vec<f32>),
}

impl<'a> Rows<'a> {
    /// Reads the rows of an inference.
    pub(crate) fn of(infer: &'a Infer, spec: &config::Guarding, tensor: Option<&str>) -> Self {
        let of = usize::try_from(infer.batch()).unwrap_or(usize::MAX);
        let columns = spec.columns.len();
        let places = looked_at(of, spec.columns.iter().map(|it| width(it.kind)).sum());
        let request = Request { infer, tensor, of, places: &places };
        let sources: Vec<Source<'a, '_>> = spec.columns.iter().map(|it| request.source(it)).collect();
        let mut cells = Vec::with_capacity(places.len() * columns);
        for (at, row) in places.iter().enumerate() {
            cells.extend(sources.iter().zip(&spec.columns).map(|(source, column)| source.cell(at, *row, column)));
        }
        let strangers = request.strangers(spec);
        Self { cells, columns, read: places.len(), of, strangers }
    }

    /// Takes the text of a chat for the one row that it has.
    pub(crate) fn of_text(text: Option<Cow<'a, str>>, spec: &config::Guarding) -> Self {
        let cell = |column: &Watched| match &text {
            Some(text) => Cell::Text(formed(text.clone(), column.unicode)),
            None => Cell::Missing,
        };
        let cells = spec.columns.iter().map(cell).collect();
        Self { cells, columns: spec.columns.len(), read: 1, of: 1, strangers: Vec::new() }
    }

    /// Appends the values of a row that was read.
    pub(crate) fn row<'s>(&'s self, at: usize, to: &mut Vec<Value<'s>>) {
        let cells = &self.cells[at * self.columns..(at + 1) * self.columns];
        to.extend(cells.iter().map(|cell| match cell {
            Cell::Missing => Value::Missing,
            Cell::Invalid => Value::Invalid,
            Cell::Number(number) => Value::Number(*number),
            Cell::Name(name) => Value::Category(name),
            Cell::Text(text) => Value::Text(text),
            Cell::Vector(vector) => Value::Vector(vector),
        }));
    }
}

/// As how many values one counts: what is read of it, or what is made of it, whichever is more.
fn width(kind: Kind) -> usize {
    match kind {
        Kind::Number | Kind::Category => 1,
        Kind::Text => text::NUMBERS,
        Kind::Vector(width) => width.max(COLUMNS),
    }
}

/// Returns which rows are read, ascending (`READ-1`).
fn looked_at(of: usize, width: usize) -> Vec<usize> {
    let most = (MOST_CELLS / width.max(1)).clamp(1, MOST_ROWS);
    let spread = |at: usize| u64::try_from(at as u128 * of as u128 / most as u128).expect("below the rows") as usize;
    if of <= most { (0..of).collect() } else { (0..most).map(spread).collect() }
}

/// A request as it is read.
struct Request<'a, 's> {
    infer: &'a Infer,
    /// The tensor of columns.
    tensor: Option<&'s str>,
    of: usize,
    places: &'s [usize],
}

/// Where the values of one column stand.
enum Source<'a, 's> {
    Place(Place<'a>),
    /// They are computed of these.
    Derived(&'s Derived, Vec<(Place<'a>, Option<&'s Absent>)>),
}

/// Where the values of one feature stand.
enum Place<'a> {
    /// Nowhere.
    Absent,
    /// Somewhere, in a form that no row can be read of.
    Strange,
    /// In a tensor of numbers: the first, and how far the next row is.
    Numbers { tensor: &'a Tensor, first: usize, step: usize },
    /// Texts of the rows that are read.
    Texts(Vec<&'a [u8]>),
}

/// A value as it stands there.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Missing,
    Invalid,
    Number(f64),
    Bool(bool),
    Text(&'a str),
}

impl<'a, 's> Request<'a, 's> {
    fn source(&self, column: &'s Watched) -> Source<'a, 's> {
        match &column.from {
            WatchedFrom::Tensor => Source::Place(self.place(&column.name, column.kind)),
            WatchedFrom::Column(at) => Source::Place(self.column(*at)),
            WatchedFrom::Derived(derived) => {
                let named = derived.named().map(|it| {
                    let place = it.column.map_or_else(|| self.place(&it.name, Kind::Number), |at| self.column(at));
                    (place, it.missing.as_ref())
                });
                Source::Derived(derived, named.collect())
            }
            WatchedFrom::Question => Source::Place(Place::Absent),
        }
    }

    /// Finds a feature that is a tensor of its own.
    fn place(&self, name: &str, kind: Kind) -> Place<'a> {
        let Some(tensor) = self.infer.input(name) else { return Place::Absent };
        let (rows, width) = match *tensor.shape() {
            [] => (1, 1),
            [rows] | [rows, 1] => (rows, 1),
            [rows, width] => (rows, width),
            _ => return Place::Strange,
        };
        let wanted = if let Kind::Vector(width) = kind { width as u64 } else { 1 };
        if usize::try_from(rows) != Ok(self.of) || width != wanted {
            return Place::Strange;
        }
        match tensor.datatype() {
            Datatype::Bytes => {
                let mut wanted = self.places.iter().peekable();
                let read = tensor.strings().enumerate().filter(|(at, _)| wanted.next_if_eq(&at).is_some());
                Place::Texts(read.map(|it| it.1).collect())
            }
            _ => Place::Numbers { tensor, first: 0, step: width as usize },
        }
    }

    /// Finds a feature that is a column of the one tensor.
    fn column(&self, at: usize) -> Place<'a> {
        let Some(tensor) = self.tensor.and_then(|it| self.infer.input(it)) else { return Place::Absent };
        match *tensor.shape() {
            [rows, width] if usize::try_from(rows) == Ok(self.of) && tensor.datatype() != Datatype::Bytes => {
                let step = width as usize;
                if at < step { Place::Numbers { tensor, first: at, step } } else { Place::Absent }
            }
            _ => Place::Strange,
        }
    }

    /// Finds tensors that nobody has declared.
    fn strangers(&self, spec: &config::Guarding) -> Vec<&'a str> {
        if spec.declared.is_some() {
            return Vec::new();
        }
        let names = self.infer.inputs.iter().map(|it| it.tensor.name());
        names.filter(|name| !spec.columns.iter().any(|it| it.name == **name)).collect()
    }
}

impl<'a> Source<'a, '_> {
    /// Reads a row, of which this is the place among those that are read.
    fn cell(&self, at: usize, row: usize, column: &Watched) -> Cell<'a> {
        match self {
            Self::Place(Place::Numbers { tensor, step, .. }) if matches!(column.kind, Kind::Vector(_)) => {
                Cell::Vector((row * step..(row + 1) * step).map(|it| single(tensor, it)).collect())
            }
            Self::Place(place) => cell(place.raw(at, row, column.missing.as_ref()), column),
            Self::Derived(derived, places) => match derived.of(&Row { places, at, row }) {
                Ok(Computed::Number(number)) => Cell::Number(number),
                Ok(Computed::Flag(flag)) => Cell::Name(if flag { "true" } else { "false" }.into()),
                Ok(Computed::Text(text)) if column.kind == Kind::Text => Cell::Text(text.into()),
                Ok(Computed::Text(text)) => Cell::Name(text.into()),
                Err(Uncomputed::Absent(_)) => Cell::Missing,
                Err(Uncomputed::Impossible(_)) => Cell::Invalid,
            },
        }
    }
}

impl<'a> Place<'a> {
    fn raw(&self, at: usize, row: usize, absent: Option<&Absent>) -> Raw<'a> {
        let raw = match self {
            Self::Absent => Raw::Missing,
            Self::Strange => Raw::Invalid,
            Self::Numbers { tensor, first, step } => {
                let number = number(tensor, first + row * step);
                if tensor.datatype() == Datatype::Bool { Raw::Bool(number != 0.0) } else { Raw::Number(number) }
            }
            Self::Texts(texts) => {
                texts.get(at).map_or(Raw::Missing, |text| std::str::from_utf8(text).map_or(Raw::Invalid, Raw::Text))
            }
        };
        match (raw, absent) {
            (Raw::Number(number), Some(absent)) if absent.is_number(number) => Raw::Missing,
            (Raw::Text(text), Some(Absent::Text(word))) if text == word => Raw::Missing,
            _ => raw,
        }
    }
}

/// Makes a value what its column holds.
fn cell<'a>(raw: Raw<'a>, column: &Watched) -> Cell<'a> {
    let converted = |number: f64| column.conversion.map_or(number, |it| it.of(number));
    match (raw, column.kind) {
        (Raw::Missing, _) => Cell::Missing,
        (Raw::Number(number), Kind::Number) => Cell::Number(converted(number)),
        (Raw::Bool(it), Kind::Number) => Cell::Number(f64::from(u8::from(it))),
        // A number that no name could be is as invalid as in a column of numbers.
        (Raw::Number(number), Kind::Category) if number.is_finite() => Cell::Name(number.to_string().into()),
        (Raw::Bool(it), Kind::Category) => Cell::Name(if it { "true" } else { "false" }.into()),
        (Raw::Text(text), Kind::Category) => Cell::Name(formed(text.into(), column.unicode)),
        (Raw::Text(text), Kind::Text) => Cell::Text(formed(text.into(), column.unicode)),
        _ => Cell::Invalid,
    }
}

/// Brings the text of a chat to the form in which its route holds it against the reference.
pub(super) fn question<'a>(text: Cow<'a, str>, spec: &config::Guarding) -> Cow<'a, str> {
    let form = spec.columns.iter().find(|it| matches!(it.from, WatchedFrom::Question)).map(|it| it.unicode);
    formed(text, form.unwrap_or(Unicode::AsItIs))
}

/// Brings a text to a form.
fn formed(text: Cow<'_, str>, unicode: Unicode) -> Cow<'_, str> {
    let form = match unicode {
        Unicode::AsItIs => return text,
        Unicode::Nfc => Form::Nfc,
        Unicode::Nfkc => Form::Nfkc,
    };
    match text {
        Cow::Borrowed(text) => composed(text, form),
        Cow::Owned(text) => match composed(&text, form) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(formed) => Cow::Owned(formed),
        },
    }
}

/// Reads an element of a vector; NaN where there is none.
fn single(tensor: &Tensor, at: usize) -> f32 {
    match tensor.datatype() {
        Datatype::Fp32 => tensor.element(at).map_or(f32::NAN, f32::from_le_bytes),
        _ => tensor.number(at).map_or(f32::NAN, |it| it as f32),
    }
}

/// Reads an element of a tensor of numbers; NaN where there is none.
fn number(tensor: &Tensor, at: usize) -> f64 {
    match tensor.datatype() {
        Datatype::Fp32 => tensor.element(at).map_or(f64::NAN, |it| decimal::of(f32::from_le_bytes(it))),
        _ => tensor.number(at).unwrap_or(f64::NAN),
    }
}

/// A row, for what is computed of it.
struct Row<'r, 'a> {
    places: &'r [(Place<'a>, Option<&'r Absent>)],
    at: usize,
    row: usize,
}

impl config::Row for Row<'_, '_> {
    fn value(&self, input: usize) -> Option<Scalar<'_>> {
        let (place, absent) = self.places.get(input)?;
        match place.raw(self.at, self.row, *absent) {
            Raw::Missing | Raw::Invalid => None,
            Raw::Number(number) => Some(Scalar::Float(number)),
            Raw::Bool(it) => Some(Scalar::Bool(it)),
            Raw::Text(text) => Some(Scalar::Text(text)),
        }
    }
}

#[cfg(test)]
mod tests;
