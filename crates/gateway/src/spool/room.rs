//! Room: how much waits on disk for whoever reads it, and what may go.
//!
//! # When it misleads
//! Of a reader that comes for the first time, files that were closed before count only from the next start on.

use std::{collections::VecDeque, io, path::Path};

use evenkeel_api::evidence::{Cursor, Segment, Stream};
use evenkeel_config::Kept;
use evenkeel_core::{Nanos, SECOND};
use jiff::{SignedDuration, Timestamp};

use super::{
    Moment,
    disk::Disk,
    written::{Closed, Written},
};

/// How often it is looked what was read, where something waits for that.
const LOOK: Nanos = SECOND;
/// How often old files are looked for: it reads the names of all.
const SWEEP: Nanos = 3_600 * SECOND;

/// What waits for whoever reads it.
#[derive(Debug, Default)]
pub(super) struct Room {
    unread: [VecDeque<Closed>; 2],
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

    /// Looks how far everybody has read, and removes what is older than `keep` and was read by all; where nobody reads, everything
    /// that is closed counts as read.
    pub(super) fn look(
        &mut self,
        disk: &dyn Disk,
        now: Moment,
        (folder, streams): (&Path, &[Written; 2]),
        kept: &Kept,
    ) -> io::Result<()> {
        let due = |last: Option<Nanos>, every| last.is_none_or(|it| now.at >= it + every);
        if !due(self.looked, LOOK) {
            return Ok(());
        }
        self.looked = Some(now.at);
        let cursors = Cursor::all(folder)?;
        let least = |stream| cursors.iter().map(|(_, it)| it.of(stream)).min().unwrap_or(u64::MAX);
        for (stream, unread) in Stream::ALL.into_iter().zip(&mut self.unread) {
            let read = least(stream);
            while unread.front().is_some_and(|it| it.last <= read) {
                unread.pop_front();
            }
        }
        if due(self.swept, SWEEP) {
            self.swept = Some(now.at);
            let keep = SignedDuration::from_nanos(i64::try_from(kept.keep.0).unwrap_or(i64::MAX));
            let oldest = now.wall.checked_sub(keep).unwrap_or(Timestamp::MIN);
            for written in streams {
                sweep(disk, &written.folder, least(written.stream), oldest)?;
            }
        }
        Ok(())
    }
}

/// Removes the first files of a stream that are older and were read; the last one stays, which says where its numbers are.
fn sweep(disk: &dyn Disk, folder: &Path, read: u64, oldest: Timestamp) -> io::Result<()> {
    let mut closed: Vec<_> =
        disk.list(folder)?.iter().filter_map(|it| Segment::named(it)).filter(|it| it.closed).collect();
    closed.sort_by_key(|it| it.first);
    for (it, behind) in closed.iter().zip(closed.iter().skip(1)) {
        if behind.first > read.saturating_add(1) || disk.look(&it.path)?.1 >= oldest {
            break;
        }
        disk.remove(&it.path)?;
    }
    Ok(())
}
