//! Classify: the largest values of an output, with their places, as `classification` asks for them.
//!
//! It is done here, of what was accepted, whoever answered: a server that did it would hide the values from everything that
//! looks at an answer (OIP-34), and no two servers do it alike.
//!
//! # Source
//! `docs/design/protocols.md`, section 2.5; the classification extension of the Open Inference Protocol: `value:index`, floats
//! with six digits, the largest first.

use std::cmp::Ordering;

use super::{Datatype, Tensor, push_bytes};

/// Classes of a request, in all: what is asked for with a number costs some thirty bytes each.
const MOST: usize = 1_000_000;

/// Why an output cannot be told by its classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoClasses {
    /// Text has no order of size.
    #[error("its elements are no numbers")]
    Text,
    /// They are too many.
    #[error("they would be more than {MOST}")]
    Many,
}

/// A value, by which classes are sorted.
#[derive(Clone, Copy, Debug)]
enum Value {
    Integer(i128),
    Float(f64),
}

impl Value {
    /// Sorts the largest first, and what is no number last.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Float(one), Self::Float(other)) => match (one.is_nan(), other.is_nan()) {
                (false, false) => other.total_cmp(one),
                (one, other) => one.cmp(&other),
            },
            (Self::Integer(one), Self::Integer(other)) => other.cmp(one),
            _ => Ordering::Equal,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => format!("{value:.6}"),
        }
    }
}

/// Returns the `most` largest values of each row of the last axis, as `value:index`.
///
/// # Errors
/// There is no order among them, or they are too many.
pub(crate) fn classes(tensor: &Tensor, most: u32) -> Result<Tensor, NoClasses> {
    let values = values(tensor).ok_or(NoClasses::Text)?;
    let width = tensor.shape().last().map_or(1, |width| usize::try_from(*width).unwrap_or(usize::MAX));
    let count = width.min(usize::try_from(most).unwrap_or(usize::MAX));
    let rows = values.len().checked_div(width).unwrap_or(0);
    if rows.checked_mul(count).is_none_or(|all| all > MOST) {
        return Err(NoClasses::Many);
    }
    let mut data = Vec::new();
    for row in values.chunks(width.max(1)) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        // A stable sort: of two that are alike the first comes first.
        order.sort_by(|one, other| row[*one].cmp(&row[*other]));
        for index in order.into_iter().take(count) {
            push_bytes(&mut data, format!("{}:{index}", row[index].text()).as_bytes());
        }
    }
    let mut shape = tensor.shape().to_vec();
    match shape.last_mut() {
        Some(last) => *last = count as u64,
        None => shape.push(count as u64),
    }
    Ok(Tensor::new(tensor.name().into(), Datatype::Bytes, shape, data.into()).expect("as many as the shape has"))
}

fn values(tensor: &Tensor) -> Option<Vec<Value>> {
    macro_rules! integers {
        ($type:ty) => {
            tensor.values().map(|bytes| Value::Integer(<$type>::from_le_bytes(bytes).into())).collect()
        };
    }
    Some(match tensor.datatype() {
        Datatype::Bool | Datatype::Uint8 => integers!(u8),
        Datatype::Uint16 => integers!(u16),
        Datatype::Uint32 => integers!(u32),
        Datatype::Uint64 => integers!(u64),
        Datatype::Int8 => integers!(i8),
        Datatype::Int16 => integers!(i16),
        Datatype::Int32 => integers!(i32),
        Datatype::Int64 => integers!(i64),
        Datatype::Bytes => return None,
        _ => tensor.to_f64()?.into_iter().map(Value::Float).collect(),
    })
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
