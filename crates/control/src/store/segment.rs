//! Segment: a closed file of lines on disk, read past a number.
//!
//! A file is a series of gzip members (RFC 1952), each a group of lines that became durable together; its name has the number of its
//! first line. Files that are still written have another ending, and are not seen.
//!
//! # Invariants
//! - `SEG-1`: lines of a member are told once its checksum has held; of what does not hold nothing is told, nor of what follows it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use flate2::bufread::GzDecoder;

/// What the name of a closed segment ends with.
const CLOSED: &str = ".jsonl.gz";
/// The most bytes of a member, once unpacked: a group commit is far smaller, and what is not is not ours.
const MOST_MEMBER: u64 = 64 << 20;

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first line.
    pub(super) first: u64,
    pub(super) file: PathBuf,
}

impl Segment {
    /// The closed segment of a folder that begins with a number, which need not be there.
    pub(super) fn of(folder: &Path, first: u64) -> Self {
        Self { first, file: folder.join(format!("{first:020}{CLOSED}")) }
    }

    /// Returns the closed segments of a folder, the oldest first; none where there is no folder.
    pub(super) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut segments = Vec::new();
        for entry in entries {
            let file = entry?.path();
            let name = file.file_name().and_then(|it| it.to_str()).and_then(|it| it.strip_suffix(CLOSED));
            let first = name.filter(|it| it.len() == 20).and_then(|it| it.parse().ok());
            segments.extend(first.map(|first| Self { first, file }));
        }
        segments.sort_unstable();
        Ok(segments)
    }
}

/// A segment, while it is read.
pub(super) struct Reader {
    input: BufReader<File>,
    lines: std::vec::IntoIter<String>,
    next: u64,
    /// Why nothing more can be read of it, though there is more.
    pub(super) damaged: Option<String>,
}

impl Reader {
    pub(super) fn open(segment: &Segment) -> io::Result<Self> {
        let input = BufReader::new(File::open(&segment.file)?);
        Ok(Self { input, lines: Vec::new().into_iter(), next: segment.first, damaged: None })
    }

    /// Returns the next line with its number; none at the end, or where the rest is damaged.
    pub(super) fn line(&mut self) -> Option<(u64, String)> {
        loop {
            if let Some(line) = self.lines.next() {
                self.next += 1;
                return Some((self.next - 1, line));
            }
            if self.damaged.is_some() {
                return None;
            }
            match self.member() {
                Ok(Some(lines)) => self.lines = lines.into_iter(),
                Ok(None) => return None,
                Err(error) => self.damaged = Some(error.to_string()),
            }
        }
    }

    fn member(&mut self) -> io::Result<Option<Vec<String>>> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut text = String::new();
        let read = GzDecoder::new(&mut self.input).take(MOST_MEMBER + 1).read_to_string(&mut text)?;
        if read as u64 > MOST_MEMBER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more than 64 MiB in one member"));
        }
        Ok(Some(text.lines().map(str::to_owned).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn member(lines: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(lines.as_bytes()).expect("written");
        encoder.finish().expect("ended")
    }

    fn read(bytes: &[u8]) -> (Vec<(u64, String)>, bool) {
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().join("00000000000000000007.jsonl.gz");
        std::fs::write(&name, bytes).expect("written");
        std::fs::write(folder.path().join("00000000000000000009.jsonl.gz.open"), "").expect("written");
        std::fs::write(folder.path().join("7.jsonl.gz"), "").expect("written");
        let segments = Segment::all(folder.path()).expect("listed");
        assert_eq!(segments, [Segment { first: 7, file: name }]);
        let mut reader = Reader::open(&segments[0]).expect("opened");
        let lines = std::iter::from_fn(|| reader.line()).collect();
        (lines, reader.damaged.is_some())
    }

    #[test]
    fn seg_1_whole_members_are_read_and_nothing_of_what_is_torn_or_flipped() {
        let line = |n: u64, text: &str| (n, text.to_owned());
        let (one, two) = (member("a\nb\n"), member("c\n"));
        let whole = [one.clone(), two.clone()].concat();
        let first = vec![line(7, "a"), line(8, "b")];
        assert_eq!(read(&whole), ([first.clone(), vec![line(9, "c")]].concat(), false));
        for cut in one.len() + 1..whole.len() {
            assert_eq!(read(&whole[..cut]), (first.clone(), true), "cut at {cut}");
        }
        let mut flipped = whole.clone();
        *flipped.last_mut().expect("bytes") ^= 1;
        assert_eq!(read(&flipped), (first, true));
        assert_eq!(read(b""), (Vec::new(), false));
        assert!(Segment::all(Path::new("/nowhere/at/all")).expect("listed").is_empty());
    }
}
