//! Tests of mappings: every step and every loss by table, and that no number becomes another one.

use Datatype as D;
use ResultCode as R;
use evenkeel_config::{self as config, FixedTensor, Pick as Spec, Value};
use proptest::{prelude::*, test_runner::RngSeed};

use super::{convert::Number, *};
use crate::tensor::{Count, Form, Input, any_tensor};

/// Takes an output as it is.
fn spec(from: &str) -> Spec {
    Spec { from: from.into(), column: None, datatype: None, round: false, shape: None, labels: vec![] }
}

fn labels(words: &[&str]) -> Vec<String> {
    words.iter().map(|it| (*it).into()).collect()
}

fn picked(name: &str, pick: Spec) -> MappedOutput {
    MappedOutput { name: name.into(), source: MapSource::Picked(pick) }
}

fn default(name: &str, datatype: config::Datatype, value: Value) -> MappedOutput {
    let fixed = FixedTensor { name: name.into(), datatype, shape: vec![-1], data: vec![value] };
    MappedOutput { name: name.into(), source: MapSource::Default(fixed) }
}

/// The contract of a route that counts rows, and gives a score and what to do.
fn contract() -> Arc<Contract> {
    let outputs = vec![Port::new("action", D::Bytes, &[-1]), Port::new("score", D::Fp32, &[-1])];
    Arc::new(Contract { inputs: vec![Port::new("x", D::Fp32, &[-1, 2])], outputs, ..Contract::default() })
}

fn mapping(map: &[MappedOutput]) -> Mapping {
    Mapping::of(map, 1 << 20, &contract()).expect("defaults fit")
}

fn request(rows: u64, outputs: &[&str]) -> Infer {
    let tensor = Tensor::from_f32("x", vec![rows, 2], &vec![0.0; rows as usize * 2]).expect("it fits");
    let inputs = vec![Input { tensor, parameters: vec![], extra: vec![] }];
    let outputs = outputs.iter().map(|name| bare(name)).collect();
    let count = Count::of(inputs.iter().map(|it: &Input| it.tensor.shape()));
    Infer { id: None, parameters: vec![], inputs, outputs, form: Form::Text, extra: vec![], count }
}

fn f64s(shape: &[u64], values: &[f64]) -> Tensor {
    Tensor::from_f64("p", shape.into(), values).expect("it fits")
}

fn i64s(shape: &[u64], values: &[i64]) -> Tensor {
    Tensor::from_i64("p", shape.into(), values).expect("it fits")
}

fn f32s(shape: &[u64], values: &[f32]) -> Tensor {
    Tensor::from_f32("p", shape.into(), values).expect("it fits")
}

fn texts(shape: &[u64], values: &[&str]) -> Tensor {
    Tensor::from_bytes("p", shape.into(), values).expect("it fits")
}

