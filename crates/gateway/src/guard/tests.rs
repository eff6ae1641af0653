//! Guards of routes that are read from a configuration, over references that are built here.

use std::sync::LazyLock;

use evenkeel_config::{Deployment, load_text};
use evenkeel_signals::{
    cells,
    reference::{Column, ColumnKind, Plan, Reference, Role, SourceRow},
    row::Value,
};

use super::{look::MOST_NAMED, told::Came, *};
use crate::{
    ask::Inference,
    protocol::front::Front,
    tensor::{Count, Form, Infer, Input, Tensor},
};

const ROUTE: &str = r#"version: 1
upstreams: {models: {protocol: oip, url: "http://127.0.0.1:1"}}
routes:
  fraud:
    protocol: oip
    input: {reference: fraud.ref}
    guards: {anomaly: {false_alarm_rate: 0.01}, norm: {max: 2}}
    tiers:
      - {name: first, oip: {upstream: models, model: m}}
      - {name: second, fixed: {outputs: {score: 0.5}}}
"#;

const CHAT: &str = r#"version: 1
upstreams: {models: {protocol: openai, url: "http://127.0.0.1:1/v1"}}
routes:
  help:
    protocol: openai-chat
    input: {reference: help.ref}
    guards: {anomaly: {false_alarm_rate: 0.01}}
    tiers:
      - {name: first, openai: {upstream: models, model: m}}
      - {name: second, fixed: {content: x}}
"#;

const COUNTRIES: [&str; 3] = ["de", "fr", "it"];
const VECTORS: [[f32; 2]; 2] = [[1.0, 0.5], [0.5, 1.0]];
const QUESTIONS: [&str; 4] =
    ["How do I close account", "Where is my parcel", "Can I pay invoice", "Who has my contract"];

/// Built once: that is most of what these tests take.
static FRAUD: LazyLock<Vec<u8>> = LazyLock::new(fraud);
static HELP: LazyLock<Vec<u8>> = LazyLock::new(help);

/// A question of which no two are the same.
fn question(row: u64) -> String {
    format!("{} {}?", QUESTIONS[row as usize % 4], 1_000 + row * 7_919 % 9_000)
}

fn built(schema: Vec<Column>, value: impl Fn(u64, usize) -> Value<'static>) -> Vec<u8> {
    let columns = schema.len();
    let plan = Plan::new("fraud", schema);
    let row = |number| SourceRow { number, at: None, values: (0..columns).map(|at| value(number, at)).collect() };
    Reference::build(&plan, [7; 32], &(0..2_000).map(row).collect::<Vec<_>>()).expect("sound").encode()
}

