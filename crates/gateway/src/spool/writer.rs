//! Writer: takes what waits, renders it, puts it on disk; time is an argument.
//!
//! # When a disk fails
//! What was rendered and not acknowledged is kept, and tried again after a pause that grows. Nothing more is taken out of the
//! queue meanwhile, so that memory is bounded; what finds no room there is counted as missing because of the disk.

use std::{io, sync::Arc};

use evenkeel_api::evidence::{Event, Gap, Jcs, Stream, Why};
use evenkeel_core::{MILLISECOND, Nanos, SECOND};

use super::{
    Home, Moment, Shared,
    disk::Disk,
    entry::{Entry, Line, Noted},
    holes::Holes,
    place::Place,
    sweep,
};

/// Entries that are taken at once.
pub(super) const BATCH: usize = 4_096;
/// How long a file is written.
const OPEN: Nanos = SECOND;
/// The pauses between two tries of a disk that fails: the first, and the longest.
const PAUSES: [Nanos; 2] = [100 * MILLISECOND, 5 * SECOND];
/// The longest line (G-111); of a record that is longer, a line of it is kept.
const LONGEST: usize = 60 << 10;

/// Lines that are not on disk yet.
#[derive(Debug, Default)]
struct Group {
    text: Vec<u8>,
    lines: u64,
}

/// Who writes.
pub(super) struct Writer {
    home: Home,
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    /// None before there was anything to write.
    place: Option<Place>,
    groups: [Group; 2],
    holes: Holes,
    jcs: Jcs,
    /// After a failure: when it is tried again, and how long the pause before that is.
    retry: Option<(Nanos, Nanos)>,
    /// Of which streams there is no room for more.
    full: [bool; 2],
}

impl Writer {
    pub(super) fn new(home: Home, disk: Arc<dyn Disk>, shared: Arc<Shared>) -> Self {
        let (holes, jcs) = (Holes::default(), Jcs::default());
        Self { home, disk, shared, place: None, groups: Default::default(), holes, jcs, retry: None, full: [false; 2] }
    }

    /// Returns until when a disk that has failed is left alone.
    pub(super) fn paused(&self) -> Option<Nanos> {
        self.retry.map(|(at, _)| at)
    }

    /// Returns when there is something to do, though nothing comes; none where there is not.
    pub(super) fn due(&self) -> Option<Nanos> {
        let place = self.place.as_ref()?;
        let close = place.streams.iter().filter_map(|it| Some(it.since()? + OPEN)).min();
        let declare = self.holes.due().filter(|_| !self.full[Stream::Events as usize]);
        Some(close.into_iter().chain(declare).fold(place.room.due(), Nanos::min))
    }

    /// Does what there is to do.
    pub(super) fn step(&mut self, now: Moment) {
        if self.retry.is_some_and(|(at, _)| now.at < at) {
            return;
        }
        let worked = self.work(now, false);
        self.judge(now, worked);
    }

    /// Writes everything that waits, and closes all files, unless the disk fails.
    pub(super) fn finish(&mut self, now: Moment) {
        if self.place.is_none() && self.shared.queue.is_empty() {
            return;
        }
        let mut worked = self.work(now, false);
        while worked.is_ok() && !self.shared.queue.is_empty() {
            worked = self.work(now, false);
        }
        let worked = worked.and_then(|()| self.work(now, true));
        let left = worked.and_then(|()| self.place.as_ref().map_or(Ok(()), |it| it.leave(&*self.disk)));
        self.judge(now, left);
    }

    /// Takes note of how it went.
    fn judge(&mut self, now: Moment, worked: io::Result<()>) {
        let (queue, told) = (&self.shared.queue, &self.shared.told);
        match worked {
            Ok(()) => {
                self.retry = None;
                queue.trouble(None);
                if told.trouble(None) {
                    tracing::info!(target: "evenkeel::evidence", "the spool of records can be written again");
                }
            }
            Err(error) => {
                let pause = self.retry.map_or(PAUSES[0], |(_, pause)| (pause * 2).min(PAUSES[1]));
                self.retry = Some((now.at + pause, pause));
                queue.trouble(Some(Why::IoError));
                if told.trouble(Some(error.to_string())) {
                    tracing::error!(target: "evenkeel::evidence", data_dir = %self.home.data_dir.display(), %error, "the spool of records cannot be written: requests are answered, and what is missing is counted; make room, or make `server.data_dir` writable");
                }
            }
        }
    }

    fn work(&mut self, now: Moment, last: bool) -> io::Result<()> {
        self.settle(now)?;
        // What was not acknowledged before comes first.
        self.commit(now)?;
        self.look(now)?;
        self.shared.queue.take(BATCH).into_iter().for_each(|entry| self.take(entry));
        self.declare(now, last);
        self.commit(now)?;
        self.close(now, last)
    }

    /// Takes a place, and closes what others have left that were stopped.
    fn settle(&mut self, now: Moment) -> io::Result<()> {
        if self.place.is_some() {
            return Ok(());
        }
        let place = Place::take(&*self.disk, &self.home)?;
        if let Err(error) = self.close_left(now, &place) {
            tracing::warn!(target: "evenkeel::evidence", %error, "the folder of a process that was stopped cannot be closed; the next start tries it again");
        }
        self.sit(place);
        Ok(())
    }

