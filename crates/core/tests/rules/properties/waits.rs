//! F-166: how long a request waits where the ladder ends, over random histories of routes that end with a model.

use super::*;
use crate::world::Dice;

/// The most that a request waits for recoveries in all, and how many of a route may at once.
const MOST: Nanos = 3 * SECOND;
const WAITERS: usize = 4;

/// Two routes without anything that always answers, and with little room; half of their deadline is less than 3 s, or more.
fn narrow(seed: u64) -> Revision {
    let mut revision = sample(seed);
    for route in &mut revision.routes {
        route.tiers.retain(|tier| matches!(revision.paths[tier.path.index()].place, Where::Remote(_)));
        route.deadline = [4, 12][seed as usize % 2] * SECOND;
        // Nothing but room bars anybody.
        (route.guards, route.drift) = (Vec::new(), None);
    }
    revision.paths.iter_mut().for_each(|path| path.limit = LimitPolicy::Fixed(2 + seed % 3));
    revision
}

/// Two routes with one model each, which has a little room of its own, and nothing but that room bars anybody.
fn rooms(seed: u64) -> Revision {
    let mut revision = narrow(seed);
    for (at, route) in revision.routes.iter_mut().enumerate() {
        route.tiers.truncate(1);
        route.deadline = 60 * SECOND;
        let path = &mut revision.paths[route.tiers[0].path.index()];
        path.model = format!("model {at}");
        path.limit = LimitPolicy::Fixed(1 + (seed >> (2 * at)) % 3);
        path.objective = None;
    }
    revision
}

/// Who waits on two routes, in the order in which they came.
struct Queues {
    core: Core,
    dice: Dice,
    /// How many requests have come.
    asked: u64,
    /// Attempts on their way, and the requests of which they are.
    running: Vec<(AttemptId, RequestId)>,
    /// By request: its route.
    routes: BTreeMap<RequestId, usize>,
    waiting: [Vec<RequestId>; 2],
    /// By route: how many were served after they had waited.
    served: [usize; 2],
}

