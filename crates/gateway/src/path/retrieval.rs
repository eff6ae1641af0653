//! `retrieval`: the passages of verified documents that fit a question, each with its source, found on threads of its own or in a
//! database.
//!
//! What is asked is the last message of the user. Where no document fits it as well as `min_score` wants, the path declines, and
//! the next tier is asked: that is no failure of the path. An answer is made of the best passage of each of up to three documents,
//! which are quoted, or put before the messages for a model to answer by (`augment`). With `embeddings`, what the question means counts
//! beside its words; while whoever says so does not answer in time, or is not asked since it did not before, the words alone count, and
//! the record says why.
//!
//! Accepted: `retrieval: {index: ./help-centre.index, min_score: 0.5}`. Rejected when it is made ready: an index that is damaged,
//! foreign, of another version, or was built again since the configuration was read.
//!
//! # When it misleads
//! A question that only makes sense after the messages before it ("and on Windows?") is searched for as it stands.

mod augment;
mod embed;
mod postgres;
mod speak;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use evenkeel_config as config;
use evenkeel_core::ResultCode;
use evenkeel_retrieval::{Hit, Index};
use http::HeaderMap;

pub(crate) use self::embed::{Embedder, Unsaid};
use self::{
    augment::{Passages, room},
    postgres::Table,
};
use super::{Attempting, Ended, Found, Left, Path, Pieces, Search, Site, openai::Openai, workers::Workers};
use crate::{
    ask::{Ask, Question},
    clock::Clock,
    protocol::openai::{
        answer::judge_chat,
        own::{Meta, own_chat},
        question::last_question,
    },
    upstream::Call,
};

/// Documents that are quoted in one answer.
const MOST: usize = 3;

/// Documents that answer.
pub(crate) struct Retrieval {
    documents: Documents,
    min_score_permille: u16,
    name: Arc<str>,
    clock: Clock,
    workers: Workers,
    embedder: Option<Embedder>,
    /// The model that answers with the passages before it, and the tokens that its window holds, where that is known.
    model: Option<(Arc<dyn Path>, Option<u64>)>,
}

/// What came of an embedder, and says nothing of these documents.
const UNFIT: Unsaid = Unsaid::Failed(ResultCode::DecodeFailed);

/// What a question means, or why nobody says so.
type Meant = Result<Vec<f32>, Unsaid>;

/// Documents with their confidence in thousandths, and how the embedder answered, where there is one.
type Searched = Result<(Vec<(Hit, u16)>, Option<Result<(), Unsaid>>), ResultCode>;

/// Where they are.
enum Documents {
    Index(Arc<Index>),
    Postgres(Arc<Table>),
}

impl Documents {
    fn open(kind: &config::kind::Retrieval, name: &Arc<str>) -> Result<Self, String> {
        let (folder, sha256) = match &kind.documents {
            config::Documents::Postgres(table) => {
                let embedder = kind.embeddings.as_ref().map(|it| it.model.as_str());
                return Ok(Self::Postgres(Table::new(table, name, embedder)?));
            }
            config::Documents::Index { folder, sha256 } => (folder, sha256),
        };
        let index = Index::open(folder).map_err(|error| error.to_string())?;
        let folder = folder.display();
        if index.digest() != *sha256 {
            return Err(format!("`{folder}` was built again after the configuration was read; reload once it is whole"));
        }
        if let Some(why) = kind.embeddings.as_ref().and_then(|it| index.is_not_of(&it.model)) {
            return Err(format!("`{folder}` {why}"));
        }
        Ok(Self::Index(Arc::new(index)))
    }
}

impl Retrieval {
    pub(super) fn path(kind: &config::kind::Retrieval, site: Site<'_>) -> Result<Arc<dyn Path>, String> {
        let name: Arc<str> = site.path.name.as_str().into();
        let documents = Documents::open(kind, &name)?;
        let embedder = |it: &config::kind::Embeddings| Some(Embedder::new(it, (site.others)(&it.upstream)?, site.clock));
        let embedder = kind.embeddings.as_ref().and_then(embedder);
        let model = kind.augment.as_ref().map(|it| Openai::path(it, site)).transpose()?;
        let model = model.map(|it| (it, site.path.context));
        Ok(Arc::new(Self {
            documents,
            min_score_permille: kind.min_score_permille,
            name: name.clone(),
            clock: site.clock,
            workers: Workers::start(&format!("search {name}"), kind.threads)?,
            embedder,
            model,
        }))
    }

    /// Finds the documents, the best first, each with its confidence in thousandths, and says how the embedder answered.
    async fn find(&self, ask: &Ask, call: Call) -> Searched {
        let now = self.clock.wall(self.clock.now()).as_second();
        let Some(question) = last_question(&ask.body) else { return Ok((Vec::new(), None)) };
        let vector = match &self.embedder {
            Some(embedder) => Some(embedder.vector(&question, (drawn(&ask.decision), call.budget)).await),
            None => None,
        };
        match &self.documents {
            Documents::Index(index) => self.in_index(index.clone(), question, vector, now).await,
            Documents::Postgres(table) => self.in_table(table, &question, vector, now).await,
        }
    }

    async fn in_index(&self, index: Arc<Index>, question: String, vector: Option<Meant>, now: i64) -> Searched {
        // A model of another kind than that of the index says nothing about it.
        let fits = |it: &Vec<f32>| Some(it.len()) == index.numbers();
        let vector = vector.map(|it| it.and_then(|it| Some(it).filter(fits).ok_or(UNFIT)));
        let embedder = vector.as_ref().map(said);
        let vector = vector.and_then(Result::ok);
        let search = move |_: &dyn Fn() -> bool| index.search_with((&question, vector.as_deref()), now, MOST);
        // The files were whole when they were opened: what cannot be read now is what a panic is.
        let hits = self.workers.run(search).await?.map_err(|_| ResultCode::PathPanic)?;
        Ok((scored(hits), embedder))
    }

