//! Shared: answers that several gateways keep together, in Redis or Valkey (F-146).
//!
//! All that is said to such a server is said here. Nothing depends on it: with the server gone, slow, full or poisoned each gateway
//! goes on with what it has kept itself.
//!
//! # Invariants
//! - `SHARED-1`: nobody waits longer than [`PATIENCE`] for a look-up, nor at all while its breaker is open, or no connection stands.
//! - `SHARED-2`: no request waits for a write; what has no place in the queue is dropped, and counted.
//! - `SHARED-3`: what is not what was written under its key is deleted, and a miss; no more of it is read than an entry may have.
//! - `SHARED-4`: a connection to a server that says that it is not the one to speak to is given up, and made anew by its name.
//! - `SHARED-5`: what another gateway dates after now, by more than clocks differ, is a miss: nobody knows how old it is.

mod asking;
mod came;
mod connect;
mod faults;
mod writes;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evenkeel_config::Store;
use evenkeel_core::{Aside, BreakerPolicy, Nanos, ResultCode};
use jiff::Timestamp;
use parking_lot::Mutex;
use redis::{RedisError, aio::MultiplexedConnection};
use tokio::time::{sleep, timeout};

use self::{
    asking::Asking,
    connect::{Line, Way, words},
    faults::{Doing, Faults, News},
    writes::{Batch, Waiting, Write, Writes},
};
pub(super) use self::{asking::Turn, came::Came};
use super::{Entry, Key};
use crate::{calling::Calling, clock::Clock};

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a connection, a write or a sign of life may take, for which nobody waits.
const SLOWLY: Duration = Duration::from_secs(1);
/// From one try to connect to the next, and from one sign of life to the next.
const EVERY: Duration = Duration::from_millis(500);
/// What a server says that is not the one to write to, or to ask: another one is, soon, under the same name (SHARED-4).
const NOT_THIS_ONE: [&str; 3] = ["READONLY", "LOADING", "MASTERDOWN"];

/// A server that keeps answers for several gateways.
pub(crate) struct Shared {
    pub(crate) store: Store,
    clock: Clock,
    line: Mutex<Option<Line>>,
    /// What of it does not go.
    faults: Mutex<Faults>,
    aside: Mutex<Aside>,
    asking: Asking,
    writes: Writes,
    counts: [AtomicU64; Came::ALL.len()],
}

impl Shared {
    /// Begins to connect; the task that does so ends with it.
    ///
    /// # Errors
    /// What of its address, or of those who may have issued its certificate, cannot be used.
    pub(crate) fn start(store: &Store, clock: Clock) -> Result<Arc<Self>, String> {
        let way = Way::to(store)?;
        let (writes, waiting) = Writes::new();
        let shared = Arc::new(Self {
            store: store.clone(),
            clock,
            line: Mutex::new(None),
            faults: Mutex::default(),
            aside: Mutex::new(Aside::new(BreakerPolicy::default())),
            asking: Asking::default(),
            writes,
            counts: Default::default(),
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the store, of which it holds no share")]
        tokio::spawn(keep(Arc::downgrade(&shared), way, waiting));
        Ok(shared)
    }

    /// Says whether a store could be reached, as far as this process can tell.
    ///
    /// # Errors
    /// What of its address, or of those who may have issued its certificate, cannot be used.
    pub(crate) fn prove(store: &Store) -> Result<(), String> {
        Way::to(store).map(drop)
    }

    /// Says whether somebody looks this up already.
    pub(super) fn turn(&self, key: &Key) -> Turn<'_> {
        self.asking.turn(key)
    }

    /// Looks an answer up that has so many bytes at most.
    pub(crate) async fn get(&self, key: &Key, (entropy, most): (u64, u64)) -> Option<Entry> {
        let Some(connection) = self.connection() else { return self.count(Came::Down) };
        let patience = PATIENCE.as_nanos() as Nanos;
        let Some(mut calling) = Calling::start(&self.aside, self.clock, (entropy, patience)) else {
            return self.count(Came::Open);
        };
        let found = timeout(PATIENCE, read(connection, key, most)).await;
        let (result, came, entry) = match found {
            Err(_) => (ResultCode::TotalTimeout, Came::Slow, None),
            Ok(Ok(value)) if value.is_empty() => (ResultCode::Ok, Came::Miss, None),
            Ok(Ok(value)) => match Entry::decode(key, &value) {
                Some(entry) if entry.is_ahead(Timestamp::now()) => (ResultCode::Ok, Came::Ahead, None),
                Some(entry) => (ResultCode::Ok, Came::Hit, Some(entry)),
                None => (ResultCode::Ok, Came::Garbage, None),
            },
            // Another kind of value under our key: not what was written (SHARED-3).
            Ok(Err(error)) if error.code() == Some("WRONGTYPE") => (ResultCode::Ok, Came::Garbage, None),
            Ok(Err(error)) => {
                self.broke(Doing::Read, &error);
                (ResultCode::Reset, Came::Failed, None)
            }
        };
        calling.end(result);
        if result == ResultCode::Ok {
            self.went(Doing::Read);
        }
        if came == Came::Garbage {
            self.queue(Write::Delete(*key));
        }
        self.count::<Entry>(came);
        entry
    }

    /// Keeps an answer for others, for so many nanoseconds, once there is time for it.
    pub(crate) fn put(&self, key: &Key, entry: &Arc<Entry>, keep: Nanos) {
        let keep_ms = (keep / 1_000_000).max(1);
        self.queue(Write::Put { key: *key, entry: entry.clone(), keep_ms });
    }

    /// Returns how often each thing has come.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Came, u64)> {
        Came::ALL.into_iter().zip(&self.counts).map(|(came, count)| (came, count.load(Ordering::Relaxed)))
    }

