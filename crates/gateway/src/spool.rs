//! Spool: what is kept on disk of requests and of what happened (ADR 11); everything durable is read from it.
//!
//! Requests hand records to a bounded queue; one thread renders them, writes what came within a tenth of a second at once,
//! and closes a file a second. Not here: what readers make of it (`control`), and what its lines say (`api/evidence`).
//!
//! # Invariants
//! - `SPOOL-1`: no request waits for the disk: what finds no room in the queue is counted, and declared as missing (F-160).
//! - `SPOOL-2`: what is told as durable is on disk, with all before it (G-096).
//! - `SPOOL-3`: no hole is silent: what is missing is a line of events, as soon as one can be written (G-090).
//! - `SPOOL-4`: memory is bounded: by the queue, and by what is written at once.

mod disk;
mod entry;
mod group;
mod holes;
mod place;
mod queue;
mod recover;
mod room;
mod sweep;
mod told;
mod writer;
mod written;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use evenkeel_api::evidence::{Stream, Why};
use evenkeel_config::Kept;
use evenkeel_core::Nanos;
use jiff::Timestamp;
use parking_lot::Mutex;

pub(crate) use self::{
    disk::{Disk, Files},
    entry::{Line, Noted},
    told::{Standing, Told},
};
use self::{entry::Entry, queue::Queue, writer::Writer};
use crate::clock::Clock;

/// How long lines are gathered before they are written: what an acknowledgement is late by, at most.
const GATHER: Duration = Duration::from_millis(100);
/// How long the end of the process waits for a disk.
const LAST: Duration = Duration::from_secs(2);

/// A moment, on the clock of the process and as people name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: Nanos,
    pub(crate) wall: Timestamp,
}

/// Where what is kept goes, and who reads it there.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub(crate) data_dir: PathBuf,
    /// The names of those who are waited for, whether they have been there or not; cursors of others count for nothing.
    pub(crate) readers: Arc<[&'static str]>,
}

/// Where what is kept is handed on.
pub(crate) struct Spool {
    shared: Arc<Shared>,
    /// Closed when the last line is written.
    ended: Mutex<Receiver<()>>,
    data_dir: PathBuf,
}

/// What the writer and those who hand on share.
#[derive(Default)]
pub(crate) struct Shared {
    queue: Queue,
    told: Told,
    /// How much is kept; none where nothing is.
    kept: ArcSwapOption<Kept>,
}

impl Spool {
    /// Starts the thread that writes below a folder. It touches no disk before there is something to keep.
    pub(crate) fn start(home: Home, disk: impl Disk + 'static, clock: Clock) -> Self {
        let shared = Arc::<Shared>::default();
        let (ends, ended) = channel();
        let (its, data_dir) = (shared.clone(), home.data_dir.clone());
        let work = move || {
            let mut writer = Writer::new(home, Arc::new(disk), its.clone());
            let now = || Moment { at: clock.now(), wall: Timestamp::now() };
            // Whatever runs into a bug here, requests are answered; what is missing from then on is counted.
            if catch_unwind(AssertUnwindSafe(|| run(&mut writer, &its, now))).is_err() {
                tracing::error!(target: "evenkeel::evidence", "the spool of records panicked, which is a bug of Evenkeel; please report it. Nothing is kept until the next start");
                writer.abandon();
            }
            its.told.over();
            drop(ends);
        };
        thread::Builder::new().name("spool".into()).spawn(work).expect("a thread can be started");
        Self { shared, ended: Mutex::new(ended), data_dir }
    }

    /// Returns what waits for the folder of this process, which nobody else writes into. It is there soon after there was something
    /// to keep.
    pub(crate) fn place(&self) -> impl FnOnce() -> io::Result<PathBuf> + Send + use<> {
        let (shared, instances) = (self.shared.clone(), self.data_dir.join("instances"));
        move || shared.told.named().map(|name| instances.join(name)).map_err(io::Error::other)
    }

    /// Takes note of how much is kept from now on.
    pub(crate) fn apply(&self, kept: Option<Kept>) {
        self.shared.kept.store(kept.map(Arc::new));
    }

    /// Says how much is kept; none where nothing is.
    pub(crate) fn kept(&self) -> Option<Arc<Kept>> {
        self.shared.kept.load_full()
    }

    /// Hands on what is kept of a request, whole or as a line.
    pub(crate) fn decision(&self, of: Arc<dyn Line>, whole: bool) {
        self.hand_on(Entry::Decision { of, whole });
    }

    /// Hands on what happened.
    pub(crate) fn event(&self, noted: Noted) {
        if self.shared.kept.load().is_some() {
            self.hand_on(Entry::Event(noted));
        }
    }

    fn hand_on(&self, entry: Entry) {
        let stream = entry.stream();
        if let Err(why) = self.shared.queue.push(entry) {
            self.shared.told.missed(stream, why, 1);
        }
    }

    /// Says how it stands.
    pub(crate) fn standing(&self) -> Standing {
        self.shared.told.standing()
    }

    /// Writes what waits, and closes what is open; for a disk that does not answer, it waits a moment and no longer. Requests that are
    /// still open will have no line, and are declared.
    pub(crate) fn finish(&self, open: u64) {
        if self.shared.queue.end(open) {
            self.shared.told.missed(Stream::Decisions, Why::UncleanStop, open);
        }
        let _ = self.ended.lock().recv_timeout(LAST);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.finish(0);
    }
}

/// Writes until it is told to end.
fn run(writer: &mut Writer, shared: &Shared, now: impl Fn() -> Moment) {
    loop {
        let until = |at: Nanos| Duration::from_nanos(at.saturating_sub(now().at));
        match writer.paused() {
            Some(at) => shared.queue.pause(until(at)),
            None => {
                shared.queue.wait(writer.due().map(until));
                shared.queue.gather(GATHER);
            }
        }
        if shared.queue.ends() {
            return writer.finish(now());
        }
        writer.step(now());
    }
}

#[cfg(test)]
mod tests;
