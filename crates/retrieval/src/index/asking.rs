//! Asking: one question to the documents of one language.
//!
//! Candidates are found by BM25 as tantivy has it, in the words of the question and in those that say the same; those are looked at
//! closely, by what they have of each word that is asked; of those that are wanted in the end, the best passage is cut.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tantivy::{
    DocAddress, DocSet, TantivyDocument, TantivyError, Term,
    collector::TopDocs,
    postings::Postings,
    query::{BooleanQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption, Value},
    tokenizer::TextAnalyzer,
};

use super::{
    Hit, Index, Words,
    asked::{Asked, shares},
};
use crate::{
    closely::{best_passage, heading_of},
    confidence::{Length, idf, strength},
    document::{MOST_BODY, Moment},
    question::{Weigh, asked},
    schema::VERIFIED,
    synonyms::parts,
};

/// Documents that are looked at closely.
const CANDIDATES: usize = 50;

/// A question.
pub(super) struct Asking<'a> {
    index: &'a Index,
    fields: [(Field, f64); 2],
    analyzer: TextAnalyzer,
    asked: Vec<Asked>,
    /// The idf of all that is asked.
    idf: f64,
    /// Words that were weighed: the headings of many documents have the same.
    weighed: HashMap<String, (f64, bool)>,
}

impl Weigh for Asking<'_> {
    type Error = TantivyError;

    /// Counts the documents that have it in the title or the questions, or in the body, whichever are more.
    fn weigh(&mut self, word: &str) -> Result<(f64, bool), TantivyError> {
        if let Some(known) = self.weighed.get(word) {
            return Ok(*known);
        }
        let mut with = 0;
        for (field, _) in self.fields {
            with = with.max(self.index.searcher.doc_freq(&Term::from_field_text(field, word))?);
        }
        let weight = (idf(with, self.index.documents()), with > 0);
        self.weighed.insert(word.to_owned(), weight);
        Ok(weight)
    }
}

/// A document that may be an answer.
pub(super) struct Candidate {
    address: DocAddress,
    document: TantivyDocument,
    pub(super) id: String,
    /// How well its words fit.
    pub(super) strength: f64,
    /// It says which questions it answers.
    pub(super) asked: bool,
}

impl<'a> Asking<'a> {
    pub(super) fn new(index: &'a Index, of: &Words, question: &str) -> Result<Self, TantivyError> {
        let (mut plain, mut analyzer) = (of.plain.clone(), of.analyzer.clone());
        let parts = parts(question, (&mut plain, &mut analyzer), &of.others);
        let mut asking =
            Self { index, fields: of.fields, analyzer, asked: Vec::new(), idf: 0.0, weighed: HashMap::new() };
        let mut analyzer = asking.analyzer.clone();
        asking.asked = asked(&parts, &mut analyzer, &mut asking)?;
        asking.idf = asking.asked.iter().map(|it| it.idf).sum();
        Ok(asking)
    }

    /// Finds the documents that may be an answer and are valid `now`, and looks at others, too, that are.
    pub(super) fn candidates(
        &mut self,
        now: Moment,
        others: impl Iterator<Item = DocAddress>,
    ) -> Result<Vec<Candidate>, TantivyError> {
        let own: BTreeSet<_> = self.asked.iter().flat_map(Asked::own).collect();
        let all: BTreeSet<_> = own.iter().copied().chain(self.asked.iter().flat_map(Asked::others)).collect();
        let mut found = self.having(&own, now)?;
        found.extend(others);
        if all.len() > own.len() {
            found.extend(self.having(&all, now)?);
        }
        self.judged(found)
    }

