//! Domain: one 429 speaks for the whole quota (F-050 to F-055).
//!
//! A gate closes when a server says "not now", and opens a crack, one leased request wide, when the time is over. It is
//! not a breaker: being told to wait is no evidence of illness, and the gate is shared by everything that draws on the same
//! quota, credential or replica, across paths and routes.
//!
//! # Invariants
//! - `GATE-1`: while it is closed nothing passes; once its time is over, one request at a time, until one is answered.
//! - `GATE-2`: a later word may lengthen the time, never shorten it (F-053).
//! - `GATE-3`: at most [`WAITERS`] requests wait for one gate (F-052).
//!
//! # When it misleads
//! A server that says "come back in 1 s" a hundred times is believed a hundred times, twice as long each time.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    change::GateTurn,
    clock::{Nanos, SECOND},
    id::{AttemptId, UpstreamId},
    reason::Reason,
    revision::{Path, Revision, Where},
};

/// Requests that may wait for one gate (F-052).
pub(crate) const WAITERS: u8 = 4;
/// The longest time that a server is believed (F-050).
const CAP: Nanos = 300 * SECOND;

/// How long a gate closes: what the server said, else a first time that doubles up to the most (F-054).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    /// What the server said, where it did.
    pub(crate) told: Option<Nanos>,
    pub(crate) first: Nanos,
    pub(crate) most: Nanos,
}

/// What keeps every attempt from a path, however well it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Why.
    pub reason: Reason,
    /// Since when, on the shell's clock.
    pub since: Nanos,
    /// Until when, as far as it is known.
    pub until: Nanos,
}

/// What an attempt's end says to a gate that it passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Not now.
    Close(Closing),
    /// Answered.
    Lift,
    /// Nothing.
    Nothing,
}

/// One gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// None where nothing is known against it.
    closed: Option<Closed>,
    /// Requests that wait for it.
    waiting: u8,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    since: Nanos,
    until: Nanos,
    /// How long it was closed the last time.
    length: Nanos,
    lease: Option<AttemptId>,
}

impl Gate {
    /// Returns how long it is closed yet, and at least one nanosecond while its one lease is out; 0 lets a request pass.
    /// None where nothing is known against it, so that there is nothing to compare.
    pub(crate) fn ask(&self, now: Nanos) -> Option<Nanos> {
        let closed = self.closed?;
        Some(closed.until.saturating_sub(now).max(Nanos::from(closed.lease.is_some())))
    }

    /// Says whether nothing is known against it, or its time has been over for so long, and nobody has tried: nobody needs it.
    pub(crate) fn is_left(&self, now: Nanos, rest: Nanos) -> bool {
        self.closed.is_none_or(|closed| closed.lease.is_none() && closed.until.saturating_add(rest) <= now)
    }

    /// Says whether a request may pass now.
    pub(crate) fn admits(&self, now: Nanos) -> bool {
        self.ask(now).unwrap_or(0) == 0
    }

    /// Returns how long until a request may pass, as far as it is known.
    pub(crate) fn opens_in(&self, now: Nanos) -> Nanos {
        self.closed.map_or(0, |closed| closed.until.saturating_sub(now))
    }

    /// Lets an attempt pass that was admitted; where the gate was closed before, it holds the one lease.
    pub(crate) fn pass(&mut self, attempt: AttemptId) {
        if let Some(closed) = &mut self.closed {
            closed.lease.get_or_insert(attempt);
        }
    }

    /// Hears how an attempt ended that had passed; returns whether that closes the gate, or closes it again, or lifts it. Who
    /// comes late and finds it closed may lengthen its time, which is no news.
    pub(crate) fn hear(&mut self, now: Nanos, attempt: AttemptId, word: Word) -> Option<GateTurn> {
        let leased = self.closed.is_some_and(|closed| closed.lease == Some(attempt));
        match word {
            Word::Close(closing) => {
                let news = leased || self.closed.is_none();
                let until = self.close(now, closing, leased);
                news.then_some(GateTurn::Closed(until))
            }
            // An answer to a question that was asked before the gate closed says nothing about now.
            Word::Lift if leased => {
                self.closed = None;
                Some(GateTurn::Lifted)
            }
            Word::Lift | Word::Nothing => {
                if let Some(closed) = self.closed.as_mut().filter(|_| leased) {
                    closed.lease = None;
                }
                None
            }
        }
    }

    /// Returns since when and until when it is closed, where its time is not over.
    fn shut(&self, now: Nanos) -> Option<(Nanos, Nanos)> {
        self.closed.filter(|closed| closed.until > now).map(|closed| (closed.since, closed.until))
    }

    /// Takes the lease back from an attempt whose end will not be heard.
    pub(crate) fn release(&mut self) {
        if let Some(closed) = &mut self.closed {
            closed.lease = None;
        }
    }

