//! Writes: what waits to be written to the store, and how it is written (F-146).
//!
//! # Invariants
//! - `WRITES-1`: all that waits takes [`ROOM`] at most, whatever an entry may have; what is larger than that waits by itself.
//! - `WRITES-2`: what is sent at once is [`AT_ONCE`] writes at most, and no more of them than the last goes beyond [`BYTES_AT_ONCE`];
//!   only those are encoded.
//! - `WRITES-3`: of what is sent at once each is carried out or refused by itself.

use std::sync::Arc;

use redis::{RedisError, RedisResult, Value, aio::MultiplexedConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::faults::Doing;
use crate::cache::{Entry, Key};

/// Writes that wait.
const WRITES: usize = 1_024;
/// What they may take together, in units of [`UNIT`]: 32 MiB. It is besides the `memory` of routes, in which most of it is kept, too.
const ROOM: u32 = 32 << 10;
/// One of those, in bytes.
const UNIT: usize = 1 << 10;
/// Writes that are sent at once.
const AT_ONCE: usize = 64;
/// Bytes after which no further one is sent with them.
const BYTES_AT_ONCE: usize = 4 << 20;

/// Something that is to be written.
#[derive(Debug)]
pub(super) enum Write {
    Put { key: Key, entry: Arc<Entry>, keep_ms: u64 },
    Delete(Key),
}

/// Where writes wait, and what room there is for them.
#[derive(Debug)]
pub(super) struct Writes {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
}

/// A write, and the room that it takes for as long as it waits.
#[derive(Debug)]
struct Queued {
    write: Write,
    _room: OwnedSemaphorePermit,
}

/// The writes that wait, as whoever carries them out takes them.
#[derive(Debug)]
pub(super) struct Waiting(mpsc::Receiver<Queued>);

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Self::Put { entry, .. } => entry.size(),
            Self::Delete(_) => 0,
        }
    }

    /// Returns what is done by it.
    pub(super) fn doing(&self) -> Doing {
        match self {
            Self::Put { .. } => Doing::Write,
            Self::Delete(_) => Doing::Delete,
        }
    }
}

impl Writes {
    /// A queue, and its other end.
    pub(super) fn new() -> (Self, Waiting) {
        let (queue, waiting) = mpsc::channel(WRITES);
        (Self { queue, room: Arc::new(Semaphore::new(ROOM as usize)) }, Waiting(waiting))
    }

    /// Lets something wait; says whether there was a place for it (WRITES-1).
    pub(super) fn add(&self, write: Write) -> bool {
        let units = u32::try_from(write.bytes() / UNIT + 1).unwrap_or(ROOM).min(ROOM);
        let Ok(room) = self.room.clone().try_acquire_many_owned(units) else { return false };
        self.queue.try_send(Queued { write, _room: room }).is_ok()
    }
}

impl Waiting {
    /// Waits for something that is to be written, and takes what waits with it (WRITES-2); none once nobody can add any.
    pub(super) async fn next(&mut self) -> Option<Batch> {
        let mut all = vec![self.0.recv().await?];
        let mut bytes = all[0].write.bytes();
        while all.len() < AT_ONCE && bytes < BYTES_AT_ONCE {
            let Ok(more) = self.0.try_recv() else { break };
            bytes += more.write.bytes();
            all.push(more);
        }
        Some(Batch(all))
    }

    /// Forgets all that waits; returns how much that was.
    pub(super) fn forget(&mut self) -> usize {
        std::iter::from_fn(|| self.0.try_recv().ok()).count()
    }
}

/// Writes that are sent at once.
#[derive(Debug)]
pub(super) struct Batch(Vec<Queued>);

impl Batch {
    /// Returns them.
    pub(super) fn writes(&self) -> impl Iterator<Item = &Write> {
        self.0.iter().map(|it| &it.write)
    }

    /// Carries them out; returns what came of each (WRITES-3).
    pub(super) async fn carry_out(
        &self,
        mut connection: MultiplexedConnection,
    ) -> Result<Vec<RedisResult<Value>>, RedisError> {
        let mut pipe = redis::pipe();
        pipe.ignore_errors();
        for write in self.writes() {
            match write {
                Write::Put { key, entry, keep_ms } => {
                    pipe.cmd("SET").arg(super::name(key)).arg(entry.encode(key)).arg("PX").arg(*keep_ms)
                }
                Write::Delete(key) => pipe.cmd("DEL").arg(super::name(key)),
            };
        }
        pipe.query_async(&mut connection).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cache::Said;

    fn put(number: u64, bytes: usize) -> Write {
        let said = Said::Json(vec![b' '; bytes].into());
        let entry = Arc::new(Entry { tier: 0, made: Timestamp::UNIX_EPOCH, sure: None, said });
        Write::Put { key: Key::of_number(number), entry, keep_ms: 1 }
    }

    #[tokio::test]
    async fn kept_2_writes_1_what_waits_is_bounded_by_its_bytes() {
        let (writes, mut waiting) = Writes::new();
        let taken = (0..1_000).filter(|number| writes.add(put(*number, 1 << 20))).count();
        assert_eq!(taken, 31, "32 MiB, and a little for each");
        assert!(writes.add(Write::Delete(Key::of_number(1))), "a little has room still");
        assert_eq!(waiting.forget(), 32);
        assert!(writes.add(put(1, 100 << 20)), "what is larger than all the room waits by itself");
        assert!(!writes.add(put(2, 1)));
        drop(waiting.next().await);
        assert!(writes.add(put(2, 1)), "it has made room");
    }

    #[tokio::test]
    async fn writes_2_what_is_sent_at_once_is_bounded_by_its_number_and_its_bytes() {
        let (writes, mut waiting) = Writes::new();
        (0..100).for_each(|number| assert!(writes.add(put(number, 10))));
        (0..10).for_each(|number| assert!(writes.add(put(number, 1 << 20))));
        let mut sent = Vec::new();
        while sent.iter().sum::<usize>() < 110 {
            sent.push(waiting.next().await.expect("more waits").writes().count());
        }
        assert_eq!(sent, [64, 40, 4, 2]);
    }
}
