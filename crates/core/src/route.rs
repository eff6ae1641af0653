//! Route: the tier at which a route starts, and the episodes in which that is not tier 0.
//!
//! It does not choose for a single request: `plan` does that, from the same breakers. It is what status, headers and
//! transitions speak of.
//!
//! # Invariants
//! - `ROUTE-1`: fail-over is immediate; fail-back waits until the path is Closed and the dwell is over (F-182).
//! - `ROUTE-2`: per path, at most 1 + 2 × elapsed / dwell changes since it was first left, be that while the route stood elsewhere;
//!   the dwell is the breaker's `open` time (rule 8).
//! - `ROUTE-3`: every transition names the path that moved, and the way down names what tripped it (G-001).
//! - `ROUTE-4`: a route that is pinned does not start above its pin; where no model is left there and below, it is pinned no
//!   more (F-183).

use alloc::{boxed::Box, vec, vec::Vec};

use crate::{
    breaker::BreakerState,
    certificate::Stepped,
    clock::Nanos,
    domain::Shut,
    drift::{Drift, DriftPolicy, DriftState, Kept, Proposing},
    id::{PathId, RouteId},
    output::Output,
    path::{Generation, Lane, PathState, Paths},
    pin::{Held, Pin},
    probe::Readiness,
    proof::Redundancy,
    reason::Reason,
    revision::{Method, Operation, Route, Tier},
    transition::{Proposal, Rule, Transition, Trip},
};

/// How a route is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It starts at tier 0.
    Normal,
    /// It starts below tier 0.
    Degraded,
    /// It starts below tier 0, and a path above is being given its traffic back.
    Recovering,
    /// No tier is left to start at.
    Exhausted,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Degraded, Self::Recovering, Self::Exhausted];

    /// Returns the word that records, status and metrics use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Degraded => "degraded",
            Self::Recovering => "recovering",
            Self::Exhausted => "exhausted",
        }
    }
}

/// A route as it stands, for status and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteState {
    /// How it is doing.
    pub phase: Phase,
    /// The tier at which it starts; the number of tiers where none is left.
    pub tier: u8,
    /// Why it starts there.
    pub reason: Reason,
    /// Since when, on the shell's clock.
    pub since: Nanos,
    /// The tier at which it starts by its breakers alone, as its last transition said. A gate closes and opens too often for
    /// each time to be a transition.
    pub start: u8,
    /// How it stands with drift, where it does anything about it.
    pub drift: Option<DriftState>,
    /// Its tiers, in order.
    pub tiers: Vec<TierState>,
}

/// A tier as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierState {
    /// The worst of its breakers.
    pub breaker: BreakerState,
    /// The breaker of each operation of its route.
    pub operations: Vec<(Operation, BreakerState)>,
    /// Whether a request may start on it now, for one of its operations at least.
    pub eligible: bool,
    /// The gate that keeps every request from it, where one does.
    pub gate: Option<Shut>,
    /// What its replicas say of themselves, in their order; nothing for work in this process.
    pub readiness: Vec<Readiness>,
    /// When it last answered well, on the shell's clock.
    pub exercised: Option<Nanos>,
    /// Whether it counts as redundancy.
    pub redundancy: Redundancy,
    /// The members of an ensemble, in their order; it stands as the best of them do of which as many are as must vote.
    pub members: Vec<MemberState>,
}

impl TierState {
    /// Says whether requests are given to it as to a tier that is well, and not one by one to find out: its breaker is open or half
    /// open for no operation, and not all of its replicas are taken out.
    pub(crate) fn is_trusted(&self) -> bool {
        let out = !self.readiness.is_empty() && self.readiness.iter().all(|it| *it == Readiness::Out);
        matches!(self.breaker, BreakerState::Closed | BreakerState::Ramp) && !out
    }
}

/// A member of an ensemble as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberState {
    /// Which path.
    pub path: PathId,
    /// The worst of its breakers.
    pub breaker: BreakerState,
    /// The breaker of each operation of its route.
    pub operations: Vec<(Operation, BreakerState)>,
    /// Whether a request may start on it now.
    pub eligible: bool,
}

impl RouteState {
    /// Goes on to the first tier that no gate keeps requests from (F-051).
    pub(crate) fn pass_gates(&mut self) {
        let start = usize::from(self.start);
        let Some(shut) = self.tiers.get(start).and_then(|tier| tier.gate) else { return };
        let open = (start..self.tiers.len()).find(|at| self.tiers[*at].eligible);
        self.phase = if open.is_some() { Phase::Degraded } else { Phase::Exhausted };
        self.tier = open.unwrap_or(self.tiers.len()) as u8;
        self.reason = shut.reason;
        self.since = self.since.max(shut.since);
    }
}