/// Spreads numbers from 0 to 1 by their row.
fn drawn(row: u64, salt: u64) -> f64 {
    let bits = (row + 1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left((salt * 13 % 64) as u32)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// An amount of up to 100, a constant, a country, and an embedding.
fn fraud() -> Vec<u8> {
    let column = |name: &str, kind| Column::new(name, kind, Role::Input);
    let schema = vec![
        Column { required: true, ..column("amount", ColumnKind::Number) },
        column("constant", ColumnKind::Number),
        column("country", ColumnKind::Category),
        column("vector", ColumnKind::Vector(2)),
        Column::new("right", ColumnKind::Number, Role::Label),
    ];
    built(schema, |row, at| match at {
        0 => Value::Number((drawn(row, 1) * 10_000.0).round() / 100.0),
        1 => Value::Number(0.1),
        2 => Value::Category(COUNTRIES[row as usize % 3]),
        3 => Value::Vector(&VECTORS[row as usize % 2]),
        _ => Value::Number(1.0),
    })
}

fn help() -> Vec<u8> {
    let schema = vec![Column::new("question", ColumnKind::Text, Role::Input)];
    built(schema, |row, _| Value::Text(question(row).leak()))
}

fn deployment(text: &str) -> Arc<Deployment> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("fraud.ref"), &*FRAUD).expect("written");
    std::fs::write(folder.path().join("help.ref"), &*HELP).expect("written");
    let loaded = load_text("t", text, folder.path());
    loaded.deployment.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

fn guard(text: &str) -> (Guard, Arc<Deployment>) {
    let deployment = deployment(text);
    (Guard::new(&deployment.routes[0], true, |_| None).expect("asked"), deployment)
}

fn asked(tensors: Vec<Tensor>) -> Question {
    let count = Count::of(tensors.iter().map(Tensor::shape).take(1));
    let input = |tensor| Input { tensor, parameters: Vec::new(), extra: Vec::new() };
    let infer = Infer {
        id: None,
        parameters: Vec::new(),
        inputs: tensors.into_iter().map(input).collect(),
        outputs: Vec::new(),
        form: Form::Text,
        extra: Vec::new(),
        count,
    };
    Question::Infer(Inference { infer, version: "1".into(), front: Front::Oip, enriched: None, turn: None })
}

/// A row as one of the reference.
fn usual() -> Vec<Tensor> {
    row(50.0, "de", [1.0, 0.5])
}

fn row(amount: f32, country: &str, vector: [f32; 2]) -> Vec<Tensor> {
    rows(&[amount], &[country], &[vector])
}

fn rows(amounts: &[f32], countries: &[&str], vectors: &[[f32; 2]]) -> Vec<Tensor> {
    let n = amounts.len() as u64;
    vec![
        Tensor::from_f32("amount", vec![n], amounts).expect("fits"),
        Tensor::from_f32("constant", vec![n], &vec![0.1; amounts.len()]).expect("fits"),
        Tensor::from_bytes("country", vec![n], countries).expect("fits"),
        Tensor::from_f32("vector", vec![n, 2], &vectors.concat()).expect("fits"),
    ]
}

async fn judged(guard: &Guard, question: &Question) -> Judged {
    guard.judge(question, b"", (0, None)).await
}

/// What guards said, by their keys: the value and the features that are in breach.
async fn said(guard: &Guard, deployment: &Deployment, question: &Question) -> Vec<evenkeel_api::Guard> {
    judged(guard, question).await.told.render(&deployment.revision, 0).1
}

/// The guards that are in breach, each with its features.
fn breaches(said: &[evenkeel_api::Guard]) -> Vec<(&str, Vec<&str>)> {
    let breached = said.iter().filter(|it| it.breached);
    breached.map(|it| (it.guard.as_str(), it.features.iter().map(String::as_str).collect())).collect()
}

#[tokio::test]
async fn a_row_of_the_reference_passes_all_guards_and_all_say_their_numbers() {
    let (guard, deployment) = guard(ROUTE);
    let said = said(&guard, &deployment, &asked(usual())).await;
    assert_eq!(breaches(&said), []);
    let numbers: Vec<_> =
        said.iter().map(|it| (it.guard.as_str(), it.value.as_deref(), it.threshold.as_str())).collect();
    let zero = Some("0");
    assert_eq!(
        numbers[..6],
        [
            ("contract", zero, "0"),
            ("missing", Some("0.0000"), "0.2000"),
            ("range", zero, "0"),
            ("unseen", zero, "0"),
            ("norm", zero, "0"),
            ("noise", zero, "0"),
        ]
    );
    let p: f64 = numbers[6].1.expect("scored").parse().expect("a number");
    assert!(numbers[6].0 == "anomaly" && numbers[6].2 == "0.010000" && p > 0.01, "{numbers:?}");
    let judged = judged(&guard, &asked(usual())).await;
    let against = judged.told.render(&deployment.revision, 0).0;
    assert!(against.reference.is_some_and(|it| it.starts_with("sha256:") && it.len() == 19));
    assert_eq!((against.rows, against.of, judged.rows.len()), (1, 1, 1));
    let scalar = |at| judged.rows[0].scalars.value(at);
    let (last, beyond) = (scalar(3 + 64 - 1), scalar(3 + 64));
    assert!(matches!(last, cells::Value::Number(_)) && beyond == cells::Value::Missing, "an embedding is 64 numbers");
}

#[tokio::test]
async fn guard_1_each_guard_names_the_features_in_breach_and_no_value() {
    let (guard, deployment) = guard(ROUTE);
    let said = async |tensors| said(&guard, &deployment, &asked(tensors)).await;
    let of = |name: &'static str, features: &[&'static str]| (name, features.to_vec());
    let strange = said(row(f32::NAN, "de", [1.0, 0.5])).await;
    assert_eq!(breaches(&strange), [of("contract", &["amount"])]);
    let anomaly = strange.iter().find(|it| it.guard == "anomaly").expect("on");
    assert_eq!(
        (anomaly.value.as_ref(), anomaly.breached),
        (None, false),
        "LOOK-3: what cannot be scored is not strange"
    );
    let gone = usual().split_off(1);
    let found = said(gone).await;
    assert!(breaches(&found).contains(&of("contract", &["amount"])), "{found:?}");
    assert!(breaches(&found).contains(&of("missing", &[])), "one of four: {found:?}");
    let found = said(row(1e6, "de", [1.0, 0.5])).await;
    assert!(breaches(&found).contains(&of("range", &["amount"])), "{found:?}");
    let far = found.iter().find(|it| it.guard == "anomaly").expect("on");
    assert!(far.breached && far.columns[0].column == "amount" && far.columns[0].permille > 900, "{far:?}");
    let nearest = far.nearest.as_deref().expect("a row").split('/').collect::<Vec<_>>();
    assert!(nearest[0] == "0707070707070707" && nearest[1].parse::<u64>().is_ok_and(|it| it < 2_000), "{nearest:?}");
    assert!(!format!("{found:?}").contains("1000000"), "GUARD-1: no value");
    let found = said(row(50.0, "xx", [1.0, 0.5])).await;
    assert!(breaches(&found).contains(&of("unseen", &["country"])), "{found:?}");
    let found = said(row(50.0, "de", [30.0, 0.5])).await;
    assert!(breaches(&found).contains(&of("norm", &["vector"])), "{found:?}");
}

