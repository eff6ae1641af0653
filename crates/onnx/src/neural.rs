//! Neural: networks that are computed by tract, as a whole; the feature `neural`.
//!
//! It never sees a node of `ai.onnx.ml`, of which tract takes some for what they are not. Nothing of tract is in a public
//! signature.
//!
//! # Invariants
//! - `NEURAL-1`: whatever bytes are loaded, there is a network or an error. tract may panic on a broken file, so each call of
//!   it is guarded. What no guard contains is kept from it: formulas of open dimensions that nest until the stack ends (the
//!   module `rows`), windows whose tables take all memory, sizes that no number holds. It computes what follows from constants
//!   alone while it loads, so only operators that make nothing larger may follow from constants alone.
//! - `NEURAL-2`: before a network runs, all values that it will make are counted; more than 512 MiB are an error.
//! - `NEURAL-3`: the same network and inputs give the same outputs, always, on one machine: one thread. Where a network is said
//!   to compute each row for itself, a row has the same answer in any company, bit for bit (the module `alone`).
//!
//! # Source
//! ONNX operators; tract 0.23.

mod alone;
mod rows;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tract_onnx::prelude as tract;
use tract_onnx::prelude::{Datum, Framework, InferenceModelExt, IntoRunnable};
use tract_onnx::tract_core::ops::cnn::Conv;

use self::{
    alone::LEAST_ROWS,
    rows::{Fixed, Known, Value},
};
use crate::{
    attribute::Attributes,
    load::LoadError,
    model::{Port, RunError},
    proto::{GraphProto, NodeProto},
    tensor::{Data, Kind, MAX_RANK, Tensor},
};

/// Bytes of all values of a run together, at most.
const MAX_RUN_BYTES: u64 = 1 << 29;

/// Operators whose results are as large as their inputs, or as their attributes and constants say: no number that is computed
/// decides how large they are.
const OFFERED: &str = " Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Conv Cos Div Elu Equal Erf Exp \
    Flatten Floor Gather Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity LayerNormalization \
    LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Min Mul Neg Not Or Pow PRelu Reciprocal ReduceMax ReduceMean \
    ReduceMin ReduceSum Relu Reshape Round Selu Sigmoid Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh \
    Transpose Unsqueeze Where ";
/// Those of them that may follow from constants alone: what they make has as many elements as what they read.
const KEEPS_SIZE: &str = " Cast Flatten Identity Reshape Squeeze Transpose Unsqueeze ";
/// What says how a window lies over what is read. tract makes a table of a window's places, before it computes.
const WINDOW: [&str; 4] = ["dilations", "kernel_shape", "pads", "strides"];
/// The places of a window, and each number of [`WINDOW`], at most.
const MAX_WINDOW: i64 = 1 << 16;

/// A network that can be run.
#[derive(Debug)]
pub(crate) struct Network {
    plan: Arc<tract::TypedRunnableModel>,
    /// How many rows there are.
    rows: tract::Symbol,
    /// The size of each value, as the file has them and as they are computed.
    sizes: [Vec<Size>; 2],
    outputs: Vec<Port>,
    /// Each row is computed for itself (ALONE-1).
    by_row: bool,
}

