//! Any file: recorded models with bytes or fields changed are read or refused, and run or refused, and never more.

use std::{path::Path, sync::OnceLock};

use proptest::{collection::vec, prelude::*, sample::Index, test_runner::RngSeed};

use super::*;

/// What a process may have taken at most when all of this is over, in KiB: the models are below 64 KiB, a run may take
/// 512 MiB.
const MOST_KIB: u64 = 1 << 20;

/// The models of `tests/fixtures`.
fn models() -> &'static [Vec<u8>] {
    static MODELS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let files = std::fs::read_dir(folder).expect("it is committed").map(|it| it.expect("a file").path());
        let mut files: Vec<_> = files.filter(|it| it.extension().is_some_and(|it| it == "onnx")).collect();
        files.sort();
        files.iter().map(|it| std::fs::read(it).expect("it is committed")).collect()
    })
}

/// Reads a file, runs it if it can be run, and looks at what that took.
fn try_it(bytes: &[u8]) {
    if let Ok(model) = Model::load(bytes) {
        run(&model);
    }
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
        let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        assert!(peak.is_some_and(|it: u64| it < MOST_KIB), "ONNX-1: {peak:?} KiB");
    }
}

/// Runs a model on two rows of whatever it takes.
fn run(model: &Model) {
    let size = |it: &Option<u64>| it.map_or(2, |it| it as usize);
    let feed = |port: &Port| {
        let shape: Vec<usize> = port.shape.iter().map(size).collect();
        let count = crate::tensor::elements(&shape).filter(|it| *it < 1 << 16)?;
        let data = match port.kind {
            Kind::F32 => Data::F32(vec![f32::NAN; count]),
            Kind::F64 => Data::F64(vec![1e300; count]),
            Kind::I32 => Data::I32(vec![i32::MIN; count]),
            Kind::I64 => Data::I64(vec![i64::MAX; count]),
            Kind::Bool => Data::Bool(vec![true; count]),
            Kind::Text => Data::Text(vec!["ä".into(); count]),
        };
        Some(Tensor::new(shape, data).expect("as many"))
    };
    let tensors = model.inputs().iter().map(feed).collect::<Option<Vec<_>>>();
    if let Some(tensors) = tensors {
        let names = model.inputs().iter().map(|it| it.name.as_str());
        let _ = model.run(&names.zip(tensors).collect::<Vec<_>>());
    }
}

/// What is done to one attribute of one node.
#[derive(Clone, Debug)]
enum Change {
    Int(Index, i64),
    Number(i64),
    Float(Index, f32),
    Text(Index, String),
    Shorter(Index),
    Longer(Index),
    Renamed(Index),
    Operator(Index),
    Reads(Index),
    Shape(Index, i64),
    Tensor(Index, u8),
    Size(i64),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let number = || prop_oneof![-2_i64..8, Just(i64::MAX), Just(i64::MIN), Just(1 << 33), any::<i64>()];
    const WORDS: &[&str] =
        &["BRANCH_EQ", "LEAF", "PROBIT", "SOFTMAX_ZERO", "MIN", "AVERAGE", "L1", "RBF", "SPARSE", "", "?"];
    prop_oneof![
        (at(), number()).prop_map(|(at, to)| Change::Int(at, to)),
        number().prop_map(Change::Number),
        (at(), any::<f32>()).prop_map(|(at, to)| Change::Float(at, to)),
        (at(), proptest::sample::select(WORDS)).prop_map(|(at, to)| Change::Text(at, to.into())),
        at().prop_map(Change::Shorter),
        at().prop_map(Change::Longer),
        at().prop_map(Change::Renamed),
        at().prop_map(Change::Operator),
        at().prop_map(Change::Reads),
        (at(), number()).prop_map(|(at, to)| Change::Shape(at, to)),
        (at(), any::<u8>()).prop_map(|(at, to)| Change::Tensor(at, to)),
        number().prop_map(Change::Size),
    ]
}

/// Makes one change where the file has something to change.
fn apply(file: &mut ModelProto, node: &Index, attribute: &Index, change: &Change) {
    let Some(graph) = file.graph.as_mut().filter(|it| !it.node.is_empty()) else { return };
    let (nodes, others) = (graph.node.len(), graph.node.clone());
    let node = &mut graph.node[node.index(nodes)];
    match change {
        Change::Operator(other) => node.op_type = others[other.index(nodes)].op_type.clone(),
        Change::Reads(other) => node.input = others[other.index(nodes)].output.clone(),
        Change::Shape(at, to) => {
            let sizes: Vec<&mut i64> = graph.initializer.iter_mut().flat_map(|it| &mut it.dims).collect();
            let length = sizes.len();
            sizes.into_iter().nth(at.index(length.max(1))).into_iter().for_each(|it| *it = *to);
        }
        _ => in_attribute(&mut node.attribute, attribute, change),
    }
}

