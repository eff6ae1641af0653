//! Networks against the ONNX Runtime, within 1e-4: their sums are f32, and taken in another order.

use std::sync::OnceLock;

use evenkeel_onnx::{Data, LoadError, Model, RunError, Tensor};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::recorded::{cut, read};

/// Networks that compute each row for itself.
const NAMES: [&str; 5] = ["network-attention", "network-image", "network-layers", "network-operators", "network-wide"];
/// A network of whole numbers that divides by its second input.
const DIVIDES: &str = "network-divides";

/// Says whether the numbers are the same but for their last digits.
fn near(found: &Tensor, wanted: &Tensor) -> bool {
    let all = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0));
    found.shape() == wanted.shape()
        && match (found.data(), wanted.data()) {
            (Data::F32(a), Data::F32(b)) => all(a, b),
            (a, b) => a == b,
        }
}

#[test]
fn networks_answer_as_the_runtime_answers_for_any_number_of_rows() {
    for name in NAMES.into_iter().chain([DIVIDES]) {
        let (bytes, runs) = read("networks", name);
        let model = Model::load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        for run in &runs {
            let found = model.run(&run.inputs()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = model.run(&run.inputs()).expect("it ran before");
            assert_eq!(found, again, "NEURAL-3");
            let wanted = run.outputs();
            assert_eq!(found.len(), wanted.len(), "{name}");
            for ((output, found), (written, wanted)) in found.iter().zip(&wanted) {
                assert_eq!(output, written, "{name}");
                assert!(near(found, wanted), "{name}, output `{output}`:\n{found:?}\nthe runtime:\n{wanted:?}");
            }
        }
    }
}

/// A network, and inputs of it by name.
type Asked = (Model, Vec<(String, Tensor)>);

/// The networks, read once.
fn models() -> &'static [Asked] {
    static MODELS: OnceLock<Vec<Asked>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let model = |name| {
            let (bytes, runs) = read("networks", name);
            let inputs = runs[0].inputs().into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
            (Model::load(&bytes).expect("it is sound"), inputs)
        };
        NAMES.into_iter().map(model).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn alone_1_a_row_of_a_network_is_answered_alike_in_any_company_bit_for_bit(
        picks in vec((any::<Index>(), -1.5_f32..1.5), 2..24),
    ) {
        for (model, inputs) in models() {
            prop_assert!(model.is_by_row());
            let recorded = inputs[0].1.shape()[0];
            let picks: Vec<(usize, f32)> = picks.iter().map(|(row, by)| (row.index(recorded), *by)).collect();
            let run = |picks: &[(usize, f32)]| {
                let inputs: Vec<_> = inputs.iter().map(|(name, it)| (name.as_str(), picked(it, picks))).collect();
                model.run(&inputs).expect("it runs")
            };
            let whole = run(&picks);
            for at in 0..picks.len() {
                // By their text: a NaN is a NaN, and a zero below is not one above.
                let alone = format!("{:?}", run(&picks[at..=at]));
                let among: Vec<_> = whole.iter().map(|(name, it)| (name.clone(), cut(it, at))).collect();
                prop_assert_eq!(alone, format!("{among:?}"), "row {} of {}", at, picks.len());
            }
        }
    }
}

/// Some of the rows of an input, each multiplied by a number.
fn picked(tensor: &Tensor, picks: &[(usize, f32)]) -> Tensor {
    let (all, mut shape) = (floats(tensor), tensor.shape().to_vec());
    let width = all.len() / shape[0];
    let row = |(row, by): &(usize, f32)| all[row * width..][..width].iter().map(|it| it * by).collect::<Vec<_>>();
    let values: Vec<f32> = picks.iter().flat_map(row).collect();
    shape[0] = picks.len();
    Tensor::new(shape, Data::F32(values)).expect("so many rows of this width")
}

fn floats(tensor: &Tensor) -> &[f32] {
    let Data::F32(it) = tensor.data() else { panic!("{:?}", tensor.kind()) };
    it
}

#[test]
fn neural_1_a_network_that_is_cut_or_changed_is_refused_or_runs() {
    for name in NAMES {
        let (bytes, runs) = read("networks", name);
        let inputs = runs[0].inputs();
        let attempt = |bytes: &[u8]| {
            if let Ok(model) = Model::load(bytes) {
                let _ = model.run(&inputs);
            }
        };
        let (cuts, changes) = (bytes.len() / 9 + 1, bytes.len() / 28 + 1);
        (0..bytes.len()).step_by(cuts).for_each(|at| attempt(&bytes[..at]));
        for at in (0..bytes.len()).step_by(changes) {
            let mut changed = bytes.clone();
            changed[at] = changed[at].wrapping_add(1 + at as u8 % 250);
            attempt(&changed);
        }
    }
}

#[test]
fn neural_2_rows_without_end_are_refused_before_they_are_computed() {
    let (bytes, _) = read("networks", "network-image");
    let model = Model::load(&bytes).expect("it is sound");
    let rows = 1 << 17;
    let many = Tensor::new(vec![rows, 2, 8, 8], Data::F32(vec![0.0; rows * 128])).expect("it fits");
    let why = model.run(&[("image", many)]).map(|_| ()).expect_err("too large").to_string();
    assert!(why.contains("too large"), "{why}");
}

#[test]
fn tn_14_a_panic_of_the_library_is_told_as_one_and_the_next_run_is_answered() {
    let (bytes, runs) = read("networks", DIVIDES);
    let model = Model::load(&bytes).expect("it is sound");
    assert!(!model.is_by_row(), "the run that would show it did not end");
    let whole = |values: [i64; 2]| Tensor::new(vec![1, 2], Data::I64(values.into())).expect("it fits");
    let run = |by| model.run(&[("a", whole([6, 6])), ("b", whole(by))]);
    assert_eq!(run([2, 0]), Err(RunError::Panicked));
    assert_eq!(run([2, 3]).expect("it divides")[0].1.data(), &Data::F32(vec![3.0, 2.0]));
    assert!(model.run(&runs[0].inputs()).is_ok());
}

#[test]
fn what_is_not_offered_names_node_operator_and_version() {
    let (mut bytes, _) = read("networks", "network-image");
    let at = bytes.windows(7).position(|it| it == b"MaxPool").expect("it has one");
    // The field of the operator, not of a name: both are changed alike.
    while let Some(at) = bytes.windows(7).position(|it| it == b"MaxPool") {
        bytes[at..at + 7].copy_from_slice(b"NoSuchP");
    }
    assert!(at > 0);
    let found = Model::load(&bytes).expect_err("no such operator");
    let LoadError::Operator { operator, version, .. } = &found else { panic!("{found}") };
    assert_eq!((operator.as_str(), *version), ("NoSuchP", 17));
}