impl Network {
    /// Says whether a graph may go to tract; else what is in the way.
    ///
    /// # Errors
    /// A node whose operator is not offered, that follows from constants and makes them larger, or that says itself that it
    /// needs too much.
    pub(crate) fn admits<'a>(graph: &'a GraphProto, inputs: &[Port]) -> Result<(), (&'a NodeProto, &'static str)> {
        let mut known = Known::new();
        for it in &graph.initializer {
            // What cannot be read was refused before.
            known.insert(&it.name, Value::Fixed(Fixed::of(it).unwrap_or_default()));
        }
        let is_open = inputs.iter().any(|it| it.shape.first().is_some_and(Option::is_none));
        for it in &graph.input {
            let port = inputs.iter().find(|port| port.name == it.name);
            let Some(port) = port.filter(|_| !known.contains_key(it.name.as_str())) else { continue };
            known.insert(&it.name, if is_open { Value::Rows(port.shape.len()) } else { Value::Given });
        }
        let mut room = MAX_RUN_BYTES / 8;
        for node in &graph.node {
            let value = admitted(node, &known).map_err(|why| (node, why))?;
            if let Value::Fixed(it) = &value {
                room = room.checked_sub(it.size as u64).ok_or((node, "makes constants too large"))?;
            }
            for it in node.output.iter().filter(|it| !it.is_empty()) {
                if known.insert(it, value.clone()).is_some() {
                    return Err((node, "writes what was written before"));
                }
            }
        }
        Ok(())
    }

    /// Reads a file that [`Network::admits`] has let through.
    ///
    /// # Errors
    /// What tract says against it, or that it would be too large.
    pub(crate) fn load(bytes: &[u8], (inputs, outputs): (&[Port], &[Port])) -> Result<Self, LoadError> {
        let made = guarded(|| Self::make(bytes, inputs, outputs));
        let made = made.unwrap_or_else(|| Err("it is broken in a way that the library does not expect".into()));
        made.map_err(LoadError::Neural)
    }

    fn make(bytes: &[u8], inputs: &[Port], outputs: &[Port]) -> Result<Self, String> {
        let words = |error: tract::TractError| format!("{error:#}");
        let library = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let mut model = library.model_for_read(&mut &bytes[..]).map_err(words)?;
        let rows = model.symbols.sym("evenkeel_rows");
        if model.inputs.len() != inputs.len() || model.outputs.len() != outputs.len() {
            return Err("it has an input without a use, or an output that is an input".into());
        }
        for (at, port) in inputs.iter().enumerate() {
            let mut shape: Vec<tract::TDim> = Vec::new();
            for (place, size) in port.shape.iter().enumerate() {
                shape.push(match size {
                    Some(size) => i64::try_from(*size).map_err(|_| "an input is too large".to_owned())?.into(),
                    None if place == 0 => rows.clone().into(),
                    None => return Err(format!("`{}` is open in another dimension than its first", port.name)),
                });
            }
            let fact = tract::InferenceFact::dt_shape(kind(port.kind)?, &shape);
            model.set_input_fact(at, fact).map_err(words)?;
        }
        let typed = model.into_typed().map_err(words)?;
        let check = |model: &tract::TypedModel| {
            let sizes = sizes(model)?;
            weigh(&sizes, &rows, 1).map(|()| sizes)
        };
        let written = check(&typed)?;
        let mut best = typed.into_optimized().map_err(words)?;
        let sizes = [written, check(&best)?];
        let by_row = alone::prepare(&mut best, &rows);
        let plan = best.into_runnable().map_err(words)?;
        let mut made = Self { plan, rows, sizes, outputs: outputs.into(), by_row };
        made.by_row = by_row && alone::is_seen(inputs, |rows| made.run(rows).ok());
        Ok(made)
    }

    /// Says whether each row is computed for itself.
    pub(crate) fn is_by_row(&self) -> bool {
        self.by_row
    }

    /// Computes all outputs, in their order, of inputs in the order of the file.
    ///
    /// # Errors
    /// It would make too much, or cannot take what it got; or it panicked.
    pub(crate) fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, RunError> {
        let fault = |why: String| RunError::Node { node: "network".into(), why };
        let rows = inputs.iter().filter_map(|it| it.shape().first()).max().copied().unwrap_or(1);
        let copies = if self.by_row && rows == 1 { LEAST_ROWS } else { 1 };
        self.sizes.iter().try_for_each(|sizes| weigh(sizes, &self.rows, rows * copies)).map_err(fault)?;
        let computed = guarded(|| {
            let words = |error: tract::TractError| format!("{error:#}");
            let given = inputs.iter().map(|it| repeated(given(it)?, copies).map_err(words));
            let found = self.plan.run(given.collect::<Result<_, String>>()?).map_err(words)?;
            let first = |it: &tract::TValue| match copies {
                1 => Ok(it.clone()),
                _ => it.slice(0, 0, rows).map(Into::into).map_err(words),
            };
            found
                .iter()
                .zip(&self.outputs)
                .map(|(it, port)| told(&first(it)?, port.kind))
                .collect::<Result<_, String>>()
        });
        match computed {
            Some(found) => found.map_err(fault),
            None => Err(RunError::Panicked),
        }
    }
}

