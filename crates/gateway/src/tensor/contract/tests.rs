//! Tests of the contract, on both sides of a path.

use ResultCode as R;

use super::*;
use crate::tensor::{Input, Wanted};

fn port(name: &str, datatype: Datatype, shape: &[i64]) -> Port {
    Port::new(name, datatype, shape)
}

fn contract() -> Contract {
    Contract {
        inputs: vec![port("x", Datatype::Fp32, &[-1, 2])],
        outputs: vec![port("label", Datatype::Int64, &[-1]), port("score", Datatype::Fp32, &[-1, 3])],
        max_batch: Some(4),
        non_finite: false,
        learned: false,
    }
}

fn request(rows: u64, outputs: &[&str]) -> Infer {
    let values = vec![0.0; usize::try_from(rows * 2).expect("few")];
    let tensor = Tensor::from_f32("x", vec![rows, 2], &values).expect("fits");
    let wanted =
        |name: &&str| Wanted { name: (*name).into(), binary: None, classes: None, parameters: vec![], extra: vec![] };
    Infer {
        id: None,
        parameters: vec![],
        inputs: vec![Input { tensor, parameters: vec![], extra: vec![] }],
        outputs: outputs.iter().map(wanted).collect(),
        form: Form::Text,
        extra: vec![],
        count: Count { rows, empty: rows == 0 },
    }
}

fn label(shape: &[u64]) -> Tensor {
    let count = shape.iter().product::<u64>();
    Tensor::from_i64("label", shape.into(), &vec![1; usize::try_from(count).expect("few")]).expect("fits")
}

fn score(values: &[f32]) -> Tensor {
    Tensor::from_f32("score", vec![values.len() as u64 / 3, 3], values).expect("fits")
}

#[test]
fn tn_07_oip_20_an_answer_must_be_what_was_promised() {
    let check = |outputs: Vec<Tensor>, expected: Result<(), R>| {
        let accepted = contract().accept(InferAnswer::of(outputs.clone()), &request(1, &[]));
        assert_eq!(accepted.map(drop), expected, "{outputs:?}");
    };
    check(vec![label(&[1]), score(&[0.0; 3])], Ok(()));
    check(vec![], Err(R::EmptyAnswer));
    check(vec![label(&[1])], Err(R::OutputMissing));
    check(vec![score(&[0.0; 3])], Err(R::OutputMissing));
    check(vec![label(&[2]), score(&[0.0; 3])], Err(R::ContractShape));
    check(vec![label(&[1, 1, 1]), score(&[0.0; 3])], Err(R::ContractShape));
    let wide = Tensor::from_f32("score", vec![1, 4], &[0.0; 4]).expect("fits");
    check(vec![label(&[1]), wide], Err(R::ContractShape));
    let double = Tensor::from_f64("score", vec![1, 3], &[0.0; 3]).expect("fits");
    check(vec![label(&[1]), double], Err(R::ContractDtype));
    check(vec![label(&[1]), score(&[0.0, f32::NAN, 0.0])], Err(R::ContractNonfinite));
}

#[test]
fn a_last_dimension_of_one_is_implicit() {
    let accepted = contract().accept(InferAnswer::of([label(&[2, 1]), score(&[0.0; 6])]), &request(2, &[]));
    assert_eq!(accepted.expect("fits").output("label").expect("there").shape(), [2]);
    let column = Contract { outputs: vec![port("label", Datatype::Int64, &[-1, 1])], ..contract() };
    let accepted = column.accept(InferAnswer::of([label(&[2])]), &request(2, &[]));
    assert_eq!(accepted.expect("fits").output("label").expect("there").shape(), [2, 1]);
}

