//! One case for each fault, plain and streamed where both exist.

mod answers;
mod arrivals;

use std::collections::BTreeSet;

use evenkeel_mock::{Mock, OipModel, Options, TensorSpec, parse_faults_yaml};
use serde_json::{Value, json};

use crate::client::{Seen, chat, exchange, hush, logged, request, send};

/// Who asks, what breaks, how long is read, what must be seen.
type Case = (Ask, Value, Until, fn(&Seen));

#[derive(Clone, Copy, Debug)]
enum Ask {
    Plain,
    Stream,
    Embed,
    Infer,
}

/// How long the client reads.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// Until the connection ends.
    End,
    /// Until nothing more comes.
    Silence,
    Bytes(usize),
}

async fn mock() -> Mock {
    let input = TensorSpec::new("x", "FP32", [-1, 2]);
    let output = TensorSpec::new("y", "FP32", [-1, 1]);
    let mut options = Options::default();
    options.oip.insert("m".to_owned(), OipModel::declared(vec![input], output, vec![json!(1.5), json!(2.5)]));
    Mock::start(options).await.expect("loopback has a free port")
}

fn asked(ask: Ask) -> String {
    let post = |path: &str, body: Value| request("POST", path, &body.to_string());
    match ask {
        Ask::Plain => post("/v1/chat/completions", chat(false)),
        Ask::Stream => post("/v1/chat/completions", chat(true)),
        Ask::Embed => post("/v1/embeddings", json!({"model": "m", "input": ["a", "b"]})),
        Ask::Infer => {
            let input = json!({"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]});
            post("/v2/models/m/infer", json!({"inputs": [input]}))
        }
    }
}

fn cases() -> Vec<Case> {
    [answers::cases(), arrivals::cases()].concat()
}

#[tokio::test]
async fn each_fault_breaks_as_its_row_says() {
    let mock = mock().await;
    for (ask, fault, until, check) in cases() {
        let name = fault["fault"].as_str().expect("a case names its fault").to_owned();
        println!("{ask:?} {fault}");
        let put = send(mock.control_address(), "PUT", "/mock/faults", &json!([fault]).to_string()).await;
        assert_eq!(put.status(), 200, "{}", put.text());
        let before = mock.log().len();
        let asked = asked(ask);
        check(&match until {
            Until::Silence => hush(&mock, &asked).await,
            Until::End => exchange(mock.address(), &asked, usize::MAX).await,
            Until::Bytes(limit) => exchange(mock.address(), &asked, limit).await,
        });
        let attempt = logged(&mock, |attempt| attempt.attempt as usize == before).await;
        assert_eq!(attempt.fault.as_deref(), Some(&*name), "the log names the fault");
    }
}

/// Returns every name that a list may use, as a refusal tells them.
fn names() -> BTreeSet<String> {
    let error = parse_faults_yaml("[{fault: nope}]").expect_err("no such fault").to_string();
    let (_, allowed) = error.split_once("expected one of ").expect("it lists the names");
    let (allowed, _) = allowed.split_once(';').expect("it ends the list");
    allowed.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_fault_has_a_case() {
    let mut tested: BTreeSet<String> =
        cases().iter().map(|(_, fault, ..)| fault["fault"].as_str().expect("a name").to_owned()).collect();
    // These need more than one exchange (`port.rs`), or another request (`control.rs`, `healthy.rs`).
    tested.extend(["refuse", "syn_swallowed", "reset_reused", "prefill_rejected", "logprobs"].map(str::to_owned));
    assert_eq!(tested, names());
}

#[test]
fn both_formats_read_every_case_alike() {
    for (_, fault, ..) in cases() {
        let yaml = parse_faults_yaml(&json!([fault]).to_string()).expect("JSON is YAML");
        let again = yaml[0].to_json();
        for (key, value) in fault.as_object().expect("a case is an object") {
            let same = again[key] == *value || again[key].as_f64().is_some_and(|number| value.as_f64() == Some(number));
            assert!(same, "{key} of {fault} became {again}");
        }
    }
}
