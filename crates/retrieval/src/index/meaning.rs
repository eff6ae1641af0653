//! Meaning: how near documents are to what a question means, where an embedder says so.
//! What comes of it stands in `confidence.rs`.

use tantivy::{DocAddress, DocSet, TantivyDocument, TantivyError, Term, schema::IndexRecordOption, schema::Value};

use super::{Index, asking::Candidate};
use crate::{confidence::by_both, document::Moment, embedding::normalised, vectors::Vectors};

/// Rows up to which every passage is compared; of larger indexes, those alone that the words have found.
const EXACT: usize = 100_000;
/// Documents that are looked at because they are near.
pub const NEAREST: usize = 50;

/// What a question means.
pub(super) struct Meaning<'a> {
    vectors: &'a Vectors,
    to: Vec<f32>,
}

impl<'a> Meaning<'a> {
    /// Takes the vector of a question.
    pub(super) fn new(index: &'a Index, vector: &[f32]) -> Result<Self, TantivyError> {
        let wrong = |why: String| TantivyError::InvalidArgument(why);
        let vectors = index.vectors.as_ref();
        let vectors = vectors.ok_or_else(|| wrong("it has no vectors: build it with an embedder".into()))?;
        if vector.len() != vectors.numbers() {
            let (has, model) = (vectors.numbers(), vectors.model());
            return Err(wrong(format!(
                "a vector of {} numbers came, and its own have {has} (`{model}`)",
                vector.len()
            )));
        }
        let to = normalised(vector).ok_or_else(|| wrong("a vector without a direction came".into()))?;
        Ok(Self { vectors, to })
    }

    /// Makes one confidence of how well the words fit, and of what is near.
    pub(super) fn confidence(&self, candidate: &Candidate) -> f64 {
        let cosine = self.vectors.nearest_of(&candidate.id, &self.to);
        let nearness = cosine.map(|it| self.vectors.background().nearness(f64::from(it)));
        by_both(candidate.strength, nearness, candidate.asked)
    }

    /// Returns the nearest documents that are valid `now`, each with its language.
    pub(super) fn nearest(&self, index: &Index, now: Moment) -> Result<Vec<(String, DocAddress)>, TantivyError> {
        if self.vectors.rows() > EXACT {
            return Ok(Vec::new());
        }
        let mut near: Vec<_> = self.vectors.nearest(&self.to).into_iter().enumerate().collect();
        near.sort_by(|(a_at, a), (b_at, b)| b.total_cmp(a).then(a_at.cmp(b_at)));
        let mut found = Vec::new();
        for (at, _) in near {
            if found.len() == NEAREST {
                break;
            }
            let Some(address) = index.address(self.vectors.id(at))? else { continue };
            if index.is_valid(address, now)? {
                let document: TantivyDocument = index.searcher.doc(address)?;
                let language = document.get_first(index.fields.language).and_then(|it| it.as_str());
                found.push((language.unwrap_or_default().to_owned(), address));
            }
        }
        Ok(found)
    }
}

impl Index {
    /// Returns where the document of an id is.
    fn address(&self, id: &str) -> Result<Option<DocAddress>, TantivyError> {
        let term = Term::from_field_text(self.fields.id, id);
        for (ord, segment) in self.searcher.segment_readers().iter().enumerate() {
            let words = segment.inverted_index(self.fields.id)?;
            if let Some(postings) = words.read_postings(&term, IndexRecordOption::Basic)? {
                return Ok(Some(DocAddress::new(ord as u32, postings.doc())));
            }
        }
        Ok(None)
    }
}
