//! Maps of tiers: what they compile to, and what is refused when the file is read.

use super::*;
use crate::{
    compile::{MapSource, MappedOutput, Pick},
    schema::contract::Datatype,
};

const RULES: &str = "inputs: {income: float}
rules: [{id: high, when: income >= 5.0, answer: {risk: 0.9, verdict: 1}}]
otherwise: {risk: 0.1, verdict: 0}
";

const LOAN: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
routes:
  loan:
    protocol: oip
    input: {tensor: x, columns: [income]}
    output:
      tensors:
        action: {datatype: BYTES}
        score: {datatype: FP32, min: 0, max: 1}
    tiers:
      - name: primary
        oip: {upstream: models, model: loan}
        map:
          action: {from: predict, labels: [approve, review]}
          score: {from: predict_proba, column: 1, datatype: FP32, shape: [-1]}
      - name: rules
        rules: {file: loan.rules}
        map:
          action: {from: verdict, labels: [approve, review]}
          score: {from: risk}
      - {name: default, fixed: {outputs: {score: 0.5}}, map: {action: {default: review}}}
"#;

fn folder(rules: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("loan.rules"), rules).expect("written");
    folder
}

/// Loads the route with a piece of its text replaced.
fn turned(from: &str, to: &str) -> Loaded {
    assert!(LOAN.contains(from), "{from} is not in the text");
    load_text("evenkeel.yaml", &LOAN.replacen(from, to, 1), folder(RULES).path())
}

/// Loads it by other rules.
fn ruled(from: &str, to: &str) -> Loaded {
    assert!(RULES.contains(from), "{from} is not in the rules");
    load_text("evenkeel.yaml", LOAN, folder(&RULES.replace(from, to)).path())
}

fn spec(loaded: &Loaded, path: usize) -> &crate::PathSpec {
    &loaded.deployment.as_ref().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics)).paths[path]
}

#[test]
fn a_map_compiles_to_what_is_done_to_each_output() {
    let loaded = turned("version: 1", "version: 1");
    assert_eq!(loaded.diagnostics, []);
    let named = |from: &str| Pick {
        from: from.into(),
        column: None,
        datatype: None,
        round: false,
        shape: None,
        labels: vec!["approve".into(), "review".into()],
    };
    let made = |name: &str, pick| MappedOutput { name: name.into(), source: MapSource::Picked(pick) };
    let (datatype, shape) = (Some(Datatype::Fp32), Some(vec![-1]));
    let score = Pick { column: Some(1), datatype, shape, labels: vec![], ..named("predict_proba") };
    assert_eq!(spec(&loaded, 0).map, [made("action", named("predict")), made("score", score)]);
    let Kind::Rules(rules) = &spec(&loaded, 1).kind else { panic!("not rules") };
    let outputs: Vec<_> = rules.outputs.iter().map(|it| (it.name.as_str(), it.datatype, it.max)).collect();
    let whole = i64::MAX as f64;
    let expected = [("risk", Datatype::Fp32, Some(1.0)), ("verdict", Datatype::Int64, Some(whole))];
    assert_eq!(outputs, expected, "what is taken as it is, is what the route says of it; the other is what it is");
    let MapSource::Default(action) = &spec(&loaded, 2).map[0].source else { panic!("no default") };
    assert_eq!((action.name.as_str(), action.datatype, &action.shape[..]), ("action", Datatype::Bytes, &[-1][..]));
}

#[test]
fn each_key_of_a_map_changes_what_is_compiled_and_its_name() {
    let plain = turned("version: 1", "version: 1");
    for (from, to) in [
        ("from: predict,", "from: predicted,"),
        ("[approve, review]", "[approve, look]"),
        ("[approve, review]}", "[approve, review], round: true}"),
        ("column: 1", "column: 0"),
        ("column: 1, datatype: FP32", "column: 1"),
        (", shape: [-1]", ""),
        ("shape: [-1]", "shape: [-1, 1]"),
        ("default: review", "default: approve"),
    ] {
        let other = turned(from, to);
        let maps = |loaded: &Loaded| (0..3).map(|path| spec(loaded, path).map.clone()).collect::<Vec<_>>();
        assert_ne!(maps(&other), maps(&plain), "{to} changes nothing");
        let name = |loaded: &Loaded| loaded.deployment.as_ref().map(|it| it.name());
        assert_ne!(name(&other), name(&plain), "{to}");
    }
    let score = "score: {from: predict_proba, column: 1, datatype: FP32, shape: [-1]}";
    let names = ["score: {column: 1}", "score: {from: score, column: 1, round: false}"]
        .map(|to| turned(score, to).deployment.map(|it| it.name()));
    assert_eq!(names[0], names[1], "DIG-1");
}

