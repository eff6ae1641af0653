//! Cache: when an earlier answer to the same request, or to one of much the same meaning, may answer it again (F-142, F-143, F-147).
//!
//! The shell keeps answers, and says of one how old it is, whose it was, and how near what it answered is to what is asked now;
//! what that is good for is decided here.
//!
//! # Invariants
//! - `CACHE-1`: what is older than the client takes never answers, neither as fresh nor as stale.
//! - `CACHE-2`: a fresh answer is told as that of the tier that gave it.
//! - `CACHE-3`: what is less similar than the route says never answers, and one to the same request goes before it.
//!
//! # Source
//! RFC 9111 (age, freshness); RFC 5861's idea of answers that are better stale than missing, with a bound.

use crate::{
    clock::Nanos,
    fact::{Fact, Signal},
    unit::Permille,
};

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
    /// What it takes of answers to other words; none where it looks for none.
    pub similar: Option<SimilarPolicy>,
}

/// How a route uses earlier answers to a question that was put in other words (F-147).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimilarPolicy {
    /// How near that question must be at least.
    pub at_least: Permille,
    /// One is looked for before any tier is asked, and given where it is fresh.
    pub fresh: bool,
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
    /// Something is held that the same client asked in other words, and nothing else was asked otherwise: it pays to look which
    /// of it is near.
    pub others: bool,
    /// The nearest of that, where it was looked for already.
    pub near: Option<Near>,
}

/// An earlier answer to a question that was put in other words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// How near that question is, in thousandths.
    pub similarity: Permille,
    /// The answer to it.
    pub stored: Stored,
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

    /// Returns how old an answer may be that stands in for a failure: as its route says, and no older than its client takes.
    fn stale_for(&self, policy: CachePolicy) -> Nanos {
        self.max_age.map_or(policy.stale_if_error, |most| most.min(policy.stale_if_error))
    }

    /// Says whether the client takes no earlier answer at all.
    pub(crate) fn wants_new(&self) -> bool {
        self.max_age == Some(0)
    }

    /// Says whether a tier that answers from the cache has to look for an answer to other words: where the route wants that, there
    /// are some, and none is held to these that may still be given.
    pub(crate) fn seeks(&self, policy: CachePolicy) -> bool {
        let held = self.stored.is_some_and(|it| it.age <= self.stale_for(policy));
        policy.similar.is_some() && self.others && !self.wants_new() && !held
    }

    /// Compares the nearest that was found with what its route takes, at the tier that gives it (F-147).
    pub(crate) fn compare(&self, policy: CachePolicy, tier: u8, near: Near) -> [Fact; 2] {
        let least = policy.similar.map_or(Permille::ALL, |it| it.at_least);
        [
            Fact::new(tier, Signal::Similarity, near.similarity.thousandths().into(), least.thousandths().into()),
            Fact::new(tier, Signal::SimilarAge, near.stored.age, self.stale_for(policy)),
        ]
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
