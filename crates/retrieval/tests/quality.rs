//! The support chat's questions, put to its help centre: what is found, and what is declined.
//!
//! The numbers stand in `examples/support-chat/questions/README.md`; `EVENKEEL_BLESS=1` writes them there, otherwise they must be what
//! comes out. Only the half that is held back is held to anything: the other one was looked at while the search was made. That a
//! document that answers is among the first three is wanted of 0.85 of the questions, and not reached: the page says so.

use std::{fmt::Write as _, fs, path::Path};

use evenkeel_retrieval::{Folder, Index, Language, build};
use serde::Deserialize;

/// What `examples/support-chat/evenkeel.yaml` says.
const MIN_SCORE: f64 = 0.5;
/// In 2030: nothing of the help centre expires.
const NOW: i64 = 1_900_000_000;

#[derive(Deserialize)]
struct Asked {
    question: String,
    #[serde(default)]
    documents: Vec<String>,
}

/// Counts of one half.
#[derive(Debug, Default)]
struct Half {
    asked: u32,
    first: u32,
    three: u32,
    answered: u32,
    off: u32,
    declined: u32,
}

impl Half {
    fn of(index: &Index, folder: &Path, is_held_back: bool) -> Self {
        let mut half = Self::default();
        for (name, is_off) in [("in-corpus", false), ("off-topic", true)] {
            let text = fs::read_to_string(folder.join(format!("{name}.jsonl"))).expect("questions");
            // Lines are counted from one: odd ones are for tuning.
            for line in text.lines().skip(usize::from(is_held_back)).step_by(2) {
                let asked: Asked = serde_json::from_str(line).expect("a question");
                let hits = index.search(&asked.question, NOW, 3).expect("searched");
                let is_answered = hits.first().is_some_and(|hit| hit.confidence >= MIN_SCORE);
                let found = hits.iter().position(|hit| asked.documents.contains(&hit.id));
                if is_off {
                    half.off += 1;
                    half.declined += u32::from(!is_answered);
                } else {
                    half.asked += 1;
                    half.first += u32::from(found == Some(0));
                    half.three += u32::from(found.is_some());
                    half.answered += u32::from(is_answered);
                }
            }
        }
        half
    }

    fn rows(&self, name: &str) -> String {
        let mut rows = String::new();
        for (what, of, all) in [
            ("a document that answers is among the first three (recall@3)", self.three, self.asked),
            ("it is the first", self.first, self.asked),
            ("a question that documents answer is answered", self.answered, self.asked),
            ("a question that none answers is declined", self.declined, self.off),
        ] {
            let (low, high) = wilson(of, all);
            let share = f64::from(of) / f64::from(all);
            writeln!(rows, "| {name} | {what} | {of} of {all} | {share:.3} | {low:.3} to {high:.3} |")
                .expect("written");
        }
        rows
    }
}

/// Returns the 95 % interval of a share (E. B. Wilson, 1927).
fn wilson(of: u32, all: u32) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let (n, p) = (f64::from(all), f64::from(of) / f64::from(all));
    let middle = p + Z * Z / (2.0 * n);
    let width = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    ((middle - width) / whole, (middle + width) / whole)
}

/// Where the table stands in the page.
const MARKS: [&str; 2] = ["<!-- measured -->\n", "<!-- end -->"];

#[test]
fn questions_that_are_held_back_are_answered_from_the_documents_or_declined() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat");
    let folder = tempfile::tempdir().expect("a folder");
    let from = Folder { path: example.join("help-centre"), language: Language::of("en") };
    let built = build(&from, folder.path(), |_| {}).expect("an index");
    assert_eq!((built.documents, built.left.len()), (388, 0), "every document is read: {:?}", built.left);
    let index = Index::open(folder.path()).expect("whole");
    let half = |is_held_back| Half::of(&index, &example.join("questions"), is_held_back);
    let (tuning, held_back) = (half(false), half(true));
    let table = format!(
        "| half | what | of | share | 95 % interval (Wilson) |\n|---|---|---|---|---|\n{}{}",
        held_back.rows("held back"),
        tuning.rows("tuning")
    );
    println!("{table}");
    is_in(&example.join("questions/README.md"), &table);
    assert!(held_back.declined * 100 >= held_back.off * 85, "≥ 0.85 declined: {held_back:?}");
}

/// Holds a page against a table, or writes it there.
fn is_in(page: &Path, table: &str) {
    let text = fs::read_to_string(page).expect("the page");
    let (head, rest) = text.split_once(MARKS[0]).expect("the mark where the table begins");
    let (old, tail) = rest.split_once(MARKS[1]).expect("the mark where it ends");
    if std::env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(page, [head, MARKS[0], table, MARKS[1], tail].concat()).expect("written");
    } else {
        assert_eq!(old, table, "EVENKEEL_BLESS=1 cargo test -p evenkeel-retrieval --test quality writes it");
    }
}
