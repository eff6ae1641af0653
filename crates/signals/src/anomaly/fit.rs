//! Fit: which rows are kept, which calibrate, and what comes of them (`ANOM-1`, `ANOM-2`).

use super::{Calibration, Encoder, Feature, Kept, RowScore, Unfit};
use crate::row::{Kind, RowId, Value};

/// Rows that are kept.
pub(crate) const KEPT: usize = 256;
/// Rows that calibrate, if there are four times as many, and the rate does not ask for more.
const CALIBRATING: f64 = 2_000.0;
/// Expected calibrating rows beyond the threshold that a rate asks for.
const BEYOND: f64 = 10.0;
/// Salt of the draw of calibrating rows.
const DRAW: u64 = 0x43_41_4c_49;

/// A row to fit by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitRow<'a> {
    /// Where it came from: what is drawn is drawn by this.
    pub id: RowId,
    /// Its values, in the order of the features.
    pub values: &'a [Value<'a>],
}

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What all draws depend on.
    pub seed: u64,
    /// The rate for which calibrating rows should suffice; others may be asked of the same score. None: no row calibrates, all
    /// are fitted, and there are distances without a p-value.
    pub false_alarm_rate: Option<f64>,
}

impl RowScore {
    /// Fits a score by rows. Those with an invalid value are left out.
    ///
    /// It takes any number of rows from 1 on; what may be done with the result says [`RowScore::standing`].
    ///
    /// # Errors
    /// No row is left, there is no feature, or features make too many columns.
    pub fn fit(features: &[(&str, Kind)], rows: &[FitRow<'_>], settings: Settings) -> Result<Self, Unfit> {
        if features.is_empty() {
            return Err(Unfit::NoFeatures);
        }
        let sound = |it: &&FitRow<'_>| {
            features.len() == it.values.len() && features.iter().zip(it.values).all(|(of, it)| it.fits(of.1))
        };
        let mut rows: Vec<&FitRow<'_>> = rows.iter().filter(sound).collect();
        let salt = settings.seed ^ DRAW;
        rows.sort_by_cached_key(|it| (it.id.drawn(salt), it.id));
        let (calibrating, fitted) = rows.split_at(calibrating(rows.len(), settings.false_alarm_rate));
        if fitted.is_empty() {
            return Err(Unfit::NoRows);
        }
        let feature = |(at, (name, kind)): (usize, &(&str, Kind))| {
            Feature::of(name, *kind, fitted.iter().map(move |it| it.values[at]))
        };
        let encoder = Encoder::of(features.iter().enumerate().map(feature).collect::<Result<_, _>>()?)?;
        let mut kept = Kept::default();
        for row in fitted.iter().take(KEPT) {
            kept.ids.push(row.id);
            encoder.encode(row.values, &mut kept.columns).map_err(|_| Unfit::Broken)?;
        }
        let all = u64::try_from(rows.len()).expect("a count");
        let mut score = Self::of(encoder, kept, Calibration::default(), settings.seed, all)?;
        let scores = calibrating.iter().filter_map(|it| score.distance(it.values).ok()).map(|it| it.0).collect();
        score.calibration = Calibration::of(scores).ok_or(Unfit::Broken)?;
        Ok(score)
    }
}

/// Returns how many of so many rows calibrate: a quarter, and no more than the rate asks for.
fn calibrating(rows: usize, false_alarm_rate: Option<f64>) -> usize {
    let Some(false_alarm_rate) = false_alarm_rate else { return 0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let asked = CALIBRATING.max((BEYOND / false_alarm_rate).ceil()) as usize;
    asked.min(rows / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_calibrates_and_no_more_than_the_rate_asks_for() {
        for (rows, rate, expected) in [
            (0, 0.01, 0),
            (1, 0.01, 0),
            (1_000, 0.01, 250),
            (100_000, 0.01, 2_000),
            (100_000, 0.001, 10_000),
            (20_000, 0.001, 5_000),
            (100_000, f64::NAN, 2_000),
            (100_000, 0.0, 25_000),
        ] {
            assert_eq!(calibrating(rows, Some(rate)), expected, "{rows} {rate}");
        }
        assert_eq!(calibrating(100_000, None), 0);
    }
}
