//! Note: what a command has done is noted in the spool, as an instance of its own (G-093).
//!
//! So whoever writes the log enters it, now or when it runs again; a command never takes the log itself, nor its key.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use evenkeel_api::evidence::{Cursor, Ending, Event, Members, Segment, Stream, canonical, segments};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use serde_json::Value;

use super::disk;

/// Instances that are tried: more processes than run in one folder.
const MOST_INSTANCES: u32 = 1_000;

/// Notes what somebody did.
///
/// # Errors
/// The folder cannot be written, or no instance in it is free.
pub fn note(data_dir: &Path, now: Timestamp, (kind, actor): (&str, &str), data: Value) -> io::Result<()> {
    for number in 1..=MOST_INSTANCES {
        let folder = data_dir.join(format!("instances/i{number}"));
        disk::make(&folder)?;
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
        if lock.try_lock().is_err() {
            continue;
        }
        let found = segments(&folder, Stream::Events)?;
        if found.iter().any(|it| !it.closed) {
            // Somebody was stopped there; what they left is for the next process that runs.
            continue;
        }
        let read = Cursor::all(&folder)?.into_iter().map(|(_, it)| it.events).max().unwrap_or(0);
        let Some(behind) = found.last().map_or(Ok(Some(1)), behind)? else { continue };
        let next = behind.max(read + 1);
        let event = Event { n: next, time: now, kind: kind.into(), actor: actor.into(), data };
        let mut member = GzEncoder::new(Vec::new(), Compression::fast());
        member.write_all(&canonical(&event)?)?;
        member.write_all(b"\n")?;
        return disk::put(&Segment::path(&folder.join(Stream::Events.name()), next, true), &member.finish()?, 0o644);
    }
    Err(io::Error::other("no instance is free"))
}

/// Returns the number of the line behind a segment; none where that cannot be told.
fn behind(segment: &Segment) -> io::Result<Option<u64>> {
    let bytes = segment.read()?;
    let mut members = Members::new(&bytes, segment.first);
    members.by_ref().for_each(drop);
    Ok((*members.ending() == Ending::Whole).then_some(members.next_number()))
}