    async fn in_table(&self, table: &Table, question: &str, vector: Option<Meant>, now: i64) -> Searched {
        let meant = vector.as_ref().and_then(|it| it.as_deref().ok());
        let found = table.find((question, meant), now).await?;
        let embedder = vector.as_ref().map(|it| match found.words_alone() {
            // What came says nothing about this table.
            Some(_) if it.is_ok() => Err(UNFIT),
            _ => said(it),
        });
        Ok((scored(self.workers.run(move |_| found.judge(MOST)).await?), embedder))
    }

    async fn answer(&self, ask: Arc<Ask>, call: Call, pieces: Pieces) -> Result<Ended, ResultCode> {
        let Question::Chat(peek) = &ask.question else {
            // `check` lets such a path stand on a chat route only.
            return Err(ResultCode::UnsupportedFeature);
        };
        let (hits, embedder) = self.find(&ask, call).await?;
        let documents = hits.iter().map(|(hit, score)| Found {
            id: hit.id.clone(),
            confidence_permille: *score,
            window: None,
        });
        let mut search = Search { documents: documents.collect(), embedder, added: 0 };
        let fit: Vec<_> =
            hits.into_iter().filter(|(_, score)| *score >= self.min_score_permille).map(|it| it.0).collect();
        if fit.is_empty() {
            return Ok(Ended::bare(ResultCode::RetrievalBelowScore, None).with(search));
        }
        if let Some((model, window)) = &self.model {
            let before = Passages::fitting(&fit, room(peek, *window));
            // What is not sure enough stands behind all that is.
            search.documents.iter_mut().zip(&before.shortened).for_each(|(found, it)| found.window = *it);
            if before.is_empty() {
                return Ok(Ended::bare(ResultCode::ContextExceeded, None).with(search));
            }
            search.added = before.bytes();
            let augmented = before.put_before(&ask).ok_or(ResultCode::UnsupportedFeature)?;
            return Ok(model.clone().attempt(Arc::new(augmented), call, pieces).await.with(search));
        }
        let said = quoted(&fit);
        let Ask { decision, created, revision, .. } = &*ask;
        let meta = Meta { decision, created: *created, path: &self.name, revision, evenkeel: "null" };
        let ended = match pieces {
            Some(pieces) => speak::stream(&said, (peek, meta), &self.name, pieces).await,
            None => {
                let body = own_chat(&said, peek.n, meta);
                // Judged like anybody's answer: a path is believed nothing.
                let judged = judge_chat(&body, peek).map_err(|none| none.result)?;
                let (headers, model) = (HeaderMap::new(), self.name.clone());
                let left = Left::Answer { counts: judged.counts(), headers, body, envelope: judged.envelope, model };
                Ended { result: ResultCode::Ok, status: None, after: None, left }
            }
        };
        Ok(ended.with(search))
    }
}

impl Path for Retrieval {
    fn unready(&self) -> Option<String> {
        match &self.documents {
            Documents::Index(_) => None,
            Documents::Postgres(table) => table.why_not(),
        }
    }

    fn attempt(self: Arc<Self>, ask: Arc<Ask>, call: Call, pieces: Pieces) -> Attempting {
        Box::pin(async move {
            match self.answer(ask, call, pieces).await {
                Ok(ended) => ended,
                Err(result) => Ended::bare(result, None),
            }
        })
    }
}

/// Returns how the embedder answered.
fn said(vector: &Meant) -> Result<(), Unsaid> {
    vector.as_ref().map(drop).map_err(|why| *why)
}

/// Returns 64 bits that are as good as drawn, and the same for the same decision.
fn drawn(decision: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    decision.hash(&mut hasher);
    hasher.finish()
}

/// Adds to each document its confidence in thousandths.
fn scored(hits: Vec<Hit>) -> Vec<(Hit, u16)> {
    hits.into_iter().map(|hit| (permille(hit.confidence), hit)).map(|(score, hit)| (hit, score)).collect()
}

/// Returns a confidence as it is compared and recorded.
fn permille(confidence: f64) -> u16 {
    (confidence * 1000.0).floor().clamp(0.0, 1000.0) as u16
}

/// Writes passages as an answer, each with where it is from.
fn quoted(hits: &[Hit]) -> String {
    let quote =
        |Hit { passage, title, source, id, .. }: &Hit| format!("{passage}\n\nSource: {title} ({source}) [{id}]");
    hits.iter().map(quote).collect::<Vec<_>>().join("\n\n---\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_quoted_each_with_its_source() {
        let hit = |id: &str| Hit {
            id: id.into(),
            title: format!("About {id}"),
            source: format!("http://shop/{id}"),
            verified_at: 0,
            confidence: 0.9,
            passage: "Words.".into(),
        };
        let expected =
            "Words.\n\nSource: About a (http://shop/a) [a]\n\n---\n\nWords.\n\nSource: About b (http://shop/b) [b]";
        assert_eq!(quoted(&[hit("a"), hit("b")]), expected);
    }

    #[test]
    fn a_confidence_is_compared_as_it_is_recorded() {
        assert_eq!([0.0, 0.4999, 0.5, 1.0, f64::NAN].map(permille), [0, 499, 500, 1000, 0]);
    }
}
