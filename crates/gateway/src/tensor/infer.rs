//! Infer: a request for inference and its answer, in the one form that travels inside.

use std::sync::Arc;

use bytes::Bytes;
use evenkeel_config::Calibration;

use super::Tensor;

/// A value of `parameters`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parameter {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer beyond `i64`.
    Uint(u64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// A text.
    String(String),
}

/// Named scalars, in the order in which they came.
pub(crate) type Parameters = Vec<(String, Parameter)>;

/// Members that nobody here knows, as JSON: carried along where the dialect stays the same (OIP-15).
pub(crate) type Extra = Vec<(String, Bytes)>;

/// A request for inference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Infer {
    /// The client's id; none where it gave none or an empty one.
    pub(crate) id: Option<String>,
    /// Parameters of the request.
    pub(crate) parameters: Parameters,
    /// The inputs.
    pub(crate) inputs: Vec<Input>,
    /// The outputs that are wanted; all, where none is named.
    pub(crate) outputs: Vec<Wanted>,
    /// How outputs are wanted of which nothing else is said.
    pub(crate) form: Form,
    /// Unknown members.
    pub(crate) extra: Extra,
    /// Its rows.
    pub(crate) count: Count,
}

/// The rows of a request, as its contract counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// How many; 1 where no input has any.
    pub(crate) rows: u64,
    /// Nothing is in them: each input that has rows has a dimension of 0.
    pub(crate) empty: bool,
}

impl Default for Count {
    fn default() -> Self {
        Self { rows: 1, empty: false }
    }
}

impl Count {
    /// Counts by the first dimension of inputs that are known to have rows: of the first, as all have as many.
    pub(crate) fn of<'a>(shapes: impl IntoIterator<Item = &'a [u64]>) -> Self {
        let mut shapes = shapes.into_iter().filter(|shape| !shape.is_empty()).peekable();
        let Some(rows) = shapes.peek().map(|shape| shape[0]) else { return Self::default() };
        Self { rows, empty: shapes.all(|shape| shape.contains(&0)) }
    }
}

/// How tensors are told to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As JSON.
    Text,
    /// As bytes.
    Bytes,
    /// As the lists of numbers that Protocol Buffers have.
    Typed,
}

/// An input of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    /// The tensor.
    pub(crate) tensor: Tensor,
    /// Its parameters.
    pub(crate) parameters: Parameters,
    /// Unknown members.
    pub(crate) extra: Extra,
}

/// An output that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is wanted as bytes; none where that is not said.
    pub(crate) binary: Option<bool>,
    /// How many of its largest values are wanted in place of all, with their places.
    pub(crate) classes: Option<u32>,
    /// Its parameters.
    pub(crate) parameters: Parameters,
    /// Unknown members.
    pub(crate) extra: Extra,
}

/// The answer to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct InferAnswer {
    /// Parameters of the answer.
    pub(crate) parameters: Parameters,
    /// The outputs.
    pub(crate) outputs: Vec<Output>,
    /// How scores among them were brought to another scale, where they were.
    pub(crate) calibrated: Option<Box<Calibrated>>,
    /// Numbers among them as they were before the steps of their route (`post`), where those made others of them.
    pub(crate) unposted: Vec<Tensor>,
}

/// Scores that were brought to another scale.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calibrated {
    /// By which maps.
    pub(crate) by: Arc<Calibration>,
    /// The outputs as they were before.
    pub(crate) raw: Vec<Tensor>,
}

/// An output of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    /// The tensor.
    pub(crate) tensor: Tensor,
    /// Its parameters.
    pub(crate) parameters: Parameters,
}

impl Infer {
    /// Finds an input.
    pub(crate) fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.iter().map(|input| &input.tensor).find(|tensor| tensor.name() == name)
    }

    /// Says whether an output is wanted.
    pub(crate) fn wants(&self, output: &str) -> bool {
        self.outputs.is_empty() || self.outputs.iter().any(|wanted| wanted.name == output)
    }

    /// Returns how an output is wanted.
    pub(crate) fn form_of(&self, output: &str) -> Form {
        let wanted = self.outputs.iter().find(|wanted| wanted.name == output);
        match wanted.and_then(|wanted| wanted.binary) {
            Some(true) => Form::Bytes,
            Some(false) => Form::Text,
            None => self.form,
        }
    }

    /// Returns the rows that an answer is to have that is made here. Rows without anything in them, which a shape can claim any
    /// number of, are none.
    pub(crate) fn batch(&self) -> u64 {
        if self.count.empty { 0 } else { self.count.rows }
    }
}

impl InferAnswer {
    /// Makes an answer of tensors without parameters.
    pub(crate) fn of(tensors: impl IntoIterator<Item = Tensor>) -> Self {
        let output = |tensor| Output { tensor, parameters: Parameters::new() };
        Self { outputs: tensors.into_iter().map(output).collect(), ..Self::default() }
    }

    /// Finds an output as its tier said it, before any map.
    pub(crate) fn raw(&self, name: &str) -> Option<&Tensor> {
        let raw = self.calibrated.iter().flat_map(|it| &it.raw).find(|tensor| tensor.name() == name);
        raw.or_else(|| self.unposted(name))
    }

    /// Finds an output as it was before the steps of its route.
    pub(crate) fn unposted(&self, name: &str) -> Option<&Tensor> {
        self.unposted.iter().find(|tensor| tensor.name() == name).or_else(|| self.output(name))
    }

    /// Finds an output.
    pub(crate) fn output(&self, name: &str) -> Option<&Tensor> {
        self.outputs.iter().map(|output| &output.tensor).find(|tensor| tensor.name() == name)
    }
}
