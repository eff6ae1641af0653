//! Texts: judges documents that another search has found, by the formula by which the index judges its own (`confidence.rs`), so
//! that a `min_score` means the same wherever the documents are.
//!
//! Whoever has the documents says how many of them have a word, and how long each is. Here they are cut into words again, which
//! is what an index spares.
//!
//! # Invariants
//! - `RET-6`: a document has here the confidence that it has in an index of the same documents.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use tantivy::{fieldnorm::FieldNormReader, tokenizer::TextAnalyzer};

use crate::{
    closely::{best_passage, heading_of},
    confidence::{Length, by_both, by_words, idf, strength},
    document::{MOST_BODY, Moment, about},
    embedding::Background,
    index::{
        Hit, MOST_BYTES,
        asked::{Asked, shares},
    },
    language::{Language, words},
    question::{Weigh, asked},
    synonyms::{Others, Part, Synonyms, parts},
};

/// Words that a search gets, those of synonyms included.
const MOST_LOOKED_FOR: usize = 64;

/// Cuts texts of a language into words, as an index does.
pub struct Cutter(TextAnalyzer);

impl Cutter {
    /// Makes one for a language.
    pub fn new(language: Language) -> Self {
        Self(language.analyzer())
    }

    /// Returns the words of a text, in their order.
    pub fn words(&mut self, text: &str) -> Vec<String> {
        words(&mut self.0, text)
    }
}

/// What makes questions of texts, for the documents of one language.
pub struct Asker {
    language: Language,
    analyzer: TextAnalyzer,
    /// What leaves in the words that say nothing.
    plain: TextAnalyzer,
    others: Others,
}

impl Asker {
    /// Makes one for a language, in which users say some things otherwise than the documents.
    pub fn new(language: Language, synonyms: &Synonyms) -> Self {
        Self {
            language,
            analyzer: language.analyzer(),
            plain: language.plain(),
            others: Others::new(synonyms, language),
        }
    }

    /// Returns the language.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Cuts a question into its words, and into what says the same.
    pub fn ask(&self, question: &str) -> Question {
        let (mut plain, mut analyzer) = (self.plain.clone(), self.analyzer.clone());
        let question = &question[..question.floor_char_boundary(MOST_BYTES)];
        let parts = parts(question, (&mut plain, &mut analyzer), &self.others);
        Question { analyzer, parts, asked: Vec::new() }
    }
}

/// A question to the documents of one language.
pub struct Question {
    analyzer: TextAnalyzer,
    parts: Vec<Part>,
    asked: Vec<Asked>,
}

/// A document that may be an answer.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its name.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// Questions that it answers.
    pub questions: Vec<String>,
    /// Its text; what is beyond [`MOST_BODY`] is not looked at.
    pub body: String,
    /// Where it comes from.
    pub source: String,
    /// When it was verified.
    pub verified_at: Moment,
    /// Words of the title with the questions, and of the whole body.
    pub lengths: [u32; 2],
    /// The cosine of its passage, or of the question it answers, that is nearest to what the question means; none where it has no vectors.
    pub cosine: Option<f64>,
}

/// The documents among which one is judged.
#[derive(Clone, Debug, Default)]
pub struct Among {
    /// All of them, in every language.
    pub documents: u64,
    /// The words that a title with its questions has on average, and a body, in the language of the question.
    pub means: [f64; 2],
    /// How many documents of that language have a word in the title or the questions, or in the body, whichever are more, as far as it was counted.
    pub with: BTreeMap<String, u64>,
    /// How the cosines of their passages lie, where it counts what a question means.
    pub background: Option<Background>,
}

/// A word that is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The word.
    pub word: String,
    /// How many documents have it.
    pub documents: u64,
    /// What it weighs: its idf, less where it is not asked, but says the same.
    pub weight: f64,
}

/// The counts, and what was asked for and not counted.
struct Counted<'a> {
    among: &'a Among,
    missing: BTreeSet<String>,
}

impl Weigh for Counted<'_> {
    type Error = Infallible;

    fn weigh(&mut self, word: &str) -> Result<(f64, bool), Infallible> {
        let with = self.among.with.get(word).copied();
        if with.is_none() {
            self.missing.insert(word.to_owned());
        }
        let with = with.unwrap_or(0);
        Ok((idf(with, self.among.documents), with > 0))
    }
}

impl Question {
    /// Weighs what is asked; returns the words that have to be counted before that can be done, none when it is done. What no
    /// document has may have been written wrongly: then what else it may be is to be counted, too.
    pub fn weigh(&mut self, among: &Among) -> Vec<String> {
        let said = self.parts.iter().flat_map(|part| part.own.iter().chain(part.others.iter().flatten()));
        let missing: BTreeSet<_> = said.filter(|word| !among.with.contains_key(*word)).cloned().collect();
        if !missing.is_empty() {
            return missing.into_iter().collect();
        }
        let mut counted = Counted { among, missing };
        let Ok(asked) = asked(&self.parts, &mut self.analyzer, &mut counted);
        self.asked = asked;
        counted.missing.into_iter().collect()
    }

