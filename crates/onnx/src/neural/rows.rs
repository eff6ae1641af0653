//! Rows: the proof that the first dimension of what a network makes is the rows, and no other dimension depends on them.
//!
//! # Invariants
//! - `ROWS-1`: where rows are open, each value that follows from inputs has exactly the rows as its first dimension; all other
//!   dimensions are numbers. tract computes with open dimensions as with formulas, recursively: a small file can nest them
//!   until the stack ends, which no guard contains. Here they are never more than a number of rows.

use std::collections::BTreeMap;

use crate::{
    attribute::Attributes,
    proto::{NodeProto, TensorProto},
    tensor::{Data, MAX_RANK, Tensor, elements},
};

/// What is known of a value before tract sees it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// It follows from constants alone.
    Fixed(Fixed),
    /// It follows from inputs, in a network whose inputs all have one shape.
    Given,
    /// It follows from inputs, and has rows and so many dimensions.
    Rows(usize),
}

/// A constant.
#[derive(Clone, Debug, Default)]
pub(super) struct Fixed {
    /// How many elements it has.
    pub(super) size: usize,
    /// Its shape, where it is known.
    pub(super) shape: Option<Vec<usize>>,
    /// Its elements, where they are few whole numbers: dimensions, or places of dimensions.
    pub(super) numbers: Option<Vec<i64>>,
}

/// The values that are written so far, by name.
pub(super) type Known<'a> = BTreeMap<&'a str, Value>;

type Why = &'static str;

const MOVED: Why = "makes something else of the first dimension, which must stay the rows";
const UNKNOWN: Why = "reads a constant whose shape or numbers are not known before it runs";

impl Fixed {
    /// Returns what a tensor of a file says.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(tensor: &TensorProto) -> Result<Self, Why> {
        let tensor = Tensor::read(tensor).map_err(|_| "holds a value that cannot be read")?;
        let shape = tensor.shape().to_vec();
        let size = elements(&shape).ok_or("is too large")?;
        let numbers = match tensor.data() {
            Data::I64(it) if it.len() <= MAX_RANK => Some(it.to_vec()),
            _ => None,
        };
        Ok(Self { size, shape: Some(shape), numbers })
    }

    /// Returns a list of so many elements.
    pub(super) fn list(size: usize, numbers: &[i64]) -> Self {
        Self { size, shape: Some(vec![size]), numbers: Some(numbers.into()) }
    }
}

/// Returns how many dimensions a node makes, the first of which is the rows.
///
/// # Errors
/// That cannot be said, or is not so.
pub(super) fn rank(node: &NodeProto, read: &[Option<&Value>]) -> Result<usize, Why> {
    let all: Vec<&Value> = read.iter().flatten().copied().collect();
    let attributes = Attributes::of(node);
    if matches!(
        node.op_type.as_str(),
        "Add"
            | "And"
            | "Div"
            | "Equal"
            | "Greater"
            | "GreaterOrEqual"
            | "Less"
            | "LessOrEqual"
            | "Max"
            | "Min"
            | "Mul"
            | "Or"
            | "Pow"
            | "PRelu"
            | "Sub"
            | "Sum"
            | "Where"
    ) {
        return broadcast(&all);
    }
    match (node.op_type.as_str(), &all[..]) {
        ("MatMul", [one, other]) => return product(one, other),
        ("Gather", [Value::Fixed(table), Value::Rows(rank)]) => {
            let wide = table.shape.as_ref().ok_or(UNKNOWN)?.len();
            let is_first = attributes.int("axis").unwrap_or(0) == 0;
            return if is_first && wide > 0 { Ok(rank + wide - 1) } else { Err(MOVED) };
        }
        ("Concat", [Value::Rows(rank), more @ ..]) => {
            let is_alike = more.iter().all(|it| matches!(it, Value::Rows(other) if other == rank));
            let axis = attributes.int("axis").ok_or(MOVED)?;
            return if is_alike { behind(&[axis], *rank).map(|_| *rank) } else { Err(MOVED) };
        }
        _ => {}
    }
    let Some((Value::Rows(rank), rest)) = all.split_first() else { return Err(MOVED) };
    if !rest.iter().all(|it| matches!(it, Value::Fixed(_))) {
        return Err(MOVED);
    }
    of_first(node, *rank, read)
}

