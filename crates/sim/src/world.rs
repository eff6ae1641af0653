//! World: event queue, clock and seed around the core; it supplies what happens, and decides nothing.
//!
//! Clients arrive, servers answer or break, faults come and go, timeouts come when the core asked for them. Every input
//! and output passes the oracle, which holds the core to its rules, and the tally, which counts for the report.
//!
//! # Invariants
//! - `WORLD-1`: a run is a function of its scenario, its seed and its number of requests; the first requests of a longer
//!   run are those of a shorter one.
//! - `WORLD-2`: of things that come at the same time, timeouts of the core come first.

mod ballots;
mod cached;
mod calls;
mod clients;
mod measured;
mod probes;
mod queue;
mod trace;
mod upstreams;

use std::sync::Arc;

use evenkeel_core::{
    AttemptId, Canonical, Core, Event, Found, Input, LogHash, Nanos, Origin, Output, ProbeId, RequestId, SECOND,
};

use self::{
    ballots::Ballots,
    cached::Kept,
    calls::Calls,
    clients::{Client, Clients},
    probes::ProbeRef,
    queue::Queue,
    trace::Trace,
};
pub(crate) use self::{
    calls::CallRef,
    clients::{number, place},
    trace::{said, what},
};
use crate::{
    dice::{Dice, Purpose},
    fault::{Spell, spells},
    oracle::{Oracle, Violation},
    replay::Book,
    report::Tally,
    scenario::Scenario,
    server::Server,
    workload::Arrivals,
};

/// The longest time that a world may last: what goes on longer will never end.
const HORIZON: Nanos = 30 * 86_400 * SECOND;
/// Events for each request that arrives, beyond which a world will never end.
const EVENTS: u64 = 20_000;

/// What is to happen.
#[derive(Clone, Copy, Debug)]
enum What {
    /// The next request of a load arrives.
    Arrival(u16),
    /// A call does the next thing of its plan.
    Step(CallRef),
    /// A client has no more patience.
    Leave(RequestId),
    /// A client comes back that was refused.
    Return(Client),
    /// A cancelled call is seen closed.
    Closed(AttemptId),
    /// A probe reaches its replica.
    Probe(ProbeRef),
    /// A probe is over.
    Probed(ProbeId, Found),
    /// A spell of a fault begins that ends what runs.
    Strike(u32),
    /// The configuration is applied again.
    Reload,
    /// A detector has something to say of a drift of the scenario, which lasts until then.
    Drift(u32, Nanos),
    /// An answer may be had by those who wait for it, or may not.
    Landed(RequestId, bool),
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// Requests that arrive; those of the scenario, where nothing is said.
    pub(crate) requests: Option<u64>,
    /// The output log is hashed, and its last lines kept.
    pub(crate) logged: bool,
}

/// What became of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) violation: Option<Violation>,
    pub(crate) tally: Tally,
    pub(crate) hash: Option<u64>,
    /// What went in and came out before a rule was broken.
    pub(crate) trace: Vec<String>,
}

pub(crate) struct World<'s> {
    scenario: &'s Scenario,
    core: Core,
    now: Nanos,
    queue: Queue<What>,
    calls: Calls,
    clients: Clients,
    ballots: Ballots,
    kept: Kept,
    servers: Vec<Server>,
    spells: Vec<Spell>,
    arrivals: Vec<Arrivals>,
    /// Of arrivals, clients, servers, probes, copies.
    dice: [Dice; 5],
    /// Requests that may still arrive.
    left: u64,
    /// All requests of the scenario arrive.
    whole: bool,
    reloads: u32,
    /// Probes that are on their way.
    probing: usize,
    /// Of the request that was answered last: whether it is a stream, and how many tokens it asks for.
    answered: (bool, u32),
    oracle: Oracle,
    tally: Tally,
    log: Option<(LogHash, Trace)>,
    /// A log of everything, as a gateway keeps it.
    book: Option<Book>,
    violation: Option<Violation>,
}

impl<'s> World<'s> {
    pub(crate) fn new(scenario: &'s Scenario, run: Run) -> Self {
        let spells = spells(&scenario.faults, run.seed);
        let trouble = scenario.trouble(&spells);
        let first_fault = spells.iter().map(|spell| spell.from).min();
        let purposes = [Purpose::Arrivals, Purpose::Clients, Purpose::Servers, Purpose::Probes, Purpose::Shadows];
        let mut dice = purposes.map(|it| Dice::new(run.seed, it));
        // A revision of its own: threads that count the owners of one and the same wait for one another.
        let revision = Arc::new((*scenario.revision).clone());
        let replicas = scenario.servers.iter().zip(&scenario.revision.upstreams);
        let mut world = Self {
            scenario,
            core: Core::new(0, revision.clone()),
            now: 0,
            queue: Queue::new(),
            calls: Calls::default(),
            clients: Clients::default(),
            ballots: Ballots::default(),
            kept: Kept::default(),
            servers: replicas.map(|(model, upstream)| Server::new(model, upstream.replicas.len())).collect(),
            arrivals: scenario.workload.iter().map(|load| Arrivals::start(load, &mut dice[0])).collect(),
            spells,
            dice,
            left: run.requests.unwrap_or(scenario.requests),
            whole: run.requests.is_none_or(|requests| requests >= scenario.requests),
            reloads: 0,
            probing: 0,
            answered: (false, 0),
            oracle: Oracle::new(revision.clone(), trouble),
            tally: Tally::new(&revision, trouble, first_fault),
            log: run.logged.then(Default::default),
            book: None,
            violation: None,
        };
        world.begin();
        world.expect_drifts(run.seed);
        world
    }

