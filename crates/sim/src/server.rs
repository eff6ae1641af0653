//! Server: a modelled upstream: how long it takes, how much it does at once, and when it has enough.
//!
//! A GPU server has slots that it fills as requests come (continuous batching): with every slot used an answer takes
//! longer, and what finds no slot waits, or is turned away. A provider has a quota in place of slots.
//!
//! It holds numbers only; the calls themselves, and what a fault does to them, are the world's.

use std::collections::VecDeque;

use evenkeel_config::Duration;
use evenkeel_core::{MILLISECOND, Nanos, ResultCode, SECOND};

use crate::{
    fault::Finish,
    scenario::{Server as Script, WhenFull},
    spread::Spread,
    world::CallRef,
};

/// What a full server says to wait.
const FULL_FOR: Nanos = SECOND;
/// How long work in this process takes.
const LOCAL: Nanos = 2 * MILLISECOND;

/// How an upstream behaves while it is well.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) first: Spread,
    pub(crate) tokens: u32,
    pub(crate) per_token: Nanos,
    slots: Option<u32>,
    queue: usize,
    full: Finish,
    /// In thousandths.
    slowdown: u16,
    quota: Option<(u64, Nanos)>,
    pub(crate) ignores_cancel: bool,
    /// Which words it says.
    pub(crate) words: u32,
    /// The share of rows of which it is not sure, in thousandths.
    pub(crate) low: u16,
    /// The share of its votes that are for something else, in thousandths.
    pub(crate) odd: u16,
}

impl Model {
    pub(crate) fn new(script: Option<&Script>) -> Self {
        let default = Script::default();
        let script = script.unwrap_or(&default);
        let median = script.first_token.median.nanos();
        let p99 = script.first_token.p99.map(|p99| Spread::long_tailed(median, p99.nanos()));
        Self {
            first: p99.unwrap_or_else(|| Spread::fixed(median)),
            tokens: script.tokens,
            per_token: script.per_token.map_or(0, Duration::nanos),
            slots: script.slots,
            queue: script.queue as usize,
            full: match script.when_full {
                WhenFull::Status503 => Finish::error(ResultCode::Status5xx, 503),
                WhenFull::PushBack => told(ResultCode::PushBack, 503, FULL_FOR),
                WhenFull::RateLimited => told(ResultCode::RateLimited, 429, FULL_FOR),
            },
            slowdown: script.slowdown.0,
            quota: script.quota.map(|it| (it.requests, it.per.nanos())),
            ignores_cancel: script.ignores_cancel,
            words: script.words,
            low: script.low.0,
            odd: script.odd.0,
        }
    }

    /// Says whether it computes only so many at once.
    pub(crate) fn has_slots(&self) -> bool {
        self.slots.is_some()
    }

    /// Work in this process: models and rules that the gateway computes itself.
    pub(crate) fn local() -> Self {
        Self { first: Spread::fixed(LOCAL), tokens: 1, per_token: 0, ..Self::new(None) }
    }
}

const fn told(result: ResultCode, status: u16, after: Nanos) -> Finish {
    Finish { after: Some(after), ..Finish::error(result, status) }
}

/// What becomes of a call that reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    /// It is computed at once; its time is stretched by so many thousandths.
    Served(u64),
    /// It waits for a slot.
    Queued,
    /// It is turned away.
    TurnedAway(Finish),
}

/// The state of one upstream.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    replicas: Vec<Replica>,
    /// Requests that the quota still has, in thousandths, and as of when.
    bucket: (u64, Nanos),
}

#[derive(Clone, Debug, Default)]
struct Replica {
    busy: u32,
    waiting: VecDeque<CallRef>,
}

impl Server {
    pub(crate) fn new(model: &Model, replicas: usize) -> Self {
        let full = model.quota.map_or(0, |(requests, _)| requests * 1_000);
        Self { replicas: vec![Replica::default(); replicas], bucket: (full, 0) }
    }

