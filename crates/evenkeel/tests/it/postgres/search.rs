//! The support chat's help centre in a table: found as in an index in files.

use std::{path::Path, time::Duration};

use evenkeel_postgres::{Documents, Target, build};
use evenkeel_retrieval::{Folder, Hit, Index, Language, Synonyms, With, build as build_files};
use serde_json::Value;

use super::{cheques, line, server::Postgres, with_each, write};

/// In 2030: nothing of the help centre expires.
pub(super) const NOW: i64 = 1_900_000_000;

pub(super) fn target(postgres: &Postgres, table: &str) -> Target {
    Target::new(&postgres.url(), table).expect("right")
}

fn ask(documents: &Documents, question: &str, now: i64) -> Vec<Hit> {
    ask_by((question, None), documents, now)
}

/// Asks a table, without the clock of a request.
pub(super) fn ask_by(question: (&str, Option<&[f32]>), documents: &Documents, now: i64) -> Vec<Hit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let found = runtime.block_on(documents.search(question, now)).expect("searched");
    assert!(question.1.is_none() || found.words_alone().is_none(), "{:?}", found.words_alone());
    found.judge(3)
}

fn asked(documents: &Documents, question: &str) -> Vec<String> {
    ask(documents, question, NOW).into_iter().map(|hit| hit.id).collect()
}

pub(super) fn over(postgres: &Postgres, table: &str) -> Documents {
    Documents::new(target(postgres, table), 2, Duration::from_secs(20))
}

#[test]
fn ret_6_a_table_finds_what_an_index_in_files_finds_with_the_same_confidence() {
    with_each("postgres", |postgres| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat");
        let from = Folder { path: example.join("help-centre"), language: Language::of("en") };
        let folder = tempfile::tempdir().expect("a folder");
        let files = folder.path().join("index");
        let synonyms = std::fs::read_to_string(example.join("synonyms.txt")).expect("the file is there");
        let with = || With { now: NOW, synonyms: Synonyms::parse(&synonyms).expect("right"), embedder: None };
        let expected = build_files(&from, &files, with(), |_| {}).expect("an index");
        let built = build(&from, &target(postgres, "documents"), with(), |_| {}).expect("a table");
        assert_eq!((built.documents, built.languages), (expected.documents, expected.languages));

        let (files, table) = (Index::open(&files).expect("opens"), over(postgres, "documents"));
        let questions = std::fs::read_to_string(example.join("questions/in-corpus.jsonl")).expect("the file is there");
        let (mut all, mut same) = (0, 0);
        for question in questions.lines() {
            let question: Value = serde_json::from_str(question).expect("JSON");
            let question = question["question"].as_str().expect("text");
            let in_files = files.search(question, NOW, 3).expect("searched");
            let in_table = ask(&table, question, NOW);
            for hit in &in_table {
                if let Some(other) = in_files.iter().find(|it| it.id == hit.id) {
                    assert!((hit.confidence - other.confidence).abs() < 1e-6, "{question}: {hit:?} {other:?}");
                    assert_eq!(hit, &Hit { confidence: hit.confidence, ..other.clone() }, "{question}");
                }
            }
            let ids = |hits: &[Hit]| hits.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
            all += 1;
            same += usize::from(ids(&in_files) == ids(&in_table));
        }
        println!("{same} of {all} questions find the same three documents in the same order");
        assert!(all >= 60 && same * 100 >= all * 95, "{same} of {all}: only what is looked at closely may differ");
        assert!(asked(&table, "").is_empty() && asked(&table, "the and of").is_empty());
    });
}

#[test]
fn ret_1_pg_1_what_expired_or_is_not_verified_yet_is_never_found_in_a_table() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = [
            cheques("valid", "2020-01-01", None),
            cheques("expires", "2020-01-01", Some("2025-01-01")),
            cheques("later", "2028-01-01", None),
            cheques("ancient", "-004000-01-01T00:00:00Z", None),
        ];
        write(folder.path(), &lines);
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        build(&from, &target(postgres, "valid"), With::default(), |_| {}).expect("a table");
        let table = over(postgres, "valid");
        let found = |now: i64| {
            let mut ids: Vec<_> = ask(&table, "Do you take cheques?", now).into_iter().map(|it| it.id).collect();
            ids.sort();
            ids.join(" ")
        };
        let [new_year_2025, new_year_2028] = [1_735_689_600, 1_830_297_600];
        assert_eq!(found(new_year_2025 - 1), "ancient expires valid");
        assert_eq!(found(new_year_2025), "ancient valid", "it holds until then, and no longer");
        assert_eq!(found(new_year_2028 - 1), "ancient valid");
        assert_eq!(found(new_year_2028), "ancient later valid");
    });
}

#[test]
fn whatever_stands_in_a_document_or_a_question_is_text() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let long = (0..60_000).map(|it| format!("word{it} ")).collect::<String>();
        let lines = [
            line("quote", "It's a \\ 'quote'", "'; DROP TABLE texts; -- & | ! <-> :* \\"),
            line("nul", "a\0b", "What is \0 behind\0"),
            line("long", "Much", &format!("{long} giraffe")),
            line(&"i".repeat(2_000), "An id that is too long", "text"),
        ];
        write(folder.path(), &lines);
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        let built = build(&from, &target(postgres, "texts"), With::default(), |_| {}).expect("a table");
        assert_eq!((built.documents, built.left.len()), (3, 1), "{:?}", built.left);
        assert!(built.left[0].why.is_wrong());
        let table = over(postgres, "texts");
        assert_eq!(asked(&table, "drop 'quote' & | ! :* <-> \\ ''' $1 {words}"), ["quote"]);
        assert_eq!(asked(&table, "\0behind"), ["nul"]);
        assert_eq!(asked(&table, "word17 giraffe"), ["long"], "found by its first words");
        assert_eq!(asked(&table, &"giraffe word17 ".repeat(20_000)), ["long"], "a page that is pasted is bounded");
    });
}
