//! Model: how usual three bytes are beside each other, as the reference has them.
//!
//! Trigrams are counted in 4,096 buckets by a hash, a tenth added to each; a trigram then takes −log2 of the share of its bucket. Whether
//! one was seen at all is asked of a finer hash, of 2^18 bits: of those that are new, a share is taken for seen that is as large as
//! the share of bits that are set ([`TextModel::filled`]).
//!
//! # Source
//! Own design; a hashed unigram model over trigrams, smoothed by addition (Lidstone).

use crate::math::ln;

/// Buckets of counts.
pub(crate) const BUCKETS: usize = 4_096;
/// Words of the set of trigrams that were seen.
pub(crate) const SEEN: usize = (1 << 18) / 64;
/// Steps of a bit in which costs are kept: sums of whole numbers do not depend on their order.
pub(super) const PER_BIT: f64 = 1_024.0;
/// What is added to each bucket.
const ADDED: f64 = 0.1;

/// Trigrams as they were counted. Counts of several texts, or sources, add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    pub(crate) buckets: Box<[u64]>,
    /// Trigrams that some text has, and those that several have.
    pub(crate) seen: Box<[u64]>,
    pub(crate) again: Box<[u64]>,
}

/// What a model finds in a piece of a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) trigrams: u64,
    pub(super) bits: u64,
    pub(super) unseen: u64,
}

/// A model as it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextModel {
    costs: Box<[u16; BUCKETS]>,
    seen: Box<[u64; SEEN]>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), seen: vec![0; SEEN].into(), again: vec![0; SEEN].into() }
    }
}

impl Counts {
    /// Counts the trigrams of a text, of those parts that [`super::numbers`] reads.
    pub fn add(&mut self, text: &str) {
        let own = Own::of(text);
        self.buckets.iter_mut().zip(&own.buckets).for_each(|(all, own)| *all = all.saturating_add(*own));
        for (word, bit) in own.bits() {
            self.again[word] |= self.seen[word] & bit;
            self.seen[word] |= bit;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(a, b)| *a = a.saturating_add(*b));
        for (at, seen) in other.seen.iter().enumerate() {
            self.again[at] |= other.again[at] | self.seen[at] & seen;
            self.seen[at] |= seen;
        }
    }

    /// Returns the model that these counts make.
    pub fn model(&self) -> TextModel {
        self.left(&Own::of(""))
    }

    /// Returns the model that is left where a text that was counted is taken out again, so that a text of the reference is judged as a
    /// new one is: what no other text has is new.
    pub fn without(&self, text: &str) -> TextModel {
        self.left(&Own::of(text))
    }

    fn left(&self, own: &Own) -> TextModel {
        let left: Vec<u64> = self.buckets.iter().zip(&own.buckets).map(|(all, own)| all.saturating_sub(*own)).collect();
        let all = left.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        let mut seen: Box<[u64; SEEN]> = self.seen.clone().try_into().expect("as many words as there always are");
        for (word, bit) in own.bits() {
            seen[word] &= !bit | self.again[word];
        }
        TextModel { costs: costs(&left, all), seen }
    }
}

/// The trigrams of one text.
struct Own {
    buckets: Vec<u64>,
    /// Their hashes.
    hashes: Vec<u32>,
}

impl Own {
    fn of(text: &str) -> Self {
        let mut own = Self { buckets: vec![0; BUCKETS], hashes: Vec::new() };
        for piece in super::pieces(text.as_bytes()) {
            trigrams(piece, |hash| {
                own.buckets[(hash >> 20) as usize] += 1;
                own.hashes.push(hash >> 14);
            });
        }
        own.hashes.sort_unstable();
        own.hashes.dedup();
        own
    }

    /// Its places in the set of those that were seen, each once: word and bit.
    fn bits(&self) -> impl Iterator<Item = (usize, u64)> {
        self.hashes.iter().map(|it| ((it >> 6) as usize, 1 << (it & 63)))
    }
}

/// What each bucket costs, in 1/1,024 bit, rounded.
fn costs(buckets: &[u64], all: u64) -> Box<[u16; BUCKETS]> {
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let whole = all as f64 + ADDED * BUCKETS as f64;
    let cost = |at: usize| {
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let share = (buckets[at] as f64 + ADDED) / whole;
        let steps = (-ln(share) / std::f64::consts::LN_2 * PER_BIT).round_ties_even();
        // 2^64 trigrams would cost 67 bits.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let steps = steps as u16;
        steps
    };
    Box::new(std::array::from_fn(cost))
}

/// Hands on the hashes of all three bytes that stand beside each other.
fn trigrams(piece: &[u8], mut each: impl FnMut(u32)) {
    let hash = |three: u32| (three & 0x00ff_ffff).wrapping_mul(0x9e37_79b1);
    // Four bytes are read at once, of which the last is none of the three.
    for four in piece.windows(4) {
        each(hash(u32::from_le_bytes([four[0], four[1], four[2], four[3]])));
    }
    if let Some([a, b, c]) = piece.last_chunk() {
        each(hash(u32::from_le_bytes([*a, *b, *c, 0])));
    }
}

impl TextModel {
    /// A model that knows nothing: all trigrams cost twelve bits, and none was seen.
    pub fn none() -> Self {
        Counts::default().model()
    }

    /// Returns the share of bits that are set, which is also the share of new trigrams that are taken for seen.
    pub fn filled(&self) -> f64 {
        let set: u32 = self.seen.iter().map(|it| it.count_ones()).sum();
        #[expect(clippy::cast_precision_loss, reason = "at most 2^18")]
        let filled = f64::from(set) / (SEEN * 64) as f64;
        filled
    }

    /// Sums what the trigrams of a piece cost, and counts those that are new.
    pub(super) fn read(&self, piece: &[u8]) -> Found {
        let mut found = Found { trigrams: piece.len().saturating_sub(2) as u64, ..Found::default() };
        let (mut bits, mut seen) = (0_u64, 0_u64);
        trigrams(piece, |hash| {
            let bucket = (hash >> 20) as usize;
            bits += u64::from(self.costs[bucket]);
            seen += self.seen[bucket] >> (hash >> 14 & 63) & 1;
        });
        (found.bits, found.unseen) = (bits, found.trigrams - seen);
        found
    }
}