    /// Returns the words that are looked for, once they are weighed, those that weigh most first.
    pub fn wanted(&self, among: &Among) -> Vec<Wanted> {
        let weighed = shares(&self.asked).into_iter().map(|(word, share)| {
            let documents = among.with.get(word).copied().unwrap_or(0);
            Wanted { word: word.to_owned(), documents, weight: share * idf(documents, among.documents) }
        });
        let mut wanted: Vec<_> = weighed.collect();
        wanted.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.word.cmp(&b.word)));
        wanted.truncate(MOST_LOOKED_FOR);
        wanted
    }

    /// Judges documents by what was weighed, and returns the best, at most so many, the best first.
    ///
    /// # Cost
    /// The documents are cut into words: about a millisecond for each 20 KiB of text.
    pub fn judge(&mut self, among: &Among, texts: Vec<Text>, most: usize) -> Vec<Hit> {
        let mut judged: Vec<_> = texts.into_iter().map(|text| (self.confidence(among, &text), text)).collect();
        judged.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.id.cmp(&other.id)));
        judged.truncate(most);
        judged.into_iter().map(|(confidence, text)| self.hit(confidence, text)).collect()
    }

    fn confidence(&mut self, among: &Among, text: &Text) -> f64 {
        let about = about(&text.title, &text.questions);
        let fields = [&*about, start(&text.body)].map(|it| words(&mut self.analyzer, it));
        let frequency = |word: &str| -> f64 {
            let field = |(at, words): (usize, &Vec<String>)| {
                let times = words.iter().filter(|it| *it == word).count();
                // An index keeps lengths in one byte each.
                let length = FieldNormReader::id_to_fieldnorm(FieldNormReader::fieldnorm_to_id(text.lengths[at]));
                let length = Length { words: length, mean: among.means[at] };
                if times > 0 { length.frequency(times as u32) } else { 0.0 }
            };
            fields.iter().enumerate().map(field).sum()
        };
        let fits = self.asked.iter().map(|asked| asked.fit(frequency)).sum();
        let (shares, mut counted) = (shares(&self.asked), Counted { among, missing: BTreeSet::new() });
        let asked = text.questions.iter().map(String::as_str);
        let Ok(heading) = heading_of(&text.title, asked, &shares, &mut self.analyzer, &mut counted);
        let strength = strength(fits, heading, self.asked.iter().map(|it| it.idf).sum(), among.documents);
        let asked = !text.questions.is_empty();
        let nearness = |it: Background| text.cosine.map(|cosine| it.nearness(cosine));
        among.background.map_or_else(|| by_words(strength, asked), |it| by_both(strength, nearness(it), asked))
    }

    fn hit(&mut self, confidence: f64, text: Text) -> Hit {
        let Text { id, title, body, source, verified_at, .. } = text;
        let passage = best_passage(start(&body), &self.asked, &mut self.analyzer);
        Hit { id, title, source, verified_at, confidence, passage }
    }
}

