//! Shared: answers that several gateways keep together, in Redis or Valkey (F-146).
//!
//! All that is said to such a server is said here. Nothing depends on it: with the server gone, slow, full or poisoned each gateway
//! goes on with what it has kept itself.
//!
//! # Invariants
//! - `SHARED-1`: nobody waits longer than [`PATIENCE`] for a look-up, nor at all while its breaker is open, or no connection stands.
//! - `SHARED-2`: no request waits for a write; what has no place in the queue is dropped, and counted.
//! - `SHARED-3`: what is not what was written under its key is deleted, and a miss; no more of it is read than an entry may have.

mod connect;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use evenkeel_config::Store;
use evenkeel_core::{Aside, BreakerPolicy, Nanos, ResultCode};
use parking_lot::Mutex;
use redis::{RedisError, aio::MultiplexedConnection};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use self::connect::{Line, Way, words};
use super::{Entry, Key, calling::Calling};
use crate::clock::Clock;

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a connection, a write or a sign of life may take, for which nobody waits.
const SLOWLY: Duration = Duration::from_secs(1);
/// From one try to connect to the next, and from one sign of life to the next.
const EVERY: Duration = Duration::from_millis(500);
/// Writes that wait.
const WRITES: usize = 1_024;

/// What came of a look-up, or of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Hit,
    Miss,
    /// It was not what had been written.
    Garbage,
    /// It took longer than it may.
    Slow,
    /// The server, or the way to it, failed.
    Failed,
    /// Its breaker was open.
    Open,
    /// No connection stood.
    Down,
    Written,
    WriteFailed,
    /// There was no place in the queue.
    WriteDropped,
}

impl Came {
    /// Everything that may come.
    pub(crate) const ALL: [Self; 10] = [
        Self::Hit,
        Self::Miss,
        Self::Garbage,
        Self::Slow,
        Self::Failed,
        Self::Open,
        Self::Down,
        Self::Written,
        Self::WriteFailed,
        Self::WriteDropped,
    ];

    /// Returns the word of metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Garbage => "garbage",
            Self::Slow => "slow",
            Self::Failed => "failed",
            Self::Open => "breaker_open",
            Self::Down => "not_connected",
            Self::Written => "written",
            Self::WriteFailed => "write_failed",
            Self::WriteDropped => "write_dropped",
        }
    }
}

/// A server that keeps answers for several gateways.
pub(crate) struct Shared {
    pub(crate) store: Store,
    clock: Clock,
    line: Mutex<Option<Line>>,
    /// Why it cannot be used, as was last said.
    why_not: Mutex<Option<String>>,
    aside: Mutex<Aside>,
    writes: mpsc::Sender<Write>,
    counts: [AtomicU64; Came::ALL.len()],
}

/// Something that is to be written.
#[derive(Debug)]
enum Write {
    Put { key: String, value: Vec<u8>, keep_ms: u64 },
    Delete(String),
}

