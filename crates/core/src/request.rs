//! Request: the machine of one request, from admission to its record.
//!
//! It walks down the tiers: asks `plan` what may answer, starts one attempt at a time, hears how it went, tries the same
//! path again where that helps, else the next tier, and ends with exactly one outcome. It holds no bodies and calls
//! nobody: what it wants goes into [`World::outputs`].
//!
//! # Invariants
//! - `REQ-1`: each tier is entered once, so every chain is finite (F-031).
//! - `REQ-2`: at most one attempt runs, but for a hedge and the members of an ensemble, and none after the outcome; after the
//!   commit only those that mend it (rules 1, 2).
//! - `REQ-3`: an attempt's evidence is recorded exactly once, or, where nobody is at fault, its lease released.

mod cached;
mod evidence;
mod flight;
mod gates;
mod hedge;
mod limits;
mod outcome;
mod pace;
mod recover;
mod retry;
mod rows;
mod sequence;
mod shadow;
mod show;
mod vote;
mod wait;

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};

pub(crate) use self::shadow::Shadow;
use self::{
    flight::Seat,
    hedge::Hedge,
    recover::Recovery,
    retry::Another,
    vote::{Counts, Vote},
    wait::{Wait, Waited},
};
use crate::{
    attempt::{Attempt, Target},
    breaker::Verdict,
    budget::Budget,
    certificate::Stepped,
    class::{Class, Next, ResultCode},
    clock::Nanos,
    commit::Commit,
    decision::{AttemptRecord, End, Role},
    domain::Gates,
    drift::Kept,
    ensemble::MEMBERS,
    fact::Fact,
    flight::Flights,
    id::{AttemptId, PathId, ReplicaId, RequestId},
    input::{Admit, Event},
    limits::Limits,
    output::{Cancelled, Output, Refusal, Source, Start},
    path::{Generation, Leased, Paths},
    pin::Held,
    plan::Plan,
    probe::Probes,
    revision::{CommitPoint, OnCapability, OnPolicy, Route, Where},
    route::Phase,
    rows::Rows,
    sequence::Member,
    shadow::Shadows,
    timer::Timers,
};

/// What a request may touch besides itself.
pub(crate) struct World<'a> {
    pub(crate) paths: &'a mut Paths,
    pub(crate) gates: &'a mut Gates,
    pub(crate) limits: &'a mut Limits,
    pub(crate) probes: &'a mut Probes,
    pub(crate) timers: &'a mut Timers,
    pub(crate) budget: &'a mut Budget,
    /// What hedges of the route may cost.
    pub(crate) hedges: &'a mut Budget,
    /// What shadows of the route may cost.
    pub(crate) shadowing: &'a mut Budget,
    pub(crate) shadows: &'a mut Shadows,
    /// Requests of the route that wait for some tier to recover, with since when, the longest first.
    pub(crate) waiting: &'a mut Vec<(Nanos, RequestId)>,
    pub(crate) flights: &'a mut Flights,
    pub(crate) outputs: &'a mut VecDeque<Output>,
    pub(crate) attempts: &'a mut u64,
    /// Paths whose breaker may have moved.
    pub(crate) touched: &'a mut Vec<u32>,
}

