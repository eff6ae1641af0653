//! Encode: features become columns on one scale, so that a distance over them means something.
//!
//! A number is standardised; each name of a category is a column of its own, which is 0 or stands as far from 0 as it is rare; a
//! missing number stands at the mean, and beside it is a column that says so, of the same kind. Names and gaps that the
//! reference has never seen are as far from each of its rows: they are added to the distance at the end.
//!
//! # Units
//! Standard deviations of the reference. Two different names of shares p and q lie √(1/2p(1−p) + 1/2q(1−q)) apart.

use super::Invalid;
use crate::row::{Kind, Value};

/// Columns of one route at most: what the kept rows take, 64 MiB, is bounded by it.
const COLUMNS_AT_MOST: usize = 65_536;
/// Names of one category that have a column of their own; the rarer ones share one.
pub(crate) const NAMES: usize = 254;
/// Beyond so many standard deviations a value is as strange as it gets: one column cannot make sums overflow.
const CLIP: f64 = 1_000.0;
/// Numbers beyond count as this: their squares can still be summed.
const BOUND: f64 = 1e150;
/// What is below is rounding: a column that never changes has the scale 1.
const CONSTANT: f64 = 1e-12;

/// What the fitted rows say of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// The rows that were fitted.
    pub rows: u64,
    /// Those without a value.
    pub missing: u64,
    /// What those with a value have.
    pub form: Form,
}

/// What the values of a feature are like.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Numbers.
    Number {
        /// Their mean.
        mean: f64,
        /// Their standard deviation, of the population; 1 where they are all the same.
        sd: f64,
    },
    /// Names.
    Category {
        /// The 254 most frequent, in falling frequency, ties by their bytes, with how many rows have each.
        names: Vec<(String, u64)>,
        /// Rows with another one.
        other: u64,
    },
}

/// Why there can be no row score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// No row is left to be kept.
    NoRows,
    /// There is no feature.
    NoFeatures,
    /// Features make more columns than a route may have.
    TooManyColumns {
        /// How many.
        columns: usize,
        /// How many may be.
        limit: usize,
    },
    /// A feature is a vector or a text: it is given as its numbers ([`super::embedding`], [`crate::text::numbers`]).
    NotExpanded,
    /// Means, counts or scores that cannot have come of rows.
    Broken,
}

/// How features become columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    features: Vec<Feature>,
    plans: Vec<Plan>,
    columns: usize,
}

/// A feature as it is looked up.
#[derive(Clone, Debug, PartialEq)]
struct Plan {
    first: usize,
    /// How far a gap stands from 0.
    gap: f32,
    /// The column of the gap, if the reference knows any.
    gap_at: Option<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Number {
        mean: f64,
        sd: f64,
    },
    /// Names by their bytes, with column and distance; then the column of the rarer ones; then how far a new name stands.
    Category {
        names: Vec<(String, usize, f32)>,
        other: Option<(usize, f32)>,
        unseen: f32,
    },
}

impl Feature {
    /// Says what the rows have in one feature; what is invalid is left out.
    pub(super) fn of<'a>(
        name: &str,
        kind: Kind,
        values: impl Iterator<Item = Value<'a>> + Clone,
    ) -> Result<Self, Unfit> {
        let (rows, missing) = values.clone().fold((0, 0), |(rows, missing), it| {
            (rows + u64::from(it.fits(kind)), missing + u64::from(it == Value::Missing))
        });
        let form = match kind {
            Kind::Number => {
                numbers(values.filter_map(|it| if let Value::Number(number) = it { Some(number) } else { None }))
            }
            Kind::Category => {
                names(values.filter_map(|it| if let Value::Category(name) = it { Some(name) } else { None }))
            }
            Kind::Vector(_) | Kind::Text => return Err(Unfit::NotExpanded),
        };
        Ok(Self { name: name.to_owned(), rows, missing, form })
    }

    fn sound(&self) -> bool {
        let seen = match &self.form {
            Form::Number { mean, sd } => return mean.is_finite() && sd.is_finite() && *sd > 0.0,
            Form::Category { names, other } => names.iter().try_fold(*other, |sum, it| sum.checked_add(it.1)),
        };
        seen.and_then(|it| it.checked_add(self.missing)) == Some(self.rows)
    }
}

fn numbers(values: impl Iterator<Item = f64> + Clone) -> Form {
    let values = values.filter(|it| it.is_finite()).map(|it| it.clamp(-BOUND, BOUND));
    let Some(first) = values.clone().next() else { return Form::Number { mean: 0.0, sd: 1.0 } };
    // From the first one on: numbers that are all the same differ from it by nothing, however large they are.
    let (n, sum) = values.clone().fold((0.0, 0.0), |(n, sum), it| (n + 1.0, sum + (it - first)));
    let mean = first + sum / n;
    let squares: f64 = values.fold(0.0, |sum, it| sum + (it - mean) * (it - mean));
    let sd = (squares / n).sqrt();
    Form::Number { mean, sd: if sd < CONSTANT { 1.0 } else { sd } }
}

