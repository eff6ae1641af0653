//! Schema: the tables, and the statements that make and fill them.
//!
//! `{documents}` has the documents, `{words}` in how many of them each word is, `{header}` one row of what the last build left. Words
//! are counted by PostgreSQL itself, of the vectors that it searches.

/// The version of tables and statements. Whoever changes them raises it: tables of another version are filled anew.
const TABLES: i32 = 1;

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

/// Writes what a build leaves, `$1` being its version, `$2` its synonyms.
pub(crate) const LEAVE: &str = include_str!("leave.sql");

/// Reads what the last build left, but for its synonyms.
pub(crate) const HEADER: &str = "SELECT format, generation, (extract(epoch FROM built_at) * 1000000)::bigint AS built_at, documents, \
     languages, counts, title_words, body_words FROM {header}";

/// Reads the synonyms.
pub(crate) const SYNONYMS: &str = "SELECT synonyms FROM {header}";

/// Counts the documents of the language `$1` that have each of the words `$2`.
pub(crate) const WITH: &str = "SELECT word, documents FROM {words} WHERE language = $1 AND word = ANY($2)";