/// One open request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) generation: Arc<Generation>,
    pub(crate) admit: Admit,
    at: Nanos,
    /// The deadline that holds, from admission.
    pub(crate) deadline: Nanos,
    pub(crate) deadline_at: Nanos,
    phase: Phase,
    episode: Option<u32>,
    /// Where its route is pinned.
    pub(crate) held: Option<Held>,
    /// Where its route is held for drift, or on its way back from it.
    pub(crate) drift: Option<Kept>,
    /// How far its route has gone back from its certificate.
    pub(crate) stepped: Option<Stepped>,
    /// Its place in a sequence (OIP-36).
    pub(crate) member: Option<Member>,
    facts: Vec<Fact>,
    attempts: Vec<AttemptRecord>,
    commit: Commit,
    /// What was sent cannot be said again by another (F-124).
    unrepeatable: bool,
    recovery: Option<Recovery>,
    current: Option<Attempt>,
    /// The other of two that run, and how hedges stand (F-090).
    beside: Option<Attempt>,
    hedge: Hedge,
    /// The vote that is being taken.
    vote: Option<Box<Vote>>,
    wait: Option<Wait>,
    /// The next tier to be asked.
    next: u8,
    /// Remote attempts so far.
    pub(crate) remote: u8,
    free: u8,
    /// Paid retries on the current tier.
    retried: u8,
    /// It has gone from a replica that said "not now" to another, which it does once (F-051).
    turned: bool,
    first_failure: Option<(AttemptId, ResultCode)>,
    /// Connections that were reset and paths that panicked under it (F-035).
    pub(crate) crashes: u8,
    /// The largest context window that was too small; 0 where it was not declared.
    pub(crate) too_small: Option<u64>,
    /// A content refusal has left only the safe default (F-008).
    pub(crate) only_default: bool,
    /// Failures that count against the path only if no other replica mends them (F-073).
    pending: Vec<(u32, ReplicaId, Verdict)>,
    /// It has waited for a gate, which it does once, and since when it waits for recoveries.
    waited: Waited,
    /// Paths at which a hard failure of this request has been counted in a streak (F-065).
    counted: Vec<u32>,
    /// What is left of its rows (OIP-35).
    pub(crate) rows: Rows,
    /// Its place among requests that may have the same answer (F-145).
    seat: Option<Seat>,
    /// Its client is gone, and it goes on for others.
    abandoned: bool,
}

/// The attempts of a request that run.
pub(crate) type Running = [Option<AttemptId>; 1 + MEMBERS];

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    result: ResultCode,
    status: Option<u16>,
    /// How long the upstream asked to be left alone.
    after: Option<Nanos>,
}

/// Another try on the same path.
#[derive(Clone, Copy, Debug)]
struct Retry {
    tier: u8,
    /// Which member of the tier's ensemble is asked.
    member: Option<u8>,
    tried: ReplicaId,
    /// Another replica takes it.
    elsewhere: bool,
    /// No idle connection may be reused.
    fresh: bool,
    role: Role,
}

impl Retry {
    /// The first try on a tier.
    fn first(tier: u8, replica: ReplicaId) -> Self {
        Self { tier, member: None, tried: replica, elsewhere: false, fresh: false, role: Role::Answer }
    }
}

/// What a request finds when it is admitted.
pub(crate) struct Arrival {
    pub(crate) generation: Arc<Generation>,
    pub(crate) phase: Phase,
    pub(crate) episode: Option<u32>,
    pub(crate) held: Option<Held>,
    pub(crate) drift: Option<Kept>,
    pub(crate) stepped: Option<Stepped>,
    pub(crate) member: Option<Member>,
}

impl Request {
    pub(crate) fn new(now: Nanos, admit: Admit, arrival: Arrival) -> Self {
        let Arrival { generation, phase, episode, held, drift, stepped, member } = arrival;
        let route = generation.revision.routes[admit.route.index()].deadline;
        let deadline = admit.deadline.map_or(route, |client| client.min(route));
        let (at, rows) = (now.saturating_sub(admit.spent), admit.rows);
        Self {
            generation,
            admit,
            at,
            deadline,
            deadline_at: at.saturating_add(deadline),
            phase,
            episode,
            held,
            drift,
            stepped,
            member,
            facts: Vec::with_capacity(4),
            attempts: Vec::with_capacity(1),
            commit: Commit::Held,
            unrepeatable: false,
            recovery: None,
            current: None,
            beside: None,
            hedge: Hedge::default(),
            vote: None,
            wait: None,
            next: 0,
            remote: 0,
            free: 0,
            retried: 0,
            turned: false,
            first_failure: None,
            crashes: 0,
            too_small: None,
            only_default: false,
            pending: Vec::new(),
            waited: Waited::default(),
            counted: Vec::new(),
            rows,
            seat: None,
            abandoned: false,
        }
    }