#[test]
fn what_a_map_can_be_known_to_get_wrong_is_refused_with_its_line_and_a_hint() {
    let score = "{from: predict_proba, column: 1, datatype: FP32, shape: [-1]}";
    let named = "{from: predict, labels: [approve, review]}";
    for (from, to, line, code, message) in [
        (
            "score: {from: predict_proba",
            "scores: {from: predict_proba",
            17,
            "unknown-output",
            "the contract has no output `scores`",
        ),
        ("column: 1", "column: -1", 17, "out-of-range", ""),
        (
            "datatype: FP32, shape",
            "datatype: FP64, shape",
            17,
            "breaks-contract",
            "FP64 is not FP32, the type of the contract",
        ),
        ("datatype: FP32, shape", "datatype: FP8, shape", 17, "unknown-word", ""),
        ("datatype: FP32, shape", "datatype: BF16, shape", 17, "wrong-type", "nothing is converted to half precision"),
        ("FP32, shape: [-1]", "FP32, round: true", 17, "misplaced-key", "nothing is rounded"),
        (score, "{from: p, round: true}", 17, "misplaced-key", "nothing is rounded"),
        ("shape: [-1]", "shape: [-1, 3]", 17, "breaks-contract", "the shape [-1, 3] is not [-1], that of the contract"),
        ("shape: [-1]", "shape: [7]", 17, "breaks-contract", "the shape [7] is not [-1]"),
        ("shape: [-1]", "shape: [-2]", 17, "bad-shape", "-2 is not a dimension"),
        (
            score,
            "{from: p, labels: [a]}",
            17,
            "breaks-contract",
            "labels are BYTES, and the output of the contract is FP32",
        ),
        (named, "{labels: [a], datatype: INT64}", 16, "wrong-type", "labels are BYTES, and no INT64"),
        (named, "{labels: []}", 16, "empty", "there is no label"),
        (named, "{}", 16, "empty", "nothing is said of the output"),
        (named, "{from: \"\"}", 16, "empty", "the output has no name"),
        (named, "{from: p, default: review}", 16, "misplaced-key", "a default is made of nothing"),
        (named, "{default: 7}", 16, "breaks-contract", "7 does not fit BYTES"),
        (score, "{default: 1.5}", 17, "breaks-contract", "1.5 is out of range: 0 to 1"),
        (
            score,
            "{default: {dtype: FP32, shape: [2], data: [0, 1]}}",
            17,
            "breaks-contract",
            "a whole tensor has as many rows",
        ),
        (
            "from: verdict",
            "from: verdikt",
            19,
            "breaks-contract",
            "`map` makes `action` of `verdikt`, which the tier does not answer",
        ),
        ("score: {from: risk}", "score: {from: nope}", 19, "breaks-contract", "`map` makes `score` of `nope`"),
        ("score: {from: risk}", "score: {default: 0.5}", 19, "breaks-contract", "the contract has no output `risk`"),
        (
            ", map: {action: {default: review}}",
            "",
            23,
            "breaks-contract",
            "the output `action` of the contract is missing",
        ),
        (
            "{score: 0.5}",
            "{score: 0.5, action: x}",
            23,
            "breaks-contract",
            "the tier answers `action`, and `map` makes that of",
        ),
        ("score: {from: risk}", "score: {from: verdict}", 19, "breaks-contract", "the contract has no output `risk`"),
        (
            "action: {datatype: BYTES}",
            "action: {datatype: BYTES, categories: [review, refuse]}",
            16,
            "breaks-contract",
            "\"approve\" is none of the categories",
        ),
        (
            "action: {datatype: BYTES}",
            "action: {datatype: BYTES, categories: [approve]}",
            16,
            "breaks-contract",
            "\"review\" is none of the categories",
        ),
        ("max: 1}", "max: 0.5}", 19, "breaks-contract", "rules answer `risk`: 0.9 is out of range: 0 to 0.5"),
    ] {
        let found = turned(from, to).diagnostics;
        let told = found.iter().find(|it| it.code == code && it.message.starts_with(message));
        let told = told.unwrap_or_else(|| panic!("{to}: {found:#?}"));
        assert!(told.line == line && !told.hint.is_empty(), "{to}: {told:?}");
    }
    let near = turned("from: verdict", "from: verdikt").diagnostics;
    assert_eq!(near[0].hint, "did you mean `verdict`?");
    assert_eq!(turned("{default: review}", "{default: review, labels: [x]}").diagnostics[0].code, "misplaced-key");
}

#[test]
fn f_163_what_becomes_of_a_sum_is_not_left_to_the_row() {
    assert_eq!(ruled("inputs", "mode: first\ninputs").diagnostics, []);
    let found = ruled("inputs", "mode: score\ninputs").diagnostics;
    let codes: Vec<_> = found.iter().map(|it| (it.code, it.message.as_str())).collect();
    let message = "`map` changes `verdict`, a sum of which only a row shows what it is";
    assert_eq!(codes, [("breaks-contract", message)], "the other output is taken as it is");
}

#[test]
fn a_map_needs_tensors_and_a_contract() {
    let contract = "    output:\n      tensors:\n        action: {datatype: BYTES}\n        score: {datatype: FP32, min: 0, max: 1}\n";
    let loaded = load_text("f", &LOAN.replace(contract, ""), folder(RULES).path());
    let codes: Vec<_> = loaded.diagnostics.iter().map(|it| (it.code, it.line)).collect();
    assert_eq!(
        codes,
        [("missing-output", 11), ("missing-output", 16), ("missing-output", 19)],
        "{:#?}",
        loaded.diagnostics
    );
    assert_eq!(codes_of_chat(), [("misplaced-key", 10)]);
}

fn codes_of_chat() -> Vec<(&'static str, usize)> {
    let found = load(&with("        map: {x: {from: y}}\n      - {name: d, fixed: {content: x}}\n")).diagnostics;
    found.iter().map(|it| (it.code, it.line)).collect()
}

#[test]
fn se_09_what_a_map_writes_bounds_the_rows_of_a_request() {
    let rows = |from: &str, to: &str| spec_rows(&turned(from, to));
    assert_eq!(rows("version: 1", "version: 1"), Some(65_536));
    // A word of 1,020 bytes and its length: 16 Ki rows fill 16 MiB.
    let long = "x".repeat(1_020);
    assert_eq!(
        rows("[approve, review]}\n          score: {from: p", &format!("[a, {long}]}}\n          score: {{from: p")),
        Some(16_384)
    );
    // Where the score stands beside it, a row has eight bytes more.
    assert_eq!(rows("default: review", &format!("default: {long}")), Some((16 << 20) / 1_032));
}

fn spec_rows(loaded: &Loaded) -> Option<u64> {
    loaded.deployment.as_ref().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics)).routes[0].max_batch
}
