//! The models of `tests/fixtures` against the ONNX Runtime, number by number: ONNX-2 and ONNX-3.
//!
//! Every model is run on all its edge rows at once, on one row, and on none.

use evenkeel_onnx::{Data, Tensor};

use crate::recorded::{cut, load, names};

const BRANCHES: &[&str] = &["tree-branches"];
const SUMS: &[&str] = &["tree-regressors", "tree-regressors-f64"];
const CLASSES: &[&str] = &["tree-two-classes", "tree-many-classes"];
const ENSEMBLES: &[&str] = &["ensembles", "ensembles-f64"];
const AROUND: &[&str] = &["kinds", "linear", "plain", "scale"];
const ELEMENTS: &[&str] = &["elements", "products", "shapes", "shapes-old"];
const CATEGORIES: &[&str] = &["beside", "categories", "imputers", "labels-old", "labels-second"];
const VECTORS: &[&str] = &["vectors"];
const MAPS: &[&str] = &["map-cast", "map-numbers", "map-texts"];
const LEARNED: &[&str] = &[
    "learned-boosting",
    "learned-boosting-two",
    "learned-columns",
    "learned-forest",
    "learned-linear",
    "learned-logistic",
    "learned-logistic-two",
    "learned-network",
    "learned-network-number",
    "learned-outliers",
    "learned-tree",
    "learned-vectors",
    "learned-vectors-number",
    "learned-vectors-votes",
];
/// Words in the name of a model, or of an output, that was not computed by additions and comparisons alone.
const NEAR: [&str; 18] = [
    "LOGISTIC",
    "SOFTMAX",
    "PROBIT",
    "linear",
    "logistic",
    "boosting",
    "Exp",
    "Log",
    "Pow",
    "Sigmoid",
    "Softmax",
    "products",
    "ReduceSum",
    "vectors",
    "columns",
    "network",
    "outliers",
    "Sqrt",
];

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
fn onnx_2_trees_of_the_newest_operator_agree_in_every_mode_with_members_aggregates_and_transforms() {
    ENSEMBLES.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_what_is_computed_element_by_element_moved_or_multiplied_agrees() {
    ELEMENTS.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_categories_labels_and_missing_values_agree_whether_they_were_listed_or_not() {
    CATEGORIES.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_support_vectors_agree_with_every_kernel_for_numbers_and_for_classes() {
    VECTORS.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_maps_become_the_same_rows() {
    MAPS.iter().for_each(|it| check(it));
}

#[test]
fn onnx_2_what_scikit_learn_exports_is_answered_as_the_runtime_answers_it() {
    LEARNED.iter().for_each(|it| check(it));
}

#[test]
fn every_recorded_model_is_checked() {
    let mut checked =
        [BRANCHES, SUMS, CLASSES, ENSEMBLES, AROUND, ELEMENTS, CATEGORIES, VECTORS, MAPS, LEARNED].concat();
    checked.sort_unstable();
    assert_eq!(names(), checked);
}

#[test]
fn extent_1_models_that_say_so_answer_each_row_alone_as_they_answer_it_among_others() {
    let mut by_row = Vec::new();
    for name in names() {
        let (model, runs) = load(&name);
        if !model.is_by_row() {
            continue;
        }
        let inputs = runs[0].inputs();
        let whole = model.run(&inputs).expect("it is recorded");
        for row in 0..inputs[0].1.shape()[0] {
            let one: Vec<_> = inputs.iter().map(|(name, it)| (*name, cut(it, row))).collect();
            let alone = model.run(&one).expect("one row is as good as many");
            let expected: Vec<_> = whole.iter().map(|(name, it)| (name.clone(), cut(it, row))).collect();
            assert_eq!(format!("{alone:?}"), format!("{expected:?}"), "{name}, row {row}");
        }
        by_row.push(name);
    }
    for name in ["learned-boosting", "learned-forest", "learned-logistic", "learned-vectors", "learned-vectors-votes"] {
        assert!(by_row.iter().any(|it| it == name), "{name} is known to be: {by_row:?}");
    }
    for name in ["shapes", "map-texts", "learned-network"] {
        assert!(!by_row.iter().any(|it| it == name), "{name} mixes its rows, or could");
    }
}

/// Runs a model on all that it was asked, and compares.
fn check(name: &str) {
    let (model, runs) = load(name);
    assert_eq!(runs.len(), 3, "{name}: all edge rows, one row, and none where the runtime takes none");
    let mut faults = String::new();
    for run in &runs {
        let answer = || model.run(&run.inputs()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (found, again) = (answer(), answer());
        assert_eq!(format!("{found:?}"), format!("{again:?}"), "{name}: ONNX-3");
        let wanted = run.outputs();
        assert_eq!(found.len(), wanted.len(), "{name}");
        for ((output, found), (written, wanted)) in found.iter().zip(&wanted) {
            let near = NEAR.iter().any(|it| name.contains(it) || output.contains(it));
            assert_eq!(output, written, "{name}");
            if !agree(found, wanted, near) {
                faults += &format!("{name}, output `{output}`:\n{found:?}\nthe runtime:\n{wanted:?}\n");
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
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
