//! Sweep: files that are older than they are kept, and were read by all, go (`decisions.keep`).
//!
//! Of its own folder and, now and then, of those that nobody sits in: a process that was there only while another one took over is
//! never heard of again.
//!
//! # Invariants
//! - `SWE-1`: what a reader has not read stays, however old it is. In a folder of another process everybody counts who has ever read
//!   there: its readers may be others.
//! - `SWE-2`: the last file of a stream stays, which says where its numbers are.

use std::{io, path::Path};

use evenkeel_api::evidence::{Cursor, Segment, Stream, instances};
use evenkeel_config::Kept;
use jiff::{SignedDuration, Timestamp};

use super::{Home, Moment, disk::Disk};

/// Returns the moment before which files are too old.
pub(super) fn oldest(now: Moment, kept: &Kept) -> Timestamp {
    let keep = SignedDuration::from_nanos(i64::try_from(kept.keep.0).unwrap_or(i64::MAX));
    now.wall.checked_sub(keep).unwrap_or(Timestamp::MIN)
}

/// Removes what is too old of an instance of which all have read so far; none where nobody reads.
pub(super) fn own(disk: &dyn Disk, (instance, read): (&Path, Option<Cursor>), oldest: Timestamp) -> io::Result<()> {
    for stream in Stream::ALL {
        sweep(disk, &instance.join(stream.name()), read.map_or(u64::MAX, |it| it.of(stream)), oldest)?;
    }
    Ok(())
}

/// Removes what is too old of the instances that nobody sits in. One that cannot be swept is nobody's trouble but its own.
pub(super) fn others(disk: &dyn Disk, home: &Home, own: &Path, oldest: Timestamp) {
    for name in instances(&home.data_dir).unwrap_or_default() {
        let folder = home.data_dir.join("instances").join(name);
        if folder == own {
            continue;
        }
        if let Err(error) = other(disk, (&folder, &home.readers), oldest) {
            tracing::warn!(target: "evenkeel::evidence", folder = %folder.display(), %error, "old files of a process that has ended cannot be removed; it is tried again in an hour");
        }
    }
}

fn other(disk: &dyn Disk, (folder, readers): (&Path, &[&str]), oldest: Timestamp) -> io::Result<()> {
    let Some(_lock) = disk.lock(&folder.join("lock"))? else { return Ok(()) };
    let everybody = Cursor::all(folder)?.into_iter().map(|(_, it)| it).chain(Cursor::least(folder, readers));
    own(disk, (folder, Cursor::least_of(everybody)), oldest)
}

/// Removes the first files of a stream that are older and were read.
fn sweep(disk: &dyn Disk, folder: &Path, read: u64, oldest: Timestamp) -> io::Result<()> {
    let listed = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    let mut closed: Vec<_> = listed.iter().filter_map(|it| Segment::named(it)).filter(|it| it.closed).collect();
    closed.sort_by_key(|it| it.first);
    for (it, behind) in closed.iter().zip(closed.iter().skip(1)) {
        if behind.first > read.saturating_add(1) || disk.look(&it.path)?.1 >= oldest {
            break;
        }
        disk.remove(&it.path)?;
    }
    Ok(())
}
