//! Postgres: the documents of a retrieval path in a PostgreSQL table, and how that stands.
//!
//! A search is an attempt over a network: it may fail, be slow, or hang, and each of these is a result that counts for the breaker of
//! the path. The first connection is made when the path is, so that a request need not wait for it (F-161); a database that is not
//! there keeps nobody from starting: the path says why, and the next tier is asked. So it is where the path has an embedder and the table
//! has no vectors that fit: it says why, and the words alone count.
//!
//! # Invariants
//! - What is wrong is logged when it begins and when it is over, not once for each request.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use evenkeel_config as config;
use evenkeel_core::ResultCode;
use evenkeel_postgres::{Candidates, Documents, Fault, Kind, Standing, Target};
use parking_lot::Mutex;

/// A table of documents.
pub(super) struct Table {
    documents: Documents,
    /// The path, for the log.
    name: Arc<str>,
    /// It is to be searched by what a question means, too.
    by_meaning: bool,
    /// Why it cannot be searched, or not as it should be, as far as is known; none where it can.
    why_not: Mutex<Option<String>>,
}

/// How a table was found to stand.
enum Heard {
    /// It can be searched for the first time; as the standing has it.
    Ready(Standing),
    /// It was searched.
    Searched,
    /// It was searched by words alone, and why.
    WordsAlone(String),
    Failed(Fault),
}

impl Table {
    /// Takes a table, and begins to connect where there is a runtime to do it in.
    ///
    /// # Errors
    /// The URL, or the name of the table, can never be right.
    pub(super) fn new(spec: &config::Postgres, name: &Arc<str>, embedder: Option<&str>) -> Result<Arc<Self>, String> {
        let target = Target::new(spec.url.reveal(), &spec.table)?;
        let documents = Documents::new(target, u32::from(spec.connections), Duration::from_nanos(spec.timeout));
        let documents = match embedder {
            Some(model) => documents.asking(model),
            None => documents,
        };
        let by_meaning = embedder.is_some();
        let why_not = Mutex::new(Some("it is not connected yet".into()));
        let table = Arc::new(Self { documents, name: name.clone(), by_meaning, why_not });
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(warm(Arc::downgrade(&table)));
        }
        Ok(table)
    }

    /// Returns why it cannot be searched, or not as it should be, as far as is known.
    pub(super) fn why_not(&self) -> Option<String> {
        self.why_not.lock().clone()
    }

    /// Finds the documents that may answer a question, by its vector, too, where one is given.
    pub(super) async fn find(
        &self,
        question: (&str, Option<&[f32]>),
        now: i64,
    ) -> Result<Candidates, ResultCode> {
        let found = self.documents.search(question, now).await;
        self.heard(match &found {
            Err(fault) => Heard::Failed(fault.clone()),
            Ok(found) => match found.words_alone().filter(|_| self.by_meaning) {
                Some(why) => Heard::WordsAlone(why.to_owned()),
                None => Heard::Searched,
            },
        });
        found.map_err(|fault| result(fault.kind))
    }

    /// Takes note of how it stands, and says so where that has changed.
    fn heard(&self, how: Heard) {
        let (path, place) = (&*self.name, self.documents.target());
        let now = match &how {
            Heard::Failed(fault) => Some(fault.words.clone()),
            Heard::WordsAlone(why) => Some(format!("found by words alone: {why}")),
            Heard::Ready(_) | Heard::Searched => None,
        };
        let before = std::mem::replace(&mut *self.why_not.lock(), now.clone());
        let is_news = before != now;
        match how {
            Heard::Ready(Standing { documents, generation, .. }) => {
                tracing::info!(target: "evenkeel::retrieval", path, documents, generation, "ready: {place}");
            }
            Heard::Searched if is_news => {
                tracing::info!(target: "evenkeel::retrieval", path, "can be searched again: {place}");
            }
            Heard::WordsAlone(why) if is_news => {
                tracing::warn!(target: "evenkeel::retrieval", path, why, "is searched by words alone: {place}");
            }
            Heard::Failed(fault) if is_news => {
                tracing::warn!(target: "evenkeel::retrieval", path, why = fault.words, "cannot be searched: {place}");
            }
            _ => {}
        }
    }
}

/// Makes the first connection, with the statements prepared on it, unless nobody has the table any more.
async fn warm(table: Weak<Table>) {
    let Some(table) = table.upgrade() else { return };
    let warmed = table.documents.warm().await;
    table.heard(match warmed {
        Err(fault) => Heard::Failed(fault),
        Ok(standing) => match standing.words_alone.clone().filter(|_| table.by_meaning) {
            Some(why) => Heard::WordsAlone(why),
            None => Heard::Ready(standing),
        },
    });
}

/// Returns what an attempt ends with (`failures.md`, section 1).
fn result(kind: Kind) -> ResultCode {
    match kind {
        Kind::Connect => ResultCode::ConnectFailed,
        Kind::Name => ResultCode::DnsFailed,
        Kind::Tls => ResultCode::TlsFailed,
        Kind::Credential => ResultCode::CredentialRejected,
        Kind::Privilege => ResultCode::CredentialForbidden,
        // What the path names is not there.
        Kind::Absent => ResultCode::ModelMissing,
        Kind::Late => ResultCode::TotalTimeout,
        Kind::Broken => ResultCode::Reset,
        Kind::Protocol => ResultCode::ProtocolError,
        // It is evidence, unlike a push-back: nothing keeps requests off a database but its breaker.
        Kind::Full | Kind::Server => ResultCode::Status5xx,
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_core::Evidence;

    use super::*;

    #[test]
    fn da_04_whatever_a_database_does_wrong_counts_for_the_breaker_and_lets_the_next_tier_be_asked() {
        for kind in [
            Kind::Connect,
            Kind::Name,
            Kind::Tls,
            Kind::Credential,
            Kind::Privilege,
            Kind::Absent,
            Kind::Late,
            Kind::Broken,
            Kind::Protocol,
            Kind::Full,
            Kind::Server,
        ] {
            let it = result(kind);
            assert_eq!((it.evidence(), it.next()), (Evidence::Hard, evenkeel_core::Next::Yes), "{kind:?}");
        }
    }
}
