//! Index: the documents that are searched, in files mapped into memory.

pub(crate) mod asked;
mod asking;
pub(crate) mod meaning;

use std::path::Path;

use tantivy::{
    DocAddress, IndexReader, ReloadPolicy, Searcher, TantivyError, directory::MmapDirectory, schema::Field,
    tokenizer::TextAnalyzer,
};

use self::{asking::Asking, meaning::Meaning};
use crate::{
    confidence::by_words,
    document::Moment,
    language::Language,
    schema::{EXPIRES, Fields, VERIFIED},
    still::Still,
    store::{Header, OpenError, SYNONYMS},
    synonyms::{Others, Synonyms},
    vectors::Vectors,
};

/// Bytes of a question that are read.
pub(crate) const MOST_BYTES: usize = 16 << 10;

/// An index that is open.
pub struct Index {
    searcher: Searcher,
    fields: Fields,
    languages: Vec<Words>,
    vectors: Option<Vectors>,
    digest: [u8; 32],
}

/// The documents of one language.
struct Words {
    language: Language,
    analyzer: TextAnalyzer,
    /// What leaves in the words that say nothing.
    plain: TextAnalyzer,
    others: Others,
    /// Titles with questions, and bodies, and the words that each of them has on average.
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
    /// How sure it is that it answers the question, in [0, 1], comparable from one question to another: 0.5 is even odds, where
    /// documents answer as many questions as they do not.
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
        let synonyms = match std::fs::read_to_string(folder.join(SYNONYMS)) {
            Ok(text) => Synonyms::parse(&text).map_err(|error| TantivyError::InvalidArgument(error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Synonyms::default(),
            Err(error) => return Err(error.into()),
        };
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
            let (analyzer, plain) = (language.analyzer(), language.plain());
            let others = Others::new(&synonyms, language);
            languages.push(Words { language, analyzer, plain, others, fields: [mean(title)?, mean(body)?] });
        }
        Ok(Self { searcher, fields, languages, vectors: Vectors::open(folder)?, digest })
    }

    /// Returns the SHA-256 of its `index.json`, which is that of everything in it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the model that made its vectors, where it has some.
    pub fn model(&self) -> Option<&str> {
        self.vectors.as_ref().map(Vectors::model)
    }

    /// Says why the vectors of a model cannot be held against its own; none where they can. Vectors of two models say nothing about each
    /// other, whatever their length.
    pub fn is_not_of(&self, model: &str) -> Option<String> {
        match self.model() {
            None => Some("has no vectors for `embeddings`: build it with `evenkeel index build --embeddings`".into()),
            Some(own) if own != model => Some(format!(
                "has vectors of `{own}`, and `{model}` is asked what questions mean: name that one, or build it with `--model {model}`"
            )),
            Some(_) => None,
        }
    }

    /// Returns how many numbers its vectors have, where it has some.
    pub fn numbers(&self) -> Option<usize> {
        self.vectors.as_ref().map(Vectors::numbers)
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
        self.search_with((question, None), now, most)
    }

    /// Returns what [`Self::search`] does, by what a question means, too, where its vector is there.
    ///
    /// # Errors
    /// Its files cannot be read any more, or the vector is none of its own.
    ///
    /// # Cost
    /// Up to 100,000 passages, all are compared with the vector, about 25 µs for a thousand of 384 numbers; of more, those alone
    /// that the words have found.
    pub fn search_with(
        &self,
        question: (&str, Option<&[f32]>),
        now: Moment,
        most: usize,
    ) -> Result<Vec<Hit>, SearchError> {
        let (question, vector) = question;
        let question = &question[..question.floor_char_boundary(MOST_BYTES)];
        let meaning = vector.map(|it| Meaning::new(self, it)).transpose()?;
        let near = meaning.as_ref().map(|it| it.nearest(self, now)).transpose()?.unwrap_or_default();
        let mut askings = Vec::new();
        for words in &self.languages {
            askings.push(Asking::new(self, words, question)?);
        }
        let mut found = Vec::new();
        for (at, asking) in askings.iter_mut().enumerate() {
            let own = near.iter().filter(|it| it.0 == self.languages[at].language.code()).map(|it| it.1);
            for candidate in asking.candidates(now, own)? {
                let confidence = match &meaning {
                    Some(meaning) => meaning.confidence(&candidate),
                    None => by_words(candidate.strength, candidate.asked),
                };
                found.push((confidence, candidate, at));
            }
        }
        found.sort_by(|(a, one, _), (b, other, _)| b.total_cmp(a).then_with(|| one.id.cmp(&other.id)));
        found.truncate(most);
        Ok(found
            .into_iter()
            .map(|(confidence, candidate, at)| askings[at].hit(candidate, confidence))
            .collect::<Result<_, _>>()?)
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