    fn queue(&self, write: Write) {
        if !self.writes.add(write) {
            self.count::<()>(Came::WriteDropped);
        }
    }

    fn count<T>(&self, came: Came) -> Option<T> {
        self.count_all(came, 1);
        None
    }

    fn count_all(&self, came: Came, times: usize) {
        self.counts[came as usize].fetch_add(times as u64, Ordering::Relaxed);
    }

    /// Returns the connection that stands.
    fn connection(&self) -> Option<MultiplexedConnection> {
        self.line.lock().as_ref().map(|line| line.connection.clone())
    }

    /// Gives a connection up that is no more, or leads to the wrong server, of which the task makes another; what the store itself
    /// refuses is said.
    fn broke(&self, doing: Doing, error: &RedisError) {
        let code = error.code();
        let elsewhere = code.is_some_and(|code| NOT_THIS_ONE.contains(&code));
        if elsewhere || error.is_connection_dropped() || error.is_io_error() {
            *self.line.lock() = None;
        }
        if code.is_some() {
            self.failed(doing, &words(error));
        }
    }

    /// Says why it cannot be used, where that is new.
    fn failed(&self, doing: Doing, why: &str) {
        if self.faults.lock().failed(self.clock.now(), doing, why) == News::Fails {
            let doing = doing.name();
            tracing::warn!(target: "evenkeel::cache", doing, why, "the shared store cannot be used; each gateway goes on with its own answers");
        }
    }

    /// Says that it can be used again, where it could not.
    fn went(&self, doing: Doing) {
        if self.faults.lock().went(self.clock.now(), doing) == News::GoesAgain {
            let doing = doing.name();
            tracing::info!(target: "evenkeel::cache", doing, "the shared store can be used again");
        }
    }

    /// Connects; says whether that has come to something.
    async fn connect(&self, way: &Way) -> bool {
        match way.connect(SLOWLY).await {
            Ok(line) => {
                *self.line.lock() = Some(line);
                self.went(Doing::Connect);
                true
            }
            Err(why) => {
                self.failed(Doing::Connect, &why);
                false
            }
        }
    }

    /// Writes what waited.
    async fn write(&self, connection: MultiplexedConnection, batch: &Batch) {
        let came = timeout(SLOWLY, batch.carry_out(connection)).await;
        let Ok(Ok(each)) = came else {
            self.count_all(Came::WriteFailed, batch.writes().count());
            return self.answered(Doing::Write, came.map(|it| it.map(drop)).ok());
        };
        for (write, done) in batch.writes().zip(each) {
            self.count::<()>(if done.is_ok() { Came::Written } else { Came::WriteFailed });
            self.answered(write.doing(), Some(done.map(drop)));
        }
    }

    /// Hears how it has answered; none where it did not.
    fn answered(&self, doing: Doing, how: Option<Result<(), RedisError>>) {
        match how {
            Some(Ok(())) => self.went(doing),
            Some(Err(error)) => self.broke(doing, &error),
            // A connection that is silent for so long may be none.
            None => *self.line.lock() = None,
        }
    }
}

/// Returns the name of an entry at the server.
fn name(key: &Key) -> String {
    format!("evenkeel:cache:1:{}", key.hex())
}

/// Reads a value, but no more of it than it may have, and a byte.
async fn read(mut connection: MultiplexedConnection, key: &Key, most: u64) -> Result<Vec<u8>, RedisError> {
    // What is written around an answer of `most` bytes is less than as much again, and a little.
    let end = most.saturating_mul(2).saturating_add(4 << 10);
    redis::cmd("GETRANGE").arg(name(key)).arg(0).arg(end).query_async(&mut connection).await
}

async fn ping(mut connection: MultiplexedConnection) -> Result<(), RedisError> {
    redis::cmd("PING").query_async::<String>(&mut connection).await.map(drop)
}

/// Connects, writes what waits, and asks for a sign of life now and then, for as long as somebody holds the store.
async fn keep(shared: Weak<Shared>, way: Way, mut waiting: Waiting) {
    let mut tried: Option<Nanos> = None;
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let Some(connection) = alive.connection() else {
            // Also one that connects and then refuses all is not called more often.
            let early = tried.map_or(0, |at| (at + EVERY.as_nanos() as Nanos).saturating_sub(alive.clock.now()));
            if early > 0 {
                drop(alive);
                sleep(Duration::from_nanos(early)).await;
                continue;
            }
            tried = Some(alive.clock.now());
            if !alive.connect(&way).await {
                // What waited is older than the outage: it is kept here, and nobody else needs it.
                alive.count_all(Came::WriteDropped, waiting.forget());
            }
            continue;
        };
        drop(alive);
        let batch = timeout(EVERY, waiting.next()).await;
        let Some(alive) = shared.upgrade() else { return };
        match batch {
            Ok(None) => return,
            Ok(Some(batch)) => alive.write(connection, &batch).await,
            Err(_) => alive.answered(Doing::Ping, timeout(SLOWLY, ping(connection)).await.ok()),
        }
    }
}

#[cfg(test)]
mod tests;
