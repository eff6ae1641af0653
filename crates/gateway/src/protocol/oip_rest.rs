//! Open Inference Protocol v2 over REST, with tensors as JSON: requests, answers, metadata, errors.
//!
//! Not here: binary tensors and gRPC, which are codecs of their own beside this one and meet it in [`Infer`] and
//! [`InferAnswer`]; HTTP itself; upstreams' addresses.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2 and 3.
//!
//! [`Infer`]: crate::tensor::Infer
//! [`InferAnswer`]: crate::tensor::InferAnswer

pub(crate) mod answer;
mod data;
mod draft;
pub(crate) mod error;
pub(crate) mod metadata;
mod parameter;
pub(crate) mod request;

/// The deepest nesting of a body.
const DEPTH: u8 = 32;
/// Tensors of a request or an answer, inputs and outputs each.
const MAX_TENSORS: usize = 1024;
/// Members of an object, unknown ones included; a small text must not become a large list (SE-09, SE-10).
const MAX_MEMBERS: usize = 256;

/// What a server understands by the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The specification, and nothing beyond it.
    Plain,
    /// NVIDIA Triton.
    Triton,
    /// Seldon MLServer.
    Mlserver,
    /// KServe's Python server.
    Kserve,
}

impl Dialect {
    /// Says whether bare `NaN` and `Infinity` are understood in a request.
    const fn reads_tokens(self) -> bool {
        matches!(self, Self::Triton | Self::Kserve)
    }

    /// Says whether `content_type` parameters have a meaning.
    const fn reads_content_type(self) -> bool {
        matches!(self, Self::Mlserver)
    }
}
