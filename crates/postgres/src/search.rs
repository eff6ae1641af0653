//! Search: the documents that may answer a question, found by the words that are rare, ranked by all of them.
//!
//! # Why the rare ones
//! A word that every second document has finds half of the table, and all of it would have to be ranked. The words of a question are
//! taken from the rarest on for as long as they find no more than two thousand documents. Where the rarest alone finds more, the
//! documents are those that have it and another one. Every document that was found is ranked by all words, by `ts_rank` times what
//! the word weighs, and the best are judged closely, in this process. Where it counts what a question means, so are the documents that
//! are nearest to that (`near.rs`).
//!
//! # Round trips
//! One to begin, one for what the last build left, one to count the words, one more or two where no document has one of them and it
//! may have been written wrongly, one for each language to find documents, one to end; one to find what is near.
//!
//! # When it misleads
//! A document that has none but common words of the question is not looked at where the table has thousands with those words. Of
//! several thousand documents with the rarest words, those that are ranked are the first that the server comes across.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evenkeel_retrieval::{Among, Asker, Background, Hit, Language, MOST_BODY, Question, Synonyms, Text};
use parking_lot::Mutex;
use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use crate::{
    fault::{Fault, Kind},
    lexemes::query,
    near::{COSINE, LOOK, Meant, Near},
    schema::{HEADER, SYNONYMS, WITH, format},
    target::Target,
};

/// Documents that the rare words may find, together; and that are ranked where already the rarest finds more.
const ENOUGH: usize = 2_000;
/// Documents that are judged closely.
const CANDIDATES: usize = 80;
/// Times that words are counted for one question: what is asked, what it may have been meant to be, and as two words.
const ROUNDS: usize = 3;
/// What the server says of a column that is not there (SQLSTATE).
const NO_COLUMN: &str = "42703";
const END: &str = "COMMIT";
/// Finds documents.
const SEARCH: &str = include_str!("search.sql");

/// The statements of one table.
pub(crate) struct Statements {
    begin: String,
    header: String,
    synonyms: String,
    with: String,
    search: String,
    /// The same, with the cosines of what is found.
    search_meaning: String,
    near: Near,
    /// Who says what questions mean, where that is known.
    embedder: Option<String>,
    /// They stay prepared.
    keeps: bool,
    /// What makes questions of texts, for the build that was seen last.
    askers: Mutex<Option<(Build, Arc<Vec<Asker>>)>>,
}

/// Which build it is: its number, and when it was, since a table may be made anew.
type Build = (i64, i64);

/// What the last build left.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    build: Build,
    pub(crate) generation: i64,
    pub(crate) documents: i64,
    languages: Vec<String>,
    counts: Vec<i64>,
    words: [Vec<i64>; 2],
    /// The vectors, or why none can be searched.
    pub(crate) meant: Result<Meant, String>,
}

/// What documents are found by, besides their words.
struct Sought {
    now: i64,
    /// What the question means, and which documents are near to it.
    near: Option<(Vec<f32>, Vec<String>)>,
    background: Option<Background>,
    /// Why what it means does not count, where the table is the reason.
    words_alone: Option<String>,
}

/// Documents that may answer a question; which of them do is found out by [`Candidates::judge`].
pub struct Candidates {
    found: Vec<(Question, Among, Vec<Text>)>,
    words_alone: Option<String>,
}

