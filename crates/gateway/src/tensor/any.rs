//! Any: tensors to test codecs with.

use proptest::prelude::*;

use super::{Datatype, Tensor, push_bytes};

/// Any tensor: every datatype, rank 0 to 5, dimensions that may be zero, any bits.
pub(crate) fn any_tensor() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0..4_u64, 0..=5);
    (prop::sample::select(&Datatype::ALL[..]), shape).prop_flat_map(|(datatype, shape)| {
        let count = shape.iter().product::<u64>() as usize;
        let element = match datatype.size() {
            Some(size) => prop::collection::vec(any::<u8>(), size).boxed(),
            None => prop::collection::vec(any::<u8>(), 0..9).boxed(),
        };
        prop::collection::vec(element, count).prop_map(move |elements| {
            let mut data = Vec::new();
            for element in elements {
                match datatype {
                    Datatype::Bool => data.push(element[0] & 1),
                    Datatype::Bytes => push_bytes(&mut data, &element),
                    _ => data.extend(element),
                }
            }
            Tensor::new("x".into(), datatype, shape.clone(), data.into()).expect("as many as the shape has")
        })
    })
}
