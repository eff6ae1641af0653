//! Vectors: what the passages of the documents mean, embedded while a table is built and written beside it (pgvector).
//!
//! # Why so little is locked
//! Whoever searches goes on while passages are embedded, which may take hours: rows are written over and removed, and nothing is dropped
//! or altered but an index of vectors of another width, at the very end (`PG-2`).
//!
//! # Source
//! pgvector's README: `hnsw` since 0.5.0, for vectors of up to 2,000 numbers; an index of some width, of a column without one.

use std::collections::{BTreeMap, VecDeque};

use evenkeel_retrieval::{Background, Document, Embedder, Embedding, Moment, Rows};
use sqlx::Row as _;

use super::{
    Failure,
    link::Link,
    rows::{moments, plain},
};
use crate::{
    fault::Kind,
    near::EXACT,
    schema::{DROP_VECTORS, MAKE_VECTORS, PUT_VECTORS, SOME_VECTORS},
};

/// The columns of the table, by which it is known as ours.
const COLUMNS: [&str; 5] = ["id", "nth", "verified_at", "expires_at", "vector"];
/// The widest vector that an index can be made of.
const MOST_INDEXED: usize = 2_000;

/// What a table has of vectors before a build.
#[derive(Default)]
pub(super) struct Before {
    /// Who made them.
    pub(super) model: Option<String>,
    /// How many numbers they have.
    pub(super) numbers: usize,
    /// The table is there; it may be somebody else's.
    pub(super) there: Option<Vec<String>>,
}

/// What a build leaves of them.
#[derive(Default)]
pub(super) struct Left {
    pub(super) model: Option<String>,
    pub(super) numbers: Option<i32>,
    pub(super) passages: Option<i64>,
    pub(super) background: Option<Background>,
    pub(super) indexed: Option<bool>,
}

/// A passage whose vector is awaited: of which document, the how many-th, and when that holds.
type Passage = (String, i32, [Option<Moment>; 2]);

/// The vectors of a table that is being built.
pub(super) struct Vectors<'a> {
    embedding: Embedding<'a>,
    /// How many passages each document has whose vectors can stay.
    known: BTreeMap<String, i32>,
    /// The vectors that each document has now, in the order in which they are read.
    documents: Vec<(String, Rows)>,
    waiting: VecDeque<Passage>,
    /// There can be an index of them.
    can_index: bool,
    /// Some were embedded.
    pub(super) changed: bool,
}

impl Before {
    /// Says whether there is a table, and it is one that a build has made.
    pub(super) fn is_ours(&self) -> bool {
        self.there.as_ref().is_some_and(|it| it.iter().eq(COLUMNS.iter()))
    }
}

impl<'a> Vectors<'a> {
    /// Makes the table where there is none, and reads of which documents it has vectors of the same model.
    pub(super) fn begin(link: &mut Link, before: &Before, embedder: &'a mut dyn Embedder) -> Result<Self, Failure> {
        let can_index = extension(link)?;
        let is_same = before.is_ours() && before.model.as_deref() == Some(embedder.model());
        let mut known = BTreeMap::new();
        if is_same {
            let counts = link.statement("SELECT id, count(*)::integer AS passages FROM {vectors} GROUP BY id");
            for row in link.all(counts)? {
                known.insert(row.try_get("id")?, row.try_get("passages")?);
            }
        } else if before.there.is_none() {
            link.run(MAKE_VECTORS)?;
        } else if !before.is_ours() {
            return Err(Failure::Taken(link.table.vectors()));
        }
        // Nothing is asked of the server while a batch is embedded.
        link.run("SET LOCAL idle_in_transaction_session_timeout = 0")?;
        let embedding = Embedding::new(embedder, if is_same { before.numbers } else { 0 });
        let (documents, waiting) = (Vec::new(), VecDeque::new());
        Ok(Self { embedding, known, documents, waiting, can_index, changed: false })
    }

    /// Takes a document; one that `is_kept` has the vectors that it had.
    pub(super) fn take(&mut self, link: &mut Link, document: &Document, is_kept: bool) -> Result<(), Failure> {
        let id = plain(&document.id);
        if let Some(all) = self.known.get(&id).filter(|_| is_kept) {
            self.documents.push((id, Rows::of(document, usize::try_from(*all).unwrap_or(0))));
            return Ok(());
        }
        let (rows, moments) = (self.embedding.take(document), moments(document));
        self.waiting.extend((0..number(rows)).map(|nth| (id.clone(), nth, moments)));
        self.changed |= rows.all() > 0;
        self.documents.push((id, rows));
        self.put(link, false)
    }

    /// Embeds and writes what waits, all of it or where it is so much.
    fn put(&mut self, link: &mut Link, all: bool) -> Result<(), Failure> {
        let vectors = self.embedding.vectors(all).map_err(Failure::Embedding)?;
        if vectors.is_empty() {
            return Ok(());
        }
        let (mut ids, mut nths, mut verified, mut expires) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (id, nth, [from, to]) in self.waiting.drain(..vectors.len()) {
            ids.push(id);
            nths.push(nth);
            verified.push(from);
            expires.push(to);
        }
        let vectors: Vec<_> = vectors.iter().map(|it| written(it)).collect();
        let put = link.statement(PUT_VECTORS).bind(ids).bind(nths).bind(verified).bind(expires).bind(vectors);
        Ok(link.execute(put)?)
    }

