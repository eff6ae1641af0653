//! Tensor: typed elements with a shape, row-major.
//!
//! # Invariants
//! - `ARRAY-1`: there are as many elements as the product of the dimensions, and no product of some of them overflows, not
//!   even where another is zero.

use thiserror::Error;

use crate::proto::TensorProto;

/// The most dimensions; without it a file of a few bytes per dimension makes each element cost as many steps.
pub(crate) const MAX_RANK: usize = 16;

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// True or false.
    Bool,
    /// Text.
    Text,
}

/// Elements, all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Of `F32`.
    F32(Vec<f32>),
    /// Of `F64`.
    F64(Vec<f64>),
    /// Of `I32`.
    I32(Vec<i32>),
    /// Of `I64`.
    I64(Vec<i64>),
    /// Of `Bool`.
    Bool(Vec<bool>),
    /// Of `Text`.
    Text(Vec<String>),
}

/// Elements with a shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

/// There are more or fewer elements than the shape says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the shape {shape:?} does not hold {found} elements")]
pub struct Misfit {
    shape: Vec<usize>,
    found: usize,
}

impl Kind {
    /// Reads the number of a type in the file format; none where it is not offered.
    pub(crate) fn of(number: i32) -> Option<Self> {
        Some(match number {
            1 => Self::F32,
            6 => Self::I32,
            7 => Self::I64,
            8 => Self::Text,
            9 => Self::Bool,
            11 => Self::F64,
            _ => return None,
        })
    }
}

impl Data {
    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(it) => it.len(),
            Self::F64(it) => it.len(),
            Self::I32(it) => it.len(),
            Self::I64(it) => it.len(),
            Self::Bool(it) => it.len(),
            Self::Text(it) => it.len(),
        }
    }

    /// Returns the bytes that it takes.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::F32(it) => size_of_val(&it[..]),
            Self::F64(it) => size_of_val(&it[..]),
            Self::I32(it) => size_of_val(&it[..]),
            Self::I64(it) => size_of_val(&it[..]),
            Self::Bool(it) => size_of_val(&it[..]),
            Self::Text(it) => size_of_val(&it[..]) + it.iter().map(String::len).sum::<usize>(),
        }
    }
}

/// Returns how many elements a shape has; none where the dimensions that are not zero have too many.
pub fn elements(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1_usize, |product, it| product.checked_mul((*it).max(1)))?;
    Some(if shape.contains(&0) { 0 } else { product })
}

