//! Contents: elements as the lists of numbers that Protocol Buffers have, and the canonical bytes.
//!
//! # Invariants
//! - `CONTENTS-1`: no number wraps: one that its datatype does not hold is refused (OIP-10).
//! - `CONTENTS-2`: no more is kept than the shape says, whatever came (SE-10): a number may be one byte here, and eight inside.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.6 (`InferTensorContents`).

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::{
    Malformed,
    wire::{self, Fields, Value, Writer},
};
use crate::tensor::{self, Datatype, Tensor};

/// Why contents are not those of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum BadContents {
    /// They are no Protocol Buffers.
    #[error("contents cannot be read")]
    Malformed,
    /// They stand in another list than the datatype's.
    #[error("{datatype} stands in {wanted}, and nothing in another list")]
    List {
        /// The datatype.
        datatype: &'static str,
        /// Its list.
        wanted: &'static str,
    },
    /// A number that the datatype does not hold.
    #[error("a number is out of range for {0}")]
    Range(&'static str),
    /// More of them than the shape says.
    #[error("contents hold more than the {0} elements of the shape")]
    Many(u64),
    /// Half-precision numbers, of which there is no list.
    #[error("{0} has no typed form; send it in raw_input_contents")]
    NoForm(&'static str),
}

impl From<Malformed> for BadContents {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Returns the list that a datatype stands in: its field and its name; none for half-precision numbers.
fn list(datatype: Datatype) -> Option<(u32, &'static str)> {
    use Datatype as D;
    Some(match datatype {
        D::Bool => (1, "bool_contents"),
        D::Int8 | D::Int16 | D::Int32 => (2, "int_contents"),
        D::Int64 => (3, "int64_contents"),
        D::Uint8 | D::Uint16 | D::Uint32 => (4, "uint_contents"),
        D::Uint64 => (5, "uint64_contents"),
        D::Fp32 => (6, "fp32_contents"),
        D::Fp64 => (7, "fp64_contents"),
        D::Bytes => (8, "bytes_contents"),
        D::Fp16 | D::Bf16 => return None,
    })
}

/// Reads the elements of a datatype, for a shape.
///
/// # Errors
/// They are not such elements, stand elsewhere, or are more than the shape has.
pub(super) fn read(contents: Bytes, datatype: Datatype, shape: &[u64]) -> Result<Bytes, BadContents> {
    let (wanted, name) = list(datatype).ok_or(BadContents::NoForm(datatype.name()))?;
    // What cannot be counted is refused by whoever makes the tensor.
    let most = tensor::elements(shape).unwrap_or(0);
    let (mut data, mut count) = (Vec::new(), 0);
    let mut room = |more: u64| {
        count += more;
        if count > most { Err(BadContents::Many(most)) } else { Ok(()) }
    };
    for field in Fields::of(contents) {
        match field? {
            (field, value) if field == wanted => push(&mut data, datatype, value, &mut room)?,
            // An empty list is one that is not there.
            (1..=7, Value::Bytes(empty)) if empty.is_empty() => {}
            (1..=8, _) => return Err(BadContents::List { datatype: datatype.name(), wanted: name }),
            _ => {}
        }
    }
    Ok(data.into())
}

/// Appends what stands in one field: one element, or several at once.
fn push(
    data: &mut Vec<u8>,
    datatype: Datatype,
    value: Value,
    room: &mut impl FnMut(u64) -> Result<(), BadContents>,
) -> Result<(), BadContents> {
    if !matches!(value, Value::Bytes(_)) || datatype == Datatype::Bytes {
        room(1)?;
    }
    match (datatype, value) {
        (Datatype::Bytes, Value::Bytes(element)) => tensor::push_bytes(data, &element),
        (Datatype::Fp32, Value::Fixed32(bits)) => data.extend(bits.to_le_bytes()),
        (Datatype::Fp64, Value::Fixed64(bits)) => data.extend(bits.to_le_bytes()),
        (Datatype::Fp32 | Datatype::Fp64, Value::Bytes(all)) => {
            let size = datatype.size().unwrap_or(1);
            if !all.len().is_multiple_of(size) {
                return Err(BadContents::Malformed);
            }
            room((all.len() / size) as u64)?;
            // The same bytes, so that they need not be looked at.
            data.extend_from_slice(&all);
        }
        (Datatype::Bytes | Datatype::Fp32 | Datatype::Fp64, _) => return Err(BadContents::Malformed),
        (_, Value::Varint(number)) => push_integer(data, datatype, number)?,
        (_, Value::Bytes(mut all)) => {
            while all.has_remaining() {
                room(1)?;
                push_integer(data, datatype, wire::varint(&mut all)?)?;
            }
        }
        _ => return Err(BadContents::Malformed),
    }
    Ok(())
}

fn push_integer(data: &mut Vec<u8>, datatype: Datatype, number: u64) -> Result<(), BadContents> {
    let range = |_| BadContents::Range(datatype.name());
    // What is negative comes as its 64 bits.
    let signed = number as i64;
    match datatype {
        Datatype::Bool => data.push((number != 0).into()),
        Datatype::Int8 => data.extend(i8::try_from(signed).map_err(range)?.to_le_bytes()),
        Datatype::Int16 => data.extend(i16::try_from(signed).map_err(range)?.to_le_bytes()),
        Datatype::Int32 => data.extend(i32::try_from(signed).map_err(range)?.to_le_bytes()),
        Datatype::Int64 => data.extend(signed.to_le_bytes()),
        Datatype::Uint8 => data.extend(u8::try_from(number).map_err(range)?.to_le_bytes()),
        Datatype::Uint16 => data.extend(u16::try_from(number).map_err(range)?.to_le_bytes()),
        Datatype::Uint32 => data.extend(u32::try_from(number).map_err(range)?.to_le_bytes()),
        Datatype::Uint64 => data.extend(number.to_le_bytes()),
        _ => return Err(BadContents::Malformed),
    }
    Ok(())
}

/// Writes the elements of a tensor; nothing for half-precision numbers, of which there is no list.
pub(super) fn write(out: &mut Writer, tensor: &Tensor) {
    macro_rules! numbers {
        ($out:ident, $type:ty) => {
            tensor.values().for_each(|bytes| $out.put_varint(i64::from(<$type>::from_le_bytes(bytes)) as u64))
        };
    }
    let Some((field, _)) = list(tensor.datatype()) else { return };
    if tensor.datatype() == Datatype::Bytes {
        tensor.strings().for_each(|element| out.bytes(field, element));
        return;
    }
    out.packed(field, |out| match tensor.datatype() {
        Datatype::Int8 => numbers!(out, i8),
        Datatype::Int16 => numbers!(out, i16),
        Datatype::Int32 => numbers!(out, i32),
        Datatype::Int64 => numbers!(out, i64),
        Datatype::Bool | Datatype::Uint8 => numbers!(out, u8),
        Datatype::Uint16 => numbers!(out, u16),
        Datatype::Uint32 => numbers!(out, u32),
        Datatype::Uint64 => tensor.values().for_each(|bytes| out.put_varint(u64::from_le_bytes(bytes))),
        Datatype::Fp32 | Datatype::Fp64 => out.put(tensor.data()),
        Datatype::Fp16 | Datatype::Bf16 | Datatype::Bytes => {}
    });
}
