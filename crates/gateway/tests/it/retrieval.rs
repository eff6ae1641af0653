//! The path `retrieval` behind a route: answered plain and streamed, declined, changed under its feet.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use evenkeel_config::load_text;
use evenkeel_gateway::prove;
use evenkeel_mock::{Mock, Options};
use evenkeel_retrieval::{Embedder, Folder, Language, With, build};
use serde_json::{Value, json};

use crate::client::{Got, Kit, chats, post};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {small: {protocol: openai, url: "SMALL/v1"}}
routes:
  help:
    protocol: openai-chat
    deadline: 5s
    tiers:
      - {name: documents, retrieval: {index: index}}
      - {name: small, openai: {upstream: small, model: little}}
      - {name: default, fixed: {content: "Later."}}
  alone:
    protocol: openai-chat
    deadline: 5s
    tiers: [{name: documents, retrieval: {index: index, min_score: 0.99}}]
"#;

fn documents(folder: &Path, lines: &[&str]) -> PathBuf {
    let from = folder.join("documents");
    fs::create_dir_all(&from).expect("made");
    fs::write(from.join("documents.jsonl"), lines.join("\n")).expect("written");
    build(&Folder { path: from, language: Language::of("en") }, &folder.join("index"), With::default(), |_| {})
        .expect("an index");
    folder.join("index")
}

const RETURN: &str = r#"{"id":"return","title":"Returns","source":"http://shop/return","body":"You may return what you bought within 30 days.","verified_at":"2020-01-01"}"#;
const PAY: &str = r#"{"id":"pay","title":"Payment","source":"http://shop/pay","body":"We take cards and invoices.","verified_at":"2020-01-01"}"#;
const GONE: &str = r#"{"id":"cheque","title":"Cheques","body":"Cheques are taken.","verified_at":"2020-01-01","expires_at":"2020-02-01"}"#;

async fn kit(folder: &Path) -> Kit {
    documents(folder, &[RETURN, PAY, GONE]);
    Kit::of(CONFIG, folder, BTreeMap::new()).await
}

