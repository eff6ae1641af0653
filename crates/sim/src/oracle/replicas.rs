//! Replicas: each of several replicas of a path by itself: which may be asked, and who may move it (rules 4, 5, 8;
//! F-066, F-067, F-103, F-104).
//!
//! How the path stands, as the best of them, is `health`. While all are closed there is little to look at: the states of a path
//! are read once one of its requests was started.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::{
    AttemptId, BreakerChange, BreakerState, Core, Event, Nanos, Operation, PathId, ResultCode, Revision, Start, Where,
};

use super::{Broken, ejections::Ejections, flaps::Flaps, watch::Running};

/// What is known of the replicas of every path that has several.
#[derive(Debug)]
pub(super) struct Replicas {
    revision: Arc<Revision>,
    lanes: BTreeMap<(PathId, Operation), Vec<Replica>>,
    moves: Moves,
    ejections: Ejections,
}

/// What the input that came may move.
#[derive(Clone, Copy, Debug, Default)]
struct Moves {
    /// It is no evidence, so it may open nothing.
    neutral: bool,
    /// A time of the core has come, which may move anything.
    due: bool,
    /// A probe of readiness has come in.
    probed: bool,
}

#[derive(Clone, Debug)]
struct Replica {
    state: BreakerState,
    since: Nanos,
    /// Attempts that hold a lease, and since when they show content.
    probes: Vec<(AttemptId, Option<Nanos>)>,
    shown: bool,
    flaps: Flaps,
    /// Readiness has opened it, and it has not been closed since.
    out: bool,
}

impl Replica {
    fn new() -> Self {
        let state = BreakerState::Closed;
        Self { state, since: 0, probes: Vec::new(), shown: false, flaps: Flaps::default(), out: false }
    }
}

impl Replicas {
    pub(super) fn new(revision: Arc<Revision>) -> Self {
        Self { revision, lanes: BTreeMap::new(), moves: Moves::default(), ejections: Ejections::default() }
    }

    /// Notes what may move with the input that comes.
    pub(super) fn before(&mut self, now: Nanos, core: &Core, neutral: bool) {
        let due = !self.lanes.is_empty() && core.next_timeout().is_some_and(|(at, _)| at <= now);
        self.moves = Moves { neutral, due, ..Moves::default() };
    }

    /// Notes that a probe of readiness has come in.
    pub(super) fn probed(&mut self) {
        self.moves.probed = true;
    }

    /// Notes what an attempt reports.
    pub(super) fn event(&mut self, now: Nanos, running: &Running, event: Event) {
        match event {
            Event::Ended { result, .. } => {
                self.ended(running, result);
            }
            Event::FirstContent | Event::Progress => {
                let enough = self.revision.paths[running.path.index()].breaker.open;
                let Some(replica) = self.replica(running) else { return };
                let Some(at) = replica.probes.iter().position(|it| it.0 == running.attempt) else { return };
                replica.shown = true;
                if now - *replica.probes[at].1.get_or_insert(now) >= enough {
                    // Good enough: its lease has ended (F-070).
                    replica.probes.swap_remove(at);
                }
            }
            _ => {}
        }
    }

    /// Notes how an attempt ended.
    pub(super) fn ended(&mut self, running: &Running, result: ResultCode) {
        if let Some(replica) = self.replica(running) {
            let before = replica.probes.len();
            replica.probes.retain(|it| it.0 != running.attempt);
            replica.shown |= replica.probes.len() < before && result.is_answer();
        }
    }

    fn replica(&mut self, running: &Running) -> Option<&mut Replica> {
        self.lanes.get_mut(&(running.path, running.operation))?.get_mut(running.replica.index())
    }

    /// Notes that a breaker has moved: those of a path that nobody has used are looked at from then on.
    pub(super) fn told(&mut self, it: &BreakerChange) {
        self.lane(it.path, it.operation);
        self.ejections.told(it);
    }

    /// Returns what is known of the replicas of a path; none where there is but one.
    fn lane(&mut self, path: PathId, operation: Operation) -> Option<&mut Vec<Replica>> {
        let Where::Remote(upstream) = self.revision.paths[path.index()].place else { return None };
        let count = self.revision.upstreams[upstream.index()].replicas.len();
        (count > 1).then(|| self.lanes.entry((path, operation)).or_insert_with(|| vec![Replica::new(); count]))
    }

