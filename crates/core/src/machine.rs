//! Core: one machine for a group of routes that share upstreams, single writer.
//!
//! `handle` takes an input, `poll` gives the outputs that it caused, `next_timeout` says when to call again. Nothing
//! else happens: no clock is read, no bit drawn, no thread started.
//!
//! # Invariants
//! - `CORE-1`: after `handle`, every open request has an attempt, a wait, or has ended.
//! - `CORE-2`: the outputs are a function of the inputs and their times (rule 12).
//! - `CORE-3`: whatever comes in, clocks that have fired are heard first: a shell that is late with its timeouts changes
//!   when things happen, not what is allowed to happen.

mod origin;
mod shadow;
mod work;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};

use crate::{
    breaker::BreakerState,
    budget::Budget,
    change::BreakerChange,
    clock::{Nanos, SECOND},
    domain::Gates,
    drift::RouteSignal,
    flight::{After, Flights},
    hedge::HedgePolicy,
    id::{AttemptId, PathId, RequestId, RouteId, UpstreamId},
    input::{Admit, Event, Input},
    limits::{Leaving, Limits},
    output::{Output, Refusal},
    path::{Generation, Lane, Paths},
    probe::{Probes, Readiness},
    request::{Arrival, Request, Running, World},
    revision::{Operation, Revision, Where},
    route::{Look, RouteMachine, RouteState},
    sequence::Sequences,
    shadow::Shadows,
    timer::{Owner, Timers},
};

pub use origin::Origin;
pub use work::{Purse, Work};

/// Open requests that a core holds; beyond it, new ones are refused.
const MAX_OPEN: usize = 65_536;

/// A shell that is this late did not run at all: what it missed is nobody's silence but its own (PR-09, PR-10).
const PAUSE: Nanos = SECOND;

/// Who wants to be called at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A clock of a request's attempt, or the pause before its retry.
    Request(RequestId),
    /// A breaker's open time, a lease, or a step of a ramp.
    Path,
    /// A dwell.
    Route(RouteId),
    /// A cancelled attempt whose close was not seen.
    Cancelled(AttemptId),
    /// A clock of a shadow.
    Shadow(AttemptId),
    /// A replica that is to be asked whether it is ready.
    Probe,
}

/// What the core remembers of a route across revisions.
#[derive(Debug)]
struct RouteSlot {
    machine: RouteMachine,
    budget: Budget,
    hedges: Budget,
    shadowing: Budget,
    /// Requests that wait for some tier to recover, with since when, the longest first (F-166).
    waiting: Vec<(Nanos, RequestId)>,
}

/// The decision core.
#[derive(Debug)]
pub struct Core {
    generation: Arc<Generation>,
    paths: Paths,
    gates: Gates,
    limits: Limits,
    probes: Probes,
    routes: BTreeMap<String, RouteSlot>,
    requests: BTreeMap<RequestId, Request>,
    sequences: Sequences,
    shadows: Shadows,
    flights: Flights,
    running: BTreeMap<AttemptId, RequestId>,
    timers: Timers,
    outputs: VecDeque<Output>,
    attempts: u64,
    touched: Vec<u32>,
    /// The process stops: whoever comes now is refused.
    draining: bool,
    /// When it last heard anything.
    heard: Nanos,
}

impl Core {
    /// Starts with a revision, all breakers closed.
    pub fn new(now: Nanos, revision: Arc<Revision>) -> Self {
        let mut core = Self {
            generation: Arc::default(),
            paths: Paths::default(),
            gates: Gates::default(),
            limits: Limits::default(),
            probes: Probes::default(),
            routes: BTreeMap::new(),
            requests: BTreeMap::new(),
            sequences: Sequences::default(),
            shadows: Shadows::default(),
            flights: Flights::default(),
            running: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            attempts: 0,
            touched: Vec::new(),
            draining: false,
            heard: now,
        };
        core.apply(now, revision);
        core
    }

