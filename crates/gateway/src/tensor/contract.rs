//! Contract: what tensors a route takes and gives, whoever answers.
//!
//! # Invariants
//! - `CONTRACT-1`: an answer that [`accept`](Contract::accept) lets through can be written in the client's form: every
//!   wanted output is there, fits the contract, is finite unless the route allows otherwise, and has a JSON form or is
//!   wanted as bytes.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.2, 2.4 and 3.3 (`[n,1]` and `[n]` are one); TN-07 to TN-09, OIP-20, OIP-40.

use evenkeel_core::ResultCode;
use thiserror::Error;

use super::{
    Count, Datatype, Form, Infer, InferAnswer, Output, Tensor,
    values::{Stray, Values},
};

/// What a route takes and gives. Empty lists bind nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Contract {
    /// The inputs.
    pub(crate) inputs: Vec<Port>,
    /// The outputs, all of them promised.
    pub(crate) outputs: Vec<Port>,
    /// The most rows of a request.
    pub(crate) max_batch: Option<u64>,
    /// Whether NaN and infinities may go to the client (`output: {non_finite: allow}`).
    pub(crate) non_finite: bool,
    /// Whether a server said it of its model, and no file declares it: an open first dimension need not count rows then.
    pub(crate) learned: bool,
}

/// A named place of a contract.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Port {
    /// The name.
    pub(crate) name: String,
    /// The datatypes that fit; the first is the one that clients are told.
    pub(crate) datatypes: Vec<Datatype>,
    /// The dimensions; one below 0 is open, and an open first one is the batch.
    pub(crate) shape: Vec<i64>,
    /// Whether a request without it is refused.
    pub(crate) required: bool,
    /// What its values may be: of all, where there is one, else of each place in the last dimension.
    pub(crate) values: Vec<Values>,
}

/// Why a request does not fit a contract.
#[derive(Clone, Debug, PartialEq, Error)]
pub(crate) enum Breach {
    /// An input that is not in the contract.
    #[error("unknown input '{0}'")]
    UnknownInput(String),
    /// An input that is in the contract only.
    #[error("input '{0}' is missing")]
    MissingInput(String),
    /// Another datatype.
    #[error("input '{name}' is {found}, expected {wanted}")]
    Datatype {
        /// The input.
        name: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: String,
    },
    /// Another rank, or another dimension.
    #[error("input '{name}' has shape {found:?}, expected {wanted:?}")]
    Shape {
        /// The input.
        name: String,
        /// What it has.
        found: Vec<u64>,
        /// What it should have.
        wanted: Vec<i64>,
    },
    /// More rows than the route takes.
    #[error("input '{name}' has {found} rows, the limit is {limit} (max_batch)")]
    Batch {
        /// The input.
        name: String,
        /// Its rows.
        found: u64,
        /// The most.
        limit: u64,
    },
    /// Inputs that do not belong to the same rows.
    #[error("input '{name}' has {found} rows, '{first}' has {wanted}")]
    Rows {
        /// The input.
        name: String,
        /// Its rows.
        found: u64,
        /// The first input that counts rows.
        first: String,
        /// Its rows.
        wanted: u64,
    },
    /// A value that is not among those that fit.
    #[error("input '{name}' row {row}: {stray}")]
    Value {
        /// The input.
        name: String,
        /// Which row, from 0.
        row: usize,
        /// What does not fit.
        stray: Stray,
    },
    /// An output that is not in the contract.
    #[error("unknown output '{0}'")]
    UnknownOutput(String),
    /// An output of one value a row, of which there are no classes.
    #[error("output '{0}' has one value a row: there is nothing in it for 'classification' to rank")]
    NoClasses(String),
}

impl Port {
    /// Makes a place that is needed and takes any value of one datatype.
    pub(crate) fn new(name: &str, datatype: Datatype, shape: &[i64]) -> Self {
        Self { name: name.into(), datatypes: vec![datatype], shape: shape.into(), required: true, values: vec![] }
    }

    /// Finds the first value that does not fit, with its row.
    fn stray(&self, tensor: &Tensor) -> Option<(usize, Stray)> {
        if tensor.datatype() == Datatype::Bytes {
            return self.stray_text(tensor);
        }
        let width = self.values.len();
        if self.values.iter().all(Values::is_free) {
            return None;
        }
        // Looked at one by one: as numbers of one kind they would be many times what came.
        let mut stray = tensor.numbers()?.enumerate().filter_map(|(at, number)| {
            let stray = self.values[at % width].stray(number)?;
            Some((if width > 1 { at / width } else { row_of(at, tensor.shape()) }, stray))
        });
        stray.next()
    }

