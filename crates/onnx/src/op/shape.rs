//! Operators that move elements and compute none.
//!
//! # Source
//! ONNX operators: Reshape, Concat, Gather.

use super::{Operator, axis, made, pick, room};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, MAX_RANK, Tensor},
};

/// Puts elements behind others of their kind.
pub(super) fn behind(first: &Data, second: &Data) -> Result<Data, String> {
    Ok(match (first, second) {
        (Data::F32(a), Data::F32(b)) => Data::F32([&a[..], b].concat()),
        (Data::F64(a), Data::F64(b)) => Data::F64([&a[..], b].concat()),
        (Data::I32(a), Data::I32(b)) => Data::I32([&a[..], b].concat()),
        (Data::I64(a), Data::I64(b)) => Data::I64([&a[..], b].concat()),
        (Data::Bool(a), Data::Bool(b)) => Data::Bool([&a[..], b].concat()),
        (Data::Text(a), Data::Text(b)) => Data::Text([&a[..], b].concat()),
        _ => return Err("its values are of different kinds".into()),
    })
}

/// The same elements in another shape.
#[derive(Debug)]
pub(super) struct Reshape {
    /// A zero means no elements; else the dimension that was there.
    zero_is_zero: bool,
}

impl Reshape {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        Self { zero_is_zero: attributes.flag("allowzero", false) }
    }

    fn shape(&self, from: &Tensor, wanted: &[i64]) -> Result<Vec<usize>, String> {
        let fault = || format!("{:?} cannot become {wanted:?}", from.shape());
        if wanted.len() > MAX_RANK || wanted.iter().filter(|it| **it == -1).count() > 1 {
            return Err(fault());
        }
        let mut shape = Vec::with_capacity(wanted.len());
        for (at, size) in wanted.iter().enumerate() {
            shape.push(match size {
                -1 => 1,
                0 if !self.zero_is_zero => *from.shape().get(at).ok_or_else(fault)?,
                size => usize::try_from(*size).map_err(|_| fault())?,
            });
        }
        let known = room(&shape)?;
        if let Some(open) = wanted.iter().position(|it| *it == -1) {
            // Beside a dimension of zero it may be anything.
            shape[open] = from.data().len().checked_div(known).ok_or_else(fault)?;
        }
        Ok(shape)
    }
}

impl Operator for Reshape {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [from, wanted] = inputs else { return Err("it takes a tensor and a shape".into()) };
        let Data::I64(wanted) = wanted.data() else { return Err("a shape is whole numbers".into()) };
        made(self.shape(from, wanted)?, from.data().clone())
    }

    fn extent(&self, _: &[Extent]) -> Vec<Extent> {
        // What the shape says is known when it runs.
        vec![Extent::Mixed]
    }
}

/// Tensors behind one another, along an axis.
#[derive(Debug)]
pub(super) struct Concat(i64);

impl Concat {
    pub(super) fn new(attributes: Attributes<'_>) -> Result<Self, String> {
        attributes.int("axis").map(Self).ok_or_else(|| "`axis` is missing".into())
    }
}

impl Operator for Concat {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let rank = inputs[0].shape().len();
        let along = axis(self.0, rank)?;
        let mut shape = inputs[0].shape().to_vec();
        shape[along] = 0;
        let mut all = pick(inputs[0].data(), 0..0)?;
        for input in inputs {
            let fits = |at: usize| at == along || input.shape()[at] == inputs[0].shape()[at];
            if input.shape().len() != rank || !(0..rank).all(fits) {
                return Err(format!("{:?} does not go beside {:?}", input.shape(), inputs[0].shape()));
            }
            shape[along] += input.shape()[along];
            room(&shape)?;
        }
        if room(&shape)? == 0 {
            return made(shape, all);
        }
        let inner: usize = shape[along + 1..].iter().product();
        let outer: usize = shape[..along].iter().product();
        // Each input's elements stand behind the former's; what is picked goes through them side by side.
        let mut pieces = Vec::with_capacity(inputs.len());
        for input in inputs {
            pieces.push((all.len(), input.shape()[along] * inner));
            all = behind(&all, input.data())?;
        }
        let piece = |row: usize, (from, size): &(usize, usize)| from + row * size..from + (row + 1) * size;
        let places = (0..outer).flat_map(|row| pieces.iter().flat_map(move |it| piece(row, it)));
        made(shape, pick(&all, places)?)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        let first = inputs.first().cloned().unwrap_or(Extent::Mixed);
        vec![match inputs.iter().all(|it| *it == first) {
            true => first.along(self.0, |rank| rank),
            false => Extent::Mixed,
        }]
    }
}

/// Slices along an axis, by their positions.
#[derive(Debug)]
pub(super) struct Gather(i64);

impl Gather {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        Self(attributes.int("axis").unwrap_or(0))
    }
}

impl Operator for Gather {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let [from, positions] = inputs else { return Err("it takes a tensor and positions".into()) };
        let along = axis(self.0, from.shape().len())?;
        let size = from.shape()[along];
        let wanted: Vec<i64> = match positions.data() {
            Data::I32(it) => it.iter().copied().map(i64::from).collect(),
            Data::I64(it) => it.clone(),
            _ => return Err("positions are whole numbers".into()),
        };
        let wanted = wanted.iter().map(|it| axis(*it, size)).collect::<Result<Vec<_>, _>>();
        let wanted = wanted.map_err(|_| format!("a position is beyond the {size} that there are"))?;
        let (before, after) = (&from.shape()[..along], &from.shape()[along + 1..]);
        let shape = [before, positions.shape(), after].concat();
        if shape.len() > MAX_RANK {
            return Err(format!("it would have {} dimensions", shape.len()));
        }
        if room(&shape)? == 0 {
            return made(shape, pick(from.data(), 0..0)?);
        }
        let (outer, inner): (usize, usize) = (before.iter().product(), after.iter().product());
        let slice = |row: usize, at: &usize| (row * size + at) * inner..(row * size + at + 1) * inner;
        let places = (0..outer).flat_map(|row| wanted.iter().flat_map(move |at| slice(row, at)));
        made(shape, pick(from.data(), places)?)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            [from @ Extent::Rows(_), Extent::Fixed(Some(shape))] => from.along(self.0, |rank| rank + shape.len() - 1),
            // Positions of rows in a list that is always the same.
            [Extent::Fixed(Some(shape)), Extent::Rows(rank)] if !shape.is_empty() && self.0 == 0 => {
                Extent::Rows(rank + shape.len() - 1)
            }
            _ => Extent::Mixed,
        }]
    }
}
