//! Graphs made to break what computes them.

use prost::Message;

use super::*;
use crate::{
    model::Model,
    proto::{OperatorSetIdProto, TensorProto, ValueInfoProto},
};

/// An attribute of whole numbers. What is read here needs no type of it, tract does.
#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, optional, tag = "3")]
    number: Option<i64>,
    #[prost(int64, repeated, tag = "8")]
    numbers: Vec<i64>,
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "4")]
    operator: String,
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    constants: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(int64, tag = "1")]
    version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset: Vec<OperatorSetIdProto>,
}

fn numbers(name: &str, it: &[i64]) -> Attribute {
    Attribute { name: name.into(), number: None, numbers: it.into(), kind: 7 }
}

fn number(name: &str, it: i64) -> Attribute {
    Attribute { name: name.into(), number: Some(it), numbers: vec![], kind: 2 }
}

fn node(operator: &str, input: &[&str], output: &str, attributes: Vec<Attribute>) -> Node {
    let input = input.iter().map(|it| (*it).into()).collect();
    Node { input, output: vec![output.into()], operator: operator.into(), attributes }
}

/// A place for FP32; a dimension of 0 is open.
fn place(name: &str, shape: &[i64]) -> ValueInfoProto {
    use crate::proto::{DimensionProto, TensorShapeProto, TensorTypeProto, TypeProto};
    let dim = shape.iter().map(|it| DimensionProto { dim_value: Some(*it).filter(|it| *it > 0) }).collect();
    let tensor_type = Some(TensorTypeProto { elem_type: 1, shape: Some(TensorShapeProto { dim }) });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type, ..Default::default() }) }
}

/// A file whose last node writes `y`.
fn file(shape: &[i64], rank: usize, nodes: Vec<Node>) -> Vec<u8> {
    let (inputs, outputs) = (vec![place("x", shape)], vec![place("y", &vec![0; rank])]);
    let constants = vec![TensorProto {
        name: "c".into(),
        dims: vec![1 << 12],
        data_type: 1,
        raw_data: vec![0; 1 << 14],
        ..Default::default()
    }];
    let graph = Some(Graph { nodes, name: "g".into(), constants, inputs, outputs });
    File { version: 8, graph, opset: vec![OperatorSetIdProto { domain: String::new(), version: 17 }] }.encode_to_vec()
}

fn refused(words: &str, bytes: &[u8]) {
    let why = Model::load(bytes).expect_err(words).to_string();
    assert!(why.contains(words), "{why:?} does not say {words:?}");
}

/// A chain of `count` nodes of one operator, each over what the one before made.
fn chain(shape: &[i64], count: usize, first: Node, link: impl Fn(&str, &str) -> Node) -> Vec<u8> {
    let mut nodes = vec![first];
    for at in 0..count {
        let (from, to) = (format!("v{at}"), if at + 1 == count { "y".to_owned() } else { format!("v{}", at + 1) });
        nodes.push(link(&from, &to));
    }
    file(shape, shape.len(), nodes)
}

#[test]
fn neural_1_a_small_window_is_offered_and_a_large_one_is_not() {
    let pool = |window: i64, pads: i64| {
        let attributes = vec![numbers("kernel_shape", &[window]), numbers("pads", &[pads, pads])];
        file(&[0, 2, 8], 3, vec![node("MaxPool", &["x"], "y", attributes)])
    };
    let model = Model::load(&pool(2, 1)).expect("it is sound");
    let found = model.run(&[("x", Tensor::new(vec![1, 2, 8], Data::F32(vec![1.0; 16])).expect("it fits"))]);
    assert_eq!(found.expect("it runs")[0].1.shape(), [1, 2, 9]);
    refused("window", &pool(1 << 33, 1 << 32));
    refused("window", &pool(2, -1));
    let attributes = vec![numbers("kernel_shape", &[1 << 9, 1 << 9])];
    refused("window", &file(&[0, 1, 1 << 9, 1 << 9], 4, vec![node("MaxPool", &["x"], "y", attributes)]));
}

#[test]
fn neural_1_constants_make_nothing_larger_while_a_file_is_read() {
    let column = node("Unsqueeze", &["c", "one"], "column", vec![]);
    let mut one = node("Constant", &[], "one", vec![numbers("value_ints", &[1])]);
    let table = node("Add", &["column", "c"], "table", vec![]);
    let end = node("Elu", &["x"], "y", vec![]);
    refused("constants alone", &file(&[0, 4], 2, vec![one.clone(), column, table, end.clone()]));
    // What is read before it is written, or written twice, is another value to another reader.
    let early = node("Add", &["late", "c"], "table", vec![]);
    refused(
        "nothing has written",
        &file(&[0, 4], 2, vec![early, node("Identity", &["c"], "late", vec![]), end.clone()]),
    );
    refused("written before", &file(&[0, 4], 2, vec![end.clone(), node("Identity", &["c"], "y", vec![])]));
    one.attributes[0].numbers = (0..17).collect();
    refused("too many dimensions", &file(&[0, 4], 2, vec![one, node("Reshape", &["x", "one"], "y", vec![])]));
    refused("holds", &file(&[0, 4], 2, vec![node("Constant", &[], "one", vec![]), end]));
}