    fn stray_text(&self, tensor: &Tensor) -> Option<(usize, Stray)> {
        let values = self.values.first().filter(|it| !it.categories.is_empty())?;
        let mut strays = tensor.strings().enumerate().filter_map(|(at, text)| Some((at, values.stray_text(text)?)));
        strays.next().map(|(at, stray)| (row_of(at, tensor.shape()), stray))
    }

    /// Says whether a shape fits.
    pub(crate) fn fits(&self, shape: &[u64]) -> bool {
        let fits =
            |(wanted, found): (&i64, &u64)| u64::try_from(*wanted).is_err() || i64::try_from(*found) == Ok(*wanted);
        self.shape.len() == shape.len() && self.shape.iter().zip(shape).all(fits)
    }

    /// Says whether an input of this shape fits: one value a row may come as a column.
    fn takes(&self, shape: &[u64]) -> bool {
        self.fits(shape) || (self.shape.len() == 1 && shape.strip_suffix(&[1]).is_some_and(|shape| self.fits(shape)))
    }

    /// Says whether the first dimension counts rows.
    pub(crate) fn is_batched(&self) -> bool {
        self.shape.first().is_some_and(|first| *first < 0)
    }

    /// Returns the shape in which a tensor fits, if it does: its own, or with a last dimension of 1 more or less.
    fn shape_for(&self, shape: &[u64]) -> Option<Vec<u64>> {
        let shorter = shape.strip_suffix(&[1]).map(<[u64]>::to_vec);
        let forms = [Some(shape.to_vec()), shorter, Some([shape, &[1]].concat())];
        forms.into_iter().flatten().find(|form| self.fits(form))
    }
}

/// Returns the row of an element.
fn row_of(element: usize, shape: &[u64]) -> usize {
    let width: u64 = shape.iter().skip(1).product();
    element / usize::try_from(width).unwrap_or(usize::MAX).max(1)
}

impl Contract {
    /// Checks that the names of inputs are known and complete.
    pub(crate) fn check_names<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Result<(), Breach> {
        if self.inputs.is_empty() {
            return Ok(());
        }
        if let Some(unknown) = names.clone().find(|name| self.input(name).is_none()) {
            return Err(Breach::UnknownInput(unknown.into()));
        }
        let needed = self.inputs.iter().filter(|port| port.required);
        match needed.clone().find(|port| !names.clone().any(|name| name == port.name)) {
            Some(missing) => Err(Breach::MissingInput(missing.name.clone())),
            None => Ok(()),
        }
    }

    /// Checks the datatype of an input.
    pub(crate) fn check_datatype(&self, name: &str, datatype: Datatype) -> Result<(), Breach> {
        match self.input(name) {
            Some(port) if !port.datatypes.contains(&datatype) => {
                let words: Vec<_> = port.datatypes.iter().map(|it| it.name()).collect();
                Err(Breach::Datatype { name: name.into(), found: datatype.name(), wanted: words.join(" or ") })
            }
            _ => Ok(()),
        }
    }

    /// Checks the shape and the rows of an input.
    pub(crate) fn check_shape(&self, name: &str, shape: &[u64]) -> Result<(), Breach> {
        let port = self.input(name);
        // A model of ours takes one value a row for a column, too.
        let column = |port: &Port| self.learned && port.fits(&[shape, &[1]].concat());
        if let Some(port) = port.filter(|port| !port.takes(shape) && !column(port)) {
            return Err(Breach::Shape { name: name.into(), found: shape.into(), wanted: port.shape.clone() });
        }
        // What the limit protects does not depend on what a server says (SE-09).
        let batched = self.learned || port.is_none_or(Port::is_batched);
        match (shape.first().filter(|_| batched), self.max_batch) {
            (Some(found), Some(limit)) if *found > limit => {
                Err(Breach::Batch { name: name.into(), found: *found, limit })
            }
            _ => Ok(()),
        }
    }

