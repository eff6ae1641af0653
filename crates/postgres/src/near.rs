//! Near: the documents whose passages are nearest to what a question means, by vectors beside the documents (pgvector).
//!
//! Up to twenty thousand passages, all are compared, as in an index in files. Of more, those are looked at that an index of the server
//! says are near; where it has none, only those of documents that the words have found.
//!
//! # When it misleads
//! The index knows neither which documents hold nor which are one: where most of the four hundred passages that it says are near have
//! expired, or are of few documents, few are found by what they mean.

use evenkeel_retrieval::{Background, NEAREST, normalised};
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};

use crate::{fault::Fault, target::Target};

/// Passages up to which all are compared, and from which on a build makes an index.
pub(crate) const EXACT: i64 = 20_000;
/// Passages that the index is asked for.
const LOOKED: usize = 400;

/// How many passages the index looks at.
pub(crate) const LOOK: &str = "SET LOCAL hnsw.ef_search = 400";
/// What a document that was found has of a vector, `$7`.
pub(crate) const COSINE: &str =
    "(SELECT max(-(v.vector <#> (SELECT $7::real[]::vector))) FROM {vectors} v WHERE v.id = f.id)";

/// The vectors of a table, as the last build has left them.
#[derive(Clone, Debug)]
pub(crate) struct Meant {
    model: String,
    pub(crate) numbers: usize,
    passages: i64,
    pub(crate) background: Background,
    indexed: bool,
}

/// The statements of one table.
pub(crate) struct Near {
    exact: String,
    by_index: String,
    /// They stay prepared.
    keeps: bool,
}

impl Meant {
    /// Reads them, or why there are none that whoever asks can search.
    pub(crate) fn read(header: &PgRow) -> Result<Result<Self, String>, sqlx::Error> {
        let numbers: Option<i32> = header.try_get("numbers")?;
        let numbers = numbers.and_then(|it| usize::try_from(it).ok()).filter(|it| *it > 0);
        let (Some(model), Some(numbers)) = (header.try_get::<Option<String>, _>("model")?, numbers) else {
            return Ok(Err(
                "the table has no vectors for `embeddings`: build it with `evenkeel index build --embeddings`".into(),
            ));
        };
        match header.try_get::<Option<bool>, _>("may_read")? {
            None => return Ok(Err("its table of vectors is gone: build it again".into())),
            Some(false) => {
                return Ok(Err(
                    "the user may not read its vectors: GRANT SELECT on the table that ends in `_vectors`".into()
                ));
            }
            Some(true) => {}
        }
        if !header.try_get::<bool, _>("has_type")? {
            return Ok(Err("the type `vector` is gone, or not on the `search_path` of the user".into()));
        }
        let number = |name| Ok::<_, sqlx::Error>(header.try_get::<Option<f64>, _>(name)?.unwrap_or_default());
        Ok(Ok(Self {
            model,
            numbers,
            passages: header.try_get::<Option<i64>, _>("passages")?.unwrap_or(0),
            background: Background { mean: number("mean")?, spread: number("spread")? },
            indexed: header.try_get::<Option<bool>, _>("indexed")?.unwrap_or(false),
        }))
    }

    /// Says why vectors of the model that is asked cannot be held against these; whoever names none is believed.
    pub(crate) fn suits(&self, asked: Option<&str>) -> Result<(), String> {
        let own = &self.model;
        match asked.filter(|it| it != own) {
            None => Ok(()),
            Some(asked) => Err(format!(
                "the table has vectors of `{own}`, and `{asked}` is asked what questions mean: name that one, or build it with \
                 `--model {asked}`"
            )),
        }
    }

    /// Makes the vector of a question one of length 1, or says why it is none of these.
    pub(crate) fn fit(&self, vector: &[f32]) -> Result<Vec<f32>, String> {
        let Self { model, numbers, .. } = self;
        if vector.len() != *numbers {
            return Err(format!(
                "a vector of {} numbers came for a question, and those of the table have {numbers} (`{model}`): name the same model \
                 in `embeddings`, or build it again",
                vector.len()
            ));
        }
        normalised(vector).ok_or_else(|| "a vector without a direction came for a question".into())
    }
}

impl Near {
    pub(crate) fn new(Target { table, keeps, .. }: &Target) -> Self {
        let write = |text: &str| {
            let text = text.replace("{nearest}", &NEAREST.to_string()).replace("{looked}", &LOOKED.to_string());
            table.write(&text)
        };
        let (exact, by_index) = (write(include_str!("near.sql")), write(include_str!("near_by_index.sql")));
        Self { exact, by_index, keeps: *keeps }
    }

    /// Returns the ids of the nearest documents that are valid `now`.
    pub(crate) async fn find(
        &self,
        connection: &mut PgConnection,
        meant: &Meant,
        (vector, now): (&[f32], i64),
    ) -> Result<Vec<String>, Fault> {
        let statement = match (meant.passages <= EXACT, meant.indexed) {
            (true, _) => self.exact.clone(),
            (false, true) => self.by_index.replace("{numbers}", &meant.numbers.to_string()),
            (false, false) => return Ok(Vec::new()),
        };
        let rows = sqlx::query_scalar(AssertSqlSafe(statement)).persistent(self.keeps).bind(vector.to_vec()).bind(now);
        Ok(rows.fetch_all(connection).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_looks_at_as_many_passages_as_it_is_asked_for() {
        assert!(LOOK.ends_with(&format!("= {LOOKED}")));
    }
}