/// Says what a node makes.
fn admitted(node: &NodeProto, known: &Known<'_>) -> Result<Value, &'static str> {
    let has = |list: &str| list.split_whitespace().any(|it| it == node.op_type);
    if !node.domain.is_empty() && node.domain != "ai.onnx" {
        return Err("is of another domain");
    }
    if node.op_type == "Constant" {
        return constant(node).map(Value::Fixed);
    }
    if !has(OFFERED) {
        return Err("is not offered");
    }
    for it in node.attribute.iter().filter(|it| WINDOW.contains(&it.name.as_str())) {
        let is_sane = it.ints.iter().all(|it| (0..=MAX_WINDOW).contains(it));
        let places = it.ints.iter().fold(1_i64, |all, it| all.saturating_mul(*it));
        if !is_sane || (it.name == "kernel_shape" && places > MAX_WINDOW) {
            return Err("has a window that is too large, or below zero");
        }
    }
    let mut read = Vec::new();
    for it in &node.input {
        let value = known.get(it.as_str());
        if value.is_none() && !it.is_empty() {
            return Err("reads what nothing has written before");
        }
        read.push(value);
    }
    // Where the second input says dimensions, it has one element for each.
    let is_shaped = matches!(node.op_type.as_str(), "Reshape" | "Squeeze" | "Unsqueeze");
    if is_shaped && matches!(read.get(1), Some(Some(Value::Fixed(it))) if it.size > MAX_RANK) {
        return Err("makes too many dimensions");
    }
    let all = || read.iter().flatten();
    if all().any(|it| matches!(it, Value::Given)) {
        return Ok(Value::Given);
    }
    if all().any(|it| matches!(it, Value::Rows(_))) {
        return match rows::rank(node, &read)? {
            rank if rank > MAX_RANK => Err("makes too many dimensions"),
            rank => Ok(Value::Rows(rank)),
        };
    }
    match read.first() {
        Some(Some(Value::Fixed(it))) if has(KEEPS_SIZE) => Ok(Value::Fixed(kept(node, it))),
        _ => Err("follows from constants alone"),
    }
}

/// Says what is made of a constant by what keeps its elements.
fn kept(node: &NodeProto, it: &Fixed) -> Fixed {
    let (size, mut shape) = (it.size, it.shape.clone());
    match node.op_type.as_str() {
        "Cast" | "Identity" => {}
        "Transpose" => {
            let perm = Attributes::of(node).ints("perm");
            shape = shape.and_then(|shape| match perm {
                [] => Some(shape.into_iter().rev().collect()),
                perm => perm.iter().map(|at| shape.get(usize::try_from(*at).ok()?).copied()).collect(),
            });
        }
        _ => shape = None,
    }
    let numbers = it.numbers.clone().filter(|_| node.op_type == "Identity");
    Fixed { size, shape, numbers }
}

/// Says what a constant is.
fn constant(node: &NodeProto) -> Result<Fixed, &'static str> {
    let [it] = &node.attribute[..] else { return Err("holds not one value") };
    match it.name.as_str() {
        "value" => Fixed::of(it.t.as_ref().ok_or("holds a value that cannot be read")?),
        "value_float" | "value_int" => Ok(Fixed { size: 1, shape: Some(vec![]), numbers: None }),
        "value_floats" => Ok(Fixed { size: it.floats.len(), shape: Some(vec![it.floats.len()]), numbers: None }),
        "value_ints" => Ok(Fixed::list(it.ints.len(), &it.ints)),
        _ => Err("holds a value that is not offered"),
    }
}

/// Calls tract; none where it panics.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// The bytes of an element, and the dimensions.
type Size = (u64, Vec<tract::TDim>);

