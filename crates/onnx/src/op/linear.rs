//! `LinearClassifier` and `LinearRegressor`.
//!
//! # Source
//! ONNX-ML operators, version 1.

use super::{Labels, Operator, room, table};
use crate::{
    attribute::Attributes,
    extent::Extent,
    post::{Post, Second},
    tensor::Tensor,
};

/// Weighted sums, one a target.
#[derive(Debug)]
struct Sums {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    targets: usize,
}

impl Sums {
    fn new(attributes: Attributes<'_>, targets: usize) -> Result<Self, String> {
        let (coefficients, intercepts) = (attributes.floats("coefficients"), attributes.floats("intercepts"));
        if targets == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(targets) {
            return Err(format!("`coefficients` has {} numbers for {targets} sums", coefficients.len()));
        }
        if !intercepts.is_empty() && intercepts.len() != targets {
            return Err(format!("`intercepts` has {} numbers for {targets} sums", intercepts.len()));
        }
        Ok(Self { coefficients: coefficients.into(), intercepts: intercepts.into(), targets })
    }

    /// Computes the sums of each row.
    fn run(&self, input: &Tensor, mut row_done: impl FnMut(&mut [f32])) -> Result<usize, String> {
        let (rows, columns, numbers) = table(input)?;
        let width = self.coefficients.len() / self.targets;
        if columns != width {
            return Err(format!("the sums are of {width} columns, the input has {columns}"));
        }
        room(&[rows, self.targets])?;
        let mut sums = vec![0.0; self.targets];
        for row in numbers.chunks_exact(width).take(rows) {
            for (at, sum) in sums.iter_mut().enumerate() {
                let products = row.iter().zip(&self.coefficients[at * width..]);
                let products = products.map(|(x, c)| f64::from(*x) * f64::from(*c));
                let start = f64::from(self.intercepts.get(at).copied().unwrap_or(0.0));
                *sum = products.fold(start, |sum, product| sum + product) as f32;
            }
            row_done(&mut sums);
        }
        Ok(rows)
    }
}

/// Sums that tell classes.
#[derive(Debug)]
pub(super) struct Classifier {
    sums: Sums,
    labels: Labels,
    post: Post,
}

impl Classifier {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let labels = Labels::read(attributes, "classlabels_ints")?;
        let targets = attributes.floats("intercepts").len();
        let fits = targets == labels.len() || (targets == 1 && labels.len() == 2);
        if !fits {
            return Err(format!("there are {targets} `intercepts` for {} classes", labels.len()));
        }
        let post = Post::named(attributes.text("post_transform").as_deref())?;
        if targets == 1 && post == Post::Probit {
            return Err("PROBIT of one sum says nothing of the second class".into());
        }
        Ok(Self { sums: Sums::new(attributes, targets)?, labels, post })
    }
}

impl Operator for Classifier {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (mut chosen, mut out) = (Vec::new(), Vec::new());
        let rows = self.sums.run(inputs[0], |sums| {
            chosen.push(match sums[..] {
                [one] if self.labels.len() == 2 => usize::from(one > 0.0),
                _ => first_of_most(sums),
            });
            let second = if self.labels.len() > sums.len() { Second::Complement } else { Second::Absent };
            self.post.write(sums, second, &mut out);
        })?;
        Ok(vec![self.labels.of(&chosen)?, Tensor::table(rows, self.labels.len(), out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 1), Extent::of_table(inputs, 2)]
    }
}

fn first_of_most(sums: &[f32]) -> usize {
    let mut most = 0;
    for (at, sum) in sums.iter().enumerate() {
        if *sum > sums[most] {
            most = at;
        }
    }
    most
}

/// Sums that are numbers.
#[derive(Debug)]
pub(super) struct Regressor {
    sums: Sums,
    post: Post,
}

impl Regressor {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let targets = usize::try_from(attributes.int("targets").unwrap_or(1)).unwrap_or(0);
        let post = Post::named(attributes.text("post_transform").as_deref())?;
        Ok(Self { sums: Sums::new(attributes, targets)?, post })
    }
}

impl Operator for Regressor {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let mut out = Vec::new();
        let rows = self.sums.run(inputs[0], |sums| self.post.write(sums, Second::Absent, &mut out))?;
        Ok(vec![Tensor::table(rows, self.sums.targets, out)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_table(inputs, 2)]
    }
}
