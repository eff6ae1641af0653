//! Routes of the Open Inference Protocol: contracts, local paths, and what is proven when the file is read.

use evenkeel_core::{MILLISECOND, Method, Where};

use super::{keys::compiled, *};
use crate::schema::{contract::Datatype, value::Value};

const RULES: &str = "inputs: {income: float, rooms: int}
rules: [{id: high, when: income >= 5.0 && rooms > 3, answer: {score: 0.9}}]
otherwise: {score: 0.1}
";

const HOME: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
routes:
  home:
    protocol: oip
    input: {tensor: x, columns: [income, rooms], features: {rooms: {type: int, min: 0, max: 100}}}
    output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}
    tiers:
      - {name: primary, oip: {upstream: models, model: home}}
      - {name: local, onnx: {file: home.onnx}}
      - {name: rules, rules: {file: home.rules}}
      - {name: default, fixed: {outputs: {score: 0.5}}}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("home.onnx"), b"a model").expect("written");
    std::fs::write(folder.path().join("home.rules"), RULES).expect("written");
    folder
}

/// Loads the route with a piece of its text replaced.
fn turned(from: &str, to: &str) -> Loaded {
    assert!(HOME.contains(from), "{from} is not in the text");
    load_text("evenkeel.yaml", &HOME.replace(from, to), folder().path())
}

#[test]
fn a_route_over_tensors_compiles_to_what_each_path_needs() {
    let folder = folder();
    let loaded = load_text("evenkeel.yaml", HOME, folder.path());
    assert_eq!(loaded.diagnostics, []);
    let deployment = loaded.deployment.expect("compiles");
    let tiers = deployment.revision.routes[0].tiers.iter().map(|it| it.method).collect::<Vec<_>>();
    assert_eq!(tiers, [Method::Primary, Method::Distilled, Method::Rules, Method::Default]);
    let paths = &deployment.revision.paths;
    let places: Vec<_> = paths.iter().map(|it| it.place).collect();
    assert_eq!(places[1..], [Where::Local, Where::Local, Where::Certain]);
    assert_eq!(paths.iter().map(|it| it.need / MILLISECOND).collect::<Vec<_>>(), [500, 50, 20, 5], "F-027");
    let input = deployment.routes[0].input.as_ref().expect("declared");
    let columns: Vec<_> = input.features.iter().map(|it| (it.name.as_str(), it.kind, it.max)).collect();
    let expected = [("income", crate::FeatureKind::Float, None), ("rooms", crate::FeatureKind::Int, Some(100.0))];
    assert_eq!((input.tensor.as_deref(), columns.as_slice()), (Some("x"), expected.as_slice()));
    let Kind::Onnx(model) = &deployment.paths[1].kind else { panic!("{:?}", deployment.paths[1].kind) };
    assert_eq!((model.threads, model.file.clone()), (1, folder.path().join("home.onnx")));
    let Kind::Fixed(fixed) = &deployment.paths[3].kind else { panic!("not fixed") };
    let score = &fixed.outputs[0];
    assert_eq!((score.datatype, score.shape.as_slice()), (Datatype::Fp32, [-1].as_slice()));
    assert_eq!(score.data, [Value::Float(0.5)]);
}

#[test]
fn each_key_over_tensors_changes_what_is_compiled_and_its_name() {
    let folder = folder();
    let (plain, name) =
        (compiled(HOME, folder.path()), load_text("f", HOME, folder.path()).deployment.map(|it| it.name()));
    for (from, to) in [
        ("protocol: oip, url", "protocol: oip, dialect: mlserver, url"),
        ("model: home}", "model: home, version: \"3\"}"),
        ("file: home.onnx}", "file: home.onnx, threads: 2}"),
        ("tensor: x", "tensor: y"),
        ("[income, rooms]", "[rooms, income]"),
        ("features: {rooms", "features: {income: {type: int}, rooms"),
        ("min: 0, max: 100", "min: 1, max: 100"),
        ("min: 0, max: 100", "min: 0, max: 99"),
        ("datatype: FP32", "datatype: FP64"),
        ("FP32, min: 0", "FP32, shape: [-1, 1], min: 0"),
        ("FP32, min: 0", "FP32, min: -1"),
        ("max: 1}", "max: 2}"),
        ("max: 1}}}", "max: 1}}, non_finite: allow}"),
        ("score: 0.5", "score: 0.4"),
        ("    tiers:", "    max_batch: 8\n    tiers:"),
        ("    tiers:", "    versions: [\"7\"]\n    tiers:"),
        ("oip: {upstream", "datatypes: [FP32], oip: {upstream"),
    ] {
        let text = HOME.replace(from, to);
        assert_ne!(compiled(&text, folder.path()), plain, "{to} changes nothing");
        assert_ne!(load_text("f", &text, folder.path()).deployment.map(|it| it.name()), name, "{to}");
    }
    let named = |required: &str| {
        let features = format!("features: {{income: {{type: float{required}}}, rooms: {{type: int}}}}");
        compiled(
            &HOME.replace(
                &HOME[HOME.find("tensor: x").expect("there")..HOME.find("}}}\n").expect("there") + 2],
                &features,
            ),
            folder.path(),
        )
    };
    assert_ne!(named(", required: false"), named(""));
}

