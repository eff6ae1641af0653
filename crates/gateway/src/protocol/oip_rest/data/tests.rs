//! Tests of the elements: numbers from their text, flat and nested, and back again.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;
use crate::tensor::elements;

fn decode(text: &str, datatype: Datatype, shape: &[u64]) -> Result<Tensor, BadData> {
    let data = read(text.as_bytes(), datatype, shape, Nulls::Refused)?;
    Ok(Tensor::new("x".into(), datatype, shape.into(), data.into()).expect("what was read fits"))
}

fn encode(tensor: &Tensor) -> String {
    let mut out = vec![];
    write(&mut out, tensor);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn oip_09_the_extremes_of_integers_are_exact() {
    let check = |datatype, numbers: &str| {
        let count = numbers.split(',').count() as u64;
        let text = format!("[{numbers}]");
        assert_eq!(decode(&text, datatype, &[count]).map(|tensor| encode(&tensor)), Ok(text), "{datatype:?}");
    };
    check(Datatype::Uint8, "0,255");
    check(Datatype::Uint16, "0,65535");
    check(Datatype::Uint32, "0,4294967295");
    check(Datatype::Uint64, "0,9007199254740993,18446744073709551615");
    check(Datatype::Int8, "-128,127");
    check(Datatype::Int16, "-32768,32767");
    check(Datatype::Int32, "-2147483648,2147483647");
    check(Datatype::Int64, "-9223372036854775808,9007199254740993,9223372036854775807");
}

#[test]
fn oip_10_an_integer_out_of_range_is_refused_and_never_wrapped() {
    let check = |datatype, number: &str| {
        let refused = decode(&format!("[0,{number}]"), datatype, &[2]);
        assert!(matches!(refused, Err(BadData::Range { at: 1, .. })), "{datatype:?} {number}: {refused:?}");
    };
    check(Datatype::Int32, "3000000000");
    check(Datatype::Uint8, "256");
    check(Datatype::Uint8, "-1");
    check(Datatype::Int8, "128");
    check(Datatype::Int64, "9223372036854775808");
    check(Datatype::Uint64, "18446744073709551616");
    check(Datatype::Uint64, "340282366920938463463374607431768211457000");
    check(Datatype::Fp32, "1e39");
    check(Datatype::Fp64, "-1e309");
}

#[test]
fn what_is_no_integer_is_refused_in_integer_tensors() {
    for element in ["1.5", "1e2", "1.0", "true", "\"1\"", "null", "[1]", "{}"] {
        let refused = decode(&format!("[{element}]"), Datatype::Int32, &[1]);
        assert!(matches!(refused, Err(BadData::Element { .. } | BadData::Shape(_))), "{element}: {refused:?}");
    }
    assert!(decode("[NaN]", Datatype::Int32, &[1]).is_err());
    for element in ["1", "0", "\"true\"", "null"] {
        assert!(decode(&format!("[{element}]"), Datatype::Bool, &[1]).is_err(), "{element}");
    }
    for element in ["1", "null", "true", "NaN"] {
        assert!(decode(&format!("[{element}]"), Datatype::Bytes, &[1]).is_err(), "{element}");
    }
    for element in ["true", "\"1\"", "null", "nan", "inf", "+Infinity"] {
        assert!(decode(&format!("[{element}]"), Datatype::Fp32, &[1]).is_err(), "{element}");
    }
    assert_eq!(decode("[-0]", Datatype::Uint8, &[1]).map(|zero| encode(&zero)), Ok("[0]".into()));
}

#[test]
fn oip_13_nested_and_flat_are_the_same_and_ragged_is_refused() {
    let flat = decode("[1,2,3,4,5,6]", Datatype::Int32, &[2, 3]).expect("flat");
    assert_eq!(decode("[[1,2,3],[4, 5,6]]", Datatype::Int32, &[2, 3]), Ok(flat));
    let deep = decode("[[[1],[2]],[[3],[4]]]", Datatype::Int32, &[2, 2, 1]).expect("nested");
    assert_eq!(encode(&deep), "[1,2,3,4]");
    for (text, shape) in [
        ("[[1,2],[3]]", &[2, 2][..]),
        ("[[1,2],[3,4],[5,6]]", &[2, 2]),
        ("[[1,2]]", &[2, 2]),
        ("[[1,2,3],[4]]", &[2, 2]),
        ("[[1,2],3,4]", &[2, 2]),
        ("[1,[2,3],4]", &[2, 2]),
        ("[[[1,2],[3,4]]]", &[2, 2]),
        ("[[1,2,3,4]]", &[2, 2]),
        ("[1,2,3]", &[2, 2]),
        ("[1,2,3,4,5]", &[2, 2]),
        ("[]", &[1]),
        ("[1]", &[0]),
        ("1", &[1]),
        ("{}", &[1]),
        ("\"x\"", &[1]),
        ("[[1]]", &[]),
        ("[[]]", &[1]),
    ] {
        assert_eq!(decode(text, Datatype::Int32, shape), Err(BadData::Shape(shape.into())), "{text} {shape:?}");
    }
}

#[test]
fn oip_07_scalars_and_nothing_have_a_form() {
    for text in ["7", "[7]"] {
        assert_eq!(decode(text, Datatype::Int32, &[]).map(|scalar| encode(&scalar)), Ok("[7]".into()), "{text}");
    }
    for (text, shape) in [("[]", &[0][..]), ("[]", &[0, 3]), ("[]", &[3, 0]), ("[[],[],[]]", &[3, 0])] {
        assert_eq!(decode(text, Datatype::Fp64, shape).map(|none| encode(&none)), Ok("[]".into()), "{text} {shape:?}");
    }
}

#[test]
fn tn_01_a_shape_is_counted_before_anything_is_allocated() {
    for shape in [&[1 << 62, 2][..], &[u64::MAX, 1], &[1 << 40, 1 << 40]] {
        assert_eq!(decode("[1]", Datatype::Fp64, shape), Err(BadData::Uncountable(shape.into())));
    }
    assert_eq!(
        decode("[1]", Datatype::Fp64, &[1 << 62]),
        Err(BadData::Shape(vec![1 << 62])),
        "and nothing is reserved"
    );
}

#[test]
fn oip_08_tokens_are_numbers_in_floats_and_null_is_nan_only_in_answers() {
    let values = decode("[NaN,Infinity,-Infinity,1]", Datatype::Fp32, &[4]).expect("tokens");
    let read_back = values.to_f64().expect("numbers");
    assert!(read_back[0].is_nan() && read_back[1..] == [f64::INFINITY, f64::NEG_INFINITY, 1.0]);
    assert_eq!(encode(&values), "[NaN,Infinity,-Infinity,1.0]");
    let null = |nulls| read(b"[null,2]", Datatype::Fp64, &[2], nulls);
    assert!(matches!(null(Nulls::Refused), Err(BadData::Element { at: 0, .. })));
    let nan = Tensor::new("x".into(), Datatype::Fp64, vec![2], null(Nulls::Nan).expect("NaN").into()).expect("two");
    assert!(nan.to_f64().expect("numbers")[0].is_nan());
    assert!(read(b"[null]", Datatype::Int32, &[1], Nulls::Nan).is_err(), "in floats only");
}

#[test]
fn half_precision_travels_as_binary_only() {
    for datatype in [Datatype::Fp16, Datatype::Bf16] {
        assert_eq!(decode("[1]", datatype, &[1]), Err(BadData::NoForm(datatype.name())));
    }
}

#[test]
fn floats_are_written_in_their_shortest_form() {
    let fp32 = Tensor::from_f32("x", vec![5], &[0.1, 16_777_216.0, 1e-45, -0.0, f32::MAX]).expect("five");
    assert_eq!(encode(&fp32), "[0.1,16777216.0,1e-45,-0.0,3.4028235e+38]");
    let fp64 = Tensor::from_f64("x", vec![3], &[0.1, 0.300_000_000_000_000_04, 5e-324]).expect("three");
    assert_eq!(encode(&fp64), "[0.1,0.30000000000000004,5e-324]");
}

/// Any tensor with a JSON form.
fn tensors() -> impl Strategy<Value = Tensor> {
    let form = prop::sample::select(Datatype::ALL.into_iter().filter(|it| it.has_json_form()).collect::<Vec<_>>());
    (form, prop::collection::vec(0..4_u64, 0..6)).prop_flat_map(|(datatype, shape)| {
        let count = usize::try_from(elements(&shape).expect("small")).expect("small");
        let element = match datatype {
            Datatype::Bool => any::<bool>().prop_map(|value| vec![u8::from(value)]).boxed(),
            Datatype::Bytes => any::<String>().prop_map(String::into_bytes).boxed(),
            other => {
                let size = other.size().expect("numbers have one");
                let edges = prop::sample::select(vec![0_u8, 1, 0x7F, 0x80, 0xFF]);
                prop_oneof![prop::collection::vec(any::<u8>(), size), prop::collection::vec(edges, size)].boxed()
            }
        };
        prop::collection::vec(element, count).prop_map(move |values| {
            let tensor = match datatype {
                Datatype::Bytes => Tensor::from_bytes("x", shape.clone(), &values),
                _ => Tensor::new("x".into(), datatype, shape.clone(), values.concat().into()),
            };
            tensor.expect("made to fit")
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, rng_seed: RngSeed::Fixed(9), ..ProptestConfig::default() })]

    #[test]
    fn decode_after_encode_is_the_identity(tensor in tensors()) {
        let again = decode(&encode(&tensor), tensor.datatype(), tensor.shape());
        let again = again.expect("what we write is what we read");
        if tensor.has_non_finite() {
            // JSON has one NaN: its payload is lost, everything else is not.
            let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            let (before, after) = (tensor.to_f64().expect("floats"), again.to_f64().expect("floats"));
            prop_assert!(before.len() == after.len() && before.iter().zip(&after).all(same));
        } else {
            prop_assert_eq!(again, tensor);
        }
    }

    #[test]
    fn any_nesting_that_fits_is_the_flat_one(tensor in tensors()) {
        let flat = encode(&tensor);
        let shape = tensor.shape();
        if shape.len() > 1 && !shape.contains(&0) && tensor.datatype() != Datatype::Bytes {
            let mut items: Vec<String> = flat[1..flat.len() - 1].split(',').map(str::to_owned).collect();
            for dimension in shape.iter().skip(1).rev() {
                let rows = items.chunks(usize::try_from(*dimension).expect("small"));
                items = rows.map(|row| format!("[{}]", row.join(", "))).collect();
            }
            let nested = format!("[{}]", items.join(","));
            let again = decode(&nested, tensor.datatype(), shape).expect("nested as the shape says");
            prop_assert_eq!(encode(&again), flat);
        }
    }

    #[test]
    fn hostile_text_is_refused_or_read_as_what_it_says(
        text in "[\\[\\]0-9.eE,\"NaInfty\\- tru]{0,24}",
        datatype in prop::sample::select(Datatype::ALL.to_vec()),
        shape in prop::collection::vec(0..3_u64, 0..3),
    ) {
        if let Ok(data) = read(text.as_bytes(), datatype, &shape, Nulls::Refused) {
            prop_assert!(Tensor::new("x".into(), datatype, shape, data.into()).is_ok(), "{}", text);
        }
    }
}
