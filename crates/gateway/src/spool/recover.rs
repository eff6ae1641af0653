//! Recover: what a process left open that was stopped, closed (`fault-catalogue.md`, DA-01).

use std::{
    io,
    path::{Path, PathBuf},
};

use evenkeel_api::evidence::{Ending, Members, Segment, Stream};

use super::{
    disk::Disk,
    written::{Closed, Written, replace},
};

/// How many lines bytes could have held that cannot be read, at most: gzip packs no better than 1 to 1,032, and no line is shorter
/// than a hundred bytes.
const LINES_A_BYTE: u64 = 11;

/// More lines than any process ever writes, and still far from what JSON cannot say.
const IMPOSSIBLE: u64 = 1 << 52;

/// What the name of a file ends with that was damaged, and set aside as it was: `<first>.jsonl.damaged`.
const ASIDE: &str = "damaged";

/// A stream as it was found.
pub(super) struct Found {
    pub(super) written: Written,
    /// The number of the first line of each closed file, and the file.
    pub(super) closed: Vec<(u64, PathBuf)>,
}

/// Closes what is open of a stream, and finds the number of its next line. Nothing that was acknowledged is cut off, and no number
/// comes again (SPO-1).
pub(super) fn recover(disk: &dyn Disk, instance: &Path, stream: Stream, read: u64) -> io::Result<Found> {
    let folder = instance.join(stream.name());
    disk.make_folder(&folder)?;
    let mut listed = disk.list(&folder)?;
    let mut segments: Vec<_> = listed.iter().filter_map(|path| Segment::named(path)).collect();
    segments.sort_by_key(|it| (it.first, it.closed));
    // What nobody can have read is the word of a damaged cursor.
    let (mut next, mut closed) = (1 + if read < IMPOSSIBLE { read } else { 0 }, Vec::new());
    for segment in segments.iter().filter(|it| !it.closed) {
        next = next.max(close(disk, &folder, segment)?);
    }
    if segments.iter().any(|it| !it.closed) {
        disk.sync_folder(&folder)?;
        listed = disk.list(&folder)?;
        segments = listed.iter().filter_map(|path| Segment::named(path)).collect();
        segments.sort_by_key(|it| it.first);
    }
    let last = segments.last().map_or(0, |it| it.first);
    if let Some(last) = segments.last() {
        next = next.max(behind(&disk.read(&last.path)?, last.first).0);
    }
    // What stands behind one that was set aside began behind its numbers.
    for (first, aside) in listed.iter().filter_map(|path| Some((aside(path)?, path))).filter(|it| it.0 >= last) {
        next = next.max(behind(&disk.read(aside)?, first).0);
    }
    closed.extend(segments.into_iter().map(|it| (it.first, it.path)));
    Ok(Found { written: Written::new(stream, folder, next), closed })
}

/// Returns the number of the line behind those of a file, and how its bytes end.
fn behind(bytes: &[u8], first: u64) -> (u64, Ending) {
    let mut members = Members::new(bytes, first);
    members.by_ref().for_each(drop);
    let (next, ending) = (members.next_number(), members.ending().clone());
    match ending {
        // Lines that were acknowledged may be among what cannot be read: their numbers are theirs.
        Ending::Damaged { at, .. } => (next + (bytes.len() - at) as u64 * LINES_A_BYTE, ending),
        Ending::Torn { .. } | Ending::Whole => (next, ending),
    }
}

/// Returns the number of the first line of a file that was set aside; none where it is another file.
fn aside(path: &Path) -> Option<u64> {
    let closed = (path.extension()? == ASIDE).then(|| path.with_extension("gz"))?;
    Segment::named(&closed).map(|it| it.first)
}

/// Closes a file that was left open; returns the number of the line behind its own.
fn close(disk: &dyn Disk, folder: &Path, segment: &Segment) -> io::Result<u64> {
    let bytes = disk.read(&segment.path)?;
    let (next, ending) = behind(&bytes, segment.first);
    let whole = match ending {
        Ending::Whole => bytes.len(),
        Ending::Torn { at } | Ending::Damaged { at, .. } => at,
    };
    let to = Segment::path(folder, segment.first, true);
    match ending {
        Ending::Damaged { at, why } => {
            let aside = to.with_extension(ASIDE);
            tracing::error!(target: "evenkeel::evidence", file = %segment.path.display(), at, why, aside = %aside.display(), "a file of the spool is damaged; what can be read of it is kept, and the file itself beside it");
            if whole > 0 {
                replace(disk, &to, &bytes[..whole])?;
            }
            disk.rename(&segment.path, &aside)?;
        }
        _ if whole == 0 => disk.remove(&segment.path)?,
        _ => {
            disk.cut(&segment.path, whole as u64)?;
            disk.rename(&segment.path, &to)?;
        }
    }
    Ok(next)
}

impl Found {
    /// Returns the closed files that somebody has yet to read, who has read so far.
    pub(super) fn unread(&self, disk: &dyn Disk, read: u64) -> io::Result<Vec<Closed>> {
        let ends = self.closed.iter().skip(1).map(|(first, _)| first - 1).chain([self.written.next - 1]);
        let unread = self.closed.iter().zip(ends).filter(|(_, last)| *last > read);
        unread.map(|((_, path), last)| Ok(Closed { last, length: disk.look(path)?.0 })).collect()
    }
}