#[tokio::test]
async fn an_embedding_may_be_too_short_as_well_as_too_long() {
    let breached = async |norm: &str, vector| {
        let (guard, deployment) = guard(&ROUTE.replace("norm: {max: 2}", norm));
        let said = said(&guard, &deployment, &asked(row(50.0, "de", vector))).await;
        said.into_iter().find(|it| it.guard == "norm").expect("on").breached
    };
    for (norm, expected) in [
        ("norm: {min: 1, max: 2}", [true, false, true]),
        ("norm: {max: 2}", [false, false, true]),
        ("norm: {min: 1}", [true, false, false]),
    ] {
        let found =
            [breached(norm, [0.3, 0.4]).await, breached(norm, [0.6, 0.9]).await, breached(norm, [3.0, 4.0]).await];
        assert_eq!(found, expected, "{norm}");
    }
}

#[tokio::test]
async fn the_age_of_the_oldest_feature_is_held_against_the_greatest_that_it_may_have() {
    let enriched = ROUTE
        .replace("upstreams: {", "upstreams: {feast: {protocol: feast, url: \"http://127.0.0.1:2\"}, ")
        .replace("input: {reference: fraud.ref}", "input: {tensor: x, columns: [a, b]}\n    enrich: {upstream: feast, entity: {id: {input: who}}, features: {a: {feature: \"v:a\", default: 0}}}")
        .replace("{anomaly: {false_alarm_rate: 0.01}, norm: {max: 2}}", "{staleness: {max_age: 1h}}");
    let (guard, _) = guard(&enriched);
    let x = asked(vec![Tensor::from_f32("x", vec![1, 2], &[1.0, 2.0]).expect("fits")]);
    for (age, came) in [(None, Came::Unmeasured), (Some(3_600_000), Came::Passed), (Some(3_600_001), Came::Breached)] {
        let told = guard.judge(&x, b"", (0, age)).await.told;
        assert_eq!(told.came().collect::<Vec<_>>(), [("staleness", came)], "{age:?}");
    }
}

#[tokio::test]
async fn look_2_of_several_rows_one_has_to_be_rarer_than_alone_and_many_are_rare_together() {
    let p = async |rows: &str, amounts: &[f32]| {
        let text = ROUTE.replace("rate: 0.01}", &format!("rate: 0.01, rows: {rows}}}"));
        let (guard, deployment) = guard(&text);
        let n = amounts.len();
        let tensors = super::tests::rows(amounts, &vec!["de"; n], &vec![[1.0, 0.5]; n]);
        let said = said(&guard, &deployment, &asked(tensors)).await;
        let anomaly = said.into_iter().find(|it| it.guard == "anomaly").expect("on");
        (anomaly.value.expect("scored").parse::<f64>().expect("a number"), anomaly.breached)
    };
    let (one, breached) = p("any", &[1e6]).await;
    assert!(breached && one < 0.002, "{one}");
    let mut many = vec![50.0; 100];
    many[42] = 1e6;
    let (hundred, breached) = p("any", &many).await;
    assert!((hundred / one - 100.0).abs() < 0.1 && !breached, "{hundred}");
    for rows in [15, 1_000] {
        assert_eq!(p("any", &vec![1e6; rows]).await, (one, true), "{rows} rows, all of them strange");
    }
    assert!(!p("all", &many).await.1 && p("all", &[1e6, 1e6]).await.1);
    assert!(!p("{fraction: 0.5}", &many).await.1 && p("{fraction: 0.01}", &many).await.1, "one of a hundred");
}