    pub(crate) fn route(&self) -> &Route {
        &self.generation.revision.routes[self.admit.route.index()]
    }

    /// Says whether the first failure was a lack that a canned answer would only hide (F-009).
    pub(crate) fn default_barred(&self) -> bool {
        self.first_failure.is_some_and(|(_, result)| result.next() == Next::Capable)
    }

    /// Says whether the client gives less time than the route does.
    pub(crate) fn is_shortened(&self) -> bool {
        self.deadline < self.route().deadline
    }

    /// Says whether the outcome is out.
    pub(crate) fn is_over(&self) -> bool {
        self.commit == Commit::Over
    }

    /// Says whether its client has begun to get an answer.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.commit, Commit::Given(_))
    }

    /// Says whether a path may be asked for it a second time (F-034).
    fn may_repeat(&self, path: PathId) -> bool {
        self.admit.pure && self.admit.sequence.is_none() && !self.generation.path(path).effects
    }

    /// Returns the attempts that run.
    pub(crate) fn running(&self) -> Running {
        let mut running = [None; 1 + MEMBERS];
        running.iter_mut().zip(self.attempts_that_run()).for_each(|(place, attempt)| *place = Some(attempt.id));
        running
    }

    /// Walks the attempts that run: the one that was heard last, then those beside it.
    fn attempts_that_run(&self) -> impl Iterator<Item = &Attempt> {
        let others = self.vote.iter().flat_map(|vote| &vote.others);
        self.current.iter().chain(&self.beside).chain(others)
    }

    /// Says whether several may be asked for it at once: nothing of it is done anywhere but the answer (F-034).
    pub(crate) fn may_ask_several(&self) -> bool {
        self.admit.pure && self.admit.sequence.is_none()
    }

    /// Returns when it wants to be called.
    pub(crate) fn due(&self) -> Option<Nanos> {
        let attempts = self.attempts_that_run().map(Attempt::due);
        attempts.chain(self.wait.map(|wait| wait.until)).chain(self.hedge.due).min()
    }

    fn plan<'a>(&'a self, now: Nanos, world: &'a World<'_>) -> Plan<'a> {
        Plan { now, request: self, paths: world.paths, gates: world.gates, limits: world.limits, member: None }
    }

    /// Asks the tiers from `next` on, and starts or ends accordingly.
    pub(crate) fn advance(&mut self, now: Nanos, world: &mut World<'_>) {
        while usize::from(self.next) < self.route().tiers.len() {
            let tier = self.next;
            self.next += 1;
            if self.attempts.iter().any(|attempt| attempt.tier == tier) {
                continue;
            }
            let facts = self.plan(now, world).facts(tier);
            let barred = facts.iter().any(Fact::bars);
            self.facts.extend(facts);
            if barred {
                continue;
            }
            let path = self.route().tiers[usize::from(tier)].path;
            let place = self.generation.path(path).place;
            match place {
                Where::Certain | Where::Stored if self.stands(now, world) => return,
                Where::Certain => return self.finish(now, world, End::Answered, Some(Source::Certain(path))),
                Where::Stored if !self.seeks() => return self.give_stored(now, world, tier),
                Where::Ensemble if self.convene(now, world, tier) => return,
                Where::Ensemble => continue,
                Where::Remote(_) | Where::Local | Where::Stored => {}
            }
            self.retried = 0;
            let slot = self.generation.slot(path);
            world.paths.state_mut(slot).lane(self.generation.path(path), self.admit.operation);
            if let Some(replica) = self.plan(now, world).replica(tier, None) {
                self.start(now, world, Retry::first(tier, replica));
                return self.expect_hedge(now, world);
            }
        }
        self.give_up(now, world);
    }

    /// Hears what happened to a running attempt.
    pub(crate) fn event(&mut self, now: Nanos, (id, event): (AttemptId, Event), world: &mut World<'_>) {
        self.turn_to(|attempt| attempt.id == id);
        if matches!(event, Event::Progress | Event::FirstContent | Event::Enough) {
            self.breaks_silence(now, id, world);
        }
        let Some(attempt) = self.current.as_mut().filter(|attempt| attempt.id == id) else { return };
        match event {
            Event::Alive => return attempt.alive(),
            Event::Slow { said } => return self.drags(now, said, world),
            Event::Voted(tally) => return self.voted(now, tally, world),
            Event::Judged { low, sure } => {
                (attempt.low, attempt.sure) = (Some(low), sure);
                return;
            }
            Event::Similar(near) => {
                attempt.near = Some(near);
                return;
            }
            // Only what was cancelled is closed before it has ended.
            Event::Closed => return,
            Event::Unrepeatable => {
                self.unrepeatable = true;
                return;
            }
            Event::Ended { result, status, after } => {
                let result = result.in_role(attempt.role).at_tier(attempt.counts_as());
                self.land(now, world, result);
                return self.ended(now, id, Ended { result, status, after }, world);
            }
            Event::Progress if attempt.first_content.is_none() => {
                attempt.reasoning(now);
                self.hedge.due = None;
            }
            Event::Progress | Event::FirstContent | Event::Enough => {
                let first = attempt.first_content.is_none() && self.admit.operation.is_stream();
                attempt.content(now);
                self.win(now, world);
                if let Some(attempt) = self.current.as_ref().filter(|_| first) {
                    self.pace(now, world, attempt);
                }
                self.shown(now, event, world);
            }
        }
        self.renew(world);
    }

    /// Hears that a clock may have fired.
    pub(crate) fn timeout(&mut self, now: Nanos, world: &mut World<'_>) {
        if self.wait.as_ref().is_some_and(|wait| wait.until <= now) {
            return self.waited_out(now, world);
        }
        if self.hedge.due.is_some_and(|due| due <= now) {
            return self.hedge(now, world);
        }
        self.turn_to(|attempt| attempt.due() <= now);
        let Some(attempt) = self.current.as_ref() else {
            return;
        };
        let (id, tier, member) = (attempt.id, attempt.tier, attempt.member);
        let held = self.commit == Commit::Held;
        let by_chars = matches!(self.route().commit, CommitPoint::Chars(_)) && self.vote.is_none();
        if held && attempt.holds_too_long(now) && by_chars {
            // It speaks: what it has said so far is worth more than a failure for being late (F-121).
            self.give(now, world);
            return self.renew(world);
        }
        self.facts.extend(attempt.silence(now).filter(Fact::breached));
        let plan = self.plan(now, world).at(tier, member);
        if held && attempt.waits_too_long(now) && plan.last_of_its_kind(tier) {
            // F-028, checked again: what stood below is gone, so waiting on costs nobody anything.
            let commit = plan.timing(tier).commit;
            self.current.as_mut().expect("looked at above").grace(now, commit);
            return self.renew(world);
        }
        if let Some(result) = attempt.fired(now) {
            let request = self.admit.request;
            world.outputs.push_back(Output::Cancel { request, attempt: id, why: Cancelled::Clock(result) });
            self.leave(now, world, self.current.as_ref().expect("it was looked at"));
            self.ended(now, id, Ended { result, status: None, after: None }, world);
        }
    }

    /// Hears that nobody listened for a time: the silence of whoever was to be heard in it is not theirs (PR-09).
    pub(crate) fn paused(&mut self, (by, unheard): (Nanos, Nanos), world: &mut World<'_>) {
        let others = self.vote.iter_mut().flat_map(|vote| &mut vote.others);
        self.current.iter_mut().chain(&mut self.beside).chain(others).for_each(|attempt| attempt.pause(by, unheard));
        self.hedge.due = self.hedge.due.map(|due| due.saturating_add(by));
        self.renew(world);
    }

    /// Ends a request whose client is gone: no evidence, nothing new (F-170). One that others wait for goes on for them (F-145).
    pub(crate) fn client_gone(&mut self, now: Nanos, world: &mut World<'_>) {
        if self.goes_on_for_others(world) {
            return;
        }
        let begun = self.begun();
        self.stop(now, world, (Cancelled::ClientGone, ResultCode::ClientGone));
        self.finish(now, world, End::Refused(Refusal::ClientGone), begun);
    }

    /// Returns what a client that is gone had of it: a stream that had begun was that tier's, as it was told.
    fn begun(&self) -> Option<Source> {
        match self.commit {
            Commit::Given(attempt) => Some(Source::Broken(attempt, ResultCode::ClientGone)),
            _ => None,
        }
    }

    /// Ends a request because the process stops: a stream that has begun breaks with a terminal error, anything else is
    /// refused (F-175).
    pub(crate) fn drain(&mut self, now: Nanos, world: &mut World<'_>) {
        let committed = match self.commit {
            Commit::Given(attempt) => Some(attempt),
            _ => None,
        };
        self.stop(now, world, (Cancelled::Drained, ResultCode::Drained));
        if let Some(attempt) = committed {
            let end = End::Broken(ResultCode::Drained);
            return self.finish(now, world, end, Some(Source::Broken(attempt, ResultCode::Drained)));
        }
        self.finish(now, world, End::Refused(Refusal::Draining), None);
    }

    /// Refuses at the door.
    pub(crate) fn refuse(&mut self, now: Nanos, world: &mut World<'_>, why: Refusal) {
        self.finish(now, world, End::Refused(why), None);
    }

    fn start(&mut self, now: Nanos, world: &mut World<'_>, what: Retry) {
        let (mut attempt, mut start) = self.take_up(now, world, what);
        let rows = self.rows_of(start.tier);
        (attempt.rows, start.rows) = (rows, rows);
        if let Some(Seat::Leads(key)) = self.seat {
            world.flights.asks(key, start.tier);
        }
        let remote = matches!(self.generation.path(start.path).place, Where::Remote(_));
        let counts = self.vote.as_mut().map_or(Counts { deposit: true, remote }, |vote| vote.count(remote));
        if self.remote == 0 && counts.deposit {
            let cost = self.cost(start.path);
            world.budget.deposit(now, cost);
            world.hedges.deposit(now, cost);
        }
        self.remote += u8::from(counts.remote);
        world.outputs.push_back(Output::Start(start));
        self.current = Some(attempt);
    }

    /// Begins an attempt: all that watches its path, or holds back what comes there, knows of it from now on.
    fn take_up(&self, now: Nanos, world: &mut World<'_>, what: Retry) -> (Attempt, Start) {
        let Retry { tier, member, tried: replica, fresh, role, .. } = what;
        let plan = self.plan(now, world).at(tier, member);
        let (timing, path) = (plan.timing(tier), plan.path_id(tier));
        let id = AttemptId(*world.attempts);
        *world.attempts += 1;
        let mut attempt = Attempt::start(now, Target { id, tier, path, member, replica, role }, timing);
        let slot = self.generation.slot(path);
        let state = world.paths.state_mut(slot);
        state.proof.ask(now);
        let lane = state.lane(self.generation.path(path), self.admit.operation);
        attempt.leased = lane.start(now, id, replica, attempt.due());
        if lane.is_watched() {
            world.touched.push(slot);
        }
        self.generation.before(path).on_the_way(replica.index()).for_each(|gate| world.gates.at_mut(gate).pass(id));
        if let Some(limiter) = self.generation.limiter(path, replica) {
            world.limits.at_mut(limiter).start(now, id, self.weight(path));
        }
        let (request, budget) = (self.admit.request, timing.budget());
        let steps = self.stepped.map_or(0, |it| it.at(tier));
        (attempt, Start { request, attempt: id, tier, path, replica, budget, fresh, role, rows: 0, steps })
    }

    /// Lets the leases of an attempt, of its path or its replica, run as long as the attempt's own clocks.
    fn renew(&mut self, world: &mut World<'_>) {
        let leased = |attempt: &&Attempt| attempt.leased != Leased::default();
        let Some(attempt) = self.current.as_ref().filter(leased) else { return };
        let slot = self.generation.slot(attempt.path);
        let lane = world.paths.state_mut(slot).lane(self.generation.path(attempt.path), self.admit.operation);
        lane.renew(attempt.id, attempt.due());
        world.touched.push(slot);
    }

    /// Settles an attempt that is over, and decides what follows.
    fn ended(&mut self, now: Nanos, id: AttemptId, how: Ended, world: &mut World<'_>) {
        let Some(attempt) = self.current.take_if(|attempt| attempt.id == id) else {
            return;
        };
        if self.vote.is_some() {
            return self.member_ended(now, (attempt, how), world);
        }
        let (result, rows) = self.judge(&attempt, attempt.verified(how.result));
        let how = Ended { result, ..how };
        let Ended { status, .. } = how;
        self.hedge.due = None;
        if result.decides() {
            self.win(now, world);
        }
        self.keep(AttemptRecord { rows, ..attempt.record(now, self.at, result, status) });
        if !result.is_ok() {
            self.first_failure.get_or_insert((id, result));
        }
        self.crashes += u8::from(matches!(result, ResultCode::Reset | ResultCode::PathPanic));
        self.tell_gates(now, world, &attempt, how);
        self.tell_streams(now, world, &attempt, result);
        if self.beside.is_some() {
            return self.fall_back(now, world, (&attempt, how));
        }
        let retry = if result.is_ok() { None } else { self.retry(now, world, (&attempt, how)) };
        let again = retry.map(|it| it.retry).or_else(|| self.elsewhere(now, world, (&attempt, result)));
        // The failure counts before anything is paid: a path that it cuts off is not asked again (F-040).
        self.settle(now, world, (&attempt, result, status), again);
        if self.has_begun() {
            return self.stream_ended(now, world, (&attempt, result));
        }
        match retry.filter(|it| self.grant(now, world, it)) {
            Some(Another { pause: 0, retry, .. }) => self.start_again(now, world, retry),
            Some(another) => self.await_another(now, world, another),
            None => {
                self.flush(now, world);
                self.after(now, &attempt, result, world);
            }
        }
    }

    /// Says what an attempt's result means for the request, once the path will not be asked again.
    fn after(&mut self, now: Nanos, attempt: &Attempt, result: ResultCode, world: &mut World<'_>) {
        if result == ResultCode::OkPart {
            self.keep_part(world, attempt);
        }
        let route = self.route();
        let goes_on = match result.next() {
            Next::Yes => true,
            Next::Capable => route.on_capability == OnCapability::Next,
            Next::No => result.class() == Class::Policy && route.on_policy != OnPolicy::Error,
        };
        if !goes_on {
            let (end, source) = match result.class() {
                Class::Ok if self.is_search(attempt) => (End::Answered, Some(Source::Stored(attempt.tier))),
                Class::Ok => (End::Answered, Some(Source::Attempt(attempt.id))),
                Class::Cancelled => (End::Refused(Refusal::ClientGone), None),
                _ => (End::Error(result), Some(Source::Error(attempt.id))),
            };
            return self.finish(now, world, end, source);
        }
        if result.class() == Class::Policy && route.on_policy == OnPolicy::Default {
            self.only_default = true;
        }
        if result == ResultCode::ContextExceeded {
            // What the path had added to it, another may not add.
            let path = self.generation.path(attempt.path);
            let window = path.context.unwrap_or(0).saturating_sub(path.added.most);
            self.too_small = Some(self.too_small.unwrap_or(0).max(window));
        }
        self.advance(now, world);
    }
}