#[test]
fn a_number_becomes_what_it_is_in_another_type_or_nothing() {
    let check = |found: Tensor, to: D, round: bool, expected: Result<Tensor, R>| {
        let expected = expected.map(|it| it.data().clone());
        let converted = convert::convert(&found, to, (round, 1 << 20)).map(|it| it.data().clone());
        assert_eq!(converted, expected, "{found:?} as {to:?}, round: {round}");
    };
    let one =
        |datatype, bytes: &[u8]| Tensor::new("p".into(), datatype, vec![1], bytes.to_vec().into()).expect("it fits");
    let (i, d, f) = (|it: i64| i64s(&[1], &[it]), |it: f64| f64s(&[1], &[it]), |it: f32| f32s(&[1], &[it]));
    // Wider, or narrower where it has room.
    check(one(D::Int8, &[0xFF]), D::Int64, false, Ok(i(-1)));
    check(one(D::Uint64, &u64::MAX.to_le_bytes()), D::Int64, false, Err(R::ContractRange));
    check(i(-1), D::Uint64, false, Err(R::ContractRange));
    check(i(300), D::Uint8, false, Err(R::ContractRange));
    check(i(255), D::Uint8, false, Ok(one(D::Uint8, &[255])));
    check(one(D::Bool, &[1]), D::Int8, false, Ok(one(D::Int8, &[1])));
    check(i(1), D::Bool, false, Ok(one(D::Bool, &[1])));
    check(i(2), D::Bool, false, Err(R::ContractRange));
    // Whole numbers as floats: as long as all digits are there.
    check(i(1 << 24), D::Fp32, false, Ok(f(16_777_216.0)));
    check(i((1 << 24) + 1), D::Fp32, false, Err(R::ContractRange));
    check(i(-(1 << 24) - 1), D::Fp32, false, Err(R::ContractRange));
    check(i(1 << 53), D::Fp64, false, Ok(d(9_007_199_254_740_992.0)));
    check(i((1 << 53) + 1), D::Fp64, false, Err(R::ContractRange));
    check(i(i64::MIN), D::Fp64, false, Err(R::ContractRange));
    // Floats as floats: to the nearest, and never over the edge.
    check(d(0.1), D::Fp32, false, Ok(f(0.1)));
    check(f(0.1), D::Fp64, false, Ok(d(f64::from(0.1_f32))));
    check(d(1e39), D::Fp32, false, Err(R::ContractRange));
    check(d(-1e39), D::Fp32, false, Err(R::ContractRange));
    check(d(1e-300), D::Fp32, false, Ok(f(0.0)));
    check(d(f64::INFINITY), D::Fp32, false, Ok(f(f32::INFINITY)));
    check(one(D::Fp16, &[0x00, 0x3C]), D::Fp32, false, Ok(f(1.0)));
    check(one(D::Bf16, &[0xC0, 0xBF]), D::Fp64, false, Ok(d(-1.5)));
    // Floats as whole numbers: only where that is said.
    check(d(3.0), D::Int64, false, Err(R::ContractDtype));
    for (real, whole) in [(3.0, 3), (2.5, 2), (3.5, 4), (-0.5, 0), (-2.6, -3), (0.499, 0)] {
        check(d(real), D::Int64, true, Ok(i(whole)));
    }
    check(d(255.6), D::Uint8, true, Err(R::ContractRange));
    check(d(-0.6), D::Uint8, true, Err(R::ContractRange));
    check(d(1e300), D::Int64, true, Err(R::ContractRange));
    check(d(9_223_372_036_854_775_808.0), D::Int64, true, Err(R::ContractRange));
    check(d(f64::NAN), D::Int64, true, Err(R::ContractNonfinite));
    check(d(f64::NEG_INFINITY), D::Int64, true, Err(R::ContractNonfinite));
    check(d(1.0), D::Bool, true, Err(R::ContractDtype));
    // Text is no number, and no number is text.
    check(texts(&[1], &["1"]), D::Int64, true, Err(R::ContractDtype));
    check(i(1), D::Bytes, false, Err(R::ContractDtype));
    check(texts(&[1], &["1"]), D::Bytes, false, Ok(texts(&[1], &["1"])));
    // What no value says, the type does: also of nothing.
    check(f64s(&[0], &[]), D::Int64, false, Err(R::ContractDtype));
    check(f64s(&[0], &[]), D::Int64, true, Ok(i64s(&[0], &[])));
    let wide = one(D::Int8, &[1]);
    assert_eq!(convert::convert(&wide, D::Fp64, (false, 7)), Err(R::AnswerTooLarge), "MAP-2");
    assert!(convert::convert(&wide, D::Fp64, (false, 8)).is_ok());
}

