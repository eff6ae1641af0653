//! Operators of the domain `ai.onnx` that pipelines put around models.
//!
//! # Source
//! ONNX operators: Identity, Cast, Add, Sub, Mul, Div, Sum. Whole numbers wrap around, as the processor has it.

use super::{
    Operator,
    broadcast::{places, together},
    made,
};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, Kind, Tensor},
};

/// The same again.
#[derive(Debug)]
pub(super) struct Identity;

impl Operator for Identity {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}

/// Another kind of element.
#[derive(Debug)]
pub(super) struct Cast(Kind);

impl Cast {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        let to = attributes.int("to").unwrap_or(0);
        match i32::try_from(to).ok().and_then(Kind::of) {
            None => Err(format!("a cast to type {to} is not offered")),
            Some(kind) => Ok(Self(kind)),
        }
    }
}

impl Operator for Cast {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        macro_rules! cast {
            ($values:expr) => {
                match self.0 {
                    Kind::F32 => Data::F32($values.iter().map(|it| *it as f32).collect()),
                    Kind::F64 => Data::F64($values.iter().map(|it| *it as f64).collect()),
                    Kind::I32 => Data::I32($values.iter().map(|it| *it as i32).collect()),
                    Kind::I64 => Data::I64($values.iter().map(|it| *it as i64).collect()),
                    Kind::Bool => Data::Bool($values.iter().map(|it| *it as f64 != 0.0).collect()),
                    Kind::Text => return Err("a cast to texts is not offered".into()),
                }
            };
        }
        let data = match inputs[0].data() {
            Data::F32(it) => cast!(it),
            Data::F64(it) => cast!(it),
            Data::I32(it) => cast!(it),
            Data::I64(it) => cast!(it),
            Data::Bool(it) => {
                let numbers: Vec<i32> = it.iter().map(|it| i32::from(*it)).collect();
                cast!(numbers)
            }
            // skl2onnx casts labels to the type that they have.
            Data::Text(it) if self.0 == Kind::Text => Data::Text(it.clone()),
            Data::Text(_) => return Err("a cast of texts is not offered".into()),
        };
        Ok(vec![inputs[0].with(data)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}

/// Two tensors, element by element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

impl Operator for Arithmetic {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [a, b] = inputs else { return Err("it takes two tensors".into()) };
        let shape = together(&[a.shape(), b.shape()])?;
        let pairs = places(&shape, a.shape()).zip(places(&shape, b.shape()));
        macro_rules! compute {
            ($a:expr, $b:expr) => {
                pairs
                    .map(|(i, j)| match self {
                        Self::Add => $a[i] + $b[j],
                        Self::Sub => $a[i] - $b[j],
                        Self::Mul => $a[i] * $b[j],
                        Self::Div => $a[i] / $b[j],
                    })
                    .collect()
            };
        }
        macro_rules! whole {
            ($a:expr, $b:expr) => {
                pairs
                    .map(|(i, j)| match self {
                        Self::Add => Ok($a[i].wrapping_add($b[j])),
                        Self::Sub => Ok($a[i].wrapping_sub($b[j])),
                        Self::Mul => Ok($a[i].wrapping_mul($b[j])),
                        Self::Div if $b[j] == 0 => Err("a whole number is divided by zero"),
                        Self::Div => Ok($a[i].wrapping_div($b[j])),
                    })
                    .collect::<Result<_, _>>()?
            };
        }
        let data = match (a.data(), b.data()) {
            (Data::F32(a), Data::F32(b)) => Data::F32(compute!(a, b)),
            (Data::F64(a), Data::F64(b)) => Data::F64(compute!(a, b)),
            (Data::I32(a), Data::I32(b)) => Data::I32(whole!(a, b)),
            (Data::I64(a), Data::I64(b)) => Data::I64(whole!(a, b)),
            _ => return Err(format!("{:?} and {:?} are not offered", a.kind(), b.kind())),
        };
        made(shape, data)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}

/// Any number of tensors, element by element added from the first to the last.
#[derive(Debug)]
pub(super) struct Sum;

impl Operator for Sum {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let mut sum = inputs[0].clone();
        for input in &inputs[1..] {
            sum = Arithmetic::Add.run(&[&sum, input])?.swap_remove(0);
        }
        Ok(vec![sum])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
        Tensor::new(shape.into(), Data::F32(values.into())).expect("it fits")
    }

    #[test]
    fn shapes_are_broadcast_as_numpy_does() {
        let table = f32s(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let check = |b: &Tensor, expected: &[f32]| {
            let sum = Arithmetic::Add.run(&[&table, b]).expect("they go together");
            assert_eq!(sum[0], f32s(&[2, 3], expected));
        };
        check(&f32s(&[3], &[10.0, 20.0, 30.0]), &[11.0, 22.0, 33.0, 14.0, 25.0, 36.0]);
        check(&f32s(&[2, 1], &[10.0, 20.0]), &[11.0, 12.0, 13.0, 24.0, 25.0, 26.0]);
        check(&f32s(&[], &[1.0]), &[2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert!(Arithmetic::Add.run(&[&table, &f32s(&[2], &[1.0, 2.0])]).is_err());
        let (column, row) = (f32s(&[1 << 15, 1], &[0.0; 1 << 15]), f32s(&[1, 1 << 15], &[0.0; 1 << 15]));
        assert!(Arithmetic::Mul.run(&[&column, &row]).expect_err("refused").contains("too many"));
    }
}
