//! Health: which paths may be asked, who may move them, and how often routes switch (rules 4, 5, 8).
//!
//! While everything is closed there is nothing to look at: states are read only from the first failure until all is well.

use std::sync::Arc;

use evenkeel_core::{
    AttemptId, BreakerChange, BreakerState, Core, Event, Evidence, Found, Nanos, Operation, Path, PathId, Probe,
    ProbeId, ResultCode, Revision, RouteId, Rule, Start, Transition, Where,
};

use super::{Broken, changes::Changes, flaps::Flaps, readiness::Readiness, replicas::Replicas, watch::Running};

/// Operations, in the order of the table.
const OPERATIONS: [Operation; 4] = [Operation::Chat, Operation::ChatStream, Operation::Embeddings, Operation::Infer];

/// What is known of breakers and switches.
#[derive(Debug)]
pub(super) struct Health {
    revision: Arc<Revision>,
    /// By path and operation.
    lanes: Vec<Lane>,
    /// Something has failed since everything was closed.
    sick: bool,
    /// Tiers 0 are closed, and the others may be asked.
    well: bool,
    /// The input is no evidence, so no breaker may open by it.
    neutral: bool,
    /// A time of the core has come with this input, which may move anything.
    due: bool,
    /// Whose attempt has shown something with this input: a path may be left also for an answer that came (F-064).
    shown: Option<(PathId, Operation)>,
    /// By route: the tier at which it starts.
    starts: Vec<u8>,
    /// By path: when it first caused a switch, and how often it has.
    switches: Vec<Option<(Nanos, u64)>>,
    /// Routes that have switched since the core was looked at.
    moved: Vec<RouteId>,
    readiness: Readiness,
    changes: Changes,
    replicas: Replicas,
}

#[derive(Clone, Debug)]
struct Lane {
    state: BreakerState,
    since: Nanos,
    /// Attempts that hold a lease, and since when they show content.
    probes: Vec<(AttemptId, Option<Nanos>)>,
    /// A probe has shown content since it is half open.
    shown: bool,
    used: bool,
    /// Readiness has opened it, and it has not been closed since.
    out: bool,
    first: bool,
    flaps: Flaps,
    /// It has several replicas, and stands as the best of them: its turns are those of none, and each is judged by itself.
    several: bool,
}

impl Health {
    pub(super) fn new(revision: Arc<Revision>) -> Self {
        let lane = |path: &Path| Lane {
            state: BreakerState::Closed,
            since: 0,
            probes: Vec::new(),
            shown: false,
            used: false,
            out: false,
            flaps: Flaps::default(),
            first: is_first(&revision, path),
            several: match path.place {
                Where::Remote(upstream) => revision.upstreams[upstream.index()].replicas.len() > 1,
                Where::Local | Where::Certain | Where::Stored | Where::Ensemble => false,
            },
        };
        let lanes = revision.paths.iter().flat_map(|path| [(); OPERATIONS.len()].map(|()| lane(path))).collect();
        Self {
            lanes,
            sick: false,
            well: true,
            neutral: false,
            due: false,
            shown: None,
            starts: vec![0; revision.routes.len()],
            switches: vec![None; revision.paths.len()],
            moved: Vec::new(),
            readiness: Readiness::default(),
            changes: Changes::default(),
            replicas: Replicas::new(revision.clone()),
            revision,
        }
    }

    fn lane(&mut self, path: PathId, operation: Operation) -> &mut Lane {
        &mut self.lanes[path.index() * OPERATIONS.len() + operation as usize]
    }

    /// Notes whether the input that comes may move a breaker.
    pub(super) fn before(&mut self, now: Nanos, core: &Core, neutral: bool) {
        self.neutral = neutral;
        self.replicas.before(now, core, neutral);
        // What is no evidence must leave everything closed, too: that is looked at.
        self.sick |= neutral;
        self.due = self.sick && core.next_timeout().is_some_and(|(at, _)| at <= now);
    }

    /// Looks at the breakers after this input, whatever it is.
    pub(super) fn suspect(&mut self) {
        self.sick = true;
    }

    /// Notes that a breaker has moved, as the core tells; also one that nobody has used: readiness may take it out.
    pub(super) fn told(&mut self, it: &BreakerChange) -> Result<(), Broken> {
        self.lane(it.path, it.operation).used = true;
        self.sick = true;
        self.replicas.told(it);
        self.changes.told(it)
    }

    /// Notes a probe that the core wants.
    pub(super) fn asked(&mut self, it: &Probe) {
        self.readiness.asked(it);
    }

