//! Share: which tier answered the last requests of a route, and when each tier last gave a good answer.
//!
//! # Units
//! A share is of the last 1,000 answers of its route.

use std::collections::{HashMap, VecDeque};

use evenkeel_core::{Decision, End};
use jiff::Timestamp;

/// Answers that a share is of.
const LAST: usize = 1_000;

/// Answers by route and tier. Keyed by name, so that they survive a reload.
#[derive(Debug, Default)]
pub(crate) struct Shares(HashMap<String, Route>);

#[derive(Debug, Default)]
struct Route {
    last: VecDeque<u8>,
    counts: HashMap<u8, usize>,
    exercised: HashMap<u8, Timestamp>,
}

impl Shares {
    pub(super) fn decision(&mut self, decision: &Decision, at: Timestamp) {
        let route = self.0.entry(decision.revision.routes[decision.route.index()].name.clone()).or_default();
        let (Some(tier), End::Answered) = (decision.outcome.tier, decision.outcome.end) else { return };
        route.exercised.insert(tier, at);
        route.last.push_back(tier);
        *route.counts.entry(tier).or_default() += 1;
        if route.last.len() > LAST
            && let Some(oldest) = route.last.pop_front()
            && let Some(count) = route.counts.get_mut(&oldest)
        {
            *count -= 1;
        }
    }

    /// Returns the share of a tier, 0 to 1, and when it last answered well.
    pub(crate) fn of(&self, route: &str, tier: u8) -> (f64, Option<Timestamp>) {
        let Some(route) = self.0.get(route) else { return (0.0, None) };
        let count = route.counts.get(&tier).copied().unwrap_or(0);
        (count as f64 / route.last.len().max(1) as f64, route.exercised.get(&tier).copied())
    }
}
