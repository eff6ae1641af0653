//! Convert: the elements of a tensor as another type, or a miss: never a number that is another one.
//!
//! # Invariants
//! - `CONV-1`: a whole number stays what it is in whatever type: what its type cannot hold is out of range, and a float
//!   holds those that it has all digits for, up to 2^53, or 2^24 as FP32.
//! - `CONV-2`: a fraction becomes the nearest FP32, or the nearest whole number where that was asked for; nothing finite
//!   becomes infinite.
//!
//! # Source
//! `docs/design/protocols.md`, section 3.3.

use evenkeel_core::ResultCode;

use crate::tensor::{Datatype, Tensor, brain, half};

/// The numbers up to which an FP32 holds all whole ones.
const EXACT_FP32: i128 = 1 << 24;
/// The same of an FP64.
const EXACT_FP64: i128 = 1 << 53;

/// An element that is a number, as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Of a type of whole numbers; true is 1.
    Whole(i128),
    /// Of a type of floats, each of whose values is an f64.
    Real(f64),
}

/// Says whether elements of one type can become those of another, if their values allow it.
pub(super) fn can(from: Datatype, to: Datatype, round: bool) -> bool {
    use Datatype as D;
    match (from, to) {
        _ if from == to => true,
        (D::Bytes, _) | (_, D::Bytes | D::Fp16 | D::Bf16) => false,
        (_, D::Fp32 | D::Fp64) => true,
        (D::Fp16 | D::Fp32 | D::Fp64 | D::Bf16, to) => round && to != D::Bool,
        _ => true,
    }
}

/// Converts a tensor, rounding where that is asked for, into no more than so many bytes.
///
/// # Errors
/// Its type, or one of its values, does not become that.
pub(super) fn convert(tensor: &Tensor, to: Datatype, (round, most): (bool, usize)) -> Result<Tensor, ResultCode> {
    if tensor.datatype() == to {
        return Ok(tensor.clone());
    }
    let size = to.size().filter(|_| can(tensor.datatype(), to, round)).ok_or(ResultCode::ContractDtype)?;
    let bytes = numbers(tensor).size_hint().0.saturating_mul(size);
    if bytes > most {
        return Err(ResultCode::AnswerTooLarge);
    }
    let mut data = Vec::with_capacity(bytes);
    numbers(tensor).try_for_each(|number| push(&mut data, to, number))?;
    tensor.remade(to, tensor.shape(), data).map_err(|_| ResultCode::ContractShape)
}

/// Walks the elements of a tensor of numbers; of a tensor of texts, none.
pub(super) fn numbers(tensor: &Tensor) -> Box<dyn Iterator<Item = Number> + '_> {
    macro_rules! numbers {
        ($type:ty, $kind:ident) => {
            Box::new(tensor.values().map(|bytes| Number::$kind(<$type>::from_le_bytes(bytes).into())))
        };
    }
    match tensor.datatype() {
        Datatype::Bool | Datatype::Uint8 => numbers!(u8, Whole),
        Datatype::Uint16 => numbers!(u16, Whole),
        Datatype::Uint32 => numbers!(u32, Whole),
        Datatype::Uint64 => numbers!(u64, Whole),
        Datatype::Int8 => numbers!(i8, Whole),
        Datatype::Int16 => numbers!(i16, Whole),
        Datatype::Int32 => numbers!(i32, Whole),
        Datatype::Int64 => numbers!(i64, Whole),
        Datatype::Fp16 => Box::new(tensor.values().map(|bytes| Number::Real(half(u16::from_le_bytes(bytes))))),
        Datatype::Bf16 => Box::new(tensor.values().map(|bytes| Number::Real(brain(u16::from_le_bytes(bytes)).into()))),
        Datatype::Fp32 => numbers!(f32, Real),
        Datatype::Fp64 => numbers!(f64, Real),
        Datatype::Bytes => Box::new(std::iter::empty()),
    }
}

/// Rounds to the nearest whole number, of two to the even one.
///
/// # Errors
/// It is near none.
pub(super) fn rounded(real: f64) -> Result<i128, ResultCode> {
    // Beyond its own range an i128 stays at its end, which no datatype has.
    if real.is_finite() { Ok(real.round_ties_even() as i128) } else { Err(ResultCode::ContractNonfinite) }
}

/// Appends a number as an element of a type that it can become.
fn push(out: &mut Vec<u8>, to: Datatype, number: Number) -> Result<(), ResultCode> {
    let whole = || match number {
        Number::Whole(whole) => Ok(whole),
        Number::Real(real) => rounded(real),
    };
    macro_rules! push {
        ($type:ty) => {
            out.extend_from_slice(&<$type>::try_from(whole()?).map_err(|_| ResultCode::ContractRange)?.to_le_bytes())
        };
    }
    match to {
        Datatype::Bool => out.push(u8::try_from(whole()?).ok().filter(|it| *it < 2).ok_or(ResultCode::ContractRange)?),
        Datatype::Uint8 => push!(u8),
        Datatype::Uint16 => push!(u16),
        Datatype::Uint32 => push!(u32),
        Datatype::Uint64 => push!(u64),
        Datatype::Int8 => push!(i8),
        Datatype::Int16 => push!(i16),
        Datatype::Int32 => push!(i32),
        Datatype::Int64 => push!(i64),
        Datatype::Fp32 => out.extend_from_slice(&narrow(number)?.to_le_bytes()),
        Datatype::Fp64 => out.extend_from_slice(&real(number, EXACT_FP64)?.to_le_bytes()),
        Datatype::Fp16 | Datatype::Bf16 | Datatype::Bytes => return Err(ResultCode::ContractDtype),
    }
    Ok(())
}

/// Returns the FP32 next to a number.
fn narrow(number: Number) -> Result<f32, ResultCode> {
    let wide = real(number, EXACT_FP32)?;
    let narrow = wide as f32;
    if narrow.is_infinite() && wide.is_finite() { Err(ResultCode::ContractRange) } else { Ok(narrow) }
}

/// Returns a number as a float, where that has all digits of a whole one.
fn real(number: Number, exact: i128) -> Result<f64, ResultCode> {
    match number {
        Number::Whole(whole) if whole.abs() > exact => Err(ResultCode::ContractRange),
        Number::Whole(whole) => Ok(whole as f64),
        Number::Real(real) => Ok(real),
    }
}
