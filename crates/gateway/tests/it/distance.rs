//! The distance of what a text means from what the texts of the reference mean, from both sides: what a far one does, what an encoder that is
//! dead, slow or talks nonsense costs, and that it is asked once. The mock puts texts beside one another by the words that they share.

use std::path::Path;

use evenkeel_mock::{Mock, Options};
use evenkeel_signals::{
    reference::{Column, ColumnKind, Meaning, Plan, Reference, Role, SourceRow},
    row::Value as Held,
};
use serde_json::{Value, json};

use crate::client::{Got, Kit, chats, post, until_told};

const ROUTE: &str = r#"
routes:
  help:
    protocol: openai-chat
    deadline: 5s
    input: {reference: help.ref, text: {embeddings: {upstream: small, model: embed, timeout: 2s}}}
    guards: {GUARDS}
    tiers:
      - {name: primary, openai: {upstream: big, model: large}, retries: 0}
      - {name: second, fixed: {content: "A person will look at it."}}
"#;

const MOVES: &str = "distance: {false_alarm_rate: 0.01, then: {start_at: second}}";
const TELLS: &str = "distance: {false_alarm_rate: 0.01}";
const OFF: &str = "distance: off";

const WORDS: [&str; 8] = ["invoice", "refund", "card", "payment", "order", "parcel", "address", "delivery"];
const USUAL: &str = "help me with my customer account question about invoice";
const FAR: &str = "dragon castle wizard sword potion tower";

/// A question as they are usual: all of them are among those that others are compared with.
fn question(row: u64) -> String {
    format!("help me with my customer account question about {}", WORDS[row as usize % WORDS.len()])
}

/// Writes a reference of 2,000 texts with what they mean, as the mock says.
async fn reference(folder: &Path) {
    let mock = Mock::start(Options { seed: 1, ..Options::default() }).await.expect("a mock");
    let texts: Vec<String> = (0..2_000).map(question).collect();
    let body = json!({"model": "embed", "input": texts}).to_string();
    let got = post(mock.address(), "/v1/embeddings", body).await.json();
    let vector = |it: &Value| -> Vec<f32> {
        let numbers = it["embedding"].as_array().expect("a list").iter();
        numbers.map(|it| it.as_f64().expect("a number") as f32).collect()
    };
    let vectors: Vec<Vec<f32>> = got["data"].as_array().expect("a list").iter().map(vector).collect();
    let meaning = Meaning { of: "question".into(), model: "embed".into() };
    let schema = vec![
        Column::new("question", ColumnKind::Text, Role::Input),
        Column::meaning("vector", vectors[0].len() as u32, meaning),
    ];
    let row = |(number, (text, vector)): (u64, (&'static str, &'static [f32]))| SourceRow {
        number,
        at: None,
        values: vec![Held::Text(text), Held::Vector(vector)],
    };
    let texts = texts.into_iter().map(|it| &*it.leak()).zip(vectors.into_iter().map(|it| &*it.leak()));
    let rows: Vec<_> = (0..).zip(texts).map(row).collect();
    let reference = Reference::build(&Plan::new("help", schema), [7; 32], &rows).expect("sound");
    std::fs::write(folder.join("help.ref"), reference.encode()).expect("written");
}

/// A gateway whose route has these guards.
async fn kit(folder: &Path, guards: &str) -> Kit {
    reference(folder).await;
    Kit::of(&chats(&ROUTE.replace("GUARDS", guards)), folder, Default::default()).await
}

fn apply(kit: &Kit, folder: &Path, (from, to): (&str, &str), guards: &str) {
    let config = chats(&ROUTE.replace("GUARDS", guards).replace(from, to));
    kit.gateway.apply(kit.compile(&config, folder)).expect("it can be applied");
}

async fn ask_as(kit: &Kit, question: &str, headers: &[(&str, &str)]) -> Got {
    let body = json!({"model": "help", "messages": [{"role": "user", "content": question}]});
    let got = kit.post("/v1/chat/completions", body.to_string(), headers).await;
    assert_eq!(got.status, 200, "{got:?}");
    got
}

async fn asked(kit: &Kit, question: &str) -> Value {
    kit.record(&ask_as(kit, question, &[]).await).await
}

/// What the record says of the guard; null where nobody asked.
fn distance(record: &Value) -> Value {
    let guards = record["guards"].as_array().expect("a list");
    guards.iter().find(|it| it["guard"] == "distance").cloned().unwrap_or_default()
}

/// What the core compared.
fn compared(record: &Value) -> Vec<Value> {
    let inputs = record["inputs"].as_array().expect("a list").iter();
    inputs.filter(|it| it["signal"] == "distance_p").cloned().collect()
}

