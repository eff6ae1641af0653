//! Models as files, from outside: what the ONNX Runtime answers is answered here, and what is broken is refused.

mod fixtures;
mod recorded;
mod table;
