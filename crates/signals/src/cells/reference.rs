//! Reference: the cells of one scalar with the rows that each had when all was well.

use super::{Categories, Ends, categories::tallied};
use crate::{row, shape::Incompatible};

/// One value of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number; NaN and infinities are invalid.
    Number(f64),
    /// A category, a label, a truth value.
    Category(&'a str),
    /// There is none.
    Missing,
    /// There is one that cannot be read.
    Invalid,
}

impl<'a> From<row::Value<'a>> for Value<'a> {
    /// A value of a scalar as its cells take it; a text and a vector are no scalars.
    fn from(value: row::Value<'a>) -> Self {
        match value {
            row::Value::Missing => Self::Missing,
            row::Value::Number(number) => Self::Number(number),
            row::Value::Category(name) => Self::Category(name),
            row::Value::Text(_) | row::Value::Vector(_) | row::Value::Invalid => Self::Invalid,
        }
    }
}

/// What a scalar's regular cells are.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Intervals.
    Numbers(Ends),
    /// Names.
    Categories(Categories),
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label<'a> {
    /// Rows without a value.
    Missing,
    /// Numbers above the first and up to the second; infinite where there is no end.
    Interval(f64, f64),
    /// One category.
    Category(&'a str),
    /// Categories that were seen and have no cell of their own.
    Other,
    /// Categories that were not seen.
    Unseen,
    /// What cannot be read.
    Invalid,
}

/// A reference distribution: cells with their counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    kind: Kind,
    counts: Vec<u64>,
    /// Rows in the cells before each, and of all at the end.
    below: Vec<u64>,
}

impl Cells {
    /// Makes cells of a column of numbers. A category among them is invalid.
    pub fn numbers<'a>(values: impl IntoIterator<Item = Value<'a>>) -> Self {
        Self::intervals(values, Ends::of_numbers)
    }

    /// Makes cells of a private column of numbers: no value of a row is told that not many share.
    pub fn private_numbers<'a>(values: impl IntoIterator<Item = Value<'a>>) -> Self {
        Self::intervals(values, Ends::of_private)
    }

    fn intervals<'a>(
        values: impl IntoIterator<Item = Value<'a>>,
        ends: impl FnOnce(&mut [f64], usize) -> Ends,
    ) -> Self {
        let values: Vec<Value<'_>> = values.into_iter().collect();
        let finite = |it: &Value<'_>| if let Value::Number(x) = it { Some(*x).filter(|x| x.is_finite()) } else { None };
        let mut numbers: Vec<f64> = values.iter().filter_map(finite).collect();
        let kind = Kind::Numbers(ends(&mut numbers, values.len()));
        let mut counts = vec![0; cells(&kind)];
        values.iter().for_each(|it| counts[cell(&kind, *it)] += 1);
        Self::new(kind, counts)
    }

    /// Makes cells of a column of categories, whose order has nothing to do with them. A number among them is invalid. Where it is by chance
    /// which names are frequent, every fourth row chooses those that have a cell, and the others alone are counted.
    pub fn categories<'a>(values: impl IntoIterator<Item = Value<'a>>) -> Self {
        let values: Vec<Value<'_>> = values.into_iter().collect();
        let name = |it: &Value<'a>| if let Value::Category(name) = it { Some(*name) } else { None };
        let names: Vec<Option<&str>> = values.iter().map(name).collect();
        let tally = tallied(names.iter().flatten().copied());
        let (categories, counted) = Categories::chosen(&names, &tally);
        // What was there once is as rare as what was never there, unless there is too much to tell them apart.
        let once = categories.cells() - usize::from(categories.others().is_none());
        let kind = Kind::Categories(categories);
        let mut counts = vec![0; cells(&kind)];
        for (_, value) in values.iter().enumerate().filter(|it| counted.has(it.0)) {
            let is_once = name(value).is_some_and(|name| tally[name] == 1);
            counts[if is_once { once } else { cell(&kind, *value) }] += 1;
        }
        Self::new(kind, counts)
    }

    /// Takes cells as they were kept; none where the counts are not one for each cell, or their sum is no number.
    pub fn of(kind: Kind, counts: Vec<u64>) -> Option<Self> {
        let sum = counts.iter().try_fold(0_u64, |sum, it| sum.checked_add(*it));
        (counts.len() == cells(&kind) && sum.is_some()).then(|| Self::new(kind, counts))
    }

    fn new(kind: Kind, counts: Vec<u64>) -> Self {
        let mut below = Vec::with_capacity(counts.len() + 1);
        let mut sum = 0;
        for count in &counts {
            below.push(sum);
            sum += count;
        }
        below.push(sum);
        Self { kind, counts, below }
    }

    /// Returns what the regular cells are.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Returns the names of its regular cells; none where they are intervals.
    pub fn names(&self) -> Option<&Categories> {
        match &self.kind {
            Kind::Categories(names) => Some(names),
            Kind::Numbers(_) => None,
        }
    }

    /// Returns the rows of each cell.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Returns the rows of the reference.
    pub fn rows(&self) -> u64 {
        self.below[self.counts.len()]
    }

    /// Returns the cell of a value (`CEL-2`).
    #[inline]
    pub fn cell(&self, value: Value<'_>) -> usize {
        cell(&self.kind, value)
    }

    /// Returns the rows of the reference in the cells before this one, and up to and including it.
    #[inline]
    pub fn ranks(&self, cell: usize) -> (u64, u64) {
        (self.below[cell], self.below[cell + 1])
    }

    /// Returns what a cell holds; none beyond the last.
    pub fn label(&self, cell: usize) -> Option<Label<'_>> {
        let regular = cell.checked_sub(1);
        match (regular, &self.kind) {
            _ if cell >= self.counts.len() => None,
            (None, _) => Some(Label::Missing),
            _ if cell + 1 == self.counts.len() => Some(Label::Invalid),
            (Some(at), Kind::Numbers(ends)) => {
                let end = |at: Option<usize>, beyond| at.and_then(|at| ends.ends().get(at)).copied().unwrap_or(beyond);
                Some(Label::Interval(end(at.checked_sub(1), f64::NEG_INFINITY), end(Some(at), f64::INFINITY)))
            }
            (Some(at), Kind::Categories(it)) if at + 2 == it.cells() => Some(Label::Other),
            (Some(at), Kind::Categories(it)) => {
                it.names().get(at).map_or(Some(Label::Unseen), |it| Some(Label::Category(it)))
            }
        }
    }

    /// Adds the rows of another reference (`CEL-3`).
    ///
    /// # Errors
    /// Its cells differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        let counts: Vec<u64> = self.counts.iter().zip(&other.counts).map(|(a, b)| a.saturating_add(*b)).collect();
        let merged = (self.kind == other.kind).then(|| Self::of(self.kind.clone(), counts)).flatten();
        *self = merged.ok_or(Incompatible::Grid)?;
        Ok(())
    }
}

