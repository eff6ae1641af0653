//! What fits a route, what becomes an input, and what comes out.

use super::{Datatype as D, *};
use crate::tensor::{self, Contract};

/// Takes `x`, FP32 [n, 8], and gives `score`, FP32 [n, 1].
const HOME: &[u8] = include_bytes!("../../../../../examples/home-value/distilled.onnx");
/// Takes `f64`, `i64` and `i32`, each [n, 2], and gives labels and scores of each.
const KINDS: &[u8] = include_bytes!("../../../../onnx/tests/fixtures/kinds.onnx");

fn contract(inputs: &[(&str, D, &[i64])], outputs: &[(&str, D)]) -> Contract {
    let port = |(name, datatype, shape): &(&str, D, &[i64])| tensor::Port::new(name, *datatype, shape);
    let output = |(name, datatype): &(&str, D)| tensor::Port::new(name, *datatype, &[-1]);
    Contract {
        inputs: inputs.iter().map(port).collect(),
        outputs: outputs.iter().map(output).collect(),
        ..Contract::default()
    }
}

#[test]
fn tn_13_a_model_that_does_not_fit_its_route_is_refused_with_both_sides_named() {
    let (home, kinds) = (Model::load(HOME).expect("it is sound"), Model::load(KINDS).expect("it is sound"));
    let three: &[(&str, D, &[i64])] =
        &[("f64", D::Fp64, &[-1, 2]), ("i64", D::Int64, &[-1, 2]), ("i32", D::Int8, &[-1, 2])];
    let fit: &[(&Model, Contract)] = &[
        (&home, contract(&[], &[])),
        (&home, contract(&[("x", D::Fp32, &[-1, 8])], &[("score", D::Fp32)])),
        (&home, contract(&[("x", D::Fp32, &[-1, 8]), ("more", D::Bytes, &[-1])], &[])),
        (&home, contract(&[("x", D::Int64, &[-1, 8])], &[])),
        (&kinds, contract(three, &[("class i64", D::Int64), ("scaler f64", D::Fp32)])),
    ];
    for (model, contract) in fit {
        assert_eq!(fits(model, &contract.clone().into()), Ok(()), "{contract:?}");
    }
    let unfit: &[(&Model, Contract, &str)] = &[
        (&home, contract(&[("y", D::Fp32, &[-1, 8])], &[]), "the model reads `x`, which is no input of the route"),
        (&home, contract(&[("x", D::Fp32, &[-1, 7])], &[]), "input `x` has 8 columns in the model and 7 in the route"),
        (&home, contract(&[("x", D::Fp32, &[-1])], &[]), "input `x` has 8 columns in the model and 1 in the route"),
        (&home, contract(&[("x", D::Bytes, &[-1, 8])], &[]), "input `x` is FP32 in the model and BYTES in the route"),
        (&home, contract(&[], &[("price", D::Fp32)]), "no output `price`, which the route promises; it has `score`"),
        (&home, contract(&[], &[("score", D::Fp64)]), "output `score` is FP32 in the model and FP64 in the route"),
        (&kinds, contract(&three[..2], &[]), "the model reads `i32`"),
        (&kinds, contract(three, &[("class i64", D::Bytes)]), "output `class i64` is INT64 in the model and BYTES"),
    ];
    for (model, contract, words) in unfit {
        let why = fits(model, &contract.clone().into()).expect_err(words);
        assert!(why.contains(words), "{why:?} does not say {words:?}");
    }
}

#[test]
fn tn_13_a_map_is_held_against_the_model_before_anybody_asks() {
    let kinds = Model::load(KINDS).expect("it is sound");
    let bytes = tensor::Port::new("word", D::Bytes, &[-1]);
    let contract = |datatype| {
        let outputs = vec![tensor::Port::new("label", datatype, &[-1]), bytes.clone()];
        Arc::new(Contract { outputs, ..Contract::default() })
    };
    let check = |datatype: config::Datatype, label: config::Pick, word: config::Pick, expected: Result<(), &str>| {
        let mapped = [("label", label), ("word", word)]
            .map(|(name, pick)| config::MappedOutput { name: name.into(), source: config::MapSource::Picked(pick) });
        let mapping = Mapping::of(&mapped, 1 << 20, &contract(datatype.into())).expect("no default");
        let found = fits(&kinds, &mapping);
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map(|()| &()).map_err(|it| *it));
    };
    let pick = |from: &str| config::Pick {
        from: from.into(),
        column: None,
        datatype: None,
        round: false,
        shape: None,
        labels: vec![],
    };
    let labels = |from: &str| config::Pick { labels: vec!["no".into(), "yes".into()], ..pick(from) };
    let int8 = |from: &str, round| config::Pick { datatype: Some(config::Datatype::Int8), round, ..pick(from) };
    let wide = config::Pick { column: Some(2), ..pick("scaler f64") };
    let (class, real) = ("class i64", "scaler f64");
    check(config::Datatype::Int64, pick(class), labels(class), Ok(()));
    check(config::Datatype::Int8, int8(class, false), labels(class), Ok(()));
    check(config::Datatype::Int8, int8(real, true), labels(class), Ok(()));
    let words = "output `class i64` is INT64, and INT8 in the route: write `datatype: INT8`";
    check(config::Datatype::Int8, pick(class), labels(class), Err(words));
    let words = "output `scaler f64` is FP32, which does not become INT8 without `round: true`";
    check(config::Datatype::Int8, int8(real, false), labels(class), Err(words));
    let words = "output `scaler f64` is FP32, which does not become labels without `round: true`";
    check(config::Datatype::Int64, pick(class), labels(real), Err(words));
    let words = "output `scaler f64` has 2 columns, so that there is no column 2";
    check(config::Datatype::Fp32, wide, labels(class), Err(words));
    let missing = fits(&kinds, &{
        let mapped = config::MappedOutput { name: "label".into(), source: config::MapSource::Picked(pick("nope")) };
        Mapping::of(&[mapped], 1 << 20, &contract(D::Int64)).expect("no default")
    });
    assert!(
        missing
            .expect_err("absent")
            .starts_with("the model has no output `nope`, of which `map` makes `label`; it has")
    );
}

