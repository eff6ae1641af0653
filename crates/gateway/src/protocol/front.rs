//! Front: the protocol that a client speaks, and how an error of ours looks in it.

use bytes::Bytes;

use super::{oip_rest, openai, problem::Problem};

/// The protocol that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// OpenAI.
    Openai,
    /// The Open Inference Protocol over REST.
    Oip,
    /// The Open Inference Protocol over gRPC.
    OipGrpc,
}

impl Front {
    /// Writes the body of an error; only OpenAI has a place for the parameter that is wrong.
    pub(crate) fn error_body(self, problem: Problem, message: &str, param: Option<&str>) -> Bytes {
        match self {
            Self::Openai => openai::error::error_body(problem, message, param),
            Self::Oip => oip_rest::error::error_body(message),
            // What is wrong is said beside the body; what follows is its text.
            Self::OipGrpc => Bytes::copy_from_slice(message.as_bytes()),
        }
    }
}