/// How many cells there are: missing, the regular ones, invalid (`CEL-1`).
fn cells(kind: &Kind) -> usize {
    2 + match kind {
        Kind::Numbers(ends) => ends.cells(),
        Kind::Categories(categories) => categories.cells(),
    }
}

#[inline]
fn cell(kind: &Kind, value: Value<'_>) -> usize {
    match (value, kind) {
        (Value::Missing, _) => 0,
        (Value::Number(x), Kind::Numbers(ends)) if x.is_finite() => 1 + ends.cell(x),
        (Value::Category(name), Kind::Categories(categories)) => 1 + categories.cell(name),
        _ => cells(kind) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cel_1_and_2_every_value_has_a_cell_in_the_fixed_order() {
        let values = [1.0, 2.0, f64::NAN, f64::INFINITY].map(Value::Number);
        let cells = Cells::numbers(values.into_iter().chain([Value::Missing, Value::Category("x"), Value::Invalid]));
        assert_eq!(cells.counts(), [1, 0, 1, 0, 1, 0, 4]);
        assert_eq!((cells.rows(), cells.ranks(4)), (7, (2, 3)));
        let found =
            [Value::Missing, Value::Number(1.0), Value::Number(1.5), Value::Number(9.0), Value::Number(f64::NAN)];
        assert_eq!(found.map(|it| cells.cell(it)), [0, 2, 3, 5, 6]);
        let labels = [0, 1, 5, 6, 7].map(|it| cells.label(it));
        let (below, above) =
            (Label::Interval(f64::NEG_INFINITY, 1.0_f64.next_down()), Label::Interval(2.0, f64::INFINITY));
        assert_eq!(labels, [Some(Label::Missing), Some(below), Some(above), Some(Label::Invalid), None]);
    }

    #[test]
    fn categories_end_with_other_unseen_and_invalid() {
        let column = ["a", "b", "a", "b", "a", "c"].map(Value::Category);
        let cells = Cells::categories(column.into_iter().chain([Value::Missing, Value::Number(1.0)]));
        assert_eq!(cells.counts(), [1, 3, 2, 0, 1, 1]);
        let found = [Value::Missing, Value::Category("b"), Value::Category("c"), Value::Category("d"), Value::Invalid];
        assert_eq!(found.map(|it| cells.cell(it)), [0, 2, 3, 4, 5]);
        let labels = [1, 3, 4].map(|it| cells.label(it));
        assert_eq!(labels, [Some(Label::Category("a")), Some(Label::Other), Some(Label::Unseen)]);
    }

    #[test]
    fn cel_3_rows_add_and_other_cells_are_refused() {
        let column = |values: &[f64]| Cells::numbers(values.iter().map(|it| Value::Number(*it)));
        let mut one = column(&[1.0, 2.0, 2.0]);
        one.merge(&column(&[1.0, 1.0, 2.0])).expect("alike");
        assert_eq!((one.rows(), one.counts()), (6, &[0, 0, 3, 0, 3, 0, 0][..]));
        assert_eq!(one.merge(&column(&[1.0, 3.0])), Err(Incompatible::Grid));
        let kind = one.kind().clone();
        assert_eq!(Cells::of(kind.clone(), one.counts().to_vec()), Some(one));
        assert_eq!([Cells::of(kind.clone(), vec![1]), Cells::of(kind, vec![u64::MAX; 7])], [None, None]);
    }
}
