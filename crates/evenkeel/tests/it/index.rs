//! `evenkeel index`: what it prints, and its exit codes.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::process::evenkeel;

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
        (evenkeel(&["index", "search", other.to_str().expect("text"), "x"]), "`evenkeel index build` makes it"),
    ] {
        let err = text(&output.stderr);
        assert!(output.status.code() == Some(2) && err.contains(part), "{err}");
    }
    assert_eq!(fs::read_dir(&other).expect("listed").count(), 1);
}
