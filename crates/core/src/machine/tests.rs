//! Scenarios of the whole machine, one rule of `failures.md` each; here is what they share.

mod breaks;
mod cached;
mod certificate;
mod changes;
mod clocks;
mod commit;
mod drift;
mod endings;
mod enriched;
mod first;
mod flights;
mod gates;
mod guards;
mod health;
mod hedges;
mod lacks;
mod limits;
mod parts;
mod pins;
mod probes;
mod recover;
mod refusals;
mod replicas;
mod retries;
mod sequences;
mod shadows;
mod slow;
mod sure;
mod votes;
mod waits;

use std::{string::ToString, vec};

use super::*;
use crate::{
    Added, AttemptRecord, BreakerPolicy, BreakerState, Can, Clocks, Decision, End, Features, FirstClock, MILLISECOND,
    Method, OnCapability, OnPolicy, Operation, Path, PathId, Phase, Protocol, Reason, ReplicaId, ResultCode as R,
    Route, SECOND, Signal, Source, Start, Tier, Transition, Upstream, UpstreamId, Verdict, Wants, Where,
};

/// A route under test: `primary` on two replicas or one, `small`, and a `default`.
struct Kit {
    core: Core,
    now: Nanos,
    requests: u64,
    out: Vec<Output>,
    /// Upstreams go on with what was cancelled.
    deaf: bool,
}

fn revision(primary_replicas: usize) -> Revision {
    let clocks = Clocks { first_content: FirstClock::Fixed(4 * SECOND), stall: SECOND, total: 600 * SECOND };
    let path = |name: &str, place, need| Path {
        name: name.into(),
        route: RouteId(0),
        place,
        domain: None,
        model: Default::default(),
        hedge: false,
        limit: Default::default(),
        clocks,
        min_rate: 2,
        objective: None,
        need,
        retries: 1,
        features: Features::ALL,
        can: Default::default(),
        context: None,
        added: Default::default(),
        effects: false,
        prefill: false,
        after_break: 2 * SECOND,
        accept: None,
        stands: false,
        sure: crate::Permille::new(0),
        breaker: BreakerPolicy::default(),
    };
    let tier = |name: &str, method, path| Tier { name: name.into(), method, path: PathId(path), ensemble: None };
    let upstream = |name: &str, replicas: usize| Upstream {
        name: name.into(),
        replicas: (0..replicas).map(|n| std::format!("http://{name}-{n}")).collect(),
        min_available: 1,
        probe: None,
    };
    Revision {
        digest: [7; 32],
        routes: vec![Route {
            name: "chat".into(),
            protocol: Protocol::OpenaiChat,
            deadline: 20 * SECOND,
            max_attempts: 4,
            on_policy: OnPolicy::Error,
            on_capability: OnCapability::Next,
            budget: Default::default(),
            when_exhausted: Default::default(),
            commit: Default::default(),
            priority: Default::default(),
            rescue: true,
            cache: None,
            guards: Vec::new(),
            drift: None,
            certificate: None,
            imputed: Default::default(),
            shadow: Default::default(),
            rehearsal: 0,
            tiers: vec![
                tier("primary", Method::Primary, 0),
                tier("small", Method::Distilled, 1),
                tier("default", Method::Default, 2),
            ],
        }],
        paths: vec![
            path("primary", Where::Remote(UpstreamId(0)), 5 * SECOND),
            path("small", Where::Remote(UpstreamId(1)), 5 * SECOND),
            path("default", Where::Certain, 5 * MILLISECOND),
        ],
        upstreams: vec![upstream("big", primary_replicas), upstream("little", 1)],
        names: Default::default(),
    }
}

impl Kit {
    fn new(revision: Revision) -> Self {
        Self { core: Core::new(0, Arc::new(revision)), now: 0, requests: 0, out: Vec::new(), deaf: false }
    }

    fn feed(&mut self, input: Input) {
        self.core.handle(self.now, input);
        let from = self.out.len();
        while let Some(output) = self.core.poll() {
            self.out.push(output);
        }
        for at in from..self.out.len() {
            if let (false, Output::Cancel { attempt, .. }) = (self.deaf, &self.out[at]) {
                self.core.handle(self.now, Input::Attempt { attempt: *attempt, event: Event::Closed });
            }
        }
    }

    fn admit(&mut self, operation: Operation) -> RequestId {
        self.admit_as(operation, |_| ())
    }

