//! Text: a text as twelve numbers, which the row score then judges like any others (`signals.md` §7).
//!
//! How long it is, of what its bytes are, how usual its letters stand beside each other, and how often it says the same again.
//!
//! # Invariants
//! - `TEXT-1`: work is bounded: of a text above 64 KiB sixteen pieces of 4 KiB are read, evenly spread from its first to its last
//!   byte, and lengths are scaled up from them.
//! - `TEXT-2`: a text of any kind has twelve finite numbers; an empty one has zeros.
//! - `TEXT-3`: the same bits everywhere: what is counted is counted in integers, logarithms are those of [`crate::math`].
//!
//! # When it misleads
//! It is blind to new meaning in usual words: that needs an embedding. A few strange words in a long text are lost among the
//! others, and in a text above 64 KiB they may lie where nothing is read.

mod entropy;
mod model;
mod unicode;

pub use model::{Counts, TextModel};
pub use unicode::{Form, composed};

use crate::math::ln;

/// Numbers of a text.
pub const NUMBERS: usize = 12;
/// What the numbers are called, in their order.
pub const NAMES: [&str; NUMBERS] = [
    "log_characters",
    "log_words",
    "byte_entropy",
    "letters_ratio",
    "digits_ratio",
    "punctuation_ratio",
    "non_ascii_ratio",
    "white_space_ratio",
    "control_ratio",
    "trigram_bits",
    "unseen_trigrams_ratio",
    "repeated_ratio",
];
/// Bytes of a text that are read as a whole; of a longer one, as many in pieces.
pub const READ: usize = 64 * 1_024;
/// Bytes of a text of which it is asked what it means: more than any encoder reads.
pub const MEANT: usize = 16 * 1_024;
/// Bytes of a piece.
const PIECE: usize = 4 * 1_024;

/// What one pass over the bytes counts.
#[derive(Clone, Debug)]
struct Tally {
    bytes: [u32; 256],
    words: u64,
    trigrams: u64,
    /// In 1/1,024 bit.
    bits: u64,
    unseen: u64,
    fours: u64,
    repeated: u64,
}

/// Returns what of a text is asked about, where it is asked what it means: its first [`MEANT`] bytes; none where it is blank.
pub fn meant(text: &str) -> Option<&str> {
    let begins = &text[..text.floor_char_boundary(MEANT)];
    (!begins.trim().is_empty()).then_some(begins)
}

/// Returns the twelve numbers of a text, in the order of [`NAMES`].
///
/// # Units
/// Natural logarithms of one more than the characters and the words; entropy in bits per byte; shares of characters: ASCII letters,
/// digits and punctuation, what is not ASCII, ASCII white space, other ASCII control characters; bits per trigram of bytes, which
/// for ASCII is per character; shares of trigrams that the reference has not, and of sequences of four bytes that stood in the same
/// text (or piece) before.
///
/// # Cost
/// At most 64 KiB are read; `bench/signals/instructions` counts what that takes.
pub fn numbers(text: &str, model: &TextModel) -> [f64; NUMBERS] {
    let bytes = text.as_bytes();
    let mut tally = Tally { bytes: [0; 256], words: 0, trigrams: 0, bits: 0, unseen: 0, fours: 0, repeated: 0 };
    for piece in pieces(bytes) {
        tally.read(piece, model);
    }
    tally.numbers(bytes.len())
}

/// Cuts out what is read of a text.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (count, size) = if bytes.len() <= READ { (1, bytes.len()) } else { (READ / PIECE, PIECE) };
    // The last piece ends with the text.
    (0..count).map(move |at| {
        let begin = if count == 1 { 0 } else { (bytes.len() - size) / (count - 1) * at };
        let begin = if at + 1 == count { bytes.len() - size } else { begin };
        &bytes[begin..begin + size]
    })
}

impl Tally {
    fn read(&mut self, piece: &[u8], model: &TextModel) {
        let mut before = true;
        for byte in piece {
            self.bytes[usize::from(*byte)] += 1;
            let white = is_white(*byte);
            self.words += u64::from(before && !white);
            before = white;
        }
        let found = model.read(piece);
        self.trigrams += found.trigrams;
        self.bits += found.bits;
        self.unseen += found.unseen;
        self.repeated += repeated(piece);
        self.fours += piece.len().saturating_sub(3) as u64;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of bytes")]
    fn numbers(&self, whole: usize) -> [f64; NUMBERS] {
        let of = |which: fn(u8) -> bool| {
            (0..=255).filter(|it| which(*it)).map(|it| u64::from(self.bytes[usize::from(it)])).sum::<u64>()
        };
        // Of a character of several bytes one does not continue it.
        let characters = of(|it| it & 0xc0 != 0x80) as f64;
        let read = self.bytes.iter().map(|it| u64::from(*it)).sum::<u64>() as f64;
        let scale = if read > 0.0 { whole as f64 / read } else { 0.0 };
        let share = |part: u64, all: f64| if all > 0.0 { part as f64 / all } else { 0.0 };
        [
            ln(1.0 + characters * scale),
            ln(1.0 + self.words as f64 * scale),
            entropy::bits(&self.bytes),
            share(of(|it| it.is_ascii_alphabetic()), characters),
            share(of(|it| it.is_ascii_digit()), characters),
            share(of(|it| it.is_ascii_punctuation()), characters),
            share(of(|it| it >= 0xc0), characters),
            share(of(is_white), characters),
            share(of(|it| it.is_ascii_control() && !is_white(it)), characters),
            share(self.bits, self.trigrams as f64 * model::PER_BIT),
            share(self.unseen, self.trigrams as f64),
            share(self.repeated, self.fours as f64),
        ]
    }
}

/// ASCII white space, the vertical tab included.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Counts the sequences of four bytes that stood in the piece before. By 32 bits or more for each of them: of those that are new, at
/// most one in 32 is taken for another.
fn repeated(piece: &[u8]) -> u64 {
    if piece.len() < 4 {
        return 0;
    }
    let log = (piece.len() * 32).next_power_of_two().ilog2().max(10);
    let mut seen = vec![0_u64; 1 << (log - 6)];
    let mut repeated = 0;
    for four in piece.windows(4) {
        let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        let at = four.wrapping_mul(0x9e37_79b1) >> (32 - log);
        let (word, bit) = (&mut seen[(at >> 6) as usize], 1_u64 << (at & 63));
        repeated += u64::from(*word & bit != 0);
        *word |= bit;
    }
    repeated
}

#[cfg(test)]
mod tests;
