//! A small world around the core: clients that come and go, upstreams that are well or ill, clocks that fire on time.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::*;

use crate::{
    ballot::Ballots,
    history::{Entry, History},
    sample::{plain_sample, sample},
    upstream::{Grey, Script, script},
};

/// Requests of a history, about.
pub(crate) const ARRIVALS: usize = 150;

/// SplitMix64: all randomness of a world, from one seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// An earlier answer to other words, around what routes take of them.
    pub(crate) fn near(&mut self) -> Near {
        let similarity = Permille::new(900 + self.below(101) as u16);
        Near { similarity, stored: Stored { age: self.below(90) * SECOND, tier: self.below(2) as u8 } }
    }
}

pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Nanos,
    pub(crate) dice: Dice,
    pub(crate) history: History,
    /// Events that are on their way: when, and in which order they were caused.
    coming: BTreeMap<(Nanos, u64), (AttemptId, Input)>,
    running: BTreeMap<AttemptId, RequestId>,
    open: Vec<RequestId>,
    ballots: Ballots,
    order: u64,
    requests: u64,
    /// Per path: how ill it is, in permille of attempts that go wrong.
    pub(crate) illness: BTreeMap<u16, u64>,
    /// Where set, the one thing that goes wrong.
    pub(crate) only: Option<ResultCode>,
    /// What every attempt takes at the least.
    pub(crate) least: Nanos,
    /// The replicas of the first path that are worse than the others.
    pub(crate) grey: BTreeMap<ReplicaId, Grey>,
    pub(crate) churn: bool,
    /// How many steps routes have gone back from their certificates: ever more.
    steps: BTreeMap<RouteId, u64>,
    /// Some clients give less time than the route does.
    pub(crate) impatience: bool,
    /// Some calls belong to sequences.
    pub(crate) sequences: bool,
    /// So many different questions are asked, of routes with a cache; 0 where each is its own.
    pub(crate) questions: u64,
    /// What was kept of answers, by question: when, and whose.
    pub(crate) kept: BTreeMap<u64, (Nanos, u8)>,
    /// Timeouts reach the core up to this late, as those of a busy shell do.
    pub(crate) lag: Nanos,
    /// How late the next one will be.
    late: Nanos,
}

/// How late a timeout may be in most worlds.
pub(crate) const LAG: Nanos = 40 * MILLISECOND;

impl World {
    pub(crate) fn new(seed: u64, revision: Revision) -> Self {
        Self {
            core: Core::new(0, Arc::new(revision)),
            now: 0,
            dice: Dice(seed),
            history: History::default(),
            coming: BTreeMap::new(),
            running: BTreeMap::new(),
            open: Vec::new(),
            ballots: Ballots::default(),
            order: 0,
            requests: 0,
            illness: BTreeMap::new(),
            only: None,
            least: 0,
            grey: BTreeMap::new(),
            steps: BTreeMap::new(),
            churn: true,
            impatience: true,
            sequences: true,
            questions: 0,
            kept: BTreeMap::new(),
            lag: LAG,
            late: 0,
        }
    }

    /// Plays a random history: arrivals, illness that comes and goes, clients that leave, reloads, and then the end of
    /// all arrivals until nothing is open.
    pub(crate) fn play(seed: u64, arrivals: usize) -> History {
        Self::new(seed, sample(seed)).history_of(arrivals)
    }

    /// Plays it as the naive model can follow: every client is patient, since an impatient one's clock is not the path's
    /// fault; every upstream is one replica; every timeout is on time; and no call belongs to a sequence.
    pub(crate) fn play_plainly(seed: u64, arrivals: usize) -> History {
        Self { impatience: false, sequences: false, lag: 0, ..Self::new(seed, plain_sample(seed)) }.history_of(arrivals)
    }

    pub(crate) fn history_of(mut self, arrivals: usize) -> History {
        let world = &mut self;
        for _ in 0..arrivals {
            let gap = match world.dice.below(4) {
                0 => world.dice.below(20 * SECOND / 10),
                _ => world.dice.below(60 * MILLISECOND),
            };
            world.run_until(world.now + gap);
            world.weather();
            world.arrive();
        }
        world.run_until(world.now + 700 * SECOND);
        assert_eq!(world.core.open(), 0, "CORE-1: requests stay open");
        self.history.left_in_flight = self.core.in_flight();
        self.history.left_waiting = self.core.waiting();
        self.history
    }

