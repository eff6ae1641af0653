//! Rows: some rows of a tensor as a tensor of their own, and the rows of several put together in their order (OIP-35).
//!
//! # Invariants
//! - `CUT-1`: rows that were taken apart and put together again are the tensor that they were, bit for bit.
//! - `CUT-2`: rows that stand together are a slice of the bytes that they were, and no copy.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.2.

use std::ops::Range;

use super::{Count, Infer, InferAnswer, Input, Output, Tensor, elements};

/// Where the rows of a tensor begin and end in its bytes.
enum Spans {
    /// Rows of so many bytes.
    Alike(usize),
    /// The end of each row.
    Ends(Vec<usize>),
}

impl Spans {
    fn of(tensor: &Tensor) -> Option<Self> {
        let (rows, row) = tensor.shape().split_first()?;
        let (rows, width) = (usize::try_from(*rows).ok()?, usize::try_from(elements(row)?).ok()?);
        if let Some(size) = tensor.datatype().size() {
            return Some(Self::Alike(width.checked_mul(size)?));
        }
        if width == 0 {
            return Some(Self::Alike(0));
        }
        let mut ends = Vec::with_capacity(rows);
        let mut end = 0;
        for (at, element) in tensor.strings().enumerate() {
            end += element.len() + 4;
            if (at + 1) % width == 0 {
                ends.push(end);
            }
        }
        (ends.len() == rows).then_some(Self::Ends(ends))
    }

    fn of_row(&self, row: usize) -> Range<usize> {
        match self {
            Self::Alike(size) => row * size..(row + 1) * size,
            Self::Ends(ends) => row.checked_sub(1).map_or(0, |before| ends[before])..ends[row],
        }
    }
}

impl Tensor {
    /// Takes some of its rows, in ascending order; none where it has no such rows.
    pub(crate) fn rows(&self, rows: &[usize]) -> Option<Self> {
        let spans = Spans::of(self)?;
        let count = usize::try_from(*self.shape.first()?).ok()?;
        let (first, last) = (rows.first().copied(), rows.last().copied());
        if last.is_some_and(|last| last >= count) || !rows.is_sorted_by(|a, b| a < b) {
            return None;
        }
        let data = match (first, last) {
            (Some(first), Some(last)) if last - first + 1 == rows.len() => {
                self.data.slice(spans.of_row(first).start..spans.of_row(last).end)
            }
            _ => {
                let mut data = Vec::with_capacity(rows.iter().map(|row| spans.of_row(*row).len()).sum());
                rows.iter().for_each(|row| data.extend_from_slice(&self.data[spans.of_row(*row)]));
                data.into()
            }
        };
        let mut shape = self.shape.clone();
        shape[0] = rows.len() as u64;
        Self::new(self.name.clone(), self.datatype, shape, data).ok()
    }

    /// Puts the rows of several tensors together: each with the places that its rows have in the whole. None where they do not
    /// fit one another, or are not all of so many rows, each once.
    pub(crate) fn of_rows(parts: &[(&[usize], &Self)], rows: usize) -> Option<Self> {
        let (_, first) = parts.first()?;
        let alike = |it: &Self| {
            it.name == first.name && it.datatype == first.datatype && it.shape.get(1..) == first.shape.get(1..)
        };
        let mut places: Vec<Option<(usize, usize)>> = vec![None; rows];
        let mut spans = Vec::with_capacity(parts.len());
        for (part, (of, tensor)) in parts.iter().enumerate() {
            if !alike(tensor) || tensor.shape.first() != Some(&(of.len() as u64)) {
                return None;
            }
            for (at, row) in of.iter().enumerate() {
                if places.get_mut(*row)?.replace((part, at)).is_some() {
                    return None;
                }
            }
            spans.push(Spans::of(tensor)?);
        }
        let mut data = Vec::with_capacity(parts.iter().map(|(_, it)| it.data.len()).sum());
        for place in places {
            let (part, at) = place?;
            data.extend_from_slice(&parts[part].1.data[spans[part].of_row(at)]);
        }
        let mut shape = first.shape.clone();
        *shape.first_mut()? = rows as u64;
        Self::new(first.name.clone(), first.datatype, shape, data.into()).ok()
    }
}

impl Infer {
    /// Asks for some rows only; none where an input has not so many.
    pub(crate) fn rows(&self, rows: &[usize]) -> Option<Self> {
        let input = |it: &Input| Some(Input { tensor: it.tensor.rows(rows)?, ..it.clone() });
        let inputs = self.inputs.iter().map(input).collect::<Option<_>>()?;
        Some(Self { inputs, count: Count { rows: rows.len() as u64, ..self.count }, ..self.clone() })
    }
}

impl InferAnswer {
    /// Takes some rows of an answer; none where an output has not so many.
    pub(crate) fn rows(&self, rows: &[usize]) -> Option<Self> {
        let output = |it: &Output| Some(Output { tensor: it.tensor.rows(rows)?, ..it.clone() });
        let outputs = self.outputs.iter().map(output).collect::<Option<_>>()?;
        let unposted = self.unposted.iter().map(|it| it.rows(rows)).collect::<Option<_>>()?;
        Some(Self { parameters: self.parameters.clone(), outputs, unposted, calibrated: None })
    }

