//! The folder of a log: its segments, which belong to which process, and where numbers go on.

use std::{
    fs,
    io::{self, Error, ErrorKind, Read},
    path::{Path, PathBuf},
};

use evenkeel_core::Segment;

/// More than the head of a segment takes.
const HEAD: u64 = 4 << 10;

/// A segment on disk.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    /// The number of the record with which its process began; none of a file whose head cannot be read, which is one of its own.
    pub(super) began: Option<u64>,
}

/// What is in the folder, the oldest first.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) files: Vec<File>,
    /// The number of the next record.
    pub(super) next: u64,
}

impl Folder {
    /// Opens the folder, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let mut paths = Vec::new();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            paths.extend(number(&path).map(|number| (number, path)));
        }
        paths.sort();
        let (mut files, mut next) = (Vec::new(), 1);
        for (at, (number, file)) in paths.iter().enumerate() {
            // How many records there are is asked of the last one alone.
            let last = at + 1 == paths.len();
            let mut bytes = Vec::new();
            let opened = fs::File::open(file)?;
            let size = opened.metadata()?.len();
            opened.take(if last { u64::MAX } else { HEAD }).read_to_end(&mut bytes)?;
            let (began, records) = looked(&bytes, last);
            next = number.saturating_add(records.max(1));
            files.push(File { path: file.clone(), size, began });
        }
        Ok(Self { path: path.into(), files, next })
    }

    /// Returns where the segment is that begins with a record.
    pub(super) fn place(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}.ekin"))
    }

    /// Returns how many bytes are kept.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|it| it.size).sum()
    }

    /// Removes the log of the oldest of the earlier processes, and syncs nothing: what comes back after a crash is removed again.
    /// Says whether there was one.
    pub(super) fn drop_oldest(&mut self, but: u64) -> io::Result<bool> {
        let Some(oldest) = self.files.first().filter(|it| it.began != Some(but)).cloned() else { return Ok(false) };
        let of = |it: &File| oldest.began.is_some() && it.began == oldest.began;
        let count = self.files.iter().take_while(|it| of(it)).count().max(1);
        for file in self.files.drain(..count) {
            match fs::remove_file(&file.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(true)
    }
}

/// Returns the number of the first record by the name of a segment.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_suffix(".ekin")?;
    name.parse().ok().filter(|_| name.len() == 20)
}

/// Returns which process a segment is of, and how many whole records it has, where that is asked.
fn looked(bytes: &[u8], count: bool) -> (Option<u64>, u64) {
    let Ok(mut segment) = Segment::open(bytes) else { return (None, 0) };
    let (began, mut records) = (segment.header.began, 0);
    while let (true, Ok(Some(block))) = (count, segment.block()) {
        records += block.records;
    }
    (Some(began), records)
}

/// Syncs a folder, so that what was made in it is there after a crash.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    let folder = fs::File::open(folder).map_err(|error| Error::new(error.kind(), format!("the folder: {error}")))?;
    folder.sync_all()
}
