//! The support chat: a stream whose model only says that it is alive, and a replica that is gone.

use serde_json::Value;

use super::Example;
use crate::process::{get, http, until};

#[test]
fn the_support_chat_answers_as_its_readme_says() {
    let mut chat = Example::start("support-chat", &[&[], &[], &[]]);
    let [body, keepalive, _] = chat.shown().map(str::to_owned);
    // Whole, from that tier, and why.
    let stream = |chat: &Example, tier: u8, reason: &str| {
        let answer = chat.ask("/v1/chat/completions", &body);
        let told =
            answer.contains(&format!("\"tier\":{tier},")) && answer.contains(&format!("\"reason\":\"{reason}\""));
        let whole = answer.contains("\"finish_reason\":\"stop\"") && answer.contains("data: [DONE]");
        assert!(told && whole && !answer.contains("\"error\""), "{answer}");
    };
    stream(&chat, 0, "PRIMARY_HEALTHY");
    chat.faults("PUT", &keepalive);
    stream(&chat, 1, "TTFT_BREACH");

    // "A request that fails on one is tried on the other."
    drop(chat.mocks.remove(1));
    chat.faults("PUT", r#"[{"fault": "status", "status": 503}]"#);
    for _ in 0..4 {
        let plain = body.replace("\"stream\": true", "\"stream\": false");
        assert_eq!(chat.chat(&plain)["tier"], 1);
    }

    // "Requests that it could not serve are not sent to it": it has no schemas, and a fixed sentence is none either.
    let asked = || get(chat.mocks[1].control, "/mock/log")["total"].clone();
    let before = asked();
    let schema = r#""response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}, "model""#;
    let (status, answer) =
        http(chat.serving.data, "POST", "/v1/chat/completions", &body.replacen("\"model\"", schema, 1));
    assert!(status == 503 && answer.contains("all_tiers_exhausted"), "{status} {answer}");
    assert_eq!(asked(), before);
}

#[test]
fn with_every_model_gone_the_documents_answer_and_what_they_do_not_know_reaches_the_default() {
    let mut chat = Example::start("support-chat", &[&[], &[], &[]]);
    let [_, _, question] = chat.shown().map(str::to_owned);
    chat.mocks.clear();
    let ask = |chat: &Example, question: &str, stream: bool| {
        let body = serde_json::json!({"model": "support-chat", "stream": stream, "messages": [{"role": "user", "content": question}]});
        chat.ask("/v1/chat/completions", &body.to_string())
    };

    let answer: Value = serde_json::from_str(&chat.ask("/v1/chat/completions", &question)).expect("JSON");
    let said = answer["choices"][0]["message"]["content"].as_str().expect("text");
    assert_eq!(
        (answer["evenkeel"]["tier"].as_u64(), answer["evenkeel"]["method"].as_str()),
        (Some(2), Some("retrieval"))
    );
    assert!(said.contains("Source: ") && said.contains("https://doc.rust-lang.org/"), "cited: {said}");
    let id = answer["evenkeel"]["decision"].as_str().expect("an id");
    let record = get(chat.serving.data, &format!("/v1/decisions/{id}"));
    let attempts = record["attempts"].as_array().expect("a list");
    let documents = attempts.last().and_then(|it| it["documents"].as_array()).expect("documents");
    let ids = documents.iter().filter_map(|it| it["id"].as_str());
    assert!(
        ids.clone().any(|id| said.contains(&format!("[{id}]"))),
        "those that answered stand in the record: {record}"
    );

    // Real questions, of the half that the search was made with.
    for (question, id) in [
        ("How do I set lint levels for the whole package in the manifest?", "manifest-the-lints-section"),
        ("How do I define my own build profile?", "profiles-custom-profiles"),
        ("How do I publish to our internal registry?", "registries-publishing-to-an-alternate-registry"),
    ] {
        let streamed = ask(&chat, question, true);
        assert!(streamed.contains("\"method\":\"retrieval\"") && streamed.contains("data: [DONE]"), "{streamed}");
        assert!(streamed.contains(&format!("[{id}]")), "{question}: {streamed}");
    }
    for question in ["Where is my parcel?", "Why is the sky blue?"] {
        let answer: Value = serde_json::from_str(&ask(&chat, question, false)).expect("JSON");
        assert_eq!(
            (answer["evenkeel"]["tier"].as_u64(), answer["evenkeel"]["method"].as_str()),
            (Some(3), Some("default"))
        );
    }

    // "A running gateway takes the new index": what is gone from the folder does not answer any more.
    let before = answer["evenkeel"]["revision"].clone();
    let documents = chat.folder.path().join("help-centre");
    std::fs::remove_file(documents.join("profiles-custom-profiles.html")).expect("removed");
    super::index(chat.folder.path());
    let revision = || {
        let answer: Value =
            serde_json::from_str(&ask(&chat, "How do I define my own build profile?", false)).expect("JSON");
        (answer["evenkeel"]["revision"] != before).then(|| answer.to_string())
    };
    let answer = until("the new index", revision);
    assert!(!answer.contains("[profiles-custom-profiles]"), "{answer}");
}
