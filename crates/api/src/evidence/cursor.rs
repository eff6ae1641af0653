//! Cursor: how far somebody has read an instance, so that what everybody has read can make room.
//!
//! Whoever reads keeps it, in `read/<reader>` of the instance. It is written behind what was made of the lines, so that a reader
//! that is stopped reads some again, and never misses one.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Stream, instances};

/// The number of the last line that was read of each stream; 0 before any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    /// Of decisions.
    #[serde(default)]
    pub decisions: u64,
    /// Of events.
    #[serde(default)]
    pub events: u64,
}

impl Cursor {
    /// Returns how far a stream was read.
    pub fn of(&self, stream: Stream) -> u64 {
        match stream {
            Stream::Decisions => self.decisions,
            Stream::Events => self.events,
        }
    }

    /// Reads the cursor of a reader in the folder of an instance; none where it has not read there before.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn load(instance: &Path, reader: &str) -> io::Result<Option<Self>> {
        match fs::read(instance.join("read").join(reader)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(serde_json::from_slice(&read?)?)),
        }
    }

    /// Writes it in one step: a reader that is stopped on the way has its last one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, instance: &Path, reader: &str) -> io::Result<()> {
        let folder = instance.join("read");
        fs::create_dir_all(&folder)?;
        // Begins with a dot, which says that it is no reader's.
        let next = folder.join(format!(".{reader}"));
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(next, folder.join(reader))?;
        File::open(folder)?.sync_all()
    }

    /// Returns how far all of these readers have read in the folder of an instance; none where there are no readers. Who has not been
    /// there yet has read nothing, nor has one whose cursor cannot be understood.
    pub fn least(instance: &Path, readers: &[&str]) -> Option<Self> {
        let cursors = readers.iter().map(|it| Self::load(instance, it).ok().flatten().unwrap_or_default());
        Self::least_of(cursors)
    }

    /// Returns how far all of these have read; none of none.
    pub fn least_of(cursors: impl Iterator<Item = Self>) -> Option<Self> {
        cursors.reduce(|one, other| Self {
            decisions: one.decisions.min(other.decisions),
            events: one.events.min(other.events),
        })
    }

    /// Forgets a reader in all instances of a `data_dir`: nobody reads there in its name any more, and files are kept for it no
    /// longer.
    ///
    /// # Errors
    /// A cursor is there and cannot be removed; those of other instances are, as far as they can be.
    pub fn forget(data_dir: &Path, reader: &str) -> io::Result<()> {
        let mut done = Ok(());
        for name in instances(data_dir)? {
            match fs::remove_file(data_dir.join("instances").join(name).join("read").join(reader)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => done = Err(error),
                _ => {}
            }
        }
        done
    }

    /// Reads the cursors of all who read in the folder of an instance. One that cannot be understood has read nothing.
    ///
    /// # Errors
    /// Their folder is there and cannot be read.
    pub fn all(instance: &Path) -> io::Result<Vec<(String, Self)>> {
        let folder = match fs::read_dir(instance.join("read")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        let mut all = Vec::new();
        for entry in folder {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                let cursor = Self::load(instance, &name).ok().flatten().unwrap_or_default();
                all.push((name, cursor));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_there_whole_or_not_at_all_and_one_that_is_damaged_has_read_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = folder.path();
        assert_eq!(Cursor::load(here, "store").expect("none is fine"), None);
        assert_eq!(Cursor::all(here).expect("none is fine"), []);
        let cursor = Cursor { decisions: 9, events: 2 };
        assert_eq!(Stream::ALL.map(|it| cursor.of(it)), [9, 2]);
        Cursor::default().save(here, "store").expect("written");
        cursor.save(here, "store").expect("written");
        assert_eq!(Cursor::load(here, "store").expect("read"), Some(cursor));
        fs::write(here.join("read/audit"), "{\"decisions\":").expect("written");
        fs::write(here.join("read/.audit"), "{}").expect("written");
        let mut all = Cursor::all(here).expect("read");
        all.sort();
        assert_eq!(all, [("audit".into(), Cursor::default()), ("store".into(), cursor)]);
    }

    #[test]
    fn who_has_not_come_yet_has_read_nothing_and_who_is_forgotten_is_waited_for_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let [one, two] = ["i1", "i2"].map(|name| folder.path().join("instances").join(name));
        Cursor { decisions: 9, events: 2 }.save(&one, "store").expect("written");
        assert_eq!(Cursor::least(&one, &[]), None, "where nobody reads, nobody is waited for");
        assert_eq!(Cursor::least(&one, &["store", "audit"]), Some(Cursor::default()));
        Cursor { decisions: 5, events: 7 }.save(&one, "audit").expect("written");
        Cursor { decisions: 1, events: 1 }.save(&two, "audit").expect("written");
        assert_eq!(Cursor::least(&one, &["store", "audit"]), Some(Cursor { decisions: 5, events: 2 }));
        for _ in 0..2 {
            Cursor::forget(folder.path(), "audit").expect("it is removed, or not there");
        }
        let left = [&one, &two].map(|it| Cursor::all(it).expect("read").into_iter().map(|it| it.0).collect::<Vec<_>>());
        assert_eq!(left, [vec!["store".to_owned()], vec![]]);
        Cursor::forget(&folder.path().join("nowhere"), "audit").expect("none is fine");
    }
}