    /// Takes in what happened; what follows from it waits in [`Core::poll`].
    pub fn handle(&mut self, now: Nanos, input: Input) {
        self.timeout(now);
        match input {
            Input::Admit(admit) => self.admit(now, admit),
            Input::Attempt { attempt, event } => self.event(now, attempt, event),
            Input::Splice { attempt, splice } => {
                if let Some(&request) = self.running.get(&attempt) {
                    self.with(request, |it, world| it.spliced(now, splice, world));
                }
            }
            Input::Landed { request, kept } => self.land(now, request, kept),
            Input::ClientGone { request } => self.with(request, |it, world| it.client_gone(now, world)),
            Input::Probed { probe, found } => {
                self.probes.heard(now, probe, found);
                self.arm_probes();
            }
            Input::Signal { route, name, value, samples } => {
                let of = self.generation.revision.routes.get(route.index());
                if let Some(slot) = of.and_then(|of| self.routes.get_mut(&of.name)) {
                    match name {
                        RouteSignal::Certificate => slot.machine.steps = u8::try_from(value).unwrap_or(u8::MAX),
                        RouteSignal::Drift | RouteSignal::OutputDrift => {
                            slot.machine.drift.hear(now, name, (value, samples));
                        }
                    }
                    self.look_at_route(now, route);
                }
            }
            Input::Revision(revision) => self.apply(now, revision),
            Input::Timeout => {}
            Input::Drain => {
                self.draining = true;
                let open: Vec<_> = self.requests.keys().copied().collect();
                open.into_iter().for_each(|request| self.with(request, |it, world| it.drain(now, world)));
                self.stop_shadows(now);
            }
        }
        while let Some(leader) = self.flights.orphan() {
            self.with(leader, |it, world| it.client_gone(now, world));
        }
        self.look(now);
    }

    /// Takes the next output; none once all are taken.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when the core wants [`Input::Timeout`], and for whom.
    pub fn next_timeout(&self) -> Option<(Nanos, Why)> {
        self.timers.next().map(|(at, owner)| match owner {
            Owner::Request(request) => (at, Why::Request(request)),
            Owner::Path(_) => (at, Why::Path),
            Owner::Route(route) => (at, Why::Route(RouteId(route))),
            Owner::Leaving(attempt) => (at, Why::Cancelled(attempt)),
            Owner::Shadow(attempt) => (at, Why::Shadow(attempt)),
            Owner::Probes => (at, Why::Probe),
        })
    }

    /// Returns the revision that new requests are decided by.
    pub fn revision(&self) -> &Arc<Revision> {
        &self.generation.revision
    }

    /// Returns the weight of the attempts in flight, also of those that were cancelled and are not seen closed.
    pub fn in_flight(&self) -> u64 {
        self.limits.in_flight()
    }

    /// Says whether nothing will happen any more but probes, if nobody comes.
    pub fn is_quiet(&self) -> bool {
        self.requests.is_empty() && self.shadows.is_empty() && self.timers.only_probes() && !self.probes.any_out()
    }

    /// Returns what the replicas of an upstream of the current revision say of themselves, in their order. Changes nothing.
    pub fn readiness(&self, upstream: UpstreamId) -> Vec<Readiness> {
        self.generation.watches[upstream.index()].iter().map(|watch| self.probes.readiness(*watch)).collect()
    }

    /// Returns how many places are taken in the queues before gates, in those of routes that wait for a recovery, and in those for an
    /// answer to another request.
    pub fn waiting(&self) -> usize {
        let routes = self.routes.values().map(|route| route.waiting.len()).sum::<usize>();
        self.gates.waiting() + routes + self.flights.waiting()
    }

    /// Returns how many requests of a route of the current revision wait for the answer to another one.
    pub fn waiters(&self, route: RouteId) -> usize {
        self.flights.waiting_on(&self.generation.revision.routes[route.index()].name)
    }

    /// Returns how many answers are on their way that others may wait for.
    pub fn flights(&self) -> usize {
        self.flights.len()
    }

    /// Returns how many sequences it keeps a path and a replica for, those among them that are being begun.
    pub fn sequences(&self) -> usize {
        self.sequences.len()
    }

    /// Returns how many requests are open.
    pub fn open(&self) -> usize {
        self.requests.len()
    }

