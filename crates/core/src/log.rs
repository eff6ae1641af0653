//! Log: everything that entered a core, in order, with a hash of what followed; enough to live it again.
//!
//! A log is a series of segments, files of the shell's. A segment begins with [`MAGIC`] and a block that holds its
//! [`Header`]; each further block holds a page of records. A block is its length, the CRC-32 of what it holds, the CRC-32 of
//! these two, each four bytes, the lowest first, and what it holds. Here are bytes; files, threads and disks are the shell's.
//!
//! # Invariants
//! - `LOG-1`: a flipped bit anywhere is found, and the place of its block is known.
//! - `LOG-2`: a torn tail, what a process that was killed leaves, is told from damage: of a torn block something is missing at
//!   the end of the file, and what there is of its head is right.
//! - `LOG-3`: the outputs that belong to a record are those that came before the next one.
//! - `LOG-4`: a log names the rules by which it was decided ([`SEMANTICS`]): under others a difference is no mistake.
//!
//! # When it misleads
//! [`SEMANTICS`] is a hash over a long random history. A rule that this history does not come to may change without it; a replay
//! of a log that does come to it says that it differs.

mod crc;
mod read;

use alloc::{string::String, vec::Vec};

pub use crc::crc32;
pub use read::{Block, Entry, Flaw, Record, Segment};

use crate::{
    bytes::Followed,
    clock::Nanos,
    input::Input,
    machine::Origin,
    wire::{Malformed, Reader, Wire},
};

/// What every segment begins with: a name, and ends of lines that show whether it was copied as a text.
const MAGIC: [u8; 8] = *b"EKIN\r\n\x1A\n";

/// The form of segments, blocks and records.
pub const FORMAT: u64 = 1;

/// The rules by which this core decides: the hash of the outputs of the history of `rule_12`, whose test holds it to that. It
/// changes with every rule of decision that changes, and then on purpose: the test prints the new one.
pub const SEMANTICS: u64 = 0x2C8C_0C9F_2D92_B851;

/// The bytes of a block before what it holds.
const HEAD: usize = 12;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the core.
    pub core: String,
    /// Its rules ([`SEMANTICS`]).
    pub semantics: u64,
    /// The number of its first record; the first one of a log has 1.
    pub first: u64,
    /// The number of the record with which its process began.
    pub began: u64,
    /// A moment on the shell's clock,
    pub at: Nanos,
    /// and the same one as milliseconds since 1970.
    pub wall_ms: u64,
}

impl Wire for Header {
    fn put(&self, into: &mut Vec<u8>) {
        let Self { core, semantics, first, began, at, wall_ms } = self;
        core.put(into);
        [semantics, first, began, at, wall_ms].into_iter().for_each(|it| it.put(into));
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let core = String::take(from)?;
        let mut next = || u64::take(from);
        Ok(Self { core, semantics: next()?, first: next()?, began: next()?, at: next()?, wall_ms: next()? })
    }
}

impl Header {
    /// Appends what a segment begins with.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&MAGIC);
        block(into, |held| {
            FORMAT.put(held);
            self.put(held);
        });
    }
}

/// Why nothing follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The process stopped.
    Stopped,
    /// There was no room for more on disk.
    Full,
    /// The disk did not keep up.
    Behind,
    /// It was turned off.
    Off,
}

impl Ending {
    /// Returns the word that metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Full => "full",
            Self::Behind => "behind",
            Self::Off => "off",
        }
    }
}

/// A record that is being written: it is begun before the core takes the input, and is whole when its outputs are known.
#[derive(Clone, Debug, Default)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// Notes that a core starts.
    pub fn begin(&mut self, origin: &Origin) {
        self.0.push(read::BEGIN);
        origin.put(&mut self.0);
    }

    /// Notes an input, and of a request the name of its decision.
    pub fn input(&mut self, input: &Input, name: Option<u128>) {
        self.0.push(if name.is_some() { read::NAMED } else { read::INPUT });
        name.iter().for_each(|it| it.put(&mut self.0));
        input.put(&mut self.0);
    }

    /// Notes that nothing follows.
    pub fn end(&mut self, ending: Ending) {
        self.0.extend([read::END, ending as u8]);
    }

    /// Says whether it waits for its outputs.
    pub fn is_open(&self) -> bool {
        !self.0.is_empty()
    }

    /// Returns how many bytes it holds.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Forgets what it holds, and keeps its memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Records that are written together.
#[derive(Clone, Debug, Default)]
pub struct Page {
    bytes: Vec<u8>,
    records: u64,
    first: Nanos,
    last: Nanos,
}

impl Page {
    /// Takes in a record; the draft is empty then, and keeps its memory.
    pub fn push(&mut self, at: Nanos, draft: &mut Draft, followed: Followed) {
        if self.records == 0 {
            (self.first, self.last) = (at, at);
        }
        at.saturating_sub(self.last).put(&mut self.bytes);
        self.bytes.append(&mut draft.0);
        followed.outputs.put(&mut self.bytes);
        if followed.outputs > 0 {
            self.bytes.extend_from_slice(&followed.hash.to_le_bytes());
        }
        (self.records, self.last) = (self.records + 1, at.max(self.last));
    }

    /// Returns how many bytes it holds.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Returns how many records it holds.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Appends it as a block; it is empty then, and keeps its memory.
    pub fn seal(&mut self, first: u64, into: &mut Vec<u8>) {
        block(into, |held| {
            [first, self.records, self.first].into_iter().for_each(|it| it.put(held));
            held.extend_from_slice(&self.bytes);
        });
        self.bytes.clear();
        self.records = 0;
    }
}

/// Appends a block.
fn block(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = into.len();
    into.extend_from_slice(&[0; HEAD]);
    write(into);
    let length = u32::try_from(into.len() - at - HEAD).expect("a page is bounded by its shell");
    let check = crc32(&into[at + HEAD..]);
    into[at..at + 4].copy_from_slice(&length.to_le_bytes());
    into[at + 4..at + 8].copy_from_slice(&check.to_le_bytes());
    let check = crc32(&into[at..at + 8]);
    into[at + 8..at + HEAD].copy_from_slice(&check.to_le_bytes());
}
