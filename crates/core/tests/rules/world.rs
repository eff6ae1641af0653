//! A small world around the core: clients that come and go, upstreams that are well or ill, clocks that fire on time.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_core::*;

use crate::ballot::Ballots;

/// Requests of a history, about.
pub(crate) const ARRIVALS: usize = 150;

/// Everything that went in and came out, in order.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<(Nanos, Entry)>,
    pub(crate) states: Vec<(Nanos, Vec<RouteState>)>,
    pub(crate) hash: LogHash,
    /// The weight that the core holds in flight at the end.
    pub(crate) left_in_flight: u64,
    /// Places in queues that are taken at the end.
    pub(crate) left_waiting: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Input(Input),
    Output(Output),
}

impl History {
    pub(crate) fn outputs(&self) -> impl Iterator<Item = (Nanos, &Output)> {
        self.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Output(output) => Some((*at, output)),
            Entry::Input(_) => None,
        })
    }

    pub(crate) fn inputs(&self) -> impl Iterator<Item = (Nanos, &Input)> {
        self.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Input(input) => Some((*at, input)),
            Entry::Output(_) => None,
        })
    }

    pub(crate) fn admits(&self) -> impl Iterator<Item = (Nanos, &Admit)> {
        self.inputs().filter_map(|(at, input)| match input {
            Input::Admit(admit) => Some((at, admit)),
            _ => None,
        })
    }

    pub(crate) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.outputs().filter_map(|(_, output)| match output {
            Output::Decision(decision) => Some(&**decision),
            _ => None,
        })
    }
}

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
}

/// What an upstream does with an attempt: events, each after a while.
type Script = Vec<(Nanos, Event)>;

