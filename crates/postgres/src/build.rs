//! Build: puts the documents of a folder into a table, or brings one up to date: what has not changed is not written again.
//!
//! # Invariants
//! - `PG-2`: it is one transaction: whoever searches sees the documents, the words and the counts of before, or those of after it.
//! - `PG-5`: a table that is there already and was not made here is not touched.
//!
//! # Cost
//! What has changed is written in batches. Where something has, the words of all documents are counted anew, by the server.

mod link;
mod rows;
mod vectors;

use std::{collections::BTreeMap, ops::ControlFlow, path::PathBuf};

use evenkeel_retrieval::{Built, Cutter, Document, Folder, Left, Moment, Progress, Synonyms, Why, With};
use sqlx::Row;

use self::{
    link::Link,
    rows::{Rows, plain},
    vectors::{Before, Vectors},
};
use crate::{
    fault::Fault,
    schema::{ADD, COUNT, FORMAT, HEADER, LEAVE, MAKE, SYNONYMS, format},
    target::Target,
};

/// The longest id: an entry of PostgreSQL's index has some 2,700 bytes.
const MOST_ID: usize = 1_000;

/// Why there is no table after a build; what was there before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to write; why each file is none.
    #[error("`{0}` has no document to index")]
    Nothing(PathBuf, Vec<Left>),
    /// Something else is there.
    #[error("{0} is of something else: name one that is not there")]
    Taken(String),
    /// Somebody else builds it.
    #[error("{0} is being built by another process")]
    Busy(String),
    /// Vectors are wanted, and cannot be kept there.
    #[error("{0} cannot keep vectors: {1}")]
    Vectors(String, String),
    /// What passages mean could not be found out.
    #[error("the documents cannot be embedded: {0}")]
    Embedding(String),
    /// The server, or the way to it.
    #[error("{0}: {1}")]
    Fault(String, Fault),
}

/// Why a build does not go on.
enum Failure {
    Fault(Fault),
    Embedding(String),
    Vectors(String),
    /// The table of that name is somebody else's.
    Taken(String),
}

impl<E: Into<Fault>> From<E> for Failure {
    fn from(why: E) -> Self {
        Self::Fault(why.into())
    }
}

impl Failure {
    fn of(self, target: &Target) -> BuildError {
        match self {
            Self::Fault(fault) => BuildError::Fault(target.to_string(), fault),
            Self::Embedding(why) => BuildError::Embedding(why),
            Self::Vectors(why) => BuildError::Vectors(target.to_string(), why),
            Self::Taken(table) => BuildError::Taken(format!("{target}: {table}")),
        }
    }
}

/// Puts the documents of a folder into a table, or brings it up to date. It waits for the server on the thread that calls it, which
/// must not be one of a runtime.
///
/// # Errors
/// There is no document, or they cannot be written, or not be embedded; nothing has changed then.
pub fn build(from: &Folder, target: &Target, with: With<'_>, tell: impl FnMut(Progress)) -> Result<Built, BuildError> {
    let link = Link::connect(target).map_err(|fault| Failure::Fault(fault).of(target))?;
    let mut writing = Writing::new(link, with.now, with.synonyms);
    if !writing.lock().map_err(|why| why.of(target))? {
        return Err(BuildError::Busy(target.to_string()));
    }
    let Some(before) = writing.begin().map_err(|why| why.of(target))? else {
        return Err(BuildError::Taken(target.to_string()));
    };
    if let Some(embedder) = with.embedder {
        let vectors = Vectors::begin(&mut writing.link, &before, embedder).map_err(|why| why.of(target))?;
        writing.vectors = Some(vectors);
    }
    let left = from.documents(tell, |document| writing.take(document));
    if let Some(failed) = writing.failed.take() {
        return Err(failed.of(target));
    }
    writing.left.extend(left);
    if writing.counts == [0; 3] {
        return Err(BuildError::Nothing(from.path.clone(), writing.left));
    }
    writing.end(&before).map_err(|why| why.of(target))
}

