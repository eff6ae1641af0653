//! Room: how much waits on disk for whoever reads it, and what may go.
//!
//! # When it misleads
//! Of a reader that is new where others have read before, files that were closed before it came count only from the next start
//! on: there may be half a year of them. They are kept for it all the same.

use std::{collections::VecDeque, path::Path};

use evenkeel_api::evidence::{Cursor, Stream};
use evenkeel_config::Kept;
use evenkeel_core::{Nanos, SECOND};

use super::{Moment, written::Closed};

/// How often it is looked what was read, where something waits for that.
const LOOK: Nanos = SECOND;
/// How often old files are looked for: it reads the names of all.
const SWEEP: Nanos = 3_600 * SECOND;

/// What waits for whoever reads it.
#[derive(Debug, Default)]
pub(super) struct Room {
    unread: [VecDeque<Closed>; 2],
    read: Option<Cursor>,
    looked: Option<Nanos>,
    swept: Option<Nanos>,
}

impl Room {
    /// Takes note of a file that is complete.
    pub(super) fn closed(&mut self, stream: Stream, it: Closed) {
        self.unread[stream as usize].push_back(it);
    }

    /// Returns how many bytes wait.
    pub(super) fn bytes(&self) -> u64 {
        self.unread.iter().flatten().map(|it| it.length).sum()
    }

    /// Says whether lines of a stream find room. Of events there is some more: they say what is missing.
    pub(super) fn has_room(&self, stream: Stream, kept: &Kept) -> bool {
        let more = if stream == Stream::Events { kept.spool.0 / 8 } else { 0 };
        self.bytes() < kept.spool.0 + more
    }

    /// Returns when it is to be looked again.
    pub(super) fn due(&self) -> Nanos {
        let waits = self.unread.iter().any(|it| !it.is_empty());
        let look = self.looked.filter(|_| waits).map_or(Nanos::MAX, |it| it + LOOK);
        look.min(self.swept.map_or(0, |it| it + SWEEP))
    }

    /// Looks how far everybody has read; where nobody reads, everything that is closed counts as read.
    pub(super) fn look(&mut self, now: Moment, (folder, readers): (&Path, &[&str])) {
        if self.looked.is_some_and(|it| now.at < it + LOOK) {
            return;
        }
        self.looked = Some(now.at);
        self.read = Cursor::least(folder, readers);
        for (stream, unread) in Stream::ALL.into_iter().zip(&mut self.unread) {
            while unread.front().is_some_and(|it| self.read.is_none_or(|read| it.last <= read.of(stream))) {
                unread.pop_front();
            }
        }
    }

    /// Returns how far all have read, as it was looked last; none where nobody reads.
    pub(super) fn read(&self) -> Option<Cursor> {
        self.read
    }

    /// Says whether old files are to be looked for now.
    pub(super) fn sweeps(&mut self, now: Moment) -> bool {
        let due = self.swept.is_none_or(|it| now.at >= it + SWEEP);
        if due {
            self.swept = Some(now.at);
        }
        due
    }
}
