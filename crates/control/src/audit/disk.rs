//! Disk: the folder of the log, in steps that each happen whole or not at all.
//!
//! # Invariants
//! - `DISK-1`: what `put` has returned of is on disk, under its name, whole; before that the name holds what it held.

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
pub(super) struct Folder(pub(super) PathBuf);

impl Disk for Folder {
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        absent(fs::read(self.0.join(name)))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        put(&self.0.join(name), bytes, 0o644)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        absent(fs::remove_file(self.0.join(name))).map(drop)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let Some(entries) = absent(fs::read_dir(self.0.join(folder)))? else { return Ok(Vec::new()) };
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
