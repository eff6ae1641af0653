//! Metrics of what is under way, of who waits, and of what is left to pay with; of second attempts, and of sequences.

use std::sync::atomic::AtomicU64;

use evenkeel_core::{AttemptRecord, Decision, End, Refusal, ResultCode, Role};
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Counters, Gauges, Labels};
use crate::{driver::UnderWay, names};

type Costs = Family<Labels, Gauge<f64, AtomicU64>>;

#[derive(Default)]
pub(super) struct Work {
    in_flight: Gauges,
    limit: Gauges,
    gate_waiters: Gauges,
    recovery_waiters: Gauges,
    balance: Costs,
    floor: Gauges,
    hedges: Counters,
    sequences: Gauge,
    sequences_lost: Counters,
}

impl Work {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "Weight in flight at the model of a path at a replica, whoever sent it";
        it.register(names::IN_FLIGHT, help, self.in_flight.clone());
        it.register(
            names::LIMIT,
            "The most weight that may be in flight there, where there is a limit",
            self.limit.clone(),
        );
        it.register(names::GATE_WAITERS, "Requests that wait for a gate of a path", self.gate_waiters.clone());
        let waiters = self.recovery_waiters.clone();
        it.register(names::RECOVERY_WAITERS, "Requests of a route that wait for one of its tiers", waiters);
        let balance = self.balance.clone();
        it.register(names::PURSE_BALANCE, "What a purse for extra attempts holds, in its unit of cost", balance);
        it.register(names::PURSE_FLOOR, "Extra attempts that are paid while the purse is empty", self.floor.clone());
        it.register(names::HEDGES, "Second attempts beside a slow one, by what became of them", self.hedges.clone());
        it.register(
            names::SEQUENCES,
            "Sequences of which the replica is kept that has their state",
            self.sequences.clone(),
        );
        let lost = self.sequences_lost.clone();
        it.register(names::SEQUENCES_LOST, "Requests refused because the state of their sequence is gone", lost);
    }

    pub(super) fn over(&self, decision: &Decision) {
        let route = || ("route", decision.revision.routes[decision.route.index()].name.clone());
        if decision.outcome.end == End::Refused(Refusal::SequenceLost) {
            self.sequences_lost.get_or_create(&vec![route()]).inc();
        }
        for (hedge, outcome) in hedges(&decision.attempts) {
            let path = decision.revision.paths[hedge.path.index()].name.clone();
            self.hedges.get_or_create(&vec![route(), ("path", path), ("outcome", outcome.into())]).inc();
        }
    }

    /// Notes how everything stands now.
    pub(super) fn stand(&self, now: &UnderWay) {
        for gauges in [&self.in_flight, &self.limit, &self.gate_waiters, &self.recovery_waiters, &self.floor] {
            gauges.clear();
        }
        self.balance.clear();
        let revision = &now.revision;
        let of = |path: &evenkeel_core::Path| {
            vec![("route", revision.routes[path.route.index()].name.clone()), ("path", path.name.clone())]
        };
        for work in &now.work {
            let mut labels = of(&revision.paths[work.path.index()]);
            labels.push(("replica", work.replica.0.to_string()));
            self.in_flight.get_or_create(&labels).set(signed(work.in_flight));
            if let Some(limit) = work.limit {
                self.limit.get_or_create(&labels).set(signed(limit));
            }
        }
        let remote = |path: &evenkeel_core::Path| matches!(path.place, evenkeel_core::Where::Remote(_));
        for (path, waiters) in revision.paths.iter().zip(&now.gate_waiters).filter(|(path, _)| remote(path)) {
            self.gate_waiters.get_or_create(&of(path)).set(signed(*waiters));
        }
        for (route, stands) in revision.routes.iter().zip(&now.routes) {
            let route = || ("route", route.name.clone());
            self.recovery_waiters.get_or_create(&vec![route()]).set(stands.recovery_waiters as i64);
            for (pays, purse) in stands.purses {
                let labels = vec![route(), ("pays", pays.into())];
                self.balance.get_or_create(&labels).set(purse.balance as f64 / 1e3);
                self.floor.get_or_create(&labels).set(purse.floor.into());
            }
        }
        self.sequences.set(now.sequences as i64);
    }
}

/// Finds the attempts that were started beside another one of the same path, with what became of each: it answered first, the
/// other did, or neither.
fn hedges(attempts: &[AttemptRecord]) -> impl Iterator<Item = (&AttemptRecord, &'static str)> {
    attempts.iter().enumerate().filter_map(|(at, hedge)| {
        let beside = |it: &&AttemptRecord| {
            (it.tier, it.path) == (hedge.tier, hedge.path) && it.start + it.duration > hedge.start
        };
        let other = attempts[..at].iter().filter(|_| hedge.role == Role::Answer).find(beside)?;
        let outcome = match (other.result, hedge.result) {
            (ResultCode::HedgeLost, _) => "won",
            (_, ResultCode::HedgeLost) => "lost",
            _ => "neither",
        };
        Some((hedge, outcome))
    })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use evenkeel_core::{AttemptId, PathId, ReplicaId};

    use super::*;

    /// Attempts on one path, with when each started, how long it took, and how it ended.
    fn attempts(of: &[(u64, u64, ResultCode)]) -> Vec<AttemptRecord> {
        let attempt = |(at, (start, duration, result)): (usize, &(u64, u64, ResultCode))| AttemptRecord {
            attempt: AttemptId(at as u64),
            tier: 0,
            path: PathId(0),
            replica: ReplicaId(0),
            start: *start,
            duration: *duration,
            first_content: None,
            result: *result,
            status: None,
            probe: false,
            role: Role::Answer,
            sent: false,
            rows: None,
        };
        of.iter().enumerate().map(attempt).collect()
    }

    #[test]
    fn f_095_a_second_attempt_beside_the_first_is_told_from_one_after_it() {
        use ResultCode::{FirstTokenTimeout, HedgeLost, Ok, Reset};
        for (of, expected) in [
            (&[(0, 9, HedgeLost), (5, 4, Ok)][..], &["won"][..]),
            (&[(0, 9, Ok), (5, 4, HedgeLost)], &["lost"]),
            (&[(0, 9, FirstTokenTimeout), (5, 9, Ok)], &["neither"]),
            (&[(0, 9, Reset), (9, 4, Ok)], &[]),
            (&[(0, 9, Reset), (12, 4, Ok)], &[]),
            (&[(0, 9, Ok)], &[]),
        ] {
            let attempts = attempts(of);
            assert_eq!(hedges(&attempts).map(|it| it.1).collect::<Vec<_>>(), expected, "{of:?}");
        }
        let mut elsewhere = attempts(&[(0, 9, Ok), (5, 4, HedgeLost)]);
        elsewhere[1].path = PathId(1);
        assert_eq!(hedges(&elsewhere).count(), 0, "members of an ensemble are asked at once, and are none");
    }
}
