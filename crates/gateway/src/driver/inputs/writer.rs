//! The thread that brings records to disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use evenkeel_core::{Draft, Ending, Followed, Header, Page, SEMANTICS};

use super::{Open, Shelf, folder};
use crate::clock::Clock;

/// How long records are gathered before they are written.
const GATHER: Duration = Duration::from_millis(200);
/// What the word of its end takes of a log.
const WORD: u64 = 64;

pub(super) struct Writer {
    clock: Clock,
    folder: folder::Folder,
    /// The size at which a segment is followed by another one.
    most: u64,
    shelf: Arc<Shelf>,
    file: File,
    /// The number of this process's first record, and of the next.
    began: u64,
    next: u64,
    page: Page,
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins the first segment of this process.
    pub(super) fn begin(clock: Clock, mut folder: folder::Folder, most: u64, shelf: Arc<Shelf>) -> io::Result<Self> {
        let next = folder.next;
        let file = segment(clock, &mut folder, (next, next))?;
        shelf.bytes.store(folder.size(), Relaxed);
        let (page, bytes) = (Page::default(), Vec::new());
        Ok(Self { clock, folder, most, shelf, file, began: next, next, page, bytes })
    }

    /// Writes until the log has ended.
    pub(super) fn run(mut self) {
        loop {
            thread::park_timeout(GATHER);
            let ended = {
                let mut open = self.shelf.open.lock();
                mem::swap(&mut open.page, &mut self.page);
                open.ended.is_some()
            };
            if let Err(error) = self.write() {
                return self.shelf.fail(&error);
            }
            if ended || self.shelf.open.lock().ended == Some(Ending::Full.name()) {
                return;
            }
        }
    }

    /// Writes what was gathered.
    fn write(&mut self) -> io::Result<()> {
        let records = self.page.records();
        if records == 0 {
            return Ok(());
        }
        if self.folder.files.last().is_some_and(|it| it.size >= self.most) {
            self.file = segment(self.clock, &mut self.folder, (self.began, self.next))?;
        }
        self.bytes.clear();
        self.page.seal(self.next, &mut self.bytes);
        if !self.has_room()? {
            return self.is_full();
        }
        self.append(records)
    }

    /// Says whether what is to be written has room, after the logs of earlier processes have made some.
    fn has_room(&mut self) -> io::Result<bool> {
        while self.folder.size() + self.bytes.len() as u64 + WORD > self.shelf.disk.load(Relaxed) {
            if !self.folder.drop_oldest(self.began)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the log in place of what has no room any more.
    fn is_full(&mut self) -> io::Result<()> {
        let last = {
            let mut open = self.shelf.open.lock();
            let last = open.last;
            *open = Open { ended: Some(Ending::Full.name()), ..Open::default() };
            last
        };
        tracing::warn!(target: "evenkeel::inputs", bound = self.shelf.disk.load(Relaxed), "the log of inputs has reached its bound (`decisions.inputs`) and has ended; the next start begins anew");
        let mut draft = Draft::default();
        draft.end(Ending::Full);
        self.page.push(last, &mut draft, Followed::default());
        self.bytes.clear();
        self.page.seal(self.next, &mut self.bytes);
        self.append(1)
    }

    fn append(&mut self, records: u64) -> io::Result<()> {
        self.file.write_all(&self.bytes)?;
        self.file.sync_data()?;
        self.next += records;
        let file = self.folder.files.last_mut().expect("the one that is written");
        file.size += self.bytes.len() as u64;
        self.shelf.records.store(self.next - self.began, Relaxed);
        self.shelf.bytes.store(self.folder.size(), Relaxed);
        Ok(())
    }
}

/// Makes the next segment.
fn segment(clock: Clock, folder: &mut folder::Folder, (began, first): (u64, u64)) -> io::Result<File> {
    let at = clock.now();
    let wall_ms = u64::try_from(clock.wall(at).as_millisecond()).unwrap_or(0);
    let core = env!("CARGO_PKG_VERSION").to_owned();
    let mut head = Vec::new();
    Header { core, semantics: SEMANTICS, first, began, at, wall_ms }.write(&mut head);
    let path = folder.place(first);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    file.write_all(&head)?;
    file.sync_data()?;
    folder::sync(&folder.path)?;
    folder.files.push(folder::File { path, size: head.len() as u64, began: Some(began) });
    Ok(file)
}
