//! Reference: what inputs and outputs were like when all was well, in one file (`signals.md` §13).
//!
//! It is made once, of rows that somebody picked, and never learns by itself: a new one is a new file, proposed and approved. Nearly
//! all of it is computed from a sample that goes with it, so that two of them can become the one that both their rows would
//! have made.
//!
//! Bytes come in and go out; where they lie is not known here.
//!
//! # Invariants
//! - `REF-1`: the same rows give the same bytes, in whatever order they come.
//! - `REF-2`: a merge is associative and commutative, to the byte.
//! - `REF-3`: every flipped bit is found, and no bytes make the reader panic.
//! - `REF-4`: of a private column there are cells and counts, its names by a keyed hash; no value of it is in `ROWS` or `SAMP`.
//! - `REF-5`: an unknown section is passed over, an unknown version is refused.
//!
//! # When it misleads
//! A reference that was made in an incident finds the incident usual. Rows that one source repeats are as many rows. The two numbers
//! of a text that depend on the model are those that its own source gave it: after a merge a live text is judged by the
//! model of all sources, which knows more.

mod assemble;
mod build;
mod bytes;
mod distance;
mod file;
mod header;
mod live;
mod meanings;
mod merge;
mod passes;
mod sample;
mod scalar;
mod sections;

pub use build::{Plan, SourceRow, Unbuildable};
pub use distance::{Distance, Unlike};
pub use file::Unreadable;
pub use header::{Column, ColumnKind, Header, Meaning, Repeats, Role, Source};
pub use live::Live;
pub use meanings::Ask;
pub use merge::{Merged, Unmergeable};
pub use passes::EachRow;
pub use scalar::{Keyed, Scalar};

use crate::{
    anomaly::{Calibration, Encoder, Feature, Kept, RowScore, Unfit},
    cells::{Cells, Seasons, Value},
    guards::{Guards, Names, Outer, Rule, range},
    row::RowId,
    text::{Counts, TextModel},
};
use sample::Sampled;
use scalar::Private;

/// Rows of the sample at most.
pub const SAMPLE: usize = 20_000;

/// A reference as it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    header: Header,
    digest: [u8; 32],
    seasons: Option<Seasons>,
    /// Per scalar and bucket; private scalars have one bucket, and none where their cells were dropped.
    cells: Vec<Vec<Cells>>,
    /// The row score's, of the rows that calibrate.
    score_cells: Option<Cells>,
    score: Option<Fitted>,
    /// What the distance of a text's meaning is made of; none where no column says what one means.
    distance: Option<Fitted>,
    /// Per scalar; none where it has no numbers.
    spreads: Vec<Option<Spread>>,
    parts: Vec<Part>,
    private: Vec<Option<Private>>,
    /// None where it was taken out.
    sample: Option<Vec<Sampled>>,
}

/// What the row score is made of.
#[derive(Clone, Debug, PartialEq)]
struct Fitted {
    features: Vec<Feature>,
    kept: Kept,
    calibration: Calibration,
}

/// Quantiles of a column of numbers, each the value of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Rows with a number.
    pub rows: u64,
    /// At .001, .25, .5, .75, .99 and .999.
    pub at: [f64; 6],
}

/// What is kept per source, because it cannot be had from the sample.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    digest: [u8; 32],
    /// Per text column that is not private.
    texts: Vec<Counts>,
    /// Per private scalar, by cell.
    private: Vec<Vec<u64>>,
}

impl Reference {
    /// Returns what it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the reference digest, which every signal and record that used it carries.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the scalars that its columns make, in the order of their cells.
    pub fn scalars(&self) -> Vec<Scalar> {
        scalar::of(&self.header.schema)
    }

    /// Returns the cells of a scalar at a time, ns since the epoch; none where there are none.
    pub fn cells(&self, scalar: usize, at: u64) -> Option<&Cells> {
        let buckets = self.cells.get(scalar)?;
        let bucket = self.seasons.as_ref().map_or(0, |it| it.bucket(at));
        buckets.get(if buckets.len() == 1 { 0 } else { bucket })
    }

