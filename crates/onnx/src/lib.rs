//! In-process evaluation of tabular ONNX models: trees, linear models, and what stands around them.
//!
//! A file is read and proven once; running it cannot leave an array, loop for ever or recurse. Not here: threads, files.
//! Neural networks are computed by a library (feature `neural`, on), for which the module `neural` has invariants of its own in
//! place of `ONNX-1` and `ONNX-2`; its answers are within 1e-4 of ONNX Runtime's on the networks in `tests/networks`.
//!
//! # Invariants
//! - `ONNX-1`: whatever bytes are loaded, there is a model or an error that names what is wrong; never a panic, and never
//!   more memory than a multiple of the bytes (128 times, measured on the worst file known). A number that no data stand
//!   behind decides no size. A run that would make more than 512 MiB of results is an error.
//! - `ONNX-2`: trees, scalers, normalizers, arithmetic and what moves or compares elements answer with the very bits of ONNX
//!   Runtime (one thread). Two things are within 1e-6 of it, relative above 1 and absolute below: what went through `exp`,
//!   `ln`, `pow` or `tanh`, which are the C library's and differ from one to another by a last bit; and sums of products
//!   (linear models, support vectors, matrices), which ONNX Runtime takes in f32 in an order that depends on the processor,
//!   and which are taken here in f64. Where such sums cancel, what is lost in f32 is more than that.
//! - `ONNX-3`: the same model and inputs give the same outputs, always.
//!
//! # Where ONNX Runtime is not followed
//! - Trees with weights for both of two classes: it answers 0 and 1 whatever `classlabels_int64s` has; here the labels.
//! - PROBIT of one score for two classes: it leaves the second score unwritten. Here that score is 0 in trees, and a linear
//!   model is refused.
//! - `Normalizer` of i32 and i64 with L2: it squares in the width of the input, which overflows; here nothing does.
//! - An empty batch through `ZipMap` is a table without rows, not an empty list.
//! - `TreeEnsemble`: a fraction is no member of a set of whole numbers. It cuts fractions off where a set is large, has a
//!   number below zero, or one above 30. Its numbers of `LOGISTIC` and `SOFTMAX` are followed, though the specification has
//!   them the other way round.
//! - A tree that is one leaf is the leaf that it names; it takes the one with the number of the root.
//! - `FeatureVectorizer` of no rows is a table without rows; it ends the process. An `ArrayFeatureExtractor` of no positions
//!   is one without columns, and an empty map a row of zeros; it refuses both.
//! - A map comes as two inputs, the list of its keys and that of its values.
//!
//! # Source
//! ONNX operators, domains `ai.onnx` and `ai.onnx.ml`; `docs/design/dependencies.md`, section 7.

mod attribute;
mod extent;
mod load;
mod model;
#[cfg(feature = "neural")]
mod neural;
mod op;
mod post;
mod proto;
mod tensor;

pub use load::LoadError;
pub use model::{Model, Port, RunError};
pub use tensor::{Data, Kind, Misfit, Tensor, elements};
