//! Path: what the core remembers of a path while revisions come and go (F-074).
//!
//! One breaker and one latency estimate per operation, and a breaker per replica where there are several. It is keyed by
//! route, path and address, so a reload that keeps them keeps their state.
//!
//! # Invariants
//! - `PATH-1`: a path is admitted only if its own breaker and that of at least one replica admit (F-073).
//! - `PATH-2`: a failure that another replica mended counts against the replica alone (F-073).

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use crate::{
    breaker::{Breaker, BreakerState, Question, Verdict},
    change::BreakerTurn,
    class::ResultCode,
    clock::Nanos,
    domain::{Before, Gate},
    fact::Signal,
    first::First,
    hedge::{HedgePolicy, Hedging},
    id::{AttemptId, PathId, ReplicaId},
    latency::Latency,
    load::{self, Loads},
    peers::{Outlier, Peers},
    probe::Standing,
    proof::Proof,
    revision::{FirstClock, Operation, Path, Revision, Where},
    slow::Pace,
    transition::Trip,
};

/// What keeps a path's state across revisions: its route and its own name.
pub(crate) type Key = (String, String);

/// One lane of a path: its state for one operation.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) operation: Operation,
    /// An attempt has started on it; else it is there because readiness took something out.
    asked: bool,
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
    replicas: Vec<Replica>,
    /// How long each of them would take now.
    pub(crate) loads: Loads,
    /// Which of them is worse than the others.
    pub(crate) peers: Peers,
}

/// One of several replicas of a lane.
#[derive(Clone, Debug)]
struct Replica {
    breaker: Breaker,
    /// Attempts that run there.
    in_flight: u64,
    /// It did not answer its last probe in time.
    busy: bool,
}

impl Replica {
    fn new(path: &Path) -> Self {
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

/// What the core remembers of a path.
#[derive(Clone, Debug)]
pub(crate) struct PathState {
    addresses: Vec<String>,
    min_available: usize,
    /// By address: what its probes say.
    standing: Vec<Standing>,
    pub(crate) lanes: Vec<Lane>,
    /// When it was exercised.
    pub(crate) proof: Proof,
}

impl PathState {
    /// Makes the state for a path, from what an earlier revision left of it.
    pub(crate) fn new(revision: &Revision, path: &Path, before: Option<&Self>) -> Self {
        let (addresses, min_available) = match path.place {
            Where::Remote(upstream) => {
                let it = &revision.upstreams[upstream.index()];
                (it.replicas.clone(), usize::from(it.min_available))
            }
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => (Vec::new(), 0),
        };
        let kept = before.filter(|old| {
            old.addresses == addresses || old.addresses.iter().any(|address| addresses.contains(address))
        });
        let (standing, lanes, proof) = (Vec::new(), Vec::new(), Proof::default());
        let mut state = Self { addresses, min_available, standing, lanes, proof };
        if let Some(old) = kept {
            state.proof = old.proof;
            state.lanes = old.lanes.iter().map(|lane| state.carry(path, lane, &old.addresses)).collect();
        }
        state
    }

    /// Carries a lane over: counts stay, policies are the new ones.
    fn carry(&self, path: &Path, old: &Lane, addresses: &[String]) -> Lane {
        let mut lane = old.clone();
        lane.breaker.adopt(&path.breaker);
        if old.replicas.is_empty() && self.addresses.len() > 1 {
            // What readiness says of the one that was alone says nothing of the others.
            lane.breaker.hand_over();
        }
        if self.addresses != addresses {
            // Whoever tries it does so at another place, and its end will not be heard here.
            lane.broken.release();
        }
        lane.pace.adopt(path.objective);
        lane.first = lane.first.filter(|_| learns(path)).or_else(|| first(path, old.operation));
        lane.hedging = lane.hedging.filter(|_| path.hedge).or_else(|| hedging(path, old.operation));
        let before = |address: &String| addresses.iter().position(|it| it == address);
        // With other addresses the path has another slot, and the attempts that run are counted in the old one.
        let same = self.addresses == addresses;
        let replica = |address: &String| {
            let kept = before(address).and_then(|at| old.replicas.get(at)).cloned();
            let mut replica = kept.unwrap_or_else(|| Replica::new(path));
            replica.breaker.adopt(&path.breaker);
            replica.in_flight = if same { replica.in_flight } else { 0 };
            replica
        };
        lane.replicas = self.several().iter().map(replica).collect();
        lane.loads = old.loads.carry(self.several().iter().map(before));
        match same {
            true => lane.peers.adopt(self.min_available),
            // With others to compare with, the comparison begins anew.
            false => lane.peers = Peers::new(lane.replicas.len(), self.min_available),
        }
        lane
    }

    fn several(&self) -> &[String] {
        if self.addresses.len() > 1 { &self.addresses } else { &[] }
    }

    /// Returns the lane of an operation, where it has been used.
    pub(crate) fn seen(&self, operation: Operation) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.operation == operation)
    }

