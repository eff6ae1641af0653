//! Model: a graph that was proven, and runs.

use thiserror::Error;

use crate::{
    op::Operator,
    tensor::{Kind, Tensor},
};

/// Bytes of all results of a run together, at most: what a node reads may be read again, so that all of them stay.
const MAX_RUN_BYTES: usize = 1 << 29;

/// A model that can be run: immutable, and shared between threads.
#[derive(Debug)]
pub struct Model {
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) body: Body,
}

/// What computes.
#[derive(Debug)]
pub(crate) enum Body {
    /// Nodes, one after the other.
    Steps(Steps),
    /// A network.
    #[cfg(feature = "neural")]
    Network(Box<crate::neural::Network>),
}

/// Nodes in their order.
#[derive(Debug)]
pub(crate) struct Steps {
    /// What is there before anything runs: constants. The inputs come right behind.
    pub(crate) constants: Vec<Tensor>,
    pub(crate) steps: Vec<Step>,
    /// Where each output stands once all has run.
    pub(crate) results: Vec<usize>,
    /// Each row of the outputs follows from the same row of the inputs alone (EXTENT-1).
    pub(crate) by_row: bool,
}

/// A named place for a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name.
    pub name: String,
    /// What its elements are.
    pub kind: Kind,
    /// The dimensions; none where one is open.
    pub shape: Vec<Option<u64>>,
}

/// A node: what it computes, of which values. What it writes comes behind all values that were there.
#[derive(Debug)]
pub(crate) struct Step {
    /// How it is called in errors.
    pub(crate) name: String,
    pub(crate) operator: Box<dyn Operator>,
    pub(crate) reads: Vec<usize>,
    pub(crate) writes: usize,
}

/// Why a model could not be run on its inputs.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RunError {
    /// An input is not there.
    #[error("input `{0}` is missing")]
    Missing(String),
    /// An input that the model does not have.
    #[error("there is no input `{0}`")]
    Unknown(String),
    /// Another kind of element.
    #[error("input `{name}` is {found:?}, the model takes {wanted:?}")]
    Kind {
        /// The input.
        name: String,
        /// What it is.
        found: Kind,
        /// What it should be.
        wanted: Kind,
    },
    /// Another shape.
    #[error("input `{name}` has the shape {found:?}, the model takes {wanted:?}")]
    Shape {
        /// The input.
        name: String,
        /// What it has.
        found: Vec<usize>,
        /// What it should have.
        wanted: Vec<Option<u64>>,
    },
    /// A node cannot take what it got.
    #[error("node {node}: {why}")]
    Node {
        /// The node, with its operator.
        node: String,
        /// Why.
        why: String,
    },
    /// What computes it has a bug: the same inputs do it again.
    #[error("the library for networks panicked")]
    Panicked,
}

impl Model {
    /// Returns the inputs, in the order of the file; constants are none.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Returns the outputs, in the order of the file.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Says whether the first dimension of all inputs and outputs counts rows, of which each is computed for itself: rows
    /// may then be computed in parts, and those of several callers together, with the same answers.
    pub fn is_by_row(&self) -> bool {
        match &self.body {
            Body::Steps(steps) => steps.by_row,
            #[cfg(feature = "neural")]
            Body::Network(network) => network.is_by_row(),
        }
    }

    /// Computes all outputs, in their order.
    ///
    /// # Errors
    /// An input is missing, unknown, of another kind or shape than the model takes; a node cannot take what it got, or would
    /// make more than there is room for; or a network panicked.
    pub fn run(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Tensor)>, RunError> {
        if let Some((name, _)) = inputs.iter().find(|(name, _)| !self.inputs.iter().any(|port| port.name == *name)) {
            return Err(RunError::Unknown((*name).into()));
        }
        let mut given = Vec::with_capacity(self.inputs.len());
        for port in &self.inputs {
            let found = inputs.iter().find(|(name, _)| *name == port.name);
            let (_, tensor) = found.ok_or_else(|| RunError::Missing(port.name.clone()))?;
            port.check(tensor)?;
            given.push(tensor);
        }
        let results = match &self.body {
            Body::Steps(steps) => steps.run(&given)?,
            #[cfg(feature = "neural")]
            Body::Network(network) => network.run(&given)?,
        };
        Ok(self.outputs.iter().map(|port| port.name.clone()).zip(results).collect())
    }
}

impl Steps {
    fn run(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>, RunError> {
        let values: Vec<&Tensor> = self.constants.iter().chain(inputs.iter().copied()).collect();
        let given = values.len();
        let (mut made, mut room): (Vec<Tensor>, usize) = (Vec::new(), MAX_RUN_BYTES);
        for step in &self.steps {
            let read: Vec<&Tensor> =
                step.reads.iter().map(|at| if *at < given { values[*at] } else { &made[*at - given] }).collect();
            let fault = |why| RunError::Node { node: step.name.clone(), why };
            let mut written = step.operator.run(&read).map_err(fault)?;
            written.truncate(step.writes);
            let size = written.iter().map(|it| it.data().size_bytes()).sum();
            room = room.checked_sub(size).ok_or_else(|| fault("all results together are too large".into()))?;
            made.extend(written);
        }
        let result = |at: &usize| if *at < given { values[*at].clone() } else { made[*at - given].clone() };
        Ok(self.results.iter().map(result).collect())
    }
}

impl Port {
    fn check(&self, tensor: &Tensor) -> Result<(), RunError> {
        let name = || self.name.clone();
        if tensor.kind() != self.kind {
            return Err(RunError::Kind { name: name(), found: tensor.kind(), wanted: self.kind });
        }
        let fits = |(wanted, found): (&Option<u64>, &usize)| wanted.is_none_or(|wanted| wanted == *found as u64);
        let found = tensor.shape();
        match found.len() == self.shape.len() && self.shape.iter().zip(found).all(fits) {
            true => Ok(()),
            false => Err(RunError::Shape { name: name(), found: found.into(), wanted: self.shape.clone() }),
        }
    }
}