    /// Returns the cells of a scalar, bucket by bucket; none where they were dropped.
    pub fn buckets(&self, scalar: usize) -> &[Cells] {
        self.cells.get(scalar).map_or(&[], |it| it)
    }

    /// Returns which hours share a bucket; none where traffic does not repeat itself.
    pub fn seasons(&self) -> Option<&Seasons> {
        self.seasons.as_ref()
    }

    /// Returns the rows of the sample in the order in which they were drawn, which has nothing to do with time: id, time, and a value
    /// for each public scalar. None where the sample was taken out.
    pub fn sample(&self) -> Option<impl Iterator<Item = (RowId, Option<u64>, Vec<Value<'_>>)>> {
        let rows = self.sample.as_ref()?;
        Some(rows.iter().map(|it| (it.id, it.at, it.values.iter().map(scalar::Held::cell).collect())))
    }

    /// Returns where the outer hundredth of a scalar begins, over all seasons; none where it has no cells of numbers.
    pub fn outer(&self, scalar: usize) -> Option<Outer> {
        Outer::of(self.buckets(scalar))
    }

    /// Returns the cells of the row score, of the rows that calibrate; none where nothing could be fitted.
    pub fn score_cells(&self) -> Option<&Cells> {
        self.score_cells.as_ref()
    }

    /// Returns the quantiles of a scalar; none where it has no numbers.
    pub fn spread(&self, scalar: usize) -> Option<&Spread> {
        self.spreads.get(scalar)?.as_ref()
    }

    /// Returns the row score, whose features are the public scalars of the inputs.
    ///
    /// # Errors
    /// There was no row, or no feature, to fit it by.
    pub fn row_score(&self) -> Result<RowScore, Unfit> {
        let fitted = self.score.as_ref().ok_or(Unfit::NoRows)?;
        let encoder = Encoder::of(fitted.features.clone())?;
        let rows = self.header.rows.sample;
        RowScore::of(encoder, fitted.kept.clone(), fitted.calibration.clone(), self.header.seed, rows)
    }

    /// Returns the model of a text column, by its name, of all sources together; none where it is private or no text.
    pub fn text_model(&self, column: &str) -> Option<TextModel> {
        let mut texts = self.header.schema.iter().filter(|it| it.kind == ColumnKind::Text && !it.private);
        let at = texts.position(|it| it.name == column)?;
        let mut all = Counts::default();
        self.parts.iter().for_each(|it| all.merge(&it.texts[at]));
        Some(all.model())
    }

    /// Returns the guards that it makes likely, one rule per input column, whatever is declared going first. The length of a
    /// vector and the names of a private category are not known to it.
    pub fn guards(&self, missing_ratio: f64) -> Guards {
        let scalars = self.scalars();
        let rule = |(column, of): (usize, &Column)| {
            let scalar = scalars.iter().position(|it| it.column == column);
            let seen = scalar.and_then(|it| self.spread(it)).filter(|_| of.kind == ColumnKind::Number);
            let likely = seen.map(|it| range(it.at[0], [it.at[1], it.at[3]], it.at[5]));
            let seasons = scalar.map_or(&[][..], |it| self.buckets(it)).iter().filter(|_| !of.private);
            let names: Vec<_> = seasons.filter_map(|it| it.names().cloned()).collect();
            let names = (!names.is_empty()).then_some(Names::Seen(names));
            Rule { required: of.required, range: of.declared_range().or(likely), names, ..Rule::new(of.kind.kind()) }
        };
        let inputs = self.header.schema.iter().enumerate().filter(|it| it.1.role == Role::Input);
        Guards { rules: inputs.map(rule).collect(), missing_ratio }
    }
}

#[cfg(test)]
mod tests;
