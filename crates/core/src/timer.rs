//! Timers: what wants to be called when, in one ordered set.
//!
//! Each owner has at most one entry, for its soonest time. A time that moved later is not moved here: the entry fires
//! early, the owner says its real time and is armed again. That keeps a stream of progress from costing a search each.
//!
//! # Invariants
//! - `TIM-1`: an owner that asked for a time is called at that time or before it, never after.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::{
    clock::Nanos,
    id::{AttemptId, RequestId},
};

/// Who wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Request(RequestId),
    Path(u32),
    Route(u16),
    Leaving(AttemptId),
    Shadow(AttemptId),
    Probes,
}

/// The set of times.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    order: BTreeSet<(Nanos, Owner)>,
    armed: BTreeMap<Owner, Nanos>,
}

impl Timers {
    /// Calls the owner at `at` or before.
    pub(crate) fn arm(&mut self, owner: Owner, at: Nanos) {
        match self.armed.get_mut(&owner) {
            Some(before) if *before <= at => return,
            Some(before) => {
                self.order.remove(&(*before, owner));
                *before = at;
            }
            None => {
                self.armed.insert(owner, at);
            }
        }
        self.order.insert((at, owner));
    }

    /// Forgets the owner.
    pub(crate) fn disarm(&mut self, owner: Owner) {
        if let Some(at) = self.armed.remove(&owner) {
            self.order.remove(&(at, owner));
        }
    }

    /// Returns the soonest time and whose it is.
    pub(crate) fn next(&self) -> Option<(Nanos, Owner)> {
        self.order.first().copied()
    }

    /// Says whether only probes want to be called.
    pub(crate) fn only_probes(&self) -> bool {
        self.armed.keys().all(|owner| *owner == Owner::Probes)
    }

    /// Takes the soonest owner whose time has come.
    pub(crate) fn take(&mut self, now: Nanos) -> Option<Owner> {
        let (at, owner) = self.next().filter(|(at, _)| *at <= now)?;
        self.order.remove(&(at, owner));
        self.armed.remove(&owner);
        Some(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_called_at_its_soonest_time_and_in_order() {
        let mut timers = Timers::default();
        let [one, two] = [1, 2].map(|n| Owner::Request(RequestId(n)));
        timers.arm(two, 20);
        timers.arm(one, 30);
        timers.arm(one, 10);
        timers.arm(one, 40);
        assert_eq!(timers.next(), Some((10, one)), "TIM-1");
        assert_eq!(
            [timers.take(9), timers.take(20), timers.take(20), timers.take(99)],
            [None, Some(one), Some(two), None]
        );
    }
}
