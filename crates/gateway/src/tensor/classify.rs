//! Classify: the largest values of an output, with their places, as `classification` asks for them.
//!
//! It is done here, of what was accepted, whoever answered: a server that did it would hide the values from everything that
//! looks at an answer (OIP-34), and no two servers do it alike.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.5; the classification extension of the Open Inference Protocol: `value:index`, floats
//! with six digits, the largest first.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::{Datatype, Tensor, brain, half, push_bytes};

/// Classes of an output, in all: what is asked for with a number costs some thirty bytes each.
const MOST: u64 = 1_000_000;
/// Values that are looked at, in all: some tenths of a second of the task of a request.
const MOST_VALUES: u64 = 16_000_000;

/// Why an output cannot be told by its classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoClasses {
    /// Text has no order of size.
    #[error("its elements are no numbers")]
    Text,
    /// They are too many.
    #[error("they would be more than {MOST}, or of more than {MOST_VALUES} values")]
    Many,
}

/// A value and its place. The greatest is the one that is told last: the smallest, of two that are alike the later, and what
/// is no number.
#[derive(Clone, Copy, Debug)]
struct Class {
    value: Value,
    at: usize,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Integer(i128),
    Float(f64),
}

impl Ord for Class {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = match (self.value, other.value) {
            (Value::Float(one), Value::Float(other)) => match (one.is_nan(), other.is_nan()) {
                (false, false) => other.total_cmp(&one),
                (one, other) => one.cmp(&other),
            },
            (Value::Integer(one), Value::Integer(other)) => other.cmp(&one),
            // All values of a tensor are of one kind.
            _ => Ordering::Equal,
        };
        by_value.then(self.at.cmp(&other.at))
    }
}

impl PartialOrd for Class {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Class {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Class {}

impl Class {
    fn text(&self) -> String {
        match self.value {
            Value::Integer(value) => format!("{value}:{}", self.at),
            Value::Float(value) => format!("{value:.6}:{}", self.at),
        }
    }
}

/// Returns the `most` largest values of each row of the last axis, as `value:index`.
///
/// # Errors
/// There is no order among them, or they are too many.
pub(crate) fn classes(tensor: &Tensor, most: u32) -> Result<Tensor, NoClasses> {
    let size = tensor.datatype().size().ok_or(NoClasses::Text)?;
    let width = tensor.shape().last().copied().unwrap_or(1);
    let (count, values) = (width.min(most.into()), (tensor.data().len() / size) as u64);
    let rows = values.checked_div(width).unwrap_or(0);
    if values > MOST_VALUES || rows * count > MOST {
        return Err(NoClasses::Many);
    }
    let (width, count) = (width.max(1) as usize, count as usize);
    let mut data = Vec::new();
    for row in tensor.data().chunks_exact(width * size) {
        // The least of those that are told stands on top, to go when a larger one comes.
        let mut told = BinaryHeap::with_capacity(count + 1);
        for (at, bytes) in row.chunks_exact(size).enumerate() {
            told.push(Class { value: value(tensor.datatype(), bytes), at });
            if told.len() > count {
                told.pop();
            }
        }
        told.into_sorted_vec().iter().for_each(|class| push_bytes(&mut data, class.text().as_bytes()));
    }
    let mut shape = tensor.shape().to_vec();
    match shape.last_mut() {
        Some(last) => *last = count as u64,
        None => shape.push(count as u64),
    }
    Ok(Tensor::new(tensor.name().into(), Datatype::Bytes, shape, data.into()).expect("as many as the shape has"))
}

/// Reads one element.
fn value(datatype: Datatype, bytes: &[u8]) -> Value {
    macro_rules! integer {
        ($type:ty) => {
            Value::Integer(<$type>::from_le_bytes(bytes.try_into().expect("as long as the datatype")).into())
        };
    }
    match datatype {
        Datatype::Bool | Datatype::Uint8 => integer!(u8),
        Datatype::Uint16 => integer!(u16),
        Datatype::Uint32 => integer!(u32),
        Datatype::Uint64 => integer!(u64),
        Datatype::Int8 => integer!(i8),
        Datatype::Int16 => integer!(i16),
        Datatype::Int32 => integer!(i32),
        Datatype::Int64 => integer!(i64),
        Datatype::Fp32 => Value::Float(f32::from_le_bytes(bytes.try_into().expect("four bytes")).into()),
        Datatype::Fp64 => Value::Float(f64::from_le_bytes(bytes.try_into().expect("eight bytes"))),
        Datatype::Fp16 => Value::Float(half(u16::from_le_bytes(bytes.try_into().expect("two bytes")))),
        Datatype::Bf16 => Value::Float(brain(u16::from_le_bytes(bytes.try_into().expect("two bytes"))).into()),
        // It has no size, and was refused for that.
        Datatype::Bytes => Value::Integer(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::any_tensor;

    fn told(tensor: &Tensor, most: u32) -> (Vec<u64>, Vec<String>) {
        let classes = classes(tensor, most).expect("numbers");
        let strings = classes.strings().map(|it| String::from_utf8(it.to_vec()).expect("text")).collect();
        (classes.shape().to_vec(), strings)
    }

    #[test]
    fn oip_34_the_largest_come_first_with_their_places() {
        let scores = Tensor::from_f32("y", vec![2, 3], &[0.1, 0.7, 0.2, f32::NAN, -1.0, -1.0]).expect("it fits");
        assert_eq!(
            told(&scores, 2),
            (vec![2, 2], vec!["0.700000:1".into(), "0.200000:2".into(), "-1.000000:1".into(), "-1.000000:2".into()])
        );
        assert_eq!(told(&scores, 9).0, [2, 3], "no more than there are");
        // Two integers that no float tells apart.
        let large = Tensor::from_i64("y", vec![2], &[i64::MAX - 1, i64::MAX]).expect("it fits");
        assert_eq!(told(&large, 1), (vec![1], vec![format!("{}:1", i64::MAX)]));
        let scalar = Tensor::from_i64("y", vec![], &[7]).expect("it fits");
        assert_eq!(told(&scalar, 1), (vec![1], vec!["7:0".into()]));
        let text = Tensor::from_bytes("y", vec![1], &["a"]).expect("it fits");
        assert_eq!(classes(&text, 1), Err(NoClasses::Text));
        let wide = Tensor::from_i64("y", vec![2, 600_000], &vec![1; 1_200_000]).expect("it fits");
        assert_eq!(
            (classes(&wide, 600_000), classes(&wide, 500_000).map(|it| it.shape()[1])),
            (Err(NoClasses::Many), Ok(500_000))
        );
    }

    proptest! {
        #[test]
        fn oip_34_classes_are_as_many_as_asked_for_of_each_row_and_none_comes_twice(tensor in any_tensor(), most in 1..5_u32) {
            let Ok(classes) = classes(&tensor, most) else { return Ok(()) };
            let count = *classes.shape().last().expect("at least one");
            prop_assert!(count <= most.into());
            let strings: Vec<String> = classes.strings().map(|it| String::from_utf8_lossy(it).into_owned()).collect();
            for row in strings.chunks(usize::try_from(count).expect("few").max(1)) {
                let mut places: Vec<&str> = row.iter().map(|it| it.rsplit(':').next().expect("a place")).collect();
                places.sort_unstable();
                places.dedup();
                prop_assert_eq!(places.len(), row.len());
            }
        }
    }
}
