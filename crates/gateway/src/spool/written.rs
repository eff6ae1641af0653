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
        Self { stream, folder, next, open: None, broken: None }
    }

    /// Returns since when a file is open; none where none is.
    pub(super) fn since(&self) -> Option<Nanos> {
        self.open.as_ref().map(|it| it.since)
    }

    /// Puts lines on disk. Only when it returns well are they there.
    pub(super) fn commit(
        &mut self,
        disk: &dyn Disk,
        now: Nanos,
        text: &[u8],
        lines: u64,
    ) -> io::Result<Option<Closed>> {
        let healed = self.heal(disk)?;
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
                Ok(healed)
            }
            Err(error) => {
                self.broken = Some(Broken { first: open.first, length: open.length });
                Err(error)
            }
        }
    }

    fn create(&mut self, disk: &dyn Disk, since: Nanos) -> io::Result<Open> {
        let path = Segment::path(&self.folder, self.next, false);
        let sink = disk.create(&path)?;
        // Its name has to be durable before anything in it is told to be.
        if let Err(error) = disk.sync_folder(&self.folder) {
            self.broken = Some(Broken { first: self.next, length: 0 });
            return Err(error);
        }
        Ok(Open { first: self.next, since, length: 0, sink })
    }

    /// Closes what is durable of a file that is not trusted.
    pub(super) fn heal(&mut self, disk: &dyn Disk) -> io::Result<Option<Closed>> {
        let Some(Broken { first, length }) = self.broken else { return Ok(None) };
        let path = Segment::path(&self.folder, first, false);
        if length == 0 {
            disk.remove(&path)?;
        } else {
            disk.cut(&path, length)?;
            disk.rename(&path, &Segment::path(&self.folder, first, true))?;
        }
        disk.sync_folder(&self.folder)?;
        self.broken = None;
        Ok((length > 0).then_some(Closed { last: self.next - 1, length }))
    }

    /// Closes the file that is open.
    pub(super) fn close(&mut self, disk: &dyn Disk) -> io::Result<Option<Closed>> {
        let Some(open) = &self.open else { return Ok(None) };
        let path = |closed| Segment::path(&self.folder, open.first, closed);
        disk.rename(&path(false), &path(true))?;
        let closed = Closed { last: self.next - 1, length: open.length };
        self.open = None;
        // Where that fails the file may have its old name after a loss of power, and is closed again.
        disk.sync_folder(&self.folder)?;
        Ok(Some(closed))
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