    /// Notes what a probe found.
    pub(super) fn probed(&mut self, probe: ProbeId, found: Found) {
        self.readiness.probed(probe, found);
        self.replicas.probed();
    }

    /// Notes what an attempt reports.
    pub(super) fn event(&mut self, now: Nanos, running: &Running, event: Event) {
        self.shown = Some((running.path, running.operation));
        self.replicas.event(now, running, event);
        match event {
            Event::Ended { result, .. } => self.ended(now, running, result.at_tier(running.tier)),
            Event::FirstContent | Event::Progress if self.sick => self.content(now, running),
            _ => {}
        }
    }

    fn content(&mut self, now: Nanos, running: &Running) {
        let enough = self.revision.paths[running.path.index()].breaker.open;
        let lane = self.lane(running.path, running.operation);
        let Some(at) = lane.probes.iter().position(|it| it.0 == running.attempt) else { return };
        lane.shown = true;
        let since = *lane.probes[at].1.get_or_insert(now);
        if now - since >= enough {
            // Good enough: its lease has ended (F-070).
            lane.probes.swap_remove(at);
        }
    }

    /// Notes how an attempt ended.
    pub(super) fn ended(&mut self, _: Nanos, running: &Running, result: ResultCode) {
        self.replicas.ended(running, result);
        self.sick |= matches!(result.evidence(), Evidence::Hard | Evidence::Soft);
        if self.sick {
            let lane = self.lane(running.path, running.operation);
            let before = lane.probes.len();
            lane.probes.retain(|it| it.0 != running.attempt);
            lane.shown |= lane.probes.len() < before && result.is_answer();
        }
    }

    /// Judges a start (rule 4): nothing on an open path, and few on one that is half open.
    pub(super) fn started(&mut self, now: Nanos, start: &Start, operation: Operation) -> Result<(), Broken> {
        self.replicas.started(now, start, operation)?;
        let (due, most) = (self.due, self.revision.paths[start.path.index()].breaker.probes as usize);
        let sick = self.sick;
        let lane = self.lane(start.path, operation);
        lane.used = true;
        let broken = |what: String| Err(("rule 4", Some(start.request), what));
        match lane.state {
            BreakerState::Open if sick && !due => {
                return broken(format!("an attempt starts on a path that is open since {} ns", now - lane.since));
            }
            // With a time that has come an open path may have turned half open by now.
            BreakerState::Open | BreakerState::HalfOpen if sick && !lane.several => {}
            _ => return Ok(()),
        }
        lane.probes.push((start.attempt, None));
        let most = if lane.shown { most } else { 1 };
        match lane.probes.len() > most {
            true => broken(format!("{} probes at once, at most {most} may be", lane.probes.len())),
            false => Ok(()),
        }
    }

    /// Judges a switch (rule 8).
    pub(super) fn moved(&mut self, it: &Transition) -> Result<(), Broken> {
        let broken = |what: String| Err(("rule 8", None, what));
        let name = &self.revision.paths[it.path.index()].name;
        if it.from != self.starts[it.route.index()] || it.from == it.to {
            return broken(format!("a switch from tier {} to {}, which is not where the route stood", it.from, it.to));
        }
        self.starts[it.route.index()] = it.to;
        self.moved.push(it.route);
        if it.to > it.from && it.trip.is_none() {
            return broken(format!("a way down by `{name}` without a cause"));
        }
        if it.rule == Rule::Drift {
            return Ok(());
        }
        let dwell = self.revision.paths[it.path.index()].breaker.open;
        // Whose first switch is the way back was left while the route stood elsewhere, a dwell ago at the least.
        let unseen = (it.at.saturating_sub(dwell), 1);
        let begin = if it.to < it.from { unseen } else { (it.at, 0) };
        let (first, count) = self.switches[it.path.index()].get_or_insert(begin);
        *count += 1;
        let most = 1 + 2 * (it.at - *first) / dwell;
        if *count > most {
            return broken(format!("{count} switches by `{name}`, at most {most} may be"));
        }
        Ok(())
    }

