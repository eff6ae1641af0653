//! Tensor: the one form in which tensors travel inside, whatever a client or an upstream speaks.
//!
//! Little-endian and row-major, BYTES as a length of four bytes before each element: exactly the raw form of the Open
//! Inference Protocol, so that raw and binary codecs slice and never copy. No dialect here, and no text.
//!
//! # Invariants
//! - `TENSOR-1`: the bytes of a tensor are those of its shape and datatype; [`Tensor::new`] is the only way in.
//! - `TENSOR-2`: a product of dimensions is checked before anything is allocated (TN-01).
//!
//! # Source
//! `docs/design/protocols.md`, sections 2.3 and 3.1.

use bytes::Bytes;
use thiserror::Error;

pub(crate) use self::{
    contract::{
        Contract, Port,
        known::{Known, Said, Signature},
    },
    datatype::Datatype,
    infer::{Calibrated, Count, Extra, Form, Infer, InferAnswer, Input, Output, Parameter, Parameters, Wanted},
    mapping::Mapping,
    prepared::Prepared,
    values::Values,
};

pub(crate) mod classify;
mod contract;
mod datatype;
pub(crate) mod element;
mod infer;
mod mapping;
mod prepared;
mod rows;
mod values;

/// A named array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    name: String,
    datatype: Datatype,
    shape: Vec<u64>,
    data: Bytes,
}

/// Why bytes are not the tensor that they are said to be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Misfit {
    /// A dimension, or the product of all, is beyond 63 bits.
    #[error("the shape {0:?} has more elements than can be counted")]
    Uncountable(Vec<u64>),
    /// More or fewer elements than the shape says.
    #[error("the shape {shape:?} wants {wanted} elements")]
    Count {
        /// The shape.
        shape: Vec<u64>,
        /// Its product.
        wanted: u64,
    },
    /// A truth value that is neither true nor false.
    #[error("an element of BOOL is neither 0 nor 1")]
    Truth,
}

/// Returns how many elements a shape has; none where a dimension or their product is beyond 63 bits.
pub(crate) fn elements(shape: &[u64]) -> Option<u64> {
    let countable = |number: &u64| i64::try_from(*number).is_ok();
    match shape {
        shape if !shape.iter().all(countable) => None,
        shape if shape.contains(&0) => Some(0),
        shape => shape.iter().try_fold(1_u64, |product, dimension| product.checked_mul(*dimension)).filter(countable),
    }
}

impl Tensor {
    /// Makes a tensor of bytes in the canonical form.
    ///
    /// # Errors
    /// The bytes are not those of this shape and datatype.
    pub(crate) fn new(name: String, datatype: Datatype, shape: Vec<u64>, data: Bytes) -> Result<Self, Misfit> {
        let Some(wanted) = elements(&shape) else { return Err(Misfit::Uncountable(shape)) };
        let fits = match datatype.size() {
            Some(size) => wanted.checked_mul(size as u64) == Some(data.len() as u64),
            None => BytesElements { rest: &data, broken: false }.fits(wanted),
        };
        match datatype {
            _ if !fits => Err(Misfit::Count { shape, wanted }),
            Datatype::Bool if data.iter().any(|byte| *byte > 1) => Err(Misfit::Truth),
            _ => Ok(Self { name, datatype, shape, data }),
        }
    }

