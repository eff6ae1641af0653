//! What an attempt's end says about its path and its replica, recorded exactly once (REQ-3).
//!
//! The class table says whether an outcome is evidence; this says against whom (F-065, F-073).

use crate::{
    attempt::Attempt,
    breaker::{BreakerState, Verdict},
    class::{Evidence, ResultCode},
    clock::Nanos,
    id::ReplicaId,
    output::{Cancelled, Output},
    request::{Ended, Request, Retry, World},
};

impl Request {
    /// Records what an attempt's end says; a failure that another replica may still mend waits for its word.
    pub(super) fn settle(
        &mut self,
        now: Nanos,
        world: &mut World<'_>,
        ended: (&Attempt, ResultCode, Option<u16>),
        retry: Option<Retry>,
    ) {
        let (attempt, result, status) = ended;
        let slot = self.generation.slot(attempt.path);
        // Whether a reused connection had gone is known only once another is tried.
        let unknown = result == ResultCode::Unsent && !self.may_resend(attempt.path);
        let evidence = if unknown { Evidence::None } else { evidence(attempt, result) };
        let entropy = self.admit.entropy ^ attempt.id.0;
        let repeated = self.counted.contains(&slot);
        let verdict = Verdict { attempt: attempt.id, result, status, evidence, repeated, entropy };
        if evidence == Evidence::Hard && !repeated {
            self.counted.push(slot);
        }
        self.learn(now, world, (attempt, result, evidence));
        if let Some(state) = world.paths.find_mut(slot).filter(|_| result.is_answer()) {
            state.proof.answered(now);
        }
        if evidence == Evidence::Success {
            let watch = self.generation.watch(attempt.path, attempt.replica);
            watch.into_iter().for_each(|watch| world.probes.succeed(now, watch));
        }
        // What is whole mends what failed before, also where it was slow (F-029).
        let mended = result.is_ok() && !self.pending.is_empty();
        match retry {
            Some(retry) if retry.elsewhere || retry.fresh => {
                if result != ResultCode::Unsent {
                    self.record_replica(now, world, (slot, attempt.replica, verdict));
                }
                return self.pending.push((slot, attempt.replica, verdict));
            }
            _ if mended => self.pending.clear(),
            _ => self.flush(now, world),
        }
        self.record_replica(now, world, (slot, attempt.replica, verdict));
        self.record_path(now, world, slot, verdict);
    }

    /// Records the failures that nobody mended.
    pub(super) fn flush(&mut self, now: Nanos, world: &mut World<'_>) {
        for (slot, replica, verdict) in core::mem::take(&mut self.pending) {
            if verdict.result == ResultCode::Unsent {
                self.record_replica(now, world, (slot, replica, verdict));
            }
            self.record_path(now, world, slot, verdict);
        }
    }

    /// Stops what runs, without evidence.
    pub(super) fn stop(&mut self, now: Nanos, world: &mut World<'_>, why: (Cancelled, ResultCode)) {
        self.leave_wait(world);
        self.flush(now, world);
        self.hedge.due = None;
        let others = self.vote.take().map(|vote| vote.others).into_iter().flatten();
        for attempt in self.current.take().into_iter().chain(self.beside.take()).chain(others) {
            self.cancel(now, world, &attempt, why);
        }
    }

    /// Cancels an attempt that no longer runs, without evidence.
    pub(super) fn cancel(
        &mut self,
        now: Nanos,
        world: &mut World<'_>,
        attempt: &Attempt,
        (why, result): (Cancelled, ResultCode),
    ) {
        self.leave(now, world, attempt);
        self.keep(attempt.record(now, self.at, result, None));
        self.tell_gates(now, world, attempt, Ended { result, status: None, after: None });
        self.tell_streams(now, world, attempt, result);
        self.settle(now, world, (attempt, result, None), None);
        world.outputs.push_back(Output::Cancel { request: self.admit.request, attempt: attempt.id, why });
    }

    fn record_path(&self, now: Nanos, world: &mut World<'_>, slot: u32, verdict: Verdict) {
        let Some(state) = world.paths.find_mut(slot) else {
            return;
        };
        if let Some(lane) = state.lanes.iter_mut().find(|lane| lane.operation == self.admit.operation) {
            let before = lane.breaker.state();
            lane.breaker.record(now, verdict);
            if (before, lane.breaker.state()) != (BreakerState::Closed, BreakerState::Closed) {
                world.touched.push(slot);
            }
        }
    }

    fn record_replica(&self, now: Nanos, world: &mut World<'_>, against: (u32, ReplicaId, Verdict)) {
        let (slot, replica, verdict) = against;
        let Some(state) = world.paths.find_mut(slot) else {
            return;
        };
        let lane = state.lanes.iter_mut().find(|lane| lane.operation == self.admit.operation);
        if lane.is_some_and(|lane| lane.record_replica(now, replica, verdict)) {
            world.touched.push(slot);
        }
    }
}

/// An impatient client's clock says nothing about the path (CL-09).
fn evidence(attempt: &Attempt, result: ResultCode) -> Evidence {
    use ResultCode::{FirstTokenTimeout, KeepaliveOnly, TotalTimeout};
    let clock = matches!(result, FirstTokenTimeout | KeepaliveOnly | TotalTimeout);
    // Nor does the clock of a recovery about one that speaks, but not quickly enough to catch up with what was sent (F-122).
    let outrun = attempt.catches_up() && result == TotalTimeout;
    if attempt.hurried && clock || outrun { Evidence::None } else { result.evidence() }
}
