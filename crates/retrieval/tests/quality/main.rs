//! The support chat's questions, put to its help centre: what is found, and what is declined, by words, and by words and meaning.
//!
//! The numbers stand in the pages beside the questions and in the example's; `EVENKEEL_BLESS=1` writes all of them there, otherwise
//! they must be what comes out. What is found by meaning is held to within [`NEAR`] questions: another processor rounds otherwise.

mod embedder;
mod page;

use std::{
    fs,
    path::{Path, PathBuf},
};

use embedder::MiniLm;
use evenkeel_retrieval::{Asked, Embedder, Folder, Index, Language, Measured, Synonyms, With, build};
use page::{Page, rows, summary};

/// In 2030: nothing of the help centre expires.
const NOW: i64 = 1_900_000_000;
/// Questions by which what is found by meaning may be another than the page says.
const NEAR: u32 = 2;

/// What is wanted of the set that judges, by words and meaning: the shares of answers among the first three, and of what none answers
/// declined.
const WANTED: f64 = 0.85;

/// A set of questions: its name, and its files.
type Set = (&'static str, &'static [&'static str]);

/// The pages in `questions`, each with its sets. The last was put to the search last.
const PAGES: [(&str, &[Set]); 4] = [
    ("", &[("first set", &["in-corpus", "off-topic"]), ("near misses", &["near-miss"])]),
    ("held-back-2", &[("held back a second time", &["in-corpus", "off-topic"])]),
    ("held-back-3", &[("held back a third time", &["in-corpus", "off-topic"])]),
    ("held-back-4", &[("held back a fourth time", &["in-corpus", "off-topic"])]),
];

/// The help centre's index, and who says what a question means, where it is asked.
struct HelpCentre {
    example: PathBuf,
    min_score: f64,
    index: Index,
    embedder: Option<MiniLm>,
    /// Where the index is, as long as this is.
    _folder: tempfile::TempDir,
}

impl HelpCentre {
    fn build(mut embedder: Option<MiniLm>) -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/support-chat");
        let folder = tempfile::tempdir().expect("a folder");
        let from = Folder { path: example.join("help-centre"), language: Language::of("en") };
        let synonyms = fs::read_to_string(example.join("synonyms.txt")).expect("synonyms");
        let synonyms = Synonyms::parse(&synonyms).expect("synonyms");
        let with = With { synonyms, embedder: embedder.as_mut().map(|it| it as &mut dyn Embedder), ..With::default() };
        let built = build(&from, folder.path(), with, |_| {}).expect("an index");
        assert_eq!((built.documents, built.left.len()), (388, 0), "every document is read: {:?}", built.left);
        let yaml = fs::read_to_string(example.join("evenkeel.yaml")).expect("the configuration");
        let score = yaml.split("min_score: ").nth(1).and_then(|rest| rest.split([',', '}']).next());
        let min_score = score.and_then(|it| it.parse().ok()).expect("a score");
        let index = Index::open(folder.path()).expect("whole");
        Self { example, min_score, index, embedder, _folder: folder }
    }

    fn ask(&mut self, folder: &str, files: &[&str]) -> Measured {
        let mut measured = Measured::default();
        for file in files {
            let path = self.example.join("questions").join(folder).join(format!("{file}.jsonl"));
            let questions = Asked::read(&fs::read_to_string(path).expect("questions")).expect("questions");
            for asked in &questions {
                let question = std::slice::from_ref(&asked.question);
                let vector = self.embedder.as_mut().and_then(|it| it.embed(question).expect("embedded").pop());
                let hits = self.index.search_with((&asked.question, vector.as_deref()), NOW, 3).expect("searched");
                if std::env::var_os("EVENKEEL_SHOW").is_some() {
                    let found: Vec<_> = hits.iter().map(|hit| format!("{:.3} {}", hit.confidence, hit.id)).collect();
                    println!("{} {:?} {found:?}", asked.question, asked.documents);
                }
                measured.count(asked, &hits, self.min_score);
            }
        }
        measured
    }

    /// Holds every page against what comes out; `by` names the marks and the rows.
    fn is_as_the_pages_say(&mut self, by: &str, near: u32) {
        for (folder, sets) in PAGES {
            let mut table = String::new();
            for (name, files) in sets {
                let measured = self.ask(folder, files);
                table += &rows(name, &measured);
                if folder == PAGES[PAGES.len() - 1].0 {
                    let shares = [(measured.among_three, measured.asked), (measured.declined, measured.off)];
                    let least = shares.map(|(of, all)| f64::from(of) / f64::from(all)).into_iter().fold(1.0, f64::min);
                    assert!(least >= WANTED || self.embedder.is_none(), "{by}: {measured:?}");
                    Page(self.example.join("README.md")).holds(by, &summary(&measured), near);
                }
            }
            Page(self.example.join("questions").join(folder).join("README.md")).holds(by, &page::table(&table), near);
        }
    }
}

#[test]
fn what_is_found_by_words_is_what_the_pages_say() {
    HelpCentre::build(None).is_as_the_pages_say("by words", 0);
}

#[test]
fn what_is_found_by_meaning_too_is_what_the_pages_say() {
    let Some(embedder) = MiniLm::start() else { return };
    HelpCentre::build(Some(embedder)).is_as_the_pages_say("by words and meaning", NEAR);
}
