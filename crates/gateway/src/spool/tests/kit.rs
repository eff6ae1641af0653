//! A writer that is driven by hand, and what is on its disk.

use std::{
    any::Any,
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender},
};

use tempfile::TempDir;

use super::*;
use crate::spool::{disk::Sink, told::Standing};

/// A line of this text.
pub(super) struct Text(String);

impl Text {
    pub(super) fn plain(n: u64) -> Self {
        Self(format!("{{\"id\":{n}}}"))
    }
}

impl Line for Text {
    fn weight(&self) -> usize {
        self.0.len()
    }

    fn write(&self, _: bool, _: &mut Jcs, to: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        to.extend_from_slice(self.0.as_bytes());
        Ok(())
    }
}

/// A text that does not pack well.
pub(super) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'a' + (state % 26) as u8)
    };
    (0..length).map(|_| next()).collect()
}

/// The writer, its disk, and its clock.
pub(super) struct Kit {
    pub(super) folder: Arc<TempDir>,
    readers: Vec<&'static str>,
    pub(super) faults: Arc<Mutex<Faults>>,
    pub(super) synced: Arc<Mutex<BTreeSet<PathBuf>>>,
    pub(super) shared: Arc<Shared>,
    pub(super) writer: Writer,
    now: Nanos,
    decided: u64,
}

impl Kit {
    pub(super) fn new() -> Self {
        let (disk, folder) = (Faulty::default(), Arc::new(tempfile::tempdir().expect("a folder")));
        let (faults, synced, shared) = (disk.faults.clone(), disk.synced.clone(), Arc::<Shared>::default());
        let home = Home { data_dir: folder.path().into(), readers: Arc::default() };
        let writer = Writer::new(home, Arc::new(disk), shared.clone());
        Self { folder, readers: Vec::new(), faults, synced, shared, writer, now: 0, decided: 0 }
    }

    /// Writes where another one writes.
    pub(super) fn move_to(&mut self, other: &Self) {
        self.folder = other.folder.clone();
        self.stop();
    }

