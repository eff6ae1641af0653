//! Operators along an axis.
//!
//! # Source
//! ONNX operators: ArgMax, ReduceSum, Softmax.

use super::{Operator, axis, made, room};
use crate::{
    attribute::Attributes,
    extent::Extent,
    tensor::{Data, MAX_RANK, Tensor},
};

/// How elements lie along an axis: so many lines before one another, so long, so many side by side.
struct Lines {
    outer: usize,
    length: usize,
    inner: usize,
}

impl Lines {
    fn of(shape: &[usize], along: usize) -> Self {
        let (outer, inner): (usize, usize) = (shape[..along].iter().product(), shape[along + 1..].iter().product());
        // Where nothing lies, there are no lines: nothing bounds how many empty ones there would be.
        let outer = if outer * inner * shape[along] == 0 { 0 } else { outer };
        Self { outer, length: shape[along], inner }
    }

    /// Walks the lines; each as the places of its elements.
    fn each(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
        let (length, inner) = (self.length, self.inner);
        let first = (0..self.outer).flat_map(move |row| (0..inner).map(move |at| row * length * inner + at));
        first.map(move |first| (0..length).map(move |at| first + at * inner))
    }
}

/// Where the most is, along an axis.
#[derive(Debug)]
pub(super) struct ArgMax {
    axis: i64,
    keeps: bool,
    /// Of equals the last, not the first.
    last: bool,
}

impl ArgMax {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        let axis = attributes.int("axis").unwrap_or(0);
        Self { axis, keeps: attributes.flag("keepdims", true), last: attributes.flag("select_last_index", false) }
    }
}

impl Operator for ArgMax {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let along = axis(self.axis, inputs[0].shape().len())?;
        let lines = Lines::of(inputs[0].shape(), along);
        if lines.length == 0 {
            return Err("of nothing nothing is the most".into());
        }
        macro_rules! most {
            ($values:expr) => {
                lines.each().map(|line| {
                    let mut most = None;
                    for (at, place) in line.enumerate() {
                        let value = $values[place];
                        let more = most.is_none_or(|(_, most)| value > most || (self.last && value == most));
                        most = if more { Some((at, value)) } else { most };
                    }
                    most.map_or(0, |(at, _)| at as i64)
                })
            };
        }
        let found: Vec<i64> = match inputs[0].data() {
            Data::F32(it) => most!(it).collect(),
            Data::F64(it) => most!(it).collect(),
            Data::I32(it) => most!(it).collect(),
            Data::I64(it) => most!(it).collect(),
            Data::Bool(_) | Data::Text(_) => return Err("it takes numbers".into()),
        };
        made(without(inputs[0].shape(), &[along], self.keeps), Data::I64(found))
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        let less = usize::from(!self.keeps);
        vec![Extent::of_each(inputs).along(self.axis, |rank| rank - less)]
    }
}

/// Returns a shape whose axes are one, or gone.
fn without(shape: &[usize], axes: &[usize], keeps: bool) -> Vec<usize> {
    let reduced = |(at, size): (usize, &usize)| match axes.contains(&at) {
        true => keeps.then_some(1),
        false => Some(*size),
    };
    shape.iter().enumerate().filter_map(reduced).collect()
}

/// Sums along axes; in f64, and rounded then.
#[derive(Debug)]
pub(super) struct ReduceSum {
    axes: Vec<i64>,
    keeps: bool,
    /// Without axes nothing is summed; else all is.
    none_is_none: bool,
}

impl ReduceSum {
    pub(super) fn new(attributes: Attributes<'_>) -> Self {
        let (keeps, none_is_none) = (attributes.flag("keepdims", true), attributes.flag("noop_with_empty_axes", false));
        Self { axes: attributes.ints("axes").into(), keeps, none_is_none }
    }
}

