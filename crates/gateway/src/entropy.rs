//! Entropy: uniform bits for draws and ids, drawn here and nowhere else, then logged with the request that used them.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
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

/// A stream of uniform bits: SplitMix64 (Steele and others, 2014), seeded once by the operating system.
#[derive(Debug)]
pub(crate) struct Entropy(AtomicU64);

impl Entropy {
    pub(crate) fn seeded() -> Self {
        // The standard library seeds its hash maps from the operating system; an empty hash gives those bits.
        #[expect(clippy::disallowed_methods, reason = "this is where entropy comes in, and the draws are logged")]
        Self(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }

    /// Draws 64 bits.
    pub(crate) fn draw(&self) -> u64 {
        let mut bits = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Makes an id for a decision.
    pub(crate) fn ulid(&self, now: Timestamp) -> String {
        let random = u128::from(self.draw()) << 64 | u128::from(self.draw());
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Ulid::from_parts(millis, random).to_string()
    }
}
