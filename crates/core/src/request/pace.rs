//! How long an answer took, or did not come, and what that says of its path and its replica (F-027, F-029, F-064, F-070,
//! F-101, F-173).
//!
//! A path that is slow fails nobody, so it is left only for somebody who can answer: a lower tier that is admitted and is
//! no safe default.

use crate::{
    attempt::Attempt,
    breaker::BreakerState,
    class::{Class, Evidence, ResultCode},
    clock::Nanos,
    commit::Commit,
    id::AttemptId,
    load::Shown,
    output::{Cancelled, Output},
    rate::too_little,
    reason::Reason,
    request::{Ended, Request, World},
    size::Size,
    slow::{Late, Made, Slow},
    transition::Trip,
};

impl Request {
    /// Takes in how an attempt ended; a stream has told its time already, at its first content.
    pub(super) fn learn(
        &self,
        now: Nanos,
        world: &mut World<'_>,
        (attempt, result, evidence): (&Attempt, ResultCode, Evidence),
    ) {
        use ResultCode::{FirstTokenTimeout, KeepaliveOnly, Stall, TotalTimeout, Unsent};
        let (stream, took) = (self.admit.operation.is_stream(), now.saturating_sub(attempt.started));
        let (slot, path) = (self.generation.slot(attempt.path), self.generation.path(attempt.path));
        if let Some(state) = world.paths.find_mut(slot) {
            let lane = state.lane(path, self.admit.operation);
            lane.left(attempt.replica);
            if result.is_ok() && self.commit == Commit::Held {
                lane.latency.record(took);
            }
        }
        let clock = match result {
            FirstTokenTimeout | KeepaliveOnly | TotalTimeout => Some(took),
            Stall => Some(path.clocks.stall),
            _ => None,
        };
        self.learn_first(world, attempt, (result, took));
        let silent = attempt.first_content.is_none() && (clock.is_some() || result.class() == Class::Cancelled);
        let shown = match evidence {
            Evidence::Success if stream => return,
            Evidence::Success => return self.pace(now, world, attempt),
            // A connection that was stale says nothing about how long an answer takes.
            Evidence::Hard | Evidence::Soft if result.is_ok() || result == Unsent => return,
            Evidence::Hard | Evidence::Soft => Shown::Failed(clock.unwrap_or(0)),
            Evidence::None if silent => Shown::Silent(took),
            Evidence::None => return,
        };
        let Some(state) = world.paths.find_mut(slot) else { return };
        let (lane, size) = (state.lane(path, self.admit.operation), Size::of_request(&self.admit));
        lane.loads.record(now, attempt.replica.index(), size, shown);
        if let Shown::Silent(took) = shown {
            lane.latency.at_least(took);
            return lane.pace.silent(now, size, took);
        }
        lane.peers.bad(now, attempt.replica, result);
        if lane.compare(now, self.admit.entropy ^ attempt.id.0) {
            world.touched.push(slot);
        }
    }

    /// Takes in how long a stream was silent before it spoke, and what its clock, where that is learned, had to say (F-022).
    pub(super) fn breaks_silence(&mut self, now: Nanos, id: AttemptId, world: &mut World<'_>) {
        let silent = |it: &&Attempt| it.id == id && it.is_silent() && self.admit.operation.is_stream();
        let Some(attempt) = self.current.as_ref().filter(silent) else { return };
        let (slot, path) = (self.generation.slot(attempt.path), self.generation.path(attempt.path));
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        if let Some(first) = lane.first.as_mut() {
            first.spoke(Size::of_request(&self.admit), now.saturating_sub(attempt.started));
            self.facts.extend(attempt.silence(now));
        }
    }

    /// Takes in that an attempt has ended before it said anything.
    fn learn_first(&self, world: &mut World<'_>, attempt: &Attempt, (result, took): (ResultCode, Nanos)) {
        use ResultCode::{FirstTokenTimeout, KeepaliveOnly};
        let Some(state) = world.paths.find_mut(self.generation.slot(attempt.path)) else { return };
        let lane = state.lane(self.generation.path(attempt.path), self.admit.operation);
        let Some(first) = lane.first.as_mut().filter(|_| attempt.is_silent()) else { return };
        let size = Size::of_request(&self.admit);
        match attempt.learned {
            Some(clock) if matches!(result, FirstTokenTimeout | KeepaliveOnly) => first.timed_out(size, clock),
            _ if matches!(result, FirstTokenTimeout | KeepaliveOnly) || result.class() == Class::Cancelled => {
                first.silent(size, took);
            }
            _ => {}
        }
    }

    /// Hears how little the running attempt says (F-029). Before the commit it is left where somebody else may answer; what
    /// goes to the client goes on, and its end tells.
    pub(super) fn drags(&mut self, now: Nanos, said: u64, world: &mut World<'_>) {
        let Some(attempt) = self.current.as_mut() else { return };
        let (id, tier) = (attempt.id, attempt.tier);
        let fact = too_little(tier, said, self.generation.path(attempt.path).min_rate);
        let Some(fact) = fact.map(|fact| fact.of(attempt.member)) else { return };
        if !attempt.slow() {
            return;
        }
        self.facts.push(fact);
        if self.commit != Commit::Held || self.plan(now, world).last_of_its_kind(tier) {
            return;
        }
        let (request, result) = (self.admit.request, ResultCode::Slow);
        world.outputs.push_back(Output::Cancel { request, attempt: id, why: Cancelled::Clock(result) });
        self.leave(now, world, self.current.as_ref().expect("it was looked at"));
        self.ended(now, id, Ended { result, status: None, after: None }, world);
    }

    /// Takes in the time to the first content of a stream, or to an answer in one piece.
    pub(super) fn pace(&self, now: Nanos, world: &mut World<'_>, attempt: &Attempt) {
        let took = now.saturating_sub(attempt.started);
        self.pace_hedges(now, world, attempt);
        let (slot, path) = (self.generation.slot(attempt.path), self.generation.path(attempt.path));
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        let size = Size::of_request(&self.admit);
        let entropy = self.admit.entropy ^ attempt.id.0;
        let points = lane.loads.record(now, attempt.replica.index(), size, Shown::Answered(took));
        let late = lane.late(now, (attempt.id, attempt.replica), (points, entropy));
        lane.peers.good(now, attempt.replica, points);
        if lane.compare(now, entropy) || late {
            world.touched.push(slot);
        }
        if lane.breaker.state() == BreakerState::HalfOpen {
            // What was slow before an outage is not what the first probes after it are judged with.
            lane.pace.forget();
        }
        let Some(Late { made, slow }) = lane.pace.record(now, size, took) else { return };
        if !self.plan(now, world).next_has_another(attempt.tier) {
            return;
        }
        let lane = world.paths.state_mut(slot).lane(path, self.admit.operation);
        let reason = match made {
            Made::Objective => Reason::LatencySloBreach,
            Made::Median => Reason::LatencySpike,
        };
        let trip = |rule, counts| Trip { reason, ..Trip::new(rule, ResultCode::Slow, counts) };
        lane.breaker.late(now, attempt.id, (entropy, trip("F-070", (1, 1))));
        if let Some(Slow { bad, of }) = slow {
            lane.breaker.worse(now, (entropy, trip("F-064", (bad, of))));
        }
        world.touched.push(slot);
    }
}
