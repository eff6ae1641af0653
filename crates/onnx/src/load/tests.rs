//! Files that contradict themselves, or that promise what they do not bring.

mod any;

use super::*;
use crate::{
    proto::{AttributeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto},
    tensor::Data,
};

/// A tree of a branch and two leaves: the least that every mistake below can be made in.
fn stump() -> ModelProto {
    let ints = |name: &str, ints: &[i64]| AttributeProto { name: name.into(), ints: ints.into(), ..Default::default() };
    let floats = |name: &str, it: &[f32]| AttributeProto { name: name.into(), floats: it.into(), ..Default::default() };
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF"].map(|it| it.as_bytes().to_vec());
    let attribute = vec![
        ints("nodes_treeids", &[0, 0, 0]),
        ints("nodes_nodeids", &[0, 1, 2]),
        ints("nodes_featureids", &[1, 0, 0]),
        ints("nodes_truenodeids", &[1, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0]),
        floats("nodes_values", &[0.5, 0.0, 0.0]),
        AttributeProto { name: "nodes_modes".into(), strings: modes.into(), ..Default::default() },
        ints("target_treeids", &[0, 0]),
        ints("target_nodeids", &[1, 2]),
        ints("target_ids", &[0, 0]),
        floats("target_weights", &[10.0, 20.0]),
        AttributeProto { name: "n_targets".into(), i: 1, ..Default::default() },
    ];
    let (input, output) = (vec!["x".into()], vec!["y".into()]);
    let (op_type, domain) = ("TreeEnsembleRegressor".into(), "ai.onnx.ml".into());
    let node = vec![NodeProto { input, output, name: "trees".into(), op_type, attribute, domain }];
    let graph = GraphProto { node, initializer: vec![], input: vec![table("x")], output: vec![table("y")] };
    let opset_import = vec![OperatorSetIdProto { domain: "ai.onnx.ml".into(), version: 3 }];
    ModelProto { graph: Some(graph), opset_import, functions: vec![] }
}

/// A place for rows of FP32.
fn table(name: &str) -> ValueInfoProto {
    let shape = Some(TensorShapeProto { dim: vec![Default::default(), Default::default()] });
    let tensor_type = Some(TensorTypeProto { elem_type: 1, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type, ..Default::default() }) }
}

fn constant(name: &str, dims: &[i64], float_data: &[f32]) -> TensorProto {
    let (name, dims, float_data) = (name.into(), dims.into(), float_data.into());
    TensorProto { name, dims, data_type: 1, float_data, ..Default::default() }
}

fn plain(op_type: &str, input: &[&str], output: &str) -> NodeProto {
    let input = input.iter().map(|it| (*it).into()).collect();
    NodeProto { input, output: vec![output.into()], op_type: op_type.into(), ..Default::default() }
}

fn graph(file: &mut ModelProto) -> &mut GraphProto {
    file.graph.as_mut().expect("a stump has one")
}

fn attribute<'a>(file: &'a mut ModelProto, name: &str) -> &'a mut AttributeProto {
    let all = &mut graph(file).node[0].attribute;
    all.iter_mut().find(|it| it.name == name).expect("a stump has it")
}

fn load(change: impl FnOnce(&mut ModelProto)) -> Result<Model, LoadError> {
    let mut file = stump();
    change(&mut file);
    Model::load(&file.encode_to_vec())
}

/// Changes a sound file, and expects words of what is wrong with it.
fn refused(words: &str, change: impl FnOnce(&mut ModelProto)) {
    let why = load(change).expect_err(words).to_string();
    assert!(why.contains(words), "{why:?} does not say {words:?}");
}

#[test]
fn a_sound_file_is_read_and_computes() {
    let rows = Tensor::new(vec![2, 2], Data::F32(vec![0.0, 0.5, 0.0, 0.6])).expect("it fits");
    let found = load(|_| ()).expect("it is sound").run(&[("x", rows)]).expect("it fits");
    assert_eq!(found[0].1.data(), &Data::F32(vec![10.0, 20.0]));
}

#[test]
fn onnx_1_tree_1_trees_that_lead_back_to_themselves_are_refused() {
    refused("does not begin with its root", |it| attribute(it, "nodes_truenodeids").ints[0] = 0);
    refused("leads to node 2 twice", |it| attribute(it, "nodes_truenodeids").ints[0] = 2);
    refused("does not begin with its root", |it| {
        // Two branches, each the child of the other.
        attribute(it, "nodes_modes").strings[1] = b"BRANCH_LEQ".to_vec();
        attribute(it, "nodes_truenodeids").ints = vec![1, 0, 0];
        attribute(it, "nodes_falsenodeids").ints = vec![2, 3, 0];
        for name in ["nodes_treeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"] {
            attribute(it, name).ints.push(0);
        }
        attribute(it, "nodes_nodeids").ints.push(3);
        attribute(it, "nodes_modes").strings.push(b"LEAF".to_vec());
        attribute(it, "nodes_values").floats.push(0.0);
    });
}