    /// Closes what others have left that were stopped, and says there that something is missing.
    fn close_left(&self, now: Moment, place: &Place) -> io::Result<()> {
        for left in place.left(&*self.disk, &self.home)? {
            let mut writer = Self::new(self.home.clone(), self.disk.clone(), Arc::default());
            writer.sit(left);
            writer.work(now, true)?;
            writer.place.as_ref().map_or(Ok(()), |it| it.leave(&*self.disk))?;
        }
        Ok(())
    }

    fn sit(&mut self, place: Place) {
        self.shared.told.instance(&place.name);
        for written in &place.streams {
            self.shared.told.durable(written.stream, written.next - 1);
            if place.unclean {
                self.holes.add((written.stream, Why::UncleanStop), written.next, None);
                self.shared.told.missed(written.stream, Why::UncleanStop, 1);
            }
        }
        self.place = Some(place);
    }

    /// Looks how much room there is.
    fn look(&mut self, now: Moment) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        let kept = self.shared.kept.load_full().unwrap_or_default();
        place.room.look(now, (&place.folder, &self.home.readers));
        if place.room.sweeps(now) {
            sweep::own(&*self.disk, (&place.folder, place.room.read()), sweep::oldest(now, &kept))?;
            sweep::others(&*self.disk, &self.home, &place.folder, sweep::oldest(now, &kept));
        }
        self.shared.told.waiting(place.room.bytes());
        let full = Stream::ALL.map(|stream| !place.room.has_room(stream, &kept));
        if full[0] && !self.full[0] {
            tracing::warn!(target: "evenkeel::evidence", bytes = place.room.bytes(), "whoever reads the spool of records does not: `decisions.spool` is used up, and what comes now is counted and not kept");
        }
        self.full = full;
        Ok(())
    }

    /// Renders an entry, or counts it where there is no room.
    fn take(&mut self, entry: Entry) {
        let stream = entry.stream();
        match entry {
            Entry::Hole { why, count, .. } => self.holes.add((stream, why), self.next(stream), Some(count)),
            _ if self.full[stream as usize] => self.miss(stream, Why::SpoolFull),
            Entry::Decision { of, whole } => self.decision(&*of, whole),
            Entry::Event(noted) => self.event(noted),
        }
    }

    /// Returns the number of the next line of a stream, behind those that wait to be written.
    fn next(&self, stream: Stream) -> u64 {
        self.place.as_ref().map_or(1, |it| it.streams[stream as usize].next) + self.groups[stream as usize].lines
    }

    fn miss(&mut self, stream: Stream, why: Why) {
        self.holes.add((stream, why), self.next(stream), Some(1));
        self.shared.told.missed(stream, why, 1);
    }

    fn decision(&mut self, of: &dyn Line, whole: bool) {
        let text = &mut self.groups[Stream::Decisions as usize].text;
        let start = text.len();
        let written = of.write(whole, &mut self.jcs, text);
        let fits = written.is_ok() && text.len() - start <= LONGEST;
        if !fits {
            text.truncate(start);
        }
        match (fits, whole) {
            (true, _) => self.end_line(Stream::Decisions),
            (false, true) => self.decision(of, false),
            // Names and numbers always have a form: whatever has none is counted, not lost.
            (false, false) => self.miss(Stream::Decisions, Why::IoError),
        }
    }

    fn event(&mut self, Noted { at, kind, actor, data }: Noted) {
        let event = Event { n: self.next(Stream::Events), time: at, kind: kind.into(), actor, data };
        match self.jcs.append(&event, &mut self.groups[Stream::Events as usize].text) {
            Ok(()) => self.end_line(Stream::Events),
            Err(_) => self.miss(Stream::Events, Why::IoError),
        }
    }

    fn end_line(&mut self, stream: Stream) {
        let group = &mut self.groups[stream as usize];
        group.text.push(b'\n');
        group.lines += 1;
    }

    /// Says what is missing. Where there is no room for that either, it is said as soon as there is.
    fn declare(&mut self, now: Moment, all: bool) {
        let Some(place) = self.place.as_ref().filter(|_| all || !self.full[Stream::Events as usize]) else { return };
        for gap in self.holes.take(now.at, all, &place.name) {
            let data = serde_json::to_value(&gap).expect("names and numbers are JSON");
            self.event(Noted { at: now.wall, kind: Gap::KIND, actor: "system:spool".into(), data });
        }
    }

    /// Puts on disk what is not there yet.
    fn commit(&mut self, now: Moment) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        for (written, group) in place.streams.iter_mut().zip(&mut self.groups) {
            if group.lines == 0 {
                continue;
            }
            let healed = written.commit(&*self.disk, now.at, &group.text, group.lines)?;
            healed.into_iter().for_each(|it| place.room.closed(written.stream, it));
            self.shared.told.durable(written.stream, written.next - 1);
            group.text.clear();
            group.lines = 0;
        }
        Ok(())
    }

    /// Closes files that were written long enough; with `all`, every one.
    fn close(&mut self, now: Moment, all: bool) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        for written in &mut place.streams {
            if written.since().is_some_and(|since| all || now.at >= since + OPEN) {
                let closed = written.close(&*self.disk)?;
                closed.into_iter().for_each(|it| place.room.closed(written.stream, it));
            }
        }
        Ok(())
    }
}
