//! The support chat's help centre in a table, behind a gateway: asked with every model gone, and over TLS.

use std::path::Path;

use serde_json::{Value, json};

use super::{VARIABLE, build, server::Postgres, with_each};
use crate::process::{Serving, get, http, skip, until};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {gone: {protocol: openai, url: "http://127.0.0.1:1/v1"}}
routes:
  support-chat:
    protocol: openai-chat
    deadline: 20s
    tiers:
      - {name: primary, openai: {upstream: gone, model: large}}
      - {name: documents, retrieval: {postgres: {url: "${env:EVENKEEL_TEST_DATABASE}", timeout: 5s}, min_score: 0.5}}
      - {name: default, fixed: {content: "A person will reply."}}
"#;

fn serve(folder: &Path, url: &str) -> Serving {
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, CONFIG).expect("written");
    Serving::start_with(&file, &[(VARIABLE, url)])
}

fn ask(serving: &Serving, question: &str, stream: bool) -> String {
    let body = json!({"model": "support-chat", "stream": stream, "messages": [{"role": "user", "content": question}]});
    let (status, answer) = http(serving.data, "POST", "/v1/chat/completions", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Why the documents are not ready.
fn unready(serving: &Serving) -> Option<String> {
    get(serving.data, "/v1/routes/support-chat/state")["tiers"][1]["unready"].as_str().map(str::to_owned)
}

fn help_centre(postgres: &Postgres) {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat/help-centre");
    let (code, said) = build(postgres, &documents, &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn with_every_model_gone_the_table_answers_and_what_it_does_not_know_reaches_the_default() {
    with_each("postgres", |postgres| {
        help_centre(postgres);
        let folder = tempfile::tempdir().expect("a folder");
        let serving = serve(folder.path(), &postgres.url());
        until("readiness", || unready(&serving).is_none().then_some(()));
        // Real questions, of the half that the search was made with.
        for (question, id) in [
            ("How do I set lint levels for the whole package in the manifest?", "manifest-the-lints-section"),
            ("How do I write my own cargo subcommand?", "external-tools-custom-subcommands"),
        ] {
            let answer: Value = serde_json::from_str(&ask(&serving, question, false)).expect("JSON");
            let (told, said) =
                (&answer["evenkeel"], answer["choices"][0]["message"]["content"].as_str().expect("text"));
            assert_eq!((&told["tier"], &told["method"]), (&1.into(), &"retrieval".into()), "{answer}");
            assert!(said.contains(&format!("[{id}]")) && said.contains("https://doc.rust-lang.org/"), "{said}");
            let record = get(serving.data, &format!("/v1/decisions/{}", told["decision"].as_str().expect("an id")));
            let attempts = record["attempts"].as_array().expect("a list");
            let documents = attempts.last().and_then(|it| it["documents"].as_array()).expect("documents");
            assert!(
                documents.iter().any(|it| it["id"] == id && it["confidence_permille"].as_u64() >= Some(500)),
                "{record}"
            );
            let streamed = ask(&serving, question, true);
            assert!(streamed.contains(&format!("[{id}]")) && streamed.contains("data: [DONE]"), "{streamed}");
        }
        for question in ["Where is my parcel?", "Why is the sky blue?"] {
            let answer: Value = serde_json::from_str(&ask(&serving, question, false)).expect("JSON");
            assert_eq!((&answer["evenkeel"]["tier"], &answer["evenkeel"]["method"]), (&2.into(), &"default".into()));
        }
    });
}

#[test]
fn a_table_is_searched_over_tls_and_a_server_that_cannot_show_who_it_is_is_not_believed() {
    with_each("postgres", |postgres| {
        let (trusted, certificate) = certificate();
        let (stranger, _) = self::certificate();
        if let Err(why) = postgres.encrypt(&certificate) {
            return skip("postgres", &format!("{}: {why}", postgres.name));
        }
        help_centre(postgres);
        let folder = tempfile::tempdir().expect("a folder");
        let url = |ca: &str| {
            let file = folder.path().join("ca.pem");
            std::fs::write(&file, ca).expect("written");
            format!("{}?sslmode=verify-full&sslrootcert={}", postgres.url(), file.display())
        };
        let serving = serve(folder.path(), &url(&trusted));
        until("readiness", || unready(&serving).is_none().then_some(()));
        let encrypted = "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE \
             application_name = 'evenkeel'";
        assert_eq!(postgres.sql(encrypted), "t");
        drop(serving);
        let serving = serve(folder.path(), &url(&stranger));
        let why = until("the reason", || unready(&serving).filter(|why| why.contains("TLS")));
        assert!(!why.contains(super::server::PASSWORD), "{why}");
        let answer: Value =
            serde_json::from_str(&ask(&serving, "How do I write my own cargo subcommand?", false)).expect("JSON");
        assert_eq!(answer["evenkeel"]["tier"], 2);
        let record =
            get(serving.data, &format!("/v1/decisions/{}", answer["evenkeel"]["decision"].as_str().expect("an id")));
        assert_eq!(record["attempts"][1]["result"], "target.tls_failed", "{record}");
    });
}

/// Makes a certificate of 127.0.0.1, which is its own issuer; returns it, and it with its key.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    (made.cert.pem(), format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()))
}