impl Tensor {
    /// Makes a tensor.
    ///
    /// # Errors
    /// There are more or fewer elements than the shape says.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self, Misfit> {
        match elements(&shape) == Some(data.len()) {
            true => Ok(Self { shape, data }),
            false => Err(Misfit { shape, found: data.len() }),
        }
    }

    /// Returns the dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Returns what the elements are.
    pub fn kind(&self) -> Kind {
        match self.data {
            Data::F32(_) => Kind::F32,
            Data::F64(_) => Kind::F64,
            Data::I32(_) => Kind::I32,
            Data::I64(_) => Kind::I64,
            Data::Bool(_) => Kind::Bool,
            Data::Text(_) => Kind::Text,
        }
    }

    /// Takes it apart.
    pub fn into_parts(self) -> (Vec<usize>, Data) {
        (self.shape, self.data)
    }

    /// Makes a tensor of rows and columns.
    pub(crate) fn table(rows: usize, columns: usize, data: Vec<f32>) -> Self {
        debug_assert_eq!(data.len(), rows * columns, "ARRAY-1");
        Self { shape: vec![rows, columns], data: Data::F32(data) }
    }

    /// Makes a tensor of one dimension.
    pub(crate) fn list(data: Data) -> Self {
        Self { shape: vec![data.len()], data }
    }

    /// Gives the same elements, as many, another kind.
    pub(crate) fn with(&self, data: Data) -> Self {
        debug_assert_eq!(data.len(), self.data.len(), "ARRAY-1");
        Self { shape: self.shape.clone(), data }
    }

    /// Returns rows and columns: a single dimension is one row (ONNX-ML, "[C] or [N,C]"). Rows without columns are none:
    /// no data bounds their number.
    pub(crate) fn rows(&self) -> Option<(usize, usize)> {
        match self.shape[..] {
            [columns] => Some((1, columns)),
            [rows, 0] if rows > 0 => None,
            [rows, columns] => Some((rows, columns)),
            _ => None,
        }
    }

    /// Reads a tensor of a file.
    pub(crate) fn read(it: &TensorProto) -> Result<Self, String> {
        if it.dims.len() > MAX_RANK {
            return Err(format!("it has {} dimensions, the most are {MAX_RANK}", it.dims.len()));
        }
        let shape: Option<Vec<usize>> = it.dims.iter().map(|dimension| usize::try_from(*dimension).ok()).collect();
        let shape = shape.ok_or_else(|| format!("the shape {:?} has a negative dimension", it.dims))?;
        if !it.external_data.is_empty() {
            return Err("its data stand in another file, which is not read".into());
        }
        let kind = Kind::of(it.data_type).ok_or_else(|| format!("type {} is not offered", it.data_type))?;
        let raw = &it.raw_data;
        macro_rules! numbers {
            ($typed:expr, $type:ty) => {
                match raw.is_empty() {
                    true => $typed,
                    false => {
                        let chunks = raw.chunks_exact(size_of::<$type>());
                        if !chunks.remainder().is_empty() {
                            return Err("its raw data end inside an element".into());
                        }
                        chunks
                            .map(|bytes| <$type>::from_le_bytes(bytes.try_into().expect("a chunk has its size")))
                            .collect()
                    }
                }
            };
        }
        let data = match kind {
            Kind::F32 => Data::F32(numbers!(it.float_data.clone(), f32)),
            Kind::F64 => Data::F64(numbers!(it.double_data.clone(), f64)),
            Kind::I32 => Data::I32(numbers!(it.int32_data.clone(), i32)),
            Kind::I64 => Data::I64(numbers!(it.int64_data.clone(), i64)),
            Kind::Bool if raw.is_empty() => Data::Bool(it.int32_data.iter().map(|it| *it != 0).collect()),
            Kind::Bool => Data::Bool(raw.iter().map(|it| *it != 0).collect()),
            Kind::Text => {
                Data::Text(it.string_data.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect())
            }
        };
        Self::new(shape, data).map_err(|misfit| misfit.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_holds_its_product_and_overflow_is_no_shape() {
        assert!(Tensor::new(vec![2, 3], Data::F32(vec![0.0; 6])).is_ok());
        assert!(Tensor::new(vec![], Data::I64(vec![1])).is_ok());
        assert!(Tensor::new(vec![0, 7], Data::Bool(vec![])).is_ok());
        assert!(Tensor::new(vec![0, 1 << 40, 1 << 40], Data::F32(vec![])).is_err(), "a stride of it would overflow");
        for shape in [vec![2, 2], vec![usize::MAX, 2], vec![7]] {
            assert!(Tensor::new(shape.clone(), Data::F32(vec![0.0; 6])).is_err(), "{shape:?}");
        }
    }

    #[test]
    fn a_tensor_of_a_file_is_read_raw_or_typed() {
        let raw = TensorProto { dims: vec![2], data_type: 7, raw_data: vec![1; 16], ..TensorProto::default() };
        assert_eq!(Tensor::read(&raw).expect("it fits").data(), &Data::I64(vec![0x0101_0101_0101_0101; 2]));
        let cut = TensorProto { raw_data: vec![1; 15], ..raw.clone() };
        assert!(Tensor::read(&cut).is_err());
        let negative = TensorProto { dims: vec![-2], ..raw.clone() };
        assert!(Tensor::read(&negative).is_err());
        let elsewhere = TensorProto { external_data: vec![crate::proto::Skipped {}], ..raw };
        assert!(Tensor::read(&elsewhere).expect_err("not read").contains("another file"));
        let flags = TensorProto { dims: vec![2], data_type: 9, int32_data: vec![0, 1], ..TensorProto::default() };
        assert_eq!(Tensor::read(&flags).expect("it fits").data(), &Data::Bool(vec![false, true]));
    }
}
