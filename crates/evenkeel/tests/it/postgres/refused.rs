//! Tables that are not there, may not be read, or are wrong: the gateway starts, says why, and other tiers answer.

use serde_json::{Value, json};

use super::{
    VARIABLE, build,
    server::{PASSWORD, Postgres},
    shop, with_each,
};
use crate::process::{Serving, evenkeel_with, get, http, until};

/// A route that has nothing but the documents and a safe default.
pub(super) const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
routes:
  help:
    protocol: openai-chat
    deadline: 20s
    tiers:
      - name: documents
        retrieval: {postgres: {url: "${env:EVENKEEL_TEST_DATABASE}", table: help, timeout: 2s}, min_score: 0.3}
        breaker: {open: 500ms}
      - {name: default, fixed: {content: "Later."}}
"#;

/// Serves the route over a database.
pub(super) fn serve(folder: &std::path::Path, url: &str) -> Serving {
    let file = folder.join("evenkeel.yaml");
    std::fs::write(&file, CONFIG).expect("written");
    Serving::start_with(&file, &[(VARIABLE, url)])
}

/// Asks how to return something; returns the answer, with its object `evenkeel`.
pub(super) fn ask(serving: &Serving) -> Value {
    ask_for(serving, "Can I return what I bought?")
}

pub(super) fn ask_for(serving: &Serving, question: &str) -> Value {
    let body = json!({"model": "help", "messages": [{"role": "user", "content": question}]});
    let (status, answer) = http(serving.data, "POST", "/v1/chat/completions", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).expect("JSON")
}

/// Why the path is not ready, as the state of the route has it.
pub(super) fn unready(serving: &Serving) -> Option<String> {
    get(serving.data, "/v1/routes/help/state")["tiers"][0]["unready"].as_str().map(str::to_owned)
}

/// No line of the log, and no record, has a password.
pub(super) fn says_no_secret(serving: &Serving) {
    let log = serving.log();
    assert!(!log.is_empty() && log.iter().all(|line| !line.to_string().contains(PASSWORD)), "SE-05");
}

pub(super) fn documents(postgres: &Postgres) {
    let folder = tempfile::tempdir().expect("a folder");
    shop(folder.path());
    let (code, said) = build(postgres, folder.path(), &["--table", "help"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn f_161_da_04_a_table_that_cannot_be_read_keeps_nobody_from_starting_and_says_why() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = |url: &str, part: &str, result: &str| {
            let serving = serve(folder.path(), url);
            let why = until("the reason", || unready(&serving).filter(|why| why.contains(part)));
            let answer = ask(&serving);
            assert_eq!(answer["evenkeel"]["tier"], 1, "{answer}");
            let record = get(
                serving.data,
                &format!("/v1/decisions/{}", answer["evenkeel"]["decision"].as_str().expect("an id")),
            );
            assert_eq!(record["attempts"][0]["result"], result, "{record}");
            let told = |line: &Value| line["path"] == "documents" && line["why"].as_str() == Some(&why);
            until("the line", || serving.log().iter().any(told).then_some(()));
            assert!(!record.to_string().contains(PASSWORD));
            says_no_secret(&serving);
            serving
        };
        refused(
            &postgres.url_of("locked", "wrong-hush-hush"),
            "password authentication failed",
            "credential.credential_rejected",
        );
        refused(&postgres.url().replace("/help", "/nowhere"), "does not exist", "target.model_missing");
        let nobody = format!("postgres://me:{PASSWORD}@127.0.0.1:1/help");
        refused(&nobody, "no connection", "target.connect_failed");
        let absent = refused(&postgres.url(), "does not exist", "target.model_missing");
        documents(postgres);
        refused(&postgres.url_of("reader", "x"), "permission denied", "credential.credential_forbidden");

        // What comes later is used, without a restart.
        let answer = until("the documents", || Some(ask(&absent)).filter(|it| it["evenkeel"]["tier"] == 0));
        assert!(answer["choices"][0]["message"]["content"].to_string().contains("[return]"), "{answer}");
        assert_eq!(unready(&absent), None);

        for table in ["help", "help_words", "help_index"] {
            postgres.sql(&format!("GRANT SELECT ON {table} TO reader"));
        }
        let serving = serve(folder.path(), &postgres.url_of("reader", "x"));
        until("readiness", || unready(&serving).is_none().then_some(()));
        assert_eq!(ask(&serving)["evenkeel"]["tier"], 0, "who may read needs no more");
        postgres.sql("ALTER TABLE help RENAME COLUMN tsv TO other");
        assert_eq!(ask(&serving)["evenkeel"]["tier"], 1);
        assert!(unready(&serving).is_some_and(|why| why.contains("column")), "{:?}", unready(&serving));
    });
}

#[test]
fn se_05_a_url_that_can_never_be_right_is_refused_by_check_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("evenkeel.yaml");
    std::fs::write(&file, CONFIG).expect("written");
    let file = file.to_str().expect("text");
    for (url, code, part) in [
        ("postgres://me:hush@db/help", 0, ""),
        ("mysql://me:hush@db/help", 1, "does not begin with `postgres://`"),
        ("postgres://me:hush@db:many/help", 1, "the URL cannot be read"),
        ("postgres://me:hush@db/help?hush=hush", 1, "a parameter"),
    ] {
        let output = evenkeel_with(&["check", file], &[(VARIABLE, url)]);
        let said = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned()).concat();
        assert!(output.status.code() == Some(code) && said.contains(part), "{url}: {said}");
        assert!(!said.replace("`hush`", "").contains("hush"), "{said}");
    }
}
