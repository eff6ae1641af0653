//! Written: the files of one stream, as they are written.
//!
//! # Invariants
//! - `WRI-1`: a number is used up only once its line is on disk: what was not acknowledged is written again under the same one.
//! - `WRI-2`: a file of which a write or a sync has failed is never written again. What of it was known to be durable is closed;
//!   the rest goes into another file.
//!
//! # Why another file
//! After a sync that failed, Linux forgets that the pages are dirty: a second one would say that all is well (fsyncgate, 2018).

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use evenkeel_api::evidence::{Segment, Stream};
use evenkeel_core::Nanos;
use flate2::{Compression, write::GzEncoder};

use super::disk::{Disk, Sink};

/// The files of one stream.
pub(super) struct Written {
    pub(super) stream: Stream,
    pub(super) folder: PathBuf,
    /// The number of the next line: all before it are on disk.
    pub(super) next: u64,
    open: Option<Open>,
    broken: Option<Broken>,
    /// Those that were completed and not asked for yet.
    closed: Vec<Closed>,
}

/// The file that is being written.
struct Open {
    first: u64,
    since: Nanos,
    length: u64,
    sink: Box<dyn Sink>,
}

/// A file that is not trusted any more, but for its beginning.
struct Broken {
    first: u64,
    length: u64,
    /// Whether it has the name of one that is complete: what is left to do is to make that durable.
    renamed: bool,
}

impl Broken {
    fn new(first: u64, length: u64) -> Self {
        Self { first, length, renamed: false }
    }
}

/// A file that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) last: u64,
    pub(super) length: u64,
}

impl Written {
    /// Begins in a folder, with the number of the next line.
    pub(super) fn new(stream: Stream, folder: PathBuf, next: u64) -> Self {
        Self { stream, folder, next, open: None, broken: None, closed: Vec::new() }
    }

    /// Returns since when a file is open; none where none is.
    pub(super) fn since(&self) -> Option<Nanos> {
        self.open.as_ref().map(|it| it.since)
    }

    /// Puts lines on disk. Only when it returns well are they there.
    pub(super) fn commit(&mut self, disk: &dyn Disk, now: Nanos, (text, lines): (&[u8], u64)) -> io::Result<()> {
        self.heal(disk)?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create(disk, now)?,
        };
        let member = member(text);
        match put(&mut *open.sink, &member) {
            Ok(()) => {
                open.length += member.len() as u64;
                self.next += lines;
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                self.broken = Some(Broken::new(open.first, open.length));
                Err(error)
            }
        }
    }

    fn create(&mut self, disk: &dyn Disk, since: Nanos) -> io::Result<Open> {
        let path = Segment::path(&self.folder, self.next, false);
        let sink = disk.create(&path)?;
        // Its name has to be durable before anything in it is told to be.
        if let Err(error) = disk.sync_folder(&self.folder) {
            self.broken = Some(Broken::new(self.next, 0));
            return Err(error);
        }
        Ok(Open { first: self.next, since, length: 0, sink })
    }

    /// Closes what is durable of a file that is not trusted.
    pub(super) fn heal(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let Some(broken) = &mut self.broken else { return Ok(()) };
        let path = Segment::path(&self.folder, broken.first, false);
        if broken.length == 0 {
            disk.remove(&path)?;
        } else if !broken.renamed {
            disk.cut(&path, broken.length)?;
            disk.rename(&path, &Segment::path(&self.folder, broken.first, true))?;
            broken.renamed = true;
            self.closed.push(Closed { last: self.next - 1, length: broken.length });
        }
        disk.sync_folder(&self.folder)?;
        self.broken = None;
        Ok(())
    }

    /// Closes the file that is open.
    pub(super) fn close(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let path = |closed| Segment::path(&self.folder, open.first, closed);
        disk.rename(&path(false), &path(true))?;
        self.closed.push(Closed { last: self.next - 1, length: open.length });
        self.open = None;
        // Where that fails the file may have its old name after a loss of power, and is closed again.
        disk.sync_folder(&self.folder)
    }

    /// Returns the files that were completed since it was asked last, whatever has failed after that.
    pub(super) fn completed(&mut self) -> impl Iterator<Item = Closed> {
        self.closed.drain(..)
    }

    /// Returns which lines are gone that were on disk, as their file was taken away: the first of them, and how many.
    pub(super) fn gone(&self, disk: &dyn Disk) -> Option<(u64, u64)> {
        let (open, broken) = (self.open.as_ref().map(|it| it.first), self.broken.as_ref().map(|it| it.first));
        let first = open.or(broken).filter(|first| *first < self.next)?;
        let is_gone = |closed| {
            let looked = disk.look(&Segment::path(&self.folder, first, closed));
            looked.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        (is_gone(false) && is_gone(true)).then(|| (first, self.next - first))
    }
}

/// Packs lines into a gzip member, without a name or a time: the same lines are the same bytes.
pub(super) fn member(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4 + 64), Compression::fast());
    encoder.write_all(text).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// Writes all of it, and makes it durable.
pub(super) fn put(sink: &mut dyn Sink, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    sink.sync()
}

/// Makes a file of these bytes, durably, over one that may be there.
pub(super) fn replace(disk: &dyn Disk, file: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = file.with_extension("part");
    disk.remove(&part)?;
    put(&mut *disk.create(&part)?, bytes)?;
    disk.rename(&part, file)
}
