//! Folders as people have them, and what is left out of them.

use std::fs;

use super::*;

fn read(files: &[(&str, &[u8])]) -> (Vec<Document>, Vec<(String, String)>) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    let (found, left) = Folder { path: folder.path().into(), language: Language::of("en") }.list();
    let (mut documents, mut left): (Vec<_>, Vec<_>) =
        (Vec::new(), left.into_iter().map(|it| (it.place, it.why.to_string())).collect());
    for file in found {
        file.read(|place, read| match read {
            Ok(document) => documents.push(document),
            Err(why) => left.push((place.to_owned(), why.to_string())),
        });
    }
    (documents, left)
}

#[test]
fn every_kind_of_document_is_read_with_what_it_says_of_itself() {
    let (documents, left) = read(&[
        ("a.md", b"---\nid: one\ntitle: First\nverified_at: 1970-01-02\nexpires_at: 1970-01-03\nsource: http://x\nlanguage: de\n---\nText"),
        ("b/c.html", b"<html lang=fr><head><title>T</title><meta name=verified_at content=1970-01-02></head><p>Corps"),
        ("b/d.txt", b"---\nverified_at: 1970-01-02\n---\nFirst line\nsecond"),
        ("e.jsonl", b"{\"id\":\"five\",\"title\":\"F\",\"body\":\"B\",\"verified_at\":\"1970-01-02\",\"source\":\"s\",\"more\":[1]}\n\n{\"body\":\"C\",\"verified_at\":\"1970-01-02\"}\n"),
    ]);
    assert_eq!(left, []);
    let seen: Vec<_> = documents.iter().map(|it| (&*it.id, &*it.title, &*it.source, it.language.code())).collect();
    let expected = [
        ("one", "First", "http://x", "de"),
        ("b/c", "T", "b/c", "fr"),
        ("b/d", "First line", "b/d", "en"),
        ("five", "F", "s", "en"),
        ("e.jsonl:3", "C", "e.jsonl:3", "en"),
    ];
    assert_eq!(seen, expected);
    assert!(documents.iter().all(|it| it.verified_at == 86_400));
    assert_eq!(documents.iter().map(|it| it.expires_at).collect::<Vec<_>>(), [Some(172_800), None, None, None, None]);
}

#[test]
fn a_document_says_which_questions_it_answers() {
    let (documents, left) = read(&[
        ("a.md", b"---\nverified_at: 1970-01-02\nquestions:\n  - How: one?\n  - \"two,  and \"\n---\ntext"),
        ("b.html", b"<meta name=verified_at content=1970-01-02><meta name=question content='a &amp; b?'><meta name=question content=c><p>text"),
        ("c.jsonl", b"{\"body\":\"x\",\"verified_at\":\"1970-01-02\",\"questions\":[\"one\\n line?\",\" \"]}"),
        ("d.txt", b"---\nverified_at: 1970-01-02\nquestions:\n---\ntext"),
    ]);
    assert_eq!(left, []);
    let asked: Vec<_> = documents.iter().map(Document::asked).collect();
    assert_eq!(asked, ["How: one?\ntwo, and", "a & b?\nc", "one line?", ""]);
    assert_eq!(documents[1].about(), "text\na & b?\nc", "with the title");
}

#[test]
fn ret_4_questions_that_are_no_list_or_too_many_are_named_with_what_to_write() {
    let of = |questions: &str| {
        format!("{{\"body\":\"x\",\"verified_at\":\"1970-01-02\",\"questions\":{questions}}}\n").into_bytes()
    };
    let of_all = |all: Vec<String>| of(&format!("{all:?}"));
    let (documents, left) = read(&[
        ("a.md", b"---\nverified_at: 1970-01-02\nquestions: [how, why]\n---\ntext"),
        ("b.jsonl", &of("\"how?\"")),
        ("c.jsonl", &of_all((0..=MOST_QUESTIONS).map(|it| format!("how {it}")).collect())),
        ("d.jsonl", &of_all(vec!["x".repeat(MOST_QUESTION + 1)])),
        ("e.jsonl", &of_all((0..MOST_QUESTIONS).map(|it| format!("{it}{}", "x".repeat(MOST_QUESTION - 2))).collect())),
    ]);
    assert_eq!(documents.len(), 1, "the last is as large as may be: {left:?}");
    for (at, part) in [
        (0, "`[how, why]` is none, write each below it after `- `"),
        (1, "not what a document is"),
        (2, "50 at most of 1000 bytes each: it has 51"),
        (3, "50 at most of 1000 bytes each: one has 1001"),
    ] {
        assert!(left[at].1.contains(part), "{:?}", left[at]);
    }
}

