//! Small indexes, and what is found in them.

mod otherwise;

use std::{fs, path::Path};

use super::*;
use crate::{Built, Folder, With, build};

pub(crate) const DAY: Moment = 86_400;

pub(crate) fn write(folder: &Path, lines: &[&str]) {
    fs::write(folder.join("documents.jsonl"), lines.join("\n")).expect("written");
}

pub(crate) fn built(from: &Path, index: &Path) -> Built {
    let folder = Folder { path: from.into(), language: Language::of("en") };
    build(&folder, index, With::default(), |_| {}).expect("an index")
}

fn ids(index: &Index, question: &str, now: Moment) -> Vec<String> {
    index.search(question, now, 10).expect("searched").into_iter().map(|it| it.id).collect()
}

fn open(lines: &[&str]) -> (Index, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("documents")).expect("made");
    write(&folder.path().join("documents"), lines);
    let at = folder.path().join("index");
    built(&folder.path().join("documents"), &at);
    (Index::open(&at).expect("whole"), folder)
}

const SHOP: [&str; 5] = [
    r#"{"id":"return","title":"Returns: how to send something back","body":"You may return what you bought within 30 days.\n\nPrint the label and bring the parcel to a shop.","verified_at":"1970-01-01"}"#,
    r#"{"id":"pay","title":"Payment","body":"We take cards and invoices. An invoice is due within 14 days.","verified_at":"1970-01-01"}"#,
    r#"{"id":"old","title":"Payment by cheque","body":"Cheques are taken until the end of the year.","verified_at":"1970-01-01","expires_at":"1970-01-11"}"#,
    r#"{"id":"soon","title":"Payment by phone","body":"You can pay by phone.","verified_at":"1970-01-21"}"#,
    r#"{"id":"zahlung","title":"Bezahlung","body":"Rechnungen sind innerhalb von 14 Tagen zu bezahlen.","verified_at":"1970-01-01","language":"de"}"#,
];

#[test]
fn what_is_asked_is_found_in_the_words_of_its_language() {
    let (index, _folder) = open(&SHOP);
    let first = |question| ids(&index, question, DAY).into_iter().next();
    for (question, expected) in [
        ("how can I send back something I bought?", Some("return")),
        ("Which cards do you take?", Some("pay")),
        ("Wann muss ich die Rechnung bezahlen?", Some("zahlung")),
        ("quantum chromodynamics", None),
        ("how do I", None),
        ("", None),
    ] {
        assert_eq!(first(question).as_deref(), expected, "{question}");
    }
}

#[test]
fn ret_1_what_expired_or_is_not_verified_yet_is_never_found() {
    let (index, _folder) = open(&SHOP);
    let found = |now| {
        let mut found = ids(&index, "payment by cheque or phone", now);
        found.sort();
        found
    };
    assert_eq!(found(-1), [""; 0], "nobody had verified anything");
    assert_eq!(found(0), ["old", "pay"]);
    assert_eq!(found(10 * DAY - 1), ["old", "pay"]);
    assert_eq!(found(10 * DAY), ["pay"], "it has expired");
    assert_eq!(found(20 * DAY), ["pay", "soon"]);
}

#[test]
fn ret_1_what_is_valid_is_found_behind_any_number_that_fits_better_and_has_expired() {
    let expired = |at| {
        format!(
            r#"{{"id":"x{at}","title":"Payment","body":"payment payment","verified_at":"1970-01-01","expires_at":"1970-01-02"}}"#
        )
    };
    let mut lines: Vec<_> = (0..400).map(expired).collect();
    lines.push(
        r#"{"id":"valid","title":"Other","body":"one word of many is payment","verified_at":"1970-01-01"}"#.into(),
    );
    let (index, _folder) = open(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ids(&index, "payment", 2 * DAY), ["valid"]);
}

/// A document, and what users ask that it answers.
fn asked(id: &str, questions: &str) -> String {
    let said = r#""title":"Claims","body":"Form 7 is to be handed in at a counter.","verified_at":"1970-01-01""#;
    format!(r#"{{"id":"{id}",{said},"questions":[{questions}]}}"#)
}

#[test]
fn a_document_is_found_by_the_words_of_a_question_that_it_answers() {
    let question = "my kettle arrived in pieces";
    let found = |questions: &str| {
        let (index, _folder) = open(&[&asked("claim", questions), SHOP[0], SHOP[1]]);
        let hits = index.search(question, DAY, 3).expect("searched");
        hits.into_iter().map(|hit| (hit.id, hit.confidence)).find(|it| it.0 == "claim").map_or(0.0, |it| it.1)
    };
    let (none, apart, whole) =
        (found(""), found(r#""a kettle","it arrived in many small pieces""#), found(r#""kettle arrived in pieces""#));
    assert_eq!(none, 0.0, "none of the words are in its text");
    assert!(0.0 < apart && apart < whole && whole > 0.5, "a question that is the same is surer: {apart} {whole}");
}

#[test]
fn what_is_quoted_is_the_text_and_not_a_question_that_it_answers() {
    let (index, _folder) = open(&[&asked("claim", r#""my kettle arrived in pieces""#), SHOP[0]]);
    let hits = index.search("kettle in pieces", DAY, 1).expect("searched");
    assert_eq!((&*hits[0].title, &*hits[0].passage), ("Claims", "Form 7 is to be handed in at a counter."));
}

#[test]
fn a_hit_has_the_passage_that_fits_and_says_where_it_is_from() {
    let filler = "Nothing of interest stands here, and that for quite a while. ".repeat(20);
    let body = format!("{filler}\\n\\nThe warranty of a kettle ends after two years.\\n\\n{filler}");
    let line = format!(
        r#"{{"id":"k","title":"Kettles","body":"{body}","verified_at":"1970-01-02","source":"http://shop/k"}}"#
    );
    let (index, _folder) = open(&[&line, SHOP[1]]);
    let hits = index.search("When does the warranty of my kettle end?", DAY, 1).expect("searched");
    let [hit] = hits.as_slice() else { panic!("{hits:?}") };
    assert!(hit.passage.starts_with("The warranty") && hit.passage.len() < 1_700, "{}", hit.passage);
    assert_eq!((hit.source.as_str(), hit.verified_at), ("http://shop/k", DAY));
}

#[test]
fn ret_5_what_the_documents_do_not_know_lowers_the_confidence() {
    let (index, _folder) = open(&SHOP);
    let confidence =
        |question| index.search(question, DAY, 1).expect("searched").first().map_or(0.0, |it| it.confidence);
    let (plain, strange) =
        (confidence("return within 30 days"), confidence("return a quantum harpsichord within 30 days"));
    assert!(0.5 < plain && plain <= 1.0 && strange < plain, "{plain} {strange}");
}

#[test]
fn a_page_that_is_pasted_into_a_chat_is_searched_in_bounded_time() {
    let (index, _folder) = open(&SHOP);
    let page = (0..200_000).map(|at| format!("w{at} ")).collect::<String>() + "payment";
    assert!(ids(&index, &page, DAY).is_empty(), "its end is not read");
}
