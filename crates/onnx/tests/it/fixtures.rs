//! The models of `tests/fixtures` against the ONNX Runtime, number by number: ONNX-2 and ONNX-3.
//!
//! Every model is run on all its edge rows at once, on one row, and on none.

use evenkeel_onnx::{Data, Tensor};

use crate::recorded::{load, names};

const BRANCHES: &[&str] = &["tree-branches"];
const SUMS: &[&str] = &["tree-regressors", "tree-regressors-f64"];
const CLASSES: &[&str] = &["tree-two-classes", "tree-many-classes"];
const AROUND: &[&str] = &["kinds", "linear", "plain", "scale"];
const LEARNED: &[&str] = &[
    "learned-boosting",
    "learned-boosting-two",
    "learned-forest",
    "learned-linear",
    "learned-logistic",
    "learned-logistic-two",
    "learned-tree",
];
/// Words in the name of a model, or of an output, that was not computed by additions and comparisons alone.
const NEAR: [&str; 6] = ["LOGISTIC", "SOFTMAX", "PROBIT", "linear", "logistic", "boosting"];

#[test]
fn onnx_2_trees_branch_as_the_runtime_does_in_every_mode_at_thresholds_and_with_missing_values() {
    BRANCHES.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_trees_are_put_together_to_the_very_bits_with_every_aggregate_base_value_and_transform() {
    SUMS.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_classes_are_told_as_the_runtime_tells_them_whichever_of_them_have_weights_and_base_values() {
    CLASSES.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_linear_models_scalers_normalizers_and_what_stands_around_them_agree_for_all_kinds_of_numbers() {
    AROUND.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_what_scikit_learn_exports_is_answered_as_the_runtime_answers_it() {
    LEARNED.iter().for_each(|it| check(it));
}

#[test]
fn every_recorded_model_is_checked() {
    let mut checked = [BRANCHES, SUMS, CLASSES, AROUND, LEARNED].concat();
    checked.sort_unstable();
    assert_eq!(names(), checked);
}

/// Runs a model on all that it was asked, and compares.
fn check(name: &str) {
    let (model, runs) = load(name);
    assert_eq!(runs.len(), 3, "{name}: all edge rows, one row, no row");
    for run in &runs {
        let answer = || model.run(&run.inputs()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (found, again) = (answer(), answer());
        assert_eq!(format!("{found:?}"), format!("{again:?}"), "{name}: ONNX-3");
        let wanted = run.outputs();
        assert_eq!(found.len(), wanted.len(), "{name}");
        for ((output, found), (written, wanted)) in found.iter().zip(&wanted) {
            let near = NEAR.iter().any(|it| name.contains(it) || output.contains(it));
            assert_eq!(output, written, "{name}");
            assert!(agree(found, wanted, near), "{name}, output `{output}`:\n{found:?}\nthe runtime:\n{wanted:?}");
        }
    }
}

/// Says whether the numbers are the same: to the bit, or near.
fn agree(found: &Tensor, wanted: &Tensor, near: bool) -> bool {
    let same = |(a, b): (f64, f64)| {
        let bits = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        bits || (near && (a - b).abs() <= 1e-6 * b.abs().max(1.0))
    };
    let wide = |it: &[f32]| it.iter().copied().map(f64::from).collect::<Vec<_>>();
    let all = |a: &[f64], b: &[f64]| a.iter().copied().zip(b.iter().copied()).all(same);
    found.shape() == wanted.shape()
        && match (found.data(), wanted.data()) {
            (Data::F32(a), Data::F32(b)) => all(&wide(a), &wide(b)),
            (Data::F64(a), Data::F64(b)) => all(a, b),
            (a, b) => a == b,
        }
}
