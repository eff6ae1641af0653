//! Distance: how far what a text means is from what the texts of a reference mean (`signals.md` §7).
//!
//! It is the row score over the 64 numbers of the text's embedding and nothing else: so it is told apart from how the text looks, and
//! where nobody says what a text means, how it looks is judged all the same.
//!
//! # Invariants
//! - `DIST-1`: of texts like those that calibrate, at most a share α has a p of α or less.
//! - `DIST-2`: a vector of another length, without a direction, or with something that is no number has no distance.
//!
//! # When it misleads
//! Near is what the encoder finds near: one that was not made for the language or the matter of the texts finds all of them near to
//! each other. A question about the usual matter that asks for the opposite is not far.
//!
//! # Example
//! ```
//! use evenkeel_signals::{
//!     reference::{Column, ColumnKind, Meaning, Plan, Reference, Role, SourceRow, Unlike},
//!     row::Value,
//! };
//!
//! let meaning = Meaning { of: "question".into(), model: "small".into() };
//! let schema = vec![Column::new("question", ColumnKind::Text, Role::Input), Column::meaning("vector", 2, meaning)];
//! let usual: Vec<[f32; 2]> = (0..4_000).map(|at| [1.0, (at % 97) as f32 / 100.0]).collect();
//! let row = |(number, vector)| SourceRow { number, at: None, values: vec![Value::Text("how"), Value::Vector(vector)] };
//! let rows: Vec<_> = (0..).zip(&usual).map(row).collect();
//! let distance = Reference::build(&Plan::new("help", schema), [7; 32], &rows).expect("sound").distance().expect("known");
//!
//! assert!(distance.of(&[2.0, 1.0]).expect("a vector").p.value() > 0.01, "in the midst of them");
//! assert!(distance.of(&[-1.0, 0.0]).expect("a vector").p.value() <= 0.002, "the other way");
//! assert_eq!(distance.of(&[1.0]), Err(Unlike::Width { found: 1, wanted: 2 }));
//! ```

use super::{
    Reference,
    header::{Column, ColumnKind, Role},
    scalar::Form,
};
use crate::{
    anomaly::{self, Calibration, Encoder, RowScore, Score, Standing},
    row::{RowId, Value},
    text::TextModel,
};

/// What says how far the meaning of a text is.
#[derive(Clone, Debug, PartialEq)]
pub struct Distance {
    kind: ColumnKind,
    form: Form,
    score: RowScore,
}

/// Why a vector has no distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// It has another length than those of the reference.
    #[error("it has {found} numbers, and those of the reference have {wanted}")]
    Width {
        /// Its numbers.
        found: usize,
        /// Those of the reference.
        wanted: u32,
    },
    /// It has no direction, or something in it is no number.
    #[error("it has no direction")]
    Direction,
}

impl Reference {
    /// Returns the column of what a text means; none where it is not known.
    pub fn meaning(&self) -> Option<&Column> {
        self.header.schema.iter().find(|it| it.role == Role::Meaning)
    }

    /// Returns what says how far the meaning of a text is; none where no column says what one means, or there was nothing to fit it by.
    pub fn distance(&self) -> Option<Distance> {
        let (column, fitted) = (self.meaning()?, self.distance.as_ref()?);
        let encoder = Encoder::of(fitted.features.clone()).ok()?;
        let rows = rows(&fitted.calibration, &encoder);
        let (kept, calibration) = (fitted.kept.clone(), fitted.calibration.clone());
        let score = RowScore::of(encoder, kept, calibration, self.header.seed, rows).ok()?;
        Some(Distance { kind: column.kind, form: Form::of(column, self.header.seed, TextModel::none), score })
    }
}

/// The rows that fit it, and those that calibrate.
fn rows(calibration: &Calibration, encoder: &Encoder) -> u64 {
    encoder.features().first().map_or(0, |it| it.rows) + calibration.scores().len() as u64
}

impl Distance {
    /// Returns how far a vector is, and how rare that is.
    ///
    /// # Errors
    /// It is no vector like those of the reference (`DIST-2`).
    pub fn of(&self, vector: &[f32]) -> Result<Score, Unlike> {
        if let ColumnKind::Vector(wanted) = self.kind
            && u32::try_from(vector.len()) != Ok(wanted)
        {
            return Err(Unlike::Width { found: vector.len(), wanted });
        }
        let mut numbers = Vec::with_capacity(anomaly::COLUMNS);
        self.form.write(self.kind, Value::Vector(vector), &mut numbers);
        self.score.score(&numbers).map_err(|_| Unlike::Direction)
    }

    /// Returns where the row came from that is nearest by a score.
    pub fn nearest(&self, score: &Score) -> Option<RowId> {
        self.score.kept().ids.get(score.nearest).copied()
    }

    /// Returns what the false-alarm rate really is, at most, in 95 of 100 references of this size.
    pub fn rate_at_most(&self, false_alarm_rate: f64) -> f64 {
        self.score.rate_at_most(false_alarm_rate)
    }

    /// Says what it may be used for at a false-alarm rate.
    pub fn standing(&self, false_alarm_rate: f64) -> Standing {
        self.score.standing(false_alarm_rate)
    }
}
