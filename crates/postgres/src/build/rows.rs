//! Rows: documents that wait to be written, column by column.

use evenkeel_retrieval::{Cutter, Document, Moment};

use super::link::{Link, Statement};
use crate::{lexemes::vector, schema::PUT};

/// Documents, and bytes of them, that are written at once.
const MOST_ROWS: usize = 200;
const MOST_BYTES: usize = 4 << 20;
/// The first moment that is written: PostgreSQL's calendar begins in 4713 BC.
const FIRST: i64 = -210_000_000_000;

/// Documents that wait to be written.
#[derive(Default)]
pub(super) struct Rows {
    texts: [Vec<String>; 5],
    moments: [Vec<Option<i64>>; 2],
    digests: Vec<String>,
    lengths: [Vec<i32>; 2],
    vectors: Vec<String>,
    bytes: usize,
}

impl Rows {
    pub(super) fn push(&mut self, id: String, digest: String, document: &Document, cutter: &mut Cutter) {
        let [about, body, source] = [&document.about(), &document.body, &document.source].map(|it| plain(it));
        let words = [&about, &body].map(|it| cutter.words(it));
        let vector = vector(&words[0], &words[1]);
        self.bytes += about.len() + body.len() + vector.len();
        let texts = [id, about, body, source, document.language.code().to_owned()];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        self.moments.iter_mut().zip(moments(document)).for_each(|(column, it)| column.push(it));
        let lengths = words.map(|it| i32::try_from(it.len()).unwrap_or(i32::MAX));
        self.lengths.iter_mut().zip(lengths).for_each(|(column, it)| column.push(it));
        self.digests.push(digest);
        self.vectors.push(vector);
    }

    /// Says whether they are as many as are written at once.
    pub(super) fn are_many(&self) -> bool {
        self.digests.len() >= MOST_ROWS || self.bytes >= MOST_BYTES
    }

    /// Makes the statement that writes them, and forgets them.
    pub(super) fn put(&mut self, link: &Link) -> Statement {
        let Self { texts: [ids, titles, bodies, sources, languages], moments, digests, lengths, vectors, .. } =
            std::mem::take(self);
        let ([verified, expires], [title_words, body_words]) = (moments, lengths);
        let put = link.statement(PUT).bind(ids).bind(titles).bind(bodies).bind(sources).bind(languages);
        put.bind(verified).bind(expires).bind(digests).bind(title_words).bind(body_words).bind(vectors)
    }
}

/// Returns from when on a document holds, and until when, as it is written.
pub(super) fn moments(document: &Document) -> [Option<Moment>; 2] {
    [Some(document.verified_at), document.expires_at].map(|it| it.map(|it| it.max(FIRST)))
}

/// Returns a text without the one character that PostgreSQL's texts cannot have.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', " ")
}
