//! Share: which tier answered the last requests of a route, and when each tier last gave a good answer.
//!
//! # Units
//! A share is of the last 1,000 answers of its route.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use evenkeel_core::{Decision, End, Revision, Where};
use jiff::Timestamp;

/// Answers that a share is of.
const LAST: usize = 1_000;

/// Answers by route and tier. Keyed by their names, so that they survive a reload and nobody inherits another's.
#[derive(Debug, Default)]
pub(crate) struct Shares(HashMap<String, Route>);

#[derive(Debug, Default)]
struct Route {
    last: VecDeque<Arc<str>>,
    counts: HashMap<Arc<str>, usize>,
    exercised: HashMap<Arc<str>, Timestamp>,
}

impl Shares {
    pub(super) fn decision(&mut self, decision: &Decision, at: Timestamp) {
        let of = &decision.revision.routes[decision.route.index()];
        let (Some(tier), End::Answered) = (decision.outcome.tier, decision.outcome.end) else { return };
        let route = match self.0.get_mut(&of.name) {
            Some(route) => route,
            None => self.0.entry(of.name.clone()).or_default(),
        };
        // What was kept is an answer, and nobody was asked for it.
        let certain = decision.revision.paths[of.tiers[usize::from(tier)].path.index()].place == Where::Certain;
        let exercised = certain || decision.attempts.iter().any(|it| it.tier == tier && it.result.is_ok());
        let name = &*of.tiers[usize::from(tier)].name;
        let tier: Arc<str> = route.counts.get_key_value(name).map_or_else(|| name.into(), |(known, _)| known.clone());
        if exercised {
            route.exercised.insert(tier.clone(), at);
        }
        *route.counts.entry(tier.clone()).or_default() += 1;
        route.last.push_back(tier);
        if route.last.len() > LAST
            && let Some(oldest) = route.last.pop_front()
            && let Some(count) = route.counts.get_mut(&oldest)
        {
            *count -= 1;
        }
    }

    /// Returns the share of a tier, 0 to 1, and when it last answered well.
    pub(crate) fn of(&self, route: &str, tier: &str) -> (f64, Option<Timestamp>) {
        let Some(route) = self.0.get(route) else { return (0.0, None) };
        let count = route.counts.get(tier).copied().unwrap_or(0);
        (count as f64 / route.last.len().max(1) as f64, route.exercised.get(tier).copied())
    }

    /// Forgets the routes that a revision no longer has.
    pub(crate) fn keep(&mut self, revision: &Revision) {
        self.0.retain(|name, _| revision.route(name).is_some());
    }
}
