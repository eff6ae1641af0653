//! Upstreams: what they do with an attempt, well or ill.

use evenkeel_core::{
    AttemptId, Event, Input, MILLISECOND, Nanos, RATE_WINDOW, RequestId, ResultCode, Role, Splice, Start, Where,
    least_tokens,
};

use super::{
    What, World,
    calls::{Call, CallRef, Ending, Hold, Mends, Plan},
};
use crate::{
    fault::{Effect, Finish, any},
    server::Reception,
};

/// From one keep-alive to the next.
const ALIVE: Nanos = 500 * MILLISECOND;
/// Whose dice say what a server does: with requests, and with copies of them, so that those leave these as they are.
const SERVERS: usize = 2;
const SHADOWS: usize = 4;

impl World<'_> {
    /// Starts an attempt.
    pub(super) fn start(&mut self, start: &Start) {
        let client = self.clients.find(start.request);
        let (stream, tokens, heard) =
            client.map_or((false, 0, (0, 0)), |client| (client.stream, client.tokens, client.heard));
        self.tally.started(self.now, start, tokens);
        self.ballots.start(&self.scenario.revision, start);
        self.call(start, (stream, heard), SERVERS);
    }

    /// Starts a copy of the request that was just answered.
    pub(super) fn shadow(&mut self, start: &Start) {
        self.tally.copied(start);
        self.call(start, (self.answered.0, (0, 0)), SHADOWS);
    }

    /// Calls a server; what it does is drawn by these dice.
    fn call(&mut self, start: &Start, (stream, heard): (bool, (u32, u32)), dice: usize) {
        let upstream = match self.scenario.revision.paths[start.path.index()].place {
            Where::Remote(upstream) => Some(upstream.0),
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => None,
        };
        let effect = upstream.and_then(|upstream| self.effect((upstream, start.replica.0), dice));
        let plan = self.plan(upstream, (stream, effect), dice);
        let (attempt, request, replica) = (start.attempt, start.request, start.replica.0);
        let (hold, said) = (Hold::Free, 0);
        let mends = match start.role {
            Role::Answer => None,
            Role::Splice => Some(Mends { pieces: heard.0, alike: self.words(upstream) == heard.1 }),
            Role::Continue => Some(Mends { pieces: 1, alike: true }),
        };
        let call = Call {
            serial: 0,
            attempt,
            request,
            path: start.path,
            upstream,
            replica,
            plan,
            hold,
            said,
            counted: None,
            rows: start.rows,
            mends,
        };
        let reference = self.calls.add(call);
        let ill = matches!(effect, Some(Effect::End(_) | Effect::Silence | Effect::Alive));
        match upstream.filter(|_| !ill) {
            Some(upstream) => self.receive(upstream, reference),
            None => self.begin_call(reference, 1_000),
        }
    }

    /// Returns which words an upstream says.
    fn words(&self, upstream: Option<u16>) -> u32 {
        upstream.map_or(0, |upstream| self.scenario.servers[usize::from(upstream)].words)
    }

    /// Lets a server that works receive a call.
    fn receive(&mut self, upstream: u16, reference: CallRef) {
        let model = &self.scenario.servers[usize::from(upstream)];
        let Some(call) = self.calls.find(reference) else { return };
        let server = &mut self.servers[usize::from(upstream)];
        match server.receive(self.now, model, call.replica, reference) {
            Reception::Served(stretch) => {
                call.hold = if model.has_slots() { Hold::Slot } else { Hold::Free };
                self.begin_call(reference, stretch);
            }
            Reception::Queued => call.hold = Hold::Queued,
            Reception::TurnedAway(finish) => {
                call.plan = Plan { delay: finish.took, pieces: 0, gap: 0, ending: Ending::Finish(finish) };
                self.begin_call(reference, 1_000);
            }
        }
    }

    /// Schedules the first thing that a call does.
    fn begin_call(&mut self, reference: CallRef, stretch: u64) {
        let Some(call) = self.calls.find(reference) else { return };
        let delay = call.plan.delay * stretch / 1_000;
        call.plan.gap = call.plan.gap * stretch / 1_000;
        match call.plan.ending {
            Ending::Silence if call.plan.pieces == 0 => {}
            _ => self.queue.add(self.now + delay, What::Step(reference)),
        }
    }

    /// Draws what the faults of this moment do to an attempt; the first that meets it applies.
    fn effect(&mut self, (upstream, replica): (u16, u16), dice: usize) -> Option<Effect> {
        let (now, dice) = (self.now, &mut self.dice[dice]);
        let spells = self.spells.iter().filter(|spell| (spell.from..spell.until).contains(&now));
        let faults = spells.map(|spell| &self.scenario.faults[spell.fault]);
        let mut here = faults.filter(|fault| {
            fault.work && fault.upstream == usize::from(upstream) && fault.replica.is_none_or(|it| it == replica)
        });
        let effect = here.find(|fault| dice.share(fault.share))?.effect;
        Some(if effect == Effect::Any { any(dice) } else { effect })
    }

    fn plan(&mut self, upstream: Option<u16>, (stream, effect): (bool, Option<Effect>), dice: usize) -> Plan {
        let model = upstream.map_or(&self.scenario.local, |it| &self.scenario.servers[usize::from(it)]);
        let first = model.first.draw(self.dice[dice].roll());
        let rest = u64::from(model.tokens - 1) * model.per_token;
        let mut plan = match stream {
            true => {
                Plan { delay: first, pieces: model.tokens, gap: model.per_token, ending: Ending::Finish(Finish::OK) }
            }
            false => Plan { delay: first + rest, pieces: 0, gap: 0, ending: Ending::Finish(Finish::OK) },
        };
        match effect {
            None | Some(Effect::Any) => {}
            Some(Effect::End(finish)) => {
                plan = Plan { delay: finish.took, pieces: 0, gap: 0, ending: Ending::Finish(finish) };
            }
            Some(Effect::Silence) => plan = Plan { delay: 0, pieces: 0, gap: 0, ending: Ending::Silence },
            Some(Effect::Alive) => plan = Plan { delay: ALIVE, pieces: 0, gap: ALIVE, ending: Ending::Alive },
            Some(Effect::Late { delay, factor }) => plan.delay = plan.delay * u64::from(factor) + delay,
            Some(Effect::Cut { tokens, finish }) => {
                (plan.pieces, plan.ending) = (plan.pieces.min(tokens), Ending::Finish(finish));
            }
            Some(Effect::Slow { every }) if stream => plan.gap = every,
            // Nobody sees how an answer in one piece is made.
            Some(Effect::Slow { every }) => plan.delay = first + u64::from(model.tokens - 1) * every,
            Some(Effect::Stall { tokens }) => {
                (plan.pieces, plan.ending) = (plan.pieces.min(tokens), Ending::Silence);
            }
        }
        plan
    }

    /// Lets a call do the next thing of its plan.
    pub(super) fn step(&mut self, reference: CallRef) {
        let Some(call) = self.calls.find(reference) else { return };
        let (attempt, request) = (call.attempt, call.request);
        let (mends, upstream, said) = (call.mends, call.upstream, call.said);
        let event = match (call.plan.pieces, call.plan.ending) {
            // It ends well before it has said what was sent: it says something else.
            (0, Ending::Finish(Finish { result, .. })) if mends.is_some() && result.is_ok() => {
                let input = Input::Splice { attempt, splice: Splice::Diverged };
                return self.feed(input, Some(request));
            }
            (0, Ending::Finish(Finish { result, status, after, .. })) => {
                let judged = result.is_ok().then(|| self.judged(reference)).flatten();
                if let Some(low) = judged {
                    self.feed(
                        Input::Attempt { attempt, event: Event::Judged { low, sure: evenkeel_core::Permille::new(0) } },
                        Some(request),
                    );
                }
                self.leave_server(reference);
                self.vote(request, attempt, (result.is_ok(), upstream));
                Event::Ended { result, status, after }
            }
            (0, Ending::Silence) => return,
            (0, Ending::Alive) => {
                self.queue.add(self.now + ALIVE, What::Step(reference));
                Event::Alive
            }
            (pieces, _) => {
                call.plan.pieces = pieces - 1;
                let event = if call.said > 0 { Event::Progress } else { Event::FirstContent };
                call.said += 1;
                self.queue.add(self.now + call.plan.gap, What::Step(reference));
                event
            }
        };
        let words = self.words(upstream);
        let speaks = matches!(event, Event::FirstContent | Event::Progress);
        if let Some(client) = self.clients.find_mut(request).filter(|_| speaks && mends.is_none()) {
            client.heard = (said + 1, words);
        }
        self.feed(Input::Attempt { attempt, event }, Some(request));
        if let Some(said) = speaks.then(|| self.count(reference)).flatten() {
            self.feed(Input::Attempt { attempt, event: Event::Slow { said } }, Some(request));
        }
        if let Some(mends) = mends.filter(|_| speaks) {
            self.compare(reference, mends, said + 1);
        }
    }

    /// Draws how many rows of an answer are of low confidence, where its path has them looked at (OIP-35).
    fn judged(&mut self, reference: CallRef) -> Option<u64> {
        let (rows, path, upstream) = self.calls.find(reference).map(|call| (call.rows, call.path, call.upstream))?;
        self.scenario.revision.paths[path.index()].accept?;
        let low = upstream.map_or(0, |it| self.scenario.servers[usize::from(it)].low);
        let dice = &mut self.dice[2];
        Some((0..rows).filter(|_| dice.share(low)).count() as u64)
    }

    /// Counts what a call says; returns how much it was in a window that is over, where its path asks for more (F-029).
    fn count(&mut self, reference: CallRef) -> Option<u64> {
        let now = self.now;
        let call = self.calls.find(reference)?;
        let (since, before) = *call.counted.get_or_insert((now, call.said));
        if now - since < RATE_WINDOW {
            return None;
        }
        call.counted = Some((now, call.said));
        let said = u64::from(call.said - before);
        (said < least_tokens(self.scenario.revision.paths[call.path.index()].min_rate)).then_some(said)
    }

    /// Compares what a call has said with what was sent of a stream that broke.
    fn compare(&mut self, reference: CallRef, mends: Mends, said: u32) {
        let splice = match mends.alike {
            false => Splice::Diverged,
            true if said >= mends.pieces => Splice::Matched,
            true => return,
        };
        let Some(call) = self.calls.find(reference) else { return };
        call.mends = None;
        let (attempt, request) = (call.attempt, call.request);
        self.feed(Input::Splice { attempt, splice }, Some(request));
    }

    /// Counts the vote of a member that has ended, where it has one, and tells how the votes stand then.
    fn vote(&mut self, request: RequestId, attempt: AttemptId, (answers, upstream): (bool, Option<u16>)) {
        if !self.ballots.is_out(request, attempt) {
            return;
        }
        let words = self.words(upstream);
        let odd = upstream.map_or(0, |it| self.scenario.servers[usize::from(it)].odd);
        let odd = self.dice[2].share(odd);
        let says = if odd { u32::MAX - words } else { words };
        if let Some(tally) = self.ballots.ended(request, attempt, Some(says).filter(|_| answers)) {
            self.feed(Input::Attempt { attempt, event: Event::Voted(tally) }, Some(request));
        }
    }

    /// Tells how the votes stand after a member was cancelled, to one that still runs.
    pub(super) fn recount(&mut self, request: RequestId, attempt: AttemptId) {
        let tally = self.ballots.ended(request, attempt, None);
        let Some((tally, attempt)) = tally.zip(self.ballots.any_out(request)) else { return };
        self.feed(Input::Attempt { attempt, event: Event::Voted(tally) }, Some(request));
    }

    /// Hears that nobody wants an attempt any more.
    pub(super) fn cancel(&mut self, attempt: AttemptId) {
        let Some(reference) = self.calls.of(attempt) else { return };
        let Some(call) = self.calls.find(reference) else { return };
        let ignores = call.upstream.is_some_and(|it| self.scenario.servers[usize::from(it)].ignores_cancel);
        if !ignores || !matches!(call.plan.ending, Ending::Finish(_)) {
            self.leave_server(reference);
            self.queue.add(self.now, What::Closed(attempt));
        }
    }

    /// Ends a call at its server, whose next call gets its slot.
    fn leave_server(&mut self, reference: CallRef) {
        let Some(call) = self.calls.find(reference).copied() else { return };
        self.calls.remove(reference);
        let Some(upstream) = call.upstream.map(usize::from) else { return };
        match call.hold {
            Hold::Free => {}
            Hold::Queued => self.servers[upstream].forget(call.replica, reference),
            Hold::Slot => {
                if let Some((next, stretch)) =
                    self.servers[upstream].release(&self.scenario.servers[upstream], call.replica)
                {
                    if let Some(call) = self.calls.find(next) {
                        call.hold = Hold::Slot;
                    }
                    self.begin_call(next, stretch);
                }
            }
        }
    }

    /// Resets everything that runs on an upstream: its process is gone.
    pub(super) fn strike(&mut self, spell: u32) {
        let fault = &self.scenario.faults[self.spells[spell as usize].fault];
        for reference in self.calls.at(fault.upstream as u16, fault.replica) {
            let Some(call) = self.calls.find(reference).copied() else { continue };
            self.leave_server(reference);
            self.vote(call.request, call.attempt, (false, call.upstream));
            let result = if call.said > 0 { ResultCode::Truncated } else { ResultCode::Reset };
            let event = Event::Ended { result, status: None, after: None };
            self.feed(Input::Attempt { attempt: call.attempt, event }, Some(call.request));
        }
    }
}
