//! Writer: takes what waits, renders it, puts it on disk; time is an argument.
//!
//! # When a disk fails
//! What was rendered and not acknowledged is kept, and tried again after a pause that grows. Nothing more is taken out of the
//! queue meanwhile, so that memory is bounded; what finds no room there is counted as missing because of the disk.
//! Where the folder itself is taken away, what it told as durable is gone: that is declared, and a place taken anew.

use std::{collections::VecDeque, io, path::Path, sync::Arc};

use arc_swap::ArcSwapOption;

use evenkeel_api::evidence::{Event, Gap, Jcs, Stream, Why};
use evenkeel_core::{MILLISECOND, Nanos, SECOND};

use super::{
    Home, Moment, Shared,
    disk::Disk,
    entry::{Entry, Line, Noted},
    group::Group,
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
/// Who writes.
pub(super) struct Writer {
    home: Home,
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    /// None before there was anything to write.
    place: Option<Place>,
    /// The name of the place that was taken away, and the numbers that were next there.
    before: Option<(String, [u64; 2])>,
    /// What was taken out of the queue and is not rendered yet.
    taken: VecDeque<Entry>,
    /// The stream of what is being rendered.
    in_hand: Option<Stream>,
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
        Self {
            home,
            disk,
            shared,
            place: None,
            before: None,
            taken: VecDeque::new(),
            in_hand: None,
            groups: Default::default(),
            holes,
            jcs,
            retry: None,
            full: [false; 2],
        }
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
        let worked = self.attempt(now, false);
        self.judge(now, worked);
    }

    /// Writes everything that waits, and closes all files, unless the disk fails.
    pub(super) fn finish(&mut self, now: Moment) {
        if self.place.is_none() && self.before.is_none() && self.shared.queue.is_empty() {
            return;
        }
        let mut written = self.write_all(now);
        if is_gone(&written) {
            written = self.write_all(now);
        }
        self.judge(now, written);
    }

    fn write_all(&mut self, now: Moment) -> io::Result<()> {
        self.attempt(now, false)?;
        while !self.shared.queue.is_empty() {
            self.attempt(now, false)?;
        }
        self.attempt(now, true)?;
        self.place.as_ref().map_or(Ok(()), |it| it.leave(&*self.disk))
    }

    /// Counts what will not be written any more, after a bug.
    pub(super) fn abandon(&mut self) {
        let Shared { queue, told, .. } = &*self.shared;
        queue.trouble(Some(Why::IoError));
        queue.end(0);
        while !queue.is_empty() {
            self.taken.extend(queue.take(BATCH));
        }
        let lines = self.taken.iter().filter(|it| !matches!(it, Entry::Hole { .. }));
        lines.map(Entry::stream).chain(self.in_hand).for_each(|stream| told.missed(stream, Why::IoError, 1));
        for (stream, group) in Stream::ALL.into_iter().zip(&self.groups) {
            told.missed(stream, Why::IoError, group.lines);
        }
        told.trouble(Some("it has panicked, which is a bug of Evenkeel; nothing is kept until the next start".into()));
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

    /// Does what there is to do; a place that was taken away is given up.
    fn attempt(&mut self, now: Moment, last: bool) -> io::Result<()> {
        let worked = self.work(now, last);
        if is_gone(&worked) {
            self.unseat();
        }
        worked
    }

    fn work(&mut self, now: Moment, last: bool) -> io::Result<()> {
        self.settle(now)?;
        // What was not acknowledged before comes first.
        self.commit(now)?;
        self.look(now)?;
        if self.taken.is_empty() {
            self.taken = self.shared.queue.take(BATCH).into();
        }
        while self.fill() {
            self.commit(now)?;
        }
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
        for folder in place.left(&*self.disk).unwrap_or_default() {
            if let Err(error) = self.close_left(now, &folder) {
                tracing::warn!(target: "evenkeel::evidence", folder = %folder.display(), %error, "the folder of a process that was stopped cannot be closed; the next start tries it again");
            }
        }
        self.sit(place);
        // Before any line behind it is acknowledged: whoever is stopped next finds its own gap alone.
        self.declare(now, true);
        self.commit(now)
    }

    /// Closes what somebody has left who was stopped, and says there that something is missing.
    fn close_left(&self, now: Moment, folder: &Path) -> io::Result<()> {
        let Some(left) = Place::at(&*self.disk, folder, &self.home.readers)? else { return Ok(()) };
        let kept = ArcSwapOption::new(self.shared.kept.load_full());
        let shared = Arc::new(Shared { kept, ..Shared::default() });
        let mut writer = Self::new(self.home.clone(), self.disk.clone(), shared);
        writer.sit(left);
        writer.work(now, true)?;
        writer.place.as_ref().map_or(Ok(()), |it| it.leave(&*self.disk))
    }

    fn sit(&mut self, mut place: Place) {
        if let Some((_, next)) = self.before.take().filter(|(name, _)| *name == place.name) {
            // The files that say which numbers were given are gone.
            place.streams.iter_mut().zip(next).for_each(|(written, next)| written.next = written.next.max(next));
        }
        let [_, events] = &place.streams;
        self.groups[Stream::Events as usize].number(&mut self.jcs, events.next);
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

    /// Gives up a place that was taken away, and counts what was on disk there and is no more.
    fn unseat(&mut self) {
        let Some(place) = &mut self.place else { return };
        for written in &mut place.streams {
            // Of a file that is still there, what is not trusted must not be found by who takes the place anew.
            if written.heal(&*self.disk).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
                return;
            }
        }
        for written in &place.streams {
            if let Some((from, count)) = written.gone(&*self.disk) {
                self.holes.add((written.stream, Why::IoError), from, Some(count));
                self.shared.told.missed(written.stream, Why::IoError, count);
            }
        }
        // Nobody was stopped.
        let _ = self.disk.remove(&place.folder.join("running"));
        self.before = Some((place.name.clone(), place.streams.each_ref().map(|it| it.next)));
        self.place = None;
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

    /// Renders what was taken, as much as is written at once; says whether there may be more.
    fn fill(&mut self) -> bool {
        while !self.groups.iter().any(Group::is_full) {
            let Some(entry) = self.taken.pop_front() else { return false };
            self.in_hand = (!matches!(entry, Entry::Hole { .. })).then(|| entry.stream());
            self.take(entry);
            self.in_hand = None;
        }
        true
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
        let (group, jcs) = (&mut self.groups[Stream::Decisions as usize], &mut self.jcs);
        // Names and numbers always have a form: whatever has none is counted, not lost.
        let kept = (whole && group.add(|to| of.write(true, jcs, to))) || group.add(|to| of.write(false, jcs, to));
        if !kept {
            self.miss(Stream::Decisions, Why::IoError);
        }
    }

    fn event(&mut self, Noted { at, kind, actor, data }: Noted) {
        let event = Event { n: self.next(Stream::Events), time: at, kind: kind.into(), actor, data };
        let (group, jcs) = (&mut self.groups[Stream::Events as usize], &mut self.jcs);
        if !group.add(|to| jcs.append(&event, to)) {
            self.miss(Stream::Events, Why::IoError);
        }
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
            let stream = written.stream;
            let committed = written.commit(&*self.disk, now.at, (&group.text, group.lines));
            written.completed().for_each(|it| place.room.closed(stream, it));
            committed?;
            self.shared.told.durable(stream, written.next - 1);
            group.clear();
        }
        Ok(())
    }

    /// Closes files that were written long enough; with `all`, every one.
    fn close(&mut self, now: Moment, all: bool) -> io::Result<()> {
        let Some(place) = &mut self.place else { return Ok(()) };
        for written in &mut place.streams {
            if written.since().is_some_and(|since| all || now.at >= since + OPEN) {
                let (stream, closed) = (written.stream, written.close(&*self.disk));
                written.completed().for_each(|it| place.room.closed(stream, it));
                closed?;
            }
        }
        Ok(())
    }
}

/// Says whether something is not there any more that was.
fn is_gone(worked: &io::Result<()>) -> bool {
    worked.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
