//! Builds: in one transaction, step by step, and never of what is somebody else's.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use evenkeel_postgres::{BuildError, Documents, Target, build as build_table};
use evenkeel_retrieval::{Folder, Language, With};
use serde_json::Value;

use super::{PLACE, build, index, line, with_each, write};

#[test]
fn a_table_is_built_brought_up_to_date_and_asked() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let back = |text: &str| line("return", "Sending something back", text);
        let pay = line("pay", "Payment", "We take cards.");
        write(folder.path(), &[back("You may return what you bought within 30 days."), pay.clone()]);
        let counts = |json: &str| {
            let it: Value = serde_json::from_str(json).expect("one object");
            ["documents", "added", "changed", "removed", "kept"].map(|key| it[key].as_u64().expect("a number"))
        };
        let generation = || postgres.sql("SELECT generation FROM documents_index");

        let (code, said) = build(postgres, folder.path(), &[]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("table `documents` of help at 127.0.0.1:"), "{said}");
        assert!(
            said.contains("2 documents (2 en)") && said.contains("2 new, 0 changed, 0 removed, 0 as they were"),
            "{said}"
        );
        let (code, said) = index(postgres, &["search", PLACE, "how do I return what I bought?"]);
        assert!(code == Some(0) && said.contains("return  Sending something back  (http://shop/return)"), "{said}");
        let (code, said) = index(postgres, &["search", PLACE, "--json", "quantum", "physics"]);
        assert_eq!((code, said.as_str()), (Some(1), "{\"hits\":[]}\n"));
        let questions = tempfile::NamedTempFile::new().expect("a file");
        let asked = "{\"question\": \"how do I return it?\", \"documents\": [\"return\"]}\n{\"question\": \"quantum physics\"}\n";
        std::fs::write(questions.path(), asked).expect("written");
        let measure = ["measure", PLACE, questions.path().to_str().expect("text"), "--min-score", "0", "--json"];
        let (code, said) = index(postgres, &measure);
        let measured = r#"{"among_three":1,"answered":1,"asked":1,"declined":1,"first":1,"off":1}"#;
        assert_eq!((code, said.trim_end()), (Some(0), measured));
        let (code, said) = index(postgres, &[&measure[..], &["--table", "nowhere"]].concat());
        assert!(code == Some(2) && said.contains("cannot search"), "{said}");

        let before = generation();
        let (_, said) = build(postgres, folder.path(), &["--json"]);
        assert_eq!(
            (counts(&said), generation()),
            ([2, 0, 0, 0, 2], before),
            "nothing is written where nothing has changed"
        );
        write(folder.path(), &[back("Within 60 days."), line("gift", "Gifts", "We wrap them.")]);
        let (_, said) = build(postgres, folder.path(), &["--json"]);
        assert_eq!(counts(&said), [2, 1, 1, 1, 0]);
        let words = "SELECT word, documents FROM documents_words WHERE word IN ('card', 'wrap', 'day') ORDER BY word";
        assert_eq!(postgres.sql(words), "day|1\nwrap|1", "what is gone is not counted any more");
        let header = "SELECT documents, counts[1], title_words[1], body_words[1] FROM documents_index";
        assert_eq!(postgres.sql(header), "2|2|4|4");

        // What users say for it is kept beside the documents, and is taken by who searches already.
        let elsewhere = tempfile::tempdir().expect("a folder");
        let synonyms = elsewhere.path().join("synonyms.txt");
        std::fs::write(&synonyms, "present => gift\n").expect("written");
        let (code, said) = index(postgres, &["search", PLACE, "presents"]);
        assert_eq!((code, said.contains("gift")), (Some(1), false), "{said}");
        let more = ["--synonyms", synonyms.to_str().expect("text"), "--json"];
        let (_, said) = build(postgres, folder.path(), &more);
        assert_eq!((counts(&said)[4], generation().as_str()), (2, "3"), "{said}");
        let (code, said) = index(postgres, &["search", PLACE, "presents"]);
        assert!(code == Some(0) && said.contains("gift  Gifts"), "{said}");
        let (code, said) = index(postgres, &["search", PLACE, "giffts"]);
        assert!(code == Some(0) && said.contains("gift  Gifts"), "a slip: {said}");

        // Of another version: all of it is written again.
        postgres.sql("UPDATE documents_index SET format = 0; ALTER TABLE documents_index DROP COLUMN model");
        let (code, said) = index(postgres, &["search", PLACE, "gifts"]);
        assert!(code == Some(2) && said.contains("build it again"), "{said}");
        postgres.sql("ALTER TABLE documents_index ADD COLUMN model text");
        let (code, said) = index(postgres, &["search", PLACE, "gifts"]);
        assert!(code == Some(2) && said.contains("build it again"), "{said}");
        postgres.sql("ALTER TABLE documents_index DROP COLUMN model, DROP COLUMN indexed");
        let (code, said) = build(postgres, folder.path(), &[]);
        assert!(code == Some(0) && said.contains("built anew: it was of version 0"), "{said}");
        assert!(said.contains("0 new, 2 changed"), "{said}");

        std::fs::write(folder.path().join("broken.md"), "---\nverified_at: soon\n---\ntext\n").expect("written");
        let (code, said) = build(postgres, folder.path(), &["--table", "public.others"]);
        assert!(code == Some(1) && said.contains("broken.md: left out") && said.contains("`public.others`"), "{said}");
    });
}