#[test]
fn an_input_becomes_what_the_model_takes_or_nothing_where_values_would_be_others() {
    let port = |kind, columns: usize| Port { name: "x".into(), kind, shape: [None, Some(1)][..columns].into() };
    let f64s = |values: &[f64]| Tensor::from_f64("x", vec![values.len() as u64], values).expect("it fits");
    let i64s = |values: &[i64]| Tensor::from_i64("x", vec![values.len() as u64], values).expect("it fits");
    let texts = |values: &[&[u8]]| Tensor::from_bytes("x", vec![values.len() as u64], values).expect("it fits");
    let bools = Tensor::from_bools("x", vec![2], &[true, false]).expect("it fits");
    let u64s = |value: u64| Tensor::new("x".into(), D::Uint64, vec![1], value.to_le_bytes().to_vec().into());
    let check = |tensor: &Tensor, kind, expected: Option<Data>| {
        let found = array(tensor, &port(kind, 1)).map(|it| it.into_parts().1);
        // By their text: a NaN is a NaN.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{tensor:?} as {kind:?}");
    };
    check(&f64s(&[0.1, f64::NAN, -0.0]), Kind::F32, Some(Data::F32(vec![0.1, f32::NAN, -0.0])));
    check(&f64s(&[f64::INFINITY]), Kind::F32, Some(Data::F32(vec![f32::INFINITY])));
    check(&f64s(&[1e39]), Kind::F32, None);
    check(&f64s(&[1e39]), Kind::F64, Some(Data::F64(vec![1e39])));
    check(&f64s(&[3.0]), Kind::I64, Some(Data::I64(vec![3])));
    check(&f64s(&[3.5]), Kind::I64, None);
    check(&f64s(&[f64::NAN]), Kind::I64, None);
    check(&f64s(&[1e18]), Kind::I64, None);
    check(&i64s(&[i64::MIN, i64::MAX]), Kind::I64, Some(Data::I64(vec![i64::MIN, i64::MAX])));
    check(&i64s(&[i64::from(i32::MIN)]), Kind::I32, Some(Data::I32(vec![i32::MIN])));
    check(&i64s(&[1 << 31]), Kind::I32, None);
    check(&u64s(u64::MAX).expect("it fits"), Kind::I64, None);
    check(&bools, Kind::F32, Some(Data::F32(vec![1.0, 0.0])));
    check(&bools, Kind::Bool, Some(Data::Bool(vec![true, false])));
    check(&i64s(&[1]), Kind::Bool, None);
    check(&texts(&[b"low", "h\u{f6}ch".as_bytes()]), Kind::Text, Some(Data::Text(vec!["low".into(), "höch".into()])));
    check(&texts(&[b"\xff"]), Kind::Text, None);
    check(&texts(&[b"1"]), Kind::F32, None);
    check(&f64s(&[1.0]), Kind::Text, None);
    let column = array(&f64s(&[1.0, 2.0]), &port(Kind::F32, 2)).expect("one value a row is a column");
    assert_eq!(column.shape(), [2, 1]);
}

#[test]
fn an_output_comes_out_as_the_datatype_that_fits_was_asked_of() {
    let check = |data: Data, datatype: D, bytes: &[u8]| {
        let found = tensor("y".into(), Array::new(vec![1, 1], data).expect("it fits")).expect("it is a tensor");
        assert_eq!((found.name(), found.datatype(), found.shape()), ("y", datatype, &[1, 1][..]));
        assert_eq!(&found.data()[..], bytes, "{datatype:?}");
    };
    check(Data::F32(vec![1.5]), datatype(Kind::F32), &1.5_f32.to_le_bytes());
    check(Data::F64(vec![1.5]), datatype(Kind::F64), &1.5_f64.to_le_bytes());
    check(Data::I32(vec![-2]), datatype(Kind::I32), &(-2_i32).to_le_bytes());
    check(Data::I64(vec![-2]), datatype(Kind::I64), &(-2_i64).to_le_bytes());
    check(Data::Bool(vec![true]), datatype(Kind::Bool), &[1]);
    check(Data::Text(vec!["ab".into()]), datatype(Kind::Text), b"\x02\0\0\0ab");
}