/// The size of each value of a model, and of what a convolution lays out of its input before it computes.
fn sizes(model: &tract::TypedModel) -> Result<Vec<Size>, String> {
    let mut sizes = Vec::new();
    for node in &model.nodes {
        for it in &node.outputs {
            if it.fact.rank() > MAX_RANK {
                return Err(format!("it has a value of more than {MAX_RANK} dimensions"));
            }
            sizes.push((it.fact.datum_type.size_of() as u64, it.fact.shape.to_tvec().to_vec()));
        }
        if let Some(it) = node.op_as::<Conv>() {
            let window = it.pool_spec.kernel_shape.iter().try_fold(8_u64, |all, it| all.checked_mul(*it as u64));
            let read = window.and_then(|all| all.checked_mul(it.input_channels() as u64));
            let made = it.pool_spec.data_format.shape(node.outputs[0].fact.shape.to_tvec());
            let mut places = made.map_err(|error| format!("{error:#}"))?.hw_dims().to_vec();
            places.extend(node.outputs[0].fact.shape.to_tvec().first().cloned());
            sizes.push((read.ok_or("its windows are too large")?, places));
        }
    }
    Ok(sizes)
}

/// Counts the bytes of all values for so many rows.
fn weigh(sizes: &[Size], rows: &tract::Symbol, count: usize) -> Result<(), String> {
    let values = tract::SymbolValues::default().with(rows, i64::try_from(count).unwrap_or(i64::MAX));
    // The library multiplies dimensions without a look at what is too large for a number.
    let size = |(bytes, dims): &Size| {
        let number = |it: &tract::TDim| u64::try_from(it.eval_to_i64(&values).ok()?).ok();
        dims.iter().map(number).try_fold(*bytes, |all, it| all.checked_mul(it?.max(1)))
    };
    let mut room = MAX_RUN_BYTES;
    for it in sizes {
        let left = size(it).and_then(|it| room.checked_sub(it));
        room =
            left.ok_or_else(|| format!("its values are too large together for {count} rows, or cannot be counted"))?;
    }
    Ok(())
}

/// Puts so many copies of a value behind each other.
fn repeated(value: tract::TValue, copies: usize) -> tract::TractResult<tract::TValue> {
    match copies {
        1 => Ok(value),
        _ => Ok(tract::Tensor::stack_tensors(0, &vec![value; copies])?.into()),
    }
}

fn kind(kind: Kind) -> Result<tract::DatumType, String> {
    Ok(match kind {
        Kind::F32 => f32::datum_type(),
        Kind::F64 => f64::datum_type(),
        Kind::I32 => i32::datum_type(),
        Kind::I64 => i64::datum_type(),
        Kind::Bool => bool::datum_type(),
        Kind::Text => return Err("texts are nothing for a network".into()),
    })
}

fn given(tensor: &Tensor) -> Result<tract::TValue, String> {
    let shape = tensor.shape();
    let made = match tensor.data() {
        Data::F32(it) => tract::Tensor::from_shape(shape, it),
        Data::F64(it) => tract::Tensor::from_shape(shape, it),
        Data::I32(it) => tract::Tensor::from_shape(shape, it),
        Data::I64(it) => tract::Tensor::from_shape(shape, it),
        Data::Bool(it) => tract::Tensor::from_shape(shape, it),
        Data::Text(_) => return Err("texts are nothing for a network".into()),
    };
    made.map(Into::into).map_err(|error| format!("{error:#}"))
}

fn told(value: &tract::TValue, wanted: Kind) -> Result<Tensor, String> {
    let words = |error: tract::TractError| format!("{error:#}");
    // Whole numbers that are places in a tensor are of a type of their own.
    let value = value.cast_to_dt(kind(wanted)?).map_err(words)?;
    macro_rules! list {
        ($type:ty) => {
            value.to_plain_array_view::<$type>().map_err(words)?.iter().copied().collect()
        };
    }
    let data = match wanted {
        Kind::F32 => Data::F32(list!(f32)),
        Kind::F64 => Data::F64(list!(f64)),
        Kind::I32 => Data::I32(list!(i32)),
        Kind::I64 => Data::I64(list!(i64)),
        Kind::Bool => Data::Bool(list!(bool)),
        Kind::Text => return Err("texts are nothing for a network".into()),
    };
    Tensor::new(value.shape().to_vec(), data).map_err(|misfit| misfit.to_string())
}

#[cfg(test)]
mod tests;