fn in_attribute(all: &mut [AttributeProto], attribute: &Index, change: &Change) {
    if all.is_empty() {
        return;
    }
    let names: Vec<String> = all.iter().map(|it| it.name.clone()).collect();
    let it = &mut all[attribute.index(names.len())];
    match change {
        Change::Int(at, to) if !it.ints.is_empty() => *at.get_mut(&mut it.ints) = *to,
        Change::Number(to) => it.i = *to,
        Change::Float(at, to) if !it.floats.is_empty() => *at.get_mut(&mut it.floats) = *to,
        Change::Text(at, to) if !it.strings.is_empty() => *at.get_mut(&mut it.strings) = to.clone().into_bytes(),
        Change::Text(_, to) => it.s = to.clone().into_bytes(),
        Change::Tensor(at, to) => {
            let bytes = it.t.as_mut().map(|it| &mut it.raw_data).filter(|it| !it.is_empty());
            bytes.into_iter().for_each(|it| *at.get_mut(it) = *to);
        }
        Change::Size(to) => it.t.iter_mut().flat_map(|it| &mut it.dims).for_each(|it| *it = *to),
        Change::Shorter(at) => {
            it.ints.truncate(at.index(it.ints.len() + 1));
            it.floats.truncate(at.index(it.floats.len() + 1));
            it.strings.truncate(at.index(it.strings.len() + 1));
        }
        Change::Longer(at) if !it.ints.is_empty() => it.ints.push(*at.get(&it.ints)),
        Change::Longer(at) if !it.floats.is_empty() => it.floats.push(*at.get(&it.floats)),
        Change::Renamed(at) => it.name.clone_from(at.get(&names)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn onnx_1_a_file_with_bytes_changed_or_cut_is_read_or_refused(
        model in any::<Index>(),
        flips in vec((any::<Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let mut bytes = model.get(models()).clone();
        flips.iter().for_each(|(at, to)| *at.get_mut(&mut bytes) = *to);
        bytes.truncate(cut.map_or(bytes.len(), |at| at.index(bytes.len())));
        try_it(&bytes);
    }

    #[test]
    fn onnx_1_a_file_made_of_two_is_read_or_refused(
        (one, other) in any::<(Index, Index)>(),
        (from, to, length) in any::<(Index, Index, Index)>(),
    ) {
        let (mut bytes, other) = (one.get(models()).clone(), other.get(models()));
        let (from, to) = (from.index(other.len()), to.index(bytes.len()));
        let piece = &other[from..from + length.index(other.len() - from)];
        bytes.splice(to..to, piece.iter().copied());
        try_it(&bytes);
    }

    #[test]
    fn onnx_1_a_file_with_fields_changed_is_read_or_refused(
        model in any::<Index>(),
        changes in vec((any::<Index>(), any::<Index>(), change()), 1..5),
    ) {
        let mut file = ModelProto::decode(&model.get(models())[..]).expect("it is sound");
        changes.iter().for_each(|(node, attribute, change)| apply(&mut file, node, attribute, change));
        try_it(&file.encode_to_vec());
    }

    #[test]
    fn onnx_1_a_file_of_noise_is_read_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        try_it(&bytes);
    }
}

#[test]
fn onnx_1_messages_of_two_bytes_do_not_take_gigabytes() {
    // Field number and wire type, then no bytes: an empty message, half a million times.
    for tag in [0x0a_u8, 0x2a, 0x5a, 0x62] {
        let empty = [tag, 0].repeat(1 << 19);
        let mut graph = vec![0x3a];
        prost::encoding::encode_varint(empty.len() as u64, &mut graph);
        graph.extend(&empty);
        try_it(&graph);
        assert!(Model::load(&graph).is_err());
        // Within one node: names of inputs, and attributes.
        let mut node = vec![0x0a];
        prost::encoding::encode_varint(empty.len() as u64, &mut node);
        node.extend(&empty);
        let mut graph = vec![0x3a];
        prost::encoding::encode_varint(node.len() as u64, &mut graph);
        graph.extend(&node);
        try_it(&graph);
    }
}
