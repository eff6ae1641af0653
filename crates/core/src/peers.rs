//! Peers: finds the replica that is worse than the others (F-103, F-104).
//!
//! Each replica has a breaker, which judges it by itself and works with two. This one compares, so it finds grey failures: a
//! tenth of the answers bad, or twice as slow, where that is not enough for a breaker. It opens nothing; it says which replica.
//!
//! # Why the median
//! What is normal is what most replicas do. A mean is moved by the one that is sought; the median, and the median distance from
//! it, are not, as long as most are well. When most are ill nobody is found, and the path's breaker is the one to judge.
//!
//! # Invariants
//! - `PEER-1`: nobody is found among fewer than three replicas with twenty samples each.
//! - `PEER-2`: nobody is found who was not beyond the same bound at two judgements in a row, with ten seconds between them.
//! - `PEER-3`: at least `min_available` admitted replicas are left; one replica is found at a time, the worst.
//! - `PEER-4`: after an ejection its counts, and all strikes, start at zero.
//!
//! # When it misleads
//! A replica that gets the hard requests is worse without being ill; sizes are evened out, contents are not. With three
//! replicas the median is one of them.
//!
//! # Source
//! Median absolute deviation as in Hampel's identifier (1974); outlier detection of Envoy, with the median for its mean.

use alloc::vec::Vec;

use crate::{
    class::ResultCode,
    clock::{Nanos, SECOND},
    id::ReplicaId,
    median::median,
};

/// Replicas that a comparison needs (PEER-1).
const REPLICAS: usize = 3;
/// Samples of each that it needs.
const SAMPLES: u64 = 20;
/// Slots of the window, and their length: a minute in all. A judgement at most once per slot, so that two of them differ.
const SLOTS: usize = 6;
const SLOT: Nanos = 10 * SECOND;
/// How many deviations from the median are beyond.
const DEVIATIONS: u64 = 5;
/// The least deviations, without which five alike replicas would eject each other for a single failure: two in a hundred
/// failures, so ten beyond the median, and a tenth of the median latency, so half of it beyond.
const LEAST_PERMILLE: u64 = 20;
const LEAST_TENTH: u64 = 10;
/// The most that one answer counts, in points: one of twenty that hangs must not look like twenty that are slow.
const MOST: u64 = 10_000;
/// Judgements in a row (PEER-2).
const STRIKES: u8 = 2;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Failures in a thousand outcomes.
    Failures,
    /// The mean latency of answers, in points of `load`.
    Latency,
}

impl Measure {
    const ALL: [Self; 2] = [Self::Failures, Self::Latency];

    /// Returns the least deviation around a median.
    fn least(self, median: u64) -> u64 {
        match self {
            Self::Failures => LEAST_PERMILLE,
            Self::Latency => (median / LEAST_TENTH).max(1),
        }
    }
}

/// A replica that is worse than its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outlier {
    pub(crate) replica: ReplicaId,
    pub(crate) measure: Measure,
    pub(crate) value: u64,
    /// What it is beyond.
    pub(crate) bound: u64,
    /// What its breaker is opened with: the failure that came last, or that it is slow.
    pub(crate) result: ResultCode,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    epoch: u64,
    good: u64,
    bad: u64,
    /// The sum over the good ones.
    points: u64,
}

/// The last minute of one replica.
#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    slots: [Slot; SLOTS],
    /// Judgements in a row at which it was beyond, by measure.
    strikes: [u8; 2],
    /// The failure that came last.
    failed: Option<ResultCode>,
}

impl Peer {
    fn slot(&mut self, now: Nanos) -> &mut Slot {
        let epoch = now / SLOT + 1;
        let slot = &mut self.slots[(epoch % SLOTS as u64) as usize];
        if slot.epoch != epoch {
            *slot = Slot { epoch, ..Slot::default() };
        }
        slot
    }

    /// Returns what it shows of a measure; none while there are too few samples.
    fn value(&self, now: Nanos, measure: Measure) -> Option<u64> {
        let oldest = (now / SLOT + 2).saturating_sub(SLOTS as u64).max(1);
        let (good, bad, points) = self
            .slots
            .iter()
            .filter(|slot| slot.epoch >= oldest)
            .fold((0, 0, 0), |sum, slot| (sum.0 + slot.good, sum.1 + slot.bad, sum.2 + slot.points));
        match measure {
            Measure::Failures => (good + bad >= SAMPLES).then(|| bad * 1_000 / (good + bad)),
            Measure::Latency => (good >= SAMPLES).then(|| points / good),
        }
    }
}

/// The replicas of one path and operation, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    peers: Vec<Peer>,
    min_available: usize,
    judged: Nanos,
}

impl Peers {
    pub(crate) fn new(replicas: usize, min_available: usize) -> Self {
        Self { peers: alloc::vec![Peer::default(); replicas], min_available, judged: 0 }
    }