impl Queues {
    /// Feeds an input; says what is wrong with the order in which requests start.
    fn feed(&mut self, now: Nanos, input: Input) -> Result<(), String> {
        self.core.handle(now, input);
        while let Some(output) = self.core.poll() {
            match output {
                Output::Start(start) => {
                    let route = self.routes[&start.request];
                    match self.waiting[route].iter().position(|it| *it == start.request) {
                        Some(0) => {
                            self.waiting[route].remove(0);
                            self.served[route] += 1;
                        }
                        Some(place) => return Err(format!("{:?} starts from place {place}", start.request)),
                        None if self.waiting[route].is_empty() => {}
                        None => return Err(format!("{:?} starts before those who wait", start.request)),
                    }
                    self.running.push((start.attempt, start.request));
                }
                Output::Refuse { request, .. } => {
                    let route = self.routes[&request];
                    self.waiting[route].retain(|it| *it != request);
                    self.routes.remove(&request);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a request in, or ends an attempt.
    fn step(&mut self, now: Nanos, template: &Admit) -> Result<(), String> {
        if !self.running.is_empty() && self.dice.one_in(3) {
            let at = self.dice.below(self.running.len() as u64) as usize;
            let (attempt, _) = self.running.swap_remove(at);
            let event = Event::Ended { result: ResultCode::Ok, status: Some(200), after: None };
            return self.feed(now, Input::Attempt { attempt, event });
        }
        self.asked += 1;
        let (request, route) = (RequestId(self.asked), self.dice.below(2) as u16);
        let operation = match self.core.revision().routes[usize::from(route)].protocol {
            Protocol::OpenaiChat => Operation::Chat,
            Protocol::OpenaiEmbeddings => Operation::Embeddings,
            Protocol::Oip => Operation::Infer,
        };
        let (weight, tokens, entropy) = (1, 0, self.dice.roll());
        let plain = Admit {
            weight,
            tokens,
            needs: Features::NONE,
            wants: Default::default(),
            max_tier: None,
            min_confidence: None,
            pure: true,
            ..template.clone()
        };
        let plain = Admit { deadline: None, spent: 0, imputed: Permille::new(0), bodies: Permille::new(0), ..plain };
        let plain = Admit { rows: Rows::default(), sequence: None, ..plain };
        self.routes.insert(request, usize::from(route));
        self.feed(now, Input::Admit(Admit { request, route: RouteId(route), operation, entropy, ..plain }))?;
        let is_open = self.routes.contains_key(&request) && !self.running.iter().any(|it| it.1 == request);
        self.waiting[usize::from(route)].extend(is_open.then_some(request));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f_166_wait_1_wait_2_few_wait_for_a_recovery_and_none_for_longer_than_it_may(seed: u64) {
        let revision = narrow(seed);
        let mut world = World::new(seed, revision.clone());
        // Slower than anybody waits, or so quick that room comes and goes.
        world.least = [5 * SECOND, 100 * MILLISECOND][(seed >> 1) as usize % 2];
        for _ in 0..ARRIVALS {
            let gap = world.dice.below(120) * MILLISECOND;
            world.run_until(world.now + gap);
            world.weather();
            world.arrive();
            // Each route, each replica and each quota has so many places.
            prop_assert!(world.core.waiting() <= WAITERS * (2 + 3 + 1), "too many wait");
        }
        world.run_until(world.now + 700 * SECOND);
        prop_assert_eq!((world.core.open(), world.core.waiting()), (0, 0), "WAIT-1: a place is never given back");
        let mut waits = 0;
        let spent: BTreeMap<_, _> = world.history.admits().map(|(_, admit)| (admit.request, admit.spent)).collect();
        for decision in world.history.decisions() {
            let waited: Vec<_> = decision.facts.iter().filter(|fact| fact.signal == Signal::Waited).collect();
            let most = MOST.min(decision.deadline / 2);
            for fact in &waited {
                prop_assert!(fact.value <= fact.threshold && fact.threshold <= most, "WAIT-2: {:?}", decision);
            }
            prop_assert!(waited.len() <= 1 && decision.rederives(), "rule 10: {:?}", decision);
            for (what, forged) in forgeries(decision) {
                prop_assert!(!forged.rederives(), "a record with another {} passes: {:?}", what, forged);
            }
            // By the clock of the world, whatever the record says: nothing but a wait takes the time of a request that nobody
            // was asked for, once it is admitted.
            let idle = matches!(decision.outcome.end, End::Refused(Refusal::Exhausted | Refusal::Overloaded));
            if idle && decision.attempts.is_empty() {
                let may = waited.first().map_or(0, |fact| fact.threshold + LAG) + spent[&decision.request];
                prop_assert!(decision.outcome.latency <= may, "WAIT-2: {:?}", decision);
            }
            waits += waited.len();
        }
        prop_assert!(waits > 0, "nobody waited");
    }

    #[test]
    fn f_166_wait_3_what_is_freed_is_for_who_has_waited_longest_on_each_route(seed: u64) {
        let mut world = World::new(seed, rooms(seed));
        world.arrive();
        let template = world.history.admits().next().expect("it came").1.clone();
        let mut queues = Queues {
            core: Core::new(0, std::sync::Arc::new(rooms(seed))),
            dice: Dice(seed),
            asked: 0,
            running: Vec::new(),
            routes: BTreeMap::new(),
            waiting: Default::default(),
            served: [0; 2],
        };
        let mut now = 0;
        for _ in 0..600 {
            let next = now + 1 + queues.dice.below(60 * MILLISECOND);
            while let Some((at, _)) = queues.core.next_timeout().filter(|(at, _)| *at <= next) {
                now = at.max(now);
                let fed = queues.feed(now, Input::Timeout);
                prop_assert!(fed.is_ok(), "WAIT-3: {:?}", fed);
            }
            now = next;
            let fed = queues.step(now, &template);
            prop_assert!(fed.is_ok(), "WAIT-3: {:?}", fed);
        }
        prop_assert!(queues.served.iter().all(|served| *served > 0), "nobody waited: {:?}", queues.served);
    }
}