/// Returns how many dimensions a node makes of rows; all else that it reads is constant.
fn of_first(node: &NodeProto, rank: usize, read: &[Option<&Value>]) -> Result<usize, Why> {
    let attributes = Attributes::of(node);
    // As an attribute in old versions, and as an input in new ones.
    let list = |name: &str, at: usize| -> Result<Vec<i64>, Why> {
        match read.get(at).copied().flatten() {
            Some(Value::Fixed(it)) => it.numbers.clone().ok_or(UNKNOWN),
            _ if attributes.is_given(name) => Ok(attributes.ints(name).to_vec()),
            _ => Err(MOVED),
        }
    };
    let axis = |default: i64| attributes.int("axis").unwrap_or(default);
    let kept = |count: usize| if attributes.flag("keepdims", true) { rank } else { rank - count };
    match node.op_type.as_str() {
        "ArgMax" | "ArgMin" => behind(&[axis(0)], rank).map(kept),
        "AveragePool" | "BatchNormalization" | "Conv" | "GlobalAveragePool" | "GlobalMaxPool" | "MaxPool"
            if rank < 2 =>
        {
            Err(MOVED)
        }
        "Flatten" if axis(1) == 1 => Ok(2),
        "Flatten" => Err(MOVED),
        "Gather" => {
            behind(&[axis(0)], rank)?;
            match read.get(1).copied().flatten() {
                Some(Value::Fixed(places)) => Ok(rank - 1 + places.shape.as_ref().ok_or(UNKNOWN)?.len()),
                _ => Err(MOVED),
            }
        }
        "Gemm" if rank == 2 && !attributes.flag("transA", false) => match read.get(2).copied().flatten() {
            Some(added) => broadcast(&[&Value::Rows(2), added]),
            None => Ok(2),
        },
        "Gemm" => Err(MOVED),
        "LayerNormalization" | "LogSoftmax" | "Softmax" => behind(&[axis(-1)], rank).map(|_| rank),
        "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" => {
            let axes = list("axes", 1)?;
            // None means all of them.
            if axes.is_empty() { Err(MOVED) } else { behind(&axes, rank).map(kept) }
        }
        "Reshape" => match list("shape", 1)?.split_first() {
            Some((0, rest)) if !attributes.flag("allowzero", false) => Ok(1 + rest.len()),
            _ => Err("reshapes rows: the first number must be 0, which keeps them"),
        },
        "Slice" => behind(&list("axes", 3)?, rank).map(|_| rank),
        "Split" => behind(&[axis(0)], rank).map(|_| rank),
        "Squeeze" => behind(&list("axes", 1)?, rank).map(|count| rank - count),
        "Transpose" => match attributes.ints("perm") {
            [0, rest @ ..] if rest.len() + 1 == rank => Ok(rank),
            _ => Err(MOVED),
        },
        "Unsqueeze" => {
            let axes = list("axes", 1)?;
            behind(&axes, rank + axes.len()).map(|count| rank + count)
        }
        _ => Ok(rank),
    }
}

/// Proves that places are dimensions behind the first one; returns how many there are.
fn behind(places: &[i64], rank: usize) -> Result<usize, Why> {
    let rank = i64::try_from(rank).map_err(|_| MOVED)?;
    let is_behind = |it: &i64| (1..rank).contains(&if *it < 0 { it.saturating_add(rank) } else { *it });
    if places.iter().all(is_behind) && (places.len() as i64) < rank { Ok(places.len()) } else { Err(MOVED) }
}

/// Returns how many dimensions there are where values are held against each other, the last ones first.
fn broadcast(all: &[&Value]) -> Result<usize, Why> {
    let mut rank = None;
    for it in all {
        if let Value::Rows(of) = it {
            if rank.is_some_and(|rank| rank != *of) {
                return Err(MOVED);
            }
            rank = Some(*of);
        }
    }
    let rank = rank.ok_or(MOVED)?;
    for it in all {
        if let Value::Fixed(it) = it {
            let shape = it.shape.as_ref().ok_or(UNKNOWN)?;
            if shape.len() > rank || (shape.len() == rank && shape[0] != 1) {
                return Err(MOVED);
            }
        }
    }
    Ok(rank)
}

/// Returns how many dimensions a product of matrices has.
fn product(one: &Value, other: &Value) -> Result<usize, Why> {
    match (one, other) {
        (Value::Rows(one), Value::Rows(other)) if one == other && *one > 2 => Ok(*one),
        (Value::Rows(rank), Value::Fixed(it)) if *rank > 1 && it.shape.as_ref().ok_or(UNKNOWN)?.len() == 2 => Ok(*rank),
        (Value::Fixed(it), Value::Rows(rank)) if *rank > 2 && it.shape.as_ref().ok_or(UNKNOWN)?.len() == 2 => Ok(*rank),
        _ => Err(MOVED),
    }
}