/// How a replica is worse than its peers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Grey {
    /// It answers later than they do, by a time.
    Late(Nanos),
    /// So many of its attempts go wrong, in permille.
    Fails(u64),
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
            pure: !self.dice.one_in(12),
            private: false,
            bodies: Permille::new(0),
            spent: 0,
            imputed: Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
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
        Lookup { key: Some(key), stored, max_age }
    }

    /// A shell that keeps what was answered whole says so a moment later, where it has it.
    fn keep(&mut self, decision: &Decision) {
        let admit = self.admit_of(decision.request);
        let Some(key) = admit.cache.key else { return };
        let whole = decision.attempts.iter().find(|attempt| attempt.result == ResultCode::Ok);
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
                let accept = self.core.revision().paths[start.path.index()].accept;
                for (after, event) in self.script(illness, stream) {
                    if accept.is_some() && matches!(event, Event::Ended { result: ResultCode::Ok, .. }) {
                        let low = self.dice.below(8).saturating_sub(3);
                        self.come(later + after, attempt, Input::Attempt { attempt, event: Event::Judged { low } });
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
                for (after, event) in self.script(illness, stream) {
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
            | Output::Gate(_) => {}
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

    /// What an upstream does with an attempt, well or ill.
    fn script(&mut self, illness: u64, stream: bool) -> Script {
        let ill = self.dice.below(1_000) < illness;
        let start = self.dice.below(400) * MILLISECOND;
        let told = self.dice.one_in(2).then(|| self.dice.below(3 * SECOND));
        let end = |after, result, status| {
            let told = told.filter(|_| result == ResultCode::RateLimited);
            (after, Event::Ended { result, status, after: told })
        };
        if !ill {
            return match stream {
                false => vec![end(start, ResultCode::Ok, Some(200))],
                true => speak(start, 1 + self.dice.below(5), end(0, ResultCode::Ok, Some(200)).1),
            };
        }
        match self.only {
            Some(ResultCode::Truncated) if stream => return cut(start),
            Some(result) => return vec![end(start, result, Some(500))],
            None => {}
        }
        use ResultCode as R;
        match self.dice.below(15) {
            0 => Vec::new(),
            1 => vec![end(start, R::Status5xx, Some(500))],
            2 => vec![end(start, R::Status5xx, Some(503))],
            3 => vec![end(start / 100, R::ConnectFailed, None)],
            4 => vec![end(start / 100, R::Reset, None)],
            5 => vec![end(start, R::RateLimited, Some(429))],
            6 => vec![end(start, R::CallerInvalid, Some(400))],
            7 => vec![end(start, R::ContextExceeded, Some(400))],
            8 => vec![end(start, R::ContentFiltered, Some(400))],
            9 => vec![(start, Event::Alive), (2 * start, Event::Alive)],
            10 if stream => cut(start),
            11 if stream => speak(start, 3, Event::Alive),
            12 => vec![end(start, R::CredentialRejected, Some(401))],
            13 => vec![end(start, R::PushBack, Some(503))],
            14 if !stream => vec![end(start + SECOND, R::Ok, Some(200))],
            _ => vec![end(start, R::EmptyAnswer, Some(200))],
        }
    }
}

/// An answer that breaks off after two pieces.
fn cut(start: Nanos) -> Script {
    speak(start, 2, Event::Ended { result: ResultCode::Truncated, status: Some(200), after: None })
}

/// Reasoning, content, more content, then an end.
fn speak(start: Nanos, pieces: u64, end: Event) -> Script {
    let mut script = vec![(start, Event::Progress), (start + 50 * MILLISECOND, Event::FirstContent)];
    let piece = |n| (start + (50 + 100 * n) * MILLISECOND, Event::Progress);
    script.extend((1..=pieces).map(piece));
    script.push((start + (60 + 100 * pieces) * MILLISECOND, end));
    script
}

/// Two routes with all kinds of tiers, one upstream with two replicas, varied by seed.
pub(crate) fn sample(seed: u64) -> Revision {
    let mut revision = plain_sample(seed);
    revision.upstreams[0].replicas.push("http://another".into());
    // Some promise what they hold three times in four, others are held against their own median.
    let objective = (seed % 3 == 1).then_some(300 * MILLISECOND);
    revision.paths.iter_mut().for_each(|path| path.objective = objective);
    let limits = [LimitPolicy::Auto, LimitPolicy::Fixed(4), LimitPolicy::Fixed(9)];
    for path in &mut revision.paths {
        path.limit = match path.place {
            Where::Remote(upstream) => limits[(seed >> upstream.0) as usize % 3],
            Where::Local | Where::Certain | Where::Stored | Where::Ensemble => LimitPolicy::Auto,
        };
    }
    revision.routes[1].priority = Priority::ALL[seed as usize % 3];
    revision
}

/// The same, each upstream one replica, and none ever late.
pub(crate) fn plain_sample(seed: u64) -> Revision {
    let mut dice = Dice(seed ^ 0xD1CE);
    let breaker =
        BreakerPolicy { open: (1 + dice.below(4)) * SECOND, open_max: 8 * SECOND, ..BreakerPolicy::default() };
    let breaker = BreakerPolicy { flap_max: [12, 300][seed as usize % 2] * SECOND, ..breaker };
    let clocks =
        Clocks { first_content: FirstClock::Fixed(800 * MILLISECOND), stall: 500 * MILLISECOND, total: 60 * SECOND };
    let mut revision = Revision { digest: [seed as u8; 32], ..Revision::default() };
    revision.upstreams = ["one", "two"]
        .map(|name| Upstream {
            name: name.into(),
            replicas: vec![format!("http://{name}")],
            min_available: 1,
            probe: None,
        })
        .into();
    // Some paths go on with an answer that was begun, some change something.
    let (goes_on, changes) = (!seed.is_multiple_of(3), seed.is_multiple_of(5));
    let mut add = |route: u16, name: &str, place| {
        let features = if name == "small" { Features::NONE } else { Features::ALL };
        let context = (name == "small").then_some(2_000);
        let need = if place == Where::Certain { 5 } else { 200 } * MILLISECOND;
        let (route, breaker) = (RouteId(route), breaker.clone());
        revision.paths.push(Path {
            name: name.into(),
            route,
            place,
            domain: (seed % 2 == 1 && matches!(place, Where::Remote(_))).then(|| "quota".into()),
            model: Default::default(),
            hedge: false,
            // Nothing is limited: the naive model knows no limiter.
            limit: LimitPolicy::Fixed(u64::MAX),
            clocks,
            min_rate: 2,
            objective: Some(600 * SECOND),
            need,
            retries: 1,
            features,
            can: can(name, place),
            context,
            effects: changes && name == "small",
            prefill: goes_on && matches!(place, Where::Remote(_)),
            after_break: 700 * MILLISECOND,
            accept: None,
            breaker,
        });
        PathId(revision.paths.len() as u16 - 1)
    };
    let remote = |n| Where::Remote(UpstreamId(n));
    let chat = [
        ("primary", Method::Primary, add(0, "primary", remote(0))),
        ("small", Method::Distilled, add(0, "small", remote(1))),
        ("default", Method::Default, add(0, "default", Where::Certain)),
    ];
    let infer = [
        ("primary", Method::Primary, add(1, "primary", remote(0))),
        ("distilled", Method::Distilled, add(1, "distilled", Where::Local)),
        ("rules", Method::Rules, add(1, "rules", Where::Local)),
    ];
    let route = |name: &str, protocol, tiers: &[(&str, Method, PathId)]| Route {
        name: name.into(),
        protocol,
        deadline: 4 * SECOND,
        max_attempts: 4,
        on_policy: [OnPolicy::Error, OnPolicy::Default, OnPolicy::Next][seed as usize % 3],
        on_capability: OnCapability::Next,
        budget: BudgetPolicy::default(),
        when_exhausted: Default::default(),
        commit: Default::default(),
        priority: Default::default(),
        rescue: true,
        cache: None,
        imputed: match protocol {
            Protocol::Oip => ImputedPolicy {
                most: Permille::new(500),
                start_at: 1 + (seed >> 5) as u8 % 2,
                split: seed >> 1 & 1 == 1,
            },
            _ => ImputedPolicy::default(),
        },
        shadow: Default::default(),
        rehearsal: 60 * SECOND,
        tiers: tiers
            .iter()
            .map(|&(name, method, path)| Tier { name: name.into(), method, path, ensemble: None })
            .collect(),
    };
    revision.routes = vec![route("chat", Protocol::OpenaiChat, &chat), route("infer", Protocol::Oip, &infer)];
    let rules = [None, Some(RowRule::Any), Some(RowRule::Split), Some(RowRule::Share(Permille::new(400)))];
    for (at, (.., path)) in infer[..2].iter().enumerate() {
        revision.paths[path.index()].accept = rules[((seed / 3) >> (2 * at)) as usize % 4];
    }
    revision
}

/// What a path can: not all of them everything.
fn can(name: &str, place: Where) -> Can {
    match (name, place) {
        (_, Where::Certain | Where::Local) => Can::ANYTHING,
        ("small", _) => Can { languages: 0b01, datatypes: 0b10, regions: 0b01 },
        _ => Can { regions: 0b10, ..Can::default() },
    }
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
