//! Flight: of requests that may have the same answer one asks, and the others wait for what it gets (F-145).
//!
//! It knows who leads and who waits, and nothing of answers: those are the shell's, who says when it has one that others may have.
//! Until then a flight that is over still takes whoever comes: else what comes in between would ask again.
//!
//! # Invariants
//! - `FLIGHT-1`: a flight has one leader, and nobody who waits in it leads, or waits in another.
//! - `FLIGHT-2`: what is over and has landed is gone.
//! - `FLIGHT-3`: a leader whose client is gone goes on for as long as somebody waits, and no longer.
//! - `FLIGHT-4`: of those who wait for what they cannot have no more go at once than twice as many as the last time; at first one.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use crate::id::RequestId;

/// What a leader's end means for those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// A tier gave a whole answer, which is theirs, too, where the shell has it.
    Whole(u8),
    /// It says nothing about them, or is not theirs: one of them leads, few ask for themselves, and the rest wait for that.
    Own,
    /// The tiers above this one failed: one of them leads, the rest go on from it.
    Failed(u8),
    /// Nobody reads it any more: one of them leads, the rest wait for that.
    Left,
}

/// One answer that is on its way.
#[derive(Debug)]
struct Flight {
    route: String,
    leader: RequestId,
    waiters: BTreeSet<RequestId>,
    /// The tier that its leader asks.
    tier: u8,
    /// How many go where its answer is not theirs (FLIGHT-4).
    go: usize,
    /// Its leader's client has begun to get a stream.
    begun: bool,
    /// Its leader's client is gone.
    abandoned: bool,
    after: Option<After>,
}

/// All answers that are on their way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    by_key: BTreeMap<u64, Flight>,
    by_leader: BTreeMap<RequestId, u64>,
    /// Leaders for whom nobody waits any more.
    orphans: Vec<RequestId>,
}

/// A flight as somebody finds it who might join.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) waiters: u64,
    pub(crate) tier: u8,
}

impl Flights {
    /// Finds a flight; none where nobody asks. Of another route, which would be chance, nobody takes an answer.
    pub(crate) fn find(&self, key: u64, route: &str) -> Option<Found> {
        let flight = self.by_key.get(&key).filter(|flight| flight.route == route)?;
        Some(Found { waiters: flight.waiters.len() as u64, tier: flight.tier })
    }

    /// Begins a flight; says whether there is none already.
    pub(crate) fn lead(&mut self, key: u64, route: &str, leader: RequestId) -> bool {
        if self.by_key.contains_key(&key) {
            return false;
        }
        self.put(key, (route.into(), leader, BTreeSet::new()), 1);
        true
    }

    fn put(&mut self, key: u64, (route, leader, waiters): (String, RequestId, BTreeSet<RequestId>), go: usize) {
        let flight = Flight { route, leader, waiters, tier: 0, go, begun: false, abandoned: false, after: None };
        self.by_key.insert(key, flight);
        self.by_leader.insert(leader, key);
    }

    /// Lets somebody wait.
    pub(crate) fn join(&mut self, key: u64, waiter: RequestId) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.waiters.insert(waiter);
        }
    }

    /// Lets somebody wait no longer.
    pub(crate) fn leave(&mut self, key: u64, waiter: RequestId) {
        let Some(flight) = self.by_key.get_mut(&key) else { return };
        if flight.waiters.remove(&waiter) && flight.waiters.is_empty() && flight.abandoned {
            self.orphans.push(flight.leader);
        }
    }

    /// Notes which tier the leader asks.
    pub(crate) fn asks(&mut self, key: u64, tier: u8) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.tier = tier;
        }
    }

    /// Notes that the leader's client has begun to get a stream.
    pub(crate) fn begins(&mut self, key: u64) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.begun = true;
        }
    }

    /// Says whether the leader's client has begun to get a stream, and it goes on.
    pub(crate) fn has_begun(&self, key: u64) -> bool {
        self.by_key.get(&key).is_some_and(|flight| flight.begun && flight.after.is_none())
    }

    /// Notes that the leader's client is gone; says whether it has to go on for others (FLIGHT-3).
    pub(crate) fn abandon(&mut self, key: u64) -> bool {
        let Some(flight) = self.by_key.get_mut(&key) else { return false };
        flight.abandoned = true;
        !flight.waiters.is_empty()
    }

    /// Returns which tier is asked, or was last.
    pub(crate) fn tier(&self, key: u64) -> u8 {
        self.by_key.get(&key).map_or(0, |flight| flight.tier)
    }

    /// Notes that the leader's request is over.
    pub(crate) fn over(&mut self, key: u64, after: After) {
        if let Some(flight) = self.by_key.get_mut(&key) {
            flight.after = Some(after);
        }
    }

    /// Ends the flight of a leader that is over, whose answer others may have or not; returns what that means, and for whom. What the
    /// first of them leads then keeps the rest.
    pub(crate) fn land(&mut self, leader: RequestId, kept: bool) -> Option<(After, Vec<RequestId>)> {
        let key = *self.by_leader.get(&leader)?;
        let after = match self.by_key.get(&key)?.after? {
            After::Whole(_) if !kept => After::Own,
            after => after,
        };
        self.by_leader.remove(&leader);
        let Flight { route, mut waiters, go, .. } = self.by_key.remove(&key)?;
        let (going, go) = match after {
            After::Whole(_) => return Some((after, waiters.into_iter().collect())),
            After::Own => (go, go.saturating_mul(2)),
            After::Failed(_) => (usize::MAX, 1),
            After::Left => (1, go),
        };
        let going: Vec<_> = core::iter::from_fn(|| waiters.pop_first()).take(going).collect();
        if let Some(next) = going.first() {
            self.put(key, (route, *next, waiters), go);
        }
        Some((after, going))
    }

    /// Takes a leader whose client is gone and for whom nobody waits any more.
    pub(crate) fn orphan(&mut self) -> Option<RequestId> {
        self.orphans.pop()
    }

    /// Returns how many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.by_key.values().map(|flight| flight.waiters.len()).sum()
    }

    /// Returns how many wait on a route.
    pub(crate) fn waiting_on(&self, route: &str) -> usize {
        self.by_key.values().filter(|flight| flight.route == route).map(|flight| flight.waiters.len()).sum()
    }

    /// Returns how many answers are on their way.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }
}