    fn close(&mut self, now: Nanos, closing: Closing, renewed: bool) -> Nanos {
        let said = closing.told.unwrap_or(closing.first).min(CAP);
        let before = self.closed.filter(|_| renewed).map_or(0, |closed| match closed.length {
            // "Now" was tried, and was no word to go by: twice nothing would be nothing for ever.
            0 => closing.first,
            length => length.saturating_mul(2),
        });
        let length = said.max(before.min(closing.most));
        let was = self.closed.map_or(0, |closed| closed.until);
        let lease = self.closed.and_then(|closed| closed.lease).filter(|_| !renewed);
        let longer = now.saturating_add(length).max(was);
        let since = self.closed.map_or(now, |closed| closed.since);
        self.closed = Some(Closed { since, until: longer, length, lease });
        longer
    }

    /// Says whether one more may wait for it.
    pub(crate) fn has_place(&self) -> bool {
        self.waiting < WAITERS
    }

    /// Returns how many wait for it.
    pub(crate) const fn waiting(&self) -> u8 {
        self.waiting
    }

    /// Takes a place among those who wait, and returns until when: spread over a tenth of the gate's time, so that they do
    /// not all come at once (F-055). None where no place is left, or nothing to wait for.
    pub(crate) fn wait(&mut self, entropy: u64) -> Option<Nanos> {
        let closed = self.closed.filter(|_| self.has_place())?;
        self.waiting += 1;
        Some(closed.until.saturating_add(entropy % (closed.length / 10).max(1)))
    }

    /// Gives a place back.
    pub(crate) fn leave(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }
}

/// The gates that stand before a path, as positions among all [`Gates`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// That of its capacity domain; none where each replica has a quota of its own.
    pub(crate) domain: Option<u32>,
    /// That of the credential.
    pub(crate) credential: Option<u32>,
    /// One per replica.
    pub(crate) replicas: Vec<u32>,
}

impl Before {
    /// Returns all of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> {
        self.domain.iter().chain(&self.credential).chain(&self.replicas).copied()
    }

    /// Returns every gate that an attempt at this replica passes.
    pub(crate) fn on_the_way(&self, replica: usize) -> impl Iterator<Item = u32> {
        [self.domain, self.credential, self.replicas.get(replica).copied()].into_iter().flatten()
    }
}

/// All gates, under numbers that outlive a revision: what names the same quota or replica keeps its gate.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    keys: BTreeMap<Key, u32>,
    gates: BTreeMap<u32, Gate>,
    next: u32,
}

/// What a gate stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Domain(String),
    Replica(String),
    Credential(UpstreamId),
}

impl Gates {
    /// Returns how many wait, at all gates.
    pub(crate) fn waiting(&self) -> usize {
        self.gates.values().map(|gate| usize::from(gate.waiting())).sum()
    }

    /// Finds or makes the gates of every path of a revision, and drops those that neither it nor `used` names. Credentials
    /// begin anew: a revision may bring another one under the same name, and a refused one is soon found again.
    pub(crate) fn apply(&mut self, revision: &Revision, used: impl Fn(u32) -> bool) -> Vec<Before> {
        let mut old = core::mem::take(&mut self.keys);
        old.retain(|key, _| !matches!(key, Key::Credential(_)));
        let before: Vec<_> = revision.paths.iter().map(|path| self.before(path, revision, &old)).collect();
        let named: Vec<u32> = self.keys.values().copied().collect();
        self.gates.retain(|gate, _| named.contains(gate) || used(*gate));
        before
    }

    fn before(&mut self, path: &Path, revision: &Revision, old: &BTreeMap<Key, u32>) -> Before {
        let Where::Remote(id) = path.place else { return Before::default() };
        let replicas = &revision.upstreams[id.index()].replicas;
        Before {
            domain: path.domain.as_ref().map(|name| self.named(Key::Domain(name.clone()), old)),
            credential: Some(self.named(Key::Credential(id), old)),
            replicas: replicas.iter().map(|address| self.named(Key::Replica(address.clone()), old)).collect(),
        }
    }

    fn named(&mut self, key: Key, old: &BTreeMap<Key, u32>) -> u32 {
        let Self { keys, gates, next } = self;
        let kept = old.get(&key).copied();
        *keys.entry(key).or_insert_with(|| {
            kept.unwrap_or_else(|| {
                *next += 1;
                gates.insert(*next, Gate::default());
                *next
            })
        })
    }

    /// Says whether an attempt may pass all that stands before a path, at one replica at least.
    pub(crate) fn admit(&self, now: Nanos, before: &Before) -> bool {
        let opens = |gate: &u32| self.at(*gate).admits(now);
        let replica = before.replicas.is_empty() || before.replicas.iter().any(opens);
        replica && before.domain.iter().chain(&before.credential).all(opens)
    }