/// Where a route starts, and what barred the tiers above.
#[derive(Clone, Debug)]
pub(crate) struct RouteMachine {
    start: u8,
    reason: Reason,
    since: Nanos,
    episodes: u32,
    /// Per tier, since when it has been barred.
    barred: Vec<Option<Nanos>>,
    /// Per tier, whose state that is.
    slots: Vec<u32>,
    pin: Pin,
    pub(crate) drift: Drift,
    /// How many steps it has gone back from its certificate, and the tier above which it may not start for that.
    pub(crate) steps: u8,
    safe: u8,
}

impl RouteMachine {
    pub(crate) fn new(now: Nanos, tiers: usize) -> Self {
        Self {
            start: 0,
            reason: Reason::PrimaryHealthy,
            since: now,
            episodes: 0,
            barred: vec![None; tiers],
            slots: Vec::new(),
            pin: Pin::default(),
            drift: Drift::default(),
            steps: 0,
            safe: 0,
        }
    }

    /// Goes on under another revision: tiers that the revision keeps are barred as they were, and one that takes over the state
    /// of another by that. A pin ends: its tier may be another one now.
    pub(crate) fn adopt(&mut self, now: Nanos, generation: &Generation, route: RouteId, paths: &Paths) {
        let tiers = &generation.revision.routes[route.index()].tiers;
        let slots: Vec<u32> = tiers.iter().map(|tier| generation.slot(tier.path)).collect();
        let stands = Standing { generation, paths };
        let barred = |(slot, tier): (&u32, &Tier)| match self.slots.iter().position(|it| it == slot) {
            Some(before) => self.barred[before],
            None => (stands.worst(tier).0 != BreakerState::Closed).then_some(now),
        };
        self.barred = slots.iter().zip(tiers).map(barred).collect();
        self.slots = slots;
        self.pin = Pin::default();
    }

    /// Returns the episode that a request falls into.
    pub(crate) fn episode(&self) -> Option<u32> {
        (self.start > 0).then_some(self.episodes)
    }

    /// Returns where the route is pinned.
    pub(crate) fn held(&self, now: Nanos) -> Option<Held> {
        self.pin.at(now)
    }

    /// Returns how the route is doing.
    pub(crate) fn phase(&self, generation: &Generation, route: RouteId, paths: &Paths) -> Phase {
        let tiers = &generation.revision.routes[route.index()].tiers;
        let stands = Standing { generation, paths };
        let ramping = |at: usize| stands.worst(&tiers[at]).0 == BreakerState::Ramp;
        match usize::from(self.start) {
            0 => Phase::Normal,
            start if start >= tiers.len() => Phase::Exhausted,
            start if self.drift.is_returning() || (0..start).any(ramping) => Phase::Recovering,
            _ => Phase::Degraded,
        }
    }

    /// Returns where the route is held for drift.
    pub(crate) fn kept(&self, now: Nanos, policy: Option<&DriftPolicy>) -> Option<Kept> {
        self.drift.kept(now, policy)
    }

    /// Looks at what is known of its drift; returns the proposal and the transition that follow, if any, and when to look again.
    pub(crate) fn look_at_drift(
        &mut self,
        now: Nanos,
        generation: &Generation,
        route: RouteId,
    ) -> ([Option<Output>; 2], Option<Nanos>) {
        let of = &generation.revision.routes[route.index()];
        let (policy, before) = (of.drift.as_ref(), self.drift.above());
        let proposing = self.drift.turn(now, policy);
        let proposed = proposing.map(|it| self.proposal(now, generation, route, it));
        let cause = Cause { rule: Rule::Drift, path: None, trip: self.drift.trip() };
        // What else has changed with a revision is the breakers' to say.
        let moves = before != self.drift.above() && (cause.trip.is_some() || self.first(now, &of.tiers) <= self.start);
        let moved = if moves { self.moved(now, (generation, route), cause) } else { None };
        ([proposed, moved], self.drift.due(now, policy))
    }

    /// Returns how far the route has gone back from its certificate, where it has.
    pub(crate) fn stepped(&self, of: &Route) -> Option<Stepped> {
        Stepped::of(self.steps, of.certificate)
    }

