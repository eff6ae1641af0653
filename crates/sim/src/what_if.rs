//! What if: the requests of a log under another configuration.
//!
//! What came from outside comes again, at its time: requests, clients that left, what was measured of inputs. What a call of a
//! path came to is asked of the log: the same request's own call of the same path, where it made one, and else that of another
//! request near it in time. The first is counted; the second is an estimate, and is told apart everywhere.
//!
//! # Invariants
//! - `WIF-1`: under the configuration that ran nothing differs: every input comes at its time, in its order, also those that
//!   were late.
//! - `WIF-2`: a request is counted only where every call that it makes is one that it made, for as long as that was heard.
//! - `WIF-3`: the same log, configuration and seed give the same answer.
//! - `WIF-4`: what calls cost and how often answers are right is of what is given beside the log; what is not given is unknown, and
//!   is counted as that.
//!
//! # When it misleads
//! Breakers, limits and purses follow estimated calls as they follow counted ones, so that a counted request may owe its tier to
//! an estimate. Servers answer as they did, however many requests more they get. What was not measured then, for a guard or a
//! cache that only the new configuration has, is not known now. A call that goes on for longer than anybody was seen to wait for
//! one like it says nothing more.

mod asked;
mod known;
mod report;
mod spent;
#[cfg(test)]
mod tests;
mod worth;

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::{Nanos, Protocol, Revision};

use self::{
    asked::Asked,
    known::{Fate, Known},
};
pub use self::{
    report::Told,
    spent::{Called, Calls},
    worth::{Cost, Given, Right, Rightness},
};
use crate::replay::{Log, LogError, Replayed, through};

/// One side of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// By who answered, or how else it ended: how many.
    pub by: BTreeMap<String, u64>,
    /// By tier that answered: how many.
    pub answers: BTreeMap<String, u64>,
    /// Of answered requests, sorted.
    latencies: Vec<Nanos>,
    /// Attempts.
    pub attempts: u64,
    /// Whom they called, and whom copies did.
    pub calls: BTreeMap<Called, Calls>,
}

/// What becomes of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    /// Whether it is one of inferences: what is asked counts in KiB, not in tokens.
    pub inferences: bool,
    /// Requests that are compared.
    pub requests: u64,
    /// What became of them,
    pub before: Side,
    /// and what would.
    pub after: Side,
    /// Requests that another tier would answer, or that would end in another way: those that make no call which they did not make,
    pub counted: u64,
    /// and those that do.
    pub estimated: u64,
    /// All requests with a call that is an estimate.
    pub guesses: u64,
}

/// What would be under another configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// By route.
    pub routes: BTreeMap<String, RouteChange>,
    /// Requests of routes that the other configuration does not have, or that speak something else there.
    pub homeless: u64,
    /// Requests whose end is not in the log.
    pub unfinished: u64,
    /// Paths that nobody called then, with the calls that they would get: taken to answer well after what is reserved for them.
    pub unknown: BTreeMap<String, u64>,
    /// The core has panicked: what follows is not known.
    pub broken: bool,
    /// What the log itself came to.
    pub replayed: Replayed,
}

/// Asks what would be; `progress` is told how many bytes of the log are done.
///
/// # Errors
/// A file cannot be read.
pub fn what_if(
    log: &Log,
    revision: &Arc<Revision>,
    seed: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<WhatIf, LogError> {
    let (mut known, mut what_if) = (None::<Known>, WhatIf::default());
    let replayed = through(log, progress, &mut |lived| {
        if let Some(next) = Known::begin(&lived) {
            known.replace(next).iter().for_each(|it| what_if.add(it, revision, seed));
        }
        known.iter_mut().for_each(|known| known.hear(&lived));
    })?;
    known.iter().for_each(|it| what_if.add(it, revision, seed));
    what_if.replayed = replayed;
    what_if.routes.values_mut().for_each(|it| {
        it.before.latencies.sort_unstable();
        it.after.latencies.sort_unstable();
    });
    Ok(what_if)
}

impl WhatIf {
    /// Asks what one process would have done.
    fn add(&mut self, known: &Known, revision: &Arc<Revision>, seed: u64) {
        let asked = Asked::play(known, revision.clone(), seed);
        self.broken |= asked.broken;
        self.homeless += asked.homeless;
        for (path, calls) in asked.unknown {
            *self.unknown.entry(path).or_default() += calls;
        }
        for (request, after) in &asked.fates {
            let Some(before) = known.fates.get(request) else {
                self.unfinished += 1;
                continue;
            };
            let route = self.routes.entry(before.route.clone()).or_default();
            let guess = asked.guesses.contains(request);
            route.requests += 1;
            route.inferences = revision.routes.iter().any(|it| it.name == before.route && it.protocol == Protocol::Oip);
            route.before.add(before);
            route.after.add(after);
            known.spent.add(*request, false, &mut route.before.calls);
            asked.spent.add(*request, guess, &mut route.after.calls);
            route.guesses += u64::from(guess);
            if before.by != after.by {
                *(if guess { &mut route.estimated } else { &mut route.counted }) += 1;
            }
        }
    }
}

impl Side {
    fn add(&mut self, fate: &Fate) {
        *self.by.entry(fate.by.clone()).or_default() += 1;
        if fate.answered {
            *self.answers.entry(fate.by.clone()).or_default() += 1;
        }
        self.attempts += fate.attempts;
        self.latencies.extend(fate.latency);
    }

    /// Returns the latency of answered requests that so many thousandths of them do not pass; none where there is none.
    pub fn latency(&self, permille: usize) -> Option<Nanos> {
        let last = self.latencies.len().checked_sub(1)?;
        self.latencies.get(last * permille / 1_000).copied()
    }
}
