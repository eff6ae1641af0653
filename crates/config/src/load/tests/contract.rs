//! Contracts: tensors of any shape, texts that are accepted, and samples of requests.

use super::*;

/// A route of tensors; `INPUT` stands for what it takes.
const ROUTE: &str = r#"version: 1
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  look:
    protocol: oip
    input: INPUT
    output: {tensors: {label: {datatype: BYTES, categories: [cat, dog]}}}
    tiers:
      - {name: primary, oip: {upstream: models, model: look}}
      - {name: default, fixed: {outputs: {label: cat}}}
"#;

const TENSORS: &str = "{tensors: {image: {datatype: UINT8, shape: [-1, 8, 8, 3], max: 250}, tint: {datatype: BF16, shape: [-1, -1], \
                       required: false}}, features: {where: {type: category, categories: [out, in]}}}";

fn folder(sample: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("request.json"), sample).expect("written");
    folder
}

fn load_at(input: &str, folder: &tempfile::TempDir) -> Loaded {
    load_text("t", &ROUTE.replace("INPUT", input), folder.path())
}

fn deployment(input: &str, folder: &tempfile::TempDir) -> Arc<Deployment> {
    let loaded = load_at(input, folder);
    assert_eq!(loaded.diagnostics, [], "{:#?}", loaded.diagnostics);
    loaded.deployment.expect("it compiles")
}

#[test]
fn tensors_of_any_shape_are_declared_and_count_rows_where_their_first_dimension_is_open() {
    let folder = folder("");
    let compiled = deployment(TENSORS, &folder);
    let input = compiled.routes[0].input.as_ref().expect("there is one");
    let tensors: Vec<_> =
        input.tensors.iter().map(|it| (it.name.as_str(), it.datatype.name(), &it.shape[..])).collect();
    assert_eq!(tensors, [("image", "UINT8", &[-1, 8, 8, 3][..]), ("tint", "BF16", &[-1, -1])]);
    assert_eq!(
        (input.tensors[0].max, input.tensors[0].required, input.tensors[1].required),
        (Some(250.0), true, false)
    );
    assert_eq!(input.features[0].categories, ["in", "out"]);
    assert_eq!(compiled.routes[0].output.as_ref().expect("there is one").tensors[0].categories, ["cat", "dog"]);
    assert_eq!(compiled.routes[0].max_batch, Some(65_536));
    let whole = deployment("{tensors: {image: {datatype: UINT8, shape: [8, 8, 3]}}}", &folder);
    let own = deployment("{features: {a: {type: float}}}", &folder);
    assert!(whole.routes[0].max_batch > own.routes[0].max_batch, "no rows: only what answers made here fill bounds it");
}

#[test]
fn each_key_of_a_tensor_counts_and_the_order_of_words_does_not() {
    let folder = folder("");
    let name = |input: &str| deployment(input, &folder).name();
    let plain = "{tensors: {x: {datatype: BYTES, categories: [a, b]}}}";
    for (from, to) in [
        ("x:", "y:"),
        ("[a, b]", "[a, c]"),
        (", categories: [a, b]", ""),
        (", categories: [a, b]", ", required: false, categories: [a, b]"),
        (", categories: [a, b]", ", shape: [-1, 2], categories: [a, b]"),
        ("BYTES, categories: [a, b]", "INT8"),
        ("BYTES, categories: [a, b]", "INT8, min: 1"),
        ("BYTES, categories: [a, b]", "INT8, max: 1"),
    ] {
        assert_ne!(name(&plain.replace(from, to)), name(plain), "{to}");
    }
    assert_eq!(name(&plain.replace("[a, b]", "[b, a]")), name(plain), "COMP-2");
}

#[test]
fn a_sample_says_what_a_route_takes_and_means_the_same_as_what_it_says() {
    let sample = r#"{"id":"1","inputs":[{"name":"x","datatype":"FP32","shape":[3,2],"data":[1,2,3,4,5,6]}]}"#;
    let folder = folder(sample);
    let sampled = deployment("{sample: request.json}", &folder);
    let written = deployment("{tensors: {x: {datatype: FP32, shape: [-1, 2]}}}", &folder);
    assert_eq!(sampled.routes, written.routes);
    assert_eq!(sampled.name(), written.name(), "DIG-1");
    let mut sources = load_at("{sample: request.json}", &folder).sources;
    std::fs::write(folder.path().join("request.json"), sample.replace("[3,2]", "[2,3]")).expect("written");
    assert!(sources.look(), "it is watched");
    assert_ne!(deployment("{sample: request.json}", &folder).name(), written.name());
}