#[test]
fn neural_1_long_chains_end_no_process() {
    let halve = |from: &str, to: &str| {
        let (one, two) = (numbers("pads", &[1, 1]), numbers("strides", &[2]));
        node("MaxPool", &[from], to, vec![numbers("kernel_shape", &[2]), one, two])
    };
    let double = |axis: i64| move |from: &str, to: &str| node("Concat", &[from, from], to, vec![number("axis", axis)]);
    let turn = || node("Transpose", &["x"], "v0", vec![numbers("perm", &[1, 2, 0])]);
    let keep = || node("Elu", &["x"], "v0", vec![]);
    // Open rows where windows lie, or where they are put behind each other, would nest formulas without end.
    refused("must stay the rows", &chain(&[0, 2, 3], 4_000, turn(), halve));
    refused("must stay the rows", &chain(&[0, 2, 3], 64, keep(), double(0)));
    refused("too large", &chain(&[0, 2, 3], 40, keep(), double(2)));
    refused("too large", &chain(&[1, 2, 3], 40, keep(), double(0)));
    for (shape, count) in [([0, 2, 3], 200), ([1, 2, 3], 200)] {
        let long = Model::load(&chain(&shape, count, keep(), halve)).expect("windows over numbers");
        let rows = Tensor::new(vec![1, 2, 3], Data::F32(vec![1.0; 6])).expect("it fits");
        long.run(&[("x", rows)]).expect("it runs");
    }
}

#[test]
fn neural_2_sizes_that_no_number_holds_are_refused() {
    // 2^24 in each of three dimensions: 2^74 bytes, which is none in 64 bits.
    let wide = 1 << 24;
    let nodes = vec![
        node("Reshape", &["x", "a"], "one", vec![]),
        node("Reshape", &["x", "b"], "two", vec![]),
        node("Reshape", &["x", "d"], "three", vec![]),
        node("Greater", &["one", "zero"], "which", vec![]),
        node("Where", &["which", "two", "three"], "y", vec![]),
    ];
    let mut all = vec![];
    for (name, shape) in [("a", [wide, 1, 1]), ("b", [1, wide, 1]), ("d", [1, 1, wide]), ("zero", [0; 3])] {
        all.push(node("Constant", &[], name, vec![numbers("value_ints", &shape)]));
    }
    all.pop();
    let zero = Attribute { name: "value_float".into(), number: None, numbers: vec![], kind: 1 };
    all.push(node("Constant", &[], "zero", vec![zero]));
    all.extend(nodes);
    refused("too large", &file(&[wide], 3, all));
}

#[test]
fn neural_1_numbers_in_another_file_and_inputs_without_end_are_refused_with_words() {
    let elu = || vec![node("Elu", &["x"], "y", vec![])];
    let mut made = File::decode(&file(&[0, 4], 2, elu())[..]).expect("it is what was written");
    let graph = made.graph.as_mut().expect("it has one");
    let elsewhere =
        TensorProto { external_data: vec![crate::proto::Skipped {}], raw_data: vec![], ..graph.constants[0].clone() };
    graph.constants[0] = elsewhere;
    refused("another file", &made.encode_to_vec());
    for wide in [1 << 40, i64::MAX] {
        refused("too large", &file(&[0, wide], 2, elu()));
        refused("too large", &file(&[wide, wide], 2, elu()));
    }
    let whole = file(&[0, 4], 2, elu());
    assert!(Model::load(&whole).expect("it is sound").is_by_row());
    // Cut anywhere it is refused, or what is left of it is whole.
    for end in 0..whole.len() {
        assert!(
            Model::load(&whole[..end])
                .map_or_else(|why| !why.to_string().is_empty(), |left| !left.outputs().is_empty())
        );
    }
}

#[test]
fn alone_1_a_network_with_an_input_that_is_no_rows_is_not_said_to_compute_each_row_for_itself() {
    assert!(!Model::load(&file(&[1, 4], 2, vec![node("Elu", &["x"], "y", vec![])])).expect("it is sound").is_by_row());
    let both = |axis: i64| {
        let list = numbers("axes", &[axis]);
        file(&[0, 4], 2, vec![node("ReduceMean", &["x"], "y", vec![list])])
    };
    assert!(Model::load(&both(1)).expect("over a row").is_by_row());
    refused("must stay the rows", &both(0));
}