    /// Returns how a route stands, for status and metrics. Changes nothing.
    pub fn route_state(&self, now: Nanos, route: RouteId) -> RouteState {
        let of = &self.generation.revision.routes[route.index()];
        let mut state = self.routes[&of.name].machine.state(now, &self.generation, route, &self.paths);
        for (at, tier) in state.tiers.iter_mut().enumerate() {
            let path = of.tiers[at].path;
            let before = self.generation.before(path);
            tier.gate = self.gates.shut(now, before);
            tier.eligible &= self.gates.admit(now, before);
            for member in &mut tier.members {
                member.eligible &= self.gates.admit(now, self.generation.before(member.path));
            }
            if let Some(ensemble) = &of.tiers[at].ensemble {
                let eligible = tier.members.iter().filter(|member| member.eligible).count();
                tier.eligible &= eligible >= usize::from(ensemble.quorum);
            }
            if let Where::Remote(upstream) = self.generation.path(path).place {
                tier.readiness = self.readiness(upstream);
            }
            (tier.exercised, tier.redundancy) = self.proven(now, of, (at, tier.eligible && tier.is_trusted()));
        }
        state.pass_gates();
        state
    }

    /// Returns how a path of the current revision stands for one operation: as its breaker, or as the best of its replicas
    /// where that is worse. Changes nothing.
    pub fn breaker(&self, path: PathId, operation: Operation) -> BreakerState {
        let lane = self.paths.state(self.generation.slot(path)).seen(operation);
        lane.map_or(BreakerState::Closed, Lane::state)
    }

    /// Returns how each replica of a path of the current revision stands for one operation, in their order; nothing where there
    /// is but one, or nothing was asked of it yet. Changes nothing.
    pub fn replicas(&self, path: PathId, operation: Operation) -> Vec<BreakerState> {
        let lane = self.paths.state(self.generation.slot(path)).seen(operation);
        lane.map_or(Vec::new(), |lane| lane.replica_states().collect())
    }

    fn admit(&mut self, now: Nanos, admit: Admit) {
        let (id, route) = (admit.request, admit.route);
        let barred = match () {
            () if self.draining => Some(Refusal::Draining),
            () if self.requests.len() >= MAX_OPEN => Some(Refusal::Overloaded),
            () => None,
        };
        let join = || self.sequences.join(&admit, &self.generation.revision);
        let (member, barred) = match barred.map_or_else(join, Err) {
            Ok(member) => (member, None),
            Err(why) => (None, Some(why)),
        };
        let slot = &self.routes[&self.generation.revision.routes[route.index()].name];
        let arrival = Arrival {
            generation: self.generation.clone(),
            phase: slot.machine.phase(&self.generation, route, &self.paths),
            episode: slot.machine.episode(),
            held: slot.machine.held(now),
            drift: slot.machine.kept(now, self.generation.revision.routes[route.index()].drift.as_ref()),
            stepped: slot.machine.stepped(&self.generation.revision.routes[route.index()]),
            member,
        };
        self.requests.insert(id, Request::new(now, admit, arrival));
        self.with(id, |request, world| match barred {
            Some(why) => request.refuse(now, world, why),
            None => request.begin(now, world),
        });
    }

    fn event(&mut self, now: Nanos, attempt: AttemptId, event: Event) {
        if self.shadowed(now, attempt, event) {
            return;
        }
        // An attempt that is no longer anybody's is not heard: it was cancelled, or its request is over. But its end frees the
        // room that it took.
        let Some(&request) = self.running.get(&attempt) else {
            if matches!(event, Event::Closed | Event::Ended { .. }) && self.limits.left(now, attempt).is_some() {
                self.timers.disarm(Owner::Leaving(attempt));
            }
            return;
        };
        let of = self.requests.get(&request).map(|it| (it.generation.clone(), it.admit.route));
        self.with(request, |it, world| it.event(now, (attempt, event), world));
        // Whoever waits for room has it before those who come next, the longest first (F-166).
        if let (Some((generation, route)), Event::Ended { .. }) = (of, event) {
            let slot = self.routes.get(&generation.revision.routes[route.index()].name);
            for (_, waiter) in slot.map_or(Vec::new(), |slot| slot.waiting.clone()) {
                self.with(waiter, |it, world| it.look_again(now, world));
            }
        }
    }

    /// Gives those who wait for a request's answer what came of it (F-145).
    fn land(&mut self, now: Nanos, leader: RequestId, kept: bool) {
        let Some((after, waiters)) = self.flights.land(leader, kept) else { return };
        for (at, waiter) in waiters.into_iter().enumerate() {
            self.with(waiter, |it, world| match after {
                After::Whole(tier) => it.share(now, world, tier),
                After::Failed(next) if at > 0 => it.go_below(now, world, next),
                After::Own | After::Failed(_) | After::Left => it.fly_alone(now, world, at == 0),
            });
        }
    }

