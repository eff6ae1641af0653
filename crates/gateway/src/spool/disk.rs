//! Disk: all that the spool asks of a file system, behind a trait, so that a test can let any of it fail.

use std::{
    any::Any,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

/// A file system.
pub(crate) trait Disk: Send + Sync {
    /// Makes a folder and those above it; one that is there is fine.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Takes the lock of a file, which is made where it is not there; none where another process has it. The lock is let go when
    /// what is returned is dropped, and by the system when the process dies.
    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn Any + Send>>>;

    /// Returns the files of a folder, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    /// Returns the size of a file, and when it was written last.
    fn look(&self, file: &Path) -> io::Result<(u64, Timestamp)>;

    /// Reads a file.
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;

    /// Makes a file that is not there.
    fn create(&self, file: &Path) -> io::Result<Box<dyn Sink>>;

    /// Cuts a file off, durably.
    fn cut(&self, file: &Path, length: u64) -> io::Result<()>;

    /// Renames a file, over one that may be there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; one that is not there is fine.
    fn remove(&self, file: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub(crate) trait Sink: Send {
    /// Writes some of these bytes, and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Files;

impl Disk for Files {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn Any + Send>>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(file)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn look(&self, file: &Path) -> io::Result<(u64, Timestamp)> {
        let it = fs::metadata(file)?;
        let modified = Timestamp::try_from(it.modified()?).map_err(io::Error::other)?;
        Ok((it.len(), modified))
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        fs::read(file)
    }

    fn create(&self, file: &Path) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(file)?))
    }

    fn cut(&self, file: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(file)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl Sink for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