impl Operator for ReduceSum {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let input = inputs[0];
        let rank = input.shape().len();
        let axes = match inputs.get(1).map(|it| it.data()) {
            None => &self.axes,
            Some(Data::I64(it)) if it.len() <= MAX_RANK => it,
            Some(_) => return Err("axes are whole numbers".into()),
        };
        if axes.is_empty() && self.none_is_none {
            return Ok(vec![input.clone()]);
        }
        let mut axes = axes.iter().map(|it| axis(*it, rank)).collect::<Result<Vec<_>, _>>()?;
        if axes.is_empty() {
            axes = (0..rank).collect();
        }
        let kept = without(input.shape(), &axes, true);
        let mut sums = vec![0.0_f64; room(&kept)?];
        let mut whole = vec![0_i64; sums.len()];
        let to = super::broadcast::places(input.shape(), &kept);
        match input.data() {
            Data::F32(it) => to.zip(it).for_each(|(to, value)| sums[to] += f64::from(*value)),
            Data::F64(it) => to.zip(it).for_each(|(to, value)| sums[to] += value),
            Data::I32(it) => to.zip(it).for_each(|(to, value)| whole[to] = whole[to].wrapping_add(i64::from(*value))),
            Data::I64(it) => to.zip(it).for_each(|(to, value)| whole[to] = whole[to].wrapping_add(*value)),
            Data::Bool(_) | Data::Text(_) => return Err("it takes numbers".into()),
        }
        let data = match input.data() {
            Data::F32(_) => Data::F32(sums.into_iter().map(|it| it as f32).collect()),
            Data::F64(_) => Data::F64(sums),
            Data::I32(_) => Data::I32(whole.into_iter().map(|it| it as i32).collect()),
            _ => Data::I64(whole),
        };
        made(without(input.shape(), &axes, self.keeps), data)
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![match inputs {
            // Axes that come as an input are not known yet.
            [from] if !self.axes.is_empty() => {
                let less = if self.keeps { 0 } else { self.axes.len() };
                let one = |it: &i64| from.along(*it, |rank| rank.saturating_sub(less)).clone();
                let all: Vec<Extent> = self.axes.iter().map(one).collect();
                all.iter().find(|it| **it == Extent::Mixed).or(all.first()).cloned().unwrap_or(Extent::Mixed)
            }
            _ => Extent::Mixed,
        }]
    }
}

/// Shares of e to the power of each element.
#[derive(Debug)]
pub(super) struct Softmax {
    axis: i64,
    /// All axes from this one on are one, as before version 13.
    flat: bool,
}

impl Softmax {
    pub(super) fn new(attributes: Attributes<'_>, version: i64) -> Self {
        let flat = version < 13;
        Self { axis: attributes.int("axis").unwrap_or(if flat { 1 } else { -1 }), flat }
    }
}

impl Operator for Softmax {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, String> {
        let input = inputs[0];
        let along = axis(self.axis, input.shape().len())?;
        let mut lines = Lines::of(input.shape(), along);
        if self.flat {
            lines = Lines { length: lines.length * lines.inner, inner: 1, ..lines };
        }
        macro_rules! shares {
            ($values:expr, $least:expr) => {{
                let mut out = $values.clone();
                for line in lines.each() {
                    let most = line.clone().map(|at| $values[at]).fold($least, |a, b| if b > a { b } else { a });
                    let mut sum = 0.0;
                    for at in line.clone() {
                        out[at] = ($values[at] - most).exp();
                        sum += out[at];
                    }
                    line.for_each(|at| out[at] /= sum);
                }
                out
            }};
        }
        let data = match input.data() {
            Data::F32(it) => Data::F32(shares!(it, f32::MIN)),
            Data::F64(it) => Data::F64(shares!(it, f64::MIN)),
            _ => return Err("it takes numbers with a fraction".into()),
        };
        Ok(vec![input.with(data)])
    }

    fn extent(&self, inputs: &[Extent]) -> Vec<Extent> {
        vec![Extent::of_each(inputs).along(self.axis, |rank| rank)]
    }
}
