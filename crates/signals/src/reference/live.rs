//! Live: rows of live traffic as the scalars of a reference, so that both are judged alike.
//!
//! # Invariants
//! - `LIVE-1`: a row gives the scalars that a source's row of the same values has; of a text, by the model of all sources.
//! - `LIVE-2`: of inputs alone, a private name has no scalar: its key is not known.

use super::{
    Reference,
    header::{Column, ColumnKind, Role},
    scalar::Form,
};
use crate::{row::Value, text::TextModel};

/// What turns rows into the scalars of a reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    columns: Vec<(ColumnKind, Form)>,
    scalars: Vec<usize>,
    scored: Vec<usize>,
}

impl Reference {
    /// Returns what turns live rows into its scalars: the values of the input columns, in their order.
    pub fn live(&self) -> Live {
        self.turning(|it| it.role == Role::Input, |it| it.kind == ColumnKind::Category && it.private)
    }

    /// Returns what turns rows like those that it was made of into its scalars, one after the other: the values of all columns, with
    /// private names as [`Keyed`](super::Keyed) writes them.
    pub fn of_all(&self) -> Live {
        self.turning(|_| true, |_| false)
    }

    fn turning(&self, takes: impl Fn(&Column) -> bool, hides: impl Fn(&Column) -> bool) -> Live {
        let (all, mut live) = (self.scalars(), Live { columns: Vec::new(), scalars: Vec::new(), scored: Vec::new() });
        for (at, column) in self.header.schema.iter().enumerate().filter(|it| takes(it.1)) {
            let model = || self.text_model(&column.name).unwrap_or_else(TextModel::none);
            let form = if hides(column) { Form::Hidden } else { Form::of(column, self.header.seed, model) };
            let own = all.iter().enumerate().filter(|it| it.1.column == at).take(form.scalars());
            for (place, scalar) in own {
                if !scalar.private && column.role == Role::Input {
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
            form.write(*kind, values.get(at).copied().unwrap_or(Value::Missing), to);
        }
    }
}