    fn admit_as(&mut self, operation: Operation, change: impl FnOnce(&mut Admit)) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        let mut admit = Admit {
            request,
            route: RouteId(0),
            operation,
            deadline: None,
            entropy: self.requests,
            cost: 1_000,
            weight: 1,
            needs: Features::NONE,
            wants: Default::default(),
            tokens: 0,
            max_tier: None,
            min_confidence: None,
            pure: true,
            private: false,
            bodies: crate::Permille::new(0),
            spent: 0,
            imputed: crate::Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: Default::default(),
        };
        change(&mut admit);
        self.feed(Input::Admit(admit));
        request
    }

    fn event(&mut self, event: Event) {
        let attempt = self.start().attempt;
        self.feed(Input::Attempt { attempt, event });
    }

    fn end(&mut self, result: R, status: u16) {
        self.event(Event::Ended { result, status: Some(status), after: None });
    }

    /// Lets time pass until a moment, with every timer on the way.
    fn until(&mut self, end: Nanos) {
        while let Some((at, _)) = self.core.next_timeout().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// Lets `primary` refuse two streams, which opens it; `small` answers them.
    fn open_primary(&mut self) {
        for _ in 0..2 {
            self.admit(Operation::ChatStream);
            self.end(R::ConnectFailed, 0);
            self.end(R::Ok, 200);
        }
        assert_eq!(self.breaker(0), BreakerState::Open);
    }

    fn breaker(&self, tier: usize) -> BreakerState {
        self.core.route_state(self.now, RouteId(0)).tiers[tier].breaker
    }

    fn start(&self) -> Start {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Start(start) => Some(start.clone()),
            _ => None,
        });
        last.expect("something was started")
    }

    fn tier_of(&self, attempt: AttemptId) -> u8 {
        let tier = |output: &Output| match output {
            Output::Start(start) if start.attempt == attempt => Some(start.tier),
            _ => None,
        };
        self.out.iter().find_map(tier).expect("it was started")
    }

    fn starts(&self) -> Vec<(u8, u16)> {
        let start = |output: &Output| match output {
            Output::Start(start) => Some((start.tier, start.replica.0)),
            _ => None,
        };
        self.out.iter().filter_map(start).collect()
    }

    fn decision(&self) -> Decision {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Decision(decision) => Some((**decision).clone()),
            _ => None,
        });
        let decision = last.expect("a request has ended");
        assert!(decision.rederives(), "rule 10");
        decision
    }

    fn source(&self) -> Source {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Answer { source, .. } => Some(*source),
            _ => None,
        });
        last.expect("something was answered")
    }

    fn refusals(&self) -> Vec<Refusal> {
        let refusal = |output: &Output| match output {
            Output::Refuse { why, .. } => Some(*why),
            _ => None,
        };
        self.out.iter().filter_map(refusal).collect()
    }

    fn transitions(&self) -> Vec<Transition> {
        let transition = |output: &Output| match output {
            Output::Transition(transition) => Some((**transition).clone()),
            _ => None,
        };
        self.out.iter().filter_map(transition).collect()
    }

    fn results(&self) -> Vec<&'static str> {
        self.decision().attempts.iter().map(|attempt: &AttemptRecord| attempt.result.name()).collect()
    }
}

#[test]
fn a_core_that_starts_anew_gives_no_number_twice_and_goes_on_draining() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    let old = kit.start().attempt;
    kit.core = kit.core.restarted(kit.now);
    kit.admit(Operation::Chat);
    assert!(kit.start().attempt > old);
    kit.feed(Input::Attempt { attempt: old, event: Event::Ended { result: R::ClientGone, status: None, after: None } });
    assert_eq!(kit.core.open(), 1, "the end of an attempt that is nobody's is not heard");
    kit.feed(Input::Drain);
    kit.core = kit.core.restarted(kit.now);
    kit.admit(Operation::Chat);
    assert_eq!(kit.decision().reason, Reason::Draining);
}

#[test]
fn a_healthy_primary_answers() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    kit.end(R::Ok, 200);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(0), Reason::PrimaryHealthy));
    let verdicts: Vec<_> = decision.candidates.iter().map(|it| (it.verdict, it.reasons[0])).collect();
    let skipped = (Verdict::Skipped, Reason::LowerPreference);
    assert_eq!(verdicts, [(Verdict::Selected, Reason::PrimaryHealthy), skipped, skipped]);
    assert_eq!(kit.core.next_timeout(), None, "nothing is left behind");
}