#[test]
fn a_contract_that_cannot_be_is_refused_with_its_place() {
    let folder = folder("[]");
    for (input, code, key) in [
        ("{}", "empty", "input"),
        ("{sample: nope.json}", "bad-sample", "input.sample"),
        ("{sample: request.json}", "bad-sample", "input.sample"),
        ("{sample: request.json, features: {a: {type: int}}}", "misplaced-key", "input.sample"),
        ("{tensor: x, columns: [a], tensors: {y: {datatype: INT8}}}", "misplaced-key", "input.tensors"),
        ("{features: {a: {type: int}}, tensors: {a: {datatype: INT8}}}", "duplicate-name", "input.tensors.a"),
        ("{tensors: {a: {datatype: INT8, shape: [-2]}}}", "bad-shape", "input.tensors.a.shape[0]"),
        ("{tensors: {a: {datatype: INT8, min: 2, max: 1}}}", "order", "input.tensors.a.max"),
        ("{tensors: {a: {datatype: BOOL, min: 0}}}", "misplaced-key", "input.tensors.a.min"),
        ("{tensors: {a: {datatype: INT8, categories: [a]}}}", "misplaced-key", "input.tensors.a.categories"),
        ("{tensors: {a: {datatype: BYTES, categories: []}}}", "empty", "input.tensors.a.categories"),
        ("{tensors: {a: {datatype: BYTES, categories: [a, b, a]}}}", "duplicate-name", "input.tensors.a.categories[2]"),
        ("{features: {a: {type: float, categories: [a]}}}", "misplaced-key", "input.features.a.categories"),
    ] {
        let found: Vec<_> = load_at(input, &folder).diagnostics.into_iter().map(|it| (it.code, it.key)).collect();
        assert_eq!(found, [(code, format!("routes.look.{key}"))], "{input}");
    }
    let cow = ROUTE.replace("INPUT", TENSORS).replace("label: cat", "label: cow");
    let found = load_text("t", &cow, folder.path()).diagnostics;
    assert!(found[0].code == "breaks-contract" && found[0].message.contains("none of the categories"), "{found:?}");
}

#[test]
fn oip_35_rows_are_told_apart_where_every_input_has_them() {
    let folder = folder(
        r#"{"inputs":[{"name":"x","datatype":"INT8","shape":[2],"data":[1,2]},{"name":"k","datatype":"INT8","shape":[],"data":[1]}]}"#,
    );
    let accepted = |input: &str, rows: &str| {
        let accept = format!("accept: {{confidence: \"outputs.p\", at_least: 0.5, rows: {rows}}}");
        let text = ROUTE.replace("INPUT", input).replace("model: look}}", &format!("model: look}}, {accept}}}"));
        let text =
            text.replace("{label: cat}", "{label: cat, p: 1.0}").replace("{label: {", "{p: {datatype: FP32}, label: {");
        let found = load_text("t", &text, folder.path()).diagnostics;
        found.into_iter().map(|it| (it.code, it.key)).collect::<Vec<_>>()
    };
    let key = "routes.look.tiers[0].accept.rows".to_owned();
    for rows in ["all", "{fraction: 0.5}", "split"] {
        assert_eq!(accepted("{tensors: {x: {datatype: INT8, shape: [-1, 2]}}}", rows), [], "{rows}");
        let one = "{tensors: {x: {datatype: INT8}, k: {datatype: INT8, shape: [3]}}}";
        assert_eq!(accepted(one, rows), [("no-rows", key.clone())], "{rows}");
        assert_eq!(accepted("{sample: request.json}", rows), [("no-rows", key.clone())], "{rows}");
    }
    assert_eq!(accepted("{sample: request.json}", "any"), []);
}
