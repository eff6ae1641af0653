//! Networks against the ONNX Runtime, within 1e-4: their sums are f32, and taken in another order.

use evenkeel_onnx::{Data, LoadError, Model, Tensor};

use crate::recorded::read;

const NAMES: [&str; 3] = ["network-attention", "network-image", "network-layers"];

fn floats(tensor: &Tensor) -> &[f32] {
    let Data::F32(it) = tensor.data() else { panic!("{:?}", tensor.kind()) };
    it
}

#[test]
fn networks_answer_as_the_runtime_answers_for_any_number_of_rows() {
    for name in NAMES {
        let (bytes, runs) = read("networks", name);
        let model = Model::load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!model.is_by_row(), "NEURAL-3");
        for run in &runs {
            let found = model.run(&run.inputs()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let again = model.run(&run.inputs()).expect("it ran before");
            assert_eq!(found, again, "NEURAL-3");
            let wanted = run.outputs();
            assert_eq!(found[0].0, wanted[0].0);
            assert_eq!(found[0].1.shape(), wanted[0].1.shape(), "{name}");
            for (found, wanted) in floats(&found[0].1).iter().zip(floats(&wanted[0].1)) {
                assert!((found - wanted).abs() <= 1e-4, "{name}: {found} for {wanted}");
            }
        }
    }
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
        (0..bytes.len()).step_by(97).for_each(|at| attempt(&bytes[..at]));
        for at in (0..bytes.len()).step_by(41) {
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