#[test]
fn onnx_1_a_graph_that_reads_before_it_writes_is_refused() {
    refused("which nothing has written before", |it| {
        graph(it).node = vec![plain("Add", &["x", "b"], "a"), plain("Identity", &["a"], "b")];
    });
    refused("is written twice", |it| graph(it).node.push(plain("Identity", &["x"], "y")));
    refused("nothing writes it", |it| graph(it).output = vec![table("z")]);
}

#[test]
fn onnx_1_indices_and_lengths_that_lie_are_refused() {
    refused("tree 0 has no node 7", |it| attribute(it, "nodes_truenodeids").ints[0] = 7);
    refused("tree 0 has node 1 twice", |it| attribute(it, "nodes_nodeids").ints[2] = 1);
    refused("`nodes_featureids` has -1, which is no index", |it| attribute(it, "nodes_featureids").ints[0] = -1);
    refused("`nodes_values` has 2 entries for 3 nodes", |it| attribute(it, "nodes_values").floats.truncate(2));
    refused("`nodes_treeids` has 0 entries", |it| attribute(it, "nodes_treeids").ints.clear());
    refused("which is no leaf", |it| attribute(it, "target_nodeids").ints[0] = 0);
    refused("`target_ids` has 1, the last is 0", |it| attribute(it, "target_ids").ints[0] = 1);
    refused("the weights of", |it| attribute(it, "target_weights").floats.truncate(1));
    refused("none of its words", |it| attribute(it, "nodes_modes").strings[0] = b"BRANCH".to_vec());
    refused("`n_targets` is below 1", |it| attribute(it, "n_targets").i = -1);
}

#[test]
fn onnx_1_a_size_that_no_data_stand_behind_is_refused() {
    refused("more than there are weights", |it| attribute(it, "n_targets").i = 1 << 40);
    refused("more than there are weights", |it| attribute(it, "n_targets").i = i64::MAX);
    refused("does not hold", |it| graph(it).initializer.push(constant("c", &[1 << 40], &[])));
    refused("does not hold", |it| graph(it).initializer.push(constant("c", &[0, 1 << 40, 1 << 40], &[])));
    refused("negative dimension", |it| graph(it).initializer.push(constant("c", &[-1], &[])));
    refused("17 dimensions", |it| graph(it).initializer.push(constant("c", &[1; 17], &[1.0])));
    refused("nodes, the most are", |it| {
        graph(it).node = (0..5_000).map(|at| plain("Identity", &["x"], &format!("{at}"))).collect();
    });
    refused("outputs, the most are", |it| graph(it).output = (0..5_000).map(|at| table(&format!("{at}"))).collect());
    refused("an output twice", |it| graph(it).output.push(table("y")));
}

#[test]
fn onnx_1_results_that_would_not_fit_are_refused_when_they_are_computed() {
    let run = |change: &dyn Fn(&mut GraphProto)| {
        let model = load(|it| change(graph(it))).expect("nothing is wrong before it runs");
        let rows = Tensor::new(vec![1, 2], Data::F32(vec![0.0; 2])).expect("it fits");
        model.run(&[("x", rows)]).expect_err("too large").to_string()
    };
    let long = vec![0.0; 1 << 14];
    let (column, row) = (constant("column", &[1 << 14, 1], &long), constant("row", &[1, 1 << 14], &long));
    let product = run(&|it| {
        it.initializer = vec![column.clone(), row.clone()];
        it.node.push(plain("Mul", &["column", "row"], "p"));
    });
    assert!(product.contains("too many elements"), "{product}");
    let copies = run(&|it| {
        it.initializer = vec![constant("c", &[1 << 20], &vec![0.0; 1 << 20])];
        it.node.extend((0..200).map(|at| plain("Identity", &["c"], &format!("{at}"))));
    });
    assert!(copies.contains("too large"), "{copies}");
    let endless = run(&|it| {
        it.initializer = vec![constant("c", &[1 << 60, 0], &[])];
        it.node[0].input = vec!["c".into()];
    });
    assert!(endless.contains("is no table"), "{endless}");
}

#[test]
fn what_is_not_offered_is_named_with_node_operator_and_version() {
    refused("\"Conv\" of \"\" (version 0) is not offered", |it| graph(it).node.push(plain("Conv", &["x"], "c")));
    refused("version 99", |it| it.opset_import[0].version = 99);
    refused("functions", |it| it.functions.push(crate::proto::Skipped {}));
    refused("before version 7", |it| {
        let mut add = plain("Add", &["x", "x"], "a");
        add.attribute = vec![AttributeProto { name: "broadcast".into(), i: 1, ..Default::default() }];
        graph(it).node.push(add);
    });
    assert!(matches!(Model::load(b"no model"), Err(LoadError::NotOnnx(_))));
    assert!(matches!(Model::load(b""), Err(LoadError::Unoffered(_))));
}
