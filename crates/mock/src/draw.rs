//! Draw: the numbers of one request, by seed.
//!
//! It is not a source of entropy: the same seed and the same request number give the same numbers, always.
//!
//! # Source
//! PCG-32 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms", 2014), as `rand_pcg` has it.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;

/// The odd part of the golden ratio in 64 bits: spreads neighbouring request numbers over all seeds.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers that belongs to one request, or to one text.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    number: u64,
    numbers: Pcg32,
}

impl Draw {
    /// Makes the stream of the `number`th thing under a seed.
    pub(crate) fn new(seed: u64, number: u64) -> Draw {
        let numbers = Pcg32::seed_from_u64(seed ^ number.wrapping_add(1).wrapping_mul(SPREAD));
        Draw { number, numbers }
    }

    /// Returns which stream it is.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Draws a lot that wins with the given share; shares of 0 and 1 cost no number.
    pub(crate) fn share(&mut self, share: f64) -> bool {
        share >= 1.0 || (share > 0.0 && self.unit() < share)
    }

    /// Draws a number from 0 up to, not with, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.numbers.next_u32()) / 4_294_967_296.0
    }

    /// Draws an index below `count`, which is not 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.numbers.next_u32() as usize % count
    }

    /// Draws from the standard normal distribution (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        // 1 − u lies in (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// Hashes bytes into the number of a text (FNV-1a, 64 bits).
pub(crate) fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in *part {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        // A separator, so that ("ab", "c") and ("a", "bc") differ.
        hash = (hash ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