#[tokio::test]
async fn look_1_a_guard_that_is_off_leaves_nothing_behind_and_changes_no_other() {
    let strange = || asked(row(1e6, "xx", [30.0, 0.5]).split_off(0));
    let (all, deployment) = guard(ROUTE);
    let before = said(&all, &deployment, &strange()).await;
    for name in ["contract", "missing", "range", "unseen", "norm", "noise", "anomaly"] {
        let text = match name {
            "norm" => ROUTE.replace("norm: {max: 2}", "norm: off"),
            "anomaly" => ROUTE.replace("anomaly: {false_alarm_rate: 0.01}", "anomaly: off"),
            name => ROUTE.replace("{anomaly:", &format!("{{{name}: off, anomaly:")),
        };
        let (guard, deployment) = guard(&text);
        let after = said(&guard, &deployment, &strange()).await;
        let expected: Vec<_> = before.iter().filter(|it| it.guard != name).cloned().collect();
        assert_eq!(after, expected, "without {name}");
    }
}

#[tokio::test]
async fn what_a_client_gets_wrong_is_said_and_spoils_nothing() {
    let (guard, deployment) = guard(ROUTE);
    let usual_before = said(&guard, &deployment, &asked(usual())).await;
    let text = |name: &str, word: &str| Tensor::from_bytes(name, vec![1], &[word]).expect("fits");
    let swapped = |at: usize, tensor: Tensor| {
        let mut tensors = usual();
        tensors[at] = tensor;
        tensors
    };
    let large = "x".repeat(10 << 20);
    let mut more = usual();
    more.push(Tensor::from_f32("new", vec![1], &[1.0]).expect("fits"));
    for (tensors, contract, what) in [
        (row(f32::INFINITY, "de", [1.0, 0.5]), &["amount"][..], "an infinity"),
        (row(50.0, "de", [f32::NAN, 0.5]), &["vector"], "a hole in an embedding"),
        (row(50.0, "de", [0.0, 0.0]), &[], "an embedding without a direction"),
        (swapped(0, text("amount", "50")), &["amount"], "a text in place of a number"),
        (
            swapped(2, Tensor::from_bools("country", vec![1], &[true]).expect("fits")),
            &[],
            "a flag for a name: a new name",
        ),
        (
            swapped(
                2,
                Tensor::new("country".into(), crate::tensor::Datatype::Bytes, vec![1], b"\x01\0\0\0\xff"[..].into())
                    .expect("fits"),
            ),
            &["country"],
            "no UTF-8",
        ),
        (swapped(2, text("country", "")), &[], "an empty name"),
        (swapped(2, text("country", &large)), &[], "a name of 10 MiB"),
        (
            swapped(3, Tensor::from_f32("vector", vec![1, 3], &[1.0; 3]).expect("fits")),
            &["vector"],
            "a wider embedding",
        ),
        (
            swapped(0, Tensor::from_f32("amount", vec![2], &[1.0; 2]).expect("fits")),
            &["constant", "country", "vector"],
            "columns of other lengths",
        ),
        (more, &["new"], "a column that appears"),
        (usual().split_off(1), &["amount"], "a column that vanishes"),
    ] {
        let found = said(&guard, &deployment, &asked(tensors)).await;
        let of = found.iter().find(|it| it.guard == "contract").expect("on");
        assert_eq!(of.features, contract, "{what}: {of:?}");
        assert_eq!(of.value.as_deref(), Some(contract.len().to_string().as_str()), "{what}");
    }
    // A name by the million: none is kept, and none becomes known.
    let names: Vec<String> = (0..100_000).map(|it| format!("name {it}")).collect();
    let n = names.len();
    let many = rows(&vec![50.0; n], &names.iter().map(String::as_str).collect::<Vec<_>>(), &vec![[1.0, 0.5]; n]);
    let judged = judged(&guard, &asked(many)).await;
    // Three columns, and an embedding that becomes 64 numbers.
    let read = (rows::MOST_CELLS / 67) as u64;
    assert_eq!((judged.told.read, judged.told.of), (read, n as u64), "READ-1");
    let empty = Tensor::from_f32("amount", vec![0], &[]).expect("fits");
    let nothing = judged_of(&guard, &deployment, empty).await;
    assert_eq!(breaches(&nothing), [], "no row is in breach of nothing: {nothing:?}");
    assert_eq!(said(&guard, &deployment, &asked(usual())).await, usual_before, "nothing is poisoned");
}