    /// Puts the rows of several answers together, each with the places of its rows; what the first says of itself and of its
    /// outputs stays. None where they do not fit one another.
    pub(crate) fn of_rows<'a>(parts: &[(&[usize], &'a Self)], rows: usize) -> Option<Self> {
        let (_, first) = parts.first()?;
        if parts.iter().any(|(_, it)| it.outputs.len() != first.outputs.len()) {
            return None;
        }
        let whole = |name: &str, of: fn(&'a Self, &str) -> Option<&'a Tensor>| {
            let tensors = parts.iter().map(|&(rows, answer)| Some((rows, of(answer, name)?)));
            Tensor::of_rows(&tensors.collect::<Option<Vec<_>>>()?, rows)
        };
        let output = |it: &Output| {
            let tensor = whole(it.tensor.name(), Self::output)?;
            Some(Output { tensor, parameters: it.parameters.clone() })
        };
        let outputs = first.outputs.iter().map(output).collect::<Option<_>>()?;
        let others = |name: &&str| parts.iter().any(|(_, it)| it.unposted.iter().any(|it| it.name() == *name));
        let names = first.outputs.iter().map(|it| it.tensor.name()).filter(others);
        let unposted = names.map(|name| whole(name, Self::unposted)).collect::<Option<_>>()?;
        Some(Self { parameters: first.parameters.clone(), outputs, unposted, calibrated: None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::{Datatype, any_tensor};

    #[test]
    fn oip_35_rows_of_text_are_taken_whole() {
        let text = Tensor::from_bytes("t", vec![3, 2], &["a", "", "long", "\0\u{1}", "x", "yz"]).expect("it fits");
        let some = text.rows(&[0, 2]).expect("they are there");
        assert_eq!(
            (some.shape(), some.strings().collect::<Vec<_>>()),
            (&[2, 2][..], vec![&b"a"[..], b"", b"x", b"yz"])
        );
        assert_eq!(text.rows(&[]).expect("none is some").shape(), [0, 2]);
    }

    #[test]
    fn oip_35_what_does_not_fit_is_not_put_together() {
        let whole = Tensor::from_i64("y", vec![3], &[1, 2, 3]).expect("it fits");
        assert_eq!((whole.rows(&[3]), whole.rows(&[1, 0]), whole.rows(&[1, 1])), (None, None, None));
        let (one, two) = (whole.rows(&[0]).expect("one"), whole.rows(&[1, 2]).expect("two"));
        assert_eq!(Tensor::of_rows(&[(&[1, 2], &two), (&[0], &one)], 3), Some(whole.clone()));
        for wrong in [
            &[(&[0][..], &one)][..],
            &[(&[0, 1], &two), (&[1], &one)],
            &[(&[0, 3], &two), (&[1], &one)],
            &[(&[0], &two), (&[1], &one)],
            &[],
        ] {
            assert_eq!(Tensor::of_rows(wrong, 3), None);
        }
        let other = Tensor::from_bools("y", vec![1], &[true]).expect("it fits");
        let wide = Tensor::from_i64("y", vec![1, 1], &[1]).expect("it fits");
        let named = one.clone().named("z");
        for wrong in [&other, &wide, &named] {
            assert_eq!(Tensor::of_rows(&[(&[1, 2], &two), (&[0], wrong)], 3), None);
        }
        let scalar = Tensor::from_i64("y", vec![], &[1]).expect("it fits");
        assert_eq!(scalar.rows(&[0]), None);
    }

    #[test]
    fn oip_35_cut_2_rows_that_stand_together_are_a_slice() {
        let whole = Tensor::from_f32("y", vec![4, 2], &[0.0; 8]).expect("it fits");
        let some = whole.rows(&[1, 2]).expect("they are there");
        assert_eq!(some.data().as_ptr(), whole.data()[8..].as_ptr());
    }

    proptest! {
        #[test]
        fn oip_35_cut_1_what_is_taken_apart_and_put_together_is_what_it_was(tensor in any_tensor(), bits: u64) {
            let Some(rows) = tensor.shape().first().map(|it| *it as usize) else { return Ok(()) };
            let of = |part: u64| (0..rows).filter(|row| bits >> (2 * row) & 3 == part).collect::<Vec<_>>();
            let parts: Vec<_> = (0..4).map(of).collect();
            let tensors: Vec<_> = parts.iter().map(|rows| tensor.rows(rows).expect("they are there")).collect();
            let parts: Vec<_> = parts.iter().map(Vec::as_slice).zip(&tensors).collect();
            prop_assert_eq!(Tensor::of_rows(&parts, rows), Some(tensor.clone()));
            if tensor.datatype() != Datatype::Bytes && rows > 0 {
                prop_assert_eq!(tensor.rows(&(0..rows).collect::<Vec<_>>()).expect("all").data().as_ptr(), tensor.data().as_ptr());
            }
        }
    }
}
