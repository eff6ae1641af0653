//! Path: what the core remembers of a path while revisions come and go (F-074).
//!
//! A lane per operation. It is keyed by route, path and address, so a reload that keeps them keeps their state.

mod lane;

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use self::lane::Replica;
pub(crate) use self::lane::{Asker, Lane, Leased};
use crate::{
    breaker::{Breaker, BreakerState},
    change::BreakerTurn,
    clock::Nanos,
    domain::{Before, Gate},
    first::First,
    hedge::{HedgePolicy, Hedging},
    id::{PathId, ReplicaId},
    latency::Latency,
    load::Loads,
    peers::Peers,
    probe::Standing,
    proof::Proof,
    revision::{FirstClock, Operation, Path, Revision, Where},
    slow::Pace,
};

/// What keeps a path's state across revisions: its route and its own name.
pub(crate) type Key = (String, String);

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
