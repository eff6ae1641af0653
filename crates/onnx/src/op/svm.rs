//! `SVMRegressor` and `SVMClassifier`: how near a row is to support vectors.
//!
//! # Source
//! ONNX-ML operators, version 1; C.-C. Chang and C.-J. Lin, "LIBSVM" (2011), for what the numbers mean.

mod classify;
mod couple;

pub(super) use classify::Classifier;

use super::{Operator, products, room, table};
use crate::{attribute::Attributes, extent::Extent, tensor::Tensor};

/// How near two vectors are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kernel {
    Linear,
    Poly { gamma: f32, coef0: f32, degree: f32 },
    Rbf { gamma: f32 },
    Sigmoid { gamma: f32, coef0: f32 },
}

impl Kernel {
    fn read(attributes: Attributes<'_>) -> Result<Self, String> {
        let (gamma, coef0, degree) = match attributes.floats("kernel_params") {
            [] => (0.0, 0.0, 0.0),
            [gamma, coef0, degree, ..] => (*gamma, *coef0, *degree),
            other => return Err(format!("`kernel_params` has {} numbers, not 3", other.len())),
        };
        Ok(match attributes.text("kernel_type").as_deref() {
            None | Some("LINEAR") => Self::Linear,
            Some("POLY") => Self::Poly { gamma, coef0, degree },
            Some("RBF") => Self::Rbf { gamma },
            Some("SIGMOID") => Self::Sigmoid { gamma, coef0 },
            Some(other) => return Err(format!("`kernel_type` has {other:?}, which is none of its words")),
        })
    }

    fn of(self, a: &[f32], b: &[f32]) -> f32 {
        let dot = |scale: f32, more: f32| {
            let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
            (f64::from(scale) * products.sum::<f64>() + f64::from(more)) as f32
        };
        match self {
            Self::Linear => dot(1.0, 0.0),
            Self::Poly { gamma, coef0, degree } => f64::from(dot(gamma, coef0)).powf(f64::from(degree)) as f32,
            Self::Rbf { gamma } => {
                let distance = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).fold(0.0_f32, |sum, it| sum + it);
                (-gamma * distance).exp()
            }
            Self::Sigmoid { gamma, coef0 } => f64::from(dot(gamma, coef0)).tanh() as f32,
        }
    }
}

/// Vectors that rows are compared with.
#[derive(Debug)]
struct Vectors {
    kernel: Kernel,
    numbers: Vec<f32>,
    count: usize,
}

impl Vectors {
    fn new(kernel: Kernel, numbers: &[f32], count: usize) -> Result<Self, String> {
        match count > 0 && !numbers.is_empty() && numbers.len().is_multiple_of(count) {
            true => Ok(Self { kernel, numbers: numbers.into(), count }),
            false => Err(format!("{} numbers are not {count} vectors", numbers.len())),
        }
    }

    /// Hands out, row by row, how near it is to each vector; returns the rows.
    fn run(&self, input: &Tensor, mut row_done: impl FnMut(&[f32])) -> Result<usize, String> {
        let (rows, columns, numbers) = table(input)?;
        let width = self.numbers.len() / self.count;
        if columns != width {
            return Err(format!("the vectors have {width} numbers, the input has {columns} columns"));
        }
        products([rows, self.count, width])?;
        let mut near = vec![0.0; self.count];
        for row in numbers.chunks_exact(width).take(rows) {
            for (it, vector) in near.iter_mut().zip(self.numbers.chunks_exact(width)) {
                *it = self.kernel.of(row, vector);
            }
            row_done(&near);
        }
        Ok(rows)
    }
}

/// One number a row.
#[derive(Debug)]
pub(super) struct Regressor {
    vectors: Vectors,
    /// What each vector weighs; none where the sum itself is the only vector.
    weights: Option<Vec<f32>>,
    rho: f32,
    /// One inside and minus one outside.
    one_class: bool,
}

impl Regressor {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let rho = *attributes.floats("rho").first().ok_or("`rho` is missing")?;
        let (weights, one_class) = (attributes.floats("coefficients"), attributes.flag("one_class", false));
        // What is transformed afterwards, the ONNX Runtime does not transform; nor does any exporter ask for it.
        if attributes.text("post_transform").is_some_and(|it| it != "NONE") {
            return Err("`post_transform` of a regressor is not offered".into());
        }
        let count =
            usize::try_from(attributes.int("n_supports").unwrap_or(0)).map_err(|_| "`n_supports` is below 0")?;
        if count == 0 {
            let vectors = Vectors::new(Kernel::Linear, weights, 1)?;
            return Ok(Self { vectors, weights: None, rho, one_class });
        }
        let vectors = Vectors::new(Kernel::read(attributes)?, attributes.floats("support_vectors"), count)?;
        if weights.len() != count {
            return Err(format!("`coefficients` has {} numbers for {count} vectors", weights.len()));
        }
        Ok(Self { vectors, weights: Some(weights.into()), rho, one_class })
    }
}

impl Operator for Regressor {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let mut out = Vec::new();
        let rows = self.vectors.run(inputs[0], |near| {
            let sum: f64 = match &self.weights {
                None => f64::from(near[0]),
                Some(weights) => near.iter().zip(weights).map(|(near, it)| f64::from(*near) * f64::from(*it)).sum(),
            };
            let value = (sum + f64::from(self.rho)) as f32;
            out.push(match self.one_class {
                true if value > 0.0 => 1.0,
                true => -1.0,
                false => value,
            });
        })?;
        Ok(vec![Tensor::table(rows, 1, out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
    }
}
