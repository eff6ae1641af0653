//! Place: the folder of this process among those that share a `data_dir`.
//!
//! # Invariants
//! - `PLA-1`: no two processes write into one folder: who writes holds its lock, which the system lets go when it dies.
//! - `PLA-2`: who was stopped before it could say that it had written everything is found out by a file that it left.

use std::{
    any::Any,
    io,
    path::{Path, PathBuf},
};

use evenkeel_api::evidence::{Cursor, Stream};

use super::{
    Home,
    disk::Disk,
    recover::{Found, recover},
    room::Room,
    written::Written,
};

/// Processes that may share a folder.
const MOST: u32 = 1_024;

/// The folder of this process, locked.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    pub(super) streams: [Written; 2],
    pub(super) room: Room,
    /// Whether whoever was here before was stopped.
    pub(super) unclean: bool,
    _lock: Box<dyn Any + Send>,
}

impl Place {
    /// Takes the first folder that nobody has.
    pub(super) fn take(disk: &dyn Disk, home: &Home) -> io::Result<Self> {
        let instances = home.data_dir.join("instances");
        disk.make_folder(&instances)?;
        sync_above(disk, &home.data_dir)?;
        let mut unusable: Option<(PathBuf, io::Error)> = None;
        for number in 1..=MOST {
            let folder = instances.join(format!("i{number}"));
            disk.make_folder(&folder)?;
            match Self::at(disk, &folder, &home.readers) {
                Ok(Some(place)) => {
                    if let Some((folder, error)) = unusable {
                        tracing::warn!(target: "evenkeel::evidence", folder = %folder.display(), %error, "the folder of a process cannot be used, and another one is taken; let the user of this process write it");
                    }
                    return Ok(place);
                }
                Ok(None) => {}
                // Another user has made it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => unusable = Some((folder, error)),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other(format!("{MOST} processes have it already")))
    }

    /// Returns the folders that somebody was stopped in.
    pub(super) fn left(&self, disk: &dyn Disk) -> io::Result<Vec<PathBuf>> {
        let mut left = disk.list(self.folder.parent().expect("it is in a folder"))?;
        left.retain(|folder| *folder != self.folder && disk.look(&folder.join("running")).is_ok());
        Ok(left)
    }

    /// Takes a folder, unless somebody has it.
    pub(super) fn at(disk: &dyn Disk, folder: &Path, readers: &[&str]) -> io::Result<Option<Self>> {
        let Some(lock) = disk.lock(&folder.join("lock"))? else { return Ok(None) };
        let running = folder.join("running");
        let unclean = disk.look(&running).is_ok();
        let cursors = Cursor::all(folder)?;
        let furthest = |stream| cursors.iter().map(|(_, it)| it.of(stream)).max().unwrap_or(0);
        let found = |stream| recover(disk, folder, stream, furthest(stream));
        let found = [found(Stream::Decisions)?, found(Stream::Events)?];
        if found.iter().all(|it| it.closed.is_empty()) {
            // From the first line on they are waited for, also by who starts again before they have come.
            let come = |name: &str| cursors.iter().any(|(it, _)| it == name);
            readers.iter().filter(|it| !come(it)).try_for_each(|it| Cursor::default().save(folder, it))?;
        }
        let mut room = Room::default();
        let waited_for = |name: &str| readers.contains(&name);
        let known = cursors.iter().filter(|(name, _)| waited_for(name)).map(|(_, it)| *it);
        if let Some(read) = Cursor::least_of(known) {
            for (stream, found) in Stream::ALL.into_iter().zip(&found) {
                found.unread(disk, read.of(stream))?.into_iter().for_each(|it| room.closed(stream, it));
            }
        }
        // What is in a folder is told to be durable only where its own name is.
        [folder, folder.parent().expect("it is in a folder")].into_iter().try_for_each(|it| disk.sync_folder(it))?;
        if !unclean {
            drop(disk.create(&running)?);
            if let Err(error) = disk.sync_folder(folder) {
                // Nobody was stopped: it is tried again by the same process.
                let _ = disk.remove(&running);
                return Err(error);
            }
        }
        let name = folder.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let streams = found.map(|Found { written, .. }| written);
        Ok(Some(Self { name, folder: folder.into(), streams, room, unclean, _lock: lock }))
    }

    /// Says that everything was written.
    pub(super) fn leave(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.remove(&self.folder.join("running"))?;
        disk.sync_folder(&self.folder)
    }
}

/// Makes the names of the folders that all instances are in durable.
fn sync_above(disk: &dyn Disk, data_dir: &Path) -> io::Result<()> {
    disk.sync_folder(data_dir)?;
    if let Some(above) = data_dir.parent() {
        // Whoever made `data_dir` need not let us read what it is in.
        let _ = disk.sync_folder(if above == Path::new("") { Path::new(".") } else { above });
    }
    Ok(())
}
