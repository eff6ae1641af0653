//! Models as files, from outside: what the ONNX Runtime answers is answered here, and what is broken is refused.

mod fixtures;
#[cfg(feature = "neural")]
mod networks;
mod recorded;
mod table;
