//! Build: puts the documents of a folder into a table, or brings one up to date: what has not changed is not written again.
//!
//! # Invariants
//! - `PG-2`: it is one transaction: whoever searches sees the documents, the words and the counts of before, or those of after it.
//! - `PG-5`: a table that is there already and was not made here is not touched.
//!
//! # Cost
//! What has changed is written in batches. Where something has, the words of all vectors are counted anew, by the server.

use std::{collections::BTreeMap, ops::ControlFlow, path::PathBuf};

use evenkeel_retrieval::{Built, Cutter, Document, Folder, Left, Moment, Progress, Synonyms, Why, With};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};
use tokio::runtime::{Builder, Runtime};

use crate::{
    fault::Fault,
    lexemes::vector,
    schema::{COUNT, HEADER, LEAVE, MAKE, PUT, SYNONYMS, format},
    target::{Table, Target},
};

/// Documents, and bytes of them, that are written at once.
const MOST_ROWS: usize = 200;
const MOST_BYTES: usize = 4 << 20;
/// The longest id: an entry of PostgreSQL's index has some 2,700 bytes.
const MOST_ID: usize = 1_000;
/// The first moment that is written: PostgreSQL's calendar begins in 4713 BC.
const FIRST: i64 = -210_000_000_000;

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
    /// Vectors are wanted.
    #[error("{0} keeps no vectors: documents are found there by their words")]
    Vectors(String),
    /// The server, or the way to it.
    #[error("{0}: {1}")]
    Fault(String, Fault),
}

/// Puts the documents of a folder into a table, or brings it up to date. It waits for the server on the thread that calls it, which
/// must not be one of a runtime.
///
/// # Errors
/// There is no document, or they cannot be written; nothing has changed then.
pub fn build(from: &Folder, target: &Target, with: With<'_>, tell: impl FnMut(Progress)) -> Result<Built, BuildError> {
    if with.embedder.is_some() {
        return Err(BuildError::Vectors(target.to_string()));
    }
    let fault = |fault| BuildError::Fault(target.to_string(), fault);
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let options = target.options.clone().disable_statement_logging();
    let connection = runtime.block_on(options.connect()).map_err(|error| fault(Fault::connecting(error)))?;
    let mut writing = Writing {
        runtime,
        connection,
        table: target.table.clone(),
        before: BTreeMap::new(),
        anew: None,
        rows: Rows::default(),
        cutters: BTreeMap::new(),
        counts: [0; 3],
        now: with.now,
        invalid: [0; 2],
        synonyms: with.synonyms,
        otherwise: false,
        left: Vec::new(),
        failed: None,
    };
    if !writing.lock().map_err(fault)? {
        return Err(BuildError::Busy(target.to_string()));
    }
    if !writing.begin().map_err(fault)? {
        return Err(BuildError::Taken(target.to_string()));
    }
    let left = from.documents(tell, |document| writing.take(document));
    if let Some(failed) = writing.failed.take() {
        return Err(fault(failed));
    }
    writing.left.extend(left);
    if writing.counts == [0; 3] {
        return Err(BuildError::Nothing(from.path.clone(), writing.left));
    }
    writing.end().map_err(fault)
}

/// A build under way; dropped before its end it has changed nothing.
struct Writing {
    runtime: Runtime,
    connection: PgConnection,
    table: Table,
    /// The documents of the build before, with their digests, until they are seen again.
    before: BTreeMap<String, String>,
    /// Why all of them are written again.
    anew: Option<String>,
    rows: Rows,
    cutters: BTreeMap<&'static str, Cutter>,
    /// Documents that are new, others than before, and as they were.
    counts: [u64; 3],
    now: Moment,
    /// Those that have expired, and those that are verified only later.
    invalid: [u64; 2],
    synonyms: Synonyms,
    /// The synonyms are not those of the build before.
    otherwise: bool,
    left: Vec<Left>,
    failed: Option<Fault>,
}