#[test]
fn tn_06_se_09_rows_are_bounded_where_nothing_is_said_and_own_answers_always() {
    let rows = |from: &str, to: &str| turned(from, to).deployment.expect("compiles").routes[0].max_batch;
    assert_eq!(rows("    tiers:", "    tiers:"), Some(65_536));
    assert_eq!(rows("    tiers:", "    max_batch: 1000000\n    tiers:"), Some(1_000_000));
    let name = |to: &str| turned("    tiers:", to).deployment.map(|it| it.name());
    assert_eq!(name("    max_batch: 65536\n    tiers:"), name("    tiers:"), "DIG-1");

    // One text a row: of 1,020 bytes and its length, 16 Ki rows fill 16 MiB.
    let text = |more: &str, input: &str| {
        let long = "x".repeat(1_020);
        let text = format!(
            "version: 1\nroutes:\n  r:\n    protocol: oip\n{input}{more}    tiers: [{{name: d, fixed: {{outputs: {{y: \
             {long}}}}}}}]\n"
        );
        let loaded = load(&text);
        let codes: Vec<_> = loaded.diagnostics.iter().map(|it| (it.code, it.line)).collect();
        (loaded.deployment.expect("compiles").routes[0].max_batch, codes)
    };
    let input = "    input: {tensor: x, columns: [a]}\n";
    assert_eq!(text("", input), (Some(16_384), vec![]));
    assert_eq!(text("", ""), (Some(16_384), vec![]), "whatever the input is");
    assert_eq!(text("    max_batch: 100\n", input), (Some(100), vec![]));
    assert_eq!(text("    max_batch: 16385\n", input), (Some(16_384), vec![("no-effect", 6)]));

    let folder = folder();
    let long = RULES.replace("score: 0.9", &format!("score: {}", "x".repeat(1_020))).replace("score: 0.1", "score: y");
    std::fs::write(folder.path().join("home.rules"), long).expect("written");
    let bytes = HOME.replace("datatype: FP32, min: 0, max: 1", "datatype: BYTES").replace("score: 0.5", "score: z");
    let loaded = load_text("f", &bytes, folder.path());
    assert_eq!(
        loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics)).routes[0].max_batch,
        Some(16_384)
    );
}

#[test]
fn dig_2_files_count_with_their_content() {
    let name = |folder: &tempfile::TempDir| load_text("f", HOME, folder.path()).deployment.expect("compiles").name();
    let (one, two) = (folder(), folder());
    assert_eq!(name(&one), name(&two), "wherever they are");
    std::fs::write(two.path().join("home.onnx"), b"another model").expect("written");
    assert_ne!(name(&one), name(&two));
    let before = name(&one);
    std::fs::write(one.path().join("home.rules"), RULES.replace("0.9", "0.8")).expect("written");
    assert_ne!(name(&one), before);
}

#[test]
fn f_163_answers_that_break_the_contract_are_refused_when_read() {
    for (from, to, message) in [
        ("score: 0.5", "score: 1.5", "1.5 is out of range: 0 to 1"),
        ("score: 0.5", "score: high", "\"high\" does not fit FP32"),
        ("score: 0.5", "score: .nan", "`.nan` is not a finite number"),
        ("score: 0.5", "score: 1e999", "`1e999` is not a finite number"),
        ("score: 0.5", "score: \".nan\"", "\".nan\" does not fit FP32"),
        ("score: 0.5", "scores: 0.5", "the output `score` of the contract is missing"),
        ("{score: 0.5}", "{}", "there is no output"),
        ("score: 0.5", "score: 0.5, extra: 1", "the contract has no output `extra`"),
        ("score: 0.5", "score: {dtype: FP32, shape: [1], data: [0.5]}", "a whole tensor has as many rows"),
        ("FP32, min: 0", "FP32, shape: [-1, 2], min: 0", "one value a row does not fill the shape [-1, 2]"),
        ("datatype: FP32, min: 0, max: 1", "datatype: INT8", "0.5 does not fit INT8"),
        ("datatype: FP32, min: 0, max: 1", "datatype: BYTES", "0.5 does not fit BYTES"),
        ("max: 1}", "max: 0.6}", "rules answer `score`: 0.9 is out of range: 0 to 0.6"),
        ("FP32, min: 0", "FP32, shape: [1], min: 0", "rules answer `score` once a row, and the shape [1] has no"),
        ("FP32, min: 0", "FP32, shape: [], min: 0", "rules answer `score` once a row, and the shape [] has no"),
    ] {
        let found = turned(from, to).diagnostics;
        assert!(found.iter().any(|it| it.message.starts_with(message)), "{to}: {found:#?}");
    }
}

