//! Follow: how far one stream of one instance is read, and the lines that come next, over as many segments as it takes.
//!
//! # Invariants
//! - `FOL-1`: lines are taken in the order of their numbers, each once, and none at or before the one that is committed.

use std::{collections::VecDeque, io, path::Path};

use jiff::{SignedDuration, Timestamp};

use super::segment::{Reader, Segment};

/// Lines of a batch at most.
const MOST_LINES: usize = 1_000;
/// Bytes of lines of a batch, above which it takes no more.
const MOST_BYTES: usize = 4 << 20;
/// How often a whole folder is looked at, which may have millions of files: for what does not follow on what was read last.
const LOOK: SignedDuration = SignedDuration::from_secs(10);

/// What an instance writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    Decisions,
    Events,
}

impl Stream {
    pub(super) const ALL: [Self; 2] = [Self::Decisions, Self::Events];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Events => "events",
        }
    }
}

/// Lines that go into the store together.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The number of the last.
    pub(super) to: u64,
    pub(super) lines: Vec<(u64, String)>,
}

/// How far a stream is read.
pub(super) struct At {
    pub(super) instance: String,
    /// The last number that is committed.
    pub(super) n: u64,
    /// The first number of the last segment that was read to its end.
    past: u64,
    reading: Option<(u64, Reader)>,
    /// The first numbers of the segments that the last look at the whole folder found ahead.
    ahead: VecDeque<u64>,
    looked: Option<Timestamp>,
}

impl At {
    /// A stream that is read up to a number.
    pub(super) fn new(instance: String, n: u64) -> Self {
        Self { instance, n, past: 0, reading: None, ahead: VecDeque::new(), looked: None }
    }

    /// Reads the lines that follow, of as many segments as it takes.
    pub(super) fn take(&mut self, folder: &Path, now: Timestamp) -> io::Result<Taken> {
        let (mut taken, mut bytes) = (Taken { to: self.n, lines: Vec::new() }, 0);
        while taken.lines.len() < MOST_LINES && bytes < MOST_BYTES {
            let (first, reader) = match &mut self.reading {
                Some((first, reader)) => (*first, reader),
                None => match self.next(folder, taken.to, now)? {
                    None => break,
                    Some(next) => {
                        let (first, reader) = self.reading.insert(next);
                        (*first, reader)
                    }
                },
            };
            match reader.line() {
                Some((n, _)) if n <= taken.to => {}
                Some((n, line)) => {
                    taken.to = n;
                    bytes += line.len();
                    taken.lines.push((n, line));
                }
                None => {
                    if let Some(why) = &reader.damaged {
                        let (folder, after) = (folder.display(), taken.to);
                        tracing::error!(target: "evenkeel::store", %folder, segment = first, after, "the rest of a segment is damaged, and not stored: {why}");
                    }
                    (self.past, self.reading) = (first, None);
                }
            }
        }
        Ok(taken)
    }

    /// Opens the next segment: the one that begins with the next number, as a rule; where there is none, the one that a look at the whole
    /// folder finds: of those that begin at or before the next line the last, else the first that follows.
    fn next(&mut self, folder: &Path, read: u64, now: Timestamp) -> io::Result<Option<(u64, Reader)>> {
        let open = |first| match Reader::open(&Segment::of(folder, first)) {
            // It was never there, or went while we looked; whoever removed it has declared it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            reader => reader.map(|it| Some((first, it))),
        };
        if self.looked.is_some()
            && let Some(next) = open(read + 1)?
        {
            return Ok(Some(next));
        }
        if self.looked.is_none_or(|it| now.duration_since(it) >= LOOK) {
            (self.ahead, self.looked) = (Segment::all(folder)?.into_iter().map(|it| it.first).collect(), Some(now));
            let begun = self.ahead.partition_point(|it| *it <= read + 1).saturating_sub(1);
            self.ahead.drain(..begun);
        }
        while let Some(first) = self.ahead.pop_front() {
            if first > self.past
                && let Some(next) = open(first)?
            {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Returns how many lines are known to wait, at least.
    pub(super) fn behind(&self) -> u64 {
        let newest = self.ahead.back().copied().unwrap_or_default();
        newest.saturating_sub(self.n).max(u64::from(self.reading.is_some()))
    }
}
