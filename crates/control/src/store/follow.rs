//! Follow: how far one stream of one instance is read, and the lines that come next, over as many segments as it takes.
//!
//! # Invariants
//! - `FOL-1`: lines are taken in the order of their numbers, each once, and none at or before the one that is committed.
//! - `FOL-2`: of a segment whole members are taken; of what does not hold nothing is, nor of what follows it there.

use std::{collections::VecDeque, io, path::Path};

use evenkeel_api::evidence::{Ending, Members, Segment, Stream, segments};
use jiff::{SignedDuration, Timestamp};

/// Lines of a batch at most.
const MOST_LINES: usize = 1_000;
/// Bytes of lines of a batch, above which it takes no more.
const MOST_BYTES: usize = 4 << 20;
/// How often a whole folder is looked at, which may have millions of files: for what does not follow on what was read last.
const LOOK: SignedDuration = SignedDuration::from_secs(10);

/// Lines that go into the store together.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The number of the last.
    pub(super) to: u64,
    pub(super) lines: Vec<(u64, Vec<u8>)>,
    /// Numbers between these lines, and between them and the one before, that no line has.
    pub(super) lacking: u64,
    /// Segments of which the rest cannot be read, by their first number, and why.
    pub(super) damaged: Vec<(u64, String)>,
}

/// How far a stream is read.
pub(super) struct At {
    pub(super) instance: String,
    stream: Stream,
    /// The last number that is committed.
    pub(super) n: u64,
    /// The first number of the last segment that was read to its end.
    past: u64,
    reading: Option<Reading>,
    /// The first numbers of the segments that the last look at the whole folder found ahead.
    ahead: VecDeque<u64>,
    looked: Option<Timestamp>,
}

/// A closed segment, while it is read, member by member.
struct Reading {
    first: u64,
    bytes: Vec<u8>,
    /// Where the next member begins, and the number of its first line.
    at: usize,
    next: u64,
    lines: std::vec::IntoIter<(u64, Vec<u8>)>,
    /// The number of its last line, once somebody wanted to know.
    last: Option<u64>,
}

impl At {
    /// A stream that is read up to a number.
    pub(super) fn new(instance: String, stream: Stream, n: u64) -> Self {
        Self { instance, stream, n, past: 0, reading: None, ahead: VecDeque::new(), looked: None }
    }

    /// Reads the lines that follow in the folder of the instance, of as many segments as it takes.
    pub(super) fn take(&mut self, folder: &Path, now: Timestamp) -> io::Result<Taken> {
        let (mut taken, mut bytes) = (Taken { to: self.n, ..Taken::default() }, 0);
        while taken.lines.len() < MOST_LINES && bytes < MOST_BYTES {
            if self.reading.is_none() {
                self.reading = match self.next(folder, taken.to, now) {
                    Ok(next) => next,
                    Err(error) => {
                        self.looked = None;
                        // What comes before it is not held up; it will be met again.
                        return if taken.lines.is_empty() { Err(error) } else { Ok(taken) };
                    }
                };
            }
            let Some(reading) = &mut self.reading else { break };
            match reading.line() {
                Ok(Some((n, _))) if n <= taken.to => {}
                Ok(Some((n, line))) => {
                    // Before the first line of all there was nothing, or what was there is older than it is kept.
                    taken.lacking += if taken.to > 0 { n - taken.to - 1 } else { 0 };
                    taken.to = n;
                    bytes += line.len();
                    taken.lines.push((n, line));
                }
                ended => {
                    taken.damaged.extend(ended.err().map(|why| (reading.first, why)));
                    (self.past, self.reading) = (reading.first, None);
                }
            }
        }
        // What is left of it is counted, once for each segment that has more than a batch.
        self.reading.iter_mut().for_each(Reading::count);
        Ok(taken)
    }

