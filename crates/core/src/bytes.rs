//! Canonical bytes: outputs as a hash that is the same on every machine (rule 12).
//!
//! Not a wire format and not a signature: it answers one question, whether two runs said the same.
//!
//! # Source
//! FNV-1a, 64 bit (Fowler, Noll, Vo): no dependency, defined on bytes, good enough to tell two logs apart.

use crate::{
    change::{BreakerChange, GateChange, GateKind, GateTurn},
    clock::Nanos,
    decision::{AttemptRecord, Candidate, Decision, End, Outcome},
    fact::Fact,
    output::{Cancelled, Disclosure, Output, Probe, Source, Start},
    transition::{Proposal, Rule, Transition, Trip},
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
    /// Returns the hash so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Sink for LogHash {
    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// What followed from one input: how many outputs, and their hash. It goes by words where [`LogHash`] goes by bytes, since it is
/// computed for every request that is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// How many there were.
    pub outputs: u32,
    /// Their hash; 0 where there was none.
    pub hash: u64,
}

impl Followed {
    /// Takes in the next one.
    pub fn by(&mut self, output: &Output) {
        self.outputs += 1;
        output.feed(self);
    }
}

impl Sink for Followed {
    // Each step can be taken back: two runs that differ in one number differ from there on.
    fn number(&mut self, number: u64) {
        let mixed = (self.hash ^ number).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        self.hash = mixed ^ (mixed >> 31);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.number(u64::from_le_bytes(padded));
        }
    }
}

/// What numbers and bytes can be fed into, in order.
pub trait Sink {
    /// Feeds one number.
    fn number(&mut self, number: u64);

    /// Feeds bytes.
    fn bytes(&mut self, bytes: &[u8]);
}

/// Something that can be fed into a hash, completely.
pub trait Canonical {
    /// Feeds it.
    fn feed(&self, hash: &mut impl Sink);
}

impl Canonical for Output {
    fn feed(&self, hash: &mut impl Sink) {
        match self {
            Self::Start(start) => start.feed(hash),
            Self::Shadow(start) => {
                hash.number(13);
                start.feed(hash);
            }
            Self::ShadowStop { attempt, why } => {
                [14, attempt.0].into_iter().for_each(|n| hash.number(n));
                hash.bytes(why.result().name().as_bytes());
            }
            Self::Cancel { request, attempt, why } => {
                [2, request.0, attempt.0].into_iter().for_each(|n| hash.number(n));
                match why {
                    Cancelled::Clock(result) => hash.bytes(result.name().as_bytes()),
                    Cancelled::ClientGone => hash.number(1),
                    Cancelled::Drained => hash.number(2),
                    Cancelled::Diverged => hash.number(3),
                    Cancelled::HedgeLost => hash.number(4),
                    Cancelled::VoteOver => hash.number(5),
                }
            }
            Self::Commit { request, attempt, disclosure } => {
                [3, request.0, attempt.0].into_iter().for_each(|n| hash.number(n));
                disclosure.feed(hash);
            }
            Self::Keep { request, attempt } => [12, request.0, attempt.0].into_iter().for_each(|n| hash.number(n)),
            Self::Answer { request, source, disclosure } => {
                [4, request.0].into_iter().for_each(|n| hash.number(n));
                source.feed(hash);
                disclosure.feed(hash);
            }
            Self::Refuse { request, why, retry_after, disclosure } => {
                [5, request.0, *why as u64, option(*retry_after)].into_iter().for_each(|n| hash.number(n));
                disclosure.feed(hash);
            }
            Self::CancelIgnored { revision, path, attempt } => {
                hash.bytes(&revision.digest);
                [8, u64::from(path.0), attempt.0].into_iter().for_each(|n| hash.number(n));
            }
            Self::Probe(Probe { probe, revision, upstream, replica, within }) => {
                hash.bytes(&revision.digest);
                let (upstream, replica) = (u64::from(upstream.0), u64::from(replica.0));
                [9, probe.0, upstream, replica, *within].into_iter().for_each(|n| hash.number(n));
            }
            Self::Breaker(it) => it.feed(hash),
            Self::Gate(it) => it.feed(hash),
            Self::Transition(it) => it.feed(hash),
            Self::Proposed(it) => it.feed(hash),
            Self::Decision(decision) => decision.feed(hash),
        }
    }
}

impl Canonical for Start {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { request, attempt, tier, path, replica, budget, fresh, role, rows, steps } = self;
        let (tier, path, replica) = (u64::from(*tier), u64::from(path.0), u64::from(replica.0));
        let how = u64::from(*fresh) + 2 * (*role as u64);
        let numbers = [1, request.0, attempt.0, tier, path, replica, *budget, how];
        let rows = Some(*rows).filter(|rows| *rows > 0);
        // Beyond every number of rows.
        let steps = Some(u64::MAX - u64::from(*steps)).filter(|_| *steps > 0);
        numbers.into_iter().chain(rows).chain(steps).for_each(|n| hash.number(n));
    }
}

impl Canonical for BreakerChange {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { at, revision, path, operation, replica, turn } = self;
        hash.bytes(&revision.digest);
        let replica = option(replica.map(|it| u64::from(it.0)));
        let numbers = [10, *at, u64::from(path.0), *operation as u64, replica, turn.from as u64, turn.to as u64];
        numbers.into_iter().for_each(|n| hash.number(n));
        hash.bytes(turn.rule().as_bytes());
        turn.trip.iter().for_each(|trip| trip.feed(hash));
    }
}