    /// Checks that all inputs that count rows have the same number of them, and returns it. Where no file says which do, the first
    /// input is taken to.
    pub(crate) fn check_rows<'a>(&self, shapes: impl Iterator<Item = (&'a str, &'a [u64])>) -> Result<Count, Breach> {
        if self.learned || self.inputs.is_empty() {
            return Ok(Count::of(shapes.map(|it| it.1).take(1)));
        }
        let shapes: Vec<_> = shapes.filter(|(name, _)| self.input(name).is_some_and(Port::is_batched)).collect();
        let count = Count::of(shapes.iter().map(|it| it.1));
        match shapes.iter().find(|(_, shape)| shape[0] != count.rows) {
            Some((name, shape)) => {
                let (name, first) = ((*name).into(), shapes[0].0.into());
                Err(Breach::Rows { name, found: shape[0], first, wanted: count.rows })
            }
            None => Ok(count),
        }
    }

    /// Says whether it is declared that requests have rows.
    fn counts_rows(&self) -> bool {
        !self.learned && self.inputs.iter().any(Port::is_batched)
    }

    /// Checks the values of an input.
    pub(crate) fn check_values(&self, tensor: &Tensor) -> Result<(), Breach> {
        match self.input(tensor.name()).and_then(|port| port.stray(tensor)) {
            Some((row, stray)) => Err(Breach::Value { name: tensor.name().into(), row, stray }),
            None => Ok(()),
        }
    }

    /// Says whether values of an input may be missing.
    pub(crate) fn may_lack(&self, name: &str) -> bool {
        self.input(name).is_some_and(|port| port.values.iter().any(|it| it.missing))
    }

    /// Checks that a wanted output exists.
    pub(crate) fn check_output(&self, name: &str) -> Result<(), Breach> {
        let known = self.outputs.is_empty() || self.outputs.iter().any(|port| port.name == name);
        if known { Ok(()) } else { Err(Breach::UnknownOutput(name.into())) }
    }

    /// Checks that a wanted output has classes: rows are none.
    pub(crate) fn check_classes(&self, name: &str) -> Result<(), Breach> {
        let rows = |port: &&Port| port.name == name && port.shape.len() == 1 && port.is_batched();
        match self.outputs.iter().find(rows).filter(|_| self.counts_rows()) {
            Some(_) => Err(Breach::NoClasses(name.into())),
            None => Ok(()),
        }
    }

    /// Accepts an answer to a request, reduced to what was wanted and in the shapes of the contract.
    ///
    /// # Errors
    /// The result of the attempt that gave it.
    pub(crate) fn accept(&self, answer: InferAnswer, request: &Infer) -> Result<InferAnswer, ResultCode> {
        if answer.outputs.is_empty() {
            return Err(ResultCode::EmptyAnswer);
        }
        let there = |name: &str| answer.output(name).is_some();
        let promised = |name: &str| self.outputs.is_empty() || self.outputs.iter().any(|port| port.name == name);
        let named = request.outputs.iter().map(|wanted| wanted.name.as_str());
        let mut due =
            named.chain(self.outputs.iter().map(|port| port.name.as_str()).filter(|name| request.wants(name)));
        if !due.all(there) {
            return Err(ResultCode::OutputMissing);
        }
        let InferAnswer { parameters, outputs, calibrated, unposted } = answer;
        let outputs =
            outputs.into_iter().filter(|Output { tensor, .. }| request.wants(tensor.name()) && promised(tensor.name()));
        let outputs = outputs.map(|output| self.output(output, request)).collect::<Result<_, _>>()?;
        Ok(InferAnswer { parameters, outputs, calibrated, unposted })
    }

    fn output(&self, output: Output, request: &Infer) -> Result<Output, ResultCode> {
        let Output { mut tensor, parameters } = output;
        if let Some(port) = self.outputs.iter().find(|port| port.name == tensor.name()) {
            if !port.datatypes.contains(&tensor.datatype()) {
                return Err(ResultCode::ContractDtype);
            }
            let shape = port.shape_for(tensor.shape()).ok_or(ResultCode::ContractShape)?;
            // Rows in are rows out, where both sides count them.
            if port.is_batched() && self.counts_rows() && shape.first() != Some(&request.count.rows) {
                return Err(ResultCode::ContractShape);
            }
            tensor = tensor.reshape(shape).map_err(|_| ResultCode::ContractShape)?;
            // What is not finite has its own rule, which comes first.
            let finite = !tensor.has_non_finite();
            if finite && port.stray(&tensor).is_some() {
                return Err(ResultCode::ContractRange);
            }
        }
        if !self.non_finite && tensor.has_non_finite() {
            return Err(ResultCode::ContractNonfinite);
        }
        if request.form_of(tensor.name()) == Form::Text && !tensor.is_text() {
            return Err(ResultCode::ContractSchema);
        }
        Ok(Output { tensor, parameters })
    }

    /// Returns the dimensions of an input by which kinds of requests differ: without the batch, and -1 for those that are open.
    pub(crate) fn closed(&self, tensor: &Tensor) -> Vec<i64> {
        let port = self.input(tensor.name());
        let batched = port.is_none_or(Port::is_batched);
        let closed = |(at, found): (usize, &u64)| match port.and_then(|port| port.shape.get(at)) {
            Some(..0) => -1,
            _ => i64::try_from(*found).unwrap_or(i64::MAX),
        };
        tensor.shape().iter().enumerate().skip(usize::from(batched)).map(closed).collect()
    }

    fn input(&self, name: &str) -> Option<&Port> {
        self.inputs.iter().find(|port| port.name == name)
    }
}

mod declared;
pub(crate) mod known;
#[cfg(test)]
mod tests;
