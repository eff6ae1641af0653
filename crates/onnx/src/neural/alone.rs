//! Alone: what makes the numbers of a row the same, wherever in a run it stands and whatever stands beside it.
//!
//! Two things in tract depend on it. A product takes another kernel where a matrix has one column: a run of networks of rows
//! has at least two rows, the second of which may be a copy. And a sum along memory is taken in pieces that begin where an
//! address is a multiple of the processor's vectors, so that another place of a row is another order of its additions: such an
//! operator computes each row by itself here, at the beginning of a tensor of its own.
//!
//! # Invariants
//! - `ALONE-1`: what [`Model::is_by_row`](crate::Model::is_by_row) says of a network was proven of each of its operators, and
//!   looked at in a run of some rows beside runs of each.
//!
//! # Source
//! tract 0.23: `map_slice_with_alignment` and `reduce_slice_with_alignment` of its `linalg`; `ModePicker`. In a product the
//! tiles of a kernel divide rows and columns, and never what is summed.

use std::ops::Range;

use tract_onnx::prelude as tract;
use tract_onnx::tract_core::{
    internal::{EvalContext, EvalOp, Op, TractResult, TypedOp},
    ops::{
        array::{Gather, MultiBroadcastTo, Pad, Slice, StridedSlice, TypedConcat},
        binary::{OptBinByScalar, OptBinChain, OptBinUnicast, TypedBinOp},
        cast::Cast,
        change_axes::{AxisOp, IntoShape},
        cnn::{MaxPool, SumPool, conv::Im2Col},
        element_wise::ElementWiseOp,
        identity::Identity,
        konst::Const,
        logic::Iff,
        matmul::{
            optimized::OptMatMul,
            pack::{OptMatMulPack, OptSimpleMatMulPack},
        },
        nn::{Reduce, RmsNorm, ScaledRmsNorm, Softmax},
        source::TypedSource,
    },
};

use crate::{
    model::Port,
    tensor::{Data, Kind, Tensor, elements},
};

/// The least rows of a run of a network whose rows are computed for themselves.
pub(super) const LEAST_ROWS: usize = 2;

/// Prepares a network, as it is computed, for rows that are computed for themselves; says whether they are.
pub(super) fn prepare(model: &mut tract::TypedModel, rows: &tract::Symbol) -> bool {
    let is_rows = |it: &tract::OutletId| {
        let shape = model.outlet_fact(*it).map(|fact| fact.shape.to_tvec()).unwrap_or_default();
        shape.first() == Some(&rows.clone().into())
    };
    if !model.inputs.iter().chain(&model.outputs).all(is_rows) {
        return false;
    }
    let mut found = Vec::new();
    for (at, node) in model.nodes.iter().enumerate() {
        if is_alike(&*node.op) {
            continue;
        }
        match each(model, node, rows) {
            Some(op) => found.push((at, op)),
            None => return false,
        }
    }
    for (at, op) in found {
        model.nodes[at].op = Box::new(op);
    }
    true
}

/// Runs a network on some rows together and on each of them, and says whether the answers are the same, bit for bit. What
/// cannot be run so, is not said of.
pub(super) fn is_seen(ports: &[Port], run: impl Fn(&[&Tensor]) -> Option<Vec<Tensor>>) -> bool {
    /// Rows that are run together.
    const ROWS: usize = 5;
    let run = |rows: Range<usize>| {
        let inputs = ports.iter().enumerate().map(|(at, port)| sample(port, at, rows.clone()));
        run(&inputs.collect::<Option<Vec<_>>>()?.iter().collect::<Vec<_>>())
    };
    let Some(whole) = run(0..ROWS) else { return false };
    (0..ROWS).all(|row| {
        let alone = run(row..row + 1);
        alone.is_some_and(|alone| whole.iter().zip(&alone).all(|(whole, alone)| is_row(whole, row, alone)))
    })
}

/// Says whether a tensor of one row is, bit for bit, a row of another one.
fn is_row(whole: &Tensor, row: usize, alone: &Tensor) -> bool {
    fn all<T>(whole: &[T], row: usize, alone: &[T], is_same: impl Fn(&T, &T) -> bool) -> bool {
        let part = whole.get(row * alone.len()..(row + 1) * alone.len());
        part.is_some_and(|part| part.iter().zip(alone).all(|(one, other)| is_same(one, other)))
    }
    match (whole.data(), alone.data()) {
        (Data::F32(whole), Data::F32(alone)) => all(whole, row, alone, |a, b| a.to_bits() == b.to_bits()),
        (Data::F64(whole), Data::F64(alone)) => all(whole, row, alone, |a, b| a.to_bits() == b.to_bits()),
        (Data::I32(whole), Data::I32(alone)) => all(whole, row, alone, PartialEq::eq),
        (Data::I64(whole), Data::I64(alone)) => all(whole, row, alone, PartialEq::eq),
        (Data::Bool(whole), Data::Bool(alone)) => all(whole, row, alone, PartialEq::eq),
        _ => false,
    }
}