    /// Starts another process in the same folder, whose readers are these.
    pub(super) fn read_by(&mut self, readers: &[&'static str]) {
        self.readers = readers.to_vec();
        self.stop();
    }

    pub(super) fn keep(&mut self, kept: Kept) {
        self.shared.kept.store(Some(Arc::new(kept)));
    }

    /// Hands on so many decisions; returns how many found room.
    pub(super) fn decide(&mut self, count: u64) -> u64 {
        let taken = (0..count).filter(|n| self.hand_on(Text::plain(self.decided + n))).count();
        self.decided += count;
        taken as u64
    }

    pub(super) fn write(&mut self, text: &str) {
        self.hand_on(Text(text.into()));
    }

    /// Hands on something that happened.
    pub(super) fn note(&self) {
        let (at, data) = (Timestamp::UNIX_EPOCH, serde_json::json!({}));
        let noted = Noted { at, kind: "config.applied", actor: "system:gateway".into(), data };
        assert!(self.shared.queue.push(Entry::Event(noted)).is_ok());
    }

    fn hand_on(&self, text: Text) -> bool {
        let pushed = self.shared.queue.push(Entry::Decision { of: Arc::new(text), whole: true });
        if let Err(why) = pushed {
            self.shared.told.missed(Stream::Decisions, why, 1);
        }
        pushed.is_ok()
    }

    fn moment(&self) -> Moment {
        // Files have the times of the machine, which this is as long after as was played.
        let wall = Timestamp::now().checked_add(Duration::from_nanos(self.now)).expect("a time");
        Moment { at: self.now, wall }
    }

    /// Lets so much time pass, and the writer do what there is to do.
    pub(super) fn pass(&mut self, time: Nanos) {
        self.now += time;
        self.writer.step(self.moment());
    }

    pub(super) fn finish(&mut self) {
        self.shared.queue.end(0);
        self.writer.finish(self.moment());
    }

    /// Stops the process where it stands, and starts another in the same folder.
    pub(super) fn stop(&mut self) {
        self.shared = Arc::default();
        let disk = Arc::new(Faulty { faults: self.faults.clone(), synced: self.synced.clone() });
        let home = Home { data_dir: self.folder.path().into(), readers: self.readers.as_slice().into() };
        self.writer = Writer::new(home, disk, self.shared.clone());
    }

    /// Leaves these bytes behind what is written of the file that is open.
    pub(super) fn tear(&self, bytes: &[u8]) {
        let found = segments(&self.instance("i1"), Stream::Decisions).expect("read");
        let open = found.iter().find(|it| !it.closed).expect("one is open");
        let whole = [open.read().expect("read").as_slice(), bytes].concat();
        fs::write(&open.path, whole).expect("written");
    }

    pub(super) fn instance(&self, name: &str) -> PathBuf {
        self.folder.path().join("instances").join(name)
    }

    pub(super) fn lines(&self, instance: &str, stream: Stream) -> Vec<(u64, String)> {
        lines(&self.instance(instance), stream)
    }

    pub(super) fn gaps(&self, instance: &str) -> Vec<Gap> {
        gaps(&self.instance(instance))
    }

    pub(super) fn events(&self, instance: &str) -> Vec<Event> {
        events(&self.instance(instance))
    }

    pub(super) fn standing(&self) -> Standing {
        self.shared.told.standing()
    }

    pub(super) fn durable(&self) -> [u64; 2] {
        self.standing().durable.map(|(_, n)| n)
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.standing().trouble
    }

    pub(super) fn missed(&self, stream: Stream, why: Why) -> u64 {
        self.standing().missed.iter().find(|(of, _)| *of == (stream, why)).map_or(0, |it| it.1)
    }
}

/// Returns the whole lines of a stream, in all its files.
pub(super) fn lines(instance: &Path, stream: Stream) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    for segment in segments(instance, stream).expect("read") {
        let bytes = segment.read().expect("read");
        for member in Members::new(&bytes, segment.first) {
            lines.extend(member.lines().map(|(n, line)| (n, String::from_utf8_lossy(line).into_owned())));
        }
    }
    lines
}

/// Returns what happened, and holds the numbers of events against their places.
fn events(instance: &Path) -> Vec<Event> {
    let event = |(n, line): (u64, String)| {
        let event: Event = serde_json::from_str(&line).expect("an event");
        assert_eq!(event.n, n);
        event
    };
    lines(instance, Stream::Events).into_iter().map(event).collect()
}

/// Returns the gaps that were declared.
pub(super) fn gaps(instance: &Path) -> Vec<Gap> {
    let gaps = events(instance).into_iter().filter(|it| it.kind == Gap::KIND);
    gaps.map(|it| serde_json::from_value(it.data).expect("a gap")).collect()
}

/// A disk whose first sync says that it begins, and waits until it may go on.
pub(super) struct Stuck(Arc<Mutex<Option<Gate>>>);

/// Who hears that it begins, and who says that it may go on.
type Gate = (Sender<()>, Receiver<()>);

impl Stuck {
    pub(super) fn new(gate: Gate) -> Self {
        Self(Arc::new(Mutex::new(Some(gate))))
    }
}

impl Disk for Stuck {
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        Files.make_folder(folder)
    }

    fn lock(&self, file: &Path) -> io::Result<Option<Box<dyn Any + Send>>> {
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
        Ok(Box::new(Slow(Files.create(file)?, self.0.clone())))
    }

    fn cut(&self, file: &Path, length: u64) -> io::Result<()> {
        Files.cut(file, length)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Files.rename(from, to)
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        Files.remove(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        Files.sync_folder(folder)
    }
}

/// A file of it.
struct Slow(Box<dyn Sink>, Arc<Mutex<Option<Gate>>>);

impl Sink for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some((began, go_on)) = self.1.lock().take() {
            began.send(()).expect("somebody waits");
            let _ = go_on.recv();
        }
        self.0.sync()
    }
}