    fn timeout(&mut self, now: Nanos) {
        let heard = core::mem::replace(&mut self.heard, now);
        self.sequences.expire(now);
        let late = self.timers.next().map_or(0, |(at, _)| now.saturating_sub(at));
        if late >= PAUSE {
            // With a moment more, to hear what has come in the meantime.
            let open: Vec<_> = self.requests.keys().copied().collect();
            open.into_iter().for_each(|request| {
                self.with(request, |it, world| it.paused((late + PAUSE, now.saturating_sub(heard)), world))
            });
            self.shadows.paused(late + PAUSE, now.saturating_sub(heard));
        }
        while let Some(owner) = self.timers.take(now) {
            match owner {
                Owner::Request(request) => self.with(request, |it, world| it.timeout(now, world)),
                Owner::Path(slot) => {
                    if let Some(state) = self.paths.find_mut(slot) {
                        state.tick(now);
                        self.touched.push(slot);
                    }
                }
                Owner::Route(route) => self.look_at_route(now, RouteId(route)),
                Owner::Shadow(attempt) => self.shadow_due(now, attempt),
                Owner::Probes => {
                    self.outputs.extend(self.probes.due(now, &self.generation));
                    self.arm_probes();
                }
                Owner::Leaving(attempt) => {
                    let ignored = self.limits.left(now, attempt);
                    let counted = |it: Leaving| Output::CancelIgnored { revision: it.revision, path: it.path, attempt };
                    self.outputs.extend(ignored.map(counted));
                }
            }
        }
    }

    /// Lets a request act on the world, then takes note of what it started, of its clocks, and of its end.
    fn with(&mut self, id: RequestId, act: impl FnOnce(&mut Request, &mut World<'_>)) {
        // They stand aside while one of them acts on all the rest.
        let mut requests = core::mem::take(&mut self.requests);
        if let Some(request) = requests.get_mut(&id) {
            let before = request.running();
            let mut world = self.world(&request.route().name);
            act(request, &mut world);
            self.note(id, before, request);
            if request.is_over() {
                requests.remove(&id);
            }
        }
        self.requests = requests;
    }

    /// Takes note of what a request, which has just acted, started and ended, of its clocks, and of its end.
    fn note(&mut self, id: RequestId, before: Running, request: &mut Request) {
        let after = request.running();
        if before != after {
            for attempt in before.into_iter().flatten() {
                self.running.remove(&attempt);
            }
            self.running.extend(after.into_iter().flatten().map(|attempt| (attempt, id)));
        }
        if request.is_over() {
            if let Some(member) = request.member.take() {
                self.sequences.settle(self.heard, member);
            }
            self.timers.disarm(Owner::Request(id));
        } else if let Some(due) = request.due() {
            // A clock that is already in the past fires with the next input, or with the timeout that it asks for now.
            self.timers.arm(Owner::Request(id), due);
        }
    }

    /// Returns what a request of a route, or a shadow of one, may touch.
    fn world(&mut self, route: &str) -> World<'_> {
        let route = self.routes.get_mut(route).expect("a route lives as long as its requests and their shadows");
        World {
            paths: &mut self.paths,
            gates: &mut self.gates,
            limits: &mut self.limits,
            probes: &mut self.probes,
            timers: &mut self.timers,
            budget: &mut route.budget,
            hedges: &mut route.hedges,
            shadowing: &mut route.shadowing,
            shadows: &mut self.shadows,
            waiting: &mut route.waiting,
            flights: &mut self.flights,
            outputs: &mut self.outputs,
            attempts: &mut self.attempts,
            touched: &mut self.touched,
        }
    }

    /// Looks at the paths whose breakers may have moved: arms their times, and says where their routes start now.
    fn look(&mut self, now: Nanos) {
        self.stand();
        let mut touched = core::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for slot in touched.drain(..) {
            let Some(state) = self.paths.find_mut(slot) else { continue };
            state.follow();
            if let Some(due) = state.due(now) {
                self.timers.arm(Owner::Path(slot), due);
            }
            // What the revision in force does not name is nobody's to ask about.
            if let Some(at) = self.generation.slots.iter().position(|it| *it == slot) {
                let (revision, path) = (&self.generation.revision, PathId(at as u16));
                let change = |(operation, replica, turn)| {
                    Output::Breaker(Box::new(BreakerChange {
                        at: now,
                        revision: revision.clone(),
                        path,
                        operation,
                        replica,
                        turn,
                    }))
                };
                self.outputs.extend(state.tell().into_iter().map(change));
                let route = self.generation.revision.paths[at].route;
                self.look_at_route(now, route);
            }
        }
        self.touched = touched;
    }

