//! Requests that are computed together get what they get alone.

use std::sync::Arc;

use evenkeel_onnx::{Data, Kind};
use proptest::prelude::*;

use super::*;
use crate::tensor::{Contract, Count, Form, Input, Tensor};

/// Takes `x`, FP32 [n, 8], and gives `score`, FP32 [n, 1].
const HOME: &[u8] = include_bytes!("../../../../../../examples/home-value/distilled.onnx");
/// Takes `f64`, `i64` and `i32`, each [n, 2], and gives labels and scores of each.
const KINDS: &[u8] = include_bytes!("../../../../../onnx/tests/fixtures/kinds.onnx");
/// Moves elements over all that it is given.
const SHAPES: &[u8] = include_bytes!("../../../../../onnx/tests/fixtures/shapes.onnx");

/// Takes `x`, FP32 [n, 64], and gives `y`, FP32 [n, 3]; none where networks are not built.
const NETWORKS: &[&[u8]] = &[
    #[cfg(feature = "neural")]
    include_bytes!("../../../../../onnx/tests/networks/network-wide.onnx"),
];
/// Takes `a` and `b`, INT64 [n, 2], and divides the one by the other: a network.
#[cfg(feature = "neural")]
const DIVIDES: &[u8] = include_bytes!("../../../../../onnx/tests/networks/network-divides.onnx");

/// Rows for a model, that differ.
fn rows(model: &Model, count: usize, seed: usize) -> Arrays {
    let tensor = |port: &evenkeel_onnx::Port| {
        let width = port.shape.get(1).copied().flatten().map_or(1, |it| it as usize);
        let values = (0..count * width).map(|at| ((at + seed) * 7 % 101) as f32 / 3.0 - 5.0);
        let data = match port.kind {
            Kind::F32 => Data::F32(values.collect()),
            Kind::F64 => Data::F64(values.map(f64::from).collect()),
            Kind::I32 => Data::I32(values.map(|it| it as i32).collect()),
            _ => Data::I64(values.map(|it| it as i64).collect()),
        };
        (port.name.clone(), Array::new(vec![count, width], data).expect("it fits"))
    };
    model.inputs().iter().map(tensor).collect()
}

fn alone(model: &Model, inputs: &Arrays) -> Arrays {
    let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
    model.run(&inputs).expect("it runs")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batch_1_together_or_alone_each_request_gets_the_same_answer(
        counts in proptest::collection::vec(0_usize..9, 2..6),
        seed in 0_usize..1_000,
    ) {
        for file in [HOME, KINDS].iter().chain(NETWORKS) {
            let model = Model::load(file).expect("it is sound");
            prop_assert!(model.is_by_row());
            let parts: Vec<Arrays> = counts.iter().zip(seed..).map(|(count, seed)| rows(&model, *count, seed)).collect();
            let found = together(&model, &parts.iter().collect::<Vec<_>>()).expect("they are rows");
            for (part, found) in parts.iter().zip(&found) {
                // By their text: a NaN is a NaN.
                prop_assert_eq!(format!("{found:?}"), format!("{:?}", alone(&model, part)));
            }
        }
    }
}

#[derive(Clone)]
enum Asked {
    Rows(Arc<Infer>),
    Panic,
}

impl Asks for Asked {
    fn infer(&self) -> Option<&Infer> {
        match self {
            Self::Rows(infer) => Some(infer),
            Self::Panic => panic!("a bug"),
        }
    }
}

fn asked(columns: u64, values: &[f32]) -> Asked {
    let rows = values.len() as u64 / columns;
    let tensor = Tensor::from_f32("x", vec![rows, columns], values).expect("it fits");
    let inputs = vec![Input { tensor, parameters: vec![], extra: vec![] }];
    let count = Count { rows, empty: false };
    let form = Form::Text;
    Asked::Rows(Arc::new(Infer { id: None, parameters: vec![], inputs, outputs: vec![], form, extra: vec![], count }))
}

fn computer(file: &[u8], batch: u64) -> Computer {
    let contract: Arc<Contract> = Arc::default();
    let mapping = Mapping::of(&[], 1 << 20, &contract).expect("nothing is mapped");
    Computer { model: Model::load(file).expect("it is sound"), mapping, batch }
}