    /// Looks at how far it has gone back; returns the transition that follows, if one does (STEP-3).
    pub(crate) fn look_at_steps(&mut self, now: Nanos, generation: &Generation, route: RouteId) -> Option<Output> {
        let of = &generation.revision.routes[route.index()];
        let stepped = self.stepped(of);
        let safe = stepped.map_or(0, Stepped::above);
        let before = core::mem::replace(&mut self.safe, safe);
        let trip = stepped.filter(|_| safe > before).map(Stepped::trip);
        // What else has changed with a revision is the breakers' to say.
        let moves = before != safe && (trip.is_some() || self.first(now, &of.tiers) <= self.start);
        let cause = Cause { rule: Rule::Certificate, path: None, trip };
        if moves { self.moved(now, (generation, route), cause) } else { None }
    }

    fn proposal(&self, at: Nanos, generation: &Generation, route: RouteId, it: Proposing) -> Output {
        let (stands, reason) = match it {
            Proposing::Begins => (true, self.drift.reason()),
            Proposing::Ends(reason) => (false, reason),
        };
        let policy = generation.revision.routes[route.index()].drift.as_ref();
        Output::Proposed(Box::new(Proposal {
            at,
            revision: generation.revision.clone(),
            route,
            start_at: policy.map_or(0, |it| it.start_at),
            stands,
            reason,
            samples: self.drift.samples(),
        }))
    }

    /// Looks at the breaker of one tier after it may have moved; returns the transition that follows, if any, and when
    /// to look again.
    pub(crate) fn look(&mut self, now: Nanos, at: Look<'_>) -> (Option<Output>, Option<Nanos>) {
        let tier = usize::from(at.tier);
        let path = at.generation.path(at.path());
        let (state, trip) = Standing { generation: at.generation, paths: at.paths }.worst(at.tier());
        let dwell = path.breaker.open;
        let again = match (state, self.barred[tier]) {
            (BreakerState::Closed, Some(since)) if now.saturating_sub(since) < dwell => Some(since + dwell),
            (BreakerState::Closed, Some(_)) => {
                self.barred[tier] = None;
                None
            }
            (BreakerState::Open, None) => {
                self.barred[tier] = Some(now);
                None
            }
            _ => None,
        };
        let cause = Cause { rule: Rule::Breaker, path: Some(at.path()), trip };
        let moved = self.moved(now, (at.generation, at.route), cause);
        (moved, again.into_iter().chain(self.held(now).map(|held| held.until)).min())
    }

    /// Returns the state for people and programs.
    pub(crate) fn state(&self, now: Nanos, generation: &Generation, route: RouteId, paths: &Paths) -> RouteState {
        let (held, of) = (self.held(now), &generation.revision.routes[route.index()]);
        let drift = self.drift.kept(now, of.drift.as_ref());
        let safe = self.stepped(of).map_or(0, Stepped::above);
        let stands = Standing { generation, paths };
        let tiers = of.tiers.iter().zip(0..).map(|(tier, at)| {
            let held = held.is_some_and(|held| held.left(now, at) > 0) || drift.is_some_and(|it| it.leaves_alone(at));
            let breaker = stands.worst(tier).0;
            let operations = of.protocol.operations().iter().map(|it| (*it, stands.operation(tier, *it))).collect();
            let eligible = stands.is_open(tier) && !held && at >= safe;
            TierState {
                breaker,
                operations,
                eligible,
                gate: None,
                readiness: Vec::new(),
                exercised: None,
                redundancy: Redundancy::Unproven,
                members: stands.members(tier, of.protocol.operations()),
            }
        });
        RouteState {
            phase: self.phase(generation, route, paths),
            tier: self.start,
            reason: self.reason,
            since: self.since,
            start: self.start,
            drift: self.drift.state(now, of.drift.as_ref()),
            tiers: tiers.collect(),
        }
    }

    /// Returns the first tier that may be started at, not above a pin; lifts a pin that leaves no model.
    fn first(&mut self, now: Nanos, tiers: &[Tier]) -> u8 {
        let barred = |at: usize| self.drift.bars(at) || at < usize::from(self.safe);
        let free = |at: &usize| self.barred[*at].is_none() && !barred(*at);
        let model = |at: &usize| !matches!(tiers[*at].method, Method::Default | Method::Cache);
        let from = self.held(now).map_or(0, |held| usize::from(held.tier));
        if let Some(pinned) = (from..tiers.len()).filter(model).find(free).filter(|_| from > 0) {
            return pinned as u8;
        }
        self.pin.lift();
        (0..tiers.len()).find(free).unwrap_or(tiers.len()) as u8
    }