    /// Opens the next segment: the one that begins with the next number, as a rule; where there is none, the one that a look at the whole
    /// folder finds: of those that begin at or before the next line the last, else the first that follows.
    fn next(&mut self, folder: &Path, read: u64, now: Timestamp) -> io::Result<Option<Reading>> {
        let within = folder.join(self.stream.name());
        let open = |first| match Reading::open(&within, first) {
            // It was never there, or went while we looked; whoever removed it has declared it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            reading => reading.map(Some),
        };
        if self.looked.is_some()
            && let Some(next) = open(read + 1)?
        {
            return Ok(Some(next));
        }
        if self.looked.is_none_or(|it| now.duration_since(it) >= LOOK) {
            let closed = segments(folder, self.stream)?.into_iter().filter(|it| it.closed);
            (self.ahead, self.looked) = (closed.map(|it| it.first).collect(), Some(now));
            let begun = self.ahead.partition_point(|it| *it <= read + 1).saturating_sub(1);
            self.ahead.drain(..begun);
        }
        while let Some(first) = self.ahead.pop_front() {
            if first > self.past
                && let Some(next) = open(first)?
            {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Returns how many lines are known to wait, at least.
    pub(super) fn behind(&self) -> u64 {
        let newest = self.ahead.back().copied().unwrap_or_default();
        let last = self.reading.as_ref().and_then(|it| it.last).unwrap_or_default();
        newest.max(last).saturating_sub(self.n)
    }
}

impl Reading {
    fn open(folder: &Path, first: u64) -> io::Result<Self> {
        let bytes = std::fs::read(Segment::path(folder, first, true))?;
        Ok(Self { first, bytes, at: 0, next: first, lines: Vec::new().into_iter(), last: None })
    }

    /// Finds out which line is its last.
    fn count(&mut self) {
        if self.last.is_none() {
            let mut members = Members::new(&self.bytes[self.at..], self.next);
            members.by_ref().for_each(drop);
            self.last = Some(members.next_number() - 1);
        }
    }

    /// Returns the next line with its number; none at the end; or why there is more, and it cannot be read (FOL-2).
    fn line(&mut self) -> Result<Option<(u64, Vec<u8>)>, String> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            let mut members = Members::new(&self.bytes[self.at..], self.next);
            let Some(member) = members.next() else {
                return match members.ending() {
                    Ending::Whole => Ok(None),
                    Ending::Torn { .. } => Err("it ends in the middle of what was written at once".into()),
                    Ending::Damaged { why, .. } => Err(why.clone()),
                };
            };
            (self.at, self.next) = (self.at + members.offset(), members.next_number());
            self.lines = member.lines().map(|(n, line)| (n, line.to_vec())).collect::<Vec<_>>().into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn member(lines: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(lines.as_bytes()).expect("written");
        encoder.finish().expect("ended")
    }

    #[test]
    fn fol_2_whole_members_are_taken_and_nothing_of_what_is_torn_or_flipped() {
        let folder = tempfile::tempdir().expect("a folder");
        let within = folder.path().join("decisions");
        fs::create_dir(&within).expect("made");
        let name = Segment::path(&within, 7, true);
        fs::write(Segment::path(&within, 9, false), member("it is still written\n")).expect("written");
        let read = |bytes: &[u8]| {
            fs::write(&name, bytes).expect("written");
            let taken = At::new("i1".into(), Stream::Decisions, 0).take(folder.path(), Timestamp::UNIX_EPOCH);
            let lines = taken.expect("read").lines.into_iter();
            lines.map(|(n, line)| (n, String::from_utf8(line).expect("text"))).collect::<Vec<_>>()
        };
        let line = |n: u64, text: &str| (n, text.to_owned());
        let (one, two) = (member("a\nb\n"), member("c\n"));
        let whole = [one.clone(), two].concat();
        let first = vec![line(7, "a"), line(8, "b")];
        assert_eq!(read(&whole), [first.clone(), vec![line(9, "c")]].concat());
        for cut in one.len() + 1..whole.len() {
            assert_eq!(read(&whole[..cut]), first, "cut at {cut}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().expect("bytes") ^= 1;
        assert_eq!(read(&flipped), first);
        assert_eq!(read(b""), []);
    }
}
