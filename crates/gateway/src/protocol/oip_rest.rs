//! Open Inference Protocol v2 over REST, with tensors as JSON or as bytes behind it: requests, answers, metadata, errors.
//!
//! Not here: gRPC, which is a codec of its own beside this one and meets it in [`Infer`] and [`InferAnswer`]; HTTP itself;
//! upstreams' addresses.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2 and 3.
//!
//! [`Infer`]: crate::tensor::Infer
//! [`InferAnswer`]: crate::tensor::InferAnswer

pub(crate) mod answer;
pub(crate) mod binary;
mod data;
mod draft;
pub(crate) mod error;
pub(crate) mod metadata;
mod parameter;
pub(crate) mod request;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::{rope::Rope, tensor::Tensor};

/// The deepest nesting of a body.
const DEPTH: u8 = 32;
/// Tensors of a request or an answer, inputs and outputs each.
const MAX_TENSORS: usize = 1024;
/// Members of an object, unknown ones included; a small text must not become a large list (SE-09, SE-10).
const MAX_MEMBERS: usize = 256;

/// A body for one of the two sides, and how much of it is JSON where bytes of tensors stand behind that.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: Rope,
    pub(crate) json: Option<usize>,
}

impl Written {
    /// Puts tensors behind the JSON, as they are: no byte of theirs is copied.
    fn new<'t>(json: Vec<u8>, tensors: impl Iterator<Item = &'t Tensor>) -> Self {
        let (length, mut written) = (json.len(), Self { body: Rope::from(Bytes::from(json)), json: None });
        for tensor in tensors {
            written.body.push(tensor.data().clone());
            written.json = Some(length);
        }
        written
    }

    /// Says in the headers what it is.
    pub(crate) fn label(&self, headers: &mut HeaderMap) {
        let kind = match self.json {
            None => "application/json",
            Some(length) => {
                headers.insert(binary::JSON_LENGTH, HeaderValue::from(length));
                "application/octet-stream"
            }
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
}

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
    /// Says whether tensors are understood as bytes behind the JSON.
    pub(crate) const fn reads_binary(self) -> bool {
        matches!(self, Self::Triton | Self::Kserve)
    }

    /// Says whether `content_type` parameters have a meaning.
    const fn reads_content_type(self) -> bool {
        matches!(self, Self::Mlserver)
    }
}
