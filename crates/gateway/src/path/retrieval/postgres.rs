//! Postgres: the documents of a retrieval path in a PostgreSQL table, and how that stands.
//!
//! A search is an attempt over a network: it may fail, be slow, or hang, and each of these is a result that counts for the breaker of
//! the path. The first connection is made when the path is, so that a request need not wait for it (F-161); a database that is not
//! there keeps nobody from starting: the path says why, and the next tier is asked.
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
    /// Why it cannot be searched, as far as is known; none where it can.
    why_not: Mutex<Option<String>>,
}

impl Table {
    /// Takes a table, and begins to connect where there is a runtime to do it in.
    ///
    /// # Errors
    /// The URL, or the name of the table, can never be right.
    pub(super) fn new(spec: &config::Postgres, name: &Arc<str>) -> Result<Arc<Self>, String> {
        let target = Target::new(spec.url.reveal(), &spec.table)?;
        let documents = Documents::new(target, u32::from(spec.connections), Duration::from_nanos(spec.timeout));
        let why_not = Mutex::new(Some("it is not connected yet".into()));
        let table = Arc::new(Self { documents, name: name.clone(), why_not });
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(warm(Arc::downgrade(&table)));
        }
        Ok(table)
    }

    /// Returns why it cannot be searched, as far as is known.
    pub(super) fn why_not(&self) -> Option<String> {
        self.why_not.lock().clone()
    }

    /// Finds the documents that may answer a question.
    pub(super) async fn find(&self, question: &str, now: i64) -> Result<Candidates, ResultCode> {
        let found = self.documents.search(question, now).await;
        self.heard(found.as_ref().map(|_| None).map_err(Clone::clone));
        found.map_err(|fault| result(fault.kind))
    }

    /// Takes note of how it stands, and says so where that has changed.
    fn heard(&self, how: Result<Option<Standing>, Fault>) {
        let (path, place) = (&*self.name, self.documents.target());
        let now = how.as_ref().err().map(|fault| fault.words.clone());
        let before = std::mem::replace(&mut *self.why_not.lock(), now);
        match how {
            Ok(Some(Standing { documents, generation })) => {
                tracing::info!(
                    target: "evenkeel::retrieval", path, documents, generation, "ready: {place}"
                );
            }
            Ok(None) if before.is_some() => {
                tracing::info!(target: "evenkeel::retrieval", path, "can be searched again: {place}");
            }
            Err(fault) if before.as_ref() != Some(&fault.words) => {
                tracing::warn!(target: "evenkeel::retrieval", path, why = fault.words, "cannot be searched: {place}");
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Makes the first connection, with the statements prepared on it, unless nobody has the table any more.
async fn warm(table: Weak<Table>) {
    let Some(table) = table.upgrade() else { return };
    let warmed = table.documents.warm().await;
    table.heard(warmed.map(Some));
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
