//! The support chat's questions, put to its help centre: what is found, and what is declined.
//!
//! The numbers stand in the `README.md` beside the questions; `EVENKEEL_BLESS=1` writes them there, otherwise they must be what comes
//! out. The search was tuned on the questions of `questions`; those of `questions/held-back-2` were put to it once, when it was frozen.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use evenkeel_retrieval::{Folder, Index, Language, Synonyms, With, build};
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

/// Counts of some questions.
#[derive(Debug, Default)]
struct Counts {
    asked: u32,
    first: u32,
    three: u32,
    answered: u32,
    off: u32,
    declined: u32,
}

impl Counts {
    /// Puts the questions of some files to an index.
    fn of(index: &Index, folder: &Path, names: &[&str]) -> Self {
        let mut counts = Self::default();
        for name in names {
            let text = fs::read_to_string(folder.join(format!("{name}.jsonl"))).expect("questions");
            for line in text.lines() {
                counts.ask(index, &serde_json::from_str(line).expect("a question"));
            }
        }
        counts
    }

    fn ask(&mut self, index: &Index, asked: &Asked) {
        let hits = index.search(&asked.question, NOW, 3).expect("searched");
        let is_answered = hits.first().is_some_and(|hit| hit.confidence >= MIN_SCORE);
        if std::env::var_os("EVENKEEL_SHOW").is_some() {
            let found: Vec<_> = hits.iter().map(|hit| format!("{:.3} {}", hit.confidence, hit.id)).collect();
            println!("{} {:?} {found:?}", asked.question, asked.documents);
        }
        if asked.documents.is_empty() {
            self.off += 1;
            self.declined += u32::from(!is_answered);
            return;
        }
        let found = hits.iter().position(|hit| asked.documents.contains(&hit.id));
        self.asked += 1;
        self.first += u32::from(found == Some(0));
        self.three += u32::from(found.is_some());
        self.answered += u32::from(is_answered);
    }

    fn rows(&self, name: &str) -> String {
        let mut rows = String::new();
        for (what, of, all) in [
            ("a document that answers is among the first three (recall@3)", self.three, self.asked),
            ("it is the first", self.first, self.asked),
            ("a question that documents answer is answered", self.answered, self.asked),
            ("a question that none answers is declined", self.declined, self.off),
        ] {
            if all == 0 {
                continue;
            }
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

const HEAD: &str = "| questions | what | of | share | 95 % interval (Wilson) |\n|---|---|---|---|---|\n";

/// Returns the folder of the questions, and the index of the help centre, which is gone with the last of the three.
fn help_centre() -> (PathBuf, Index, tempfile::TempDir) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat");
    let folder = tempfile::tempdir().expect("a folder");
    let from = Folder { path: example.join("help-centre"), language: Language::of("en") };
    let synonyms = fs::read_to_string(example.join("synonyms.txt")).expect("synonyms");
    let with = With { synonyms: Synonyms::parse(&synonyms).expect("synonyms"), ..With::default() };
    let built = build(&from, folder.path(), with, |_| {}).expect("an index");
    assert_eq!((built.documents, built.left.len()), (388, 0), "every document is read: {:?}", built.left);
    (example.join("questions"), Index::open(folder.path()).expect("whole"), folder)
}

#[test]
fn the_search_is_tuned_as_the_page_says() {
    let (questions, index, _folder) = help_centre();
    let counts = |names| Counts::of(&index, &questions, names);
    let table = [counts(&["in-corpus", "off-topic"]).rows("first set"), counts(&["near-miss"]).rows("near misses")];
    is_in(&questions.join("README.md"), &[HEAD, &table.concat()].concat());
}

#[test]
fn questions_that_are_held_back_come_out_as_the_page_says() {
    let (questions, index, _folder) = help_centre();
    let folder = questions.join("held-back-2");
    let page = folder.join("README.md");
    if !fs::read_to_string(&page).expect("the page").contains(MARKS[0]) {
        return println!("they have not been put to the search yet");
    }
    let table = Counts::of(&index, &folder, &["in-corpus", "off-topic"]).rows("held back");
    is_in(&page, &[HEAD, &table].concat());
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
