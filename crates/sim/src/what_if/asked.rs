//! Asked: a core under another configuration, in the world that a log knows.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use evenkeel_core::{
    Admit, AttemptId, Core, Event, Found, Input, MILLISECOND, Nanos, Operation, Origin, Output, PathId, Probe, ProbeId,
    RequestId, ResultCode, Revision, Start, Stored, Tally, Wants,
};

use super::{
    known::{Call, Fate, Known, Moment, Say, Thing, address, named},
    spent::Spent,
};
use crate::dice::{Dice, Purpose};

/// Calls near in time of which one stands for a call that was not made.
const NEAR: usize = 32;
/// The number of what is in no record: of equal times, it comes after everything that is.
const UNRECORDED: u64 = u64::MAX;

/// What is to happen.
#[derive(Clone, Copy, Debug)]
enum What {
    Said(AttemptId, Say),
    /// The log says no more of this call, which goes on now.
    Further(AttemptId),
    Landed(RequestId, bool),
    Probed(ProbeId, Found),
}

/// A call that runs.
#[derive(Clone, Debug)]
struct Running {
    request: RequestId,
    path: PathId,
    began: Nanos,
    shadow: bool,
    /// The log knows when it was stopped and closed.
    stopped_then: bool,
    stopped: bool,
    /// Nothing more of it is heard.
    over: bool,
}

/// A core under another configuration.
pub(super) struct Asked<'k> {
    known: &'k Known,
    core: Core,
    now: Nanos,
    /// The last moment of the log that was played.
    at: Moment,
    /// By moment; of one and the same, what is in the log, then timers, then what depends on whether they have ended a call.
    queue: BinaryHeap<Reverse<(Moment, u8, u64)>>,
    events: BTreeMap<u64, What>,
    caused: u64,
    running: BTreeMap<AttemptId, Running>,
    /// Which attempt is, here, the one that the log numbers so.
    here: BTreeMap<AttemptId, AttemptId>,
    used: BTreeMap<(RequestId, u32, bool), usize>,
    operations: BTreeMap<RequestId, (Operation, bool, u64)>,
    dice: Dice,
    pub(super) fates: BTreeMap<RequestId, Fate>,
    pub(super) spent: Spent,
    pub(super) guesses: BTreeSet<RequestId>,
    pub(super) unknown: BTreeMap<String, u64>,
    pub(super) homeless: u64,
    pub(super) broken: bool,
}

impl<'k> Asked<'k> {
    /// Plays everything that came.
    pub(super) fn play(known: &'k Known, revision: Arc<Revision>, seed: u64) -> Self {
        let origin = Origin { revision, ..known.origin.clone() };
        let mut asked = Self {
            known,
            core: Core::begin(known.at, origin),
            now: known.at,
            at: (known.at, 0),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            caused: 0,
            running: BTreeMap::new(),
            here: BTreeMap::new(),
            used: BTreeMap::new(),
            operations: BTreeMap::new(),
            dice: Dice::new(seed, Purpose::Servers),
            fates: BTreeMap::new(),
            spent: Spent::default(),
            guesses: BTreeSet::new(),
            unknown: BTreeMap::new(),
            homeless: 0,
            broken: false,
        };
        let mut coming = known.coming.iter().peekable();
        while !asked.broken {
            let from_log = coming.peek().map(|(moment, _)| (*moment, 0));
            let caused = asked.queue.peek().map(|Reverse((moment, rank, _))| (*moment, *rank));
            if from_log.is_none() && caused.is_none() && asked.core.open() == 0 {
                break;
            }
            let timer = asked.timer();
            let Some(next) = [from_log, caused, timer].into_iter().flatten().min() else { break };
            asked.reach(next.0);
            if Some(next) == from_log {
                let (_, thing) = coming.next().expect("just seen");
                asked.come(thing);
            } else if Some(next) == caused {
                let Reverse((_, _, caused)) = asked.queue.pop().expect("just seen");
                let what = asked.events.remove(&caused).expect("added together");
                asked.happen(what);
            } else {
                asked.feed(Input::Timeout);
            }
        }
        asked
    }

    /// Returns when the core is called for its timers: where the log knows that it was called late for that time, then.
    fn timer(&self) -> Option<(Moment, u8)> {
        let (due, _) = self.core.next_timeout()?;
        let timers = &self.known.timers;
        let passed = |(_, moment): &(Nanos, Moment)| moment.0 < due || *moment <= self.at;
        let late = timers.get(timers.partition_point(passed)).filter(|(asked, _)| *asked <= due);
        Some(late.map_or(((due.max(self.now), 0), 0), |(_, moment)| (*moment, 1)))
    }

    fn reach(&mut self, (at, number): Moment) {
        self.now = self.now.max(at);
        if number != UNRECORDED && number > 0 {
            self.at = (at, number);
        }
    }

    fn add(&mut self, moment: Moment, what: What) {
        self.caused += 1;
        let rank = if matches!(what, What::Further(_)) { 2 } else { 0 };
        self.queue.push(Reverse((moment, rank, self.caused)));
        self.events.insert(self.caused, what);
    }

