//! Typed: the elements of a tensor as another implementation of Protocol Buffers has them.

use bytes::Bytes;

use super::oracle::InferTensorContents;
use crate::tensor::{Datatype, Tensor};

/// Returns the elements of a tensor as the lists have them.
pub(super) fn contents(tensor: &Tensor) -> InferTensorContents {
    use Datatype as D;
    let mut out = InferTensorContents::default();
    macro_rules! fill {
        ($list:ident, $type:ty) => {
            out.$list = tensor.values().map(|bytes| <$type>::from_le_bytes(bytes).into()).collect()
        };
    }
    match tensor.datatype() {
        D::Bool => out.bool_contents = tensor.values().map(|[byte]| byte == 1).collect(),
        D::Int8 => fill!(int_contents, i8),
        D::Int16 => fill!(int_contents, i16),
        D::Int32 => fill!(int_contents, i32),
        D::Int64 => fill!(int64_contents, i64),
        D::Uint8 => fill!(uint_contents, u8),
        D::Uint16 => fill!(uint_contents, u16),
        D::Uint32 => fill!(uint_contents, u32),
        D::Uint64 => fill!(uint64_contents, u64),
        D::Fp32 => fill!(fp32_contents, f32),
        D::Fp64 => fill!(fp64_contents, f64),
        D::Bytes => out.bytes_contents = tensor.strings().map(Bytes::copy_from_slice).collect(),
        D::Fp16 | D::Bf16 => {}
    }
    out
}