impl Shared {
    /// Begins to connect; the task that does so ends with it.
    ///
    /// # Errors
    /// What of its address, or of those who may have issued its certificate, cannot be used.
    pub(crate) fn start(store: &Store, clock: Clock) -> Result<Arc<Self>, String> {
        let way = Way::to(store)?;
        let (writes, queue) = mpsc::channel(WRITES);
        let shared = Arc::new(Self {
            store: store.clone(),
            clock,
            line: Mutex::new(None),
            why_not: Mutex::new(None),
            aside: Mutex::new(Aside::new(BreakerPolicy::default())),
            writes,
            counts: Default::default(),
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the store, of which it holds no share")]
        tokio::spawn(keep(Arc::downgrade(&shared), way, queue));
        Ok(shared)
    }

    /// Says whether a store could be reached, as far as this process can tell.
    ///
    /// # Errors
    /// What of its address, or of those who may have issued its certificate, cannot be used.
    pub(crate) fn prove(store: &Store) -> Result<(), String> {
        Way::to(store).map(drop)
    }

    /// Looks an answer up that has so many bytes at most.
    pub(crate) async fn get(&self, key: &Key, (entropy, most): (u64, u64)) -> Option<Entry> {
        let Some(connection) = self.connection() else { return self.count(Came::Down) };
        let patience = PATIENCE.as_nanos() as Nanos;
        let Some(mut calling) = Calling::start(&self.aside, self.clock, (entropy, patience)) else {
            return self.count(Came::Open);
        };
        let name = name(key);
        let found = timeout(PATIENCE, read(connection, &name, most)).await;
        let (result, came, entry) = match found {
            Err(_) => (ResultCode::TotalTimeout, Came::Slow, None),
            Ok(Ok(value)) if value.is_empty() => (ResultCode::Ok, Came::Miss, None),
            Ok(Ok(value)) => match Entry::decode(key, &value) {
                Some(entry) => (ResultCode::Ok, Came::Hit, Some(entry)),
                None => (ResultCode::Ok, Came::Garbage, None),
            },
            // Another kind of value under our key: not what was written (SHARED-3).
            Ok(Err(error)) if error.code() == Some("WRONGTYPE") => (ResultCode::Ok, Came::Garbage, None),
            Ok(Err(error)) => {
                self.broke(&error);
                (ResultCode::Reset, Came::Failed, None)
            }
        };
        calling.end(result);
        if came == Came::Garbage {
            self.queue(Write::Delete(name));
        }
        self.count::<Entry>(came);
        entry
    }

    /// Keeps an answer for others, for so many nanoseconds, once there is time for it.
    pub(crate) fn put(&self, key: &Key, entry: &Entry, keep: Nanos) {
        let keep_ms = (keep / 1_000_000).max(1);
        self.queue(Write::Put { key: name(key), value: entry.encode(key), keep_ms });
    }

    /// Returns how often each thing has come.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Came, u64)> {
        Came::ALL.into_iter().zip(&self.counts).map(|(came, count)| (came, count.load(Ordering::Relaxed)))
    }

    fn queue(&self, write: Write) {
        if self.writes.try_send(write).is_err() {
            self.count::<()>(Came::WriteDropped);
        }
    }

    fn count<T>(&self, came: Came) -> Option<T> {
        self.counts[came as usize].fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Returns the connection that stands.
    fn connection(&self) -> Option<MultiplexedConnection> {
        self.line.lock().as_ref().map(|line| line.connection.clone())
    }

    /// Gives a connection up that is no more, of which the task makes another; what the store itself refuses is said.
    fn broke(&self, error: &RedisError) {
        if error.is_connection_dropped() || error.is_io_error() {
            *self.line.lock() = None;
        } else if error.code().is_some() {
            self.heard(Some(words(error)));
        }
    }

    /// Says why it cannot be used, or that it can again, where that has changed.
    fn heard(&self, why: Option<String>) {
        let before = std::mem::replace(&mut *self.why_not.lock(), why.clone());
        match why {
            Some(why) if before.as_ref() != Some(&why) => {
                tracing::warn!(target: "evenkeel::cache", why, "the shared store cannot be used; each gateway goes on with its own answers");
            }
            None if before.is_some() => {
                tracing::info!(target: "evenkeel::cache", "the shared store is connected again")
            }
            _ => {}
        }
    }
}

/// Returns the name of an entry at the server.
fn name(key: &Key) -> String {
    format!("evenkeel:cache:1:{}", key.hex())
}

/// Reads a value, but no more of it than it may have, and a byte.
async fn read(mut connection: MultiplexedConnection, name: &str, most: u64) -> Result<Vec<u8>, RedisError> {
    // What is written around an answer of `most` bytes is less than as much again, and a little.
    let end = most.saturating_mul(2).saturating_add(4 << 10);
    redis::cmd("GETRANGE").arg(name).arg(0).arg(end).query_async(&mut connection).await
}

/// Connects, writes what waits, and asks for a sign of life now and then, for as long as somebody holds the store.
async fn keep(shared: Weak<Shared>, way: Way, mut queue: mpsc::Receiver<Write>) {
    loop {
        let Some(alive) = shared.upgrade() else { return };
        let Some(connection) = alive.connection() else {
            match way.connect(SLOWLY).await {
                Ok(line) => {
                    *alive.line.lock() = Some(line);
                    alive.heard(None);
                }
                Err(why) => {
                    alive.heard(Some(why));
                    // What waited is older than the outage: it is kept here, and nobody else needs it.
                    while queue.try_recv().is_ok() {
                        alive.count::<()>(Came::WriteDropped);
                    }
                    drop(alive);
                    sleep(EVERY).await;
                }
            }
            continue;
        };
        drop(alive);
        let write = timeout(EVERY, queue.recv()).await;
        let Some(alive) = shared.upgrade() else { return };
        let done = match write {
            Ok(None) => return,
            Ok(Some(write)) => {
                let done = timeout(SLOWLY, carry_out(connection, write)).await.ok();
                alive.count::<()>(if matches!(done, Some(Ok(()))) { Came::Written } else { Came::WriteFailed });
                done
            }
            Err(_) => timeout(SLOWLY, ping(connection)).await.ok(),
        };
        match done {
            Some(Ok(())) => {}
            Some(Err(error)) => alive.broke(&error),
            // A connection that is silent for so long may be none.
            None => *alive.line.lock() = None,
        }
    }
}

async fn carry_out(mut connection: MultiplexedConnection, write: Write) -> Result<(), RedisError> {
    match write {
        Write::Put { key, value, keep_ms } => {
            redis::cmd("SET").arg(key).arg(value).arg("PX").arg(keep_ms).query_async(&mut connection).await
        }
        Write::Delete(key) => redis::cmd("DEL").arg(key).query_async::<i64>(&mut connection).await.map(drop),
    }
}

async fn ping(mut connection: MultiplexedConnection) -> Result<(), RedisError> {
    redis::cmd("PING").query_async::<String>(&mut connection).await.map(drop)
}