impl Statements {
    /// Those that read, each in no more than `timeout`.
    pub(crate) fn new(target: &Target, timeout: Duration) -> Self {
        let numbers = [("{enough}", ENOUGH), ("{candidates}", CANDIDATES), ("{body}", MOST_BODY)];
        let search = numbers.iter().fold(SEARCH.to_owned(), |text, (name, it)| text.replace(name, &it.to_string()));
        let (plain, meaning) = (search.replace("{cosine}", "NULL::float8"), search.replace("{cosine}", COSINE));
        let [header, synonyms, with, search, search_meaning] =
            [HEADER, SYNONYMS, WITH, &plain, &meaning].map(|it| target.table.write(it));
        let (near, askers) = (Near::new(target), Mutex::default());
        // For the transaction alone (POOL-3), in one message with its begin.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL jit = off; {LOOK}",
            timeout.as_millis().max(1)
        );
        let keeps = target.keeps;
        Self { begin, header, synonyms, with, search, search_meaning, near, embedder: None, keeps, askers }
    }

    /// The same, with the vectors of this model for questions.
    pub(crate) fn asking(self, model: &str) -> Self {
        Self { embedder: Some(model.into()), ..self }
    }

    /// Returns what the last build left, for who says what questions mean.
    pub(crate) fn suited<'m>(&self, meant: &'m Result<Meant, String>) -> Result<&'m Meant, String> {
        let meant = meant.as_ref().map_err(Clone::clone)?;
        meant.suits(self.embedder.as_deref()).map(|()| meant)
    }

    fn query(&self, statement: &str) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(AssertSqlSafe(statement.to_owned())).persistent(self.keeps)
    }

    /// Begins the transaction in which everything is read.
    async fn begin(&self, connection: &mut PgConnection) -> Result<(), Fault> {
        sqlx::raw_sql(AssertSqlSafe(self.begin.clone())).execute(connection).await?;
        Ok(())
    }

    /// Reads what the last build left, in a transaction of its own.
    pub(crate) async fn standing(&self, connection: &mut PgConnection) -> Result<Header, Fault> {
        self.begin(connection).await?;
        let header = self.header(connection).await?;
        sqlx::raw_sql(END).execute(connection).await?;
        Ok(header)
    }

    async fn header(&self, connection: &mut PgConnection) -> Result<Header, Fault> {
        let row = self.query(&self.header).fetch_one(connection).await;
        let row = row.map_err(|error| match error.as_database_error().and_then(|it| it.code()).as_deref() {
            Some(NO_COLUMN) => Fault::new(Kind::Absent, "the table is of another version: build it again"),
            _ => error.into(),
        })?;
        let found: i32 = row.try_get("format")?;
        if found != format() {
            let words =
                format!("the table is of version {found}, and this Evenkeel reads {}: build it again", format());
            return Err(Fault::new(Kind::Absent, words));
        }
        let generation = row.try_get("generation")?;
        Ok(Header {
            build: (generation, row.try_get("built_at")?),
            generation,
            documents: row.try_get("documents")?,
            languages: row.try_get("languages")?,
            counts: row.try_get("counts")?,
            words: [row.try_get("title_words")?, row.try_get("body_words")?],
            meant: Meant::read(&row)?,
        })
    }

    /// Finds what may answer a question, in one snapshot (`PG-2`).
    pub(crate) async fn search(
        &self,
        connection: &mut PgConnection,
        (question, vector): (&str, Option<&[f32]>),
        now: i64,
    ) -> Result<Candidates, Fault> {
        self.begin(connection).await?;
        let header = self.header(connection).await?;
        let sought = self.sought(connection, &header.meant, (vector, now)).await?;
        let mut found = Vec::new();
        let asked = cut(self.askers(connection, &header).await?, question).await;
        for (at, (language, mut question)) in asked.into_iter().enumerate() {
            let mut among = Among { background: sought.background, ..header.among(at) };
            for _ in 0..ROUNDS {
                let missing = question.weigh(&among);
                if missing.is_empty() {
                    break;
                }
                among.with.extend(self.with(connection, language, missing).await?);
            }
            question.weigh(&among);
            let texts = self.texts(connection, (language, &question, &sought), &mut among).await?;
            found.push((question, among, texts));
        }
        sqlx::raw_sql(END).execute(connection).await?;
        Ok(Candidates { found, words_alone: sought.words_alone })
    }

    /// Finds the documents that are near to what a question means, where that is known and there are vectors that fit.
    async fn sought(
        &self,
        connection: &mut PgConnection,
        meant: &Result<Meant, String>,
        (vector, now): (Option<&[f32]>, i64),
    ) -> Result<Sought, Fault> {
        let sought = Sought { now, near: None, background: None, words_alone: None };
        let fit = self.suited(meant).and_then(|meant| Ok((meant, vector.map(|it| meant.fit(it)).transpose()?)));
        match fit {
            Err(why) => Ok(Sought { words_alone: Some(why), ..sought }),
            Ok((_, None)) => Ok(sought),
            Ok((meant, Some(vector))) => {
                let near = self.near.find(connection, meant, (&vector, now)).await?;
                Ok(Sought { near: Some((vector, near)), background: Some(meant.background), ..sought })
            }
        }
    }

    /// Returns what makes questions of texts, one for each language of the build.
    async fn askers(&self, connection: &mut PgConnection, header: &Header) -> Result<Arc<Vec<Asker>>, Fault> {
        if let Some((build, askers)) = &*self.askers.lock()
            && *build == header.build
        {
            return Ok(askers.clone());
        }
        let text: String = self.query(&self.synonyms).fetch_one(connection).await?.try_get(0)?;
        let synonyms = Synonyms::parse(&text);
        let synonyms =
            synonyms.map_err(|why| Fault::new(Kind::Absent, format!("its synonyms cannot be read: {why}")))?;
        let asker = |language: &String| Asker::new(Language::of(language), &synonyms);
        let askers = Arc::new(header.languages.iter().map(asker).collect::<Vec<_>>());
        *self.askers.lock() = Some((header.build, askers.clone()));
        Ok(askers)
    }

    /// Counts the documents that have each of the words.
    async fn with(
        &self,
        connection: &mut PgConnection,
        language: Language,
        words: Vec<String>,
    ) -> Result<BTreeMap<String, u64>, Fault> {
        let mut with: BTreeMap<String, u64> = words.iter().map(|word| (word.clone(), 0)).collect();
        let statement = self.query(&self.with).bind(language.code()).bind(words);
        for row in statement.fetch_all(connection).await? {
            with.insert(row.try_get("word")?, count(row.try_get("documents")?));
        }
        Ok(with)
    }

    /// Finds the documents that may answer a question at a moment, and counts the words of their titles.
    async fn texts(
        &self,
        connection: &mut PgConnection,
        (language, question, sought): (Language, &Question, &Sought),
        among: &mut Among,
    ) -> Result<Vec<Text>, Fault> {
        let wanted = question.wanted(among);
        let terms: Vec<String> = wanted.iter().map(|it| query(&it.word)).collect();
        let documents: Vec<i64> = wanted.iter().map(|it| i64::try_from(it.documents).unwrap_or(i64::MAX)).collect();
        let weights: Vec<f64> = wanted.iter().map(|it| it.weight).collect();
        let near = sought.near.as_ref().map(|it| it.1.clone()).unwrap_or_default();
        if documents.iter().all(|it| *it == 0) && near.is_empty() {
            return Ok(Vec::new());
        }
        let statement = if sought.near.is_some() { &self.search_meaning } else { &self.search };
        let statement = self.query(statement).bind(language.code()).bind(terms);
        let mut statement = statement.bind(documents).bind(weights).bind(sought.now).bind(near);
        if let Some((vector, _)) = &sought.near {
            statement = statement.bind(vector.clone());
        }
        let rows = statement.fetch_all(connection).await?;
        Ok(rows.iter().map(|row| text(row, among)).collect::<Result<_, _>>()?)
    }
}