    /// Judges a start (rule 4): nothing at a replica that is open, and few at one that is half open.
    pub(super) fn started(&mut self, now: Nanos, start: &Start, operation: Operation) -> Result<(), Broken> {
        let (due, probes) = (self.moves.due, self.revision.paths[start.path.index()].breaker.probes as usize);
        let Some(lane) = self.lane(start.path, operation) else { return Ok(()) };
        let replica = &mut lane[start.replica.index()];
        let broken = |what: String| Err(("rule 4", Some(start.request), what));
        match replica.state {
            BreakerState::Open if !due => {
                return broken(format!("an attempt starts at a replica that is open since {} ns", now - replica.since));
            }
            // With a time that has come an open replica may have turned half open by now.
            BreakerState::Open | BreakerState::HalfOpen => {}
            BreakerState::Closed | BreakerState::Ramp => return Ok(()),
        }
        replica.probes.push((start.attempt, None));
        let most = if replica.shown { probes } else { 1 };
        match replica.probes.len() > most {
            true => broken(format!("{} probes of a replica at once, at most {most} may be", replica.probes.len())),
            false => Ok(()),
        }
    }

    /// Looks at the core after an input: who moved, and was it allowed to.
    pub(super) fn after(&mut self, now: Nanos, core: &Core) -> Result<(), Broken> {
        self.ejected(now, core)?;
        let (revision, moves) = (&self.revision, self.moves);
        for (&(path, operation), lane) in &mut self.lanes {
            let of = &revision.paths[path.index()];
            let states = core.replicas(path, operation);
            for (at, state) in states.into_iter().enumerate() {
                if state == lane[at].state {
                    continue;
                }
                turned(now, &mut lane[at], state, (&of.breaker, moves))
                    .map_err(|(rule, what)| (rule, None, format!("replica {at} of `{}` {what}", of.name)))?;
            }
        }
        Ok(())
    }

    /// Judges those that were taken out by a comparison with the others. Of how the others stood before the input and stand
    /// after it, the better counts: one may have come back just before, and breakers may leave fewer just after.
    fn ejected(&mut self, now: Nanos, core: &Core) -> Result<(), Broken> {
        for out in self.ejections.take() {
            let (of, lane) = (&self.revision.paths[out.path.index()], self.lanes.get(&(out.path, out.operation)));
            let (Where::Remote(upstream), Some(lane)) = (of.place, lane) else { continue };
            let least = usize::from(self.revision.upstreams[upstream.index()].min_available);
            let after = core.replicas(out.path, out.operation);
            let stand = lane.iter().zip(after).enumerate();
            let others = stand.filter(|(at, _)| *at != out.replica.index());
            let left = others.filter(|(_, (it, after))| it.state.min(*after) <= BreakerState::Ramp).count();
            self.ejections.judge(now, out, (left, least)).map_err(|(rule, what)| {
                (rule, None, format!("replica {} of `{}` {what}", out.replica.index(), of.name))
            })?;
        }
        Ok(())
    }
}

/// Judges a change of one breaker.
fn turned(
    now: Nanos,
    replica: &mut Replica,
    state: BreakerState,
    (policy, moves): (&evenkeel_core::BreakerPolicy, Moves),
) -> Result<(), (&'static str, String)> {
    use BreakerState::{Closed, HalfOpen, Open, Ramp};
    let (before, since) = (std::mem::replace(&mut replica.state, state), std::mem::replace(&mut replica.since, now));
    if state != HalfOpen {
        replica.probes.clear();
    }
    let was_out = replica.out;
    replica.shown = false;
    replica.out = state != Closed && (was_out || (moves.probed && state == Open));
    replica.flaps.turned(now, before, state);
    let longest = replica.flaps.longest(policy);
    let broken = |rule, what: String| Err((rule, what));
    match (before, state) {
        (_, Open) if moves.neutral && !moves.due => broken("rule 5", "opens by what is no evidence".into()),
        // Readiness has its own time, and what it alone has opened follows another operation of its path.
        (Open, HalfOpen) | (HalfOpen, Closed) if was_out => Ok(()),
        (Open, HalfOpen) if now - since < policy.open => {
            broken("F-066", format!("was open for {} ns only", now - since))
        }
        (Open, HalfOpen) if now - since > longest => {
            broken("F-067", format!("was open for {} ns, at most {longest} may be", now - since))
        }
        (Open, Ramp | Closed) | (HalfOpen, Closed) | (Closed, HalfOpen | Ramp) | (Ramp, HalfOpen) => {
            broken("rule 8", format!("goes from {} to {}", before.name(), state.name()))
        }
        (Ramp, Closed) if now - since < policy.open * policy.ramp.len() as u64 => {
            broken("rule 8", format!("has all its traffic back after {} ns", now - since))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
