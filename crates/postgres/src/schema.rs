//! Schema: the tables, and the statements that make and fill them.
//!
//! `{documents}` has the documents, `{words}` in how many of them each word is, `{header}` one row of what the last build left. Words
//! are counted by PostgreSQL itself, of the vectors of words that it searches. `{vectors}` has what passages mean, and is made by the first
//! build that wants it: only then has the server to know vectors (pgvector).

/// The version of tables and statements. Whoever changes them raises it: tables of another version are filled anew.
const TABLES: i32 = 2;

/// The version of everything that a build writes, words included.
pub(crate) fn format() -> i32 {
    TABLES * 1000 + evenkeel_retrieval::FORMAT as i32
}

/// Makes the tables, none of which is there.
pub(crate) const MAKE: &str = include_str!("make.sql");

/// Writes documents: those that are there already are another now.
pub(crate) const PUT: &str = include_str!("put.sql");

/// Counts the words of one language anew: `$1` is its code, `$2` the query of its vectors. A word counts in the title or in the body,
/// whichever are more.
pub(crate) const COUNT: &str = "INSERT INTO {words} (language, word, documents) SELECT $1, word, max(ndoc) FROM (SELECT word, ndoc FROM \
     ts_stat($2, 'a') UNION ALL SELECT word, ndoc FROM ts_stat($2, 'b')) AS counted WHERE ndoc > 0 GROUP BY word";

/// Adds what tables of the version before have not.
pub(crate) const ADD: &str = include_str!("add.sql");

/// Makes the table of vectors, which is not there.
pub(crate) const MAKE_VECTORS: &str = include_str!("make_vectors.sql");

/// Writes vectors: those that are there already are others now.
pub(crate) const PUT_VECTORS: &str = include_str!("put_vectors.sql");

/// Removes the vectors of what is not among the documents `$1` with so many passages each, `$2`.
pub(crate) const DROP_VECTORS: &str = "DELETE FROM {vectors} v WHERE NOT EXISTS (SELECT FROM unnest($1::text[], $2::integer[]) AS d(id, \
     passages) WHERE d.id = v.id AND v.nth < d.passages)";

/// Reads the vectors of some passages, which `$1` and `$2` name.
pub(crate) const SOME_VECTORS: &str = "SELECT v.vector::real[] FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS a(id, nth, at) \
     JOIN {vectors} v ON v.id = a.id AND v.nth = a.nth ORDER BY a.at";

/// Writes what a build leaves, `$1` being its version, `$2` its synonyms, the others what it knows of its vectors.
pub(crate) const LEAVE: &str = include_str!("leave.sql");

/// Reads the version of the last build.
pub(crate) const FORMAT: &str = "SELECT format FROM {header}";

/// Reads what the last build left, but for its synonyms.
pub(crate) const HEADER: &str = include_str!("header.sql");

/// Reads the synonyms.
pub(crate) const SYNONYMS: &str = "SELECT synonyms FROM {header}";

/// Counts the documents of the language `$1` that have each of the words `$2`.
pub(crate) const WITH: &str = "SELECT word, documents FROM {words} WHERE language = $1 AND word = ANY($2)";