#[test]
fn whole_tensors_are_held_against_their_shape_and_the_contract() {
    let with = |tensor: &str| {
        let text =
            HOME.replace("FP32, min: 0", "FP32, shape: [2], min: 0").replace("score: 0.5", &format!("score: {tensor}"));
        let text = text.lines().filter(|line| !line.contains("home.rules")).collect::<Vec<_>>().join("\n");
        let loaded = load_text("f", &text, folder().path());
        loaded.diagnostics.iter().map(|it| it.code).collect::<Vec<_>>()
    };
    assert_eq!(with("{dtype: FP32, shape: [2], data: [0.5, 1]}"), Vec::<&str>::new());
    for (tensor, code) in [
        ("{dtype: FP32, shape: [3], data: [0.5, 1]}", "breaks-contract"),
        ("{dtype: FP32, shape: [2], data: [0.5]}", "bad-shape"),
        ("{dtype: FP64, shape: [2], data: [0.5, 1]}", "breaks-contract"),
        ("{dtype: FP32, shape: [2], data: [0.5, 7]}", "breaks-contract"),
        ("{dtype: INT8, shape: [2], data: [0, 300]}", "breaks-contract"),
        ("{dtype: FP16, shape: [2], data: [0, 1]}", "breaks-contract"),
        ("{dtype: FP8, shape: [2], data: [0, 1]}", "unknown-word"),
        ("{shape: [2], data: [0, 1]}", "missing-key"),
        ("[0.5, 1]", "wrong-type"),
    ] {
        assert!(with(tensor).contains(&code), "{tensor}: {:?}", with(tensor));
    }
}

#[test]
fn contracts_that_contradict_themselves_are_refused() {
    for (from, to, code) in [
        ("tensor: x, ", "", "missing-key"),
        ("columns: [income, rooms], ", "", "missing-key"),
        ("[income, rooms]", "[income, rooms, income]", "duplicate-name"),
        ("{rooms: {type: int", "{room: {type: int", "unknown-column"),
        ("type: int, min: 0, max: 100", "type: category", "wrong-type"),
        ("type: int, min: 0, max: 100", "type: int, required: true", "misplaced-key"),
        ("type: int, min: 0, max: 100", "type: bool, min: 0", "misplaced-key"),
        ("min: 0, max: 100", "min: 100, max: 0", "order"),
        ("min: 0, max: 1}", "min: 1, max: 0}", "order"),
        ("FP32, min: 0", "FP32, shape: [2, -1], min: 0", "bad-shape"),
        ("FP32, min: 0", "FP32, shape: [-2], min: 0", "bad-shape"),
        ("datatype: FP32", "datatype: BOOL", "misplaced-key"),
        ("{score: {datatype: FP32, min: 0, max: 1}}", "{}", "empty"),
        (
            "input: {tensor: x, columns: [income, rooms], features: {rooms: {type: int, min: 0, max: 100}}}",
            "input: {}",
            "empty",
        ),
        ("fixed: {outputs: {score: 0.5}}", "fixed: {content: x}", "missing-key"),
        ("fixed: {outputs: {score: 0.5}}", "fixed: {outputs: {score: 0.5}, content: x}", "misplaced-key"),
        ("fixed: {outputs", "first_token: 1s, fixed: {outputs", "no-effect"),
        ("onnx: {file: home.onnx}", "retries: 2, onnx: {file: home.onnx}", "no-effect"),
        ("protocol: oip\n    input", "protocol: oip\n    on_policy: next\n    input", "no-effect"),
        ("oip: {upstream", "context: 2, oip: {upstream", "no-effect"),
        ("file: home.onnx", "file: \"\"", "missing-file"),
        ("model: home}", "model: home, version: latest}", ""),
    ] {
        let codes: Vec<_> = turned(from, to).diagnostics.iter().map(|it| it.code).collect();
        assert!(codes.contains(&code) || (code.is_empty() && codes.is_empty()), "{to}: {codes:?}");
    }
    for (dialect, version, fine) in
        [("triton", "3", true), ("triton", "v3", false), ("kserve", "3", false), ("mlserver", "v3", true)]
    {
        let text = HOME
            .replace("protocol: oip, url", &format!("protocol: oip, dialect: {dialect}, url"))
            .replace("model: home}", &format!("model: home, version: {version}}}"));
        let found = load_text("f", &text, folder().path()).diagnostics;
        assert_eq!(found.is_empty(), fine, "{dialect} {version}: {found:?}");
    }
    let chat = with("").replace("    tiers:", "    output: {tensors: {x: {datatype: BOOL}}}\n    tiers:");
    assert_eq!(codes(&chat)[0], ("misplaced-key", 7));
    assert_eq!(codes(&with("").replace("    tiers:", "    max_batch: 8\n    tiers:"))[0], ("misplaced-key", 7));
}

