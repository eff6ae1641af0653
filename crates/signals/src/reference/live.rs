//! Live: rows of live traffic as the scalars of a reference, so that both are judged alike.
//!
//! # Invariants
//! - `LIVE-1`: a row gives the scalars that a source's row of the same values has; of a text, by the model of all sources.
//! - `LIVE-2`: a private name has no scalar here: its key is not known.

use super::{
    Reference,
    header::{ColumnKind, Role},
};
use crate::{
    anomaly::{COLUMNS, Projection},
    cosine::Unit,
    row::Value,
    text::{self, TextModel},
};

/// What turns rows of the input columns of a reference, in their order, into its scalars.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    columns: Vec<(ColumnKind, Form)>,
    scalars: Vec<usize>,
    scored: Vec<usize>,
}

/// How a column becomes scalars.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    Itself,
    Text(Box<TextModel>),
    Vector(Projection),
    /// It does not (`LIVE-2`).
    Hidden,
}

impl Form {
    fn scalars(&self) -> usize {
        match self {
            Self::Itself => 1,
            Self::Text(_) => text::NUMBERS,
            Self::Vector(_) => COLUMNS,
            Self::Hidden => 0,
        }
    }
}

impl Reference {
    /// Returns what turns live rows into its scalars.
    pub fn live(&self) -> Live {
        let (all, mut live) = (self.scalars(), Live { columns: Vec::new(), scalars: Vec::new(), scored: Vec::new() });
        for (at, column) in self.header.schema.iter().enumerate().filter(|it| it.1.role == Role::Input) {
            let form = match column.kind {
                ColumnKind::Category if column.private => Form::Hidden,
                ColumnKind::Number | ColumnKind::Category => Form::Itself,
                ColumnKind::Text => Form::Text(Box::new(self.text_model(&column.name).unwrap_or_else(TextModel::none))),
                ColumnKind::Vector(width) => {
                    Form::Vector(Projection::new(self.header.seed, usize::try_from(width).unwrap_or(usize::MAX)))
                }
            };
            let own = all.iter().enumerate().filter(|it| it.1.column == at).take(form.scalars());
            for (place, scalar) in own {
                if !scalar.private {
                    live.scored.push(live.scalars.len());
                }
                live.scalars.push(place);
            }
            live.columns.push((column.kind, form));
        }
        live
    }
}

impl Live {
    /// Returns which scalars of the reference a row has, by their places there.
    pub fn scalars(&self) -> &[usize] {
        &self.scalars
    }

    /// Returns which of these are features of the row score, by their places among these.
    pub fn scored(&self) -> &[usize] {
        &self.scored
    }

    /// Appends the scalars of a row: numbers, names, what is missing, and what is invalid.
    pub fn row<'a>(&self, values: &[Value<'a>], to: &mut Vec<Value<'a>>) {
        for (at, (kind, form)) in self.columns.iter().enumerate() {
            let value = values.get(at).copied().unwrap_or(Value::Missing);
            let all = |it: Value<'a>| std::iter::repeat_n(it, form.scalars());
            if value == Value::Missing {
                to.extend(all(Value::Missing));
            } else if !value.fits(kind.kind()) {
                to.extend(all(Value::Invalid));
            } else {
                match (form, value) {
                    (Form::Text(model), Value::Text(text)) => {
                        to.extend(text::numbers(text, model).map(Value::Number));
                    }
                    (Form::Vector(projection), Value::Vector(vector)) => match Unit::of(vector) {
                        Some(unit) => {
                            to.extend(projection.of(unit.direction()).iter().map(|it| Value::Number(f64::from(*it))));
                        }
                        None => to.extend(all(Value::Invalid)),
                    },
                    _ => to.extend(all(value)),
                }
            }
        }
    }
}