/// Documents that wait to be written, column by column.
#[derive(Default)]
struct Rows {
    texts: [Vec<String>; 5],
    moments: [Vec<Option<i64>>; 2],
    digests: Vec<String>,
    lengths: [Vec<i32>; 2],
    vectors: Vec<String>,
    bytes: usize,
}

impl Writing {
    /// Runs statements with nothing to say.
    fn run(&mut self, statement: &str) -> Result<(), Fault> {
        let statement = sqlx::raw_sql(AssertSqlSafe(self.table.write(statement)));
        Ok(self.runtime.block_on(statement.execute(&mut self.connection)).map(drop)?)
    }

    /// Begins the transaction, and takes what keeps others from building; says whether nobody does.
    fn lock(&mut self) -> Result<bool, Fault> {
        self.run("BEGIN")?;
        let name = format!("evenkeel {}", self.table.documents());
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))").bind(name);
        Ok(self.runtime.block_on(lock.fetch_one(&mut self.connection))?)
    }

    /// Makes the tables where there are none, and reads what is there; says whether it is ours to change.
    fn begin(&mut self) -> Result<bool, Fault> {
        let there =
            sqlx::query("SELECT to_regclass($1) IS NOT NULL AS documents, to_regclass($2) IS NOT NULL AS header");
        let there = there.bind(self.table.documents()).bind(self.table.header());
        let there = self.runtime.block_on(there.fetch_one(&mut self.connection))?;
        let (documents, header): (bool, bool) = (there.try_get("documents")?, there.try_get("header")?);
        if documents != header {
            return Ok(false);
        }
        if !documents {
            self.run(MAKE)?;
        }
        let header = sqlx::query(AssertSqlSafe(self.table.write(HEADER)));
        let header = self.runtime.block_on(header.fetch_optional(&mut self.connection))?;
        let found: Option<i32> = header.map(|it| it.try_get("format")).transpose()?;
        if let Some(found) = found.filter(|it| *it != format()) {
            self.anew = Some(format!("it was of version {found}, and this one is {}", format()));
        }
        let synonyms = sqlx::query_scalar(AssertSqlSafe(self.table.write(SYNONYMS)));
        let synonyms: Option<String> = self.runtime.block_on(synonyms.fetch_optional(&mut self.connection))?;
        self.otherwise = synonyms.is_none_or(|it| it != plain(self.synonyms.text()));
        let known = sqlx::query(AssertSqlSafe(self.table.write("SELECT id, digest FROM {documents}")));
        for row in self.runtime.block_on(known.fetch_all(&mut self.connection))? {
            let digest = if self.anew.is_none() { row.try_get("digest")? } else { String::new() };
            self.before.insert(row.try_get("id")?, digest);
        }
        Ok(true)
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
        if of < 2 {
            let cutter = self.cutters.entry(document.language.code()).or_insert_with(|| Cutter::new(document.language));
            self.rows.push(id, digest, &document, cutter);
        }
        if self.rows.digests.len() >= MOST_ROWS || self.rows.bytes >= MOST_BYTES {
            self.failed = self.put().err();
        }
        if self.failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes the documents that wait.
    fn put(&mut self) -> Result<(), Fault> {
        let Rows { texts: [ids, titles, bodies, sources, languages], moments, digests, lengths, vectors, .. } =
            std::mem::take(&mut self.rows);
        let ([verified, expires], [title_words, body_words]) = (moments, lengths);
        let put = sqlx::query(AssertSqlSafe(self.table.write(PUT))).bind(ids).bind(titles).bind(bodies);
        let put = put.bind(sources).bind(languages).bind(verified).bind(expires).bind(digests);
        let put = put.bind(title_words).bind(body_words).bind(vectors);
        Ok(self.runtime.block_on(put.execute(&mut self.connection)).map(drop)?)
    }

    /// Removes what is gone, counts the words, and ends the transaction.
    fn end(mut self) -> Result<Built, Fault> {
        self.put()?;
        let gone: Vec<String> = std::mem::take(&mut self.before).into_keys().collect();
        let removed = gone.len() as u64;
        let delete =
            sqlx::query(AssertSqlSafe(self.table.write("DELETE FROM {documents} WHERE id = ANY($1)"))).bind(gone);
        self.runtime.block_on(delete.execute(&mut self.connection))?;
        let [added, changed, kept] = self.counts;
        if added + changed + removed > 0 {
            self.count()?;
        }
        if added + changed + removed > 0 || self.otherwise {
            let leave = sqlx::query(AssertSqlSafe(self.table.write(LEAVE))).bind(format());
            let leave = leave.bind(plain(self.synonyms.text()));
            self.runtime.block_on(leave.execute(&mut self.connection))?;
        }
        let languages = self.languages()?;
        let size = "SELECT (pg_total_relation_size($1) + pg_total_relation_size($2))::bigint";
        let size = sqlx::query_scalar(size).bind(self.table.documents()).bind(self.table.words());
        let bytes: i64 = self.runtime.block_on(size.fetch_one(&mut self.connection))?;
        self.run("COMMIT")?;
        Ok(Built {
            documents: added + changed + kept,
            added,
            changed,
            removed,
            kept,
            expired: self.invalid[0],
            future: self.invalid[1],
            left: self.left,
            bytes: u64::try_from(bytes).unwrap_or(0),
            languages,
            anew: self.anew,
        })
    }

    /// Counts the words of each language.
    fn count(&mut self) -> Result<(), Fault> {
        self.run("DELETE FROM {words}")?;
        for language in self.languages()?.into_keys() {
            // A code of a language is letters alone.
            let vectors = self.table.write(&format!("SELECT tsv FROM {{documents}} WHERE language = '{language}'"));
            let count = sqlx::query(AssertSqlSafe(self.table.write(COUNT))).bind(language).bind(vectors);
            self.runtime.block_on(count.execute(&mut self.connection))?;
        }
        self.run("ANALYZE {documents}; ANALYZE {words}")
    }

    /// Counts the documents of each language.
    fn languages(&mut self) -> Result<BTreeMap<String, u64>, Fault> {
        let each = self.table.write("SELECT language, count(*) AS documents FROM {documents} GROUP BY language");
        let rows = self.runtime.block_on(sqlx::query(AssertSqlSafe(each)).fetch_all(&mut self.connection))?;
        let pair = |row: &sqlx::postgres::PgRow| {
            let documents: i64 = row.try_get("documents")?;
            Ok::<_, sqlx::Error>((row.try_get("language")?, u64::try_from(documents).unwrap_or(0)))
        };
        Ok(rows.iter().map(pair).collect::<Result<_, _>>()?)
    }
}

impl Rows {
    fn push(&mut self, id: String, digest: String, document: &Document, cutter: &mut Cutter) {
        let [title, body, source] = [&document.title, &document.body, &document.source].map(|it| plain(it));
        let words = [&title, &body].map(|it| cutter.words(it));
        let vector = vector(&words[0], &words[1]);
        self.bytes += title.len() + body.len() + vector.len();
        let texts = [id, title, body, source, document.language.code().to_owned()];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        let moments = [Some(document.verified_at), document.expires_at];
        let moment = |it: Option<i64>| it.map(|it| it.max(FIRST));
        self.moments.iter_mut().zip(moments).for_each(|(column, it)| column.push(moment(it)));
        let lengths = words.map(|it| i32::try_from(it.len()).unwrap_or(i32::MAX));
        self.lengths.iter_mut().zip(lengths).for_each(|(column, it)| column.push(it));
        self.digests.push(digest);
        self.vectors.push(vector);
    }
}

/// Returns a text without the one character that PostgreSQL's texts cannot have.
fn plain(text: &str) -> String {
    text.replace('\0', " ")
}
