//! Tests of tensors: shapes against bytes, and the views.

use super::*;

fn tensor(datatype: Datatype, shape: &[u64], data: &[u8]) -> Result<Tensor, Misfit> {
    Tensor::new("x".into(), datatype, shape.into(), Bytes::copy_from_slice(data))
}

#[test]
fn tn_01_bytes_are_those_of_shape_and_datatype() {
    assert!(tensor(Datatype::Int16, &[2, 3], &[0; 12]).is_ok());
    for (shape, bytes) in [(&[2, 3][..], 11), (&[2, 3], 13), (&[2, 3], 0), (&[0, 3], 1), (&[], 0), (&[], 4)] {
        let misfit = tensor(Datatype::Int16, shape, &vec![0; bytes]);
        assert!(matches!(misfit, Err(Misfit::Count { .. })), "{shape:?} {bytes}");
    }
    for shape in [&[1 << 32, 1 << 31][..], &[u64::MAX], &[u64::MAX, 0], &[3, u64::MAX]] {
        assert_eq!(tensor(Datatype::Bool, shape, &[]), Err(Misfit::Uncountable(shape.into())), "{shape:?}");
    }
    for shape in [[1 << 40, 1 << 40, 0], [0, 1 << 40, 1 << 40]] {
        assert!(tensor(Datatype::Bool, &shape, &[]).is_ok(), "nothing, in whatever order");
    }
    let huge = [1 << 31, 1 << 31];
    assert!(matches!(tensor(Datatype::Fp64, &huge, &[]), Err(Misfit::Count { .. })), "bytes beyond 64 bits");
}

#[test]
fn oip_07_scalars_and_nothing_are_tensors() {
    assert!(tensor(Datatype::Fp32, &[], &[0; 4]).is_ok());
    assert!(tensor(Datatype::Fp32, &[0], &[]).is_ok());
    assert!(tensor(Datatype::Bytes, &[3, 0], &[]).is_ok());
    assert!(tensor(Datatype::Bytes, &[], &[0; 4]).is_ok(), "an empty element");
}

#[test]
fn oip_04_the_lengths_of_bytes_must_not_lie() {
    let two = b"\x01\0\0\0a\x02\0\0\0\xff\0";
    let read = tensor(Datatype::Bytes, &[2], two).expect("two elements");
    assert_eq!(read.strings().collect::<Vec<_>>(), [&b"a"[..], b"\xff\0"]);
    assert_eq!(Tensor::from_bytes("x", vec![2], &[&b"a"[..], b"\xff\0"]), Ok(read));
    for (shape, data) in [
        (1, &two[..]),
        (3, two),
        (2, &two[..10]),
        (1, b"\x01\0\0"),
        (1, b"\xff\xff\xff\xffa"),
        (1, b"\x01\0\0\0ab"),
        (0, b"\0\0\0\0"),
    ] {
        assert!(tensor(Datatype::Bytes, &[shape], data).is_err(), "{shape} {data:?}");
    }
}

#[test]
fn numbers_are_read_as_f64_whatever_they_are() {
    let check = |datatype, data: &[u8], expected: f64| {
        let read = tensor(datatype, &[1], data).expect("one element").to_f64().expect("a number");
        assert!(read == [expected] || expected.is_nan() && read[0].is_nan(), "{datatype:?} {read:?} {expected}");
    };
    check(Datatype::Bool, &[1], 1.0);
    check(Datatype::Uint8, &[255], 255.0);
    check(Datatype::Int8, &[255], -1.0);
    check(Datatype::Uint16, &[1, 2], 513.0);
    check(Datatype::Int16, &[0, 0x80], -32768.0);
    check(Datatype::Uint32, &[0xff; 4], 4_294_967_295.0);
    check(Datatype::Int32, &[0xfe, 0xff, 0xff, 0xff], -2.0);
    check(Datatype::Uint64, &[0, 0, 0, 0, 0, 0, 0, 0x80], 9_223_372_036_854_775_808.0);
    check(Datatype::Int64, &[0xff; 8], -1.0);
    check(Datatype::Fp32, &1.5_f32.to_le_bytes(), 1.5);
    check(Datatype::Fp64, &0.1_f64.to_le_bytes(), 0.1);
    check(Datatype::Bf16, &[0xC0, 0xBF], -1.5);
    for (bits, value) in [
        (0x3C00, 1.0),
        (0xC000, -2.0),
        (0x7BFF, 65504.0),
        (0x0001, 5.960_464_477_539_063e-8),
        (0x0400, 6.103_515_625e-5),
        (0x8000, -0.0),
        (0x7C00, f64::INFINITY),
        (0xFC00, f64::NEG_INFINITY),
        (0x7E00, f64::NAN),
    ] {
        check(Datatype::Fp16, &u16::to_le_bytes(bits), value);
    }
    assert_eq!(tensor(Datatype::Bytes, &[1], &[0; 4]).expect("one element").to_f64(), None);
}

#[test]
fn tn_08_non_finite_values_are_seen_in_every_float() {
    let check = |datatype, finite: &[u8], others: &[&[u8]]| {
        assert!(!tensor(datatype, &[1], finite).expect("one element").has_non_finite(), "{datatype:?}");
        for other in others {
            assert!(tensor(datatype, &[1], other).expect("one element").has_non_finite(), "{datatype:?} {other:?}");
        }
    };
    check(Datatype::Fp16, &[0xFF, 0x7B], &[&[0, 0x7C], &[0, 0xFC], &[1, 0x7C]]);
    check(Datatype::Bf16, &[0x7F, 0x7F], &[&[0x80, 0x7F], &[0x80, 0xFF], &[0xC0, 0x7F]]);
    check(Datatype::Fp32, &f32::MAX.to_le_bytes(), &[&f32::NAN.to_le_bytes(), &f32::NEG_INFINITY.to_le_bytes()]);
    check(Datatype::Fp64, &f64::MIN.to_le_bytes(), &[&f64::NAN.to_le_bytes(), &f64::INFINITY.to_le_bytes()]);
    check(Datatype::Int32, &[0xff; 4], &[]);
}

#[test]
fn constructors_write_the_canonical_form() {
    let fp32 = Tensor::from_f32("x", vec![2], &[1.0, -0.0]).expect("two");
    assert_eq!(&fp32.data()[..], [0, 0, 0x80, 0x3f, 0, 0, 0, 0x80]);
    assert_eq!(Tensor::from_f64("x", vec![1], &[0.5]).expect("one").to_f64(), Some(vec![0.5]));
    assert_eq!(Tensor::from_i64("x", vec![1], &[-2]).expect("one").to_f64(), Some(vec![-2.0]));
    assert_eq!(&Tensor::from_bools("x", vec![2], &[true, false]).expect("two").data()[..], [1, 0]);
    assert!(Tensor::from_i64("x", vec![2], &[1]).is_err());
    let reshaped = fp32.reshape(vec![2, 1]).expect("the same count");
    assert_eq!(reshaped.shape(), [2, 1]);
    assert!(reshaped.reshape(vec![3]).is_err());
}
