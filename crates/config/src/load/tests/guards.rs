//! `input.reference`, `derive`, `text`, `guards`: what each key does, and what is refused when the file is read.

use evenkeel_signals::{
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value,
};

use super::{keys::compiled, *};
use crate::Asks;

const FRAUD: &str = r#"version: 1
upstreams:
  feast: {protocol: feast, url: "http://127.0.0.1:1"}
  models: {protocol: oip, url: "http://127.0.0.1:2"}
routes:
  fraud:
    protocol: oip
    input:
      tensor: x
      columns: [amount, age]
      reference: fraud.ref
      derive: {amount_log: "log1p(amount)"}
    guards: {anomaly: {false_alarm_rate: 0.01}}
    tiers:
      - {name: first, oip: {upstream: models, model: m}}
      - {name: second, oip: {upstream: models, model: n}}
      - {name: third, fixed: {outputs: {score: 0.5}}}
"#;

const CHAT: &str = r#"version: 1
upstreams:
  big: {protocol: openai, url: "http://127.0.0.1:1/v1"}
routes:
  help:
    protocol: openai-chat
    input: {reference: help.ref}
    tiers:
      - {name: first, openai: {upstream: big, model: m}}
      - {name: second, fixed: {content: x}}
"#;

/// A reference of so many rows.
pub(super) fn reference(schema: Vec<Column>, rows: u64, value: impl Fn(u64, usize) -> Value<'static>) -> Vec<u8> {
    let columns = schema.len();
    let plan = Plan::new("fraud", schema);
    let row = |number| SourceRow { number, at: None, values: (0..columns).map(|at| value(number, at)).collect() };
    Reference::build(&plan, [7; 32], &(0..rows).map(row).collect::<Vec<_>>()).expect("sound").encode()
}

fn number(name: &str) -> Column {
    Column::new(name, ColumnKind::Number, Role::Input)
}

/// Numbers of which no two columns are alike.
fn drawn(row: u64, column: usize) -> Value<'static> {
    Value::Number(((row * (7_919 + column as u64 * 104_729)) % 1_009) as f64)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).expect("written");
    let age = Column { unit: Some("s".into()), ..number("age") };
    let schema = vec![number("amount"), age, number("amount_log")];
    write("fraud.ref", reference(schema.clone(), 4_000, drawn));
    write("thin.ref", reference(schema.clone(), 1_200, drawn));
    write("few.ref", reference(schema.clone(), 900, drawn));
    write("other.ref", reference([schema.clone(), vec![number("extra")]].concat(), 4_000, drawn));
    let names = Column::new("age", ColumnKind::Text, Role::Input);
    write(
        "text.ref",
        reference(vec![number("amount"), names], 60, |row, at| match at {
            0 => drawn(row, 0),
            _ => Value::Text("x"),
        }),
    );
    let vector = Column::new("amount", ColumnKind::Vector(2), Role::Input);
    write("vector.ref", reference(vec![vector], 60, |_, _| Value::Vector(&[1.0, 2.0])));
    write("label.ref", reference(vec![Column::new("y", ColumnKind::Number, Role::Label)], 60, drawn));
    let question = Column::new("question", ColumnKind::Text, Role::Input);
    write(
        "help.ref",
        reference(vec![question], 1_500, |row, _| Value::Text(["How?", "Where is it?"][row as usize % 2])),
    );
    write("broken.ref", b"EKREF then nothing".to_vec());
    folder
}

fn turned(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the text");
    text.replacen(from, to, 1)
}

fn at(text: &str, folder: &tempfile::TempDir) -> Loaded {
    load_text("t", text, folder.path())
}

fn asks(loaded: &Loaded) -> Vec<(&'static str, u64, Option<u8>)> {
    let deployment = loaded.deployment.as_ref().unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let guarding = deployment.routes[0].guarding.as_ref().expect("asked");
    guarding.guards.iter().map(|it| (it.asks.name(), it.threshold, it.start_at)).collect()
}

