//! A second attempt beside a slow first one: when, to whom, who wins (F-090 to F-095).
//!
//! `hedge` says whether it pays; this starts it, and ends the one that was not first. Of two that run, `current` is the one
//! that was heard last.
//!
//! # Invariants
//! - `TWO-1`: two run only before either has shown content, both on one tier, at different replicas.
//! - `TWO-2`: one hedge a request; it is paid from both purses (F-093).

use crate::{
    attempt::Attempt,
    class::ResultCode,
    clock::Nanos,
    commit::Commit,
    decision::AttemptRecord,
    fact::{Fact, Signal},
    hedge::{self, Standing},
    id::AttemptId,
    output::Cancelled,
    path::Leased,
    request::{Ended, Request, Retry, World},
    revision::Operation,
    size::Size,
};

/// How the hedge of a request stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hedge {
    /// When the first attempt is slow.
    pub(super) due: Option<Nanos>,
    /// The first attempt, once it was slow.
    slow: Option<AttemptId>,
    /// The attempt beside it.
    id: Option<AttemptId>,
}

impl Request {
    /// Notes when the attempt that was just started will be slow, where it may be hedged then (F-090, F-092).
    pub(super) fn expect_hedge(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(attempt) = self.current.as_ref().filter(|it| it.leased == Leased::default()) else { return };
        let (path, slot) = (self.generation.path(attempt.path), self.generation.slot(attempt.path));
        let chat = matches!(self.admit.operation, Operation::Chat | Operation::ChatStream);
        // For a chat the other replica must have a quota of its own: on the same one it would stand in the same queue.
        let barred = !self.may_repeat(attempt.path) || (chat && path.domain.is_some());
        if !path.hedge || self.hedge.id.is_some() || barred {
            return;
        }
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        let delay = lane.hedging.as_ref().and_then(|it| it.delay(now, Size::of_request(&self.admit)));
        self.hedge.due = delay.map(|delay| now.saturating_add(delay));
    }

    /// Starts a second attempt beside the one that is slow, unless something speaks against it (F-094).
    pub(super) fn hedge(&mut self, now: Nanos, world: &mut World<'_>) {
        self.hedge.due = None;
        let Some(attempt) = self.current.as_ref() else { return };
        let (tier, path, replica) = (attempt.tier, attempt.path, attempt.replica);
        self.hedge.slow = Some(attempt.id);
        let (size, slot) = (Size::of_request(&self.admit), self.generation.slot(path));
        let lane = world.paths.state_mut(slot).lane(self.generation.path(path), self.admit.operation);
        let breaker = lane.state();
        let Some(hedging) = lane.hedging.as_mut() else { return };
        hedging.passed(now);
        let Some(other) = self.plan(now, world).replica(tier, Some(replica)) else { return };
        if self.remote >= self.route().max_attempts {
            return;
        }
        let limiter = self.generation.limiter(path, other).map(|limiter| world.limits.at(limiter));
        let standing = Standing {
            pushed: limiter.and_then(|it| it.pushed(now)),
            lowered: limiter.and_then(|it| it.lowered(now)),
            breaker,
            in_flight: limiter.map_or(0, |it| it.in_flight()),
            limit: limiter.and_then(|it| it.limit(now)).unwrap_or(u64::MAX),
            cost: self.cost(path),
            purse: hedge::purse(now, world.budget, world.hedges),
        };
        let lane = world.paths.state_mut(slot).lane(self.generation.path(path), self.admit.operation);
        let against = lane.hedging.as_ref().and_then(|it| it.ask(now, size, &standing));
        let (signal, value, threshold) = match against {
            Some(it) => (it.signal, it.value, it.threshold),
            None => (Signal::HedgeCost, standing.cost, standing.purse),
        };
        self.facts.push(Fact::new(tier, signal, value, threshold));
        if against.is_some() {
            return;
        }
        world.budget.withdraw(now, standing.cost);
        world.hedges.withdraw(now, standing.cost);
        self.beside = self.current.take();
        self.start(now, world, Retry { elsewhere: true, ..Retry::first(tier, other) });
        self.hedge.id = self.running()[0];
    }

    /// Ends the one that was not first, once the other has shown content, or ended with a word that decides (F-095).
    pub(super) fn win(&mut self, now: Nanos, world: &mut World<'_>) {
        self.hedge.due = None;
        let Some(loser) = self.beside.take() else { return };
        let won = self.hedge.id != Some(loser.id);
        let lane = world.paths.state_mut(self.generation.slot(loser.path));
        let lane = lane.lane(self.generation.path(loser.path), self.admit.operation);
        if let Some(hedging) = lane.hedging.as_mut() {
            hedging.settle(now, won);
            if won {
                // It would have taken at least this long.
                hedging.content(now, Size::of_request(&self.admit), now.saturating_sub(loser.started), true);
            }
        }
        self.cancel(now, world, &loser, (Cancelled::HedgeLost, ResultCode::HedgeLost));
    }

    /// Goes on with the other of two, after one has failed; that it was mended there is still to be seen (F-073).
    pub(super) fn fall_back(&mut self, now: Nanos, world: &mut World<'_>, (attempt, how): (&Attempt, Ended)) {
        debug_assert!(self.commit == Commit::Held, "TWO-1");
        let again = Retry { elsewhere: true, ..Retry::first(attempt.tier, attempt.replica) };
        self.settle(now, world, (attempt, how.result, how.status), Some(again));
        self.current = self.beside.take();
    }

    /// Takes in the time to first content of a first attempt (F-091).
    pub(super) fn pace_hedges(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt) {
        if self.hedge.id == Some(attempt.id) {
            return;
        }
        let lane = world.paths.state_mut(self.generation.slot(attempt.path));
        let lane = lane.lane(self.generation.path(attempt.path), self.admit.operation);
        if let Some(hedging) = lane.hedging.as_mut() {
            let took = now.saturating_sub(attempt.started);
            hedging.content(now, Size::of_request(&self.admit), took, self.hedge.slow == Some(attempt.id));
        }
    }

    /// Keeps what became of an attempt, in the order of starts.
    pub(super) fn keep(&mut self, record: AttemptRecord) {
        self.attempts.push(record);
        self.attempts.sort_by_key(|it| it.attempt);
    }
}
