//! Inputs: the log of everything that enters the core, from which `evenkeel replay` lives it again (rule 12).
//!
//! The driver writes under its lock, into memory: no system call, and no allocation once the pages have grown. A thread takes
//! what there is a few times a second, and writes and syncs it. What is in a log, and how, is the core's (`core/log.rs`).
//!
//! # Invariants
//! - `INP-1`: a log is whole from its beginning to its end: what finds no room, in memory or on disk, ends it, and that is
//!   written, counted and told. There is no hole in it; the next start of the process begins anew.
//! - `INP-2`: nothing waits for the disk, and memory is bounded: twice [`WAITING`].
//! - `INP-3`: on disk there is no more than the bound, which may be moved; the logs of earlier processes make room, whole and the
//!   oldest first.

mod folder;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, Thread},
    time::Duration,
};

use evenkeel_core::{Draft, Ending, Followed, Input, Nanos, Origin, Output, Page};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::timeout};

use self::{folder::Folder, writer::Writer};
use crate::clock::Clock;

/// Bytes that may wait for the disk: those of some hundred thousand requests.
const WAITING: usize = 32 << 20;
/// A segment that has grown to this is followed by another one.
const SEGMENT: u64 = 64 << 20;
/// How long the end of the process waits for the disk.
const LAST: Duration = Duration::from_secs(2);

/// How much may be kept, and at which size things are cut.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Bytes on disk.
    disk: u64,
    segment: u64,
    waiting: usize,
}

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Log {
    shelf: Arc<Shelf>,
    thread: Option<Thread>,
    /// Hears when the thread is done.
    done: Mutex<Option<oneshot::Receiver<()>>>,
}

/// How a log stands, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Records that this process has on disk.
    pub(crate) records: u64,
    /// Bytes on disk, of earlier processes, too.
    pub(crate) bytes: u64,
    /// Why nothing is written any more, where that is so.
    pub(crate) ended: Option<&'static str>,
}

/// Where the driver puts records, and the thread takes them.
#[derive(Debug)]
struct Shelf {
    open: Mutex<Open>,
    waiting: usize,
    /// The most bytes on disk.
    disk: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    page: Page,
    last: Nanos,
    ended: Option<&'static str>,
}

/// The word for a log that the disk does not take.
const FAILED: &str = "failed";

impl Log {
    /// Begins a log in the folder that `place` finds, which is made where it is not there. Where that cannot be, it is a log that
    /// has ended: nothing else depends on it, and nobody waits for it.
    pub(crate) fn begin(clock: Clock, place: impl FnOnce() -> io::Result<PathBuf> + Send + 'static, disk: u64) -> Self {
        Self::bounded(clock, place, Bounds { disk, segment: SEGMENT, waiting: WAITING })
    }

    fn bounded(clock: Clock, place: impl FnOnce() -> io::Result<PathBuf> + Send + 'static, bounds: Bounds) -> Self {
        let (shelf, (end, done)) = (Arc::new(Shelf::new(bounds)), oneshot::channel());
        let taken = shelf.clone();
        let work = move || {
            let folder = place().and_then(|folder| Folder::open(&folder));
            match folder.and_then(|folder| Writer::begin(clock, folder, bounds.segment, taken.clone())) {
                Ok(writer) => writer.run(),
                Err(error) => taken.fail(&error),
            }
            drop(end);
        };
        let thread = thread::Builder::new().name("evenkeel-inputs".into()).spawn(work);
        let thread = thread.map_err(|error| shelf.fail(&error)).ok().map(|it| it.thread().clone());
        Self { shelf, thread, done: Mutex::new(Some(done)) }
    }

    /// Returns what the driver writes with.
    pub(super) fn pen(&self) -> Pen {
        Pen { shelf: self.shelf.clone(), draft: Draft::default(), at: 0, followed: Followed::default() }
    }

    /// Returns how it stands.
    pub(crate) fn standing(&self) -> Standing {
        let shelf = &self.shelf;
        let ended = shelf.open.lock().ended;
        Standing { records: shelf.records.load(Relaxed), bytes: shelf.bytes.load(Relaxed), ended }
    }

    /// Ends it, and waits until that is on disk, but not for a disk that does not answer.
    pub(crate) async fn end(&self, why: Ending) {
        self.stop(why);
        let done = self.done.lock().take();
        if let Some(done) = done {
            // Both mean that there is nothing more to wait for.
            let _ = timeout(LAST, done).await;
        }
    }

    /// Moves the bound of what may be on disk, or turns the log off; says whether it is one that is written. What was off begins with
    /// the next start of the process alone: a log that begins in the middle could not be replayed.
    pub(crate) fn keep(&self, most: Option<u64>) -> bool {
        match most {
            Some(most) => self.shelf.disk.store(most, Relaxed),
            None => self.stop(Ending::Off),
        }
        self.standing().ended.is_none()
    }

    fn stop(&self, why: Ending) {
        self.shelf.end(why);
        self.thread.iter().for_each(Thread::unpark);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.stop(Ending::Stopped);
    }
}

impl Shelf {
    fn new(Bounds { disk, waiting, .. }: Bounds) -> Self {
        let (records, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { open: Mutex::default(), waiting, disk: AtomicU64::new(disk), records, bytes }
    }

    /// Writes that nothing follows, unless that is so already.
    fn end(&self, why: Ending) {
        self.open.lock().end(why);
    }

    /// Gives up.
    fn fail(&self, error: &io::Error) {
        *self.open.lock() = Open { ended: Some(FAILED), ..Open::default() };
        tracing::warn!(target: "evenkeel::inputs", %error, "the log of inputs cannot be written and has ended; requests are answered without it");
    }
}

impl Open {
    fn end(&mut self, why: Ending) {
        if self.ended.is_none() {
            let mut draft = Draft::default();
            draft.end(why);
            self.page.push(self.last, &mut draft, Followed::default());
            self.ended = Some(why.name());
        }
    }
}

/// What the driver writes with, under its lock.
#[derive(Debug)]
pub(super) struct Pen {
    shelf: Arc<Shelf>,
    draft: Draft,
    at: Nanos,
    followed: Followed,
}

impl Pen {
    /// Notes that a core starts, the first one or after one that was lost.
    pub(super) fn begin(&mut self, at: Nanos, origin: &Origin) {
        self.close();
        self.at = at;
        self.draft.begin(origin);
    }

    /// Notes what is fed to it, and of a request the name of its decision.
    pub(super) fn input(&mut self, at: Nanos, input: &Input, name: Option<u128>) {
        self.close();
        self.at = at;
        self.draft.input(input, name);
    }

    /// Notes what follows from that.
    pub(super) fn output(&mut self, output: &Output) {
        self.followed.by(output);
    }

    /// Puts down what was noted: nothing more follows from it.
    pub(super) fn close(&mut self) {
        if !self.draft.is_open() {
            return;
        }
        let followed = std::mem::take(&mut self.followed);
        let mut open = self.shelf.open.lock();
        if open.page.size() + self.draft.size() > self.shelf.waiting {
            open.end(Ending::Behind);
        }
        if open.ended.is_some() {
            self.draft.clear();
            return;
        }
        open.last = self.at;
        open.page.push(self.at, &mut self.draft, followed);
    }
}
