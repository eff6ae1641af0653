//! `MatMul` and `Gemm`: sums of products, taken in f64 and rounded then (ONNX-2).
//!
//! # Source
//! ONNX operators, versions 13; broadcasting as numpy has it.

use super::{
    Operator,
    broadcast::{places, together},
    made, products, room,
};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Tensor},
};

/// A matrix within a list of numbers; rows and columns may be swapped.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    numbers: &'a [f64],
    columns: usize,
    swapped: bool,
}

impl Matrix<'_> {
    fn at(&self, row: usize, column: usize) -> f64 {
        let (row, column) = if self.swapped { (column, row) } else { (row, column) };
        self.numbers[row * self.columns + column]
    }
}

/// Multiplies two matrices of a size: rows, what is summed, columns.
fn multiply(a: Matrix<'_>, b: Matrix<'_>, [rows, inner, columns]: [usize; 3], out: &mut Vec<f64>) {
    for row in 0..if columns == 0 { 0 } else { rows } {
        for column in 0..columns {
            out.push((0..inner).fold(0.0, |sum, at| sum + a.at(row, at) * b.at(at, column)));
        }
    }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, String> {
    match tensor.data() {
        Data::F32(it) => Ok(it.iter().copied().map(f64::from).collect()),
        Data::F64(it) => Ok(it.clone()),
        _ => Err("it takes numbers with a fraction".into()),
    }
}

/// Rounds to the kind of an input.
fn rounded(numbers: Vec<f64>, like: &Tensor) -> Data {
    match like.data() {
        Data::F32(_) => Data::F32(numbers.into_iter().map(|it| it as f32).collect()),
        _ => Data::F64(numbers),
    }
}

/// Matrices, or stacks of them, multiplied.
#[derive(Debug)]
pub(super) struct MatMul;

impl Operator for MatMul {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [a, b] = inputs else { return Err("it takes two tensors".into()) };
        if a.kind() != b.kind() || a.shape().is_empty() || b.shape().is_empty() {
            return Err(format!("{:?} and {:?} are not multiplied", a.shape(), b.shape()));
        }
        // A single dimension is a row on the left and a column on the right, and is gone from the result.
        let left = if let [one] = a.shape() { vec![1, *one] } else { a.shape().to_vec() };
        let right = if let [one] = b.shape() { vec![*one, 1] } else { b.shape().to_vec() };
        let ((stack_a, size_a), (stack_b, size_b)) = (left.split_at(left.len() - 2), right.split_at(right.len() - 2));
        let (size, inner) = ([size_a[0], size_a[1], size_b[1]], size_b[0]);
        if size[1] != inner {
            return Err(format!("{:?} and {:?} are not multiplied", a.shape(), b.shape()));
        }
        let stack = together(&[stack_a, stack_b])?;
        let mut shape = stack.clone();
        shape.extend([size[0], size[2]]);
        products([room(&shape)?, inner, 1])?;
        let (numbers_a, numbers_b) = (numbers(a)?, numbers(b)?);
        let mut out = Vec::with_capacity(room(&shape)?);
        // Of nothing there may be more matrices than anyone can count.
        let stacks = if out.capacity() == 0 { 0 } else { stack.iter().product() };
        for (i, j) in places(&stack, stack_a).zip(places(&stack, stack_b)).take(stacks) {
            let (from_a, from_b) = (i * size[0] * inner, j * inner * size[2]);
            let a = Matrix { numbers: &numbers_a[from_a..], columns: inner, swapped: false };
            let b = Matrix { numbers: &numbers_b[from_b..], columns: size[2], swapped: false };
            multiply(a, b, size, &mut out);
        }
        if b.shape().len() == 1 {
            shape.pop();
        }
        if a.shape().len() == 1 {
            shape.remove(shape.len() - if b.shape().len() == 1 { 1 } else { 2 });
        }
        made(shape, rounded(out, a))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            [Extent::Rows(rank), Extent::Fixed(Some(shape))] if *rank > 1 && shape.len() == 2 => Extent::Rows(*rank),
            _ => Extent::Mixed,
        }]
    }
}

/// Two matrices multiplied, and a third added.
#[derive(Debug)]
pub(super) struct Gemm {
    alpha: f32,
    beta: f32,
    swaps: (bool, bool),
}

impl Gemm {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        let scale = |name: &str| attributes.float(name).unwrap_or(1.0);
        let swaps = (attributes.flag("transA", false), attributes.flag("transB", false));
        Self { alpha: scale("alpha"), beta: scale("beta"), swaps }
    }
}

impl Operator for Gemm {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let (a, b) = (inputs[0], inputs[1]);
        let ([a0, a1], [b0, b1]) = (a.shape(), b.shape()) else { return Err("it takes matrices".into()) };
        let (rows, inner) = if self.swaps.0 { (*a1, *a0) } else { (*a0, *a1) };
        let (found, columns) = if self.swaps.1 { (*b1, *b0) } else { (*b0, *b1) };
        if found != inner || inputs.iter().any(|it| it.kind() != a.kind()) {
            return Err(format!("{:?} and {:?} are not multiplied", a.shape(), b.shape()));
        }
        let shape = vec![rows, columns];
        products([room(&shape)?, inner, 1])?;
        let (numbers_a, numbers_b) = (numbers(a)?, numbers(b)?);
        let mut out = Vec::with_capacity(rows * columns);
        let left = Matrix { numbers: &numbers_a, columns: *a1, swapped: self.swaps.0 };
        let right = Matrix { numbers: &numbers_b, columns: *b1, swapped: self.swaps.1 };
        multiply(left, right, [rows, inner, columns], &mut out);
        out.iter_mut().for_each(|it| *it *= f64::from(self.alpha));
        if let Some(added) = inputs.get(2) {
            if together(&[&shape, added.shape()])? != shape {
                return Err(format!("{:?} is not added to {shape:?}", added.shape()));
            }
            let numbers = numbers(added)?;
            let places = places(&shape, added.shape());
            out.iter_mut().zip(places).for_each(|(it, at)| *it += f64::from(self.beta) * numbers[at]);
        }
        made(shape, rounded(out, a))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        let added = |it: Option<&Extent>| match it {
            None => true,
            Some(Extent::Fixed(Some(shape))) => shape.len() < 2 || shape[0] == 1,
            Some(_) => false,
        };
        vec![match inputs {
            [Extent::Rows(2), Extent::Fixed(_), ..] if !self.swaps.0 && added(inputs.get(2)) => Extent::Rows(2),
            _ => Extent::Mixed,
        }]
    }
}