    /// Looks at the core after an input: who moved, and was it allowed to (rules 4, 5, 8).
    pub(super) fn after(&mut self, now: Nanos, core: &Core) -> Result<(), Broken> {
        self.replicas.after(now, core)?;
        let shown = self.shown.take();
        self.sick |= shown.is_some_and(|(path, operation)| core.breaker(path, operation) != BreakerState::Closed);
        if !self.sick {
            return Ok(());
        }
        let (mut closed, mut well) = (true, true);
        for at in 0..self.lanes.len() {
            if self.lanes[at].used {
                let (path, operation) = (PathId((at / OPERATIONS.len()) as u16), OPERATIONS[at % OPERATIONS.len()]);
                let state = core.breaker(path, operation);
                self.turned(now, at, state)?;
                self.changes.judge((path, operation), state)?;
                let Lane { state, first, .. } = self.lanes[at];
                closed &= state == BreakerState::Closed;
                well &= state == BreakerState::Closed || (!first && state != BreakerState::Open);
            }
        }
        for route in std::mem::take(&mut self.moved) {
            let state = core.route_state(now, route);
            let open = state.tiers.iter().take_while(|tier| tier.breaker == BreakerState::Open).count();
            if usize::from(state.start) < open || state.start != self.starts[route.index()] {
                return Err(("rule 8", None, format!("a route starts at tier {}, {open} are open", state.start)));
            }
        }
        (self.sick, self.well) = (!closed, well);
        self.readiness.over();
        Ok(())
    }

    /// Judges a change of a breaker.
    fn turned(&mut self, now: Nanos, at: usize, state: BreakerState) -> Result<(), Broken> {
        use BreakerState::{Closed, HalfOpen, Open, Ramp};
        let path = &self.revision.paths[at / OPERATIONS.len()];
        let upstream = match path.place {
            Where::Remote(upstream) => Some(upstream),
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => None,
        };
        let lane = &mut self.lanes[at];
        if state == lane.state {
            return Ok(());
        }
        // With a time of the core that has come, it is not the probe that moves.
        let by_probe = self.readiness.judge(upstream, (lane.state, state)).filter(|_| !self.due && !lane.several);
        let was_out = lane.out;
        lane.out &= state != Closed;
        if let Some(Ok(out)) = by_probe {
            lane.out |= out;
        }
        let (before, since) = (std::mem::replace(&mut lane.state, state), std::mem::replace(&mut lane.since, now));
        if state != HalfOpen {
            lane.probes.clear();
        }
        lane.shown = false;
        lane.flaps.turned(now, before, state);
        let longest = lane.flaps.longest(&path.breaker);
        let broken = |rule, what: String| Err((rule, None, format!("`{}` {what}", path.name)));
        match (before, state) {
            (_, Open) if self.neutral && !self.due => broken("rule 5", "opens by what is no evidence".into()),
            _ if lane.several => Ok(()),
            _ if by_probe.as_ref().is_some_and(Result::is_err) => {
                let (rule, what) = by_probe.and_then(Result::err).expect("just seen");
                broken(rule, what)
            }
            // Readiness has its own time, and what it alone has opened follows another operation of its path.
            (Open, HalfOpen) | (HalfOpen, Closed) if was_out => Ok(()),
            (Open, HalfOpen) if now - since < path.breaker.open => {
                broken("F-066", format!("was open for {} ns only", now - since))
            }
            (Open, HalfOpen) if now - since > longest => {
                broken("F-067", format!("was open for {} ns, at most {longest} may be", now - since))
            }
            (Open | HalfOpen, Closed) | (Closed, HalfOpen | Ramp) => {
                broken("rule 8", format!("goes from {} to {}", before.name(), state.name()))
            }
            (Ramp, Closed) if now - since < path.breaker.open * path.breaker.ramp.len() as u64 => {
                broken("rule 8", format!("has all its traffic back after {} ns", now - since))
            }
            _ => Ok(()),
        }
    }

    /// Returns by how much a tier 0 that flaps may stay away for longer than one that does not.
    pub(super) fn away(&self) -> Nanos {
        let lanes = self.lanes.iter().enumerate().filter(|(_, lane)| lane.first && lane.used);
        let longer = lanes.map(|(at, lane)| lane.flaps.longer(&self.revision.paths[at / OPERATIONS.len()].breaker));
        longer.max().unwrap_or(0)
    }

    /// Says whether tiers 0 are closed, lower tiers may be asked, and every route starts at tier 0. A lower tier that nobody
    /// asks may stay half open: it is proven when it is needed, or by its tier shadow (F-150).
    pub(super) fn is_well(&self) -> bool {
        self.well && self.starts.iter().all(|tier| *tier == 0)
    }
}

/// Says whether a path is that of a tier 0, or a member of one.
fn is_first(revision: &Revision, path: &Path) -> bool {
    let tier = &revision.routes[path.route.index()].tiers[0];
    let members = tier.ensemble.iter().flat_map(|it| &it.members);
    tier.name == path.name || members.into_iter().any(|member| revision.paths[member.index()].name == path.name)
}
