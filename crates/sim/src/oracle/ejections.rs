//! Ejections: replicas that were taken out because they are worse than their peers (F-103, F-104).
//!
//! It compares nothing itself. It sees how many peers there were, and when the last one was taken out.
//!
//! # When it misleads
//! With other addresses a comparison begins anew, and the next one may be taken out sooner: here addresses stay.

use std::collections::BTreeMap;

use evenkeel_core::{BreakerChange, Nanos, Operation, PathId, ReplicaId, SECOND};

/// Others that a comparison needs at the least.
const OTHERS: usize = 2;
/// How long it takes to be found beyond twice in a row, with nothing known before.
const TWICE: Nanos = 20 * SECOND;

/// A replica that was taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ejection {
    pub(super) path: PathId,
    pub(super) operation: Operation,
    pub(super) replica: ReplicaId,
}

/// What was taken out of the replicas of every path.
#[derive(Debug, Default)]
pub(super) struct Ejections {
    /// By what was told with this input.
    told: Vec<Ejection>,
    last: BTreeMap<(PathId, Operation), Nanos>,
}

impl Ejections {
    /// Notes a breaker that has moved, where a comparison opened it.
    pub(super) fn told(&mut self, it: &BreakerChange) {
        let compared = it.turn.trip.is_some_and(|trip| trip.rule == "F-103");
        let (path, operation) = (it.path, it.operation);
        let ejection = |replica| Ejection { path, operation, replica };
        self.told.extend(it.replica.filter(|_| compared).map(ejection));
    }

    /// Returns those that are to be judged: the input is over.
    pub(super) fn take(&mut self) -> Vec<Ejection> {
        std::mem::take(&mut self.told)
    }

    /// Judges one, by how many others are admitted, and how many have to be.
    pub(super) fn judge(
        &mut self,
        now: Nanos,
        it: Ejection,
        (left, min_available): (usize, usize),
    ) -> Result<(), (&'static str, String)> {
        let before = self.last.insert((it.path, it.operation), now).map(|before| now - before);
        match before {
            _ if left < OTHERS => Err(("F-103", format!("is taken out by a comparison with {left} others"))),
            _ if left < min_available => {
                Err(("F-104", format!("is taken out, which leaves {left} of {min_available} that have to be there")))
            }
            Some(since) if since < TWICE => {
                Err(("F-104", format!("is taken out {since} ns after another, by counts that did not start at zero")))
            }
            _ => Ok(()),
        }
    }
}
