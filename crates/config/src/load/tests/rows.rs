//! `accept` and `rows`: what each key does, and what is refused when the file is read (OIP-35).

use evenkeel_core::{Permille, RowRule};

use super::{keys::compiled, *};

const SCORE: &str = r#"version: 1
upstreams:
  models: {protocol: oip, url: "http://127.0.0.1:1"}
  feast: {protocol: feast, url: "http://127.0.0.1:2"}
routes:
  score:
    protocol: oip
    input: {tensor: x, columns: [a, b]}
    output: {tensors: {score: {datatype: FP32}, p: {datatype: FP32, shape: [-1, 2]}}}
    enrich:
      upstream: feast
      entity: {id: {input: id}}
      max_imputed: 0.5
      features: {b: {feature: "v:b", default: 0}}
    tiers:
      - {name: first, oip: {upstream: models, model: m}, accept: {confidence: "outputs.score", at_least: 0.7}}
      - {name: second, oip: {upstream: models, model: n}}
"#;

fn turned(from: &str, to: &str) -> String {
    assert!(SCORE.contains(from), "{from} is not in the text");
    SCORE.replace(from, to)
}

fn wrong(text: &str) -> Vec<Diagnostic> {
    let loaded = load(text);
    loaded.diagnostics.into_iter().filter(|it| it.code != "last-tier-can-fail").collect()
}

#[test]
fn oip_35_each_key_changes_what_is_compiled_and_its_name() {
    let here = Path::new(".");
    assert_eq!(wrong(SCORE), []);
    let (plain, name) = (compiled(SCORE, here), load(SCORE).deployment.map(|it| it.name()));
    for (from, to) in [
        ("at_least: 0.7", "at_least: 0.8"),
        ("\"outputs.score\"", "\"max(outputs.p)\""),
        ("at_least: 0.7", "at_least: 0.7, rows: all"),
        ("at_least: 0.7", "at_least: 0.7, rows: split"),
        ("at_least: 0.7", "at_least: 0.7, rows: {fraction: 0.2}"),
        (", accept: {confidence: \"outputs.score\", at_least: 0.7}", ""),
        ("max_imputed: 0.5", "max_imputed: 0.5\n      rows: all"),
        ("max_imputed: 0.5", "max_imputed: 0.5\n      rows: {fraction: 0.2}"),
        ("max_imputed: 0.5", "max_imputed: 0.5\n      rows: split"),
    ] {
        let text = turned(from, to);
        assert_eq!(wrong(&text), [], "{to}");
        assert_ne!(compiled(&text, here), plain, "{to} changes nothing");
        assert_ne!(load(&text).deployment.map(|it| it.name()), name, "{to}");
    }
    let any = turned("at_least: 0.7", "at_least: 0.7, rows: any");
    assert_eq!(compiled(&any, here), plain, "the default");
    let both =
        turned("at_least: 0.7", "at_least: 0.7, rows: {fraction: 0.25}").replace("0.5\n", "0.5\n      rows: split\n");
    let deployment = load(&both).deployment.expect("compiles");
    assert_eq!(deployment.revision.paths[0].accept, Some(RowRule::Share(Permille::new(250))));
    assert_eq!(deployment.revision.paths[1].accept, None);
    let imputed = deployment.revision.routes[0].imputed;
    assert!(imputed.split && imputed.sets_apart(0) && !imputed.sets_apart(1));
}

