//! Extent: how a value stands to the rows of a request.
//!
//! It is proven when a model is loaded. Where every output has its rows, and each of them follows from the same row of the
//! inputs alone, rows may be computed in parts, and those of several requests together.
//!
//! # Invariants
//! - `EXTENT-1`: what is called `Rows` would be the same, row by row, if each row were computed alone. What is not known to
//!   be is `Mixed`.

/// How a value stands to the rows of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is the same whatever is asked; its shape, where that is known.
    Fixed(Option<Vec<usize>>),
    /// It has so many dimensions, the first of which counts the rows.
    Rows(usize),
    /// Neither, or nobody knows.
    Mixed,
}

impl Extent {
    /// The extent of what is computed of a table, row by row: ONNX-ML reads a single dimension as one row.
    pub(crate) fn of_table(inputs: &[Self], rank: usize) -> Self {
        if inputs.iter().all(|it| *it == Self::Rows(2)) { Self::Rows(rank) } else { Self::Mixed }
    }

    /// The extent of what is computed element by element of the first of the inputs.
    pub(crate) fn of_each(inputs: &[Self]) -> Self {
        inputs.first().cloned().unwrap_or(Self::Mixed)
    }

    /// The extent of what inputs become that are broadcast.
    pub(crate) fn broadcast(inputs: &[Self]) -> Self {
        let ranks = inputs.iter().filter_map(|it| if let Self::Rows(rank) = it { Some(*rank) } else { None });
        let Some(rank) = ranks.clone().max() else { return Self::Mixed };
        let fits = |it: &Self| match it {
            Self::Rows(one) => *one == rank,
            Self::Fixed(Some(shape)) => shape.len() < rank || (shape.len() == rank && shape[0] == 1),
            Self::Fixed(None) | Self::Mixed => false,
        };
        if inputs.iter().all(fits) { Self::Rows(rank) } else { Self::Mixed }
    }

    /// The extent of what is computed along one axis: of rows where the axis is another than theirs.
    ///
    /// # Units
    /// `axis` may count from the end.
    pub(crate) fn along(&self, axis: i64, rank: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Rows(all) => {
                let place = if axis < 0 { axis.saturating_add(*all as i64) } else { axis };
                if (1..*all as i64).contains(&place) { Self::Rows(rank(*all)) } else { Self::Mixed }
            }
            _ => Self::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Extent::{Fixed, Mixed, Rows};
    use super::*;

    #[test]
    fn extent_1_rows_stay_rows_only_where_nothing_else_meets_the_first_dimension() {
        let fixed = |shape: &[usize]| Fixed(Some(shape.into()));
        let check = |inputs: &[Extent], expected: Extent| assert_eq!(Extent::broadcast(inputs), expected, "{inputs:?}");
        check(&[Rows(2), fixed(&[3])], Rows(2));
        check(&[fixed(&[1, 3]), Rows(2)], Rows(2));
        check(&[Rows(2), Rows(2)], Rows(2));
        check(&[Rows(2), fixed(&[2, 3])], Mixed);
        check(&[Rows(1), Rows(2)], Mixed);
        check(&[Rows(1), fixed(&[4])], Mixed);
        check(&[Rows(2), fixed(&[1, 1, 1])], Mixed);
        check(&[Rows(2), Fixed(None)], Mixed);
        check(&[Rows(2), Mixed], Mixed);
        assert_eq!(Rows(2).along(1, |it| it), Rows(2));
        assert_eq!(Rows(2).along(-1, |it| it - 1), Rows(1));
        assert_eq!(Rows(1).along(-1, |it| it), Mixed, "the last is the first");
        assert_eq!(Rows(2).along(0, |it| it), Mixed);
        assert_eq!(Rows(2).along(2, |it| it), Mixed, "there is no such axis");
        assert_eq!(Extent::of_table(&[Rows(1)], 2), Mixed, "one dimension is one row");
    }
}
