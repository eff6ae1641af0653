//! The support chat: a stream whose model only says that it is alive, a replica that is gone, documents where no model is left.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
};

use serde_json::Value;

use super::{BY_MEANING, Example, copy, examples};
use crate::process::{environments, get, http, is_left_out, skip, until};

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
    super::index(chat.folder.path(), &[]);
    let revision = || {
        let answer: Value =
            serde_json::from_str(&ask(&chat, "How do I define my own build profile?", false)).expect("JSON");
        (answer["evenkeel"]["revision"] != before).then(|| answer.to_string())
    };
    let answer = until("the new index", revision);
    assert!(!answer.contains("[profiles-custom-profiles]"), "{answer}");
}

/// The example's embedder, as its README starts it.
struct Embedder {
    process: Child,
    address: SocketAddr,
}

impl Embedder {
    /// Starts it on a port that was free a moment ago; none where its packages are not installed.
    fn start() -> Option<Self> {
        let python = environments().join("emb/bin/python");
        if !python.exists() {
            return None;
        }
        let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
        let mut program = Command::new(python);
        program.arg(examples().join("support-chat/embedder.py")).arg(address.port().to_string());
        let process = program.spawn().expect("the embedder starts");
        let embedder = Self { process, address };
        until("the embedder", || TcpStream::connect(address).ok());
        Some(embedder)
    }

    fn stop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("killed");
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A real question, of those for tuning, and a document that answers it, which shares few of its words.
const IN_OTHER_WORDS: (&str, &str) = (
    "Can you give me an overview of everything that can be written in a Cargo.toml? Just the sections and what each is for.",
    "manifest",
);

#[test]
fn as_it_is_shipped_documents_answer_what_they_mean_and_by_words_alone_while_the_embedder_is_gone() {
    let test = "as_it_is_shipped_documents_answer_what_they_mean_and_by_words_alone_while_the_embedder_is_gone";
    if is_left_out(test, "needs the embedder") {
        return;
    }
    let Some(mut embedder) = Embedder::start() else { return skip(test, "no environment emb") };
    let folder = tempfile::tempdir().expect("a folder");
    copy(&examples().join("support-chat"), folder.path());
    // One document of sixteen, and the one that answers: each takes the embedder a quarter of a second.
    let documents = std::fs::read_dir(folder.path().join("help-centre")).expect("the folder is there");
    let mut documents: Vec<_> = documents.map(|it| it.expect("readable").path()).collect();
    documents.sort();
    for (at, file) in documents.iter().enumerate() {
        if at % 16 != 0 && file.file_stem().and_then(|it| it.to_str()) != Some(IN_OTHER_WORDS.1) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    let url = format!("http://{}/v1", embedder.address);
    super::index(folder.path(), &["--embeddings", &url, "--model", "all-MiniLM-L6-v2"]);
    let mut chat = Example::start_in(folder, "support-chat", &[&[], &[], &[]], |text| {
        assert!(text.contains(BY_MEANING) && text.contains("http://127.0.0.1:8095/v1"), "{text}");
        // On a busy machine it takes its time.
        let patient = BY_MEANING.replace("L6-v2}", "L6-v2, timeout: 5s}");
        text.replace(BY_MEANING, &patient).replace("http://127.0.0.1:8095/v1", &url)
    });
    chat.mocks.clear();
    let ask = |question: &str| {
        let body = serde_json::json!({"model": "support-chat", "messages": [{"role": "user", "content": question}]});
        let answer = chat.ask("/v1/chat/completions", &body.to_string());
        let told: Value = serde_json::from_str(&answer).expect("JSON");
        let record =
            get(chat.serving.data, &format!("/v1/decisions/{}", told["evenkeel"]["decision"].as_str().expect("an id")));
        let attempts = record["attempts"].as_array().cloned().unwrap_or_default();
        let embedder = attempts.last().and_then(|it| it["embedder"].as_str()).unwrap_or_default().to_owned();
        (told["evenkeel"]["tier"].as_u64().expect("a tier"), embedder, answer)
    };

    let (tier, said, answer) = ask(IN_OTHER_WORDS.0);
    assert!((tier, &*said) == (2, "ok") && answer.contains("[manifest]"), "{said}: {answer}");
    assert_eq!(ask("Why is the sky blue?").0, 3, "what they do not know reaches the default");

    embedder.stop();
    let (tier, said, answer) = ask(IN_OTHER_WORDS.0);
    assert!(tier == 3 && said.starts_with("target."), "by words alone nothing is sure enough: {said}: {answer}");
    let (tier, _, answer) = ask("How do I add a dependency with cargo add?");
    assert!(tier == 2 && answer.contains("Source: "), "{answer}");
}