#[test]
fn each_step_is_done_in_its_turn_and_a_miss_is_a_failure_of_quality() {
    let check = |found: &Tensor, pick: Spec, expected: Result<&Tensor, R>| {
        let expected = expected.cloned();
        let (bytes, port) = (!pick.labels.is_empty(), Port::new("y", D::Fp32, &[-1]));
        let made = Pick::new(&pick).apply(found, &port, (2, 1 << 20));
        assert_eq!(made, expected.map(|it| it.named("y")), "{found:?} by {pick:?}, labels: {bytes}");
    };
    let p = || spec("p");
    let column = |column| Spec { column: Some(column), ..p() };
    let shaped = |shape: &[i64]| Spec { shape: Some(shape.into()), ..p() };
    let table = f64s(&[2, 3], &[0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
    check(&table, p(), Ok(&table));
    // A column of the last axis.
    check(&table, column(0), Ok(&f64s(&[2], &[0.0, 1.0])));
    check(&table, column(2), Ok(&f64s(&[2], &[0.2, 1.2])));
    check(&table, column(3), Err(R::ContractShape));
    let cube = i64s(&[1, 2, 2], &[1, 2, 3, 4]);
    check(&cube, column(1), Ok(&i64s(&[1, 2], &[2, 4])));
    check(&texts(&[2, 2], &["a", "", "c", "d"]), column(1), Ok(&texts(&[2], &["", "d"])));
    check(&f64s(&[0, 2], &[]), column(1), Ok(&f64s(&[0], &[])));
    check(&f64s(&[2, 0], &[]), column(0), Err(R::ContractShape));
    check(&f64s(&[0, u64::MAX >> 2], &[]), column(1), Ok(&f64s(&[0], &[])));
    check(&f64s(&[2], &[1.0, 2.0]), column(0), Err(R::ContractShape));
    check(&f64s(&[], &[1.0]), column(0), Err(R::ContractShape));
    let (scalar, of_two) = (Port::new("y", D::Fp64, &[]), f64s(&[2], &[1.0, 2.0]));
    let made = Pick::new(&column(1)).apply(&of_two, &scalar, (1, 8));
    assert_eq!(made, Ok(f64s(&[], &[2.0]).named("y")), "where no rows are counted, the only axis is the last");
    // A shape of as many elements.
    check(&table, shaped(&[3, 2]), Ok(&table.clone().reshape(vec![3, 2]).expect("six")));
    check(&table, shaped(&[-1]), Ok(&table.clone().reshape(vec![6]).expect("six")));
    check(&table, shaped(&[-1, 2]), Ok(&table.clone().reshape(vec![3, 2]).expect("six")));
    check(&table, shaped(&[-1, 4]), Err(R::ContractShape));
    check(&table, shaped(&[5]), Err(R::ContractShape));
    check(&table, shaped(&[-1, 0]), Err(R::ContractShape));
    check(&f64s(&[0, 3], &[]), shaped(&[-1, 0]), Ok(&f64s(&[2, 0], &[])));
    check(&f64s(&[0, 3], &[]), shaped(&[-1, 3]), Ok(&f64s(&[0, 3], &[])));
    // Labels of whole numbers.
    let named = |round| Spec { labels: labels(&["approve", "review"]), round, ..p() };
    let (approve, review) = ("approve", "review");
    check(&i64s(&[3], &[0, 1, 0]), named(false), Ok(&texts(&[3], &[approve, review, approve])));
    check(&i64s(&[1], &[2]), named(false), Err(R::ContractRange));
    check(&i64s(&[1], &[-1]), named(false), Err(R::ContractRange));
    check(&f64s(&[1], &[1.0]), named(false), Err(R::ContractDtype));
    check(&f64s(&[2], &[0.9, 0.2]), named(true), Ok(&texts(&[2], &[review, approve])));
    check(&f64s(&[1], &[f64::NAN]), named(true), Err(R::ContractNonfinite));
    check(&f64s(&[1], &[1e300]), named(true), Err(R::ContractRange));
    check(&texts(&[1], &["0"]), named(true), Err(R::ContractDtype));
    let flags = Tensor::from_bools("p", vec![2], &[true, false]).expect("it fits");
    check(&flags, named(false), Ok(&texts(&[2], &[review, approve])));
    let narrow = Pick::new(&named(false)).apply(&i64s(&[2], &[0, 1]), &Port::new("y", D::Bytes, &[-1]), (2, 20));
    assert_eq!(narrow, Err(R::AnswerTooLarge), "MAP-2: 11 + 10 bytes");
    // All of them: the second column of a table, rounded, as a row, by its words.
    let all = Spec { column: Some(1), shape: Some(vec![1, -1].into_iter().rev().collect()), ..named(true) };
    check(&table, all, Ok(&texts(&[2, 1], &[approve, review])));
    let fp32 = Spec { column: Some(1), datatype: Some(config::Datatype::Fp32), shape: Some(vec![-1]), ..p() };
    check(&table, fp32, Ok(&f32s(&[2], &[0.1, 1.1])));
}

#[test]
fn an_answer_is_made_into_what_the_route_promises_or_the_tier_has_failed() {
    let score = Spec { column: Some(1), datatype: Some(config::Datatype::Fp32), ..spec("p") };
    let action = Spec { labels: labels(&["approve", "review"]), ..spec("class") };
    let map = mapping(&[picked("action", action), picked("score", score)]);
    let class = |values: &[i64]| i64s(&[values.len() as u64, 1], values).named("class");
    let table = || f64s(&[2, 2], &[0.75, 0.25, 0.5, 0.5]);
    let accept = |outputs: &[Tensor], wanted: &[&str]| {
        let accepted = map.accept(InferAnswer::of(outputs.to_vec()), &request(2, wanted));
        accepted.map(|it| it.outputs.into_iter().map(|it| it.tensor).collect::<Vec<_>>())
    };
    let (words, scores) =
        (texts(&[2], &["review", "approve"]).named("action"), f32s(&[2], &[0.25, 0.5]).named("score"));
    assert_eq!(accept(&[table(), class(&[1, 0])], &[]), Ok(vec![words.clone(), scores.clone()]));
    assert_eq!(accept(&[table()], &["score"]), Ok(vec![scores]), "what nobody wants may be absent");
    assert_eq!(accept(&[class(&[1, 0])], &["action"]), Ok(vec![words]));
    assert_eq!(accept(&[table()], &[]), Err(R::OutputMissing), "absent: target");
    assert_eq!(accept(&[class(&[7, 0])], &[]), Err(R::OutputMissing), "whatever else is wrong");
    assert_eq!(accept(&[], &[]), Err(R::EmptyAnswer));
    assert_eq!(accept(&[table(), class(&[2, 0])], &[]), Err(R::ContractRange), "a miss: quality");
    assert_eq!(accept(&[table(), class(&[1])], &[]), Err(R::ContractShape), "rows in are rows out");
    assert_eq!(accept(&[i64s(&[2, 2], &[0; 4]), table().named("class")], &["action"]), Err(R::ContractDtype));
    let nan = f64s(&[2, 2], &[0.0, f64::NAN, 0.0, 0.0]);
    assert_eq!(accept(&[nan, class(&[1, 0])], &[]), Err(R::ContractNonfinite), "MAP-3");

    let lacking = mapping(&[default("action", config::Datatype::Bytes, Value::Text("review".into()))]);
    let made = lacking.accept(InferAnswer::of([f32s(&[2], &[0.5, 1.0]).named("score")]), &request(2, &[]));
    let made: Vec<_> = made.expect("it fits").outputs.into_iter().map(|it| it.tensor).collect();
    let words = texts(&[2], &["review", "review"]).named("action");
    assert_eq!(
        made,
        [words, f32s(&[2], &[0.5, 1.0]).named("score")],
        "a default is repeated, and the rest is as it is"
    );
}

#[test]
fn a_tier_is_asked_for_its_own_outputs_and_nobody_else_for_others() {
    let score = Spec { column: Some(1), ..spec("p") };
    let plain = mapping(&[]);
    assert!(matches!(plain.asked(&request(1, &["score"])), Cow::Borrowed(_)));
    let map = mapping(&[default("action", config::Datatype::Bytes, Value::Text("x".into())), picked("score", score)]);
    let names = |map: &Mapping, wanted: &[&str]| {
        let asked = map.asked(&request(1, wanted)).into_owned();
        asked.outputs.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&map, &["score"]), ["p"]);
    assert_eq!(names(&map, &["score", "action"]), ["p"], "a default is nobody's");
    assert_eq!(names(&map, &[]), ["p"], "some servers give what is named only");
    let both = mapping(&[picked("action", spec("p")), picked("score", spec("p"))]);
    assert_eq!(names(&both, &[]), ["p"], "once");
    assert_eq!(names(&mapping(&[picked("action", spec("word"))]), &[]), ["word", "score"]);

    let said = |map: &Mapping| {
        let mut request = request(1, &["score"]);
        request.outputs[0].parameters.push(("classification".into(), super::super::Parameter::Int(3)));
        request.outputs[0].binary = Some(true);
        let wanted = map.asked(&request).into_owned().outputs.remove(0);
        (wanted.name, wanted.parameters.len(), wanted.binary)
    };
    assert_eq!(said(&both), ("p".into(), 1, Some(true)), "under another name it is the same output");
    assert_eq!(said(&map), ("p".into(), 0, None), "what is said of one is not said of what it is made of");
}

#[test]
fn f_163_what_is_written_down_is_proven_for_any_number_of_rows() {
    let class = |value: i64| Prepared {
        name: "class".into(),
        datatype: D::Int64,
        shape: vec![-1],
        data: value.to_le_bytes().to_vec(),
    };
    let action =
        |pick: Spec| mapping(&[picked("action", pick), default("score", config::Datatype::Fp32, Value::Int(1))]);
    let named = Spec { labels: labels(&["approve", "review"]), ..spec("class") };
    let prepared = action(named.clone()).prepared(vec![class(1)]).expect("it fits");
    let tensors: Vec<_> = prepared.iter().map(|it| it.tensor(3).expect("it fits")).collect();
    assert_eq!(tensors, [texts(&[3], &["review"; 3]).named("action"), f32s(&[3], &[1.0; 3]).named("score")]);
    let why = |map: Mapping, value| map.prepared(vec![class(value)]).expect_err("it does not fit");
    assert!(
        why(action(named.clone()), 2).starts_with("`map` does not make `action` of it: one of its values has no place")
    );
    assert!(why(action(spec("class")), 1).contains("its type is not"), "INT64 is no BYTES");
    let one = Spec { shape: Some(vec![1]), ..named };
    assert!(why(action(one), 1).contains("its shape is not"), "which would do for one row");
    assert_eq!(mapping(&[]).prepared(vec![class(7)]).expect("as it is").len(), 1);
    assert!(action(spec("class")).proves(None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    /// CONV-1, CONV-2: what comes out is the same number, or as near as its type has one; and it comes back.
    #[test]
    fn map_1_no_number_becomes_another_one(
        tensor in any_tensor(), to in prop::sample::select(&D::ALL[..]), round in any::<bool>(),
    ) {
        let Ok(made) = convert::convert(&tensor, to, (round, 1 << 20)) else { return Ok(()) };
        prop_assert_eq!((made.shape(), made.datatype()), (tensor.shape(), to));
        if tensor.datatype() == to {
            prop_assert_eq!(&made, &tensor);
        }
        for (before, after) in convert::numbers(&tensor).zip(convert::numbers(&made)) {
            match (before, after) {
                (Number::Whole(a), Number::Whole(b)) => prop_assert_eq!(a, b),
                (Number::Whole(a), Number::Real(b)) => prop_assert_eq!(a, b as i128),
                (Number::Real(a), Number::Whole(b)) => prop_assert!(round && (a - b as f64).abs() <= 0.5, "{} {}", a, b),
                (Number::Real(a), Number::Real(b)) if to == D::Fp32 => {
                    prop_assert!(b.to_bits() == f64::from(a as f32).to_bits() || (a.is_nan() && b.is_nan()));
                    prop_assert_eq!(a.is_infinite(), b.is_infinite());
                }
                (Number::Real(a), Number::Real(b)) => prop_assert!(a == b || (a.is_nan() && b.is_nan())),
            }
        }
        let wider = tensor.datatype() == D::Fp32 && to == D::Fp64 && !tensor.has_non_finite();
        let whole = !matches!(tensor.datatype(), D::Bool | D::Bytes | D::Fp16 | D::Fp32 | D::Fp64 | D::Bf16);
        if wider || whole {
            let back = convert::convert(&made, tensor.datatype(), (true, 1 << 20)).map(|it| it.data().clone());
            prop_assert_eq!(back, Ok(tensor.data().clone()), "it comes back");
        }
    }

    #[test]
    fn map_2_whatever_comes_nothing_panics_and_nothing_is_larger_than_an_answer(
        tensor in any_tensor(), to in prop::option::of(prop::sample::select(&[
            config::Datatype::Int8, config::Datatype::Uint64, config::Datatype::Fp32, config::Datatype::Bool,
        ][..])),
        column in prop::option::of(0_u32..5), shape in prop::option::of(prop::collection::vec(-1_i64..4, 0..4)),
        round in any::<bool>(), words in 0_usize..300, most in 0_usize..64, rows in 0_u64..4,
    ) {
        let labels = (0..words).map(|at| "w".repeat(at % 7)).collect();
        let pick = Spec { from: "x".into(), column, datatype: to, round, shape, labels };
        let map = Mapping::of(&[picked("action", pick.clone()), picked("score", pick)], most, &contract()).expect("no default");
        for port in &map.contract.outputs {
            let Some(Source::Picked(pick)) = map.source(&port.name) else { panic!("picked") };
            if let Ok(made) = pick.apply(&tensor, port, (rows, most)) {
                prop_assert!(made.data().len() <= most.max(tensor.data().len()));
            }
        }
        let _ = map.accept(InferAnswer::of([tensor]), &request(rows, &[]));
    }
}
