//! A disk that fails as it is told; below it is the one of this machine.

use std::{
    any::Any,
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{Disk, Files};
use crate::spool::disk::Sink;

/// What fails.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Bytes that there is room for; none where that is no matter.
    pub(super) room: Option<usize>,
    pub(super) read_only: bool,
    pub(super) sync: bool,
    pub(super) sync_folder: bool,
    pub(super) rename: bool,
    /// The folder that nobody may write.
    pub(super) locked: Option<&'static str>,
    /// No more than three bytes are written at a time.
    pub(super) short: bool,
}

/// The disk.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    pub(super) faults: Arc<Mutex<Faults>>,
    /// The folders that were synced.
    pub(super) synced: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl Faulty {
    fn check(&self, fails: impl Fn(&Faults) -> bool, kind: io::ErrorKind) -> io::Result<()> {
        if fails(&self.faults.lock()) { Err(kind.into()) } else { Ok(()) }
    }

    fn writable(&self) -> io::Result<()> {
        self.check(|it| it.read_only, io::ErrorKind::ReadOnlyFilesystem)
    }
}

impl Disk for Faulty {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        self.writable()?;
        Files.make_folder(folder)
    }

    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn Any + Send>>> {
        self.writable()?;
        let within = |name: &str| file.parent().is_some_and(|it| it.ends_with(name));
        self.check(|it| it.locked.is_some_and(within), io::ErrorKind::PermissionDenied)?;
        Files.lock(file)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        Files.list(folder)
    }

    fn look(&self, file: &Path) -> io::Result<(u64, Timestamp)> {
        Files.look(file)
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        Files.read(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn Sink>> {
        self.writable()?;
        Ok(Box::new(Open { disk: self.clone(), sink: Files.create(file)? }))
    }

    fn cut(&self, file: &Path, length: u64) -> io::Result<()> {
        self.writable()?;
        self.check(|it| it.sync, io::ErrorKind::Other)?;
        Files.cut(file, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.writable()?;
        self.check(|it| it.rename, io::ErrorKind::PermissionDenied)?;
        Files.rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        self.writable()?;
        Files.remove(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.check(|it| it.sync_folder, io::ErrorKind::Other)?;
        Files.sync_folder(folder)?;
        self.synced.lock().insert(folder.into());
        Ok(())
    }
}

/// A file of it.
struct Open {
    disk: Faulty,
    sink: Box<dyn Sink>,
}

impl Sink for Open {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.writable()?;
        let mut faults = self.disk.faults.lock();
        let most = if faults.short { 3 } else { bytes.len() };
        let most = most.min(faults.room.unwrap_or(most)).min(bytes.len());
        if most == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = self.sink.write(&bytes[..most])?;
        faults.room.iter_mut().for_each(|room| *room -= written);
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.check(|it| it.sync, io::ErrorKind::Other)?;
        self.sink.sync()
    }
}