fn names<'a>(values: impl Iterator<Item = &'a str>) -> Form {
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    values.for_each(|it| *counts.entry(it).or_default() += 1);
    let mut names: Vec<(String, u64)> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let other = names.iter().skip(NAMES).map(|it| it.1).sum();
    names.truncate(NAMES);
    Form::Category { names, other }
}

impl Encoder {
    /// Plans the columns of features.
    ///
    /// # Errors
    /// There is no feature, or they make too many columns, or what they say cannot be.
    pub fn of(features: Vec<Feature>) -> Result<Self, Unfit> {
        if features.is_empty() {
            return Err(Unfit::NoFeatures);
        }
        if !features.iter().all(Feature::sound) {
            return Err(Unfit::Broken);
        }
        let mut columns = 0;
        let plans = features.iter().map(|it| Plan::of(it, &mut columns)).collect();
        if columns > COLUMNS_AT_MOST {
            return Err(Unfit::TooManyColumns { columns, limit: COLUMNS_AT_MOST });
        }
        Ok(Self { features, plans, columns })
    }

    /// Returns the features, in their order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Returns how many columns they make.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Adds the columns of a row to those that are there, and returns what is to be added to each squared distance.
    pub(super) fn encode(&self, row: &[Value<'_>], columns: &mut Vec<f32>) -> Result<f32, Invalid> {
        let mut flat = 0.0;
        self.fill(row, columns, |_, it| flat += it)?;
        Ok(flat)
    }

    /// Returns what each feature adds to the squared distance from a kept row.
    pub(super) fn parts(&self, row: &[Value<'_>], kept: &[f32]) -> Result<Vec<(usize, f64)>, Invalid> {
        let mut parts: Vec<(usize, f64)> = (0..self.plans.len()).map(|it| (it, 0.0)).collect();
        let mut columns = Vec::with_capacity(self.columns);
        self.fill(row, &mut columns, |feature, it| parts[feature].1 += f64::from(it))?;
        let squares: Vec<f64> =
            columns.iter().zip(kept).map(|(a, b)| (f64::from(*a) - f64::from(*b)) * f64::from(a - b)).collect();
        for (at, plan) in self.plans.iter().enumerate() {
            let end = self.plans.get(at + 1).map_or(self.columns, |it| it.first);
            parts[at].1 += squares[plan.first..end].iter().sum::<f64>();
        }
        Ok(parts)
    }

    fn fill(&self, row: &[Value<'_>], columns: &mut Vec<f32>, mut flat: impl FnMut(usize, f32)) -> Result<(), Invalid> {
        let begin = columns.len();
        columns.resize(begin + self.columns, 0.0);
        let columns = &mut columns[begin..];
        for (feature, plan) in self.plans.iter().enumerate() {
            let value = row.get(feature).copied().unwrap_or(Value::Invalid);
            let (at, by) = match (value, &plan.values) {
                (Value::Missing, _) => (plan.gap_at, plan.gap),
                (Value::Number(number), Values::Number { mean, sd }) if number.is_finite() => {
                    (Some(plan.first), standardised(number, *mean, *sd))
                }
                (Value::Category(name), Values::Category { names, other, unseen }) => {
                    match (names.binary_search_by(|it| it.0.as_str().cmp(name)), other) {
                        (Ok(found), _) => (Some(names[found].1), names[found].2),
                        (Err(_), Some((at, by))) => (Some(*at), *by),
                        (Err(_), None) => (None, *unseen),
                    }
                }
                _ => return Err(Invalid { feature }),
            };
            match at {
                Some(at) => columns[at] = by,
                None => flat(feature, by * by),
            }
        }
        Ok(())
    }
}

impl Plan {
    fn of(feature: &Feature, columns: &mut usize) -> Self {
        let first = *columns;
        let mut next = || {
            *columns += 1;
            *columns - 1
        };
        let rarity = |count: u64| rarity(count, feature.rows);
        let values = match &feature.form {
            Form::Number { mean, sd } => {
                next();
                Values::Number { mean: *mean, sd: *sd }
            }
            Form::Category { names, other } => {
                let mut all: Vec<_> =
                    names.iter().map(|(name, count)| (name.clone(), next(), rarity(*count))).collect();
                all.sort_by(|a, b| a.0.cmp(&b.0));
                let other = (*other > 0).then(|| (next(), rarity(*other)));
                Values::Category { names: all, other, unseen: rarity(0) }
            }
        };
        let gap_at = (feature.missing > 0).then(&mut next);
        Self { first, gap: rarity(feature.missing), gap_at, values }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most a thousand")]
fn standardised(number: f64, mean: f64, sd: f64) -> f32 {
    ((number.clamp(-BOUND, BOUND) - mean) / sd).clamp(-CLIP, CLIP) as f32
}

/// Returns how far from 0 stands what so many of the rows have: 1/√(2p(1−p)) with p = (k+½)/(n+1).
fn rarity(count: u64, rows: u64) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    let p = (count.min(rows) as f64 + 0.5) / (rows as f64 + 1.0);
    #[expect(clippy::cast_possible_truncation, reason = "at most a thousand")]
    let rarity = (1.0 / (2.0 * p * (1.0 - p)).sqrt()).min(CLIP) as f32;
    rarity
}