    fn feed(&mut self, input: Input) {
        let (core, now) = (&mut self.core, self.now);
        self.broken = catch_unwind(AssertUnwindSafe(|| core.handle(now, input))).is_err();
        while let (false, Some(output)) = (self.broken, self.core.poll()) {
            self.obey(output);
        }
    }

    fn come(&mut self, thing: &Thing) {
        match thing {
            Thing::Admit(admit, of) => match moved(admit, of, self.core.revision()) {
                Some(moved) => {
                    let keyed = moved.cache.key.is_some();
                    self.operations.insert(moved.request, (moved.operation, keyed, moved.cost));
                    self.feed(Input::Admit(moved));
                }
                None => self.homeless += 1,
            },
            Thing::Gone(request) => self.feed(Input::ClientGone { request: *request }),
            Thing::Signal { route, name, value, samples } => {
                if let Some(route) = self.core.revision().route(route) {
                    self.feed(Input::Signal { route, name: *name, value: *value, samples: *samples });
                }
            }
            Thing::Drain => self.feed(Input::Drain),
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Said(attempt, say) => {
                let Some(running) = self.running.get_mut(&attempt).filter(|it| !it.over) else { return };
                let closes = matches!(say, Say::Event(Event::Closed));
                if running.stopped && !running.stopped_then && !closes {
                    return;
                }
                running.over = matches!(say, Say::Event(Event::Closed | Event::Ended { .. }));
                match say {
                    Say::Event(Event::Voted(tally)) => {
                        let leader = self.here.get(&tally.leader).copied().unwrap_or(attempt);
                        self.feed(Input::Attempt { attempt, event: Event::Voted(Tally { leader, ..tally }) });
                    }
                    Say::Event(event) => self.feed(Input::Attempt { attempt, event }),
                    Say::Splice(splice) => self.feed(Input::Splice { attempt, splice }),
                }
            }
            What::Further(attempt) => {
                if self.running.get(&attempt).is_some_and(|it| !it.stopped && !it.over) {
                    self.guess(attempt);
                }
            }
            What::Landed(request, kept) => self.feed(Input::Landed { request, kept }),
            What::Probed(probe, found) => self.feed(Input::Probed { probe, found }),
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Start(start) => self.start(&start, false),
            Output::Shadow(start) => self.start(&start, true),
            Output::Cancel { attempt, .. } | Output::ShadowStop { attempt, .. } => self.stop(attempt),
            Output::Decision(decision) => {
                let request = decision.request;
                self.fates.insert(request, Fate::of(&decision));
                let keyed = self.operations.get(&request).is_some_and(|(_, keyed, _)| *keyed);
                match self.known.landed.get(&request) {
                    Some(((after, number), kept)) => {
                        self.add((self.now + after, *number), What::Landed(request, *kept));
                    }
                    None if keyed => self.add((self.now, UNRECORDED), What::Landed(request, false)),
                    None => {}
                }
            }
            Output::Probe(probe) => self.probe(&probe),
            _ => {}
        }
    }

    /// Lets a call run as the log says that it did, or may have.
    fn start(&mut self, start: &Start, shadow: bool) {
        let (request, path, began) = (start.request, start.path, self.now);
        let revision = self.core.revision().clone();
        self.spent.call(&revision, start, (shadow, self.operations[&request].2));
        let of = self.known.path(&revision, path);
        let own = of.and_then(|of| {
            let used = self.used.entry((request, of, shadow)).or_default();
            *used += 1;
            self.known.own.get(&(request, of, shadow))?.get(*used - 1)
        });
        // What the path said to a copy of the request is as near as can be, but is no call that the request made.
        let copied = || self.known.own.get(&(request, of?, true))?.first();
        let copied = if own.is_none() && !shadow { copied() } else { None };
        let call = own.or(copied).map(|then| (*then, &self.known.calls[then]));
        let stopped_then = own.is_some() && call.is_some_and(|(_, call)| call.cut.is_some());
        let running = Running { request, path, began, shadow, stopped_then, stopped: false, over: false };
        self.running.insert(start.attempt, running);
        let Some((then, call)) = call else { return self.guess(start.attempt) };
        if own.is_none() {
            self.guesses.insert(request);
            return self.follow(start.attempt, call, 0);
        }
        self.here.insert(then, start.attempt);
        for ((after, number), say) in &call.script {
            self.add((began + after, *number), What::Said(start.attempt, *say));
        }
        if let Some((after, number)) = call.cut {
            self.add((began + after, number), What::Further(start.attempt));
        }
    }