#[test]
fn with_a_reference_all_guards_are_on_that_can_find_something_and_only_tell() {
    let folder = folder();
    let loaded = at(FRAUD, &folder);
    // The feature server is there for what is turned below.
    assert_eq!(loaded.diagnostics.iter().filter(|it| it.code != "unused").count(), 0, "{:#?}", loaded.diagnostics);
    let expected = [
        ("contract", 0, None),
        ("missing", 2_000, None),
        ("range", 0, None),
        ("noise", 0, None),
        ("anomaly", 10_000, None),
    ];
    assert_eq!(asks(&loaded), expected);
    let renamed = at(&turned(FRAUD, "  fraud:\n", "  fraud-eu:\n"), &folder);
    let foreign = renamed.diagnostics.iter().find(|it| it.code == "foreign-reference").expect("a warning");
    assert!(renamed.deployment.is_some() && foreign.message.contains("was made for route `fraud`, and `fraud-eu`"));
    let guarding = loaded.deployment.expect("compiles").routes[0].guarding.clone().expect("asked");
    let names: Vec<_> = guarding.columns.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["amount", "age", "amount_log"], "WATCH-1");
    let chat = at(CHAT, &folder);
    assert!(
        chat.diagnostics.iter().any(|it| it.code == "thin-reference" && it.key.ends_with("input.reference")),
        "a warning"
    );
    let on: Vec<_> = asks(&chat).into_iter().map(|it| it.0).collect();
    assert_eq!(on, ["contract", "missing", "noise"], "375 rows calibrate no rate of .001, so rows are not scored");
}

#[test]
fn each_key_changes_what_is_compiled_and_its_name() {
    let folder = folder();
    let plain = || (compiled(FRAUD, folder.path()), at(FRAUD, &folder).deployment.map(|it| it.name()));
    let guards = "guards: {anomaly: {false_alarm_rate: 0.01}}";
    for (from, to) in [
        ("false_alarm_rate: 0.01", "false_alarm_rate: 0.02"),
        ("false_alarm_rate: 0.01", "false_alarm_rate: 0.01, rows: all"),
        ("false_alarm_rate: 0.01", "false_alarm_rate: 0.01, then: {start_at: second}"),
        (guards, "guards: {anomaly: off}"),
        ("{anomaly:", "{contract: off, anomaly:"),
        ("{anomaly:", "{contract: {then: {start_at: second}}, anomaly:"),
        ("{anomaly:", "{missing: off, anomaly:"),
        ("{anomaly:", "{missing: {max_ratio: 0.3}, anomaly:"),
        ("{anomaly:", "{missing: {then: {start_at: third}}, anomaly:"),
        ("{anomaly:", "{range: off, anomaly:"),
        ("{anomaly:", "{range: {then: {start_at: second}}, anomaly:"),
        ("{anomaly:", "{noise: off, anomaly:"),
        ("{anomaly:", "{noise: {then: {start_at: second}}, anomaly:"),
        ("{anomaly:", "{fallback_risk: {at_least: 0.4}, anomaly:"),
        ("{anomaly:", "{fallback_risk: {at_least: 0.5, then: {start_at: second}}, anomaly:"),
        ("log1p(amount)", "log1p(amount) + 1.0"),
        ("reference: fraud.ref", "reference: thin.ref"),
        ("columns: [amount, age]", "columns: [amount, age]\n      features: {age: {type: int, missing: -1}}"),
        ("columns: [amount, age]", "columns: [amount, age]\n      features: {age: {type: float, missing: nan}}"),
        ("columns: [amount, age]", "columns: [amount, age]\n      features: {age: {type: float, unit: h}}"),
    ] {
        let text = turned(FRAUD, from, to);
        assert_ne!(compiled(&text, folder.path()), plain().0, "{to} changes nothing");
        assert_ne!(at(&text, &folder).deployment.map(|it| it.name()), plain().1, "{to}");
    }
    let composed = turned(CHAT, "{reference: help.ref}", "{reference: help.ref, text: {unicode: nfc}}");
    assert_ne!(compiled(&composed, folder.path()), compiled(CHAT, folder.path()));
    let spelled = turned(
        FRAUD,
        guards,
        "guards: {contract: {}, missing: {max_ratio: 0.2}, anomaly: {false_alarm_rate: 0.01, rows: any}}",
    );
    assert_eq!(
        at(&spelled, &folder).deployment.map(|it| it.name()),
        plain().1,
        "defaults that are written mean the same"
    );
    let enriched = turned(
        FRAUD,
        "    guards:",
        "    enrich: {upstream: feast, entity: {id: {input: who}}, features: {age: {feature: \"a:b\", default: 0}}}\n    guards:",
    );
    let stale = turned(&enriched, "{anomaly:", "{staleness: {max_age: 1h}, anomaly:");
    assert!(asks(&at(&stale, &folder)).contains(&("staleness", 3_600_000, None)));
    let embedded = turned(
        &turned(FRAUD, "reference: fraud.ref", "reference: vector.ref"),
        "tensor: x\n      columns: [amount, age]",
        "tensors: {amount: {datatype: FP32, shape: [-1, 2]}}",
    );
    let embedded = turned(
        &turned(&embedded, "\n      derive: {amount_log: \"log1p(amount)\"}", ""),
        "{anomaly: {false_alarm_rate: 0.01}}",
        "{norm: {max: 2.5}}",
    );
    let norm = at(&embedded, &folder).deployment.expect("compiles").routes[0].guarding.clone().expect("asked");
    assert!(norm.guards.iter().any(|it| it.asks == Asks::Norm(Some([0.0, 2.5]))), "{norm:?}");
}