/// A build under way; dropped before its end it has changed nothing.
struct Writing<'a> {
    link: Link,
    /// The documents of the build before, with their digests, until they are seen again.
    before: BTreeMap<String, String>,
    /// Why all of them are written again.
    anew: Option<String>,
    rows: Rows,
    cutters: BTreeMap<&'static str, Cutter>,
    vectors: Option<Vectors<'a>>,
    /// Documents that are new, others than before, and as they were.
    counts: [u64; 3],
    now: Moment,
    /// Those that have expired, and those that are verified only later.
    invalid: [u64; 2],
    synonyms: Synonyms,
    /// The synonyms are not those of the build before.
    otherwise: bool,
    left: Vec<Left>,
    failed: Option<Failure>,
}

impl Writing<'_> {
    fn new(link: Link, now: Moment, synonyms: Synonyms) -> Self {
        Self {
            link,
            before: BTreeMap::new(),
            anew: None,
            rows: Rows::default(),
            cutters: BTreeMap::new(),
            vectors: None,
            counts: [0; 3],
            now,
            invalid: [0; 2],
            synonyms,
            otherwise: false,
            left: Vec::new(),
            failed: None,
        }
    }

    /// Begins the transaction, and takes what keeps others from building; says whether nobody does.
    fn lock(&mut self) -> Result<bool, Failure> {
        self.link.run("BEGIN")?;
        let name = format!("evenkeel {}", self.link.table.documents());
        let lock = self.link.statement("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))").bind(name);
        Ok(self.link.one(lock)?.try_get(0)?)
    }

    /// Makes the tables where there are none, and reads what is there; none where it is not ours to change.
    fn begin(&mut self) -> Result<Option<Before>, Failure> {
        let link = &mut self.link;
        let there = "SELECT to_regclass($1) IS NOT NULL AS documents, to_regclass($2) IS NOT NULL AS header, (SELECT array_agg(attname::text \
             ORDER BY attnum) FROM pg_attribute WHERE attrelid = to_regclass($3) AND attnum > 0 AND NOT attisdropped) AS vectors";
        let there = link.statement(there).bind(link.table.documents()).bind(link.table.header());
        let there = link.one(there.bind(link.table.vectors()))?;
        let (documents, header): (bool, bool) = (there.try_get("documents")?, there.try_get("header")?);
        if documents != header {
            return Ok(None);
        }
        if !documents {
            link.run(MAKE)?;
        }
        let mut before = Before { there: there.try_get("vectors")?, ..Before::default() };
        let found = link.all(link.statement(FORMAT))?.first().map(|it| it.try_get("format")).transpose()?;
        let found: Option<i32> = found;
        if let Some(found) = found.filter(|it| *it != format()) {
            self.anew = Some(format!("it was of version {found}, and this one is {}", format()));
        } else if let Some(header) = link.all(link.statement(HEADER))?.first() {
            before.model = header.try_get("model")?;
            let numbers: Option<i32> = header.try_get("numbers")?;
            before.numbers = numbers.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
        }
        let synonyms = link.all(link.statement(SYNONYMS))?.first().map(|it| it.try_get(0)).transpose()?;
        let synonyms: Option<String> = synonyms;
        self.otherwise = synonyms.is_none_or(|it| it != plain(self.synonyms.text()));
        for row in link.all(link.statement("SELECT id, digest FROM {documents}"))? {
            let digest = if self.anew.is_none() { row.try_get("digest")? } else { String::new() };
            self.before.insert(row.try_get("id")?, digest);
        }
        Ok(Some(before))
    }

    /// Takes a document; says whether more are wanted.
    fn take(&mut self, document: Document) -> ControlFlow<()> {
        let id = plain(&document.id);
        if id.len() > MOST_ID {
            let why = Why::Malformed(format!("its id has more than {MOST_ID} bytes"));
            self.left.push(Left { place: id.chars().take(60).collect(), why });
            return ControlFlow::Continue(());
        }
        let digest = document.digest();
        let known = self.before.remove(&id);
        let of = match known.as_ref() {
            None => 0,
            Some(known) if *known != digest => 1,
            Some(_) => 2,
        };
        self.counts[of] += 1;
        self.invalid[0] += u64::from(document.expires_at.is_some_and(|it| it <= self.now));
        self.invalid[1] += u64::from(document.verified_at > self.now);
        if let Some(vectors) = &mut self.vectors {
            self.failed = vectors.take(&mut self.link, &document, of == 2).err();
        }
        if of < 2 {
            let cutter = self.cutters.entry(document.language.code()).or_insert_with(|| Cutter::new(document.language));
            self.rows.push(id, digest, &document, cutter);
        }
        if self.failed.is_none() && self.rows.are_many() {
            self.failed = self.put().err();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes the documents that wait.
    fn put(&mut self) -> Result<(), Failure> {
        let put = self.rows.put(&self.link);
        Ok(self.link.execute(put)?)
    }

    /// Removes what is gone, counts the words, and ends the transaction.
    fn end(mut self, before: &Before) -> Result<Built, Failure> {
        self.put()?;
        let gone: Vec<String> = std::mem::take(&mut self.before).into_keys().collect();
        let removed = gone.len() as u64;
        let delete = self.link.statement("DELETE FROM {documents} WHERE id = ANY($1)").bind(gone);
        self.link.execute(delete)?;
        let [added, changed, kept] = self.counts;
        let embedded = self.vectors.as_ref().map_or(before.model.is_some(), |it| it.changed);
        let vectors = match self.vectors.take() {
            Some(vectors) => vectors.end(&mut self.link)?,
            None if before.is_ours() => vectors::forget(&mut self.link)?,
            None => vectors::Left::default(),
        };
        if added + changed + removed > 0 {
            self.count()?;
        }
        let numbers = vectors.numbers;
        if added + changed + removed > 0 || self.otherwise || embedded {
            self.leave(vectors)?;
        }
        let languages = self.languages()?;
        let bytes = self.bytes()?;
        vectors::drop_others(&mut self.link, numbers)?;
        self.link.run("COMMIT")?;
        Ok(Built {
            documents: added + changed + kept,
            added,
            changed,
            removed,
            kept,
            expired: self.invalid[0],
            future: self.invalid[1],
            left: self.left,
            bytes,
            languages,
            anew: self.anew,
        })
    }

    /// Writes what a search has to know.
    fn leave(&mut self, vectors: vectors::Left) -> Result<(), Failure> {
        if self.anew.is_some() {
            self.link.run(ADD)?;
        }
        let leave = self.link.statement(LEAVE).bind(format()).bind(plain(self.synonyms.text()));
        let leave = leave.bind(vectors.model).bind(vectors.numbers).bind(vectors.passages);
        let leave = leave.bind(vectors.background.map(|it| it.mean)).bind(vectors.background.map(|it| it.spread));
        Ok(self.link.execute(leave.bind(vectors.indexed))?)
    }

    /// Returns the size of the tables that are searched.
    fn bytes(&mut self) -> Result<u64, Failure> {
        let size = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint FROM unnest($1::text[]) AS each(name)";
        let table = &self.link.table;
        let names = vec![table.documents(), table.words(), table.vectors()];
        let bytes: i64 = self.link.one(self.link.statement(size).bind(names))?.try_get(0)?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Counts the words of each language.
    fn count(&mut self) -> Result<(), Failure> {
        self.link.run("DELETE FROM {words}")?;
        for language in self.languages()?.into_keys() {
            // A code of a language is letters alone.
            let vectors = format!("SELECT tsv FROM {{documents}} WHERE language = '{language}'");
            let vectors = self.link.table.write(&vectors);
            let count = self.link.statement(COUNT).bind(language).bind(vectors);
            self.link.execute(count)?;
        }
        Ok(self.link.run("ANALYZE {documents}; ANALYZE {words}")?)
    }

    /// Counts the documents of each language.
    fn languages(&mut self) -> Result<BTreeMap<String, u64>, Failure> {
        let each = self.link.statement("SELECT language, count(*) AS documents FROM {documents} GROUP BY language");
        let pair = |row: &sqlx::postgres::PgRow| {
            let documents: i64 = row.try_get("documents")?;
            Ok::<_, sqlx::Error>((row.try_get("language")?, u64::try_from(documents).unwrap_or(0)))
        };
        Ok(self.link.all(each)?.iter().map(pair).collect::<Result<_, _>>()?)
    }
}
