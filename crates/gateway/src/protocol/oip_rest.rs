//! Open Inference Protocol v2 over REST, with tensors as JSON or as bytes behind it: requests, answers, metadata, errors.
//!
//! Not here: gRPC, whose messages are read beside this and meet it in the draft of a request, which is checked once for both,
//! and in [`Infer`] and [`InferAnswer`]; HTTP itself; upstreams' addresses.
//!
//! # Source
//! `docs/design/protocols.md`, sections 2 and 3.
//!
//! [`Infer`]: crate::tensor::Infer
//! [`InferAnswer`]: crate::tensor::InferAnswer

pub(crate) mod answer;
pub(crate) mod binary;
pub(super) mod check;
mod data;
pub(super) mod draft;
pub(crate) mod error;
pub(crate) mod metadata;
pub(super) mod parameter;
pub(crate) mod request;

use http::{HeaderMap, HeaderValue, header};

use crate::{
    rope::{self, Rope},
    tensor::Tensor,
};

/// The deepest nesting of a body.
const DEPTH: u8 = 32;
/// Tensors of a request or an answer, inputs and outputs each.
const MAX_TENSORS: usize = 1024;
/// Members of an object, unknown ones included; a small text must not become a large list (SE-09, SE-10).
pub(super) const MAX_MEMBERS: usize = 256;

/// A body for one of the two sides, and how much of it is JSON where bytes of tensors stand behind that.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) body: Rope,
    pub(crate) json: Option<usize>,
}

impl Written {
    /// Puts tensors behind the JSON, as they are: what is large is not copied.
    fn new<'t>(json: Vec<u8>, tensors: impl Iterator<Item = &'t Tensor>) -> Self {
        let (length, mut json) = (json.len(), json);
        let mut written = Self { body: Rope::default(), json: None };
        for data in tensors.map(Tensor::data) {
            written.json = Some(length);
            if data.len() <= rope::SMALL {
                json.extend_from_slice(data);
            } else {
                written.body.push(std::mem::take(&mut json).into());
                written.body.push(data.clone());
            }
        }
        written.body.push(json.into());
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
