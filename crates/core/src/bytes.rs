//! Canonical bytes: outputs as a hash that is the same on every machine (rule 12).
//!
//! Not a wire format and not a signature: it answers one question, whether two runs said the same.
//!
//! # Source
//! FNV-1a, 64 bit (Fowler, Noll, Vo): no dependency, defined on bytes, good enough to tell two logs apart.

use crate::{
    clock::Nanos,
    decision::{Decision, End},
    output::{Cancelled, Disclosure, Output, Source},
};

/// The hash of everything that was fed into it, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHash(u64);

impl Default for LogHash {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl LogHash {
    /// Feeds one number.
    pub fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// Feeds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    /// Returns the hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// Something that can be fed into a [`LogHash`], completely.
pub trait Canonical {
    /// Feeds it.
    fn feed(&self, hash: &mut LogHash);
}

impl Canonical for Output {
    fn feed(&self, hash: &mut LogHash) {
        match self {
            Self::Start(start) => {
                let (tier, replica) = (u64::from(start.tier), u64::from(start.replica.0));
                let numbers =
                    [1, start.request.0, start.attempt.0, tier, u64::from(start.path.0), replica, start.budget];
                numbers.into_iter().chain([u64::from(start.fresh)]).for_each(|n| hash.number(n));
            }
            Self::Cancel { request, attempt, why } => {
                [2, request.0, attempt.0].into_iter().for_each(|n| hash.number(n));
                match why {
                    Cancelled::Clock(result) => hash.bytes(result.name().as_bytes()),
                    Cancelled::ClientGone => hash.number(1),
                    Cancelled::Drained => hash.number(2),
                }
            }
            Self::Commit { request, attempt, disclosure } => {
                [3, request.0, attempt.0].into_iter().for_each(|n| hash.number(n));
                disclosure.feed(hash);
            }
            Self::Answer { request, source, disclosure } => {
                [4, request.0].into_iter().for_each(|n| hash.number(n));
                source.feed(hash);
                disclosure.feed(hash);
            }
            Self::Refuse { request, why, retry_after, disclosure } => {
                [5, request.0, *why as u64, option(*retry_after)].into_iter().for_each(|n| hash.number(n));
                disclosure.feed(hash);
            }
            Self::Transition(it) => {
                let (from, to) = (u64::from(it.from), u64::from(it.to));
                let numbers = [6, it.at, u64::from(it.route.0), from, to, u64::from(it.reason.number())];
                numbers.into_iter().chain([u64::from(it.episode)]).for_each(|n| hash.number(n));
                if let Some(trip) = it.trip {
                    hash.bytes(trip.rule.as_bytes());
                    hash.bytes(trip.result.name().as_bytes());
                    hash.number(u64::from(trip.bad) << 32 | u64::from(trip.of));
                }
            }
            Self::Decision(decision) => decision.feed(hash),
        }
    }
}

impl Canonical for Source {
    fn feed(&self, hash: &mut LogHash) {
        match self {
            Self::Attempt(attempt) => [1, attempt.0].into_iter().for_each(|n| hash.number(n)),
            Self::Certain(path) => [2, u64::from(path.0)].into_iter().for_each(|n| hash.number(n)),
            Self::Error(attempt) => [3, attempt.0].into_iter().for_each(|n| hash.number(n)),
            Self::Broken(attempt, result) => {
                [4, attempt.0].into_iter().for_each(|n| hash.number(n));
                hash.bytes(result.name().as_bytes());
            }
        }
    }
}

impl Canonical for Disclosure {
    fn feed(&self, hash: &mut LogHash) {
        let (tier, path) = self.answered.map_or((u64::MAX, 0), |(tier, _, path)| (u64::from(tier), u64::from(path.0)));
        let reason = u64::from(self.reason.number());
        [tier, path, u64::from(self.degraded), reason, u64::from(self.attempts)]
            .into_iter()
            .for_each(|n| hash.number(n));
    }
}

impl Canonical for Decision {
    fn feed(&self, hash: &mut LogHash) {
        hash.bytes(&self.revision.digest);
        let tier = self.outcome.tier.map_or(u64::MAX, u64::from);
        let numbers = [7, self.request.0, u64::from(self.route.0), self.at, self.deadline, self.entropy, tier];
        numbers.into_iter().for_each(|n| hash.number(n));
        [self.outcome.latency, u64::from(self.outcome.status)].into_iter().for_each(|n| hash.number(n));
        match self.outcome.end {
            End::Answered => hash.number(1),
            End::Error(result) | End::Broken(result) => hash.bytes(result.name().as_bytes()),
            End::Refused(why) => hash.number(why as u64),
        }
        for fact in &self.facts {
            hash.bytes(fact.signal.name().as_bytes());
            [u64::from(fact.tier), fact.value, fact.threshold].into_iter().for_each(|n| hash.number(n));
        }
        for candidate in &self.candidates {
            hash.bytes(candidate.verdict.name().as_bytes());
            candidate.reasons.iter().for_each(|reason| hash.number(u64::from(reason.number())));
        }
        for attempt in &self.attempts {
            hash.bytes(attempt.result.name().as_bytes());
            let numbers = [attempt.attempt.0, u64::from(attempt.tier), u64::from(attempt.replica.0), attempt.start];
            numbers.into_iter().for_each(|n| hash.number(n));
            let (first, status) = (option(attempt.first_content), option(attempt.status.map(u64::from)));
            [attempt.duration, first, status, u64::from(attempt.probe)].into_iter().for_each(|n| hash.number(n));
        }
        hash.number(u64::from(self.reason.number()));
    }
}

/// None is told from every number that a clock can show.
fn option(number: Option<Nanos>) -> u64 {
    number.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        let mut hash = LogHash::default();
        hash.bytes(b"foobar");
        assert_eq!(hash.value(), 0x8594_4171_F739_67E8, "the FNV-1a test vector");
    }
}