    /// Goes on with other bounds.
    pub(crate) fn adopt(&mut self, min_available: usize) {
        self.min_available = min_available;
    }

    /// Counts an answer that came, with its latency, in points of `load`.
    pub(crate) fn good(&mut self, now: Nanos, replica: ReplicaId, points: u64) {
        if let Some(peer) = self.peers.get_mut(replica.index()) {
            let slot = peer.slot(now);
            (slot.good, slot.points) = (slot.good + 1, slot.points + points.min(MOST));
        }
    }

    /// Counts a failure that is evidence against the replica; our own faults are none (F-106).
    pub(crate) fn bad(&mut self, now: Nanos, replica: ReplicaId, result: ResultCode) {
        if let Some(peer) = self.peers.get_mut(replica.index()) {
            peer.slot(now).bad += 1;
            peer.failed = Some(result);
        }
    }

    /// Compares, at most once per slot, those replicas that are admitted, and returns the worst that is beyond for the second time.
    /// The caller opens its breaker.
    pub(crate) fn judge(&mut self, now: Nanos, admitted: impl Fn(ReplicaId) -> bool) -> Option<Outlier> {
        if self.peers.len() < REPLICAS || now.saturating_sub(self.judged) < SLOT {
            return None;
        }
        self.judged = now;
        let admitted: Vec<ReplicaId> =
            (0..self.peers.len()).map(|at| ReplicaId(at as u16)).filter(|replica| admitted(*replica)).collect();
        let found = Measure::ALL.map(|measure| self.compare(now, measure, &admitted)).into_iter().flatten().next()?;
        if admitted.len() <= self.min_available {
            return None;
        }
        self.peers[found.replica.index()] = Peer::default();
        self.peers.iter_mut().for_each(|peer| peer.strikes = [0; 2]);
        Some(found)
    }

    /// Returns what an answer of one that is not admitted is beyond: the bound of those that are. None where it is within, or
    /// where they are too few to say, or fewer than there have to be.
    pub(crate) fn beyond(&self, now: Nanos, points: u64, admitted: impl Fn(ReplicaId) -> bool) -> Option<u64> {
        let admitted = (0..self.peers.len()).filter(|at| admitted(ReplicaId(*at as u16)));
        let values: Vec<u64> = admitted.filter_map(|at| self.peers[at].value(now, Measure::Latency)).collect();
        // It is one of those that a comparison needs itself.
        let enough = values.len() + 1 >= REPLICAS.max(self.min_available + 1);
        bound_of_any(Measure::Latency, values).filter(|bound| enough && points > *bound)
    }

    /// Counts the strikes of one measure, and returns the worst replica that has enough of them.
    fn compare(&mut self, now: Nanos, measure: Measure, admitted: &[ReplicaId]) -> Option<Outlier> {
        let at = measure as usize;
        let shown = |replica: &ReplicaId| Some((*replica, self.peers[replica.index()].value(now, measure)?));
        let values: Vec<(ReplicaId, u64)> = admitted.iter().filter_map(shown).collect();
        let bound = bound(measure, values.iter().map(|(_, value)| *value).collect());
        let beyond = |index| {
            let value = values.iter().find(|(replica, _)| replica.index() == index)?.1;
            bound.filter(|bound| value > *bound)
        };
        for (index, peer) in self.peers.iter_mut().enumerate() {
            peer.strikes[at] = if beyond(index).is_some() { peer.strikes[at].saturating_add(1) } else { 0 };
        }
        let struck = values.iter().filter(|(replica, _)| self.peers[replica.index()].strikes[at] >= STRIKES);
        // Of equals the first in order.
        let worst = struck.max_by_key(|(replica, value)| (*value, core::cmp::Reverse(*replica)));
        worst.zip(bound).map(|(&(replica, value), bound)| {
            let failed = self.peers[replica.index()].failed.filter(|_| measure == Measure::Failures);
            Outlier { replica, measure, value, bound, result: failed.unwrap_or(ResultCode::Slow) }
        })
    }
}

/// Returns what is beyond, for these values; none where there are too few of them.
fn bound(measure: Measure, values: Vec<u64>) -> Option<u64> {
    if values.len() < REPLICAS { None } else { bound_of_any(measure, values) }
}

/// Returns the same of however many; none of none.
fn bound_of_any(measure: Measure, values: Vec<u64>) -> Option<u64> {
    let middle = median(values.clone())?;
    let distances: Vec<u64> = values.into_iter().map(|value| value.abs_diff(middle)).collect();
    let deviation = median(distances)?.max(measure.least(middle));
    Some(middle.saturating_add(deviation.saturating_mul(DEVIATIONS)))
}

#[cfg(test)]
mod tests;