    /// Receives a call.
    pub(crate) fn receive(&mut self, now: Nanos, model: &Model, replica: u16, call: CallRef) -> Reception {
        if let Some(finish) = self.over_quota(now, model) {
            return Reception::TurnedAway(finish);
        }
        let Some(slots) = model.slots else { return Reception::Served(1_000) };
        let replica = &mut self.replicas[usize::from(replica)];
        match () {
            () if replica.busy < slots => {
                replica.busy += 1;
                Reception::Served(stretch(model, replica.busy, slots))
            }
            () if replica.waiting.len() < model.queue => {
                replica.waiting.push_back(call);
                Reception::Queued
            }
            () => Reception::TurnedAway(model.full),
        }
    }

    /// Takes a request from the quota, or says how long until there is one again.
    fn over_quota(&mut self, now: Nanos, model: &Model) -> Option<Finish> {
        let (requests, per) = model.quota?;
        let (left, since) = self.bucket;
        let filled = u128::from(now - since) * u128::from(requests) * 1_000 / u128::from(per);
        let left = left.saturating_add(filled as u64).min(requests * 1_000);
        if let Some(left) = left.checked_sub(1_000) {
            self.bucket = (left, now);
            return None;
        }
        if filled > 0 {
            self.bucket = (left, now);
        }
        let missing = (1_000 - left) * per / (requests * 1_000);
        // Whole seconds, as the header has them.
        Some(told(ResultCode::RateLimited, 429, missing.div_ceil(SECOND).max(1) * SECOND))
    }

    /// Gives a slot back, and returns whose turn it is: with the stretch of its time.
    pub(crate) fn release(&mut self, model: &Model, replica: u16) -> Option<(CallRef, u64)> {
        let replica = &mut self.replicas[usize::from(replica)];
        match replica.waiting.pop_front() {
            Some(next) => Some((next, stretch(model, replica.busy, model.slots.unwrap_or(u32::MAX)))),
            None => {
                replica.busy = replica.busy.saturating_sub(1);
                None
            }
        }
    }

    /// Takes a call out of the queue.
    pub(crate) fn forget(&mut self, replica: u16, call: CallRef) {
        self.replicas[usize::from(replica)].waiting.retain(|it| *it != call);
    }

    /// Counts what it computes and what waits.
    pub(crate) fn held(&self) -> usize {
        self.replicas.iter().map(|it| it.busy as usize + it.waiting.len()).sum()
    }
}

/// Says how much longer an answer takes with so many of the slots used.
fn stretch(model: &Model, busy: u32, slots: u32) -> u64 {
    1_000 + u64::from(model.slowdown) * u64::from(busy) / u64::from(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model { slots: Some(2), queue: 1, slowdown: 500, ..Model::new(None) }
    }

    #[test]
    fn slots_fill_then_the_queue_and_a_released_slot_goes_to_who_waits() {
        let model = model();
        let mut server = Server::new(&model, 1);
        let calls = [0, 1, 2, 3].map(|at| CallRef { at, serial: 0 });
        let found = calls.map(|call| server.receive(0, &model, 0, call));
        let full = Reception::TurnedAway(Finish::error(ResultCode::Status5xx, 503));
        assert_eq!(found, [Reception::Served(1_250), Reception::Served(1_500), Reception::Queued, full]);
        assert_eq!(server.release(&model, 0), Some((calls[2], 1_500)));
        assert_eq!([server.release(&model, 0), server.release(&model, 0)], [None, None]);
        assert_eq!(server.held(), 0);
    }

    #[test]
    fn a_quota_answers_429_and_says_when_to_come_back() {
        let model = Model { quota: Some((10, 10 * SECOND)), ..Model::new(None) };
        let mut server = Server::new(&model, 1);
        let mut ask = |now| server.receive(now, &model, 0, CallRef { at: 0, serial: 0 });
        for _ in 0..10 {
            assert_eq!(ask(0), Reception::Served(1_000));
        }
        assert_eq!(ask(1), Reception::TurnedAway(told(ResultCode::RateLimited, 429, SECOND)));
        assert_eq!(ask(SECOND + 1), Reception::Served(1_000), "one a second comes back");
        assert!(matches!(ask(SECOND + 2), Reception::TurnedAway(_)));
    }
}
