//! Index: the documents that are searched, in files mapped into memory.

mod asking;

use std::path::Path;

use tantivy::{
    DocAddress, IndexReader, ReloadPolicy, Searcher, TantivyError, directory::MmapDirectory, schema::Field,
    tokenizer::TextAnalyzer,
};

use self::asking::Asking;
use crate::{
    document::Moment,
    language::Language,
    schema::{EXPIRES, Fields, VERIFIED},
    still::Still,
    store::{Header, OpenError},
};

/// Bytes of a question that are read.
const MOST_BYTES: usize = 16 << 10;

/// An index that is open.
pub struct Index {
    searcher: Searcher,
    fields: Fields,
    languages: Vec<Words>,
    digest: [u8; 32],
}

/// The documents of one language.
struct Words {
    analyzer: TextAnalyzer,
    /// Titles and bodies, and the words that each of them has on average.
    fields: [(Field, f64); 2],
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The document.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// When it was verified.
    pub verified_at: Moment,
    /// How well it fits the question, in [0, 1], comparable from one question to another: 0.5 is where questions that
    /// documents answer part from those that none does.
    ///
    /// # Source
    /// The formula stands in `confidence.rs`.
    pub confidence: f64,
    /// The part of its text that fits best.
    pub passage: String,
}

/// Why an open index cannot be searched: its files cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[error("the index cannot be read: {0}")]
pub struct SearchError(#[from] TantivyError);

impl Index {
    /// Opens an index, and holds each of its files against its checksum, which reads them once.
    ///
    /// # Errors
    /// It is not there, foreign, of another version or damaged.
    pub fn open(index: &Path) -> Result<Self, OpenError> {
        let (header, digest) = Header::read(index)?;
        let folder = header.verify(index)?;
        Self::of(&folder, &header, digest).map_err(|error| OpenError::damaged(&folder, error))
    }

    fn of(folder: &Path, header: &Header, digest: [u8; 32]) -> Result<Self, TantivyError> {
        let index = tantivy::Index::open(Still(MmapDirectory::open(folder)?))?;
        let (schema, fields) = Fields::new();
        if index.schema() != schema {
            return Err(TantivyError::SchemaError("its fields are others".into()));
        }
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let mut languages = Vec::new();
        for (code, documents) in &header.languages {
            let language = Language::of(code);
            let [title, body] = fields.words[&language];
            let mean = |field| {
                let segments = searcher.segment_readers().iter();
                let words = segments.map(|segment| Ok(segment.inverted_index(field)?.total_num_tokens()));
                let words = words.sum::<Result<u64, TantivyError>>()?;
                Ok::<_, TantivyError>((field, words as f64 / (*documents).max(1) as f64))
            };
            languages.push(Words { analyzer: language.analyzer(), fields: [mean(title)?, mean(body)?] });
        }
        Ok(Self { searcher, fields, languages, digest })
    }

    /// Returns the SHA-256 of its `index.json`, which is that of everything in it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns how many documents it has.
    pub fn documents(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// Returns the documents that fit a question best, at most so many, the best first, those alone that are valid `now`.
    ///
    /// # Errors
    /// Its files cannot be read any more.
    ///
    /// # Cost
    /// Milliseconds for 100,000 documents: `bench/retrieval`.
    pub fn search(&self, question: &str, now: Moment, most: usize) -> Result<Vec<Hit>, SearchError> {
        let question = &question[..question.floor_char_boundary(MOST_BYTES)];
        let mut askings = Vec::new();
        for words in &self.languages {
            askings.push(Asking::new(self, words, question)?);
        }
        let mut found = Vec::new();
        for (at, asking) in askings.iter_mut().enumerate() {
            found.extend(asking.candidates(now)?.into_iter().map(|it| (it, at)));
        }
        found.sort_by(|(a, _), (b, _)| b.confidence.total_cmp(&a.confidence).then_with(|| a.id.cmp(&b.id)));
        found.truncate(most);
        Ok(found.into_iter().map(|(candidate, at)| askings[at].hit(candidate)).collect::<Result<_, _>>()?)
    }

    /// Says whether a document was verified by `now`, and has not expired (`RET-1`).
    fn is_valid(&self, address: DocAddress, now: Moment) -> Result<bool, TantivyError> {
        let at = |name| self.moment(address, name);
        Ok(at(VERIFIED)?.is_some_and(|it| it <= now) && at(EXPIRES)?.is_some_and(|it| now < it))
    }

    /// Returns a moment of a document.
    fn moment(&self, address: DocAddress, column: &str) -> Result<Option<Moment>, TantivyError> {
        let columns = self.searcher.segment_reader(address.segment_ord).fast_fields();
        Ok(columns.i64(column)?.first(address.doc_id))
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("documents", &self.documents()).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
