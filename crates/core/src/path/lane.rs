//! Lane: how a path stands for one operation, with a breaker of its own and one per replica where there are several.
//!
//! It chooses the replica and keeps what is measured of it; which lanes a path has, and what of them outlives a reload, is
//! `path`'s.
//!
//! # Invariants
//! - `PATH-1`: a path is admitted only if its own breaker and that of at least one replica admit (F-073).
//! - `PATH-2`: a failure that another replica mended counts against the replica alone (F-073).

use alloc::{boxed::Box, vec::Vec};

use crate::{
    breaker::{Breaker, BreakerState, Question, Verdict},
    class::ResultCode,
    clock::Nanos,
    domain::Gate,
    fact::Signal,
    first::First,
    hedge::Hedging,
    id::{AttemptId, ReplicaId},
    latency::Latency,
    load::{self, Loads},
    peers::{Outlier, Peers},
    probe::Standing,
    revision::{Operation, Path},
    slow::Pace,
    transition::Trip,
};

/// One lane of a path: its state for one operation.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) operation: Operation,
    /// An attempt has started on it; else it is there because readiness took something out.
    pub(super) asked: bool,
    pub(crate) breaker: Breaker,
    pub(crate) latency: Latency,
    /// None where the clock of its first contents is not learned.
    pub(crate) first: Option<Box<First>>,
    /// Closed for a moment to new streams after one broke that had begun to be sent (F-077).
    pub(crate) broken: Gate,
    pub(crate) pace: Pace,
    /// None where its path is never hedged.
    pub(crate) hedging: Option<Box<Hedging>>,
    /// One per replica, in the order of the revision; empty where there is but one.
    pub(super) replicas: Vec<Replica>,
    /// How long each of them would take now.
    pub(crate) loads: Loads,
    /// Which of them is worse than the others.
    pub(crate) peers: Peers,
}

/// One of several replicas of a lane.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) breaker: Breaker,
    /// Attempts that run there.
    pub(super) in_flight: u64,
    /// It did not answer its last probe in time.
    busy: bool,
}

impl Replica {
    pub(super) fn new(path: &Path) -> Self {
        Self { breaker: Breaker::new(path.breaker.clone()), in_flight: 0, busy: false }
    }
}

/// Which breakers have given an attempt a lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leased {
    /// The path's own: the attempt is its probe.
    pub(crate) path: bool,
    /// That of the replica.
    pub(crate) replica: bool,
}

/// Who asks a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) now: Nanos,
    /// The uniform bits of the request.
    pub(crate) entropy: u64,
    /// Nothing else can answer it.
    pub(crate) alone: bool,
}

impl Asker {
    fn asks(self, breaker: &Breaker) -> Question {
        let question = breaker.ask(self.now, self.entropy);
        if self.alone { question.for_one_alone() } else { question }
    }
}

impl Lane {
    /// Where there is but one replica, what its probes say holds for the path.
    pub(super) fn stand(&mut self, standing: &[Standing]) {
        let alone = standing.first().filter(|_| self.replicas.is_empty());
        self.breaker.stand(alone.and_then(|it| it.out));
        for (replica, it) in self.replicas.iter_mut().zip(standing) {
            replica.breaker.stand(it.out);
            replica.busy = it.busy;
        }
    }

    pub(super) fn follow(&mut self, other: &Self) {
        self.breaker.follow(&other.breaker);
        self.replicas.iter_mut().zip(&other.replicas).for_each(|(it, other)| it.breaker.follow(&other.breaker));
    }

    pub(super) fn breakers(&self) -> impl Iterator<Item = &Breaker> {
        core::iter::once(&self.breaker).chain(self.replicas.iter().map(|replica| &replica.breaker))
    }

    /// Returns what the path's breaker compares, and, where there are several, how many replicas are admitted: by their own
    /// breaker and, as `passable` says of each, by their gate.
    pub(crate) fn ask(&self, asker: Asker, passable: impl Fn(usize) -> bool) -> (Question, Option<Question>) {
        let admits = |(at, replica): (usize, &Replica)| asker.asks(&replica.breaker).admits() && passable(at);
        let open = self.replicas.iter().enumerate().filter(|it| admits(*it)).count();
        let replicas = (!self.replicas.is_empty()).then_some(Question {
            signal: Signal::Replicas,
            value: open as u64,
            threshold: 1,
        });
        (asker.asks(&self.breaker), replicas)
    }