type Answer = oneshot::Receiver<Result<InferAnswer, ResultCode>>;

fn waits(ask: Asked) -> (Waits<Asked>, Answer) {
    let (reply, answer) = oneshot::channel();
    (Waits { ask, reply }, answer)
}

#[test]
fn batch_2_what_waits_is_computed_at_once_and_what_is_wrong_with_one_is_its_own() {
    let computer = computer(HOME, 100);
    let queue = Queue::new(8);
    let good = |seed: f32| asked(8, &(0..16).map(|at| at as f32 + seed).collect::<Vec<_>>());
    let (first, one) = waits(good(0.5));
    let mut answers = vec![one];
    // The second has too few columns.
    for ask in [asked(7, &[0.0; 7]), good(1.5), good(2.5)] {
        let (waiting, answer) = waits(ask);
        assert_eq!(queue.put(waiting), Ok(()));
        answers.push(answer);
    }
    assert_eq!(computer.work(first, &queue), 4);
    let found: Vec<_> = answers.iter_mut().map(|it| it.try_recv().expect("all are answered")).collect();
    assert_eq!(found[1], Err(ResultCode::UnsupportedFeature));
    for (found, seed) in [(&found[0], 0.5), (&found[2], 1.5), (&found[3], 2.5)] {
        let (single, mut answer) = waits(good(seed));
        assert_eq!(computer.work(single, &queue), 1);
        assert_eq!(found, &answer.try_recv().expect("it is answered"), "BATCH-1");
        assert_eq!(found.as_ref().expect("it is sound").outputs[0].tensor.shape(), [2, 1]);
    }
}

#[test]
fn batch_2_a_panic_of_one_costs_it_its_own_answer() {
    let (queue, computer) = (Queue::new(8), computer(HOME, 100));
    let (first, mut lost) = waits(Asked::Panic);
    let (second, mut found) = waits(asked(8, &[1.0; 8]));
    assert_eq!(queue.put(second), Ok(()));
    assert_eq!(computer.work(first, &queue), 2);
    assert!(lost.try_recv().is_err(), "its reply is dropped");
    assert!(found.try_recv().expect("it is answered").is_ok());
}

#[cfg(feature = "neural")]
#[test]
fn tn_14_a_network_that_panics_costs_one_attempt_and_the_next_one_is_answered() {
    let (queue, computer) = (Queue::new(8), computer(DIVIDES, 100));
    let asked = |by: [i64; 2]| {
        let input = |(name, values): (&str, [i64; 2])| Input {
            tensor: Tensor::from_i64(name, vec![1, 2], &values).expect("it fits"),
            parameters: vec![],
            extra: vec![],
        };
        let inputs = [("a", [6, 6]), ("b", by)].map(input).into();
        let count = Count { rows: 1, empty: false };
        let form = Form::Text;
        Asked::Rows(Arc::new(Infer { id: None, parameters: vec![], inputs, outputs: vec![], form, extra: vec![], count }))
    };
    let answer = |by| {
        let (waiting, mut answer) = waits(asked(by));
        computer.work(waiting, &queue);
        answer.try_recv().expect("it is answered")
    };
    assert_eq!(answer([3, 0]), Err(ResultCode::PathPanic));
    assert!(answer([3, 2]).is_ok());
}

#[test]
fn no_more_rows_are_put_together_than_the_batch_holds_and_none_that_could_meet() {
    let taken = |file: &[u8], batch: u64| {
        let (queue, computer) = (Queue::new(8), computer(file, batch));
        for _ in 0..4 {
            let (waiting, answer) = waits(asked(8, &[1.0; 16]));
            assert_eq!(queue.put(waiting), Ok(()));
            // Somebody waits as long as this is kept.
            std::mem::forget(answer);
        }
        let (first, _answer) = waits(asked(8, &[1.0; 16]));
        computer.work(first, &queue)
    };
    assert_eq!([1, 2, 3, 4, 7, 10, 100].map(|batch| taken(HOME, batch)), [1, 1, 1, 2, 3, 5, 5]);
    assert_eq!(taken(SHAPES, 100), 1, "its rows meet one another");
}
