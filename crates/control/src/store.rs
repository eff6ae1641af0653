//! Store: every decision, found again: by its id, by what it was like, and as history.
//!
//! What is recorded goes to segments on disk first, and those are the truth (ADR 11); the store is one of their readers. So it can be
//! slow, read-only, full or away, and neither a request waits for it nor is anything lost: it reads on when it is back. It is a file of
//! SQLite beside the segments, or a PostgreSQL; the tables and every statement are one text for both.
//!
//! Not here: what a decision is (`api`), how segments are written, and the log that proves what happened (`audit`).
//!
//! # Invariants
//! - `STO-1`: a line of a segment is in the store once, whoever dies when.
//! - `STO-2`: an engine that is away costs nothing but time.
//! - `STO-5`: a password is in no message.

mod engine;
mod fault;
mod follow;
mod history;
mod ingest;
mod instance;
mod place;
mod query;
mod record;
mod retain;
mod rollup;
mod schema;
mod write;

use std::sync::Arc;

use evenkeel_api::{History, StoreState, Told};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use self::{
    engine::Engine,
    history::SPAN_KINDS,
    query::{COLUMNS, KINDS, told},
    record::text,
};
pub use self::{
    fault::{Class, Fault},
    history::Times,
    ingest::{Ingester, Pass},
    instance::READER,
    place::Place,
    query::{Before, Wanted},
    retain::Swept,
};

/// The name of the file in which decisions are stored where no server is named.
pub const FILE: &str = "evenkeel.db";

/// Where decisions are found.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    state: Arc<Mutex<StoreState>>,
    /// How long decisions are kept; none before somebody says so: for good.
    keep: Arc<Mutex<Option<SignedDuration>>>,
}

impl Store {
    /// Takes a place for a store; nothing is opened before it is needed.
    pub fn new(place: &Place, now: Timestamp) -> Self {
        let engine = place.engine();
        let (name, state) = (engine.name().into(), "waiting".into());
        let state = StoreState { engine: name, state, since: now, ..StoreState::default() };
        Self { engine, state: Arc::new(Mutex::new(state)), keep: Arc::default() }
    }

    /// Keeps decisions for so long, from now on.
    pub fn keep_for(&self, keep: SignedDuration) {
        *self.keep.lock() = Some(keep);
    }

    /// Returns how it stands.
    pub fn state(&self) -> StoreState {
        self.state.lock().clone()
    }

    /// Finds a decision.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn find(&self, id: &str) -> Result<Option<Told>, Fault> {
        let sql = format!("SELECT {COLUMNS} FROM decisions WHERE id = $1 LIMIT 1");
        let rows = self.engine.ask(sql.into(), vec![text(id)], KINDS).await?;
        Ok(rows.into_iter().next().and_then(told))
    }

    /// Finds decisions, the newest first.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn list(&self, wanted: &Wanted) -> Result<Vec<Told>, Fault> {
        let (sql, values) = wanted.statement();
        let rows = self.engine.ask(sql.into(), values, KINDS).await?;
        Ok(rows.into_iter().filter_map(told).collect())
    }

    /// Finds what decisions came to.
    ///
    /// # Errors
    /// The store cannot be asked.
    pub async fn history(&self, times: &Times) -> Result<History, Fault> {
        let (sql, values) = times.statement();
        Ok(times.told(self.engine.ask(sql.into(), values, SPAN_KINDS).await?))
    }

    /// Notes how it stands.
    fn note(&self, now: Timestamp, state: &str, more: impl FnOnce(&mut StoreState)) {
        let mut it = self.state.lock();
        if it.state != state {
            (it.state, it.since) = (state.into(), now);
        }
        more(&mut it);
    }

    /// Notes what went wrong.
    fn failed(&self, fault: &Fault) {
        self.state.lock().last_error = Some(fault.class.name().into());
    }
}
