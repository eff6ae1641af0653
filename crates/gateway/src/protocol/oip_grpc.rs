//! Open Inference Protocol v2 over gRPC: its messages, as bytes.
//!
//! Not here: HTTP/2 and frames; what a request must be, which is checked as over REST and by the same code; addresses.
//!
//! # Invariants
//! - `OIPGRPC-1`: the bytes of a raw tensor are a slice of the message that they came in, and go out as they are: they are not
//!   copied.
//! - `OIPGRPC-2`: nothing is kept that a short message could make many of: tensors, dimensions and parameters are counted
//!   while they are read (SE-10).
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6; ADR 5.

pub(crate) mod answer;
mod contents;
pub(crate) mod look;
#[cfg(test)]
mod oracle;
mod parameter;
pub(crate) mod request;
pub(crate) mod status;
#[cfg(test)]
mod typed;
mod wire;

use bytes::Bytes;
use wire::Writer;

use crate::rope::{self, Rope};

/// Tensors of a request or an answer, inputs and outputs each.
const MAX_TENSORS: usize = 1024;
/// Dimensions of a tensor, at most.
const MAX_RANK: usize = 16;

/// A message that is none of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Puts raw tensors behind a message, in a field of it.
fn with_raw<'t>(mut message: Writer, field: u32, tensors: impl Iterator<Item = &'t Bytes>) -> Rope {
    let mut rope = Rope::default();
    for tensor in tensors {
        message.key(field, tensor.len());
        if tensor.len() <= rope::SMALL {
            message.put(tensor);
        } else {
            rope.push(message.take());
            rope.push(tensor.clone());
        }
    }
    rope.push(message.take());
    rope
}