#[test]
fn what_cannot_be_judged_is_refused_with_its_key() {
    let folder = folder();
    let wrong = |text: &str| {
        let loaded = at(text, &folder);
        let mut found: Vec<_> = loaded.diagnostics.iter().map(|it| (it.code, it.key.clone(), it.to_string())).collect();
        found.retain(|it| it.0 != "unused");
        found
    };
    for (from, to, code, key, words) in [
        ("fraud.ref", "not-there.ref", "bad-reference", "input.reference", "cannot be read"),
        ("fraud.ref", "broken.ref", "bad-reference", "input.reference", "broken.ref` is no reference"),
        ("fraud.ref", "label.ref", "wrong-reference", "input.reference", "no column that a model is given"),
        ("fraud.ref", "other.ref", "unknown-column", "input.reference", "a column `extra`, and no request has it"),
        ("fraud.ref", "thin.ref", "thin-reference", "anomaly.false_alarm_rate", "calibrating rows are expected beyond"),
        ("fraud.ref", "few.ref", "thin-reference", "anomaly.false_alarm_rate", "has 900 rows"),
        (
            "rate: 0.01",
            "rate: 0.0001",
            "thin-reference",
            "anomaly.false_alarm_rate",
            "10000 calibrating rows are needed",
        ),
        ("rate: 0.01", "rate: 0.7", "out-of-range", "anomaly.false_alarm_rate", ""),
        ("rate: 0.01", "rate: 0.01, rows: split", "misplaced-key", "anomaly.rows", "rows do not start by themselves"),
        ("rate: 0.01", "rate: 0.01, then: {start_at: first}", "order", "then.start_at", "is the first tier"),
        (
            "rate: 0.01",
            "rate: 0.01, then: {start_at: secnd}",
            "unknown-tier",
            "then.start_at",
            "did you mean `second`?",
        ),
        ("{anomaly:", "{staleness: {max_age: 1h}, anomaly:", "missing-key", "guards.staleness", "is not enriched"),
        ("{anomaly:", "{unseen: {}, anomaly:", "no-effect", "guards.unseen", "no categories"),
        ("{anomaly:", "{norm: {}, anomaly:", "no-effect", "guards.norm", "no embeddings"),
        ("{anomaly:", "{norm: {min: 2, max: 1}, anomaly:", "order", "norm.max", "no length is within"),
        ("{anomaly:", "{range: on, anomaly:", "unknown-word", "guards.range", "`on` is not possible"),
        ("log1p(amount)", "log1p(amont)", "bad-expression", "derive.amount_log", "did you mean `amount`?"),
        (
            "log1p(amount)",
            "amount > 1.0",
            "wrong-type",
            "derive.amount_log",
            "true or false here, and a number in the reference",
        ),
        ("log1p(amount)", "1.0", "bad-expression", "derive.amount_log", "names no feature"),
        (
            "{amount_log:",
            "{age: \"amount\", amount_log:",
            "duplicate-name",
            "derive.age",
            "is a feature of the request",
        ),
        (
            "{amount_log:",
            "{other: \"amount\", amount_log:",
            "no-effect",
            "derive.other",
            "the reference has no input `other`",
        ),
        ("[amount, age]", "[amount, age, more]", "not-watched", "input.reference", "does not know `more`"),
        ("[amount, age]", "[amount]", "unknown-column", "input.reference", "a column `age`"),
        ("[amount, age]", "[amount, age]\n      text: {}", "misplaced-key", "input.text", "has no messages"),
        (
            "[amount, age]",
            "[amount, age]\n      features: {age: {type: int, missing: none}}",
            "wrong-type",
            "age.missing",
            "whole number",
        ),
        (
            "[amount, age]",
            "[amount, age]\n      features: {age: {type: float, unit: km}}",
            "wrong-unit",
            "features.age",
            "nobody can convert",
        ),
        (
            "[amount, age]",
            "[amount, age]\n      features: {amount: {type: float, unit: furlongs}}",
            "unknown-unit",
            "amount.unit",
            "`furlongs` is no unit",
        ),
        ("      reference: fraud.ref\n", "", "missing-reference", "guards.anomaly", "there is none"),
    ] {
        let found = wrong(&turned(FRAUD, from, to));
        let fits = |it: &(&str, String, String)| it.0 == code && it.1.ends_with(key) && it.2.contains(words);
        assert!(found.iter().any(fits), "{to}: {found:#?}");
    }
    let alone = turned(
        &turned(FRAUD, "      reference: fraud.ref\n", ""),
        "{anomaly: {false_alarm_rate: 0.01}}",
        "{missing: {}}",
    );
    assert!(
        wrong(&alone).iter().any(|it| it.0 == "no-effect" && it.1.ends_with("input.derive")),
        "{:#?}",
        wrong(&alone)
    );
    for (from, to, code, key) in [
        ("{reference: help.ref}", "{reference: fraud.ref}", "unknown-column", "input.reference"),
        ("{reference: help.ref}", "{reference: help.ref, columns: [a], tensor: x}", "misplaced-key", "input.columns"),
        ("{reference: help.ref}", "{}", "empty", "help.input"),
        ("openai-chat", "openai-embeddings", "misplaced-key", "help.input"),
    ] {
        let found = wrong(&turned(CHAT, from, to));
        assert!(found.iter().any(|it| it.0 == code && it.1.ends_with(key)), "{to}: {found:#?}");
    }
}