    /// Finds the best of the documents that have any of the words and are valid `now`.
    fn having(&self, words: &BTreeSet<&str>, now: Moment) -> Result<BTreeSet<DocAddress>, TantivyError> {
        let term = |word: &str, field: Field| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs))
        };
        let terms = words.iter().flat_map(|word| self.fields.map(|(field, _)| term(word, field)));
        let query = BooleanQuery::union(terms.collect());
        let mut most = CANDIDATES;
        loop {
            let found = self.index.searcher.search(&query, &TopDocs::with_limit(most).order_by_score())?;
            let mut valid = BTreeSet::new();
            for (_, address) in &found {
                if valid.len() < CANDIDATES && self.index.is_valid(*address, now)? {
                    valid.insert(*address);
                }
            }
            // Where many have expired, those that have not stand further down.
            if valid.len() == CANDIDATES || found.len() < most {
                return Ok(valid);
            }
            most *= 4;
        }
    }

    fn judged(&mut self, found: BTreeSet<DocAddress>) -> Result<Vec<Candidate>, TantivyError> {
        let found: Vec<_> = found.into_iter().collect();
        let (asked, idf, documents) = (std::mem::take(&mut self.asked), self.idf, self.index.documents());
        let shares = shares(&asked);
        let mut frequencies = BTreeMap::new();
        for word in shares.keys() {
            let mut frequency = vec![0.0; found.len()];
            for field in self.fields {
                self.count(word, field, &found, &mut frequency)?;
            }
            frequencies.insert(*word, frequency);
        }
        let (mut candidates, mut analyzer) = (Vec::with_capacity(found.len()), self.analyzer.clone());
        for (at, address) in found.into_iter().enumerate() {
            let frequency = |word: &str| frequencies.get(word).map_or(0.0, |it| it[at]);
            let fit = asked.iter().map(|asked| asked.fit(frequency)).sum();
            let document: TantivyDocument = self.index.searcher.doc(address)?;
            let (title, questions) =
                (text(&document, self.index.fields.title), text(&document, self.index.fields.questions));
            let heading = heading_of(&title, questions.lines(), &shares, &mut analyzer, self)?;
            let id = text(&document, self.index.fields.id);
            let strength = strength(fit, heading, idf, documents);
            candidates.push(Candidate { address, document, id, strength, asked: !questions.is_empty() });
        }
        drop(shares);
        self.asked = asked;
        Ok(candidates)
    }

    /// Adds how often a word stands in a field of each of the documents, which are in order.
    fn count(
        &self,
        word: &str,
        field: (Field, f64),
        found: &[DocAddress],
        into: &mut [f64],
    ) -> Result<(), TantivyError> {
        let (field, mean) = field;
        let mut from = 0;
        while from < found.len() {
            let ord = found[from].segment_ord;
            let to = from + found[from..].partition_point(|it| it.segment_ord == ord);
            let segment = self.index.searcher.segment_reader(ord);
            let (lengths, words) = (segment.get_fieldnorms_reader(field)?, segment.inverted_index(field)?);
            if let Some(mut postings) =
                words.read_postings(&Term::from_field_text(field, word), IndexRecordOption::WithFreqs)?
            {
                for (address, sum) in found[from..to].iter().zip(&mut into[from..to]) {
                    if postings.doc() < address.doc_id {
                        postings.seek(address.doc_id);
                    }
                    if postings.doc() == address.doc_id {
                        let length = Length { words: lengths.fieldnorm(address.doc_id), mean };
                        *sum += length.frequency(postings.term_freq());
                    }
                }
            }
            from = to;
        }
        Ok(())
    }

    /// Makes an answer of a candidate: cuts the passage that has most of what is asked.
    pub(super) fn hit(&mut self, candidate: Candidate, confidence: f64) -> Result<Hit, TantivyError> {
        let Candidate { address, document, id, .. } = candidate;
        let verified_at = self.index.moment(address, VERIFIED)?.unwrap_or_default();
        let whole = text(&document, self.index.fields.body);
        let body = &whole[..whole.floor_char_boundary(MOST_BODY)];
        let passage = best_passage(body, &self.asked, &mut self.analyzer);
        let (title, source) = (text(&document, self.index.fields.title), text(&document, self.index.fields.source));
        Ok(Hit { id, title, source, verified_at, confidence, passage })
    }
}

fn text(document: &TantivyDocument, field: Field) -> String {
    document.get_first(field).and_then(|it| it.as_str()).unwrap_or_default().to_owned()
}