#[test]
fn oip_17_versions_are_digits_each_once_and_of_tensors_only() {
    let versions = |written: &str| {
        let loaded = turned("    tiers:", &format!("    versions: {written}\n    tiers:"));
        let codes: Vec<_> = loaded.diagnostics.iter().map(|it| it.code).collect();
        (loaded.deployment.map(|it| it.routes[0].versions.clone()), codes)
    };
    assert_eq!(versions("[\"7\", \"8\"]"), (Some(vec!["7".into(), "8".into()]), vec![]));
    assert_eq!(versions("[7]").0, Some(vec!["7".into()]), "a number says the same");
    for (wrong, code) in [
        ("[]", "wrong-length"),
        ("[\"\"]", "version"),
        ("[v7]", "version"),
        ("[\"7.1\"]", "version"),
        ("[\"7\", \"7\"]", "duplicate-name"),
    ] {
        let (none, codes) = versions(wrong);
        assert!(none.is_none() && codes.contains(&code), "{wrong}: {codes:?}");
    }
    let name = |to: &str| turned("    tiers:", to).deployment.map(|it| it.name());
    assert_eq!(name("    versions: [\"1\"]\n    tiers:"), name("    tiers:"), "DIG-1");
    assert_eq!(codes(&with("").replace("    tiers:", "    versions: [\"1\"]\n    tiers:"))[0], ("misplaced-key", 7));
}

#[test]
fn a_tier_says_no_method_that_its_path_is_not() {
    for (name, methods) in [
        ("primary", ["primary", "distilled"].as_slice()),
        ("local", &["primary", "distilled"]),
        ("rules", &["rules"]),
        ("default", &["default"]),
    ] {
        for method in ["primary", "distilled", "ensemble", "retrieval", "cache", "rules", "default"] {
            let found = turned(&format!("name: {name}, "), &format!("name: {name}, method: {method}, ")).diagnostics;
            let found: Vec<_> = found.iter().map(|it| (it.code, it.message.as_str(), it.hint.as_str())).collect();
            match methods.contains(&method) {
                true => assert_eq!(found, [], "{name} {method}"),
                false => assert!(matches!(found[..], [("method", ..)]), "{name} {method}: {found:?}"),
            }
        }
    }
    let found = turned("name: rules, ", "name: rules, method: cache, ").diagnostics;
    assert_eq!(
        found[0].message,
        "a tier of kind `rules` does not answer as `cache`, and clients are told how they are answered"
    );
    assert_eq!(found[0].hint, "write `rules`, or leave `method` out");
}

#[test]
fn rules_read_inputs_that_the_route_has() {
    for (from, to, code) in [
        (
            "input: {tensor: x, columns: [income, rooms], features: {rooms: {type: int, min: 0, max: 100}}}",
            "",
            "missing-input",
        ),
        ("columns: [income, rooms]", "columns: [wealth, rooms]", "unknown-input"),
        ("type: int, min: 0, max: 100", "type: float", "wrong-type"),
    ] {
        let loaded = turned(from, to);
        let codes: Vec<_> = loaded.diagnostics.iter().map(|it| it.code).collect();
        assert_eq!(codes, [code], "{to}: {:?}", loaded.diagnostics);
    }
}

/// A row for which the rule holds.
struct Rich;

impl crate::Row for Rich {
    fn value(&self, input: usize) -> Option<crate::Scalar<'_>> {
        Some(if input == 0 { crate::Scalar::Float(9.0) } else { crate::Scalar::Int(5) })
    }
}

