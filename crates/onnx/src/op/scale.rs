//! `Scaler` and `Normalizer`: columns, or rows, brought to one size.
//!
//! # Source
//! ONNX-ML operators, version 1.

use super::{Operator, table};
use crate::{attribute::Attributes, tensor::Tensor};

/// Subtracts, then multiplies, column by column.
#[derive(Debug)]
pub(super) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Scaler {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        Self { offset: attributes.floats("offset").into(), scale: attributes.floats("scale").into() }
    }
}

impl Operator for Scaler {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (rows, columns, mut numbers) = table(inputs[0])?;
        for (name, found) in [("offset", self.offset.len()), ("scale", self.scale.len())] {
            if found != columns && found != 1 {
                return Err(format!("`{name}` has {found} numbers for {columns} columns"));
            }
        }
        let of = |list: &[f32], column: usize| list[if list.len() == 1 { 0 } else { column }];
        for (at, number) in numbers.iter_mut().enumerate() {
            let column = at % columns;
            *number = (*number - of(&self.offset, column)) * of(&self.scale, column);
        }
        Ok(vec![Tensor::table(rows, columns, numbers)])
    }
}

/// Divides each row by its norm; a row whose norm is zero stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Normalizer {
    Max,
    L1,
    L2,
}

impl Normalizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        match attributes.text("norm").as_deref() {
            None | Some("MAX") => Ok(Self::Max),
            Some("L1") => Ok(Self::L1),
            Some("L2") => Ok(Self::L2),
            Some(other) => Err(format!("`norm` has {other:?}, which is none of its words")),
        }
    }

    fn norm(self, row: &[f32]) -> f32 {
        match self {
            Self::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Self::L1 => row.iter().map(|it| it.abs()).sum(),
            Self::L2 => row.iter().map(|it| it * it).sum::<f32>().sqrt(),
        }
    }
}

impl Operator for Normalizer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (rows, columns, mut numbers) = table(inputs[0])?;
        for row in numbers.chunks_exact_mut(columns.max(1)) {
            let norm = self.norm(row);
            if norm != 0.0 {
                row.iter_mut().for_each(|it| *it /= norm);
            }
        }
        Ok(vec![Tensor::table(rows, columns, numbers)])
    }
}