#[test]
fn only_what_was_wanted_and_promised_goes_on() {
    let more = Tensor::from_i64("debug", vec![1], &[1]).expect("fits");
    let answer = || InferAnswer::of([label(&[1]), more.clone(), score(&[0.0; 3])]);
    let names = |accepted: Result<InferAnswer, R>| -> Vec<String> {
        accepted.expect("fits").outputs.iter().map(|output| output.tensor.name().to_owned()).collect()
    };
    assert_eq!(names(contract().accept(answer(), &request(1, &[]))), ["label", "score"]);
    assert_eq!(names(contract().accept(answer(), &request(1, &["score"]))), ["score"]);
    assert_eq!(names(Contract::default().accept(answer(), &request(1, &[]))), ["label", "debug", "score"]);
    assert_eq!(names(Contract::default().accept(answer(), &request(1, &["debug"]))), ["debug"]);
    let missing = Contract::default().accept(answer(), &request(1, &["other"]));
    assert_eq!(missing, Err(R::OutputMissing), "kserve ignores unknown outputs");
}

#[test]
fn tn_08_oip_08_non_finite_goes_on_only_where_the_route_allows_it() {
    let answer = || InferAnswer::of([score(&[0.0, f32::INFINITY, 0.0])]);
    assert_eq!(Contract::default().accept(answer(), &request(1, &[])), Err(R::ContractNonfinite));
    let open = Contract { non_finite: true, ..Contract::default() };
    assert!(open.accept(answer(), &request(1, &[])).is_ok());
}

#[test]
fn oip_11_bytes_that_are_no_text_cannot_be_written_as_json() {
    let bytes = Tensor::from_bytes("y", vec![1], &[b"\xff"]).expect("fits");
    assert_eq!(Contract::default().accept(InferAnswer::of([bytes]), &request(1, &[])), Err(R::ContractSchema));
    let half = Tensor::new("y".into(), Datatype::Fp16, vec![1], vec![0, 0x3C].into()).expect("fits");
    assert_eq!(Contract::default().accept(InferAnswer::of([half]), &request(1, &[])), Err(R::ContractSchema));
}

#[test]
fn inputs_are_held_to_names_datatype_shape_and_batch() {
    let contract = contract();
    assert_eq!(contract.check_names(["x"].into_iter()), Ok(()));
    assert_eq!(contract.check_names(["y"].into_iter()), Err(Breach::UnknownInput("y".into())));
    assert_eq!(contract.check_names([].into_iter()), Err(Breach::MissingInput("x".into())));
    assert_eq!(contract.check_datatype("x", Datatype::Fp32), Ok(()));
    assert!(contract.check_datatype("x", Datatype::Fp64).is_err());
    assert_eq!(contract.check_shape("x", &[4, 2]), Ok(()));
    assert!(matches!(contract.check_shape("x", &[5, 2]), Err(Breach::Batch { found: 5, limit: 4, .. })), "TN-06");
    for shape in [&[4][..], &[4, 3], &[4, 2, 1], &[]] {
        assert!(matches!(contract.check_shape("x", shape), Err(Breach::Shape { .. })), "{shape:?}");
    }
    let fixed = Contract { inputs: vec![port("x", Datatype::Fp32, &[8])], ..contract };
    assert_eq!(fixed.check_shape("x", &[8]), Ok(()), "a first dimension that is not open counts no rows");
    let features = Contract {
        inputs: vec![port("a", Datatype::Fp32, &[-1]), port("b", Datatype::Fp32, &[-1])],
        ..Contract::default()
    };
    assert_eq!(features.check_shape("a", &[3, 1]), Ok(()), "one value a row may come as a column");
    assert!(features.check_shape("a", &[3, 2]).is_err());
    let rows = |a: &[u64], b: &[u64]| features.check_rows([("a", a), ("b", b)].into_iter());
    let count = |rows, empty| Ok(Count { rows, empty });
    assert_eq!((rows(&[3], &[3, 1]), rows(&[0], &[0])), (count(3, false), count(0, true)));
    let whole = [("x", &[8_u64][..])];
    assert_eq!(fixed.check_rows(whole.into_iter()), count(1, false), "BATCH-1: no input has rows");
    let nothing = Contract::default();
    assert_eq!(nothing.check_rows(whole.into_iter()), count(8, false), "where nothing is said, the first has");
    let wide = Contract { inputs: vec![port("x", Datatype::Fp32, &[-1, -1])], ..Contract::default() };
    assert_eq!(wide.check_rows([("x", &[2_u64, 0][..])].into_iter()), count(2, true));
    assert!(matches!(rows(&[3], &[2]), Err(Breach::Rows { found: 2, wanted: 3, .. })));
    let optional = Port { required: false, ..port("b", Datatype::Fp32, &[-1]) };
    let some = Contract { inputs: vec![port("a", Datatype::Fp32, &[-1]), optional], ..Contract::default() };
    assert_eq!(some.check_names(["a"].into_iter()), Ok(()));
    assert!(some.check_names(["b"].into_iter()).is_err());
    assert_eq!(Contract::default().check_names(["any"].into_iter()), Ok(()), "nothing declared binds nothing");
}

