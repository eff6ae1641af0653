//! `evenkeel index`: what it prints, and its exit codes.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::process::{Mocking, evenkeel};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build(documents: &Path, index: &Path, more: &[&str]) -> Output {
    let [documents, index] = [documents, index].map(|it| it.to_str().expect("text"));
    evenkeel(&[&["index", "build", documents, "-o", index], more].concat())
}

#[test]
fn an_index_is_built_and_asked_and_what_is_no_document_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (documents, index) = (folder.path().join("documents"), folder.path().join("index"));
    fs::create_dir(&documents).expect("made");
    let write = |name: &str, text: &str| fs::write(documents.join(name), text).expect("written");
    write(
        "return.md",
        "---\nverified_at: 2026-01-02\n---\n# Sending something back\nReturn what you bought within 30 days.\n",
    );
    write("draft.md", "# A draft\n");
    write("pay.html", "<title>Payment</title><meta name=verified_at content=2026-01-02><p>We take cards.");

    let output = build(&documents, &index, &[]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("2 documents (2 en)") && out.contains("2 new, 0 changed, 0 removed, 0 as they were"), "{out}");
    assert_eq!(err, "draft.md: left out: it says no `verified_at`, nor does a `defaults.json`\n");

    write("broken.md", "---\nverified_at: soon\n---\ntext\n");
    let output = build(&documents, &index, &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!(
        (output.status.code(), report["ok"].as_bool(), report["kept"].as_u64()),
        (Some(1), Some(false), Some(2))
    );
    let broken = report["left"].as_array().and_then(|left| left.iter().find(|it| it["place"] == "broken.md"));
    assert!(broken.is_some_and(|it| it["why"].as_str().is_some_and(|why| why.contains("`soon`"))), "{report}");

    let index = index.to_str().expect("text");
    let output = evenkeel(&["index", "search", index, "how do I return what I bought?"]);
    let out = text(&output.stdout);
    assert!(output.status.success() && out.contains("return  Sending something back  (return)"), "{out}");
    let output = evenkeel(&["index", "search", index, "--json", "quantum", "physics"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "{\"hits\":[]}\n"));
}

#[test]
fn where_no_index_can_be_the_exit_code_is_2_and_nothing_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let (documents, other) = (folder.path().join("documents"), folder.path().join("other"));
    fs::create_dir(&documents).expect("made");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("mine.txt"), "mine").expect("written");
    fs::write(documents.join("draft.md"), "# A draft\n").expect("written");
    for (output, part) in [
        (build(&documents, &folder.path().join("index"), &[]), "has no document to index"),
        (build(&folder.path().join("nowhere"), &folder.path().join("index"), &[]), "it is no folder"),
        (build(&documents, &other, &[]), "is a folder of something else"),
        (build(&documents, &folder.path().join("index"), &["--language", "xx"]), "no such language is known"),
        (build(&documents, &folder.path().join("index"), &["--table", "x"]), "is a folder, and no database"),
        (evenkeel(&["index", "search", other.to_str().expect("text"), "x"]), "`evenkeel index build` makes it"),
    ] {
        let err = text(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains(part), "{err}");
    }
    assert_eq!(fs::read_dir(&other).expect("listed").count(), 1);
}

#[test]
fn a_build_counts_what_does_not_hold_and_names_a_file_of_synonyms_that_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (documents, index) = (folder.path().join("documents"), folder.path().join("index"));
    fs::create_dir(&documents).expect("made");
    let lines = [
        r#"{"id":"a","body":"parcels","verified_at":"2020-01-01","expires_at":"2020-02-01"}"#,
        r#"{"id":"b","body":"a courier brings it","verified_at":"2020-01-01"}"#,
        r#"{"id":"c","body":"letters","verified_at":"2999-01-01"}"#,
    ];
    fs::write(documents.join("all.jsonl"), lines.join("\n")).expect("written");
    let synonyms = folder.path().join("synonyms.txt");
    fs::write(&synonyms, "postman => courier\n").expect("written");
    let output = build(&documents, &index, &["--synonyms", synonyms.to_str().expect("text")]);
    let out = text(&output.stdout);
    assert!(output.status.success(), "{out}{}", text(&output.stderr));
    assert!(out.contains("1 expired and never answer") && out.contains("1 say that they will be verified"), "{out}");
    let at = index.to_str().expect("text");
    let output = evenkeel(&["index", "search", at, "the postman"]);
    assert!(output.status.success() && text(&output.stdout).contains("  b  "), "{}", text(&output.stdout));
    let output = evenkeel(&["index", "search", at, "nonsense"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), "no document has a word of it\n"));
    let questions = folder.path().join("questions.jsonl");
    fs::write(&questions, "{\"question\": \"the postman\", \"documents\": [\"b\"]}\n\n{\"question\": \"nonsense\"}\n")
        .expect("written");
    let output = evenkeel(&["index", "measure", at, questions.to_str().expect("text"), "--min-score", "0.1"]);
    let out = text(&output.stdout);
    assert!(
        out.contains("is answered | 1 of 1 |") && out.contains("is declined | 1 of 1 | 1.000 | 0.207 to 1.000 |"),
        "{out}"
    );
    fs::write(&synonyms, "postman\n").expect("written");
    let output = build(&documents, &index, &["--synonyms", synonyms.to_str().expect("text")]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("line 1"), "{}", text(&output.stderr));
}

#[test]
fn an_index_is_embedded_by_a_server_and_asked_by_meaning() {
    let mock = Mocking::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (documents, index) = (folder.path().join("documents"), folder.path().join("index"));
    fs::create_dir(&documents).expect("made");
    fs::write(documents.join("a.jsonl"), r#"{"id":"a","body":"parcels","verified_at":"2020-01-01"}"#).expect("written");
    let url = format!("http://{}/v1", mock.models);
    let by = ["--embeddings", &url, "--model", "embed"];
    let output = build(&documents, &index, &by);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let at = index.to_str().expect("text");
    let output = evenkeel(&[&["index", "search", at, "nonsense"][..], &by].concat());
    assert!(output.status.success() && text(&output.stdout).contains("  a  "), "no word of it is there: {output:?}");
    drop(mock);
    let output = build(&documents, &folder.path().join("other"), &by);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("cannot be embedded"), "{output:?}");
    for wrong in [&["--embeddings", &url][..], &["--embeddings", "https://x/v1", "--model", "m"]] {
        assert_eq!(build(&documents, &index, wrong).status.code(), Some(2));
    }
}
