//! `onnx`: a model that is computed in this process, on threads of its own.
//!
//! Accepted: `onnx: {file: fraud.onnx, threads: 2, queue: 500}`. Rejected when it is made ready: a file that is damaged, was changed
//! since the configuration was read, has operators that are not offered, or does not fit what the route takes and gives
//! (TN-13).

mod batch;
mod file;
mod rows;

use std::{ops::RangeInclusive, sync::Arc};

use evenkeel_config as config;
use evenkeel_core::ResultCode;
use evenkeel_onnx::{Data, Kind, Model, Port, Tensor as Array, elements};
use tokio::sync::oneshot;

use self::batch::{Arrays, Asks, Computer, Waits};
use super::{Attempting, Ended, Left, ModelFile, Path, Pieces, Site, queue::Crew};
use crate::{
    ask::{Ask, Inference, Question},
    tensor::{self, Datatype, Infer, InferAnswer, Mapping, Signature, Tensor},
    upstream::Call,
};

/// A model in this process.
pub(crate) struct Onnx {
    crew: Crew<Waits<Arc<Ask>>>,
    file: Arc<ModelFile>,
}

impl Onnx {
    pub(super) fn path(kind: &config::kind::Onnx, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let (bytes, whose) = file::read(kind)?;
        let file = kind.file.display();
        let model = Model::load(&bytes).map_err(|error| format!("`{file}`: {error}"))?;
        let mapping = site.mapping()?;
        fits(&model, &mapping).map_err(|why| format!("`{file}`: {why}"))?;
        if site.is_first {
            site.known.learn(signature(&model));
        }
        warm(&model);
        let computer = Computer { model, mapping, batch: u64::from(kind.batch) };
        let bounds = (kind.threads, kind.queue as usize);
        let work = move |waits, queue: &_| _ = computer.work(waits, queue);
        Ok(Arc::new(Self { crew: Crew::start(&format!("onnx {}", site.path.name), bounds, work)?, file: whose }))
    }

    async fn answer(&self, ask: Arc<Ask>) -> Result<InferAnswer, ResultCode> {
        let (reply, answer) = oneshot::channel();
        // What is full has no room for more, and says so at once: the next tier is asked.
        self.crew.put(Waits { ask, reply }).map_err(|_| ResultCode::OwnLimit)?;
        // A thread lives as long as we do, so that the job is taken; where it panics, the reply is dropped.
        answer.await.map_err(|_| ResultCode::PathPanic)?
    }
}

impl Asks for Arc<Ask> {
    fn infer(&self) -> Option<&Infer> {
        match &self.question {
            Question::Infer(Inference { infer, .. }) => Some(infer),
            // `check` lets such a path stand on an `oip` route only.
            _ => None,
        }
    }
}

impl Path for Onnx {
    fn attempt(self: Arc<Self>, ask: Arc<Ask>, _: Call, _: Pieces) -> Attempting {
        Box::pin(async move {
            match self.answer(ask).await {
                Ok(answer) => Ended { result: ResultCode::Ok, status: None, after: None, left: Left::Infer(answer) },
                Err(result) => Ended::bare(result, None),
            }
        })
    }

    fn model(&self) -> Option<&Arc<ModelFile>> {
        Some(&self.file)
    }
}

/// Computes one row of zeros, whatever comes of it: pages are read and memory is asked for before a request is (F-161).
fn warm(model: &Model) {
    /// A row of more is none of these; what one costs is then seen with the first request.
    const MOST: usize = 1 << 20;
    fn zeros(port: &Port) -> Option<(&str, Array)> {
        let shape: Vec<usize> = port.shape.iter().map(|it| it.map_or(1, |it| it as usize)).collect();
        let count = elements(&shape).filter(|it| *it <= MOST)?;
        let data = match port.kind {
            Kind::F32 => Data::F32(vec![0.0; count]),
            Kind::F64 => Data::F64(vec![0.0; count]),
            Kind::I32 => Data::I32(vec![0; count]),
            Kind::I64 => Data::I64(vec![0; count]),
            Kind::Bool => Data::Bool(vec![false; count]),
            Kind::Text => Data::Text(vec![String::new(); count]),
        };
        Some((port.name.as_str(), Array::new(shape, data).ok()?))
    }
    if let Some(inputs) = model.inputs().iter().map(zeros).collect::<Option<Vec<_>>>() {
        let run = || model.run(&inputs).is_ok();
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    }
}

/// Returns what a model is asked; none where the request is nothing for it.
fn inputs(model: &Model, infer: &Infer) -> Option<Arrays> {
    let feed = |port: &Port| {
        let tensor = infer.input(&port.name)?;
        Some((port.name.clone(), array(tensor, port)?))
    };
    model.inputs().iter().map(feed).collect()
}

/// Makes an answer of what a model computed.
fn answer(outputs: Arrays) -> Result<InferAnswer, ResultCode> {
    let tensors = outputs.into_iter().map(|(name, array)| tensor(name, array));
    Ok(InferAnswer::of(tensors.collect::<Option<Vec<_>>>().ok_or(ResultCode::ContractSchema)?))
}