#[test]
fn a_folder_may_say_when_its_documents_were_verified() {
    let (documents, left) = read(&[
        ("defaults.json", br#"{"verified_at": "1970-01-02", "source": "the handbook"}"#),
        ("a.md", b"# A\ntext"),
        ("b/defaults.json", br#"{"verified_at": "1970-01-03"}"#),
        ("b/c.md", b"text"),
        ("d.md", b"---\nverified_at: 1970-01-04\n---\ntext"),
    ]);
    assert_eq!(left, []);
    let seen: Vec<_> = documents.iter().map(|it| (&*it.id, it.verified_at / 86_400, &*it.source)).collect();
    assert_eq!(seen, [("a", 1, "the handbook"), ("b/c", 2, "the handbook"), ("d", 3, "the handbook")]);
}

#[test]
fn ret_4_whatever_is_no_document_is_named_with_the_reason() {
    let (documents, left) = read(&[
        ("a.md", b"no head"),
        ("b.png", b"\x89PNG"),
        ("c.md", b"---\nverified_at: 1970-01-02\n---\n\n"),
        ("d.md", b"---\nverified_at: soon\n---\ntext"),
        ("e.md", b"---\nverified_at: 1970-01-02\n---\n\xff"),
        ("f.jsonl", b"{\"body\": 1}\nnot json\n{\"body\":\"x\",\"verified_at\":\"1970-01-02\"}"),
        ("g/defaults.json", b"{"),
        ("g/h.md", b"---\nverified_at: 1970-01-02\n---\ntext"),
        ("i.md", b"---\nverified_at: 1970-01-02\nexpires_at: 2026\n---\ntext"),
        (".git/x.md", b"hidden"),
    ]);
    assert_eq!(documents.len(), 1, "the third line of f.jsonl");
    let reasons = |place: &str| left.iter().find(|it| it.0 == place).map(|it| it.1.as_str()).unwrap_or_default();
    for (place, part) in [
        ("a.md", "it says no `verified_at`"),
        ("b.png", "no kind of file"),
        ("c.md", "no text"),
        ("d.md", "its `verified_at` is `soon`"),
        ("e.md", "not UTF-8 from byte 32"),
        ("f.jsonl:1", "not what a document is"),
        ("f.jsonl:2", "not what a document is"),
        ("g/defaults.json", "not what a document is"),
        ("g/h.md", "`g/defaults.json` is wrong"),
        ("i.md", "its `expires_at` is `2026`"),
    ] {
        assert!(reasons(place).contains(part), "{place}: {}", reasons(place));
    }
    assert_eq!(left.len(), 10);
}

#[test]
fn ret_1_ret_4_below_a_defaults_file_that_is_wrong_nothing_is_a_document() {
    let line = b"{\"body\":\"x\"}\n{\"body\":\"y\"}\n";
    let (documents, left) = read(&[
        ("defaults.json", br#"{"verified_at": "1970-01-02"}"#),
        ("a.md", b"text"),
        ("offers/defaults.json", br#"{"expires_at": "1970-01-03",}"#),
        ("offers/b.md", b"text"),
        ("offers/c.jsonl", line),
        ("offers/d.png", b"\x89PNG"),
        ("offers/deep/defaults.json", br#"{"source": "the shop"}"#),
        ("offers/deep/e.html", b"<meta name=verified_at content=1970-01-02><p>text"),
        ("z/f.md", b"text"),
    ]);
    assert_eq!(documents.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a", "z/f"], "what others say holds");
    let below = |place: &str| left.iter().any(|it| it.0 == place && it.1.contains("`offers/defaults.json` is wrong"));
    assert!(["offers/b.md", "offers/c.jsonl", "offers/deep/e.html"].into_iter().all(below), "{left:?}");
    assert!(left[0].0 == "offers/defaults.json" && left.len() == 5, "each is named once: {left:?}");
    assert!(Why::Below(String::new()).is_wrong());
}

#[test]
fn ret_4_a_line_that_is_too_long_is_named_and_those_behind_it_are_read() {
    let line = |id: &str, size: usize| {
        let (head, tail) = (format!(r#"{{"id":"{id}","verified_at":"1970-01-02","body":""#), "\"}\n");
        format!("{head}{}{tail}", "x".repeat(size - head.len() - tail.len() + 1))
    };
    let lines = [line("a", 100), line("b", MAX_LINE), line("c", MAX_LINE + 1), line("d", 3 * MAX_LINE), line("e", 100)];
    let (documents, left) =
        read(&[("a.jsonl", lines.concat().as_bytes()), ("b.jsonl", lines[3].trim_end().as_bytes())]);
    assert_eq!(documents.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a", "b", "e"]);
    let large = |place: &str| (place.to_owned(), "it has more than 4 MiB".to_owned());
    assert_eq!(left, ["a.jsonl:3", "a.jsonl:4", "b.jsonl:1"].map(large));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let large = vec![b'a'; (MAX_FILE + 1) as usize];
    let (documents, left) = read(&[("a.md", &large)]);
    assert_eq!((documents.len(), left[0].1.as_str()), (0, "it has more than 4 MiB"));
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let (found, left) = Folder { path: "/nowhere/at/all".into(), language: Language::of("en") }.list();
    assert!(found.is_empty() && left[0].place == "." && left[0].why.is_wrong());
}

#[test]
fn a_key_that_would_say_how_long_a_document_holds_is_not_passed_over() {
    let (documents, left) = read(&[
        ("a.md", b"---\nverified_at: 1970-01-02\nexpires: 1970-01-03\ntags: x\n---\ntext"),
        ("b.html", b"<meta name=verified-at content=1970-01-02><p>text"),
        ("c.jsonl", b"{\"body\":\"x\",\"verified_at\":\"1970-01-02\",\"expiry\":1}"),
        ("d/defaults.json", b"{\"verified_at\": \"1970-01-02\", \"Expires_At\": \"1970-01-03\"}"),
        ("e.md", b"---\nverified_at: 1970-01-02\ndate: 1970-01-03\n---\ntext"),
    ]);
    assert_eq!(documents.len(), 1, "other keys are somebody else's");
    let keys: Vec<_> =
        left.iter().map(|(place, why)| (place.as_str(), why.split('`').nth(1).unwrap_or_default())).collect();
    let expected =
        [("d/defaults.json", "Expires_At"), ("a.md", "expires"), ("b.html", "verified-at"), ("c.jsonl:1", "expiry")];
    assert_eq!(keys, expected);
}
