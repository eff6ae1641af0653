//! Retrieval: an index over a folder of verified documents, and its search.
//!
//! A document is answered with only while it is valid: somebody has verified it, and it has not expired. Not here: networks,
//! clocks (whoever searches says what time it is), embeddings.
//!
//! # Invariants
//! - `RET-1`: what expired or was never verified is never found, however well it fits.
//! - `RET-2`: an index that was built step by step answers as one that was built at once of the same documents.
//! - `RET-3`: an index is whole, by the checksum of each of its files, or it is refused with words.
//! - `RET-4`: every file of the folder is read, or named with the reason why not.
//! - `RET-5`: a confidence is in [0, 1] and depends on the words of the question and on the documents alone.
//! - `RET-6`: a document that another search has found has the confidence that it has in an index of the same documents.
//!
//! # Source
//! BM25: S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; as tantivy has it, with
//! k1 = 1.2 and b = 0.75. The confidence is own: see [`Hit::confidence`].

mod build;
mod closely;
mod confidence;
mod document;
mod embedding;
mod index;
mod language;
mod measure;
mod passage;
mod question;
mod read;
mod schema;
mod spelling;
mod still;
mod store;
mod synonyms;
mod texts;
mod vectors;

pub use build::{BuildError, Built, Progress, With, build};
pub use document::{Document, MOST_BODY, Moment};
pub use embedding::{Background, Embedder, Embedding, Rows, normalised};
pub use index::{Hit, Index, SearchError, meaning::NEAREST};
pub use language::Language;
pub use measure::{Asked, AskedError, Measured, Share};
pub use read::{Folder, Left, Why};
pub use store::{FILE, FORMAT, OpenError};
pub use synonyms::{Synonyms, SynonymsError};
pub use texts::{Among, Asker, Cutter, Question, Text, Wanted};
