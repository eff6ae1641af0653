//! In-process evaluation of tabular ONNX models: trees, linear models, and what stands around them.
//!
//! A file is read and proven once; running it cannot leave an array, loop for ever or recurse. Not here: neural
//! networks, threads, files.
//!
//! # Invariants
//! - `ONNX-1`: whatever bytes are loaded, there is a model or an error that names what is wrong; never a panic, and never
//!   more memory than a multiple of the bytes.
//! - `ONNX-2`: trees answer with the very bits of ONNX Runtime (one thread), linear models within 1e-6 relative.
//! - `ONNX-3`: the same model and inputs give the same outputs, always.
//!
//! # Source
//! ONNX operators, domains `ai.onnx` and `ai.onnx.ml`; `docs/design/dependencies.md`, section 7.

mod attribute;
mod load;
mod model;
mod op;
mod post;
mod proto;
mod tensor;

pub use load::LoadError;
pub use model::{Model, Port, RunError};
pub use tensor::{Data, Kind, Misfit, Tensor};
