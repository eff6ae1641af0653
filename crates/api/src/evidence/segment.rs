//! Segment: one file of a stream, and the lines in it.
//!
//! # What its end says
//! A process that is killed leaves the last member of an open segment in part: its bytes end too early ([`Ending::Torn`]), and
//! nobody was told that it is there. Bytes that are no member for any other reason are [`Ending::Damaged`]: there may have been
//! more.

use std::{
    ffi::OsStr,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

use super::Stream;

/// How the names of segments end.
const CLOSED: &str = ".jsonl.gz";
/// How those of segments end that are being written.
const OPEN: &str = ".jsonl.gz.open";
/// The most that a member may hold: several times what is written at once. What says that it holds more was not written by us.
const LARGEST: u64 = 256 << 20;

/// A file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The number of its first line.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is complete; one that is not may grow, and is renamed when it is.
    pub closed: bool,
}

impl Segment {
    /// Reads what a file name says; none where it is not the name of a segment.
    pub fn named(path: &Path) -> Option<Self> {
        let name = path.file_name().and_then(OsStr::to_str)?;
        let (digits, closed) = match name.strip_suffix(CLOSED) {
            Some(digits) => (digits, true),
            None => (name.strip_suffix(OPEN)?, false),
        };
        let plain = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
        Some(Self { first: digits.parse().ok().filter(|_| plain)?, path: path.into(), closed })
    }

    /// Returns where a segment is that begins with this number.
    pub fn path(folder: &Path, first: u64, closed: bool) -> PathBuf {
        folder.join(format!("{first:020}{}", if closed { CLOSED } else { OPEN }))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }
}

/// Returns the names of all instances in a `data_dir`, in their order; none where there is no such folder.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn instances(data_dir: &Path) -> io::Result<Vec<String>> {
    let names = entries(&data_dir.join("instances"))?;
    let number = |it: &String| it.strip_prefix('i').and_then(|it| it.parse::<u64>().ok());
    let mut names: Vec<_> =
        names.into_iter().filter_map(|it| it.into_string().ok()).filter(|it| number(it).is_some()).collect();
    names.sort_by_key(number);
    Ok(names)
}

/// Returns the segments of a stream in the folder of an instance, in the order of their lines; none where it has no such folder.
///
/// # Errors
/// The folder is there and cannot be read.
pub fn segments(instance: &Path, stream: Stream) -> io::Result<Vec<Segment>> {
    let folder = instance.join(stream.name());
    let mut found: Vec<_> = entries(&folder)?.iter().filter_map(|name| Segment::named(&folder.join(name))).collect();
    found.sort_by_key(|it| (it.first, it.closed));
    Ok(found)
}

fn entries(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read?.map(|entry| Ok(entry?.file_name())).collect(),
    }
}

/// The members of a segment, one by one.
#[derive(Debug)]
pub struct Members<'a> {
    bytes: &'a [u8],
    at: usize,
    next: u64,
    ending: Ending,
}

/// Lines that were written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The number of the first of them.
    pub first: u64,
    /// Where it begins in the file.
    pub at: usize,
    text: Vec<u8>,
}

impl Member {
    /// Returns the lines with their numbers, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(self.text[..self.text.len() - 1].split(|byte| *byte == b'\n'))
    }

    /// Returns how many lines it has.
    pub fn count(&self) -> u64 {
        self.lines().count() as u64
    }
}