    /// Returns the lane of an operation.
    pub(crate) fn lane(&mut self, path: &Path, operation: Operation) -> &mut Lane {
        if let Some(at) = self.lanes.iter().position(|lane| lane.operation == operation) {
            return &mut self.lanes[at];
        }
        let replicas: Vec<_> = self.several().iter().map(|_| Replica::new(path)).collect();
        let (loads, peers) = (Loads::new(replicas.len()), Peers::new(replicas.len(), self.min_available));
        let breaker = Breaker::new(path.breaker.clone());
        let (latency, pace, broken) = (Latency::new(), Pace::new(path.objective), Gate::default());
        let (first, hedging) = (first(path, operation), hedging(path, operation));
        let asked = false;
        self.lanes.push(Lane {
            operation,
            asked,
            breaker,
            latency,
            first,
            broken,
            pace,
            hedging,
            replicas,
            loads,
            peers,
        });
        let lane = self.lanes.last_mut().expect("one was just pushed");
        lane.stand(&self.standing);
        lane
    }

    /// Hears how its replicas stand by their probes (F-113). What is taken out is so for all that its clients may ask for: also
    /// what nobody has asked yet comes back half open, and is told of.
    pub(crate) fn stand(&mut self, path: &Path, operations: &[Operation], standing: Vec<Standing>) {
        self.standing = standing;
        if self.standing.iter().any(|it| it.out.is_some()) {
            for operation in operations {
                self.lane(path, *operation);
            }
        }
        self.lanes.iter_mut().for_each(|lane| lane.stand(&self.standing));
    }

    /// Says whether something may be asked of it: one of the operations that were asked, where there are such.
    pub(crate) fn is_open(&self) -> bool {
        let open = |lane: &Lane| lane.state() != BreakerState::Open;
        match self.lanes.iter().any(|lane| lane.asked) {
            true => self.lanes.iter().any(|lane| lane.asked && open(lane)),
            false => self.lanes.iter().all(open),
        }
    }

    /// Returns the lane that stands worst, of those that were asked where there are such: the others follow them.
    pub(crate) fn worst(&self) -> Option<&Lane> {
        self.lanes.iter().max_by_key(|lane| (lane.asked, lane.state()))
    }

    /// Returns the soonest time at which one of its breakers moves by itself.
    pub(crate) fn due(&self, now: Nanos) -> Option<Nanos> {
        self.lanes.iter().flat_map(|lane| lane.breakers()).filter_map(|breaker| breaker.due(now)).min()
    }

    /// Moves what time alone moves.
    pub(crate) fn tick(&mut self, now: Nanos) {
        for lane in &mut self.lanes {
            lane.breaker.tick(now, now);
            lane.replicas.iter_mut().for_each(|replica| replica.breaker.tick(now, now));
        }
    }

    /// Tells how its breakers have moved since they were last asked: by operation, its own first, then those of its replicas.
    pub(crate) fn tell(&mut self) -> Vec<(Operation, Option<ReplicaId>, BreakerTurn)> {
        let mut turns = Vec::new();
        for lane in &mut self.lanes {
            turns.extend(lane.breaker.tell().map(|turn| (lane.operation, None, turn)));
            for (at, replica) in (0..).map(ReplicaId).zip(&mut lane.replicas) {
                turns.extend(replica.breaker.tell().map(|turn| (lane.operation, Some(at), turn)));
            }
        }
        turns
    }

    /// Lets operations that nobody asks for follow those that have been proven again.
    pub(crate) fn follow(&mut self) {
        for at in 1..self.lanes.len() {
            let (before, rest) = self.lanes.split_at_mut(at);
            for other in before {
                other.follow(&rest[0]);
                rest[0].follow(other);
            }
        }
    }
}

fn learns(path: &Path) -> bool {
    path.clocks.first_content == FirstClock::Auto
}

