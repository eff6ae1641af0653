//! Operators that compute each element for itself.
//!
//! # Source
//! ONNX operators: Neg, Abs, Sqrt, Log, Exp, Sigmoid, Relu, Sign, Pow, Less, Greater, Equal, Not, And, Or, Where.

use super::{
    Operator,
    broadcast::{places, together},
    made, pick,
};
use crate::{
    extent::Extent,
    tensor::{Data, Tensor},
};

/// One number to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Neg,
    Abs,
    Sqrt,
    Log,
    Exp,
    Sigmoid,
    Relu,
    Sign,
}

impl Operator for Unary {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        macro_rules! fraction {
            ($values:expr) => {
                $values
                    .iter()
                    .map(|it| match self {
                        Self::Neg => -it,
                        Self::Abs => it.abs(),
                        Self::Sqrt => it.sqrt(),
                        Self::Log => it.ln(),
                        Self::Exp => it.exp(),
                        Self::Sigmoid if *it < 0.0 => it.exp() / (1.0 + it.exp()),
                        Self::Sigmoid => 1.0 / (1.0 + (-it).exp()),
                        Self::Relu if *it < 0.0 => 0.0,
                        Self::Relu => *it,
                        Self::Sign if *it > 0.0 => 1.0,
                        Self::Sign if *it < 0.0 => -1.0,
                        // Zero has none, and a NaN stays.
                        Self::Sign => it.abs(),
                    })
                    .collect()
            };
        }
        macro_rules! whole {
            ($values:expr) => {
                match self {
                    Self::Neg => $values.iter().map(|it| it.wrapping_neg()).collect(),
                    Self::Abs => $values.iter().map(|it| it.wrapping_abs()).collect(),
                    Self::Sign => $values.iter().map(|it| it.signum()).collect(),
                    _ => return Err("it takes numbers with a fraction".into()),
                }
            };
        }
        let data = match inputs[0].data() {
            Data::F32(it) => Data::F32(fraction!(it)),
            Data::F64(it) => Data::F64(fraction!(it)),
            Data::I32(it) => Data::I32(whole!(it)),
            Data::I64(it) => Data::I64(whole!(it)),
            Data::Bool(_) | Data::Text(_) => return Err("it takes numbers".into()),
        };
        Ok(vec![inputs[0].with(data)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}

/// One number to the power of another.
#[derive(Debug)]
pub(super) struct Pow;

impl Operator for Pow {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [base, exponent] = inputs else { return Err("it takes two tensors".into()) };
        let shape = together(&[base.shape(), exponent.shape()])?;
        let exponents: Vec<f64> = match exponent.data() {
            Data::F32(it) => it.iter().copied().map(f64::from).collect(),
            Data::F64(it) => it.clone(),
            Data::I32(it) => it.iter().copied().map(f64::from).collect(),
            Data::I64(it) => it.iter().map(|it| *it as f64).collect(),
            Data::Bool(_) | Data::Text(_) => return Err("an exponent is a number".into()),
        };
        let pairs = places(&shape, base.shape()).zip(places(&shape, exponent.shape()));
        let data = match base.data() {
            Data::F32(it) => Data::F32(pairs.map(|(i, j)| f64::from(it[i]).powf(exponents[j]) as f32).collect()),
            Data::F64(it) => Data::F64(pairs.map(|(i, j)| it[i].powf(exponents[j])).collect()),
            _ => return Err(format!("powers of {:?} are not offered", base.kind())),
        };
        made(shape, data)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}

/// Two values to a yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    Greater,
    Equal,
}

impl Operator for Comparison {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [a, b] = inputs else { return Err("it takes two tensors".into()) };
        let shape = together(&[a.shape(), b.shape()])?;
        let pairs = places(&shape, a.shape()).zip(places(&shape, b.shape()));
        macro_rules! compare {
            ($a:expr, $b:expr) => {
                pairs
                    .map(|(i, j)| match self {
                        Self::Less => $a[i] < $b[j],
                        Self::Greater => $a[i] > $b[j],
                        Self::Equal => $a[i] == $b[j],
                    })
                    .collect()
            };
        }
        let answers: Vec<bool> = match (a.data(), b.data()) {
            (Data::F32(a), Data::F32(b)) => compare!(a, b),
            (Data::F64(a), Data::F64(b)) => compare!(a, b),
            (Data::I32(a), Data::I32(b)) => compare!(a, b),
            (Data::I64(a), Data::I64(b)) => compare!(a, b),
            (Data::Bool(a), Data::Bool(b)) if *self == Self::Equal => pairs.map(|(i, j)| a[i] == b[j]).collect(),
            (Data::Text(a), Data::Text(b)) if *self == Self::Equal => pairs.map(|(i, j)| a[i] == b[j]).collect(),
            _ => return Err(format!("{:?} and {:?} are not compared so", a.kind(), b.kind())),
        };
        made(shape, Data::Bool(answers))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}

/// No for yes.
#[derive(Debug)]
pub(super) struct Not;

impl Operator for Not {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let Data::Bool(it) = inputs[0].data() else { return Err("it takes BOOL".into()) };
        Ok(vec![inputs[0].with(Data::Bool(it.iter().map(|it| !it).collect()))])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs)]
    }
}

/// Two answers to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
}

impl Operator for Logic {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [a, b] = inputs else { return Err("it takes two tensors".into()) };
        let shape = together(&[a.shape(), b.shape()])?;
        let (Data::Bool(left), Data::Bool(right)) = (a.data(), b.data()) else { return Err("it takes BOOL".into()) };
        let answer = |(i, j): (usize, usize)| match self {
            Self::And => left[i] && right[j],
            Self::Or => left[i] || right[j],
        };
        let answers = places(&shape, a.shape()).zip(places(&shape, b.shape())).map(answer).collect();
        made(shape, Data::Bool(answers))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}

/// The first of two values where the answer is yes, else the second.
#[derive(Debug)]
pub(super) struct Where;

impl Operator for Where {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [answers, yes, no] = inputs else { return Err("it takes three tensors".into()) };
        let shape = together(&[answers.shape(), yes.shape(), no.shape()])?;
        let Data::Bool(is_yes) = answers.data() else { return Err("it asks for BOOL".into()) };
        // Both behind one another, so that a place is enough to say which.
        let both = super::shape::behind(yes.data(), no.data())?;
        let first = yes.data().len();
        let from = places(&shape, answers.shape()).zip(places(&shape, yes.shape()).zip(places(&shape, no.shape())));
        let from = from.map(|(at, (yes, no))| if is_yes[at] { yes } else { first + no });
        let data = pick(&both, from)?;
        made(shape, data)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::broadcast(inputs)]
    }
}