async fn judged_of(guard: &Guard, deployment: &Deployment, tensor: Tensor) -> Vec<evenkeel_api::Guard> {
    said(guard, deployment, &asked(vec![tensor])).await
}

/// A chat with a message of its user, as JSON.
fn chat(content: &str) -> (Question, Vec<u8>) {
    let body = serde_json::json!({"model": "help", "messages": [{"role": "user", "content": content}]}).to_string();
    let peek = crate::protocol::openai::peek::peek_chat(body.as_bytes()).expect("a chat");
    (Question::Chat(peek), body.into_bytes())
}

#[tokio::test]
async fn of_a_chat_the_last_message_is_judged_and_any_text_is_bounded() {
    let (guard, deployment) = guard(CHAT);
    let said = async |content: &str| {
        let (question, body) = chat(content);
        guard.judge(&question, &body, (0, None)).await.told.render(&deployment.revision, 0).1
    };
    let usual = said(&question(5)).await;
    let on: Vec<_> = usual.iter().map(|it| it.guard.as_str()).collect();
    assert_eq!((on, breaches(&usual)), (vec!["contract", "missing", "noise", "anomaly"], vec![]), "{usual:?}");
    for strange in ["0101010111100001".repeat(40).as_str(), "", "\u{1}\u{2}\u{3}", &"é ".repeat(5 << 20)] {
        let found = said(strange).await;
        let anomaly = found.iter().find(|it| it.guard == "anomaly").expect("on");
        assert!(anomaly.breached && anomaly.columns[0].column.starts_with("question."), "{anomaly:?}");
    }
    let none = serde_json::json!({"model": "help", "messages": [{"role": "system", "content": "x"}]}).to_string();
    let peek = crate::protocol::openai::peek::peek_chat(none.as_bytes()).expect("a chat");
    let told = guard.judge(&Question::Chat(peek), none.as_bytes(), (0, None)).await.told;
    assert!(told.came().any(|it| it == ("missing", Came::Breached)), "nobody asked: {told:?}");
}

#[tokio::test]
async fn what_was_learnt_goes_on_where_the_reference_stays_and_an_anomaly_is_stale_while_the_route_drifts() {
    let text = ROUTE.replace("{anomaly:", "{fallback_risk: {at_least: 0.5}, anomaly:");
    let ((before, deployment), (mut after, _)) = (guard(&text), guard(&text));
    before.drift().store(2, Ordering::Relaxed);
    let found = said(&before, &deployment, &asked(row(1e6, "de", [1.0, 0.5]))).await;
    assert!(found.iter().all(|it| it.stale == (it.guard == "anomaly")), "{found:?}");
    after.inherit(&before);
    assert!(Arc::ptr_eq(before.risk.as_ref().expect("asked"), after.risk.as_ref().expect("asked")));
    assert_eq!(after.drifts(), 0, "whoever watches it may be another one");
    after.goes_on(&before);
    assert_eq!(after.drifts(), 2);
    let (mut other, _) = guard(&text.replace("fraud.ref", "help.ref"));
    other.inherit(&before);
    assert!(!Arc::ptr_eq(before.risk.as_ref().expect("asked"), other.risk.as_ref().expect("asked")));
}

#[tokio::test]
async fn tell_2_of_tensors_that_nobody_knows_a_few_are_named_in_part_and_all_are_counted() {
    let (guard, deployment) = guard(ROUTE);
    let mut tensors = row(5.0, "de", [1.0, 0.5]);
    for at in 0..100 {
        tensors.push(Tensor::from_f32(&format!("{at:03}{}", "é".repeat(10_000)), vec![1], &[1.0]).expect("fits"));
    }
    let found = said(&guard, &deployment, &asked(tensors)).await;
    let contract = found.iter().find(|it| it.guard == "contract").expect("on");
    assert_eq!((contract.value.as_deref(), contract.features.len(), contract.more), (Some("100"), MOST_NAMED, 84));
    assert!(contract.features.iter().all(|it| it.len() < 80 && it.ends_with('…')), "{contract:?}");
}