fn first(path: &Path, operation: Operation) -> Option<Box<First>> {
    (operation.is_stream() && learns(path)).then(|| Box::new(First::new()))
}

fn hedging(path: &Path, operation: Operation) -> Option<Box<Hedging>> {
    path.hedge.then(|| Box::new(Hedging::new(HedgePolicy::of(operation))))
}

impl Lane {
    /// Where there is but one replica, what its probes say holds for the path.
    fn stand(&mut self, standing: &[Standing]) {
        let alone = standing.first().filter(|_| self.replicas.is_empty());
        self.breaker.stand(alone.and_then(|it| it.out));
        for (replica, it) in self.replicas.iter_mut().zip(standing) {
            replica.breaker.stand(it.out);
            replica.busy = it.busy;
        }
    }

    fn follow(&mut self, other: &Self) {
        self.breaker.follow(&other.breaker);
        self.replicas.iter_mut().zip(&other.replicas).for_each(|(it, other)| it.breaker.follow(&other.breaker));
    }

    fn breakers(&self) -> impl Iterator<Item = &Breaker> {
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

/// The states of all paths, under numbers that outlive a revision.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    slots: BTreeMap<u32, PathState>,
    keys: BTreeMap<Key, u32>,
    next: u32,
}

impl Paths {
    /// Finds or makes the slot of every path of a revision, and drops those that `used` does not name.
    pub(crate) fn apply(&mut self, revision: &Revision, used: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut keys = BTreeMap::new();
        let slots = revision.paths.iter().map(|path| {
            let key = (revision.routes[path.route.index()].name.clone(), path.name.clone());
            let before = self.keys.get(&key).copied();
            let state = PathState::new(revision, path, before.and_then(|slot| self.slots.get(&slot)));
            // A path whose addresses stay keeps its slot, so that requests on the old revision still speak of it.
            let same = before.filter(|slot| self.slots.get(slot).is_some_and(|old| old.addresses == state.addresses));
            let slot = same.unwrap_or_else(|| {
                self.next += 1;
                self.next
            });
            keys.insert(key, slot);
            self.slots.insert(slot, state);
            slot
        });
        let slots: Vec<u32> = slots.collect();
        self.keys = keys;
        self.slots.retain(|slot, _| slots.contains(slot) || used(*slot));
        slots
    }

    /// Returns the state in a slot that a live revision names.
    pub(crate) fn state(&self, slot: u32) -> &PathState {
        self.slots.get(&slot).expect("a slot lives as long as a revision that names it")
    }

    /// Returns the state in a slot that a live revision names, to be changed.
    pub(crate) fn state_mut(&mut self, slot: u32) -> &mut PathState {
        self.slots.get_mut(&slot).expect("a slot lives as long as a revision that names it")
    }

    /// Returns the state in a slot, where it still lives.
    pub(crate) fn find_mut(&mut self, slot: u32) -> Option<&mut PathState> {
        self.slots.get_mut(&slot)
    }
}

/// A revision with the slots, gates and limiters of its paths: what a request holds on to (rule 9).
#[derive(Debug, Default)]
pub(crate) struct Generation {
    pub(crate) revision: alloc::sync::Arc<Revision>,
    pub(crate) slots: Vec<u32>,
    /// By path: the gates that stand before it.
    pub(crate) before: Vec<Before>,
    /// By path: the limiters of its replicas.
    pub(crate) limiters: Vec<Vec<u32>>,
    /// By upstream: what is known of its replicas by their probes.
    pub(crate) watches: Vec<Vec<u32>>,
}

impl Generation {
    pub(crate) fn path(&self, path: PathId) -> &Path {
        &self.revision.paths[path.index()]
    }

    pub(crate) fn slot(&self, path: PathId) -> u32 {
        self.slots[path.index()]
    }

    pub(crate) fn before(&self, path: PathId) -> &Before {
        &self.before[path.index()]
    }

    /// Returns the watch of a replica; none for work in this process.
    pub(crate) fn watch(&self, path: PathId, replica: ReplicaId) -> Option<u32> {
        match self.path(path).place {
            Where::Remote(upstream) => self.watches[upstream.index()].get(replica.index()).copied(),
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => None,
        }
    }

    /// Returns the limiter of a replica; none for work in this process.
    pub(crate) fn limiter(&self, path: PathId, replica: ReplicaId) -> Option<u32> {
        self.limiters[path.index()].get(replica.index()).copied()
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
