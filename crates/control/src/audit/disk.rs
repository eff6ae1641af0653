//! Disk: the folder of the log, in steps that each happen whole or not at all.
//!
//! # Invariants
//! - `DISK-1`: what `put` has returned of is on disk, under its name, whole; before that the name holds what it held.
//! - `DISK-2`: nothing is put into another folder than that in which the lock is held (DA-03).

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// The folder of a log, as its writer uses it.
pub(super) trait Disk: Send {
    /// Reads a file; none where there is none.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Puts a file in place of what has its name (DISK-1).
    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file; one that is not there is no fault.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Lists the names in a folder, sorted; none where there is no such folder.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
}

/// A folder of the file system.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The lock that is held in it (AUD-1), as the system knows it.
    lock: Option<(u64, u64)>,
}

impl Folder {
    /// Uses a folder in which a lock is held.
    pub(super) fn new(path: PathBuf, lock: Option<&File>) -> Self {
        let lock = lock.and_then(|it| it.metadata().ok()).map(|it| identity(&it));
        Self { path, lock }
    }

    /// Refuses another folder in its place: what is written there would be signed over entries that are elsewhere.
    fn same(&self) -> io::Result<()> {
        let Some(lock) = self.lock else { return Ok(()) };
        match fs::metadata(self.path.join("lock")) {
            Ok(it) if identity(&it) == lock => Ok(()),
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Err(error),
            _ => {
                let path = self.path.display();
                Err(io::Error::other(format!(
                    "{path} was moved away while it was written; move it back, or start again to begin another log"
                )))
            }
        }
    }
}

fn identity(it: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;

    (it.dev(), it.ino())
}

impl Disk for Folder {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        absent(fs::read(self.path.join(name)))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.same()?;
        put(&self.path.join(name), bytes, 0o644)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        absent(fs::remove_file(self.path.join(name))).map(drop)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let Some(entries) = absent(fs::read_dir(self.path.join(folder)))? else { return Ok(Vec::new()) };
        let name = |it: io::Result<fs::DirEntry>| it.map(|it| it.file_name().to_string_lossy().into_owned());
        let mut names = entries.map(name).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }
}

/// Puts a file in place of what has its name, with its folders (DISK-1).
pub(super) fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    make(folder)?;
    let beside = path.with_added_extension("tmp");
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // A disk that is full gets back what could not be finished; if not even that goes, the next one replaces it.
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it, each entered in the one above on disk.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    make(above)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(if above.as_os_str().is_empty() { Path::new(".") } else { above })?.sync_all()
}

fn absent<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