    /// Plays a scenario once.
    pub(crate) fn play(scenario: &Scenario, run: Run) -> Outcome {
        let mut world = World::new(scenario, run);
        world.run();
        world.end(run.seed)
    }

    /// Plays a scenario once, and writes everything down that enters the core.
    pub(crate) fn record(scenario: &Scenario, run: Run) -> Vec<u8> {
        let mut world = World::new(scenario, run);
        world.book = Some(Book::begin(&Origin::new(world.core.revision().clone())));
        world.run();
        world.book.map(Book::end).unwrap_or_default()
    }

    fn run(&mut self) {
        let most = 100_000 + EVENTS * self.left;
        for _ in 0..most {
            if !self.goes_on() {
                return;
            }
        }
        self.violation = Some(Violation::endless(self.now));
    }

    fn begin(&mut self) {
        for load in 0..self.scenario.workload.len() as u16 {
            self.expect_arrival(load);
        }
        for (at, spell) in (0..).zip(&self.spells) {
            if self.scenario.faults[spell.fault].kills {
                self.queue.add(spell.from, What::Strike(at));
            }
        }
        if let Some((at, ..)) = self.scenario.reloads {
            self.queue.add(at, What::Reload);
        }
    }

    /// Lets the next thing happen; says whether there was one.
    fn goes_on(&mut self) -> bool {
        if self.queue.len() == self.probing && self.core.is_quiet() {
            return false;
        }
        let timer = self.core.next_timeout().map(|(at, _)| at.max(self.now));
        match (timer, self.queue.next()) {
            _ if self.violation.is_some() || self.now > HORIZON => return false,
            (Some(at), next) if next.is_none_or(|next| at <= next) => {
                self.now = at;
                self.feed(Input::Timeout, None);
            }
            (_, Some(_)) => {
                let (at, what) = self.queue.take().expect("just seen");
                self.now = at;
                self.happen(what);
            }
            (_, None) => return false,
        }
        true
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Arrival(load) => self.arrive(load),
            What::Step(call) => self.step(call),
            What::Leave(request) if self.clients.find(request).is_some() => {
                self.feed(Input::ClientGone { request }, Some(request));
            }
            What::Leave(_) => {}
            What::Return(client) => self.ask(client),
            What::Closed(attempt) => self.feed(Input::Attempt { attempt, event: Event::Closed }, None),
            What::Strike(spell) => self.strike(spell),
            What::Probe(probe) => self.probe(probe),
            What::Probed(probe, found) => self.probed(probe, found),
            What::Reload => self.reload(),
            What::Drift(at, until) => self.drift(at, until),
            What::Landed(request, kept) => self.feed(Input::Landed { request, kept }, None),
        }
    }

    /// Feeds the core, and does what it wants.
    fn feed(&mut self, input: Input, about: Option<RequestId>) {
        self.oracle.before(self.now, &self.core, &input, about);
        if let Some((_, trace)) = &mut self.log {
            trace.input(self.now, &input);
        }
        self.book.iter_mut().for_each(|book| book.input(self.now, &input));
        self.core.handle(self.now, input);
        while let Some(output) = self.core.poll() {
            self.book.iter_mut().for_each(|book| book.output(&output));
            if let Some((hash, trace)) = &mut self.log {
                output.feed(hash);
                trace.output(self.now, &output);
            }
            if let Err(violation) = self.oracle.hear(self.now, &output) {
                self.violation.get_or_insert(violation);
            }
            self.tally.hear(self.now, &output, self.oracle.well_since());
            self.obey(output);
        }
        if let Err(violation) = self.oracle.after(self.now, &self.core) {
            self.violation.get_or_insert(violation);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Start(start) => self.start(&start),
            Output::ShadowStop { attempt, .. } => self.cancel(attempt),
            Output::Shadow(start) => self.shadow(&start),
            Output::Cancel { request, attempt, .. } => {
                self.cancel(attempt);
                self.recount(request, attempt);
            }
            Output::Answer { request, .. } => self.answered(request),
            Output::Refuse { request, why, retry_after, .. } => self.refused(request, why, retry_after),
            Output::Probe(probe) => self.ask_replica(&probe),
            Output::Commit { .. }
            | Output::Keep { .. }
            | Output::Transition(_)
            | Output::Breaker(_)
            | Output::Gate(_)
            | Output::Proposed(_)
            | Output::CancelIgnored { .. } => {}
            Output::Decision(decision) => {
                if let Some(shared) = self.kept.over(self.now, &decision) {
                    self.queue.add(self.now, What::Landed(decision.request, shared));
                }
            }
        }
    }

    /// Applies the same configuration under another name.
    fn reload(&mut self) {
        let (_, until, every) = self.scenario.reloads.expect("only a scenario with reloads has one");
        self.reloads += 1;
        let mut revision = (*self.scenario.revision).clone();
        revision.digest[..4].copy_from_slice(&self.reloads.to_le_bytes());
        self.feed(Input::Revision(revision.into()), None);
        if self.now + every < until {
            self.queue.add(self.now + every, What::Reload);
        }
    }

    /// Says how it ended.
    fn end(mut self, seed: u64) -> Outcome {
        if self.violation.is_none() {
            let left = self.calls.running() + self.servers.iter().map(Server::held).sum::<usize>();
            // Where requests were left out, nobody may have been there to see all well again.
            let within = self.whole.then_some(self.scenario.expect.recover_within);
            self.violation = self.oracle.end(self.now, &self.core, left, within).err();
        }
        self.tally.end(self.now, self.oracle.well_since());
        let (hash, trace) = self.log.map_or((None, Vec::new()), |(hash, trace)| (Some(hash.value()), trace.lines()));
        let trace = if self.violation.is_some() { trace } else { Vec::new() };
        Outcome { seed, violation: self.violation, tally: self.tally, hash, trace }
    }
}