    /// Chooses an admitted replica, not the one that was tried; none where there is no other. Of two that are drawn by entropy
    /// it is the one that would take less time (F-100). One that is half open comes first: the probe is a request in its turn
    /// (F-068), and what failed would else not be chosen for as long as its failures are remembered.
    pub(crate) fn choose(
        &self,
        asker: Asker,
        tried: Option<ReplicaId>,
        passable: impl Fn(usize) -> bool,
    ) -> Option<ReplicaId> {
        if self.replicas.is_empty() {
            return if tried.is_none() { Some(ReplicaId(0)) } else { None };
        }
        let may = |at: usize| {
            tried != Some(ReplicaId(at as u16)) && asker.asks(&self.replicas[at].breaker).admits() && passable(at)
        };
        let admitted: Vec<usize> = (0..self.replicas.len()).filter(|at| may(*at)).collect();
        let half_open = |at: &&usize| self.replicas[**at].breaker.half_open_by(asker.now);
        let chosen = match admitted.iter().find(half_open).filter(|_| tried.is_none()) {
            Some(probe) => *probe,
            None => {
                let score = |at: &usize| {
                    let replica = &self.replicas[*at];
                    self.loads.score(asker.now, *at, (replica.in_flight, replica.busy))
                };
                admitted[load::choose(asker.entropy, &admitted.iter().map(score).collect::<Vec<_>>())?]
            }
        };
        Some(ReplicaId(chosen as u16))
    }

    /// Says whether the breaker of one replica admits.
    pub(crate) fn admits(&self, asker: Asker, replica: ReplicaId) -> bool {
        self.replicas.get(replica.index()).is_none_or(|it| asker.asks(&it.breaker).admits())
    }

    /// Lets an attempt start.
    pub(crate) fn start(&mut self, now: Nanos, attempt: AttemptId, replica: ReplicaId, expires: Nanos) -> Leased {
        self.asked = true;
        let replica = self.replicas.get_mut(replica.index()).is_some_and(|it| {
            it.in_flight += 1;
            it.breaker.start(now, attempt, expires)
        });
        if self.broken.ask(now) == Some(0) {
            self.broken.pass(attempt);
        }
        Leased { path: self.breaker.start(now, attempt, expires), replica }
    }

    /// Notes that an attempt at a replica is over.
    pub(crate) fn left(&mut self, replica: ReplicaId) {
        if let Some(replica) = self.replicas.get_mut(replica.index()) {
            replica.in_flight = replica.in_flight.saturating_sub(1);
        }
    }

    /// Compares the replicas that are admitted, and opens the one that is worse than its peers; says whether there was one
    /// (F-103).
    pub(crate) fn compare(&mut self, now: Nanos, entropy: u64) -> bool {
        let open = |replica: ReplicaId| self.replicas[replica.index()].breaker.state() <= BreakerState::Ramp;
        let Some(Outlier { replica, value, bound, result, .. }) = self.peers.judge(now, open) else { return false };
        let trip = Trip::compared("F-103", result, (value, bound));
        self.replicas[replica.index()].breaker.worse(now, (entropy, trip));
        true
    }

    /// Hears how long a replica took, in points: a probe of it that is slower than its peers may be is late (F-070, F-103). Says
    /// whether it was.
    pub(crate) fn late(
        &mut self,
        now: Nanos,
        (attempt, replica): (AttemptId, ReplicaId),
        (points, entropy): (u64, u64),
    ) -> bool {
        let open = |replica: ReplicaId| self.replicas[replica.index()].breaker.state() <= BreakerState::Ramp;
        if self.replicas.get(replica.index()).is_none_or(|it| it.breaker.state() != BreakerState::HalfOpen) {
            return false;
        }
        let Some(bound) = self.peers.beyond(now, points, open) else { return false };
        let trip = Trip::compared("F-070", ResultCode::Slow, (points, bound));
        self.replicas[replica.index()].breaker.late(now, attempt, (entropy, trip));
        true
    }

