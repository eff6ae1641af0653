//! Note: what a command has done is noted in the spool, as an instance of its own (G-093).
//!
//! So whoever writes the log enters it, now or when it runs again; a command never takes the log itself, nor its key.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::Path,
};

use evenkeel_api::evidence::{Cursor, Ending, Event, Members, Segment, Stream, canonical, segments};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use serde_json::Value;

use super::disk;

/// Instances that are tried: more processes than run in one folder.
const MOST_INSTANCES: u32 = 1_000;

/// Notes what somebody did, and returns where: the instance, and the number of the line.
///
/// # Errors
/// The folder cannot be written, or is another user's, or no instance in it is free.
pub fn note(data_dir: &Path, now: Timestamp, (kind, actor): (&str, &str), data: Value) -> io::Result<(String, u64)> {
    ours(&data_dir.join("instances"))?;
    for number in 1..=MOST_INSTANCES {
        let instance = format!("i{number}");
        let folder = data_dir.join("instances").join(&instance);
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
        disk::put(&Segment::path(&folder.join(Stream::Events.name()), next, true), &member.finish()?, 0o644)?;
        return Ok((instance, next));
    }
    Err(io::Error::other("no instance is free"))
}

/// Refuses a folder of another user: what is made there would be ours, and whoever writes the log could note nothing in it.
fn ours(instances: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    disk::make(instances)?;
    let owner = fs::metadata(instances)?.uid();
    // The system says who we are by whom a file belongs to.
    let made = instances.join(format!(".owner-{}", std::process::id()));
    let we = File::options().write(true).create_new(true).open(&made).and_then(|it| it.metadata())?.uid();
    fs::remove_file(&made)?;
    match we == owner {
        true => Ok(()),
        false => Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "{} belongs to the user {owner}, and this is the user {we}: run it as that one (`sudo -u '#{owner}' evenkeel …`)",
                instances.display()
            ),
        )),
    }
}

/// Returns the number of the line behind a segment; none where that cannot be told.
fn behind(segment: &Segment) -> io::Result<Option<u64>> {
    let bytes = segment.read()?;
    let mut members = Members::new(&bytes, segment.first);
    members.by_ref().for_each(drop);
    Ok((*members.ending() == Ending::Whole).then_some(members.next_number()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use serde_json::json;

    use super::*;
    use crate::audit::kit::at;

    #[test]
    fn nothing_is_left_in_a_folder_of_another_user() {
        let folder = tempfile::tempdir().expect("a folder");
        let noted = || note(folder.path(), at(0), ("access.read", "user:ana"), json!({}));
        assert_eq!(noted().expect("noted"), ("i1".to_owned(), 1));
        let instances = folder.path().join("instances");
        if chown(&instances, Some(65_534), Some(65_534)).is_err() {
            eprintln!("skipped: a folder is given to another user by root alone");
            return;
        }
        let left = || fs::read_dir(&instances).expect("listed").count();
        let said = noted().expect_err("it is refused").to_string();
        assert!(said.contains("belongs to the user 65534") && said.contains("sudo -u '#65534'"), "{said}");
        assert_eq!(left(), 1, "the instance of before");
    }
}