async fn ask(kit: &Kit, route: &str, question: &str, more: Value) -> Got {
    let mut body = json!({"model": route, "messages": [{"role": "system", "content": "cheques"}, {"role": "user", "content": question}]});
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    kit.post("/v1/chat/completions", body.to_string(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_answers_with_the_passage_that_fits_and_its_source() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path()).await;
    let question = "Can I return what I bought?";
    let expected = "You may return what you bought within 30 days.\n\nSource: Returns (http://shop/return) [return]";
    let plain = ask(&kit, "help", question, json!({"n": 2})).await;
    let told =
        (plain.status, plain.header("evenkeel-tier"), plain.header("evenkeel-method"), plain.header("evenkeel-path"));
    assert_eq!(told, (200, "0", "retrieval", "documents"), "{plain:?}");
    assert_eq!(plain.said(), expected);
    assert_eq!(plain.json()["choices"].as_array().map(Vec::len), Some(2));
    assert_eq!(plain.json()["evenkeel"]["method"], "retrieval");
    let streamed = ask(&kit, "help", question, json!({"stream": true})).await;
    assert!(streamed.is_whole() && streamed.header("evenkeel-path") == "documents", "{streamed:?}");
    assert_eq!(streamed.said(), expected);
    for got in [&plain, &streamed] {
        let record = kit.record(got).await;
        let attempt = &record["attempts"][0];
        assert_eq!((attempt["result"].as_str(), attempt["documents"][0]["id"].as_str()), (Some("ok"), Some("return")));
        assert!(attempt["documents"][0]["confidence_permille"].as_u64() >= Some(500), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_declines_what_no_document_fits_and_that_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path()).await;
    // More than any breaker bears of failures.
    for _ in 0..30 {
        let got = ask(&kit, "help", "Where is the nearest volcano?", json!({})).await;
        assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-reason")), ("small", "RETRIEVAL_BELOW_SCORE"));
        assert_eq!(kit.record(&got).await["attempts"][0]["result"], "quality.retrieval_below_score");
    }
    let state = kit.gateway.route_state("help").expect("a route");
    assert_eq!((state.tiers[0].breaker.as_str(), state.tier), ("closed", Some(0)));
    let expired = ask(&kit, "help", "Are cheques taken?", json!({})).await;
    assert_eq!(expired.header("evenkeel-path"), "small", "what expired does not answer: {expired:?}");
    // Its words are what is above `min_score` alone; what there was stands in the record.
    let alone = ask(&kit, "alone", "Can I return what I bought?", json!({})).await;
    assert_eq!(alone.status, 503);
    assert_eq!(kit.record(&alone).await["attempts"][0]["documents"][0]["id"], "return");
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_leaves_to_others_what_a_passage_cannot_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = kit(folder.path()).await;
    let json_mode =
        ask(&kit, "help", "Can I return what I bought?", json!({"response_format": {"type": "json_object"}})).await;
    assert_eq!(json_mode.header("evenkeel-path"), "small", "{json_mode:?}");
    let record = kit.record(&json_mode).await;
    assert_eq!(record["candidates"][0]["reasons"][0], "CAPABILITY_MISSING", "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_is_made_ready_of_the_index_that_was_read_and_of_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = documents(folder.path(), &[RETURN]);
    let text = CONFIG.replace("SMALL", "http://127.0.0.1:1");
    let load = || load_text("evenkeel.yaml", &text, folder.path()).deployment.expect("the index is there");
    let read = load();
    assert!(prove(&read).is_empty());
    documents(folder.path(), &[RETURN, PAY]);
    let refused = prove(&read);
    assert!(
        refused.iter().any(|it| it.message.contains("was built again after the configuration was read")),
        "{refused:?}"
    );
    let again = load();
    assert!(prove(&again).is_empty() && again.name() != read.name(), "another index is another revision");
    let file =
        fs::read_dir(&index).expect("listed").flatten().find(|it| it.path().is_dir()).expect("a generation").path();
    let words =
        fs::read_dir(file).expect("listed").flatten().find(|it| it.path().extension().is_some_and(|it| it == "term"));
    let words = words.expect("the words").path();
    let mut bytes = fs::read(&words).expect("read");
    bytes[0] ^= 1;
    fs::remove_file(&words).expect("removed");
    fs::write(&words, bytes).expect("written");
    let refused = prove(&load());
    assert!(refused.iter().any(|it| it.message.contains("is damaged")), "{refused:?}");
}

/// Says that the passages of one document mean what a vector says, and all others the opposite.
struct Meant(&'static str, Vec<f32>);

impl Embedder for Meant {
    fn model(&self) -> &str {
        self.0
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let vector = |text: &String| {
            let sign = if text.contains("return what you bought") { 1.0 } else { -1.0 };
            self.1.iter().map(|it| it * sign).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

const MEANT: &str = r#"
routes:
  meant:
    protocol: openai-chat
    deadline: 5s
    tiers:
      - {name: documents, retrieval: {index: index, min_score: 0.4, embeddings: {upstream: big, model: embed, timeout: 2s}}}
      - {name: default, fixed: {content: "Later."}}
  pair:
    protocol: openai-chat
    deadline: 10s
    tiers:
      - {name: documents, retrieval: {index: index, min_score: 0.4, embeddings: {upstream: pair, model: embed, timeout: 2s}}}
      - {name: default, fixed: {content: "Later."}}
  read:
    protocol: openai-chat
    deadline: 5s
    tiers:
      - {name: documents, retrieval: {index: index, augment: {upstream: small, model: little}}}
      - {name: default, fixed: {content: "Later."}}
"#;

/// Builds the index of the documents with what they mean.
fn build_as(folder: &Path, mut meant: Meant) {
    let from = Folder { path: folder.join("documents"), language: Language::of("en") };
    let with = With { embedder: Some(&mut meant), ..With::default() };
    build(&from, &folder.join("index"), with, |_| {}).expect("an index");
}

/// Starts a gateway over an index in which a question about volcanoes means the document about returns.
async fn meant(folder: &Path) -> Kit {
    let mock = Mock::start(Options { seed: 1, ..Options::default() }).await.expect("a mock");
    let address = mock.url().strip_prefix("http://").expect("an address").parse().expect("an address");
    let body = r#"{"model": "embed", "input": ["Where is the nearest volcano?"]}"#;
    let answer = post(address, "/v1/embeddings", body).await.json();
    let numbers = answer["data"][0]["embedding"].as_array().expect("a vector").iter();
    let vector = numbers.map(|it| it.as_f64().expect("a number") as f32).collect();
    documents(folder, &[RETURN, PAY, GONE]);
    build_as(folder, Meant("embed", vector));
    Kit::of(&with_pair(), folder, BTreeMap::new()).await
}

/// The configuration with an upstream of two replicas, of which the first may be another than an embedder.
fn with_pair() -> String {
    chats(MEANT).replace("upstreams:\n", "upstreams:\n  pair: {protocol: openai, urls: [\"SMALL/v1\", \"BIG/v1\"]}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_finds_what_is_meant_and_goes_by_words_alone_while_the_embedder_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = meant(folder.path()).await;
    let strange = ask(&kit, "meant", "Where is the nearest volcano?", json!({})).await;
    assert_eq!(strange.header("evenkeel-path"), "documents", "no word of it is there: {strange:?}");
    assert!(strange.said().contains("[return]"), "{strange:?}");
    let attempt = kit.record(&strange).await["attempts"][0].clone();
    assert_eq!((attempt["embedder"].as_str(), attempt["documents"][0]["id"].as_str()), (Some("ok"), Some("return")));
    for fault in ["{fault: status, status: 500}", "{fault: silence}", "{fault: refuse}"] {
        kit.break_primary(fault);
        let known = ask(&kit, "meant", "Do you take cards and invoices?", json!({})).await;
        assert!(known.said().contains("[pay]"), "{fault}: {known:?}");
        let embedder = kit.record(&known).await["attempts"][0]["embedder"].clone();
        assert!(embedder.as_str().is_some_and(|it| it != "ok"), "{fault}: {embedder}");
        let strange = ask(&kit, "meant", "Where is the nearest volcano?", json!({})).await;
        assert_eq!(strange.header("evenkeel-path"), "default", "{fault}: {strange:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f_062_embed_1_an_embedder_that_fails_again_and_again_is_not_asked_and_the_record_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = meant(folder.path()).await;
    kit.break_primary("{fault: status, status: 500}");
    let mut told = Vec::new();
    while told.last().is_none_or(|it| it != "breaker_open") {
        assert!(told.len() < 40, "its breaker opens: {told:?}");
        let known = ask(&kit, "meant", "Do you take cards and invoices?", json!({})).await;
        assert!(known.said().contains("[pay]"), "{known:?}");
        told.push(kit.record(&known).await["attempts"][0]["embedder"].as_str().expect("told").to_owned());
    }
    assert_eq!(told[0], "target.status_5xx");
    kit.big.settled().await;
    let asked = kit.big.log().len();
    let known = ask(&kit, "meant", "Do you take cards and invoices?", json!({})).await;
    assert_eq!(kit.record(&known).await["attempts"][0]["embedder"], "breaker_open");
    assert_eq!(kit.big.log().len(), asked, "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn embed_2_a_replica_of_the_embedder_that_is_dead_or_hangs_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = meant(folder.path()).await;
    let embedder = async || {
        let got = ask(&kit, "pair", "Where is the nearest volcano?", json!({})).await;
        let attempt = kit.record(&got).await["attempts"][0].clone();
        (attempt["embedder"].as_str().expect("told").to_owned(), got.said().contains("[return]"))
    };
    kit.break_small("{fault: refuse}");
    assert_eq!(embedder().await, ("ok".to_owned(), true), "within the same question");
    kit.small.settled().await;
    let asked = kit.small.log().len();
    assert_eq!(embedder().await, ("ok".to_owned(), true));
    assert_eq!(kit.small.log().len(), asked, "who answered last is asked first");
    // The other one dies, and then the first hangs.
    kit.break_small("");
    kit.break_primary("{fault: refuse}");
    assert_eq!(embedder().await.0, "ok");
    kit.break_primary("");
    kit.break_small("{fault: silence}");
    assert_eq!(embedder().await, ("target.total_timeout".to_owned(), false), "it costs one question its time");
    assert_eq!(embedder().await, ("ok".to_owned(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_puts_passages_before_a_model_and_asks_it_nothing_where_none_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = meant(folder.path()).await;
    for stream in [false, true] {
        let got = ask(&kit, "read", "Can I return what I bought?", json!({"stream": stream})).await;
        assert!(got.is_whole(), "{got:?}");
        assert_eq!((got.header("evenkeel-path"), got.header("evenkeel-method")), ("documents", "retrieval"));
        let record = kit.record(&got).await;
        assert_eq!(record["attempts"][0]["documents"][0]["id"], "return", "{record}");
        let read = record["attempts"][0]["usage"]["prompt_tokens"].as_u64();
        assert!(stream || read > Some(60), "it has read more than was asked: {record}");
    }
    kit.small.settled().await;
    let asked = kit.small.log().len();
    let off = ask(&kit, "read", "Where is the nearest volcano?", json!({})).await;
    assert_eq!((off.header("evenkeel-path"), off.header("evenkeel-reason")), ("default", "RETRIEVAL_BELOW_SCORE"));
    assert_eq!(kit.small.log().len(), asked, "nobody was asked");
    kit.break_small("{fault: status, status: 500}");
    let failed = ask(&kit, "read", "Can I return what I bought?", json!({})).await;
    assert_eq!(failed.header("evenkeel-path"), "default", "{failed:?}");
    assert_eq!(kit.record(&failed).await["attempts"][0]["documents"][0]["id"], "return");
}

#[tokio::test(flavor = "multi_thread")]
async fn retrieval_puts_before_a_model_what_its_window_has_room_for_and_says_what_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let kit = meant(folder.path()).await;
    let question = "Can I return what I bought, and do you take cards and invoices?";
    let asked = async |window: u64| {
        let text = with_pair().replace("model: little}}}", &format!("model: little}}}}, context: {window}}}"));
        let text = text.replace("augment:", "min_score: 0.05, augment:");
        kit.gateway.apply(kit.compile(&text, folder.path())).expect("applied");
        let got = ask(&kit, "read", question, json!({"max_tokens": 20})).await;
        let attempt = kit.record(&got).await["attempts"][0].clone();
        let documents = attempt["documents"].as_array().expect("documents").clone();
        (attempt, documents.iter().map(|it| it["window"].clone()).collect::<Vec<_>>())
    };
    let (whole, windows) = asked(100_000).await;
    assert_eq!(windows, [Value::Null, Value::Null], "{whole}");
    let all = whole["usage"]["prompt_tokens"].as_u64().expect("usage");
    kit.small.settled().await;
    // The mock counts tokens its own way: the window is found from what is left out.
    let (mut left_out, mut declined) = (false, false);
    for window in (60..400).rev().step_by(10) {
        let (attempt, windows) = asked(window).await;
        if windows == [Value::Null, json!("left_out")] {
            left_out = true;
            assert!(attempt["usage"]["prompt_tokens"].as_u64() < Some(all), "{window}: {attempt}");
            assert_eq!(attempt["result"], "ok", "{attempt}");
        }
        if windows == [json!("left_out"), json!("left_out")] {
            declined = true;
            assert_eq!(attempt["result"], "capability.context_exceeded", "{attempt}");
            break;
        }
    }
    assert!(left_out && declined, "both happen");
}

#[test]
fn retrieval_by_meaning_needs_an_index_with_vectors() {
    let folder = tempfile::tempdir().expect("a folder");
    documents(folder.path(), &[RETURN]);
    let text = with_pair().replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2");
    let read = load_text("evenkeel.yaml", &text, folder.path()).deployment.expect("the index is there");
    let refused = prove(&read);
    assert!(refused.iter().any(|it| it.message.contains("has no vectors")), "{refused:?}");
}

#[test]
fn retrieval_by_meaning_needs_vectors_of_the_model_that_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    documents(folder.path(), &[RETURN]);
    build_as(folder.path(), Meant("another", vec![1.0, 0.0]));
    let text = with_pair().replace("BIG", "http://127.0.0.1:1").replace("SMALL", "http://127.0.0.1:2");
    let read = load_text("evenkeel.yaml", &text, folder.path()).deployment.expect("the index is there");
    let refused = prove(&read);
    assert!(refused.iter().any(|it| it.message.contains("has vectors of `another`")), "{refused:?}");
}

const KEPT: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {small: {protocol: openai, url: "SMALL/v1"}}
routes:
  first:
    protocol: openai-chat
    cache: {stale_if_error: 24h}
    tiers: [{name: documents, retrieval: {index: index, min_score: 0.4}}, {name: earlier, cache: {}}]
  read:
    protocol: openai-chat
    cache: {from: any}
    tiers:
      - {name: documents, retrieval: {index: index, min_score: 0.4, augment: {upstream: small, model: little}}}
      - {name: small, openai: {upstream: small, model: little}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn keep_3_f_140_what_documents_say_is_not_kept_since_they_end() {
    let folder = tempfile::tempdir().expect("a folder");
    documents(folder.path(), &[RETURN, PAY, GONE]);
    let kit = Kit::of(KEPT, folder.path(), BTreeMap::new()).await;
    for (route, stream) in [("first", false), ("first", true), ("read", false), ("read", true)] {
        for _ in 0..2 {
            let got = ask(&kit, route, "Can I return what I bought?", json!({"stream": stream})).await;
            assert_eq!(got.header("evenkeel-method"), "retrieval", "{route}: {got:?}");
            assert_eq!(kit.record(&got).await["cache"], json!({"status": "miss", "written": "documents"}), "{route}");
        }
    }
    for method in ["distilled", "cache"] {
        let off = ask(&kit, "read", "Where is the nearest volcano?", json!({})).await;
        assert_eq!(off.header("evenkeel-method"), method, "what no document was read for is kept: {off:?}");
    }
}