#[test]
fn tn_09_values_are_held_to_the_ranges_of_their_places() {
    let column = Some("age".into());
    let age = Values { column, finite: true, whole: true, min: Some(0.0), max: Some(120.0), ..Values::default() };
    let x = Port { values: vec![Values::default(), age], ..port("x", Datatype::Fp32, &[-1, 2]) };
    let score = Port {
        values: vec![Values { min: Some(0.0), max: Some(1.0), ..Values::default() }],
        ..port("score", Datatype::Fp32, &[-1])
    };
    let contract = Contract { inputs: vec![x], outputs: vec![score], ..Contract::default() };
    let input = |values: &[f32]| {
        let tensor = Tensor::from_f32("x", vec![values.len() as u64 / 2, 2], values).expect("fits");
        contract.check_values(&tensor).map_err(|breach| breach.to_string())
    };
    assert_eq!(input(&[-5.0, 40.0, f32::NAN, 0.0]), Ok(()), "the first column takes anything");
    assert_eq!(input(&[0.0, 40.0, 0.0, 130.0]), Err("input 'x' row 1: 'age' is 130 and must be at most 120".into()));
    assert_eq!(input(&[0.0, 1.5]), Err("input 'x' row 0: 'age' is 1.5 and must be a whole number".into()));
    assert!(input(&[0.0, f32::NAN]).is_err());
    let output = |values: &[f32]| {
        let tensor = Tensor::from_f32("score", vec![values.len() as u64], values).expect("fits");
        contract.accept(InferAnswer::of([tensor]), &request(values.len() as u64, &[])).map(drop)
    };
    assert_eq!(output(&[0.0, 1.0]), Ok(()));
    assert_eq!(output(&[0.5, 1.01]), Err(R::ContractRange));
    assert_eq!(output(&[0.5, f32::NAN]), Err(R::ContractNonfinite), "what is not finite has its own rule");
}

#[test]
fn what_a_server_says_binds_by_names_datatypes_and_shapes_alone() {
    let optional = |port: Port| Port { required: false, ..port };
    let inputs = vec![optional(port("x", Datatype::Fp32, &[-1, 1])), optional(port("y", Datatype::Fp32, &[3]))];
    let learned = Contract { inputs, max_batch: Some(2), learned: true, ..Contract::default() };
    assert_eq!(learned.check_names(["y"].into_iter()), Ok(()), "who knows whether it needs `x`");
    assert!(learned.check_names(["y", "z"].into_iter()).is_err());
    assert_eq!(learned.check_shape("x", &[2]), Ok(()), "one value a row is a column");
    assert!(matches!(learned.check_shape("x", &[2, 2]), Err(Breach::Shape { .. })));
    assert!(matches!(learned.check_shape("x", &[3, 1]), Err(Breach::Batch { .. })));
    assert!(matches!(learned.check_shape("y", &[3]), Err(Breach::Batch { .. })), "SE-09: what it says is no promise");
    let shapes = [("x", &[2_u64, 1][..]), ("x", &[1, 1][..])];
    assert_eq!(
        learned.check_rows(shapes.into_iter()),
        Ok(Count { rows: 2, empty: false }),
        "who knows what its first dimension counts"
    );
}