/// How the bytes of a segment end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a whole member.
    Whole,
    /// In the middle of a member: its writer was stopped. Whole members end at `at`.
    Torn {
        /// The first byte that belongs to none of them.
        at: usize,
    },
    /// With what is no member. Whole members end at `at`.
    Damaged {
        /// The first byte that belongs to none of them.
        at: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl<'a> Members<'a> {
    /// Reads the bytes of a segment whose first line has this number.
    pub fn new(bytes: &'a [u8], first: u64) -> Self {
        Self { bytes, at: 0, next: first, ending: Ending::Whole }
    }

    /// Says how the bytes end, once there are no more members.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Returns where in the bytes those end that were read.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Returns the number of the line behind those that were read.
    pub fn next_number(&self) -> u64 {
        self.next
    }
}

impl Iterator for Members<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        let mut rest = &self.bytes[self.at..];
        if rest.is_empty() || self.ending != Ending::Whole {
            return None;
        }
        let (at, mut text) = (self.at, Vec::new());
        let read = GzDecoder::new(&mut rest).take(LARGEST + 1).read_to_end(&mut text);
        let why = match read {
            Ok(_) if text.len() as u64 > LARGEST => Some("it holds more than is ever written at once".into()),
            Ok(_) if text.last() != Some(&b'\n') => Some("its last line has no end".into()),
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ending = Ending::Torn { at };
                return None;
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            self.ending = Ending::Damaged { at, why };
            return None;
        }
        let member = Member { first: self.next, at, text };
        (self.at, self.next) = (self.bytes.len() - rest.len(), self.next + member.count());
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    /// The lines with their numbers, and how the bytes end.
    fn read(bytes: &[u8]) -> (Vec<(u64, String)>, Ending) {
        let mut members = Members::new(bytes, 5);
        let mut lines = Vec::new();
        for member in members.by_ref() {
            lines.extend(member.lines().map(|(n, line)| (n, String::from_utf8_lossy(line).into_owned())));
        }
        (lines, members.ending().clone())
    }

    #[test]
    fn da_01_a_torn_tail_is_told_from_damage_wherever_it_is_torn() {
        let (first, second) = (member("a\nb\n"), member("c\n"));
        let whole = [first.clone(), second.clone()].concat();
        let numbered = |texts: &[&str]| (5u64..).zip(texts.iter().map(|it| (*it).to_owned())).collect::<Vec<_>>();
        assert_eq!(read(&whole), (numbered(&["a", "b", "c"]), Ending::Whole));
        assert_eq!(read(b""), (Vec::new(), Ending::Whole));
        for cut in first.len() + 1..whole.len() {
            assert_eq!(read(&whole[..cut]), (numbered(&["a", "b"]), Ending::Torn { at: first.len() }), "{cut}");
        }
        for bit in [0, 1, 2] {
            // The sum of the second member, in its last eight bytes.
            let mut flipped = whole.clone();
            let at = whole.len() - 8;
            flipped[at] ^= 1 << bit;
            let (lines, ending) = read(&flipped);
            assert_eq!(lines, numbered(&["a", "b"]));
            assert!(matches!(ending, Ending::Damaged { at, .. } if at == first.len()), "{ending:?}");
        }
        for tail in [b"\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), member("no end"), member("")] {
            let (lines, ending) = read(&[whole.clone(), tail].concat());
            assert_eq!(lines.len(), 3);
            assert!(matches!(ending, Ending::Damaged { at, .. } if at == whole.len()), "{ending:?}");
        }
    }

    #[test]
    fn segments_are_found_in_the_order_of_their_lines_and_nothing_else_is() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(instances(folder.path()).expect("none is fine"), [""; 0]);
        for instance in ["i10", "i2", "other", "i"] {
            fs::create_dir_all(folder.path().join("instances").join(instance)).expect("made");
        }
        assert_eq!(instances(folder.path()).expect("read"), ["i2", "i10"]);
        let instance = folder.path().join("instances/i2");
        assert_eq!(segments(&instance, Stream::Events).expect("none is fine"), []);
        let decisions = instance.join("decisions");
        fs::create_dir(&decisions).expect("made");
        let paths = [(12, false), (3, true), (1, true)].map(|(first, closed)| Segment::path(&decisions, first, closed));
        let other = ["x.jsonl.gz", "1.jsonl.gz", "00000000000000000001.jsonl", "+0000000000000000001.jsonl.gz"];
        for path in paths.into_iter().chain(other.map(|name| decisions.join(name))) {
            fs::write(path, "").expect("written");
        }
        let found = segments(&instance, Stream::Decisions).expect("read");
        let found: Vec<_> = found.iter().map(|it| (it.first, it.closed)).collect();
        assert_eq!(found, [(1, true), (3, true), (12, false)]);
    }
}
