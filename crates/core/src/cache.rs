//! Cache: when an earlier answer to the same request may answer it again (F-142, F-143).
//!
//! The shell keeps answers, and says of one how old it is and whose it was; what that is good for is decided here.
//!
//! # Invariants
//! - `CACHE-1`: what is older than the client takes never answers, neither as fresh nor as stale.
//! - `CACHE-2`: a fresh answer is told as that of the tier that gave it.
//!
//! # Source
//! RFC 9111 (age, freshness); RFC 5861's idea of answers that are better stale than missing, with a bound.

use crate::clock::Nanos;

/// How a route uses earlier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long an answer is fresh, before it is spread ([`fresh_for`]).
    pub ttl: Nanos,
    /// How old an answer may be at a tier that answers from the cache.
    pub stale_if_error: Nanos,
    /// A fresh answer is given before any tier is asked.
    pub fresh: bool,
    /// Requests that may wait for the answer to another one of the same; 0 where each asks for itself (F-145).
    pub waiters: u32,
}

/// What the shell knows of earlier answers to a request. By default, nothing is kept of it and nothing looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Uniform bits that are the same for all requests that may have the same answer; none where nothing may be kept of it.
    pub key: Option<u64>,
    /// The answer that is held.
    pub stored: Option<Stored>,
    /// The greatest age that the client takes.
    pub max_age: Option<Nanos>,
}

/// An earlier answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How old it is.
    pub age: Nanos,
    /// The tier that gave it, in the revision that decides now.
    pub tier: u8,
}

/// Returns for how long an answer is fresh: its `ttl`, up to a tenth more or less by its key, so that what was kept together
/// does not become old together (F-143).
pub const fn fresh_for(ttl: Nanos, key: u64) -> Nanos {
    let permille = 900 + key % 201;
    (ttl / 1_000).saturating_mul(permille).saturating_add(ttl % 1_000 * permille / 1_000)
}

impl Lookup {
    /// Returns how old a fresh answer may be: as its route says, and no older than its client takes.
    pub(crate) fn fresh_for(&self, policy: CachePolicy) -> Nanos {
        let ttl = fresh_for(policy.ttl, self.key.unwrap_or(0));
        // Of an age that nobody takes, the youngest is too old.
        self.max_age.map_or(ttl, |most| most.min(ttl))
    }

    /// Says whether the client takes no earlier answer at all.
    pub(crate) fn wants_new(&self) -> bool {
        self.max_age == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SECOND;

    #[test]
    fn f_143_a_ttl_is_spread_by_a_tenth_either_way_and_by_nothing_but_the_key() {
        assert_eq!(fresh_for(300 * SECOND, 0), 270 * SECOND);
        assert_eq!(fresh_for(300 * SECOND, 100), 300 * SECOND);
        assert_eq!(fresh_for(300 * SECOND, 200), 330 * SECOND);
        assert_eq!(fresh_for(300 * SECOND, 201), 270 * SECOND);
        assert_eq!((fresh_for(7, 100), fresh_for(0, 7), fresh_for(Nanos::MAX, 200)), (7, 0, Nanos::MAX));
        let spread: alloc::collections::BTreeSet<_> = (0..1_000).map(|key| fresh_for(1_000, key)).collect();
        assert_eq!((spread.len(), spread.first(), spread.last()), (201, Some(&900), Some(&1_100)));
    }
}