#[test]
fn a_reference_that_is_saved_anew_is_another_configuration() {
    let folder = folder();
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, FRAUD).expect("written");
    let mut before = load_file(&file);
    assert!(before.deployment.is_some() && !before.sources.look(), "{:#?}", before.diagnostics);
    std::fs::copy(folder.path().join("thin.ref"), folder.path().join("fraud.ref")).expect("copied");
    assert!(before.sources.look(), "it is watched like a model");
    let after = load_file(&file);
    assert_ne!(after.deployment.expect("thin is a warning").name(), before.deployment.expect("compiles").name());
    std::fs::write(folder.path().join("fraud.ref"), b"EKREF").expect("written");
    assert!(load_file(&file).deployment.is_none(), "what is broken is never applied");
}

#[test]
fn only_1_a_tier_that_stands_alone_needs_no_reference() {
    let folder = folder();
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, turned(FRAUD, "fraud.ref", "not-there.ref")).expect("written");
    let alone = load_alone(&file, &Alone { route: "fraud".into(), tier: "third".into() });
    let deployment = alone.deployment.unwrap_or_else(|| panic!("{:#?}", alone.diagnostics));
    assert!(deployment.routes[0].guarding.is_none());
    let learning = load_to_learn(&file, &Alone { route: "fraud".into(), tier: "second".into() });
    assert!(learning.deployment.is_some_and(|it| it.routes[0].guarding.is_none()), "{:#?}", learning.diagnostics);
}

#[test]
fn without_a_reference_what_is_missing_is_counted_of_what_is_declared() {
    let text = turned(FRAUD, "      reference: fraud.ref\n      derive: {amount_log: \"log1p(amount)\"}\n", "");
    let text =
        turned(&text, "{anomaly: {false_alarm_rate: 0.01}}", "{missing: {max_ratio: 0.4, then: {start_at: third}}}");
    let loaded = load(&text);
    assert_eq!(asks(&loaded), [("missing", 4_000, Some(2))], "{:#?}", loaded.diagnostics);
}

mod distance;