fn start(body: &str) -> &str {
    &body[..body.floor_char_boundary(MOST_BODY)]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use proptest::prelude::*;

    use super::*;
    use crate::{Document, Embedder, Embedding, Folder, Index, Rows, With, build, normalised};

    const WORDS: [&str; 12] =
        ["parcel", "refund", "invoice", "address", "order", "cancel", "late", "card", "gift", "return", "the", "how"];
    /// What documents are not written with: a slip, two words in one, words with synonyms, one that nobody knows.
    const ASKED: [&str; 6] = ["refunnd", "giftcard", "bill", "send back", "shipment", "volcano"];
    const SYNONYMS: &str = "bill, invoice, receipt\nsend back => return\nshipment, parcel\ncancel, late order\n";

    fn some_words(most: usize) -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(&WORDS[..]), 1..most).prop_map(|words| words.join(" "))
    }

    /// A title, the questions that are answered, and a body.
    type Written = (String, Vec<String>, String);

    /// Counts what an index counts.
    fn among(language: Language, documents: &[Written]) -> (Among, Vec<[u32; 2]>) {
        let mut cutter = Cutter::new(language);
        let (mut fields, mut lengths) = ([BTreeMap::new(), BTreeMap::new()], Vec::new());
        for (title, questions, body) in documents {
            let cut = [&about(title, questions), body].map(|it| cutter.words(it));
            lengths.push([cut[0].len() as u32, cut[1].len() as u32]);
            for (field, words) in fields.iter_mut().zip(cut) {
                for word in words.into_iter().collect::<BTreeSet<_>>() {
                    *field.entry(word).or_insert(0) += 1;
                }
            }
        }
        let mut with: BTreeMap<String, u64> = BTreeMap::new();
        for (word, number) in fields.into_iter().flatten() {
            let most = with.entry(word).or_default();
            *most = number.max(*most);
        }
        let mean = |at: usize| lengths.iter().map(|it| f64::from(it[at])).sum::<f64>() / documents.len() as f64;
        (Among { documents: documents.len() as u64, means: [mean(0), mean(1)], with, background: None }, lengths)
    }

    /// Says that a text means what its letters are.
    struct Letters;

    impl Embedder for Letters {
        fn model(&self) -> &str {
            "letters"
        }

        fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
            let vector = |text: &String| {
                let mut vector = vec![0.01; 26];
                text.bytes().filter(u8::is_ascii_lowercase).for_each(|it| vector[usize::from(it - b'a')] += 1.0);
                vector
            };
            Ok(texts.iter().map(vector).collect())
        }
    }

    /// Embeds the passages of documents by themselves, as whoever keeps them elsewhere does; returns how their cosines lie, and
    /// the cosine of each document's nearest one to a vector.
    fn embedded(documents: &[Written], to: &[f32]) -> (Background, Vec<Option<f64>>) {
        let (mut letters, to) = (Letters, normalised(to).expect("a direction"));
        let mut embedding = Embedding::new(&mut letters, 0);
        let mut numbers = Vec::new();
        for (title, questions, body) in documents.iter().cloned() {
            let (id, source, language) = (String::new(), String::new(), Language::of("en"));
            let document = Document { id, title, questions, body, verified_at: 0, expires_at: None, source, language };
            numbers.push(embedding.take(&document));
        }
        let rows = embedding.vectors(true).expect("embedded");
        let at = |document: usize| numbers[..document].iter().map(|it: &Rows| it.all()).sum::<usize>();
        let sample = Background::sample(&numbers).into_iter().map(|(document, nth)| rows[at(document) + nth].clone());
        let sample: Vec<_> = sample.collect();
        let cosine = |row: &Vec<f32>| row.iter().zip(&to).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let mut rows = rows.iter();
        let nearest = numbers.into_iter().map(|it| rows.by_ref().take(it.all()).map(cosine).reduce(f64::max)).collect();
        (Background::of(&sample), nearest)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

        #[test]
        fn ret_6_a_document_has_the_confidence_that_it_has_in_an_index(
            documents in prop::collection::vec(
                (some_words(6), prop::collection::vec(some_words(8), 0..3), some_words(120)), 1..12,
            ),
            question in some_words(6),
            more in prop::collection::vec(prop::sample::select(&ASKED[..]), 0..3), by_meaning in any::<bool>(),
        ) {
            let question = format!("{question} {}", more.join(" "));
            let folder = tempfile::tempdir().expect("a folder");
            let (from, to) = (folder.path().join("from"), folder.path().join("to"));
            fs::create_dir(&from).expect("made");
            let line = |(at, (title, questions, body)): (usize, &Written)| {
                let said = r#""verified_at":"2020-01-01""#;
                format!(r#"{{"id":"d{at}","title":"{title}","questions":{questions:?},"body":"{body}",{said}}}"#)
            };
            let lines: Vec<_> = documents.iter().enumerate().map(line).collect();
            fs::write(from.join("all.jsonl"), lines.join("\n")).expect("written");
            let language = Language::of("en");
            let synonyms = Synonyms::parse(SYNONYMS).expect("right");
            let mut letters = Letters;
            let vector = letters.embed(std::slice::from_ref(&question)).expect("embedded").remove(0);
            let embedder = by_meaning.then_some(&mut letters as &mut dyn Embedder);
            let with = With { synonyms: synonyms.clone(), embedder, ..With::default() };
            build(&Folder { path: from, language }, &to, with, |_| {}).expect("an index");
            let index = Index::open(&to).expect("opens");
            let asked = (&*question, by_meaning.then_some(&*vector));
            let expected = index.search_with(asked, 2_000_000_000, 20).expect("searched");

            let (among, lengths) = among(language, &documents);
            let (background, cosines) = embedded(&documents, &vector);
            let background = by_meaning.then_some(background);
            let text = |(at, (title, questions, body)): (usize, &Written)| Text {
                id: format!("d{at}"),
                title: title.clone(),
                questions: questions.clone(),
                body: body.clone(),
                source: "all.jsonl:1".into(),
                verified_at: 1_577_836_800,
                lengths: lengths[at],
                cosine: cosines[at],
            };
            let texts = documents.iter().enumerate().map(text).collect();
            let (all, mut question) = (among.with.clone(), Asker::new(language, &synonyms).ask(&question));
            let (mut among, mut rounds) = (Among { with: BTreeMap::new(), background, ..among }, 0);
            loop {
                let missing = question.weigh(&among);
                if missing.is_empty() {
                    break;
                }
                among.with.extend(missing.into_iter().map(|word| (word.clone(), all.get(&word).copied().unwrap_or(0))));
                rounds += 1;
            }
            prop_assert!(rounds <= 3, "what is asked, slips, halves: {rounds}");
            among.with.extend(all);
            let judged = question.judge(&among, texts, 20);
            for hit in &expected {
                let own = judged.iter().find(|it| it.id == hit.id).expect("it is among them");
                let bound = if by_meaning { 1e-6 } else { 1e-9 };
                prop_assert!((own.confidence - hit.confidence).abs() < bound, "{own:?} {hit:?}");
                prop_assert_eq!(&own.passage, &hit.passage);
            }
            prop_assert!(judged.len() >= expected.len());
        }
    }
}
