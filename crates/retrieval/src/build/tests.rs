//! Builds upon builds, and what must not be built upon.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::store::DOCUMENTS;
use crate::{
    Index, Language,
    index::tests::{DAY, built, write},
};

fn line(id: &str, body: &str) -> String {
    format!(r#"{{"id":"{id}","title":"About {id}","body":"{body}","verified_at":"1970-01-01"}}"#)
}

fn counts(it: &Built) -> [u64; 5] {
    [it.documents, it.added, it.changed, it.removed, it.kept]
}

struct Place {
    folder: tempfile::TempDir,
    documents: PathBuf,
    index: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let (documents, index) = (folder.path().join("documents"), folder.path().join("index"));
    fs::create_dir(&documents).expect("made");
    Place { folder, documents, index }
}

fn all(index: &Path, question: &str) -> Vec<crate::Hit> {
    Index::open(index).expect("whole").search(question, DAY, 10).expect("searched")
}

#[test]
fn what_has_not_changed_is_not_indexed_again() {
    let it = place();
    write(&it.documents, &[&line("a", "apple"), &line("b", "banana"), &line("c", "cherry")]);
    assert_eq!(counts(&built(&it.documents, &it.index)), [3, 3, 0, 0, 0]);
    let before = fs::read(it.index.join(FILE)).expect("read");
    assert_eq!(counts(&built(&it.documents, &it.index)), [3, 0, 0, 0, 3]);
    assert_eq!(fs::read(it.index.join(FILE)).expect("read"), before, "nothing has changed, so nothing is named anew");
    write(&it.documents, &[&line("a", "apple"), &line("b", "blueberry"), &line("d", "date")]);
    assert_eq!(counts(&built(&it.documents, &it.index)), [3, 1, 1, 1, 1]);
    assert_eq!(all(&it.index, "apple").len(), 1);
    assert!(all(&it.index, "banana").is_empty() && all(&it.index, "cherry").is_empty(), "what is gone is not found");
    let generations = fs::read_dir(&it.index).expect("listed").count();
    assert_eq!(generations, 2, "the file and one generation");
}

#[test]
fn ret_3_a_damaged_index_is_refused_and_built_anew() {
    let it = place();
    write(&it.documents, &[&line("a", "apple")]);
    built(&it.documents, &it.index);
    let (header, _) = Header::read(&it.index).expect("whole");
    for name in header.files() {
        let path = header.folder(&it.index).join(name);
        let whole = fs::read(&path).expect("read");
        let mut damaged = whole.clone();
        if let Some(byte) = damaged.last_mut() {
            *byte ^= 1;
        }
        for broken in [Some(damaged), whole.get(1..).map(<[u8]>::to_vec), None]
            .into_iter()
            .filter(|it| it.as_ref() != Some(&whole))
        {
            // The generations before share their files.
            fs::remove_file(&path).expect("removed");
            if let Some(broken) = broken {
                fs::write(&path, broken).expect("written");
            }
            let refused = Index::open(&it.index).expect_err("damaged").to_string();
            assert!(refused.contains("is damaged") && refused.contains(name), "{refused}");
            fs::write(&path, &whole).expect("written");
        }
    }
    fs::write(header.folder(&it.index).join(DOCUMENTS), "").expect("written");
    let again = built(&it.documents, &it.index);
    assert!(
        again.anew.as_ref().is_some_and(|why| why.contains("damaged")) && counts(&again) == [1, 1, 0, 0, 0],
        "{again:?}"
    );
    assert_eq!(all(&it.index, "apple").len(), 1);
}

#[test]
fn ret_3_what_is_no_index_is_refused_with_words() {
    let it = place();
    let refused = |index: &Path| Index::open(index).expect_err("refused").to_string();
    assert!(refused(&it.index).contains("`evenkeel index build` makes it"));
    fs::create_dir(&it.index).expect("made");
    for (text, part) in [
        ("{}", "is no index of Evenkeel"),
        ("text", "is no index of Evenkeel"),
        (r#"{"kind": "evenkeel-index", "format": 99}"#, "is of version 99"),
        (r#"{"kind": "evenkeel-index", "format": 1}"#, "is of version 1, and this Evenkeel reads 2: build it again"),
        (r#"{"kind": "evenkeel-index", "format": 2}"#, "is damaged"),
        (
            r#"{"kind":"evenkeel-index","format":2,"documents":1,"languages":{},"generation":1,"files":{"../x":{"bytes":1,"sha256":""}}}"#,
            "no name of a file",
        ),
    ] {
        fs::write(it.index.join(FILE), text).expect("written");
        assert!(refused(&it.index).contains(part), "{text}: {}", refused(&it.index));
    }
}

#[test]
fn build_1_a_folder_of_something_else_is_not_touched() {
    let it = place();
    write(&it.documents, &[&line("a", "apple")]);
    let folder = Folder { path: it.documents.clone(), language: Language::of("en") };
    for name in ["a.txt", FILE] {
        let other = it.folder.path().join(format!("other-{name}"));
        fs::create_dir(&other).expect("made");
        fs::write(other.join(name), "mine").expect("written");
        assert!(matches!(build(&folder, &other, With::default(), |_| {}), Err(BuildError::Taken(_))), "{name}");
        assert_eq!(fs::read_dir(&other).expect("listed").count(), 1, "{name}");
    }
    fs::write(it.documents.join("documents.jsonl"), "").expect("written");
    assert!(matches!(build(&folder, &it.index, With::default(), |_| {}), Err(BuildError::Nothing(..))));
}

#[test]
fn two_documents_of_one_id_are_one_and_a_reason() {
    let it = place();
    write(&it.documents, &[&line("a", "apple"), &line("a", "pear")]);
    let built = built(&it.documents, &it.index);
    assert_eq!((built.documents, built.left.len()), (1, 1));
    assert_eq!(built.left[0].why.to_string(), "its id `a` is that of documents.jsonl:1");
    assert!(all(&it.index, "pear").is_empty());
}

#[test]
fn one_builds_at_a_time() {
    let it = place();
    write(&it.documents, &[&line("a", "apple")]);
    fs::create_dir(&it.index).expect("made");
    let held = File::create(it.index.join(LOCK)).expect("made");
    held.lock().expect("locked");
    let folder = Folder { path: it.documents.clone(), language: Language::of("en") };
    assert!(matches!(build(&folder, &it.index, With::default(), |_| {}), Err(BuildError::Busy(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn ret_2_built_step_by_step_or_at_once_an_index_answers_alike(
        steps in prop::collection::vec(prop::collection::btree_map("[a-e]", "(apple|pear|plum|fig)( apple| pear| plum){0,3}", 1..5), 1..4),
    ) {
        let it = place();
        for step in &steps {
            let lines: Vec<_> = step.iter().map(|(id, body)| line(id, body)).collect();
            write(&it.documents, &lines.iter().map(String::as_str).collect::<Vec<_>>());
            built(&it.documents, &it.index);
        }
        let fresh = it.folder.path().join("fresh");
        built(&it.documents, &fresh);
        for question in ["apple", "pear plum", "about fig", "b"] {
            prop_assert_eq!(all(&it.index, question), all(&fresh, question));
        }
    }
}