/// Makes of a tensor what an input of a model takes; none where that would not be the same values. Rounding is no loss,
/// but a fraction or a number that the input cannot hold is.
fn array(tensor: &Tensor, port: &Port) -> Option<Array> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let numbers = || tensor.to_f64();
    let whole = |range: RangeInclusive<f64>| {
        numbers().filter(|it| it.iter().all(|one| one.fract() == 0.0 && range.contains(one)))
    };
    let narrow = |it: f64| Some(it as f32).filter(|narrow| narrow.is_finite() || !it.is_finite());
    let data = match (port.kind, tensor.datatype()) {
        (Kind::F32, Datatype::Fp32) => Data::F32(tensor.values().map(f32::from_le_bytes).collect()),
        (Kind::F32, _) => Data::F32(numbers()?.into_iter().map(narrow).collect::<Option<_>>()?),
        (Kind::F64, _) => Data::F64(numbers()?),
        (Kind::I64, Datatype::Int64) => Data::I64(tensor.values().map(i64::from_le_bytes).collect()),
        (Kind::I64, _) => Data::I64(whole(-EXACT..=EXACT)?.into_iter().map(|it| it as i64).collect()),
        (Kind::I32, _) => {
            let whole = whole(f64::from(i32::MIN)..=f64::from(i32::MAX))?;
            Data::I32(whole.into_iter().map(|it| it as i32).collect())
        }
        (Kind::Bool, Datatype::Bool) => Data::Bool(tensor.data().iter().map(|it| *it != 0).collect()),
        (Kind::Text, Datatype::Bytes) => {
            let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
            Data::Text(tensor.strings().map(text).collect::<Option<_>>()?)
        }
        (Kind::Bool | Kind::Text, _) => return None,
    };
    let mut shape: Vec<usize> = tensor.shape().iter().map(|it| usize::try_from(*it).ok()).collect::<Option<_>>()?;
    // One value a row is a column to most exporters.
    if shape.len() + 1 == port.shape.len() {
        shape.push(1);
    }
    Array::new(shape, data).ok()
}

fn tensor(name: String, array: Array) -> Option<Tensor> {
    let (shape, data) = array.into_parts();
    let shape = shape.into_iter().map(|it| it as u64).collect();
    match data {
        Data::F32(values) => Tensor::from_f32(&name, shape, &values),
        Data::F64(values) => Tensor::from_f64(&name, shape, &values),
        Data::I64(values) => Tensor::from_i64(&name, shape, &values),
        Data::I32(values) => {
            let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
            Tensor::new(name, Datatype::Int32, shape, bytes.into())
        }
        Data::Bool(values) => Tensor::from_bools(&name, shape, &values),
        Data::Text(values) => Tensor::from_bytes(&name, shape, &values),
    }
    .ok()
}

/// Holds a model against what its route takes and gives, where the route says so.
fn fits(model: &Model, mapping: &Mapping) -> Result<(), String> {
    let contract = mapping.contract();
    let names = |ports: &[Port]| ports.iter().map(|it| format!("`{}`", it.name)).collect::<Vec<_>>().join(", ");
    for input in model.inputs().iter().filter(|_| !contract.inputs.is_empty()) {
        let Some(port) = contract.inputs.iter().find(|port| port.name == input.name) else {
            return Err(format!("the model reads `{}`, which is no input of the route", input.name));
        };
        if let Some(never) = port.datatypes.iter().find(|it| !can_be(**it, input.kind)) {
            let (found, wanted) = (never.name(), datatype(input.kind).name());
            return Err(format!("input `{}` is {wanted} in the model and {found} in the route", input.name));
        }
        let width = |shape: Option<u64>| shape.unwrap_or(1);
        let (wanted, found) = (input.shape.get(1).copied().flatten(), port.shape.get(1).map(|it| *it as u64));
        if wanted.is_some_and(|wanted| wanted != width(found)) {
            let (wanted, found) = (width(wanted), width(found));
            return Err(format!("input `{}` has {wanted} columns in the model and {found} in the route", input.name));
        }
    }
    for port in &contract.outputs {
        let Some(name) = mapping.name_of(&port.name) else { continue };
        let Some(output) = model.outputs().iter().find(|output| output.name == name) else {
            let (found, why) = (names(model.outputs()), mapping.why(&port.name));
            return Err(format!("the model has no output `{name}`, {why}; it has {found}"));
        };
        let width = output.shape.last().copied().flatten();
        mapping.fits(port, datatype(output.kind), width).map_err(|why| format!("output `{name}` {why}"))?;
    }
    Ok(())
}

/// Returns what a model takes and gives. Its inputs take numbers of any kind.
fn signature(model: &Model) -> Signature {
    let shape = |port: &Port| -> Vec<i64> { port.shape.iter().map(|it| it.map_or(-1, |it| it as i64)).collect() };
    let place = |port: &Port| tensor::Port::new(&port.name, datatype(port.kind), &shape(port));
    let input = |port: &Port| {
        let mut input = place(port);
        let others = Datatype::ALL.into_iter().filter(|it| *it != datatype(port.kind) && can_be(*it, port.kind));
        input.datatypes.extend(others);
        input
    };
    Signature { inputs: model.inputs().iter().map(input).collect(), outputs: model.outputs().iter().map(place).collect() }
}

/// Says whether values of a datatype can become what an input holds: numbers any number, all else itself only.
fn can_be(found: Datatype, wanted: Kind) -> bool {
    match wanted {
        Kind::F32 | Kind::F64 | Kind::I32 | Kind::I64 => found != Datatype::Bytes,
        Kind::Bool | Kind::Text => found == datatype(wanted),
    }
}

fn datatype(kind: Kind) -> Datatype {
    match kind {
        Kind::F32 => Datatype::Fp32,
        Kind::F64 => Datatype::Fp64,
        Kind::I32 => Datatype::Int32,
        Kind::I64 => Datatype::Int64,
        Kind::Bool => Datatype::Bool,
        Kind::Text => Datatype::Bytes,
    }
}

#[cfg(test)]
mod tests;