    /// Tells the paths what their replicas have said of themselves, where that has changed.
    fn stand(&mut self) {
        if !self.probes.take_changed() {
            return;
        }
        for (path, slot) in self.generation.revision.paths.iter().zip(&self.generation.slots) {
            let Where::Remote(upstream) = path.place else { continue };
            let watches = &self.generation.watches[upstream.index()];
            let standing = watches.iter().map(|watch| self.probes.standing(*watch)).collect();
            let operations = self.generation.revision.routes[path.route.index()].protocol.operations();
            self.paths.state_mut(*slot).stand(path, operations, standing);
            self.touched.push(*slot);
        }
    }

    fn arm_probes(&mut self) {
        if let Some(next) = self.probes.next() {
            self.timers.arm(Owner::Probes, next);
        }
    }

    fn look_at_route(&mut self, now: Nanos, route: RouteId) {
        let Some(of) = self.generation.revision.routes.get(route.index()) else {
            return;
        };
        let machine = &mut self.routes.get_mut(&of.name).expect("every route has a slot").machine;
        let (moved, again) = machine.look_at_drift(now, &self.generation, route);
        self.outputs.extend(moved.into_iter().flatten());
        self.outputs.extend(machine.look_at_steps(now, &self.generation, route));
        if let Some(again) = again {
            self.timers.arm(Owner::Route(route.0), again);
        }
        for tier in 0..of.tiers.len() as u8 {
            let at = Look { generation: &self.generation, paths: &self.paths, route, tier };
            let (moved, again) = machine.look(now, at);
            self.outputs.extend(moved);
            if let Some(again) = again {
                self.timers.arm(Owner::Route(route.0), again);
            }
        }
    }

    /// Returns the revisions that open requests finish on, each once.
    fn open_generations(&self) -> Vec<Arc<Generation>> {
        let mut open: Vec<Arc<Generation>> = Vec::new();
        for generation in self.requests.values().map(|it| &it.generation).chain(self.shadows.generations()) {
            if !open.iter().any(|it| Arc::ptr_eq(it, generation)) {
                open.push(generation.clone());
            }
        }
        open
    }

    /// Makes a revision the one for new requests; open ones finish on theirs (rule 9).
    fn apply(&mut self, now: Nanos, revision: Arc<Revision>) {
        let open = self.open_generations();
        let slots = self.paths.apply(&revision, |slot| open.iter().any(|it| it.slots.contains(&slot)));
        let passed = |gate| open.iter().flat_map(|it| &it.before).any(|before| before.all().any(|it| it == gate));
        let before = self.gates.apply(&revision, passed);
        let limited = |limiter| open.iter().flat_map(|it| it.limiters.iter().flatten()).any(|it| *it == limiter);
        let limiters = self.limits.apply(&revision, limited);
        let held = |name: &String| {
            let open = self.requests.values().any(|it| it.route().name == *name) || self.shadows.is_of(name);
            open || revision.routes.iter().any(|r| r.name == *name)
        };
        self.routes.retain(|name, _| held(name));
        for route in &revision.routes {
            let new = || RouteSlot {
                machine: RouteMachine::new(now, route.tiers.len()),
                budget: Budget::new(route.budget),
                hedges: Budget::new(HedgePolicy::of(Operation::Infer).purse()),
                shadowing: Budget::new(route.shadow.purse()),
                waiting: Vec::new(),
            };
            let slot = self.routes.entry(route.name.clone()).or_insert_with(new);
            slot.budget.policy = route.budget;
            slot.shadowing.policy = route.shadow.purse();
        }
        let watches = self.probes.apply(now, &revision);
        self.generation = Arc::new(Generation { revision, slots, before, limiters, watches });
        self.stand();
        self.arm_probes();
        for (at, route) in self.generation.revision.routes.iter().enumerate() {
            let slot = self.routes.get_mut(&route.name).expect("inserted above");
            slot.machine.adopt(now, &self.generation, RouteId(at as u16), &self.paths);
        }
        self.touched.extend(&self.generation.slots);
    }
}

#[cfg(test)]
mod tests;