    /// Renews the leases of an attempt that goes on.
    pub(crate) fn renew(&mut self, attempt: AttemptId, expires: Nanos) {
        self.breaker.renew(attempt, expires);
        self.replicas.iter_mut().for_each(|replica| replica.breaker.renew(attempt, expires));
    }

    /// Notes content of an attempt.
    pub(crate) fn content(&mut self, now: Nanos, attempt: AttemptId) {
        self.breaker.content(now, attempt);
        self.replicas.iter_mut().for_each(|replica| replica.breaker.content(now, attempt));
    }

    /// Counts an outcome against, or for, the replica alone; says whether its breaker is, or was, other than closed.
    pub(crate) fn record_replica(&mut self, now: Nanos, replica: ReplicaId, verdict: Verdict) -> bool {
        let Some(Replica { breaker, .. }) = self.replicas.get_mut(replica.index()) else { return false };
        let before = breaker.state();
        breaker.record(now, verdict);
        if (before, breaker.state()) == (BreakerState::HalfOpen, BreakerState::Ramp) {
            // Proven again: its ramp gives it its share, and not what its failures left behind.
            self.loads.forget(replica.index());
        }
        (before, breaker.state()) != (BreakerState::Closed, BreakerState::Closed)
    }

    /// Returns how the lane stands: as its breaker, or as the best of its replicas where that is worse (PATH-1).
    pub(crate) fn state(&self) -> BreakerState {
        self.worst().state()
    }

    /// Returns how each replica stands by its own breaker, in their order; nothing where there is but one.
    pub(crate) fn replica_states(&self) -> impl Iterator<Item = BreakerState> {
        self.replicas.iter().map(|replica| replica.breaker.state())
    }

    /// Returns what tripped it, until it is closed again.
    pub(crate) fn trip(&self) -> Option<Trip> {
        self.worst().trip()
    }

    fn worst(&self) -> &Breaker {
        let best = self.replicas.iter().map(|replica| &replica.breaker).min_by_key(|breaker| breaker.state());
        best.filter(|best| best.state() > self.breaker.state()).unwrap_or(&self.breaker)
    }

    /// Says whether it gives back traffic step by step, or one of its replicas does.
    pub(crate) fn is_ramping(&self) -> bool {
        self.breakers().any(|breaker| breaker.state() == BreakerState::Ramp)
    }

    /// Says whether one of its breakers is not closed.
    pub(crate) fn is_watched(&self) -> bool {
        self.breakers().any(|breaker| breaker.state() != BreakerState::Closed)
    }

    /// Returns how long until the path may be admitted again, as far as it is known.
    pub(crate) fn recovers_in(&self, now: Nanos) -> Nanos {
        let replica = self.replicas.iter().map(|replica| replica.breaker.recovers_in(now)).min().unwrap_or(0);
        self.breaker.recovers_in(now).max(replica)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{class::Evidence, revision::BreakerPolicy};

    #[test]
    fn f_073_a_lane_is_no_better_than_the_best_of_its_replicas() {
        let breaker = || Breaker::new(BreakerPolicy::default());
        let replicas = [breaker(), breaker()].map(|breaker| Replica { breaker, in_flight: 0, busy: false }).into();
        let (latency, pace, broken) = (Latency::new(), Pace::new(None), Gate::default());
        let (loads, peers) = (Loads::new(2), Peers::new(2, 1));
        let mut lane = Lane {
            operation: Operation::Chat,
            asked: true,
            breaker: breaker(),
            latency,
            first: None,
            pace,
            broken,
            hedging: None,
            replicas,
            loads,
            peers,
        };
        let result = ResultCode::ConnectFailed;
        let evidence = Evidence::Hard;
        for (replica, state) in [(0, BreakerState::Closed), (1, BreakerState::Open)] {
            for attempt in [1, 2].map(AttemptId) {
                let verdict = Verdict { attempt, result, status: None, evidence, repeated: false, entropy: 0 };
                lane.record_replica(0, ReplicaId(replica), verdict);
            }
            assert_eq!(lane.state(), state, "after replica {replica}");
        }
        assert_eq!(lane.trip().and_then(|trip| trip.result), Some(result));
    }
}
