//! What is found although the question says it otherwise: by synonyms, by meaning, with a slip.

use super::*;
use crate::{Embedder, Synonyms};

/// Says that texts about money mean one thing, those about parcels another, and all else a third.
struct Topics(&'static str);

fn topic(text: &str) -> Vec<f32> {
    let has = |words: &[&str]| words.iter().any(|word| text.to_lowercase().contains(word));
    let mut vector = vec![0.1, 0.1, 0.1];
    vector[match (has(&["invoice", "money", "cheque"]), has(&["parcel", "courier"])) {
        (true, _) => 0,
        (_, true) => 1,
        _ => 2,
    }] = 3.0;
    vector
}

impl Embedder for Topics {
    fn model(&self) -> &str {
        self.0
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        Ok(texts.iter().map(|text| topic(text)).collect())
    }
}

/// Counts what it is asked, and can fail.
struct Counting(usize, bool);

impl Embedder for Counting {
    fn model(&self) -> &str {
        "topics"
    }

    fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        self.0 += texts.len();
        if self.1 { Err("it is down".into()) } else { Topics("topics").embed(texts) }
    }
}

struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("documents")).expect("made");
        write(&folder.path().join("documents"), &SHOP);
        Self { folder }
    }

    fn build(&self, with: With<'_>) -> Result<Built, crate::BuildError> {
        let folder = Folder { path: self.folder.path().join("documents"), language: Language::of("en") };
        build(&folder, &self.folder.path().join("index"), with, |_| {})
    }

    fn open(&self) -> Index {
        Index::open(&self.folder.path().join("index")).expect("whole")
    }
}

fn first(index: &Index, question: (&str, Option<&[f32]>), now: Moment) -> Option<String> {
    index.search_with(question, now, 10).expect("searched").into_iter().next().map(|hit| hit.id)
}

#[test]
fn synonyms_find_what_is_said_otherwise_and_what_is_said_as_asked_comes_first() {
    let shop = Shop::new();
    let built = shop.build(With::default()).expect("an index");
    assert_eq!((built.added, first(&shop.open(), ("a refund for my order", None), DAY)), (5, None));
    let synonyms = Synonyms::parse("refund, money back => return, send back\nbill => invoice").expect("synonyms");
    let before = shop.open().digest();
    let built = shop.build(With { synonyms: synonyms.clone(), ..With::default() }).expect("an index");
    assert_eq!((built.kept, built.added), (5, 0), "no document is indexed again");
    let index = shop.open();
    assert_ne!(index.digest(), before, "an index with other synonyms is another index");
    assert_eq!(first(&index, ("I want my money back", None), DAY).as_deref(), Some("return"));
    let confidence = |question| index.search(question, DAY, 1).expect("searched")[0].confidence;
    assert!(confidence("my bill") <= confidence("my invoice"));
    shop.build(With { synonyms, ..With::default() }).expect("an index");
    assert_eq!(shop.open().digest(), index.digest(), "nothing has changed");
    shop.build(With::default()).expect("an index");
    assert_eq!(first(&shop.open(), ("a refund", None), DAY), None, "they are gone again");
}

#[test]
fn a_slip_of_the_pen_finds_what_was_meant() {
    let shop = Shop::new();
    shop.build(With::default()).expect("an index");
    let index = shop.open();
    for question in ["can I pay by invocie", "the invoicce"] {
        assert_eq!(first(&index, (question, None), DAY).as_deref(), Some("pay"), "{question}");
    }
    let hit = &index.search("invocie", DAY, 1).expect("searched")[0];
    assert!(hit.confidence < index.search("invoice", DAY, 1).expect("searched")[0].confidence);
}