impl Canonical for GateChange {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { at, revision, path, gate, result, turn } = self;
        hash.bytes(&revision.digest);
        hash.bytes(gate.name().as_bytes());
        hash.bytes(result.name().as_bytes());
        let replica = match gate {
            GateKind::Replica(replica) => Some(u64::from(replica.0)),
            GateKind::Domain | GateKind::Credential => None,
        };
        let until = match turn {
            GateTurn::Closed(until) => Some(*until),
            GateTurn::Lifted => None,
        };
        [11, *at, u64::from(path.0), option(replica), option(until)].into_iter().for_each(|n| hash.number(n));
    }
}

impl Canonical for Trip {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { rule, result, bad, of, reason: _ } = self;
        hash.bytes(rule.as_bytes());
        hash.bytes(result.map_or("", |it| it.name()).as_bytes());
        hash.number(u64::from(*bad) << 32 | u64::from(*of));
    }
}

impl Canonical for Transition {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { at, revision, route, from, to, reason, rule, path, trip, episode } = self;
        hash.bytes(&revision.digest);
        let (route, path, reason) = (u64::from(route.0), u64::from(path.0), u64::from(reason.number()));
        let numbers = [6, *at, route, u64::from(*from), u64::from(*to), reason, path, u64::from(*episode)];
        numbers.into_iter().for_each(|n| hash.number(n));
        trip.iter().for_each(|trip| trip.feed(hash));
        if *rule != Rule::Breaker {
            hash.bytes(rule.name().as_bytes());
        }
    }
}

impl Canonical for Proposal {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { at, revision, route, start_at, stands, reason, samples } = self;
        hash.bytes(&revision.digest);
        let (route, start_at, stands) = (u64::from(route.0), u64::from(*start_at), u64::from(*stands));
        let numbers = [15, *at, route, start_at, stands, u64::from(reason.number()), *samples];
        numbers.into_iter().for_each(|n| hash.number(n));
    }
}

impl Canonical for Source {
    fn feed(&self, hash: &mut impl Sink) {
        match self {
            Self::Attempt(attempt) => [1, attempt.0].into_iter().for_each(|n| hash.number(n)),
            Self::Certain(path) => [2, u64::from(path.0)].into_iter().for_each(|n| hash.number(n)),
            Self::Stored(tier) => [5, u64::from(*tier)].into_iter().for_each(|n| hash.number(n)),
            Self::Error(attempt) => [3, attempt.0].into_iter().for_each(|n| hash.number(n)),
            Self::Broken(attempt, result) => {
                [4, attempt.0].into_iter().for_each(|n| hash.number(n));
                hash.bytes(result.name().as_bytes());
            }
        }
    }
}

impl Canonical for Disclosure {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { answered, degraded, reason, attempts, rescue } = self;
        if let Some((tier, method, path)) = answered {
            hash.bytes(method.name().as_bytes());
            [u64::from(*tier), u64::from(path.0)].into_iter().for_each(|n| hash.number(n));
        }
        let numbers = [u64::from(*degraded), u64::from(reason.number()), u64::from(*attempts), *rescue as u64];
        numbers.into_iter().for_each(|n| hash.number(n));
    }
}

impl Canonical for Decision {
    fn feed(&self, hash: &mut impl Sink) {
        let Self {
            request,
            revision,
            route,
            operation,
            at,
            deadline,
            entropy,
            phase,
            episode,
            facts,
            candidates,
            attempts,
            outcome,
            reason,
        } = self;
        hash.bytes(&revision.digest);
        hash.bytes(operation.name().as_bytes());
        hash.bytes(phase.name().as_bytes());
        let numbers = [7, request.0, u64::from(route.0), *at, *deadline, *entropy, option(episode.map(u64::from))];
        numbers.into_iter().for_each(|n| hash.number(n));
        outcome.feed(hash);
        facts.iter().for_each(|fact| fact.feed(hash));
        candidates.iter().for_each(|candidate| candidate.feed(hash));
        attempts.iter().for_each(|attempt| attempt.feed(hash));
        hash.number(u64::from(reason.number()));
    }
}

impl Canonical for Outcome {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { tier, end, status, latency } = self;
        [option(tier.map(u64::from)), u64::from(*status), *latency].into_iter().for_each(|n| hash.number(n));
        match end {
            End::Answered => hash.number(1),
            End::Error(result) => {
                hash.number(2);
                hash.bytes(result.name().as_bytes());
            }
            End::Broken(result) => {
                hash.number(3);
                hash.bytes(result.name().as_bytes());
            }
            End::Refused(why) => [4, *why as u64].into_iter().for_each(|n| hash.number(n)),
        }
    }
}

impl Canonical for Fact {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { tier, signal, value, threshold, again, member } = self;
        hash.bytes(signal.name().as_bytes());
        [u64::from(*tier), *value, *threshold, u64::from(*again)].into_iter().for_each(|n| hash.number(n));
        member.iter().for_each(|member| hash.number(u64::from(*member)));
    }
}

impl Canonical for Candidate {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { tier, verdict, reasons } = self;
        hash.number(u64::from(*tier));
        hash.bytes(verdict.name().as_bytes());
        reasons.iter().for_each(|reason| hash.number(u64::from(reason.number())));
    }
}

impl Canonical for AttemptRecord {
    fn feed(&self, hash: &mut impl Sink) {
        let Self { attempt, tier, path, replica, start, duration, first_content, result, status, .. } = self;
        let (probe, sent) = (u64::from(self.probe), u64::from(self.sent) + 2 * (self.role as u64));
        hash.bytes(result.name().as_bytes());
        let (tier, path, replica) = (u64::from(*tier), u64::from(path.0), u64::from(replica.0));
        let (first, status) = (option(*first_content), option(status.map(u64::from)));
        let numbers = [attempt.0, tier, path, replica, *start, *duration, first, status, probe, sent];
        numbers.into_iter().for_each(|n| hash.number(n));
        self.rows.iter().flat_map(|it| [it.asked, it.kept]).for_each(|n| hash.number(n));
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
