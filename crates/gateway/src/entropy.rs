//! Entropy: uniform bits for draws and ids, drawn here and nowhere else, then logged with the request that used them.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use ulid::Ulid;

/// Draws a secret: 128 bits of the operating system's, spread over 256.
#[expect(clippy::disallowed_methods, reason = "this is where entropy comes in, and a secret is not logged")]
pub(crate) fn secret() -> [u8; 32] {
    // The standard library keys its hash maps from the operating system; nobody else hashes with this key.
    let state = RandomState::new();
    let mut secret = [0; 32];
    for (at, part) in secret.chunks_mut(8).enumerate() {
        part.copy_from_slice(&state.hash_one(at).to_le_bytes());
    }
    secret
}

/// A stream of uniform bits: a counter, hashed with a key of the operating system (`SipHash`, Aumasson and Bernstein 2012).
///
/// Ids are told to clients, and who knows one may label its answer: so the next must not follow from those before, as it would from the
/// state of a generator that is told with each output.
#[derive(Debug)]
pub(crate) struct Entropy {
    key: RandomState,
    next: AtomicU64,
}

impl Entropy {
    pub(crate) fn seeded() -> Self {
        // The standard library keys its hash maps from the operating system; nobody else hashes with this key.
        #[expect(clippy::disallowed_methods, reason = "this is where entropy comes in, and the draws are logged")]
        Self { key: RandomState::new(), next: AtomicU64::new(0) }
    }

    /// Draws 64 bits.
    pub(crate) fn draw(&self) -> u64 {
        self.key.hash_one(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes an id for a decision.
    pub(crate) fn ulid(&self, now: Timestamp) -> String {
        let random = u128::from(self.draw()) << 64 | u128::from(self.draw());
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Ulid::from_parts(millis, random).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_does_not_say_what_is_drawn_next() {
        let (one, other) = (Entropy::seeded(), Entropy::seeded());
        let drawn = |it: &Entropy| [it.draw(), it.draw(), it.draw()];
        let ([a, b, c], [d, e, f]) = (drawn(&one), drawn(&other));
        assert_ne!((a, b, c), (d, e, f), "each has a key of its own");
        // The finaliser of SplitMix64 taken back: its states would be an odd constant apart.
        let state = |mut bits: u64| {
            bits = (bits ^ (bits >> 31) ^ (bits >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
            bits = (bits ^ (bits >> 27) ^ (bits >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
            bits ^ (bits >> 30) ^ (bits >> 60)
        };
        assert_ne!(state(b).wrapping_sub(state(a)), state(c).wrapping_sub(state(b)));
        assert_ne!(b.wrapping_sub(a), c.wrapping_sub(b));
    }
}