    /// Embeds what is left, removes what is gone, and makes an index where there are many.
    pub(super) fn end(mut self, link: &mut Link) -> Result<Left, Failure> {
        self.put(link, true)?;
        let (ids, counts): (Vec<_>, Vec<_>) = self.documents.iter().map(|it| (it.0.clone(), number(it.1))).unzip();
        link.execute(link.statement(DROP_VECTORS).bind(ids).bind(counts))?;
        let (numbers, passages) =
            (self.embedding.numbers(), self.documents.iter().map(|it| i64::from(number(it.1))).sum());
        if passages == 0 {
            return Ok(Left::default());
        }
        let background = self.background(link)?;
        let indexed = self.can_index && passages > EXACT && numbers <= MOST_INDEXED;
        if indexed {
            link.run(&format!(
                "CREATE INDEX IF NOT EXISTS \"{{name}}_near_{numbers}\" ON {{vectors}} USING hnsw ((vector::vector({numbers})) \
                 vector_cosine_ops) WHERE vector_dims(vector) = {numbers}"
            ))?;
        }
        link.run("ANALYZE {vectors}")?;
        Ok(Left {
            model: Some(plain(self.embedding.model())),
            numbers: Some(numbers as i32),
            passages: Some(passages),
            background: Some(background),
            indexed: Some(indexed),
        })
    }

    /// Returns how the cosines lie between passages that are spread over all.
    fn background(&self, link: &mut Link) -> Result<Background, Failure> {
        let rows: Vec<_> = self.documents.iter().map(|it| it.1).collect();
        let place = |(document, nth): (usize, usize)| {
            (self.documents[document].0.clone(), i32::try_from(nth).unwrap_or(i32::MAX))
        };
        let (ids, nths): (Vec<_>, Vec<_>) = Background::sample(&rows).into_iter().map(place).unzip();
        let rows = link.all(link.statement(SOME_VECTORS).bind(ids).bind(nths))?;
        let rows = rows.iter().map(|row| row.try_get::<Vec<f32>, _>(0)).collect::<Result<Vec<_>, _>>()?;
        Ok(Background::of(&rows))
    }
}

fn number(rows: Rows) -> i32 {
    i32::try_from(rows.all()).unwrap_or(i32::MAX)
}

/// Removes all vectors, of which nobody will say any more what they mean.
pub(super) fn forget(link: &mut Link) -> Result<Left, Failure> {
    link.run("DELETE FROM {vectors}")?;
    Ok(Left::default())
}

/// Removes the indexes of vectors of another width, for which searches wait until the build has ended: this is its last step.
pub(super) fn drop_others(link: &mut Link, numbers: Option<i32>) -> Result<(), Failure> {
    let others = "SELECT indexrelid::regclass::text AS index FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = \
         to_regclass($1) AND relname ~ '_near_[0-9]+$' AND relname <> '{name}_near_' || $2";
    let others = link.statement(others).bind(link.table.vectors()).bind(numbers.unwrap_or(0).to_string());
    for row in link.all(others)? {
        link.run(&format!("DROP INDEX {}", row.try_get::<String, _>("index")?))?;
    }
    Ok(())
}

/// Sees to it that the server knows vectors; says whether it can make an index of them.
fn extension(link: &mut Link) -> Result<bool, Failure> {
    let standing = "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS version, to_regtype('vector') IS NOT NULL AS \
         has_type, EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS installed, \
         current_setting('server_version_num')::integer / 10000 AS server";
    let mut row = link.one(link.statement(standing))?;
    let refused = |why: String| Err(Failure::Vectors(why));
    if row.try_get::<Option<String>, _>("version")?.is_none() {
        let server: i32 = row.try_get("server")?;
        if !row.try_get::<bool, _>("installed")? {
            return refused(format!(
                "its server has no pgvector: install it there (its package is `postgresql-{server}-pgvector`, where Debian or \
                 apt.postgresql.org has it), or build without `--embeddings`"
            ));
        }
        match link.run("CREATE EXTENSION IF NOT EXISTS vector") {
            Err(fault) if fault.kind == Kind::Privilege => {
                let mend =
                    "let one who may run `CREATE EXTENSION vector` in the database, or build without `--embeddings`";
                return refused(format!("{fault}: {mend}"));
            }
            made => made?,
        }
        row = link.one(link.statement(standing))?;
    }
    if !row.try_get::<bool, _>("has_type")? {
        return refused("the extension `vector` is in a schema that is not on the `search_path` of the user".into());
    }
    let version: Option<String> = row.try_get("version")?;
    Ok(version.is_some_and(|it| has_index(&it)))
}

/// Says whether pgvector of this version has an index that needs no training.
fn has_index(version: &str) -> bool {
    let mut parts = version.split('.').map(|it| it.parse::<u32>().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(0), Some(5))
}

/// Writes a vector as pgvector reads it.
fn written(vector: &[f32]) -> String {
    let numbers: Vec<_> = vector.iter().map(f32::to_string).collect();
    format!("[{}]", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_indexed_from_version_0_5_on() {
        let versions = ["0.4.4", "0.5.0", "0.6.2", "0.10.0", "1.0", "x"];
        assert_eq!(versions.map(has_index), [false, true, true, true, true, false]);
    }

    #[test]
    fn a_vector_is_written_with_all_of_its_digits() {
        let vector = [0.1, -1e-7, 1.0, 0.333_333_34];
        let text = written(&vector);
        let read: Vec<f32> = text.trim_matches(['[', ']']).split(',').map(|it| it.parse().expect("a number")).collect();
        assert_eq!(read, vector);
    }
}