#[test]
fn pg_5_where_no_table_can_be_the_exit_code_is_2_and_nothing_is_touched() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let fails = |more: &[&str], part: &str| {
            let (code, said) = build(postgres, folder.path(), more);
            assert!(code == Some(2) && said.contains(part), "{code:?}: {said}");
        };
        fails(&[], "has no document to index");
        assert_eq!(postgres.sql("SELECT to_regclass('documents') IS NULL"), "t", "a build that fails leaves nothing");
        write(folder.path(), &[line("a", "A", "text")]);
        postgres.sql("CREATE TABLE mine (x integer); INSERT INTO mine VALUES (1)");
        fails(&["--table", "mine"], "is of something else");
        assert_eq!(postgres.sql("SELECT x FROM mine"), "1");
        fails(&["--table", "Mine;"], "is no name of a table");
        fails(&["--table", "nowhere.documents"], "schema");
        let fails_at = |url: &str, part: &str| {
            let output =
                crate::process::evenkeel(&["index", "build", folder.path().to_str().expect("text"), "-o", url]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && said.contains(part) && !said.contains("hush"), "{said}");
        };
        fails_at(&postgres.url_of("reader", "x"), "permission denied");
        fails_at(&postgres.url_of("locked", "hush-wrong"), "password authentication failed");
        fails_at("postgres://me:hush@127.0.0.1:1/help", "no connection");
        fails_at("postgres://me:hush@127.0.0.1:1/help?passwrd=hush", "a parameter");
        fails_at("${env:EVENKEEL_NO_SUCH_VARIABLE}", "is not set");
        assert_eq!(postgres.sql("SELECT to_regclass('documents') IS NULL"), "t");

        postgres.sql("CREATE TABLE locks (x integer)");
        let target = Target::new(&postgres.url(), "busy").expect("right");
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        let mut second = None;
        build_table(&from, &target, With::default(), |at| {
            if at.read == 0 {
                second = Some(build_table(&from, &target, With::default(), |_| {}));
            }
        })
        .expect("the first one ends");
        assert!(matches!(second, Some(Err(BuildError::Busy(_)))), "{second:?}");
    });
}

#[test]
fn pg_2_whoever_searches_sees_one_build_whole() {
    with_each("postgres", |postgres| {
        let folder = tempfile::tempdir().expect("a folder");
        let target = Target::new(&postgres.url(), "whole").expect("right");
        let from = Folder { path: folder.path().into(), language: Language::of("en") };
        let version = |number: usize| {
            let of = |id: &str| line(id, &format!("Parcel {id}"), &format!("The parcel goes with version{number}."));
            // What is common to all makes the three that are asked for the best.
            write(folder.path(), &["a", "b", "c"].map(of));
            build_table(&from, &target, With::default(), |_| {}).expect("built");
        };
        version(0);
        let (done, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let reading = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let table = Documents::new(target.clone(), 1, Duration::from_secs(20));
                let mut searches = 0;
                while !done.load(Ordering::Relaxed) {
                    let found =
                        runtime.block_on(table.search(("parcel", None), 1_900_000_000)).expect("searched").judge(9);
                    let mut said: Vec<_> = found.iter().map(|hit| hit.passage.clone()).collect();
                    said.dedup();
                    assert_eq!((found.len(), said.len()), (3, 1), "{found:?}");
                    searches += 1;
                    begun.store(true, Ordering::Relaxed);
                }
                searches
            });
            while !begun.load(Ordering::Relaxed) && !reading.is_finished() {
                std::thread::yield_now();
            }
            (1..12).for_each(version);
            done.store(true, Ordering::Relaxed);
            let searches = reading.join().expect("each search sees one build");
            assert!(searches > 0);
        });
    });
}
