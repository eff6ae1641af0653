//! Measure: a new row in the scalars of a reference, and how strange it is.

use super::{
    Reference, assemble,
    header::{Column, ColumnKind},
    scalar::{self, Held, Keyed},
};
use crate::{
    anomaly::{Invalid, RowScore, Score},
    cells,
    row::Value,
    text::TextModel,
};

/// What a reference makes of new rows. It is made once, and asked for each.
#[derive(Clone, Debug)]
pub struct Measure {
    schema: Vec<Column>,
    /// One for each column; that of nothing where it has none.
    models: Vec<TextModel>,
    keyed: Option<Keyed>,
    seed: u64,
    /// The places of the score's features among the scalars.
    features: Vec<usize>,
    score: Option<RowScore>,
}

/// A row as it was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    held: Vec<Held>,
    score: Option<Result<Score, Invalid>>,
}

impl Measure {
    /// Takes what is asked of a reference. The key is that of private names: without it they are invalid.
    pub fn of(reference: &Reference, keyed: Option<Keyed>) -> Self {
        let header = reference.header();
        let model = |it: &Column| match it.kind {
            ColumnKind::Text if !it.private => reference.text_model(&it.name).unwrap_or_else(TextModel::none),
            _ => TextModel::none(),
        };
        let scalars = reference.scalars();
        let public: Vec<usize> = (0..scalars.len()).filter(|it| !scalars[*it].private).collect();
        let features = assemble::features(header, &scalars).iter().map(|it| public[it.0]).collect();
        Self {
            models: header.schema.iter().map(model).collect(),
            schema: header.schema.clone(),
            keyed,
            seed: header.seed,
            features,
            score: reference.row_score().ok(),
        }
    }

    /// Measures a row, whose values stand in the order of the columns; one that is not there is missing.
    pub fn row(&self, values: &[Value<'_>]) -> Measured {
        let of = |(at, column): (usize, &Column)| {
            let value = values.get(at).copied().unwrap_or(Value::Missing);
            scalar::held(column, value, &self.models[at], self.keyed.as_ref(), self.seed)
        };
        let held: Vec<Held> = self.schema.iter().enumerate().flat_map(of).collect();
        let features = || self.features.iter().map(|it| held[*it].value()).collect::<Vec<_>>();
        let score = self.score.as_ref().map(|it| it.score(&features()));
        Measured { held, score }
    }
}

impl Measured {
    /// Returns a value for each scalar of the reference.
    pub fn values(&self) -> impl ExactSizeIterator<Item = cells::Value<'_>> {
        self.held.iter().map(Held::cell)
    }

    /// Returns how strange the row is; none where the reference has no score, and an error where a value is invalid.
    pub fn score(&self) -> Option<Result<Score, Invalid>> {
        self.score
    }
}
