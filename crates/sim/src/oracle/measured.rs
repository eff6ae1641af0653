//! Measured: what guards and detectors say keeps requests from the tiers that it is about, and moves a route no other way (G-001,
//! G-003).

use std::sync::Arc;

use evenkeel_core::{
    DriftMode, DriftPolicy, Nanos, Proposal, Reason, Revision, RouteId, RouteSignal, Rule, SECOND, Signal, Start,
    Transition,
};

use super::{Broken, watch::Watch};

/// For so long a detector is believed (F-184).
const BELIEVED: Nanos = 60 * SECOND;

/// What was said of a route.
#[derive(Clone, Debug, Default)]
struct Said {
    /// When, of what, and what.
    words: Vec<(Nanos, RouteSignal, u64)>,
    proposed: bool,
    /// When it was last taken down for drift.
    down: Option<Nanos>,
}

#[derive(Debug)]
pub(super) struct Measured {
    revision: Arc<Revision>,
    /// By route.
    said: Vec<Said>,
}

impl Measured {
    pub(super) fn new(revision: Arc<Revision>) -> Self {
        Self { said: vec![Said::default(); revision.routes.len()], revision }
    }

    fn policy(&self, route: RouteId) -> Option<&DriftPolicy> {
        self.revision.routes[route.index()].drift.as_ref()
    }

    /// Notes what a detector says.
    pub(super) fn told(&mut self, now: Nanos, route: RouteId, (name, value): (RouteSignal, u64)) {
        self.said[route.index()].words.push((now, name, value));
    }

    /// Says whether the alarm of a route stood before a moment.
    fn alarmed(&self, route: RouteId, before: Nanos) -> bool {
        let last = self.said[route.index()].words.iter().rev().find(|(at, ..)| *at < before);
        last.is_some_and(|(at, _, value)| *value >= 2 && before - at <= BELIEVED)
    }

    /// Says whether an alarm may have a reason, by what was said last.
    fn names(&self, route: RouteId, reason: Reason) -> bool {
        let last = self.said[route.index()].words.last().map(|it| it.1);
        let outputs = last == Some(RouteSignal::OutputDrift);
        reason == if outputs { Reason::PredictionDrift } else { Reason::InputDrift }
    }

    /// Judges a start: no tier is asked that a guard, or drift under `enforce`, keeps it from.
    pub(super) fn started(&self, start: &Start, watch: &Watch) -> Result<(), Broken> {
        let route = &self.revision.routes[watch.admit.route.index()];
        let broken = |what: &str| Err(("G-003", Some(start.request), format!("{what}: {start:?}")));
        let breached = |signal: Signal, threshold: u64| {
            let value = watch.admit.verdict.of(signal);
            let rare = matches!(signal, Signal::AnomalyP | Signal::DistanceP);
            value.is_some_and(|value| if rare { value <= threshold } else { value > threshold })
        };
        let mut guards = route.guards.iter().filter(|guard| start.tier < guard.start_at);
        if guards.any(|guard| breached(guard.signal, guard.threshold)) {
            return broken("a suspicious request is asked of a tier that does not take it");
        }
        let enforced = route.drift.as_ref().filter(|it| it.mode == DriftMode::Enforce);
        match enforced.is_some_and(|it| start.tier < it.start_at) && self.alarmed(watch.admit.route, watch.at) {
            true => broken("a tier is asked while its route drifts"),
            false => Ok(()),
        }
    }

    /// Judges a switch for drift: down by an alarm, and back no sooner than a step's time after it.
    pub(super) fn moved(&mut self, it: &Transition) -> Result<(), Broken> {
        if it.rule != Rule::Drift {
            return Ok(());
        }
        let broken = |what: &str| Err(("G-001", None, format!("{what}: tier {} to {}", it.from, it.to)));
        let Some(policy) = self.policy(it.route).filter(|policy| policy.mode == DriftMode::Enforce) else {
            return broken("a route is moved for drift that may not be");
        };
        let (every, down) = (policy.every, it.to > it.from);
        // At this very moment it counts, too.
        if down != self.alarmed(it.route, it.at + 1) || (down && !self.names(it.route, it.reason)) {
            return broken("a route moves for drift, against what is said of it");
        }
        let said = &mut self.said[it.route.index()];
        match (down, said.down) {
            (true, _) => said.down = Some(it.at),
            (false, Some(since)) if it.at - since < every => return broken("a route is back before its time"),
            (false, _) => {}
        }
        Ok(())
    }

    /// Judges a proposal: of a route that recommends, begun and ended in turn, by what is said of it.
    pub(super) fn proposed(&mut self, it: &Proposal) -> Result<(), Broken> {
        let recommends = self.policy(it.route).is_some_and(|policy| policy.mode == DriftMode::Recommend);
        let alarmed = self.alarmed(it.route, it.at + 1);
        let named = !it.stands || self.names(it.route, it.reason);
        let said = &mut self.said[it.route.index()];
        let before = std::mem::replace(&mut said.proposed, it.stands);
        match recommends && named && before != it.stands && alarmed == it.stands {
            true => Ok(()),
            false => Err(("DRIFT-2", None, format!("a proposal out of turn: {:?}", (it.stands, it.reason)))),
        }
    }
}

#[cfg(test)]
mod tests;