    /// Lets time pass, with everything that it brings.
    pub(crate) fn run_until(&mut self, end: Nanos) {
        loop {
            let timer = self.core.next_timeout().map(|(at, _)| (at + self.late).max(self.now));
            let event = self.coming.first_key_value().map(|(key, _)| *key);
            match (timer, event) {
                (timer, Some((at, order))) if at <= end && timer.is_none_or(|timer| at < timer) => {
                    self.now = at;
                    let (_, input) = self.coming.remove(&(at, order)).expect("just seen");
                    self.feed(input);
                }
                (Some(at), _) if at <= end => {
                    self.now = at;
                    self.late = if self.lag > 0 && self.dice.one_in(3) { self.dice.below(self.lag) } else { 0 };
                    self.feed(Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Lets one request in.
    pub(crate) fn arrive(&mut self) -> RequestId {
        let routes = self.core.revision().routes.len() as u64;
        let route = RouteId(self.dice.below(routes) as u16);
        self.arrive_at(route)
    }

    pub(crate) fn arrive_at(&mut self, route: RouteId) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        let operation = match self.core.revision().routes[route.index()].protocol {
            Protocol::OpenaiChat if self.dice.one_in(2) => Operation::ChatStream,
            Protocol::OpenaiChat => Operation::Chat,
            Protocol::OpenaiEmbeddings => Operation::Embeddings,
            Protocol::Oip => Operation::Infer,
        };
        // Of other bits than the lots of ramps.
        let enriched = |entropy: u64| match operation {
            Operation::Infer => (entropy % (200 * MILLISECOND), Permille::new(Permille::lot(entropy.rotate_left(32)))),
            _ => (0, Permille::new(0)),
        };
        let rows = |entropy: u64| match operation {
            Operation::Infer => {
                let all = 1 + (entropy >> 8) % 6;
                Rows { all, apart: (entropy >> 16) % (all + 1) }
            }
            _ => Rows::default(),
        };
        let admit = Admit {
            request,
            route,
            operation,
            deadline: (self.impatience && self.dice.one_in(8)).then_some(0),
            entropy: self.dice.roll(),
            cost: 1_000,
            weight: 1 + self.dice.below(3),
            needs: if self.dice.one_in(6) { Features::TOOLS } else { Features::NONE },
            wants: Wants::default(),
            tokens: self.dice.below(3_000),
            max_tier: self.dice.one_in(10).then_some(self.dice.0 as u8 % 3),
            min_confidence: None,
            pure: !self.dice.one_in(12),
            private: false,
            bodies: Permille::new(0),
            spent: 0,
            imputed: Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: verdict(self.dice.0),
        };
        let deadline = admit.deadline.map(|_| self.dice.below(3 * SECOND));
        let (spent, imputed) = enriched(admit.entropy);
        let wants = wants(admit.entropy);
        let spent = spent.min(self.now);
        let sequence = self.sequence_of(&admit);
        self.open.push(request);
        let rows = rows(admit.entropy);
        let cache = self.lookup(&admit);
        self.feed(Input::Admit(Admit { deadline, spent, imputed, rows, sequence, wants, cache, ..admit }));
        request
    }

    /// What is known of earlier answers, where questions are asked again and again.
    fn lookup(&self, admit: &Admit) -> Lookup {
        if self.questions == 0 || !admit.pure {
            return Lookup::default();
        }
        let bits = Dice(admit.entropy ^ 0xCAC4E).roll();
        let key = ((bits % self.questions) << 8) | u64::from(admit.route.0);
        let stored = self.kept.get(&key).map(|(at, tier)| Stored { age: self.now - at, tier: *tier });
        let max_age = (bits >> 32).is_multiple_of(8).then_some((bits >> 40) % 3 * SECOND);
        let near = (bits >> 48).is_multiple_of(2).then(|| Dice(bits).near());
        Lookup { key: Some(key), stored, max_age, others: (bits >> 16).is_multiple_of(2), near }
    }

    /// What looking for an answer to other words comes to: something near or less near, nothing, or nobody who could say.
    fn search(&mut self) -> Script {
        let after = self.dice.below(200) * MILLISECOND;
        let result = if self.dice.one_in(4) { ResultCode::CacheDissimilar } else { ResultCode::Ok };
        let ended = Event::Ended { result, status: None, after: None };
        match self.dice.one_in(5) {
            true => vec![(after, ended)],
            false => vec![(after, Event::Similar(self.dice.near())), (after, ended)],
        }
    }

    /// A shell that keeps what was answered whole says so a moment later, where it has it.
    fn keep(&mut self, decision: &Decision) {
        let admit = self.admit_of(decision.request);
        let Some(key) = admit.cache.key else { return };
        let searched = |attempt: &AttemptRecord| decision.revision.paths[attempt.path.index()].place == Where::Stored;
        let whole = decision.attempts.iter().find(|it| it.result == ResultCode::Ok && !searched(it));
        let kept = whole.filter(|_| !self.dice.one_in(6)).map(|whole| (self.now, whole.tier));
        self.kept.extend(kept.map(|kept| (key, kept)));
        self.order += 1;
        let (at, landed) = (self.now + self.dice.below(3) * MILLISECOND, (decision.request, kept.is_some()));
        let input = Input::Landed { request: landed.0, kept: landed.1 };
        self.coming.insert((at, self.order), (AttemptId(u64::MAX), input));
    }

    /// One call in three belongs to one of a few sequences, by bits that nothing else is drawn from.
    fn sequence_of(&self, admit: &Admit) -> Option<Sequence> {
        let bits = Dice(admit.entropy).roll();
        let some = self.sequences && admit.operation == Operation::Infer && bits.is_multiple_of(3);
        some.then(|| Sequence { key: (bits >> 8 & 3).into(), start: bits >> 16 & 3 == 0, end: bits >> 24 & 7 == 0 })
    }

    pub(crate) fn feed(&mut self, input: Input) {
        if let Some(count) = self.ballots.before(&input) {
            self.feed(count);
        }
        self.history.entries.push((self.now, Entry::Input(input.clone())));
        self.core.handle(self.now, input);
        while let Some(output) = self.core.poll() {
            output.feed(&mut self.history.hash);
            self.history.entries.push((self.now, Entry::Output(output.clone())));
            self.obey(output);
        }
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Start(start) => {
                self.ballots.start(self.core.revision(), &start);
                self.running.insert(start.attempt, start.request);
                let stream = self.operation_of(start.request).is_stream();
                let attempt = start.attempt;
                let (later, illness) = self.manner(&start);
                if self.core.revision().paths[start.path.index()].place == Where::Stored {
                    for (after, event) in self.search() {
                        self.come(after, attempt, Input::Attempt { attempt, event });
                    }
                    return;
                }
                let accept = self.core.revision().paths[start.path.index()].accept;
                for (after, event) in script(&mut self.dice, self.only, (illness, stream)) {
                    if accept.is_some() && matches!(event, Event::Ended { result: ResultCode::Ok, .. }) {
                        let low = self.dice.below(8).saturating_sub(3);
                        self.come(
                            later + after,
                            attempt,
                            Input::Attempt { attempt, event: Event::Judged { low, sure: Permille::new(0) } },
                        );
                    }
                    self.come(later + after, attempt, Input::Attempt { attempt, event });
                }
                if start.role != Role::Answer {
                    let splice = if self.dice.one_in(3) { Splice::Diverged } else { Splice::Matched };
                    let after = self.dice.below(800) * MILLISECOND;
                    self.come(after, attempt, Input::Splice { attempt, splice });
                } else if stream && self.dice.one_in(6) {
                    let after = self.dice.below(800) * MILLISECOND;
                    self.come(after, attempt, Input::Attempt { attempt, event: Event::Unrepeatable });
                } else if stream && self.only.is_none() && self.dice.one_in(30) {
                    let (after, said) = (self.dice.below(800) * MILLISECOND, self.dice.below(30));
                    self.come(after, attempt, Input::Attempt { attempt, event: Event::Slow { said } });
                }
            }
            Output::Cancel { attempt, .. } => {
                if let Some((other, count)) = self.ballots.cancel(attempt) {
                    self.come(0, other, count);
                }
                self.running.remove(&attempt);
                // One in two upstreams does not hear that it was cancelled: the core must not listen any more.
                if self.dice.one_in(2) {
                    self.coming.retain(|_, (of, _)| *of != attempt);
                    let closed = self.dice.below(50) * MILLISECOND;
                    self.come(closed, attempt, Input::Attempt { attempt, event: Event::Closed });
                }
            }
            Output::Answer { request, .. } | Output::Refuse { request, .. } => {
                self.open.retain(|it| *it != request);
            }
            Output::Decision(decision) => {
                if self.questions > 0 {
                    self.keep(&decision);
                }
            }
            Output::Transition(_) => {
                let routes = 0..self.core.revision().routes.len() as u16;
                let states = routes.map(|route| self.core.route_state(self.now, RouteId(route))).collect();
                self.history.states.push((self.now, states));
            }
            Output::Shadow(start) => {
                let stream = self.operation_of(start.request).is_stream();
                let (later, illness) = self.manner(&start);
                for (after, event) in script(&mut self.dice, self.only, (illness, stream)) {
                    let attempt = start.attempt;
                    self.come(later + after, attempt, Input::Attempt { attempt, event });
                }
            }
            Output::ShadowStop { attempt, .. } => {
                self.coming.retain(|_, (of, _)| *of != attempt);
                self.come(0, attempt, Input::Attempt { attempt, event: Event::Closed });
            }
            Output::Commit { .. }
            | Output::Keep { .. }
            | Output::CancelIgnored { .. }
            | Output::Probe(_)
            | Output::Breaker(_)
            | Output::Gate(_)
            | Output::Proposed(_) => {}
        }
    }

    /// Lets an attempt report something after a while.
    fn come(&mut self, after: Nanos, attempt: AttemptId, input: Input) {
        self.order += 1;
        self.coming.insert((self.now + after, self.order), (attempt, input));
    }

    fn operation_of(&self, request: RequestId) -> Operation {
        self.admit_of(request).operation
    }

    fn admit_of(&self, request: RequestId) -> &Admit {
        let admits = self.history.entries.iter().rev().filter_map(|(_, entry)| match entry {
            Entry::Input(Input::Admit(admit)) => Some(admit),
            _ => None,
        });
        admits.into_iter().find(|admit| admit.request == request).expect("it was admitted")
    }

    /// Changes the weather: paths fall ill and get well, clients leave, a reload comes.
    pub(crate) fn weather(&mut self) {
        // Of other bits than everything else.
        let mut bits = Dice(self.dice.0 ^ 0xD21F7);
        if bits.one_in(12) {
            let route = RouteId(bits.below(self.core.revision().routes.len() as u64) as u16);
            let (value, samples) = ([0, 1, 2, 2][bits.below(4) as usize], bits.below(9_000));
            let name = [RouteSignal::Drift, RouteSignal::OutputDrift][bits.below(2) as usize];
            self.feed(Input::Signal { route, name, value, samples });
            if bits.one_in(12) {
                let steps = self.steps.entry(route).or_default();
                *steps += 1;
                let (value, name) = (*steps, RouteSignal::Certificate);
                self.feed(Input::Signal { route, name, value, samples });
            }
        }
        if self.dice.one_in(25) {
            let path = self.dice.below(self.core.revision().paths.len() as u64) as u16;
            let illness = [0, 0, 300, 1_000][self.dice.below(4) as usize];
            self.illness.insert(path, illness);
        }
        if self.churn && self.dice.one_in(12) && !self.open.is_empty() {
            let at = self.dice.below(self.open.len() as u64) as usize;
            let request = self.open.swap_remove(at);
            self.feed(Input::ClientGone { request });
        }
        if self.churn && self.dice.one_in(120) {
            let mut revision = (**self.core.revision()).clone();
            revision.digest[0] = revision.digest[0].wrapping_add(1);
            self.feed(Input::Revision(Arc::new(revision)));
        }
    }

    /// How late an attempt is, beyond what is usual, and how ill it finds its path, in permille.
    fn manner(&self, start: &Start) -> (Nanos, u64) {
        let illness = *self.illness.get(&start.path.0).unwrap_or(&0);
        match self.grey.get(&start.replica).filter(|_| start.path == PathId(0)) {
            None => (self.least, illness),
            Some(Grey::Late(by)) => (self.least + by, illness),
            Some(Grey::Fails(share)) => (self.least, *share),
        }
    }
}

/// What guards have measured of a request, by bits that no other draw is made from: of some nothing.
fn verdict(bits: u64) -> GuardVerdict {
    let mut bits = Dice(bits ^ 0x61A2D);
    let anomaly = (Signal::AnomalyP, bits.below(1_000_000));
    let range = (Signal::InputRange, u64::from(bits.one_in(12)));
    let measured = if bits.one_in(4) { vec![] } else { vec![anomaly, range] };
    measured.into_iter().collect()
}

/// What a request wants, by bits that no other draw is made from: one in sixteen something.
fn wants(entropy: u64) -> Wants {
    let bits = entropy >> 40;
    match bits & 15 {
        0 => Wants {
            languages: bits >> 4 & 3,
            datatypes: bits >> 6 & 3,
            regions: (bits >> 8 & 1 == 0).then_some(bits >> 9 & 3),
        },
        _ => Wants::default(),
    }
}