/// How often asking has ended so.
fn ended(kit: &Kit, how: &str) -> f64 {
    let series = format!(r#"evenkeel_guard_embedder_total{{route="help",result="{how}"}}"#);
    kit.metric(&series).unwrap_or_default()
}

fn checks(kit: &Kit, result: &str) -> f64 {
    let series = format!(r#"evenkeel_guard_checks_total{{route="help",guard="distance",result="{result}"}}"#);
    kit.metric(&series).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_far_meaning_starts_below_and_the_record_says_how_far_and_beside_what() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    let usual = asked(&kit, USUAL).await;
    let told = distance(&usual);
    assert_eq!(
        (&usual["outcome"]["tier"], &told["breached"], &told["embedder"]),
        (&json!(0), &json!(false), &json!("ok"))
    );
    assert_eq!(told["threshold"], "0.010000", "{usual}");

    let far = asked(&kit, FAR).await;
    let told = distance(&far);
    assert_eq!((&far["outcome"]["tier"], &far["reason"]), (&json!(1), &json!("OUT_OF_DISTRIBUTION")), "{far}");
    assert_eq!(
        (&told["breached"], &told["start_at"], &told["embedder"]),
        (&json!(true), &json!("second"), &json!("ok"))
    );
    // As far as nothing that calibrates: 1 in 501.
    assert_eq!((&told["value"], told["nearest"].is_string()), (&json!("0.001997"), true), "{far}");
    let compared = compared(&far);
    assert_eq!((&compared[0]["value"], &compared[0]["threshold"]), (&json!("1997"), &json!("10000")), "{far}");
    assert_eq!((compared[0]["breached"].clone(), far["attempts"].as_array().map(Vec::len)), (json!(true), Some(0)));
    assert!(!far.to_string().contains("dragon"), "no value of an input: {far}");
    assert_eq!((checks(&kit, "passed"), checks(&kit, "breached"), ended(&kit, "ok")), (1.0, 1.0, 2.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_8_the_distance_that_is_off_takes_its_inputs_and_reasons_with_it_and_asks_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    let all = asked(&kit, FAR).await;
    assert_eq!((compared(&all).len(), distance(&all)["breached"].clone()), (1, json!(true)), "{all}");
    let before = kit.small.log().len();

    apply(&kit, folder.path(), ("", ""), OFF);
    let off = asked(&kit, FAR).await;
    assert_eq!((compared(&off), distance(&off)), (Vec::new(), Value::Null), "{off}");
    assert_eq!((&off["outcome"]["tier"], &off["reason"]), (&json!(0), &json!("PRIMARY_HEALTHY")), "{off}");
    assert_eq!(kit.small.log().len(), before, "nobody asks what it means");
    let others = |record: &Value| {
        let guards = record["guards"].as_array().expect("a list").iter().filter(|it| it["guard"] != "distance");
        guards.cloned().collect::<Vec<_>>()
    };
    assert_eq!(others(&off), others(&all), "and nothing else changes");

    // It only tells: nothing is compared, and nothing moves.
    apply(&kit, folder.path(), ("", ""), TELLS);
    kit.break_primary("{fault: latency, ms: 400}");
    // Where the encoder is later than the primary, it was not heard.
    let told = until_told(async || asked(&kit, FAR).await, |it| distance(it)["embedder"] == "ok").await;
    assert_eq!((&told["outcome"]["tier"], compared(&told).len()), (&json!(0), 0), "{told}");
    assert_eq!((&distance(&told)["breached"], &distance(&told)["embedder"]), (&json!(true), &json!("ok")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn far_1_an_encoder_that_is_dead_slow_or_talks_nonsense_measures_nothing_and_moves_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    reference(folder.path()).await;
    for (fault, how) in [
        ("{fault: status, status: 500}", "target.status_5xx"),
        ("{fault: silence}", "target.total_timeout"),
        ("{fault: garbled_event}", "target.decode_failed"),
        ("{fault: empty_answer, what: embedding}", "target.decode_failed"),
        ("{fault: embedding_width, width: 8}", "other_length"),
    ] {
        // One for each: a breaker that a fault has opened closes with time, for which nobody waits here.
        let route = ROUTE.replace("GUARDS", MOVES);
        let route = if fault.contains("silence") { route.replace("timeout: 2s", "timeout: 1s") } else { route };
        let kit = Kit::of(&chats(&route), folder.path(), Default::default()).await;
        kit.break_small(fault);
        let record = asked(&kit, FAR).await;
        let told = distance(&record);
        assert_eq!((&told["value"], &told["breached"]), (&Value::Null, &json!(false)), "{fault}: {told}");
        assert_eq!(told["embedder"], how, "{fault}");
        assert_eq!((&record["outcome"]["tier"], compared(&record)), (&json!(0), Vec::new()), "{fault}: {record}");
        let spent = record["outcome"]["latency_us"].as_u64().expect("a time");
        assert!(!fault.contains("silence") || spent >= 1_000_000, "it had its time: {record}");
        assert_eq!(
            (checks(&kit, "unmeasured"), checks(&kit, "breached"), ended(&kit, how)),
            (1.0, 0.0, 1.0),
            "{fault}"
        );
        kit.break_small("");
        assert_eq!(distance(&asked(&kit, USUAL).await)["embedder"], "ok", "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn far_1_once_its_breaker_is_open_an_encoder_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    kit.break_small("{fault: status, status: 500}");
    let record = until_told(async || asked(&kit, FAR).await, |it| distance(it)["embedder"] == "breaker_open").await;
    assert_eq!((&distance(&record)["value"], &record["outcome"]["tier"]), (&Value::Null, &json!(0)), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn far_2_nothing_waits_for_an_encoder_that_moves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), TELLS).await;
    apply(&kit, folder.path(), ("timeout: 2s", "timeout: 4s"), TELLS);
    kit.break_small("{fault: silence}");
    let record = asked(&kit, FAR).await;
    let told = distance(&record);
    assert_eq!((&told["value"], &told["embedder"]), (&Value::Null, &json!("answered_first")), "{record}");
    // Before another guard moves it, it does not wait, either.
    apply(
        &kit,
        folder.path(),
        ("timeout: 2s", "timeout: 4s"),
        &format!("{TELLS}, noise: {{then: {{start_at: second}}}}"),
    );
    let record = asked(&kit, FAR).await;
    assert_eq!(distance(&record)["embedder"], "answered_first", "{record}");
    assert!(record["outcome"]["latency_us"].as_u64().is_some_and(|it| it < 2_000_000), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn far_2_a_request_that_may_start_elsewhere_waits_no_longer_than_half_of_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    apply(&kit, folder.path(), ("timeout: 2s", "timeout: 60s"), MOVES);
    kit.break_small("{fault: silence}");
    let record = asked(&kit, USUAL).await;
    assert_eq!(
        (&distance(&record)["embedder"], &record["outcome"]["tier"]),
        (&json!("target.total_timeout"), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn far_3_what_may_not_leave_is_not_sent_to_an_encoder_and_a_blank_text_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    for (question, headers, how) in [
        (FAR, &[("evenkeel-private", "true")][..], "not_allowed"),
        (FAR, &[("evenkeel-residency", "eu")], "not_allowed"),
        ("  \n ", &[], "no_text"),
    ] {
        let record = kit.record(&ask_as(&kit, question, headers).await).await;
        assert_eq!(
            (&distance(&record)["value"], &distance(&record)["embedder"]),
            (&Value::Null, &json!(how)),
            "{record}"
        );
        assert!(kit.small.log().is_empty(), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn meant_1_a_route_that_also_finds_answers_by_meaning_asks_once_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    let cache =
        "cache: {semantic: {embeddings: {upstream: small, model: embed}, at_least: 0.6, fresh: true}}\n    guards:";
    apply(&kit, folder.path(), ("guards:", cache), MOVES);
    let embedded = || kit.small.log().len();
    let first = asked(&kit, USUAL).await;
    assert_eq!(first["outcome"]["tier"], 0, "{first}");
    // What it is kept for is asked once more, off the way of the request.
    let kept = r#"evenkeel_cache_semantic_total{route="help",result="kept"}"#;
    crate::client::until(|| kit.metric(kept).filter(|it| *it >= 1.0)).await;
    let before = embedded();
    let near = asked(&kit, &format!("{USUAL}?")).await;
    assert_eq!(near["reason"], "CACHE_SEMANTIC_HIT", "{near}");
    assert_eq!((&distance(&near)["embedder"], embedded() - before), (&json!("ok"), 1), "{near}");
    // Of a long one both ask about its beginning.
    let (long, before) = (format!("{USUAL} {}", "about invoice ".repeat(2_000)), embedded());
    let far = asked(&kit, &long).await;
    assert_eq!((&far["reason"], &far["cache"]["status"]), (&json!("OUT_OF_DISTRIBUTION"), &json!("miss")), "{far}");
    assert_eq!((&distance(&far)["embedder"], embedded() - before), (&json!("ok"), 1), "{far}");
}

#[tokio::test(flavor = "multi_thread")]
async fn far_2_a_fresh_answer_that_is_held_waits_for_no_encoder() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path(), MOVES).await;
    apply(&kit, folder.path(), ("guards:", "cache: {}\n    guards:"), MOVES);
    assert_eq!(distance(&asked(&kit, USUAL).await)["embedder"], "ok");
    let before = kit.small.log().len();
    let kept = asked(&kit, USUAL).await;
    assert_eq!((&kept["reason"], kit.small.log().len()), (&json!("CACHE_FRESH_HIT"), before), "{kept}");
    assert_eq!((&distance(&kept)["value"], &distance(&kept)["embedder"]), (&Value::Null, &json!("answered_first")));
    // Who wants a new one is asked about.
    let body = json!({"model": "help", "messages": [{"role": "user", "content": USUAL}]}).to_string();
    let fresh = kit.record(&kit.post("/v1/chat/completions", body, &[("cache-control", "no-cache")]).await).await;
    assert_eq!(distance(&fresh)["embedder"], "ok", "{fresh}");
}