#[test]
fn a_sum_stays_within_the_contract() {
    let folder = folder();
    let sums = RULES.replace("rules:", "mode: score\nrules:").replace("0.1}", "0.4}");
    std::fs::write(folder.path().join("home.rules"), sums).expect("written");
    let deployment = load_text("f", HOME, folder.path()).deployment.expect("compiles");
    let Kind::Rules(table) = &deployment.paths[2].kind else { panic!("not rules") };
    let answer = table.answer(&Rich);
    assert_eq!((answer.rule, &answer.values[0]), (Some("high"), &Value::Float(1.0)), "0.4 + 0.9 ends at 1");
    assert_eq!((table.outputs[0].name.as_str(), table.outputs[0].datatype), ("score", Datatype::Fp32));
}

/// The route without a contract of its outputs, by these rules.
fn without_contract(rules: &str) -> Loaded {
    let folder = folder();
    std::fs::write(folder.path().join("home.rules"), rules).expect("written");
    let text: String =
        HOME.lines().filter(|line| !line.contains("output: {tensors")).map(|it| format!("{it}\n")).collect();
    load_text("f", &text, folder.path())
}

fn rules_of(loaded: &Loaded) -> &crate::kind::Rules {
    let deployment = loaded.deployment.as_ref().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let Kind::Rules(rules) = &deployment.paths[2].kind else { panic!("not rules") };
    rules
}

#[test]
fn f_163_an_output_that_no_contract_declares_has_room_for_every_value_of_the_rules() {
    for (mode, answer, otherwise, datatype) in [
        ("first", "0.9", "0", Datatype::Fp64),
        ("first", "1", "0.5", Datatype::Fp64),
        ("score", "0.9", "0", Datatype::Fp64),
        ("score", "1", "0", Datatype::Int64),
        ("first", "1", "0", Datatype::Int64),
        ("first", "high", "low", Datatype::Bytes),
        ("first", "true", "false", Datatype::Bool),
    ] {
        let rules = RULES.replace("rules:", &format!("mode: {mode}\nrules:")).replace("0.9", answer);
        let loaded = without_contract(&rules.replace("0.1", otherwise));
        assert_eq!(rules_of(&loaded).outputs[0].datatype, datatype, "{mode} {answer} {otherwise}");
    }
    let found = without_contract(&RULES.replace("0.9", "9007199254740993")).diagnostics;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].message, "rules answer `score`: 9007199254740993 does not fit FP64");
}

#[test]
fn f_163_a_bound_counts_as_the_element_that_it_becomes() {
    // As an FP32, 0.1 is a little more than the 0.1 of the file.
    let contract = "output: {tensors: {score: {datatype: FP32, min: 0, max: 0.1}}}";
    let text = HOME.replace("output: {tensors: {score: {datatype: FP32, min: 0, max: 1}}}", contract);
    let (folder, rules) = (folder(), RULES.replace("0.9", "0.05"));
    std::fs::write(folder.path().join("home.rules"), rules).expect("written");
    let loaded = load_text("f", &text.replace("score: 0.5", "score: 0.1"), folder.path());
    let deployment = loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let output = &deployment.routes[0].output.as_ref().expect("declared").tensors[0];
    assert_eq!(output.max, Some(f64::from(0.1_f32)));
}

#[test]
fn f_163_a_sum_stays_within_its_datatype_whatever_the_contract_allows() {
    let sum = |contract: &str, each: &str| {
        let folder = folder();
        let rules = RULES.replace("rules:", "mode: score\nrules:").replace("0.9", each).replace("0.1", each);
        std::fs::write(folder.path().join("home.rules"), rules).expect("written");
        let text = HOME.replace("datatype: FP32, min: 0, max: 1", contract).replace("score: 0.5", "score: 1");
        let loaded = load_text("f", &text, folder.path());
        rules_of(&loaded).answer(&Rich).values[0].clone()
    };
    assert_eq!(sum("datatype: INT8, max: 1000", "100"), Value::Int(127));
    assert_eq!(sum("datatype: FP32", "3e38"), Value::Float(f64::from(f32::MAX)));
    assert_eq!(sum("datatype: FP64", "1.5e308"), Value::Float(f64::MAX));
}

#[test]
fn out_1_a_file_that_is_used_twice_is_read_once() {
    let folder = folder();
    std::fs::write(folder.path().join("home.rules"), RULES.replace("income >=", "incom >=")).expect("written");
    let text = HOME
        .replace("      - {name: default", "      - {name: again, rules: {file: home.rules}}\n      - {name: default");
    let found = load_text("f", &text, folder.path()).diagnostics;
    assert_eq!(found.iter().map(|it| it.code).collect::<Vec<_>>(), ["bad-expression"], "{found:?}");
}