    fn moved(&mut self, now: Nanos, at: (&Generation, RouteId), cause: Cause) -> Option<Output> {
        let ((generation, route), Cause { rule, path, trip }) = (at, cause);
        let tiers = &generation.revision.routes[route.index()].tiers;
        let start = self.first(now, tiers);
        if start == self.start {
            return None;
        }
        let (from, to) = (core::mem::replace(&mut self.start, start), start);
        if from == 0 {
            self.episodes += 1;
        }
        let down = to > from;
        // What was kept of earlier answers is no model that a route could rest on.
        let rests = |tier: &Tier| !matches!(tier.method, Method::Default | Method::Cache);
        let model = tiers.get(usize::from(to)).is_some_and(rests);
        let cause = match down && self.pin.fell(now, model.then_some(to)) {
            true => Reason::FlapLimitHold,
            false => trip.map_or(Reason::BreakerOpen, |trip| trip.reason),
        };
        self.since = now;
        let reason = if down { cause } else { Reason::RecoveryRamp };
        if down || to == 0 {
            self.reason = if down { cause } else { Reason::PrimaryHealthy };
        }
        Some(Output::Transition(Box::new(Transition {
            at: now,
            revision: generation.revision.clone(),
            route,
            from,
            to,
            reason,
            rule,
            path: path.unwrap_or(tiers[usize::from(from.min(to))].path),
            trip: trip.filter(|_| down),
            episode: self.episodes,
        })))
    }
}

/// What moves a route.
struct Cause {
    rule: Rule,
    /// The path whose breaker moved; none where none did.
    path: Option<PathId>,
    trip: Option<Trip>,
}

/// Which tier to look at, and where it stands.
pub(crate) struct Look<'a> {
    pub(crate) generation: &'a Generation,
    pub(crate) paths: &'a Paths,
    pub(crate) route: RouteId,
    pub(crate) tier: u8,
}

impl Look<'_> {
    fn tier(&self) -> &Tier {
        &self.generation.revision.routes[self.route.index()].tiers[usize::from(self.tier)]
    }

    fn path(&self) -> PathId {
        self.tier().path
    }
}

/// How tiers stand: as their paths, and an ensemble as the worst of the best members of which as many are as must vote.
#[derive(Clone, Copy)]
struct Standing<'a> {
    generation: &'a Generation,
    paths: &'a Paths,
}

impl Standing<'_> {
    fn path(&self, path: PathId) -> &PathState {
        self.paths.state(self.generation.slot(path))
    }

    /// Returns what holds for a tier, by what holds for its path, or for each member of it.
    fn of<T: Copy>(&self, tier: &Tier, state: impl Fn(&PathState) -> (BreakerState, T)) -> (BreakerState, T) {
        let Some(ensemble) = &tier.ensemble else { return state(self.path(tier.path)) };
        let mut members: Vec<_> = ensemble.members.iter().map(|path| state(self.path(*path))).collect();
        members.sort_by_key(|it| it.0);
        members[usize::from(ensemble.quorum) - 1]
    }

    /// Returns the worst state over the operations of a tier, and what tripped it.
    fn worst(&self, tier: &Tier) -> (BreakerState, Option<Trip>) {
        let closed = (BreakerState::Closed, None);
        self.of(tier, |path| path.worst().map_or(closed, |lane| (lane.state(), lane.trip())))
    }

    fn operation(&self, tier: &Tier, operation: Operation) -> BreakerState {
        self.of(tier, |path| (path.seen(operation).map_or(BreakerState::Closed, Lane::state), ())).0
    }

    fn is_open(&self, tier: &Tier) -> bool {
        match &tier.ensemble {
            None => self.path(tier.path).is_open(),
            Some(it) => {
                let open = it.members.iter().filter(|path| self.path(**path).is_open());
                open.count() >= usize::from(it.quorum)
            }
        }
    }

    fn members(&self, tier: &Tier, operations: &[Operation]) -> Vec<MemberState> {
        let member = |path: &PathId| {
            let state = self.path(*path);
            let stands = |lane: Option<&Lane>| lane.map_or(BreakerState::Closed, Lane::state);
            let operations = operations.iter().map(|it| (*it, stands(state.seen(*it)))).collect();
            MemberState { path: *path, breaker: stands(state.worst()), operations, eligible: state.is_open() }
        };
        tier.ensemble.iter().flat_map(|it| &it.members).map(member).collect()
    }
}