#[test]
fn oip_35_what_cannot_be_judged_or_put_together_is_refused_with_its_key() {
    let (input, output) = (
        "    input: {tensor: x, columns: [a, b]}\n",
        "    output: {tensors: {score: {datatype: FP32}, p: {datatype: FP32, shape: [-1, 2]}}}\n",
    );
    let (least, split) = ("at_least: 0.7", "at_least: 0.7, rows: split");
    let fixed = "oip: {upstream: models, model: n}";
    for (changes, code, key) in [
        (&[("outputs.score", "outputs.scor")][..], "bad-expression", "accept.confidence"),
        (&[("outputs.score", "outputs.score > 0.5")], "bad-expression", "accept.confidence"),
        (&[("outputs.score", "outputs.p")], "bad-expression", "accept.confidence"),
        (&[("\"outputs.score\"", "\"\"")], "bad-expression", "accept.confidence"),
        (&[(least, "at_least: .nan")], "wrong-type", "accept.at_least"),
        (&[(", at_least: 0.7", "")], "missing-key", "accept.at_least"),
        (&[(least, "at_least: 0.7, rows: some")], "unknown-word", "accept.rows"),
        (&[(least, "at_least: 0.7, rows: {fraction: 0}")], "out-of-range", "accept.rows.fraction"),
        (&[(least, "at_least: 0.7, rows: {fraction: 1.5}")], "out-of-range", "accept.rows.fraction"),
        (&[(least, "at_least: 0.7, rows: {part: 0.5}")], "unknown-key", "accept.rows.part"),
        (&[(output, "")], "missing-output", "accept"),
        (&[(input, ""), (least, "at_least: 0.7, rows: all")], "missing-input", "accept.rows"),
        (&[(input, ""), (least, "at_least: 0.7, rows: {fraction: 0.2}")], "missing-input", "accept.rows"),
        (&[(input, ""), (least, split)], "missing-input", "accept.rows"),
        (&[("shape: [-1, 2]", "shape: [2]"), (least, split)], "no-rows", "accept.rows"),
        (
            &[(fixed, "fixed: {outputs: {score: {dtype: FP32, shape: [1], data: [1]}, p: 1}}"), (least, split)],
            "no-rows",
            "tiers[1]",
        ),
        (&[("max_imputed: 0.5", "max_imputed: 0.5\n      rows: split"), (output, "")], "missing-output", "enrich.rows"),
        (&[("max_imputed: 0.5", "rows: all")], "no-effect", "enrich.rows"),
        (&[("oip: {upstream: models, model: m}", "fixed: {outputs: {score: 0.5}}")], "misplaced-key", "accept"),
        (&[("protocol: oip\n", "protocol: openai-chat\n")], "misplaced-key", "accept"),
    ] {
        let text = changes.iter().fold(SCORE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let found = load(&text).diagnostics;
        let fits = |it: &Diagnostic| it.code == code && it.key.ends_with(key);
        assert!(found.iter().any(fits), "{changes:?}: {code} at {key} in {found:#?}");
    }
    // A mistake in an expression is shown where it stands.
    let found = wrong(&turned("\"outputs.score\"", "\"1.0 - outputs.scor\""));
    let column = |text: &str| {
        SCORE.lines().find(|line| line.contains("accept")).and_then(|line| line.find(text)).expect("it is there")
    };
    assert_eq!(found[0].column, column("outputs.score") + 1 + "1.0 - ".len());
}

#[test]
fn oip_35_a_threshold_that_nothing_or_everything_passes_is_told() {
    let bounded = turned("score: {datatype: FP32}", "score: {datatype: FP32, min: 0, max: 1}");
    let found = |confidence: &str, at_least: &str| {
        let text =
            bounded.replace("\"outputs.score\", at_least: 0.7", &format!("\"{confidence}\", at_least: {at_least}"));
        wrong(&text).into_iter().map(|it| (it.code, it.severity)).collect::<Vec<_>>()
    };
    let (never, always) = (vec![("out-of-range", Severity::Error)], vec![("no-effect", Severity::Warning)]);
    let either = "max(outputs.score, 1.0 - outputs.score)";
    for (confidence, at_least, expected) in [
        ("outputs.score", "0.7", vec![]),
        ("outputs.score", "1", vec![]),
        ("outputs.score", "1.00000000001", vec![]),
        ("outputs.score", "1.01", never.clone()),
        ("outputs.score", "70", never.clone()),
        ("outputs.score", "0", always.clone()),
        ("outputs.score", "-1", always.clone()),
        (either, "0.7", vec![]),
        (either, "1.5", never.clone()),
        ("abs(outputs.score - 0.5) * 2.0", "0.9", vec![]),
        ("abs(outputs.score - 0.5)", "0.9", never.clone()),
        ("outputs.score > 0.5 ? outputs.score : 1.0 - outputs.score", "2", never),
        ("-outputs.score", "-1", always),
        ("outputs.score / 2.0", "9", vec![]),
        ("max(outputs.p)", "9", vec![]),
        ("outputs.score + outputs.p[0]", "9", vec![]),
    ] {
        assert_eq!(found(confidence, at_least), expected, "{confidence} >= {at_least}");
    }
    let text = bounded.replace("at_least: 0.7", "at_least: 70");
    let told = &wrong(&text)[0];
    assert!(told.key.ends_with("accept.at_least") && told.message.contains("at most 1"), "{told:?}");
}

#[test]
fn oip_35_rows_without_a_declared_input_move_all_at_once_only() {
    let text =
        SCORE.split("    enrich:").next().expect("the start").replace("    input: {tensor: x, columns: [a, b]}\n", "");
    let text = format!("{text}    tiers:{}", SCORE.split("    tiers:").nth(1).expect("the end"));
    let text = text.replace("  feast: {protocol: feast, url: \"http://127.0.0.1:2\"}\n", "");
    assert_eq!(wrong(&text), []);
}

#[test]
fn oip_35_a_path_that_stands_alone_is_asked_without_a_judge() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.onnx"), b"a model").expect("written");
    let text = turned("oip: {upstream: models, model: m}", "onnx: {file: m.onnx}");
    let whole = load_text("evenkeel.yaml", &text, folder.path()).deployment.expect("compiles");
    let alone = whole.only("score", "first").expect("it is computed here");
    assert_eq!((alone.revision.paths[0].accept, &alone.paths[0].accept), (None, &None));
}