    /// Makes an FP32 tensor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_f32(name: &str, shape: Vec<u64>, values: &[f32]) -> Result<Self, Misfit> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name.into(), Datatype::Fp32, shape, data.into())
    }

    /// Makes an FP64 tensor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_f64(name: &str, shape: Vec<u64>, values: &[f64]) -> Result<Self, Misfit> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name.into(), Datatype::Fp64, shape, data.into())
    }

    /// Makes an INT64 tensor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_i64(name: &str, shape: Vec<u64>, values: &[i64]) -> Result<Self, Misfit> {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(name.into(), Datatype::Int64, shape, data.into())
    }

    /// Makes a BOOL tensor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_bools(name: &str, shape: Vec<u64>, values: &[bool]) -> Result<Self, Misfit> {
        let data: Vec<u8> = values.iter().map(|value| u8::from(*value)).collect();
        Self::new(name.into(), Datatype::Bool, shape, data.into())
    }

    /// Makes a BYTES tensor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_bytes<B: AsRef<[u8]>>(name: &str, shape: Vec<u64>, values: &[B]) -> Result<Self, Misfit> {
        let mut data = Vec::new();
        values.iter().for_each(|value| push_bytes(&mut data, value.as_ref()));
        Self::new(name.into(), Datatype::Bytes, shape, data.into())
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the datatype.
    pub(crate) fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// Returns the dimensions; none for a scalar.
    pub(crate) fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Returns the bytes in the canonical form.
    pub(crate) fn data(&self) -> &Bytes {
        &self.data
    }

    /// Returns the values as f64, booleans as 0 and 1; none for BYTES. Integers beyond 2^53 are rounded.
    pub(crate) fn to_f64(&self) -> Option<Vec<f64>> {
        self.numbers().map(Iterator::collect)
    }

    /// Walks the values as f64, booleans as 0 and 1; none for BYTES. Integers beyond 2^53 are rounded.
    pub(crate) fn numbers(&self) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
        macro_rules! values {
            ($type:ty) => {
                Box::new(self.values().map(|bytes| <$type>::from_le_bytes(bytes) as f64))
            };
        }
        Some(match self.datatype {
            Datatype::Bool | Datatype::Uint8 => values!(u8),
            Datatype::Uint16 => values!(u16),
            Datatype::Uint32 => values!(u32),
            Datatype::Uint64 => values!(u64),
            Datatype::Int8 => values!(i8),
            Datatype::Int16 => values!(i16),
            Datatype::Int32 => values!(i32),
            Datatype::Int64 => values!(i64),
            Datatype::Fp16 => Box::new(self.values().map(|bytes| half(u16::from_le_bytes(bytes)))),
            Datatype::Bf16 => Box::new(self.values().map(|bytes| f64::from(brain(u16::from_le_bytes(bytes))))),
            Datatype::Fp32 => values!(f32),
            Datatype::Fp64 => values!(f64),
            Datatype::Bytes => return None,
        })
    }

    /// Walks the elements of a BYTES tensor; nothing for any other.
    pub(crate) fn strings(&self) -> impl Iterator<Item = &[u8]> {
        let rest: &[u8] = if self.datatype == Datatype::Bytes { &self.data } else { &[] };
        BytesElements { rest, broken: false }
    }

    /// Walks the elements of `N` bytes each.
    pub(crate) fn values<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> {
        self.data.chunks_exact(N).map(|element| element.try_into().expect("a chunk has its size"))
    }

    /// Returns one element of `N` bytes; none beyond the last.
    pub(crate) fn element<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.data.get(at.checked_mul(N)?..)?.first_chunk().copied()
    }

    /// Returns one value as f64, as [`numbers`](Self::numbers) does; none beyond the last, and for BYTES.
    pub(crate) fn number(&self, at: usize) -> Option<f64> {
        macro_rules! value {
            ($type:ty) => {
                <$type>::from_le_bytes(self.element(at)?) as f64
            };
        }
        Some(match self.datatype {
            Datatype::Bool | Datatype::Uint8 => value!(u8),
            Datatype::Uint16 => value!(u16),
            Datatype::Uint32 => value!(u32),
            Datatype::Uint64 => value!(u64),
            Datatype::Int8 => value!(i8),
            Datatype::Int16 => value!(i16),
            Datatype::Int32 => value!(i32),
            Datatype::Int64 => value!(i64),
            Datatype::Fp16 => half(u16::from_le_bytes(self.element(at)?)),
            Datatype::Bf16 => f64::from(brain(u16::from_le_bytes(self.element(at)?))),
            Datatype::Fp32 => value!(f32),
            Datatype::Fp64 => value!(f64),
            Datatype::Bytes => return None,
        })
    }

    /// Says whether a NaN or an infinity is in it.
    pub(crate) fn has_non_finite(&self) -> bool {
        match self.datatype {
            // All bits of the exponent are set.
            Datatype::Fp16 => self.values().any(|bytes| u16::from_le_bytes(bytes) & 0x7C00 == 0x7C00),
            Datatype::Bf16 => self.values().any(|bytes| u16::from_le_bytes(bytes) & 0x7F80 == 0x7F80),
            Datatype::Fp32 => self.values().any(|bytes| !f32::from_le_bytes(bytes).is_finite()),
            Datatype::Fp64 => self.values().any(|bytes| !f64::from_le_bytes(bytes).is_finite()),
            _ => false,
        }
    }

    /// Says whether JSON can carry it (OIP-11).
    pub(crate) fn is_text(&self) -> bool {
        self.datatype.has_json_form() && self.strings().all(|element| std::str::from_utf8(element).is_ok())
    }

    /// Gives the same elements another shape.
    ///
    /// # Errors
    /// It has another count of elements.
    pub(crate) fn reshape(self, shape: Vec<u64>) -> Result<Self, Misfit> {
        Self::new(self.name, self.datatype, shape, self.data)
    }

    /// Makes other elements, under the same name.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn remade(&self, datatype: Datatype, shape: &[u64], data: Vec<u8>) -> Result<Self, Misfit> {
        Self::new(self.name.clone(), datatype, shape.into(), data.into())
    }

    /// Gives it another name.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }
}

/// Appends one element of a BYTES tensor.
pub(crate) fn push_bytes(out: &mut Vec<u8>, element: &[u8]) {
    let length = u32::try_from(element.len()).expect("no body and no answer that may hold it is as large as that");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(element);
}

/// Returns the bytes of a BYTES tensor with one element.
pub(crate) fn one_element(element: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(element.len() + 4);
    push_bytes(&mut out, element);
    out.into()
}

/// Walks length-prefixed elements.
struct BytesElements<'a> {
    rest: &'a [u8],
    /// A length lied.
    broken: bool,
}

impl BytesElements<'_> {
    fn fits(mut self, wanted: u64) -> bool {
        let count = self.by_ref().count() as u64;
        !self.broken && count == wanted
    }
}

impl<'a> Iterator for BytesElements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() || self.broken {
            return None;
        }
        let element = self.rest.split_first_chunk().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
            rest.split_at_checked(length)
        });
        match element {
            Some((element, rest)) => {
                self.rest = rest;
                Some(element)
            }
            None => {
                self.broken = true;
                None
            }
        }
    }
}

/// Reads a half-precision number (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let magnitude = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    };
    if sign == 1 { -magnitude } else { magnitude }
}

/// Reads a bfloat16: the upper half of an f32.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[cfg(test)]
mod any;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use any::any_tensor;
