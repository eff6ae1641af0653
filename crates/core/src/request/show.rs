//! Show: what of an attempt goes to the client, and from when on (F-120, F-121).
//!
//! Until then every failure may be answered elsewhere; what a failure means after it stands in `recover`.

use crate::{
    clock::Nanos,
    domain::Word,
    input::Event,
    output::Output,
    request::{Request, World, flight::Seat},
    revision::CommitPoint,
};

impl Request {
    /// Notes content, and commits a stream that has reached the commit point of its route (F-120).
    pub(super) fn shown(&mut self, now: Nanos, event: Event, world: &mut World<'_>) {
        let Some(attempt) = self.current.as_ref() else { return };
        let slot = self.generation.slot(attempt.path);
        let lane = world.paths.state_mut(slot).lane(self.generation.path(attempt.path), self.admit.operation);
        lane.content(now, attempt.id);
        if attempt.spoken_for(now) >= self.generation.path(attempt.path).after_break {
            // So much without a break is as good as an end: a stream may go on for minutes.
            lane.broken.hear(now, attempt.id, Word::Lift);
        }
        let reached = match self.route().commit {
            // Nobody knows yet whose it will be.
            _ if self.vote.is_some() => false,
            CommitPoint::FirstContent => true,
            CommitPoint::Chars(_) => event == Event::Enough,
            CommitPoint::Full => false,
        };
        if reached && self.admit.operation.is_stream() {
            self.give(now, world);
        }
    }

    /// Gives what the running attempt says to the client, from here on.
    pub(super) fn give(&mut self, now: Nanos, world: &mut World<'_>) {
        let Some(attempt) = self.current.as_mut().filter(|attempt| self.commit.give(attempt.id)) else { return };
        attempt.sent = true;
        if let Some(Seat::Leads(key)) = self.seat {
            world.flights.begins(key);
        }
        let (id, path, took) = (attempt.id, attempt.path, now.saturating_sub(attempt.started));
        let lane = world.paths.state_mut(self.generation.slot(path));
        lane.lane(self.generation.path(path), self.admit.operation).latency.record(took);
        let disclosure = self.foretell(now, self.current.as_ref().expect("it was just given"));
        world.outputs.push_back(Output::Commit { request: self.admit.request, attempt: id, disclosure });
    }
}
