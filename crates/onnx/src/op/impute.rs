//! `Imputer` and `Binarizer`: a number for a missing one, and a yes or no for a number.
//!
//! # Source
//! ONNX-ML operators, version 1.

use super::Operator;
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Tensor},
};

/// Puts a value of its column, or one for all, where a value means that there is none.
#[derive(Debug)]
pub(super) enum Imputer {
    Fractions { missing: f32, imputed: Vec<f32> },
    Whole { missing: i64, imputed: Vec<i64> },
}

impl Imputer {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let (fractions, whole) = (attributes.floats("imputed_value_floats"), attributes.ints("imputed_value_int64s"));
        match (fractions.is_empty(), whole.is_empty()) {
            (false, true) => Ok(Self::Fractions {
                missing: attributes.float("replaced_value_float").unwrap_or(0.0),
                imputed: fractions.into(),
            }),
            (true, false) => {
                Ok(Self::Whole { missing: attributes.int("replaced_value_int64").unwrap_or(0), imputed: whole.into() })
            }
            _ => Err("exactly one list of imputed values must be given".into()),
        }
    }
}

impl Operator for Imputer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let input = inputs[0];
        let columns = match input.shape() {
            [columns] | [_, columns, ..] => *columns,
            [] => return Err("one number is no table".into()),
        };
        macro_rules! impute {
            ($values:expr, $imputed:expr, $is_missing:expr) => {{
                let each = $imputed.len() == columns;
                if !each && $imputed.len() != 1 {
                    return Err(format!("there are {} imputed values for {columns} columns", $imputed.len()));
                }
                let of = |at: usize| $imputed[if each { at % columns } else { 0 }];
                $values.iter().enumerate().map(|(at, it)| if $is_missing(*it) { of(at) } else { *it }).collect()
            }};
        }
        let data = match (self, input.data()) {
            (Self::Fractions { missing, imputed }, Data::F32(values)) => {
                let is_missing = |it: f32| it == *missing || (it.is_nan() && missing.is_nan());
                Data::F32(impute!(values, imputed, is_missing))
            }
            (Self::Whole { missing, imputed }, Data::I64(values)) => {
                Data::I64(impute!(values, imputed, |it: i64| it == *missing))
            }
            _ => return Err(format!("{:?} is not what it imputes", input.kind())),
        };
        Ok(vec![input.with(data)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            // Of one dimension, that dimension is the columns.
            [Extent::Rows(rank)] if *rank > 1 => Extent::Rows(*rank),
            _ => Extent::Mixed,
        }]
    }
}

/// One above the threshold, else zero.
#[derive(Debug)]
pub(super) struct Binarizer(f32);

impl Binarizer {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        Self(attributes.float("threshold").unwrap_or(0.0))
    }
}

impl Operator for Binarizer {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let Data::F32(values) = inputs[0].data() else { return Err("it takes F32".into()) };
        if values.iter().any(|it| it.is_nan()) {
            return Err("a NaN is neither above nor below".into());
        }
        let ones = values.iter().map(|it| if *it > self.0 { 1.0 } else { 0.0 }).collect();
        Ok(vec![inputs[0].with(Data::F32(ones))])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}