    /// Lets a call go on as one near it in time did. One that was stopped then goes on as one that lasted longer: so each stands for
    /// itself as long as it was seen, and whoever was stopped for being slow is not left out.
    ///
    /// # Source
    /// Redistribution to the right (Efron, "The two sample problem with censored data", 1967), drawn instead of summed.
    fn guess(&mut self, attempt: AttemptId) {
        let running = self.running[&attempt].clone();
        if !running.shadow {
            self.guesses.insert(running.request);
        }
        let elapsed = self.now - running.began;
        let revision = self.core.revision().clone();
        let (operation, ..) = self.operations[&running.request];
        let known = self.known;
        let pool = known.path(&revision, running.path).and_then(|of| known.pools.get(&(of, operation)));
        let (calls, now) = (&known.calls, self.now);
        let pool: &[AttemptId] = pool.map_or(&[], |it| it);
        let (before, after) = pool.split_at(pool.partition_point(|it| calls[it].began < now));
        let whole = |it: &AttemptId| Some(&calls[it]).filter(|it| it.closed && it.lasts(elapsed));
        let before = before.iter().rev().filter_map(whole).take(NEAR / 2);
        let near: Vec<&Call> = before.chain(after.iter().filter_map(whole).take(NEAR / 2)).collect();
        if near.is_empty() {
            // Where nobody was seen to last so long, it says nothing more.
            return if elapsed == 0 {
                self.imagine(attempt, (&revision, running.path), operation)
            };
        }
        let drawn = near[self.dice.below(near.len() as u64) as usize];
        self.follow(attempt, drawn, elapsed);
    }

    /// Lets a call say from now on what another one said.
    fn follow(&mut self, attempt: AttemptId, call: &Call, elapsed: Nanos) {
        let began = self.running[&attempt].began;
        for ((after, _), say) in call.said(elapsed) {
            self.add((began + after, UNRECORDED), What::Said(attempt, say));
        }
        if let Some((after, _)) = call.cut {
            self.add((began + after, UNRECORDED), What::Further(attempt));
        }
    }

    /// Lets a call of a path of which nothing is known answer well, after what is reserved for it.
    fn imagine(&mut self, attempt: AttemptId, (revision, path): (&Revision, PathId), operation: Operation) {
        let (route, name) = named(revision, path);
        *self.unknown.entry(format!("{route}/{name}")).or_default() += 1;
        let at = self.now + revision.paths[path.index()].need.max(MILLISECOND);
        if operation.is_stream() {
            self.add((at, UNRECORDED), What::Said(attempt, Say::Event(Event::FirstContent)));
        }
        let ended = Event::Ended { result: ResultCode::Ok, status: Some(200), after: None };
        self.add((at, UNRECORDED), What::Said(attempt, Say::Event(ended)));
    }

    fn stop(&mut self, attempt: AttemptId) {
        let Some(running) = self.running.get_mut(&attempt) else { return };
        running.stopped = true;
        // Where it was stopped then, too, the log says when it was closed.
        if !running.stopped_then && !running.over {
            self.add((self.now, UNRECORDED), What::Said(attempt, Say::Event(Event::Closed)));
        }
    }

    fn probe(&mut self, probe: &Probe) {
        let of = address(&probe.revision, probe.upstream, probe.replica);
        let probes = self.known.probes.get(&of).map_or(&[][..], |it| it);
        let at = probes.partition_point(|it| it.asked < self.now);
        // One that was asked for in this very moment is this one, also where it was never answered.
        let near = match probes.get(at).filter(|it| it.asked == self.now) {
            Some(this) => this.found,
            None => {
                let known = probes[at..].iter().chain(probes[..at].iter().rev()).find_map(|it| it.found);
                known.or(Some(((MILLISECOND, UNRECORDED), Found::Good)))
            }
        };
        if let Some(((after, number), found)) = near {
            self.add((self.now + after, number), What::Probed(probe.probe, found));
        }
    }
}

/// Returns an admission as another revision understands it; none where it has no such route.
fn moved(admit: &Admit, of: &Revision, to: &Revision) -> Option<Admit> {
    let from = &of.routes[admit.route.index()];
    let route = to.route(&from.name)?;
    let there = &to.routes[route.index()];
    if there.protocol != from.protocol {
        return None;
    }
    let mut admit = Admit { route, ..admit.clone() };
    let tier = |stored: Stored| {
        let name = from.tiers.get(usize::from(stored.tier)).map(|it| &it.name);
        let at = there.tiers.iter().position(|it| Some(&it.name) == name)?;
        Some(Stored { tier: at as u8, ..stored })
    };
    admit.cache.stored = admit.cache.stored.and_then(tier);
    admit.cache.near =
        admit.cache.near.and_then(|near| Some(evenkeel_core::Near { stored: tier(near.stored)?, ..near }));
    if of.names != to.names {
        let bits = |bits: u64, names: &[String], to: &dyn Fn(&str) -> u64| {
            let named = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            // What had no name then has none now.
            named.fold(bits & (1 << 63), |moved, (_, name)| moved | to(name))
        };
        let Wants { languages, datatypes, regions } = admit.wants;
        let regions = regions.map(|it| bits(it, &of.names.regions, &|name| to.names.region(name)));
        let languages = bits(languages, &of.names.languages, &|name| to.names.language(name));
        admit.wants = Wants { languages, datatypes, regions };
    }
    Some(admit)
}