    /// Returns what keeps every attempt from a path; none where one replica at least may be asked, now or as a try.
    pub(crate) fn shut(&self, now: Nanos, before: &Before) -> Option<Shut> {
        let shut = |reason| move |(since, until)| Shut { reason, since, until };
        let of = |gate: &u32| self.at(*gate).shut(now);
        let credential = before.credential.as_ref().and_then(of).map(shut(Reason::CredentialRejected));
        let domain = before.domain.as_ref().and_then(of).map(shut(Reason::CapacityDomainLimited));
        // None, for one that is open, comes before every other.
        let first = before.replicas.iter().map(of).min_by_key(|shut| shut.map(|(_, until)| until)).flatten();
        let replicas = first.map(shut(Reason::CapacityDomainLimited));
        [credential, domain, replicas].into_iter().flatten().max_by_key(|shut| shut.until)
    }

    pub(crate) fn at(&self, gate: u32) -> &Gate {
        self.gates.get(&gate).expect("a gate lives as long as a revision that names it")
    }

    pub(crate) fn at_mut(&mut self, gate: u32) -> &mut Gate {
        self.gates.get_mut(&gate).expect("a gate lives as long as a revision that names it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: AttemptId = AttemptId(1);
    const TWO: AttemptId = AttemptId(2);

    fn rate(told: Option<Nanos>) -> Word {
        Word::Close(Closing { told, first: SECOND, most: 60 * SECOND })
    }

    #[test]
    fn f_055_an_expired_gate_lets_one_through_and_its_answer_lifts_it() {
        let mut gate = Gate::default();
        assert_eq!(gate.ask(0), None);
        gate.hear(0, ONE, rate(Some(2 * SECOND)));
        assert!(!gate.admits(2 * SECOND - 1), "GATE-1");
        assert!(gate.admits(2 * SECOND));
        gate.pass(TWO);
        assert!(!gate.admits(3 * SECOND), "GATE-1: one at a time");
        gate.hear(3 * SECOND, ONE, Word::Lift);
        assert!(!gate.admits(3 * SECOND), "an answer to an earlier question says nothing");
        gate.hear(3 * SECOND, TWO, Word::Lift);
        assert_eq!(gate.ask(3 * SECOND), None);
    }

    #[test]
    fn f_054_without_a_word_it_doubles_from_one_second_to_sixty() {
        let (mut gate, mut now) = (Gate::default(), 0);
        let lengths = [1, 2, 4, 8, 16, 32, 60, 60].map(|seconds| seconds * SECOND);
        for (n, length) in (0..).zip(lengths) {
            gate.pass(AttemptId(n));
            gate.hear(now, AttemptId(n), rate(None));
            assert_eq!(gate.opens_in(now), length);
            now += length;
        }
    }

    #[test]
    fn f_050_f_055_no_time_is_believed_once_and_doubles_from_the_first() {
        let (mut gate, mut now) = (Gate::default(), 0);
        let lengths = [0, 1, 2, 4, 8, 16, 32, 60, 60].map(|seconds| seconds * SECOND);
        for (n, length) in (0..).zip(lengths) {
            gate.pass(AttemptId(n));
            gate.hear(now, AttemptId(n), rate(Some(0)));
            assert_eq!(gate.opens_in(now), length, "a date in the past, and a zero");
            now += length;
        }
    }

    #[test]
    fn f_053_a_later_word_lengthens_and_never_shortens() {
        let mut gate = Gate::default();
        gate.hear(0, ONE, rate(Some(10 * SECOND)));
        gate.hear(SECOND, TWO, rate(Some(2 * SECOND)));
        assert_eq!(gate.opens_in(SECOND), 9 * SECOND, "GATE-2");
        gate.hear(SECOND, TWO, rate(Some(20 * SECOND)));
        assert_eq!(gate.opens_in(SECOND), 20 * SECOND);
        gate.hear(SECOND, TWO, rate(Some(1_000_000_000 * SECOND)));
        assert_eq!(gate.opens_in(SECOND), CAP, "F-050");
    }

    #[test]
    fn f_052_four_may_wait_and_come_spread_out() {
        let mut gate = Gate::default();
        assert_eq!(gate.wait(7), None, "there is nothing to wait for");
        gate.hear(0, ONE, rate(Some(2 * SECOND)));
        let until: Vec<_> = (0..6).map(|n| gate.wait(n * 123_456_789_123)).collect();
        assert_eq!(until.iter().flatten().count(), usize::from(WAITERS), "GATE-3");
        assert!(until.iter().flatten().all(|at| (2 * SECOND..2 * SECOND + SECOND / 5).contains(at)), "F-055");
        gate.leave();
        assert!(gate.wait(0).is_some());
    }

    #[test]
    fn a_lease_that_ends_without_a_word_is_free_again() {
        let mut gate = Gate::default();
        gate.hear(0, ONE, rate(Some(SECOND)));
        gate.pass(TWO);
        gate.hear(SECOND, TWO, Word::Nothing);
        assert_eq!(gate.ask(SECOND), Some(0));
    }
}