#[test]
fn what_a_question_means_finds_documents_that_share_no_word_with_it_and_are_valid() {
    let shop = Shop::new();
    shop.build(With { embedder: Some(&mut Topics("topics")), ..With::default() }).expect("an index");
    let index = shop.open();
    assert_eq!(index.model(), Some("topics"));
    let question = "where does the courier go";
    assert_eq!(first(&index, (question, None), DAY), None, "no word of it is there");
    assert_eq!(first(&index, (question, Some(&topic(question))), DAY).as_deref(), Some("return"));
    let found = |now| {
        let hits = index.search_with(("money", Some(&topic("money"))), now, 10).expect("searched");
        hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    assert_eq!(&found(DAY)[..2], ["old", "pay"]);
    assert_eq!(&found(11 * DAY)[..1], ["pay"], "RET-1: what has expired is not found by what it means either");
    for wrong in [&[1.0][..], &[0.0, 0.0, 0.0]] {
        assert!(index.search_with(("money", Some(wrong)), DAY, 1).is_err());
    }
}

#[test]
fn what_a_question_means_finds_the_document_that_answers_one_that_means_the_same() {
    let shop = Shop::new();
    let asked =
        SHOP.map(|line| line.replace(r#""id":"pay","#, r#""id":"pay","questions":["a parcel that is unpaid"],"#));
    write(&shop.folder.path().join("documents"), &asked.each_ref().map(|line| &**line));
    let mut counting = Counting(0, false);
    shop.build(With { embedder: Some(&mut counting), ..With::default() }).expect("an index");
    assert_eq!(counting.0, 6, "a passage each, and a question");
    let question = "where does the courier go";
    let hits = shop.open().search_with((question, Some(&topic(question))), DAY, 10).expect("searched");
    let near: Vec<_> = hits.iter().take(2).map(|hit| &*hit.id).collect();
    assert_eq!(near, ["return", "pay"], "of two that are as near, the one that is so without a question is surer");
    assert!(hits[1].confidence > hits[2].confidence + 0.1, "{hits:?}");
}

#[test]
fn what_has_not_changed_is_not_embedded_again_and_an_embedder_that_fails_leaves_the_index_as_it_was() {
    let shop = Shop::new();
    let embed = |embedder: &mut dyn Embedder| shop.build(With { embedder: Some(embedder), ..With::default() });
    let mut counting = Counting(0, false);
    embed(&mut counting).expect("an index");
    assert_eq!(counting.0, 5, "a passage each");
    let digest = shop.open().digest();
    embed(&mut counting).expect("an index");
    assert_eq!((counting.0, shop.open().digest()), (5, digest));
    let changed = SHOP.map(|line| line.replace("by phone", "by telephone"));
    write(&shop.folder.path().join("documents"), &changed.each_ref().map(|line| &**line));
    assert!(embed(&mut Counting(0, true)).expect_err("it fails").to_string().contains("it is down"));
    assert_eq!(shop.open().digest(), digest);
    embed(&mut counting).expect("an index");
    assert_eq!(counting.0, 6, "one document is another");
    let other = embed(&mut Topics("others")).expect("an index");
    assert_eq!((other.kept, shop.open().model()), (5, Some("others")), "another model makes all anew");
    shop.build(With::default()).expect("an index");
    assert_eq!(shop.open().model(), None);
}

#[test]
fn an_index_built_step_by_step_has_the_vectors_of_its_documents() {
    let shop = Shop::new();
    let step = |lines: &[&str]| {
        write(&shop.folder.path().join("documents"), lines);
        shop.build(With { embedder: Some(&mut Topics("topics")), ..With::default() }).expect("an index");
    };
    step(&SHOP[1..3]);
    step(&SHOP);
    let index = shop.open();
    for question in ["the courier", "money", "anything"] {
        let vector = topic(question);
        let hits = |index: &Index| index.search_with((question, Some(&vector)), DAY, 10).expect("searched");
        let stepped: Vec<_> = hits(&index).into_iter().map(|hit| (hit.id, hit.confidence)).collect();
        let other = Shop::new();
        other.build(With { embedder: Some(&mut Topics("topics")), ..With::default() }).expect("an index");
        let once: Vec<_> = hits(&other.open()).into_iter().map(|hit| (hit.id, hit.confidence)).collect();
        assert_eq!(stepped, once, "RET-2");
    }
}
