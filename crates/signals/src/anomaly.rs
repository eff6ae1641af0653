//! Anomaly: how far a row is from all that the reference holds, and how rare that is (`signals.md` §7).
//!
//! Of the rows of a reference some are kept, standardised; a new row is as strange as it is far from the nearest of them. What
//! "far" means is not guessed but counted: other rows of the reference, which had no part in it, say how far rows like them are.
//!
//! It judges a row alone: whether *many* rows have moved is a matter of drift.
//!
//! # Guarantee
//! Of rows like those that calibrated it, at most a share α has a p of α or less. For one calibration set that share is
//! Beta(l, n+1−l) with l = ⌊α(n+1)⌋: 2,000 rows and α = .01 give a standard deviation of .0022, 10,000 and .001 give .00032.
//!
//! # Invariants
//! - `ANOM-1`: no row has two parts: it is kept, or it calibrates, or neither; means and scales come from rows that do not calibrate.
//! - `ANOM-2`: the same rows give the same bits, in whatever order they come.
//! - `ANOM-3`: ties count against the alarm: a row as far as a calibrating one is no stranger than that.
//! - `ANOM-4`: a row with an invalid value has no score, and none has part in a fit.
//!
//! # When it misleads
//! Clean traffic that moved looks strange, row by row: then drift alarms, too. Strange rows in the reference make their like
//! ordinary; so do kept rows that are few, in a place where little was seen. A value that is odd only beside another one is found
//! as far as it lies away from all the rows, no further.
//!
//! # Source
//! Nearest neighbours in a subsample: Sugiyama, Borgwardt 2013. Split conformal p-values: Vovk et al. 2005; Bates et al. 2023.

mod conformal;
mod encode;
mod fit;
mod nearest;
mod project;

pub use conformal::{Calibration, PValue, Standing, together};
pub use encode::{Encoder, Feature, Form, Unfit};
pub use fit::{FitRow, Settings};
pub use nearest::Kept;
pub(crate) use project::Projection;
pub use project::embedding;

use crate::row::{RowId, Value};
use nearest::Nearest;

/// Columns that are compared as they are; of more, as many projections.
pub const COLUMNS: usize = 64;
/// How many features an explanation names.
const SHOWN: usize = 3;

/// The row score of one route: what its reference makes of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct RowScore {
    encoder: Encoder,
    projection: Option<Projection>,
    nearest: Nearest,
    kept: Kept,
    calibration: Calibration,
    rows: u64,
}

/// How strange a row is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Squared distance to the nearest row that is kept, in squared standard deviations, summed over columns.
    pub s: f32,
    /// The share of rows like the calibrating ones that are as far, or farther.
    pub p: PValue,
    /// The place of the nearest row among those that are kept.
    pub nearest: usize,
}

/// Why a row is so far from its nearest: which row, and the features with the largest share of the distance, largest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The nearest row of the reference.
    pub row: RowId,
    /// Up to three features, by their place among those of the encoder, with their share of the whole, 0 to 1.
    pub shares: Vec<(usize, f64)>,
}

/// Why a row has no score: its feature of this place holds something that cannot enter arithmetic (`ANOM-4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The place of the feature.
    pub feature: usize,
}

impl RowScore {
    /// Puts together what was fitted, or read from a file.
    ///
    /// # Errors
    /// The kept rows are none, or not as wide as the features make them.
    pub fn of(encoder: Encoder, kept: Kept, calibration: Calibration, seed: u64, rows: u64) -> Result<Self, Unfit> {
        let width = encoder.columns();
        if kept.ids.is_empty() || kept.columns.len() != kept.ids.len() * width {
            return Err(Unfit::NoRows);
        }
        let projection = (width > COLUMNS).then(|| Projection::new(seed, width));
        let narrow = kept.columns.chunks(width).map(|row| projection.as_ref().map_or(row.to_vec(), |it| it.of(row)));
        let nearest = Nearest::new(&narrow.collect::<Vec<_>>());
        Ok(Self { encoder, projection, nearest, kept, calibration, rows })
    }

    /// Scores a row, whose values stand in the order of the encoder's features.
    ///
    /// # Cost
    /// 256 · d at d columns, of which there are 64 at most; `bench/signals/instructions` counts it.
    ///
    /// # Errors
    /// A value is invalid, or there is none for a feature.
    pub fn score(&self, row: &[Value<'_>]) -> Result<Score, Invalid> {
        let (s, nearest) = self.distance(row)?;
        Ok(Score { s, p: self.calibration.p(s), nearest })
    }

    /// Returns the squared distance to the nearest row that is kept, and its place.
    fn distance(&self, row: &[Value<'_>]) -> Result<(f32, usize), Invalid> {
        let mut columns = Vec::with_capacity(self.encoder.columns());
        let flat = self.encoder.encode(row, &mut columns)?;
        let (s, nearest) = match &self.projection {
            None => self.nearest.of(&columns),
            Some(projection) => self.nearest.of(&projection.of(&columns)),
        };
        Ok((s + flat, nearest))
    }

    /// Says why a row is as far as it is. Not made for every request: only for what is shown.
    ///
    /// The shares are those of the distance over all columns, also where the score compares projections of them.
    ///
    /// # Errors
    /// A value is invalid, or there is none for a feature.
    pub fn explain(&self, row: &[Value<'_>]) -> Result<Explanation, Invalid> {
        let (_, nearest) = self.distance(row)?;
        let width = self.encoder.columns();
        let mut shares = self.encoder.parts(row, &self.kept.columns[nearest * width..(nearest + 1) * width])?;
        let whole: f64 = shares.iter().map(|it| it.1).sum();
        shares.retain(|it| it.1 > 0.0);
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares.truncate(SHOWN);
        shares.iter_mut().for_each(|it| it.1 /= whole);
        Ok(Explanation { row: self.kept.ids[nearest], shares })
    }

    /// Says what this score may be used for at a false-alarm rate.
    pub fn standing(&self, false_alarm_rate: f64) -> Standing {
        self.calibration.standing(false_alarm_rate, self.rows)
    }

    /// Returns what the false-alarm rate really is, at most, in 95 of 100 references of this size.
    pub fn rate_at_most(&self, false_alarm_rate: f64) -> f64 {
        self.calibration.rate_at_most(false_alarm_rate)
    }

    /// Returns how features become columns.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Returns the rows that are kept, in all their columns.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Returns how far the calibrating rows are.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}

#[cfg(test)]
mod tests;