/// Cuts a question into its words, in each language, off the threads that carry requests: a page that is pasted takes its time. There
/// are no more at once than connections.
async fn cut(askers: Arc<Vec<Asker>>, question: &str) -> Vec<(Language, Question)> {
    let question = question.to_owned();
    let each = move || askers.iter().map(|asker| (asker.language(), asker.ask(&question))).collect();
    tokio::task::spawn_blocking(each).await.expect("a text is cut whatever it says")
}

impl Header {
    /// Returns what a question is weighed by, in the language at a place.
    fn among(&self, at: usize) -> Among {
        let of = |list: &[i64]| list.get(at).copied().unwrap_or(0) as f64;
        let mean = |words: &[i64]| of(words) / of(&self.counts).max(1.0);
        let means = [mean(&self.words[0]), mean(&self.words[1])];
        Among { documents: count(self.documents), means, with: BTreeMap::new(), background: None }
    }
}

/// Reads a document, and in how many of them each word of its title and its questions is.
fn text(row: &PgRow, among: &mut Among) -> Result<Text, sqlx::Error> {
    let (words, with): (Vec<String>, Vec<i64>) = (row.try_get("words")?, row.try_get("documents")?);
    among.with.extend(words.into_iter().zip(with.into_iter().map(count)));
    let about: String = row.try_get("title")?;
    let mut about = about.lines().map(str::to_owned);
    let length = |name| row.try_get::<i32, _>(name).map(|it| u32::try_from(it).unwrap_or(0));
    Ok(Text {
        id: row.try_get("id")?,
        title: about.next().unwrap_or_default(),
        questions: about.collect(),
        body: row.try_get("body")?,
        source: row.try_get("source")?,
        verified_at: row.try_get("verified_at")?,
        lengths: [length("title_words")?, length("body_words")?],
        cosine: row.try_get("cosine")?,
    })
}

fn count(it: i64) -> u64 {
    u64::try_from(it).unwrap_or(0)
}

impl Candidates {
    /// Returns why what the question means does not count, where the table is the reason.
    pub fn words_alone(&self) -> Option<&str> {
        self.words_alone.as_deref()
    }

    /// Judges them, and returns the best, at most so many, the best first.
    ///
    /// # Cost
    /// It computes: about a millisecond for each 20 KiB of their text.
    pub fn judge(self, most: usize) -> Vec<Hit> {
        let each = self.found.into_iter().flat_map(|(mut question, among, texts)| question.judge(&among, texts, most));
        let mut hits: Vec<Hit> = each.collect();
        hits.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.id.cmp(&b.id)));
        hits.truncate(most);
        hits
    }
}
