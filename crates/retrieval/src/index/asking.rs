//! Asking: one question to the documents of one language.
//!
//! Candidates are found by BM25 as tantivy has it; those are looked at closely, by what they have of each word that is asked; of
//! those that are wanted in the end, the best passage is cut.

use tantivy::{
    DocAddress, DocSet, TantivyDocument, TantivyError, Term,
    collector::TopDocs,
    postings::Postings,
    query::{BooleanQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption, Value},
    tokenizer::TextAnalyzer,
};

use super::{Hit, Index, Words};
use crate::{
    confidence::{Length, confidence, fit, heading, idf},
    document::Moment,
    language::words,
    passage::passages,
    schema::VERIFIED,
};

/// Words of a question that are looked for, the rarest: a page that is pasted into a chat is no question.
const MOST_WORDS: usize = 32;
/// Documents that are looked at closely.
const CANDIDATES: usize = 50;
/// Bytes of a document of which a passage is cut.
const MOST_BODY: usize = 256 << 10;
/// Words of a passage, more or less.
const PASSAGE: f64 = 60.0;
/// What divides a title into parts, such as a page and its section.
const PARTS: [char; 5] = [':', '›', '|', '–', '—'];

/// A question.
pub(super) struct Asking<'a> {
    index: &'a Index,
    fields: [(Field, f64); 2],
    analyzer: TextAnalyzer,
    asked: Vec<Asked>,
    /// The idf of all that is asked.
    idf: f64,
}

/// A word that is asked.
struct Asked {
    word: String,
    idf: f64,
}

/// A document that may be an answer.
pub(super) struct Candidate {
    address: DocAddress,
    document: TantivyDocument,
    pub(super) id: String,
    pub(super) confidence: f64,
}

impl<'a> Asking<'a> {
    pub(super) fn new(index: &'a Index, of: &Words, question: &str) -> Result<Self, TantivyError> {
        let mut analyzer = of.analyzer.clone();
        let mut distinct = words(&mut analyzer, question);
        distinct.sort();
        distinct.dedup();
        let mut asking = Self { index, fields: of.fields, analyzer, asked: Vec::new(), idf: 0.0 };
        for word in distinct {
            let idf = asking.idf_of(&word)?;
            asking.asked.push(Asked { word, idf });
        }
        asking.asked.sort_by(|a, b| b.idf.total_cmp(&a.idf).then_with(|| a.word.cmp(&b.word)));
        asking.asked.truncate(MOST_WORDS);
        asking.idf = asking.asked.iter().map(|it| it.idf).sum();
        Ok(asking)
    }

    /// Returns what a word weighs, by the documents that have it in the title or the body, whichever are more.
    fn idf_of(&self, word: &str) -> Result<f64, TantivyError> {
        let mut with = 0;
        for (field, _) in self.fields {
            with = with.max(self.index.searcher.doc_freq(&Term::from_field_text(field, word))?);
        }
        Ok(idf(with, self.index.documents()))
    }

    /// Finds the documents that may be an answer and are valid `now`.
    pub(super) fn candidates(&mut self, now: Moment) -> Result<Vec<Candidate>, TantivyError> {
        let term = |asked: &Asked, field: Field| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, &asked.word), IndexRecordOption::WithFreqs))
        };
        let terms = self.asked.iter().flat_map(|asked| self.fields.map(|(field, _)| term(asked, field)));
        let query = BooleanQuery::union(terms.collect());
        let mut most = CANDIDATES;
        let valid = loop {
            let found = self.index.searcher.search(&query, &TopDocs::with_limit(most).order_by_score())?;
            let mut valid = Vec::new();
            for (_, address) in &found {
                if valid.len() < CANDIDATES && self.index.is_valid(*address, now)? {
                    valid.push(*address);
                }
            }
            // Where many have expired, those that have not stand further down.
            if valid.len() == CANDIDATES || found.len() < most {
                break valid;
            }
            most *= 4;
        };
        self.judged(valid)
    }

    fn judged(&mut self, mut found: Vec<DocAddress>) -> Result<Vec<Candidate>, TantivyError> {
        found.sort();
        let mut fits = vec![0.0; found.len()];
        for asked in &self.asked {
            let mut frequencies = vec![0.0; found.len()];
            for field in self.fields {
                self.count(&asked.word, field, &found, &mut frequencies)?;
            }
            fits.iter_mut().zip(frequencies).for_each(|(sum, frequency)| *sum += fit(asked.idf, frequency));
        }
        let mut candidates = Vec::with_capacity(found.len());
        for (address, fit) in found.into_iter().zip(fits) {
            let document: TantivyDocument = self.index.searcher.doc(address)?;
            let heading = self.heading(&text(&document, self.index.fields.title))?;
            let id = text(&document, self.index.fields.id);
            let confidence = confidence(fit, heading, self.idf);
            candidates.push(Candidate { address, document, id, confidence });
        }
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

    fn heading(&mut self, title: &str) -> Result<f64, TantivyError> {
        let mut parts = Vec::new();
        for part in title.split(PARTS) {
            let words = words(&mut self.analyzer, part);
            let weighed = words.iter().map(|word| match self.asked.iter().find(|asked| asked.word == *word) {
                Some(asked) => Ok((asked.idf, true)),
                None => Ok((self.idf_of(word)?, false)),
            });
            parts.push(weighed.collect::<Result<Vec<_>, TantivyError>>()?);
        }
        Ok(heading(parts.iter().map(Vec::as_slice)))
    }

    /// Makes an answer of a candidate: cuts the passage that has most of what is asked.
    pub(super) fn hit(&mut self, candidate: Candidate) -> Result<Hit, TantivyError> {
        let Candidate { address, document, id, confidence } = candidate;
        let verified_at = self.index.moment(address, VERIFIED)?.unwrap_or_default();
        let whole = text(&document, self.index.fields.body);
        let body = &whole[..whole.floor_char_boundary(MOST_BODY)];
        let mut best = (f64::MIN, 0..0);
        for passage in passages(body) {
            let words = words(&mut self.analyzer, &body[passage.clone()]);
            let times = |asked: &Asked| words.iter().filter(|word| **word == asked.word).count() as u32;
            let length = Length { words: words.len() as u32, mean: PASSAGE };
            let fits = self.asked.iter().map(|asked| fit(asked.idf, length.frequency(times(asked))));
            let fits: f64 = fits.sum();
            if fits > best.0 {
                best = (fits, passage);
            }
        }
        let (title, source) = (text(&document, self.index.fields.title), text(&document, self.index.fields.source));
        Ok(Hit { id, title, source, verified_at, confidence, passage: body[best.1].to_owned() })
    }
}

fn text(document: &TantivyDocument, field: Field) -> String {
    document.get_first(field).and_then(|it| it.as_str()).unwrap_or_default().to_owned()
}
