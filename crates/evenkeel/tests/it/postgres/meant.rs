//! A gateway that finds documents of a table by what a question means, and goes by words alone while it cannot.

use evenkeel_postgres::build as build_table;
use evenkeel_retrieval::{Embedder, Folder, Language, With};
use serde_json::{Value, json};

use super::{
    VARIABLE,
    refused::{ask, ask_for, documents, says_no_secret, unready},
    search::target,
    server::Postgres,
    shop, with_vectors,
};
use crate::process::{Mocking, Serving, get, http, until};

const CONFIG: &str = r#"
version: 1
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0"}
upstreams: {embedder: {protocol: openai, url: "http://MOCK/v1"}}
routes:
  help:
    protocol: openai-chat
    deadline: 15s
    tiers:
      - name: documents
        retrieval:
          postgres: {url: "${env:EVENKEEL_TEST_DATABASE}", table: help, timeout: 4s}
          min_score: 0.3
          embeddings: {upstream: embedder, model: embed, timeout: 2s}
      - {name: default, fixed: {content: "Later."}}
"#;

/// No word of it is in a document.
const QUESTION: &str = "Where is the nearest volcano?";

/// Says that what is about returns means this, and all else the contrary.
struct Returns(&'static str, Vec<f32>);

impl Embedder for Returns {
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

/// Builds the documents of the other tests, with these vectors.
fn with_meaning(postgres: &Postgres, model: &'static str, vector: &[f32]) {
    let folder = tempfile::tempdir().expect("a folder");
    shop(folder.path());
    let from = Folder { path: folder.path().into(), language: Language::of("en") };
    // Without vectors in between: those of another width are made anew.
    build_table(&from, &target(postgres, "help"), With::default(), |_| {}).expect("a table");
    let with = With { embedder: Some(&mut Returns(model, vector.to_vec())), ..With::default() };
    build_table(&from, &target(postgres, "help"), with, |_| {}).expect("a table");
}

/// The tier of an answer, and how the embedder answered.
fn how(serving: &Serving, answer: &Value) -> (u64, String) {
    let told = &answer["evenkeel"];
    let record = get(serving.data, &format!("/v1/decisions/{}", told["decision"].as_str().expect("an id")));
    let embedder = record["attempts"][0]["embedder"].as_str().unwrap_or_default().to_owned();
    (told["tier"].as_u64().expect("a tier"), embedder)
}

#[test]
fn a_table_is_searched_by_what_is_meant_and_by_words_alone_while_that_cannot_be() {
    with_vectors("postgres vectors", |postgres| {
        let mock = Mocking::start(&[]);
        let body = json!({"model": "embed", "input": [QUESTION]}).to_string();
        let answer: Value = serde_json::from_str(&http(mock.models, "POST", "/v1/embeddings", &body).1).expect("JSON");
        let vector: Vec<f32> = serde_json::from_value(answer["data"][0]["embedding"].clone()).expect("a vector");
        documents(postgres);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("evenkeel.yaml");
        std::fs::write(&file, CONFIG.replace("MOCK", &mock.models.to_string())).expect("written");
        let serve = |url: &str| Serving::start_with(&file, &[(VARIABLE, url)]);
        let serving = serve(&postgres.url());

        // The table has none yet.
        let why = until("the reason", || unready(&serving).filter(|it| it.contains("words alone")));
        assert!(why.contains("has no vectors for `embeddings`"), "{why}");
        assert_eq!(how(&serving, &ask_for(&serving, QUESTION)), (1, "target.decode_failed".into()));
        assert_eq!(how(&serving, &ask(&serving)), (0, "target.decode_failed".into()), "words find it");
        let said = |part: &str| serving.log().iter().filter(|it| it.to_string().contains(part)).count();
        assert_eq!(said("is searched by words alone"), 1, "it is not said of each request");

        // They count from the next question on, without a restart.
        with_meaning(postgres, "embed", &vector);
        let answer = ask_for(&serving, QUESTION);
        assert_eq!(how(&serving, &answer), (0, "ok".into()), "{answer}");
        assert!(answer["choices"][0]["message"]["content"].to_string().contains("[return]"), "{answer}");
        assert_eq!(unready(&serving), None);

        // Those of another model say nothing about the question, also where they have its length.
        with_meaning(postgres, "another", &vector);
        assert_eq!(how(&serving, &ask(&serving)), (0, "target.decode_failed".into()));
        let why = unready(&serving).expect("a reason");
        assert!(why.contains("has vectors of `another`") && why.contains("`embed`"), "{why}");

        // Nor those of one that was made anew under its name.
        with_meaning(postgres, "embed", &[1.0, 0.5, 0.25]);
        assert_eq!(how(&serving, &ask(&serving)), (0, "target.decode_failed".into()));
        let why = unready(&serving).expect("a reason");
        assert!(
            why.contains(&format!("a vector of {} numbers came", vector.len())) && why.contains("`embed`"),
            "{why}"
        );

        // Whoever may read the documents alone has them by their words.
        with_meaning(postgres, "embed", &vector);
        for table in ["help", "help_words", "help_index"] {
            postgres.sql(&format!("GRANT SELECT ON {table} TO reader"));
        }
        let reading = serve(&postgres.url_of("reader", "x"));
        let why = until("the reason", || unready(&reading).filter(|it| it.contains("words alone")));
        assert!(why.contains("GRANT SELECT"), "{why}");
        assert_eq!(how(&reading, &ask(&reading)).0, 0);
        postgres.sql("GRANT SELECT ON help_vectors TO reader");
        assert_eq!(how(&reading, &ask_for(&reading, QUESTION)), (0, "ok".into()));
        assert_eq!(unready(&reading), None);
        // Gone with the extension, and the words go on.
        postgres.sql("DROP EXTENSION vector CASCADE");
        assert_eq!(how(&reading, &ask(&reading)).0, 0);
        assert!(unready(&reading).is_some_and(|it| it.contains("`vector`")), "{:?}", unready(&reading));
        drop(reading);
        postgres.sql("DROP TABLE help_vectors");
        with_meaning(postgres, "embed", &vector);

        // Nobody says what is meant: the table is well, and the record says why.
        drop(mock);
        let (tier, embedder) = how(&serving, &ask_for(&serving, QUESTION));
        assert!(tier == 1 && embedder.starts_with("target."), "{embedder}");
        assert_eq!(how(&serving, &ask(&serving)).0, 0);
        assert_eq!(unready(&serving), None);
        says_no_secret(&serving);
    });
}
