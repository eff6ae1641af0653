//! A segment, read again.

use super::{Ending, FORMAT, HEAD, Header, MAGIC, crc32};
use crate::{
    bytes::Followed,
    clock::Nanos,
    input::Input,
    machine::Origin,
    wire::{Malformed, Reader, Wire},
};

pub(super) const BEGIN: u8 = 0;
pub(super) const INPUT: u8 = 1;
pub(super) const NAMED: u8 = 2;
pub(super) const END: u8 = 3;

/// Why a segment cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its last block is not whole: what a process leaves that was killed while it wrote.
    Torn {
        /// Where that block begins.
        at: usize,
    },
    /// Bytes are not those that were written.
    Damaged {
        /// Where the block begins in which they are, or the byte from which on it cannot be understood.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// It has a form that this version does not read.
    Format(u64),
}

impl Flaw {
    const fn damaged(at: usize, what: &'static str) -> Self {
        Self::Damaged { at, what }
    }
}

/// What was written down.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it is fed as soon as it is read")]
pub enum Entry {
    /// A core started: the first of its process, or after one that was lost.
    Begin(Origin),
    /// Something came in.
    Input {
        /// What.
        input: Input,
        /// Of a request, the name of its decision, a ULID.
        name: Option<u128>,
    },
    /// Nothing follows.
    End(Ending),
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number.
    pub number: u64,
    /// When it came, on the shell's clock.
    pub at: Nanos,
    /// What it is.
    pub entry: Entry,
    /// What followed.
    pub followed: Followed,
}

/// The bytes of a segment.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What it says of itself.
    pub header: Header,
}

impl<'a> Segment<'a> {
    /// Opens a segment.
    ///
    /// # Errors
    /// It is none, its head is damaged or torn, or it has another form.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        match bytes.get(..MAGIC.len()) {
            None if MAGIC.starts_with(bytes) => return Err(Flaw::Torn { at: 0 }),
            Some(magic) if magic == MAGIC => {}
            _ => return Err(Flaw::damaged(0, "it does not begin as a log of inputs does")),
        }
        let at = MAGIC.len();
        let held = held(bytes, at)?;
        let mut from = Reader::new(held);
        let wrong = |it: Malformed| Flaw::damaged(at + HEAD + it.at, it.what);
        let format = u64::take(&mut from).map_err(wrong)?;
        if format != FORMAT {
            return Err(Flaw::Format(format));
        }
        let header = Header::take(&mut from).map_err(wrong)?;
        match from.is_over() {
            true => Ok(Self { bytes, at: at + HEAD + held.len(), header }),
            false => Err(Flaw::damaged(at, "its head holds more than it should")),
        }
    }

    /// Returns the next block; none where there is no more.
    ///
    /// # Errors
    /// It is damaged, or torn: nothing that follows can be read.
    pub fn block(&mut self) -> Result<Option<Block<'a>>, Flaw> {
        let at = self.at;
        if at == self.bytes.len() {
            return Ok(None);
        }
        let held = held(self.bytes, at)?;
        let mut from = Reader::new(held);
        let mut next = || u64::take(&mut from);
        let (first, records, time) = match (next(), next(), next()) {
            (Ok(first), Ok(records), Ok(time)) => (first, records, time),
            _ => return Err(Flaw::damaged(at, "it does not say what it holds")),
        };
        self.at = at + HEAD + held.len();
        Ok(Some(Block { at, first, records, number: first, time, from }))
    }
}

/// Returns what a block holds.
fn held(bytes: &[u8], at: usize) -> Result<&[u8], Flaw> {
    let Some(head) = bytes.get(at..at + HEAD) else { return Err(Flaw::Torn { at }) };
    let word = |from: usize| u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]]);
    if crc32(&head[..8]) != word(8) {
        return Err(Flaw::damaged(at, "the checksum of its head is wrong"));
    }
    let from = at + HEAD;
    let Some(held) = bytes.get(from..from.saturating_add(word(0) as usize)) else { return Err(Flaw::Torn { at }) };
    match crc32(held) == word(4) {
        true => Ok(held),
        false => Err(Flaw::damaged(at, "its checksum is wrong")),
    }
}

/// Records that were written together.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// The byte at which it begins.
    pub at: usize,
    /// The number of its first record.
    pub first: u64,
    /// How many it holds.
    pub records: u64,
    number: u64,
    time: Nanos,
    from: Reader<'a>,
}

impl Block<'_> {
    /// Returns the next record; none where there is no more.
    ///
    /// # Errors
    /// It is none: what wrote it was not the writer of this format.
    pub fn record(&mut self) -> Result<Option<Record>, Flaw> {
        if self.number.checked_sub(self.first) == Some(self.records) {
            return match self.from.is_over() {
                true => Ok(None),
                false => Err(Flaw::damaged(self.at, "it holds more than its records")),
            };
        }
        let record = self.next().map_err(|it| Flaw::damaged(self.at + HEAD + it.at, it.what))?;
        self.number = self.number.wrapping_add(1);
        Ok(Some(record))
    }

    fn next(&mut self) -> Result<Record, Malformed> {
        let from = &mut self.from;
        self.time = self.time.checked_add(u64::take(from)?).ok_or(from.wrong("a time beyond all times"))?;
        let wrong = from.wrong("no record");
        let entry = match u8::take(from)? {
            BEGIN => Entry::Begin(Wire::take(from)?),
            INPUT => Entry::Input { name: None, input: Wire::take(from)? },
            NAMED => Entry::Input { name: Some(Wire::take(from)?), input: Wire::take(from)? },
            END => {
                let ending = u8::take(from)?;
                let all = [Ending::Stopped, Ending::Full, Ending::Behind, Ending::Off];
                Entry::End(all.into_iter().find(|it| *it as u8 == ending).ok_or(wrong)?)
            }
            _ => return Err(wrong),
        };
        let outputs = u32::take(from)?;
        let hash = if outputs > 0 { u64::from_le_bytes(from.array()?) } else { 0 };
        Ok(Record { number: self.number, at: self.time, entry, followed: Followed { outputs, hash } })
    }
}
