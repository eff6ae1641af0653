//! `Scaler` and `Normalizer`: columns, or rows, brought to one size.
//!
//! # Source
//! ONNX-ML operators, version 1.

use super::{Operator, table};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Tensor},
};

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
        let (rows, columns, numbers) = table(inputs[0])?;
        for (name, found) in [("offset", self.offset.len()), ("scale", self.scale.len())] {
            if found != columns && found != 1 {
                return Err(format!("`{name}` has {found} numbers for {columns} columns"));
            }
        }
        let of = |list: &[f32], at: usize| list[if list.len() == 1 { 0 } else { at % columns }];
        let numbers = match inputs[0].data() {
            // What an f32 cannot hold may be small once the offset is gone.
            Data::F64(wide) => {
                let scaled = |(at, x): (usize, &f64)| {
                    ((x - f64::from(of(&self.offset, at))) * f64::from(of(&self.scale, at))) as f32
                };
                wide.iter().enumerate().map(scaled).collect()
            }
            _ => numbers.iter().enumerate().map(|(at, x)| (x - of(&self.offset, at)) * of(&self.scale, at)).collect(),
        };
        Ok(vec![Tensor::table(rows, columns, numbers)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
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

    fn scale(self, row: &mut [f32], squares: &[f32]) {
        let size = match self {
            Self::Max => row.iter().copied().fold(f32::MIN, f32::max),
            Self::L1 => row.iter().fold(0.0, |sum, it| sum + it.abs()),
            Self::L2 => squares.iter().fold(0.0, |sum, it| sum + it),
        };
        if size == 0.0 {
            return;
        }
        for (it, square) in row.iter_mut().zip(squares) {
            *it = match self {
                Self::Max | Self::L1 => *it / size,
                // The root of the share, as the ONNX Runtime takes it: not the share of the root.
                Self::L2 if *it < 0.0 => -(square / size).sqrt(),
                Self::L2 => (square / size).sqrt(),
            };
        }
    }
}

/// Squares in the width of the numbers, rounded then; those of whole numbers cannot overflow.
fn squares(tensor: &Tensor) -> Vec<f32> {
    match tensor.data() {
        Data::F32(it) => it.iter().map(|it| it * it).collect(),
        Data::F64(it) => it.iter().map(|it| (it * it) as f32).collect(),
        Data::I32(it) => it.iter().map(|it| (i64::from(*it) * i64::from(*it)) as f32).collect(),
        Data::I64(it) => it.iter().map(|it| (i128::from(*it) * i128::from(*it)) as f32).collect(),
        Data::Bool(_) | Data::Text(_) => Vec::new(),
    }
}

impl Operator for Normalizer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (rows, columns, mut numbers) = table(inputs[0])?;
        let width = columns.max(1);
        for (row, squares) in numbers.chunks_exact_mut(width).zip(squares(inputs[0]).chunks_exact(width)) {
            self.scale(row, squares);
        }
        Ok(vec![Tensor::table(rows, columns, numbers)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
    }
}