/// Makes rows for an input, each the same in any range; none where a row is too large to be looked at.
fn sample(port: &Port, at: usize, rows: Range<usize>) -> Option<Tensor> {
    const MOST: usize = 1 << 20;
    let mut shape: Vec<usize> = port.shape.iter().map(|it| it.map_or(1, |it| it as usize)).collect();
    let width = elements(&shape).filter(|it| *it <= MOST)?;
    *shape.first_mut()? = rows.len();
    // Places that differ have numbers that differ (Knuth's multiplier, its upper half).
    let places = (rows.start * width..rows.end * width).map(|it| ((it + at) as u32).wrapping_mul(2_654_435_769) >> 16);
    let data = match port.kind {
        Kind::F32 => Data::F32(places.map(|it| it as f32 / 10_923.0 - 3.0).collect()),
        Kind::F64 => Data::F64(places.map(|it| f64::from(it) / 10_923.0 - 3.0).collect()),
        // Whole numbers are places of a table more often than not.
        Kind::I32 => Data::I32(places.map(|it| (it & 1) as i32).collect()),
        Kind::I64 => Data::I64(places.map(|it| i64::from(it & 1)).collect()),
        Kind::Bool => Data::Bool(places.map(|it| it & 1 > 0).collect()),
        Kind::Text => return None,
    };
    Tensor::new(shape, data).ok()
}

/// Says whether an operator computes an element alike wherever it stands: what computes elements one by one or moves them,
/// products, and windows, which lie over one row.
fn is_alike(op: &dyn TypedOp) -> bool {
    macro_rules! is_one_of {
        ($($kind:ty),*) => { $(op.is::<$kind>())||* };
    }
    let elements = is_one_of!(
        ElementWiseOp,
        TypedBinOp,
        OptBinByScalar,
        OptBinUnicast,
        OptBinChain,
        Cast,
        Iff,
        Const,
        TypedSource
    );
    let moves =
        is_one_of!(AxisOp, IntoShape, TypedConcat, Slice, StridedSlice, Gather, MultiBroadcastTo, Pad, Identity);
    let sums = is_one_of!(OptMatMul, OptMatMulPack, OptSimpleMatMulPack, Im2Col, MaxPool, SumPool);
    elements || moves || sums
}

/// Makes an operator that sums or compares along memory compute each row by itself; none where it is another one.
fn each(model: &tract::TypedModel, node: &tract::TypedNode, rows: &tract::Symbol) -> Option<Each> {
    let op = &node.op;
    let is_known = op.is::<Reduce>() || op.is::<Softmax>() || op.is::<RmsNorm>() || op.is::<ScaledRmsNorm>();
    let count = rows.clone().into();
    let place = |it: &tract::OutletId| Some(model.outlet_fact(*it).ok()?.shape.iter().position(|it| *it == count));
    let reads = node.inputs.iter().map(place).collect::<Option<Vec<_>>>()?;
    let writes = place(&node.id.into())??;
    let is_sound = is_known && node.outputs.len() == 1 && reads.iter().any(Option::is_some);
    is_sound.then(|| Each { op: op.clone(), reads, writes })
}

/// An operator that computes each row by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Each {
    op: Box<dyn TypedOp>,
    /// The dimension of the rows in each input; none in what is the same for all of them.
    reads: Vec<Option<usize>>,
    /// The dimension of the rows in the output.
    writes: usize,
}

impl Op for Each {
    fn name(&self) -> tract_onnx::tract_core::internal::StaticName {
        format!("Each {}", self.op.name()).into()
    }

    fn as_typed(&self) -> Option<&dyn TypedOp> {
        Some(self)
    }
}

impl EvalOp for Each {
    fn eval(
        &self,
        context: &EvalContext<'_>,
        inputs: tract::TVec<tract::TValue>,
    ) -> TractResult<tract::TVec<tract::TValue>> {
        let given = || inputs.iter().zip(&self.reads);
        let count = given().find_map(|(it, place)| it.shape().get((*place)?)).copied().unwrap_or(0);
        let mut all = Vec::with_capacity(count);
        for row in 0..count {
            let part = given().map(|(it, place)| match place {
                Some(place) => Ok(it.slice(*place, row, row + 1)?.into()),
                None => Ok(it.clone()),
            });
            all.extend(self.op.eval(context, part.collect::<TractResult<_>>()?)?);
        }
        match &all[..] {
            [] => self.op.eval(context, inputs),
            all => Ok([tract::Tensor::stack_tensors(self.writes, all)?.into()].into_iter().collect()),
        }
    }

    fn eval_out_of_plan(&self, inputs: tract::TVec<tract::TValue>) -> TractResult<Option<tract::TVec<tract::TValue>>> {
        self.eval(&EvalContext::out_of_plan(), inputs).map(Some)
    }
}

impl TypedOp for Each {
    fn as_op(&self) -> &dyn Op {
        self
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self
    }

    fn output_facts(&self, inputs: &[&tract::TypedFact]) -> TractResult<tract::TVec<tract::TypedFact>> {
        self.op.output_facts(inputs)
    }
}
