//! Element: a value of a configuration or a rule, as the canonical bytes of one element.

use evenkeel_config::Value;

use super::{Datatype, push_bytes};

/// Appends an element; none where the value does not fit the datatype, which `check` has ruled out.
pub(crate) fn push(out: &mut Vec<u8>, datatype: Datatype, value: &Value) -> Option<()> {
    macro_rules! whole {
        ($type:ty) => {
            match value {
                Value::Int(it) => <$type>::try_from(*it).ok()?.to_le_bytes().to_vec(),
                _ => return None,
            }
        };
    }
    let bytes = match (datatype, value) {
        (Datatype::Bool, Value::Bool(it)) => vec![u8::from(*it)],
        (Datatype::Bytes, Value::Text(it)) => {
            push_bytes(out, it.as_bytes());
            return Some(());
        }
        (Datatype::Fp32, value) => (value.number()? as f32).to_le_bytes().to_vec(),
        (Datatype::Fp64, value) => value.number()?.to_le_bytes().to_vec(),
        (Datatype::Uint8, _) => whole!(u8),
        (Datatype::Uint16, _) => whole!(u16),
        (Datatype::Uint32, _) => whole!(u32),
        (Datatype::Uint64, _) => whole!(u64),
        (Datatype::Int8, _) => whole!(i8),
        (Datatype::Int16, _) => whole!(i16),
        (Datatype::Int32, _) => whole!(i32),
        (Datatype::Int64, _) => whole!(i64),
        (Datatype::Bool | Datatype::Bytes | Datatype::Fp16 | Datatype::Bf16, _) => return None,
    };
    out.extend_from_slice(&bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_the_bytes_of_its_datatype_or_nothing() {
        let check = |datatype, value, expected: Option<&[u8]>| {
            let mut out = Vec::new();
            let pushed = push(&mut out, datatype, &value).map(|()| out.as_slice());
            assert_eq!(pushed, expected, "{datatype:?} {value}");
        };
        check(Datatype::Bool, Value::Bool(true), Some(&[1]));
        check(Datatype::Fp32, Value::Float(0.5), Some(&0.5_f32.to_le_bytes()));
        check(Datatype::Fp32, Value::Int(2), Some(&2_f32.to_le_bytes()));
        check(Datatype::Fp64, Value::Int(-1), Some(&(-1_f64).to_le_bytes()));
        check(Datatype::Int8, Value::Int(-128), Some(&[0x80]));
        check(Datatype::Int8, Value::Int(128), None);
        check(Datatype::Uint64, Value::Int(-1), None);
        check(Datatype::Int64, Value::Float(1.0), None);
        check(Datatype::Int64, Value::Bool(true), None);
        check(Datatype::Bytes, Value::Text("a".into()), Some(b"\x01\0\0\0a"));
        check(Datatype::Bytes, Value::Int(1), None);
    }
}
