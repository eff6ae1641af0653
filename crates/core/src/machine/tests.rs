//! Scenarios of the whole machine, one rule of `failures.md` each.

mod gates;

use std::{string::ToString, vec};

use super::*;
use crate::{
    AttemptRecord, BreakerPolicy, BreakerState, Clocks, Decision, End, Features, MILLISECOND, Method, OnCapability,
    OnPolicy, Operation, Path, PathId, Phase, Protocol, Reason, ReplicaId, ResultCode as R, Route, SECOND, Signal,
    Source, Start, Tier, Transition, Upstream, UpstreamId, Verdict, Where,
};

/// A route under test: `primary` on two replicas or one, `small`, and a `default`.
struct Kit {
    core: Core,
    now: Nanos,
    requests: u64,
    out: Vec<Output>,
}

fn revision(primary_replicas: usize) -> Revision {
    let clocks = Clocks { first_content: 4 * SECOND, stall: SECOND, total: 600 * SECOND };
    let path = |name: &str, place, need| Path {
        name: name.into(),
        route: RouteId(0),
        place,
        domain: None,
        clocks,
        need,
        retries: 1,
        features: Features::ALL,
        context: None,
        breaker: BreakerPolicy::default(),
    };
    let tier = |name: &str, method, path| Tier { name: name.into(), method, path: PathId(path) };
    let upstream = |name: &str, replicas: usize| Upstream {
        name: name.into(),
        replicas: (0..replicas).map(|n| std::format!("http://{name}-{n}")).collect(),
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
    }
}

impl Kit {
    fn new(revision: Revision) -> Self {
        Self { core: Core::new(0, Arc::new(revision)), now: 0, requests: 0, out: Vec::new() }
    }

    fn feed(&mut self, input: Input) {
        self.core.handle(self.now, input);
        while let Some(output) = self.core.poll() {
            self.out.push(output);
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
            needs: Features::NONE,
            tokens: 0,
            max_tier: None,
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

#[test]
fn f_027_a_silent_primary_leaves_the_reserve_to_the_tiers_below() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().budget, 20 * SECOND - 5 * SECOND - 5 * MILLISECOND);
    kit.until(15 * SECOND);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)], "F-026: and the primary is not asked again");
    kit.until(20 * SECOND);
    assert_eq!(kit.results(), ["target.total_timeout", "target.total_timeout"]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(2), Reason::Timeout));
    assert_eq!(decision.outcome.latency, 20 * SECOND - 5 * MILLISECOND);
    assert_eq!(kit.source(), Source::Certain(PathId(2)));
}

#[test]
fn f_030_a_timeout_that_comes_late_does_not_cost_the_tier_that_time_was_kept_for() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    kit.now = 15 * SECOND + 40 * MILLISECOND;
    kit.feed(Input::Timeout);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
}

#[test]
fn f_030_a_tier_that_was_slow_for_a_time_is_asked_again() {
    let mut kit = Kit::new(revision(1));
    let slot = kit.core.generation.slots[0];
    let of = kit.core.generation.revision.paths[0].clone();
    let lane = kit.core.paths.state_mut(slot).lane(&of, Operation::Chat);
    (0..50).for_each(|_| lane.latency.record(19_900 * MILLISECOND));
    for _ in 0..1_200 {
        kit.admit(Operation::Chat);
        assert_eq!(kit.start().tier, 0, "else it would never learn that it is quick again");
        kit.now += 20 * MILLISECOND;
        kit.end(R::Ok, 200);
    }
    kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(SECOND));
    assert_eq!(kit.start().tier, 0, "and it has learned it");
}

#[test]
fn rule_03_an_answer_after_the_deadline_is_not_heard_though_no_timeout_came() {
    let mut alone = revision(1);
    alone.routes[0].tiers.truncate(1);
    for operation in [Operation::Chat, Operation::ChatStream] {
        let mut kit = Kit::new(alone.clone());
        kit.admit(operation);
        kit.now = 25 * SECOND;
        kit.event(Event::FirstContent);
        assert_eq!(kit.decision().outcome.end, End::Refused(Refusal::Deadline), "CORE-3");
        assert!(!kit.out.iter().any(|output| matches!(output, Output::Commit { .. })));
    }
}

#[test]
fn rule_04_a_lease_that_has_expired_is_a_failure_before_the_next_request_is_decided() {
    let mut kit = Kit::new(revision(1));
    kit.open_primary();
    kit.now = kit.core.next_timeout().expect("the open time ends").0;
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 0, "a probe");
    kit.now += 25 * SECOND;
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 1, "CORE-3");
}

#[test]
fn f_022_a_stream_without_content_is_left_after_first_token() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.event(Event::Alive);
    kit.until(4 * SECOND);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    kit.event(Event::FirstContent);
    kit.end(R::Ok, 200);
    assert_eq!(kit.results(), ["target.keepalive_only", "ok"]);
    assert_eq!(kit.decision().reason, Reason::TtftBreach);
}

#[test]
fn f_023_reasoning_stops_the_first_clock_starts_the_second_and_commits_nothing() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    for n in 1..=10 {
        kit.until(n * 900 * MILLISECOND);
        kit.event(Event::Progress);
    }
    assert_eq!(kit.starts().len(), 1);
    assert!(!kit.out.iter().any(|output| matches!(output, Output::Commit { .. })));
    kit.until(10 * SECOND);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)], "F-024: a second of silence after reasoning is a stall");
}

#[test]
fn f_028_the_last_model_gets_all_that_remains_above_the_reserve() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.end(R::EmptyAnswer, 200);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    assert_eq!(kit.start().budget, 20 * SECOND - 5 * MILLISECOND, "not 4 s");
    kit.until(12 * SECOND);
    kit.event(Event::FirstContent);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(1));
}

#[test]
fn f_028_grace_is_given_when_the_clock_fires_and_what_stood_below_is_gone() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    let waiting = kit.start().attempt;
    for _ in 0..2 {
        // Two others find that `small` refuses connections, and open it.
        kit.admit_as(Operation::ChatStream, |_| ());
        kit.end(R::EmptyAnswer, 200);
        kit.end(R::ConnectFailed, 0);
    }
    kit.until(19 * SECOND);
    kit.feed(Input::Attempt { attempt: waiting, event: Event::FirstContent });
    assert!(matches!(kit.out.last(), Some(Output::Commit { attempt, .. }) if *attempt == waiting));
}

#[test]
fn f_030_a_tier_that_cannot_finish_is_skipped_and_the_last_never_is() {
    let mut kit = Kit::new(revision(1));
    kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(SECOND));
    assert_eq!(
        kit.start().tier,
        0,
        "F-027: without a history a quarter of the time that there is, so that it can learn"
    );
    kit.end(R::Ok, 200);
    for path in [0, 1] {
        let slot = kit.core.generation.slots[path];
        let of = kit.core.generation.revision.paths[path].clone();
        let lane = kit.core.paths.state_mut(slot).lane(&of, Operation::Chat);
        (0..50).for_each(|_| lane.latency.record(2 * SECOND));
    }
    kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(SECOND));
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.attempts.len()), (Some(2), 0));
    assert_eq!(decision.reason, Reason::DeadlineInsufficient);
    assert_eq!(decision.candidates[0].verdict, Verdict::Skipped);
}

#[test]
fn cl_09_an_impatient_client_says_nothing_about_the_path() {
    let mut kit = Kit::new(revision(1));
    kit.core = {
        let mut alone = revision(1);
        alone.routes[0].tiers.truncate(1);
        Core::new(0, Arc::new(alone))
    };
    for n in 1..=20 {
        kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(10 * MILLISECOND));
        kit.until(n * SECOND);
        assert_eq!(kit.results(), ["target.total_timeout"], "the last tier is asked all the same");
    }
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Closed);
}

#[test]
fn f_021_a_longer_deadline_of_the_client_changes_nothing_about_evidence() {
    let mut alone = revision(1);
    alone.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(alone);
    for n in 1..=2 {
        kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(600 * SECOND));
        kit.until(n * 30 * SECOND);
    }
    assert_eq!(kit.breaker(0), BreakerState::Open);
}

#[test]
fn f_031_at_most_max_attempts() {
    let mut revision = revision(1);
    revision.routes[0].max_attempts = 1;
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts(), [(0, 0)]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.candidates[1].reasons[0]), (Some(2), Reason::RetryBudgetEmpty));
}

#[test]
fn f_040_f_041_one_retry_after_a_pause() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts().len(), 1);
    kit.until(100 * MILLISECOND - 1);
    assert_eq!(kit.starts().len(), 1, "F-041: not before 100 ms");
    kit.until(300 * MILLISECOND);
    assert_eq!(kit.starts(), [(0, 0), (0, 0)]);
    kit.end(R::Ok, 200);
    assert_eq!((kit.results(), kit.decision().outcome.tier), (vec!["target.status_5xx", "ok"], Some(0)));
    assert_eq!(kit.decision().reason, Reason::PrimaryHealthy);
}

#[test]
fn f_040_no_retry_in_a_ramp() {
    let mut kit = Kit::new(revision(1));
    kit.open_primary();
    kit.now = kit.core.next_timeout().expect("the open time ends").0;
    for _ in 0..2 {
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.breaker(0), BreakerState::Ramp);
    kit.now += SECOND;
    kit.admit(Operation::ChatStream);
    let before = kit.starts().len();
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts()[before - 1..], [(0, 0), (1, 0)], "the next tier, at once");
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().candidates[0].reasons, [Reason::Upstream5xx, Reason::BreakerOpen]);
}

#[test]
fn f_046_the_failure_that_opens_a_path_pays_for_no_retry_and_waits_for_none() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    let waiting = kit.start().attempt;
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 503);
    kit.feed(Input::Attempt {
        attempt: waiting,
        event: Event::Ended { result: R::Status5xx, status: Some(503), after: None },
    });
    assert_eq!(kit.breaker(0), BreakerState::Open, "two in a row");
    assert_eq!(kit.starts(), [(0, 0), (0, 0), (1, 0)], "the next tier, at once");
}

#[test]
fn f_065_a_request_counts_once_at_each_path_that_it_fails() {
    let mut revision = revision(1);
    revision.paths.iter_mut().for_each(|path| path.retries = 0);
    let mut kit = Kit::new(revision);
    for _ in 0..2 {
        kit.admit(Operation::ChatStream);
        kit.end(R::ProtocolError, 0);
        kit.end(R::ProtocolError, 0);
    }
    assert_eq!([kit.breaker(0), kit.breaker(1)], [BreakerState::Open; 2]);
}

#[test]
fn f_069_a_stream_that_goes_on_keeps_the_lease_of_its_replica() {
    let mut kit = Kit::new(revision(2));
    let other = |kit: &Kit| kit.start().replica == ReplicaId(1);
    // One replica breaks, mended by the other each time, until it is cut off.
    while kit.core.next_timeout().is_none() {
        kit.admit_as(Operation::ChatStream, |admit| admit.entropy = 1 << 32);
        if other(&kit) {
            kit.end(R::ConnectFailed, 0);
        }
        kit.end(R::Ok, 200);
    }
    kit.now = kit.core.next_timeout().expect("the replica's open time ends").0;
    kit.admit_as(Operation::ChatStream, |admit| admit.entropy = 1 << 32);
    assert!(other(&kit), "half open: it may be probed");
    let probe = kit.start().attempt;
    kit.event(Event::FirstContent);
    for _ in 0..6 {
        kit.until(kit.now + 900 * MILLISECOND);
        kit.feed(Input::Attempt { attempt: probe, event: Event::Progress });
    }
    kit.admit_as(Operation::ChatStream, |admit| admit.entropy = 1 << 32);
    assert!(other(&kit), "its lease has not expired under the stream");
}

#[test]
fn f_042_f_073_the_retry_goes_to_another_replica_and_mends_the_path() {
    let mut kit = Kit::new(revision(2));
    for _ in 0..20 {
        kit.admit_as(Operation::Chat, |admit| admit.entropy = 1 << 32);
        let first = kit.start().replica;
        if first == ReplicaId(1) {
            kit.end(R::Status5xx, 500);
            kit.until(kit.now + 300 * MILLISECOND);
            assert_ne!(kit.start().replica, first);
        }
        kit.end(R::Ok, 200);
        assert_eq!(kit.decision().outcome.tier, Some(0));
        kit.now += 10 * MILLISECOND;
    }
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Closed, "the path is well");
    assert!(
        kit.starts().iter().filter(|start| start.1 == 1).count() < 6,
        "the bad replica is cut off: {:?}",
        kit.starts()
    );
}

#[test]
fn f_041_f_043_a_refused_connection_goes_elsewhere_at_once_and_is_free() {
    let mut kit = Kit::new(revision(2));
    kit.admit(Operation::Chat);
    let first = kit.start().replica;
    kit.end(R::ConnectFailed, 0);
    assert_eq!(kit.starts().len(), 2, "at once");
    assert_ne!(kit.start().replica, first);
    let mut alone = Kit::new(revision(1));
    alone.admit(Operation::Chat);
    alone.end(R::ConnectFailed, 0);
    assert_eq!(alone.starts(), [(0, 0), (1, 0)], "with no other replica the next tier starts at once");
    assert!(!alone.out.iter().any(|output| matches!(output, Output::Decision(_))));
}

#[test]
fn f_043_an_unsent_request_takes_a_fresh_connection_and_leaves_no_evidence_when_that_works() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..10 {
        kit.admit(Operation::Chat);
        kit.end(R::Unsent, 0);
        assert!(kit.start().fresh);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Closed);
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        for _ in 0..3 {
            kit.end(R::Unsent, 0);
        }
        kit.end(R::Ok, 200);
    }
    assert_eq!(
        kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker,
        BreakerState::Open,
        "but it is evidence when it does not"
    );
}

#[test]
fn f_046_without_budget_the_next_tier_starts_at_once() {
    let mut revision = revision(1);
    revision.routes[0].budget.floor = 0;
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().candidates[0].reasons, [Reason::Upstream5xx, Reason::RetryBudgetEmpty]);
    assert_eq!(kit.decision().reason, Reason::Upstream5xx);
}

#[test]
fn f_007_f_009_a_lack_goes_to_tiers_that_can_else_the_original_error_goes_back() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    let first = kit.start().attempt;
    kit.end(R::ContextExceeded, 400);
    kit.end(R::CallerInvalid, 422);
    assert_eq!(kit.source(), Source::Error(first), "the first error, and not the default");
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.outcome.end), (400, End::Error(R::ContextExceeded)));
    assert_eq!(kit.results()[1], "capability.unsupported_feature", "F-002");
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).phase, Phase::Normal);
}

#[test]
fn f_009_where_the_first_failure_was_another_the_default_may_answer() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    kit.end(R::EmptyAnswer, 200);
    kit.end(R::CallerInvalid, 400);
    assert_eq!(kit.source(), Source::Certain(PathId(2)));
}

#[test]
fn f_036_after_context_exceeded_only_larger_windows_are_tried() {
    for (small, tried) in [(Some(8_000), false), (Some(32_000), true), (None, true)] {
        let mut revision = revision(1);
        (revision.paths[0].context, revision.paths[1].context) = (Some(8_000), small);
        let mut kit = Kit::new(revision);
        kit.admit(Operation::Chat);
        kit.end(R::ContextExceeded, 400);
        assert_eq!(kit.starts().len() == 2, tried, "{small:?}");
    }
}

#[test]
fn f_036_a_declared_lack_is_skipped_before_dispatch() {
    let mut revision = revision(1);
    revision.paths[0].features = Features::NONE;
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Chat, |admit| admit.needs = Features::TOOLS);
    assert_eq!(kit.starts(), [(1, 0)]);
    kit.end(R::Ok, 200);
    let first = &kit.decision().candidates[0];
    assert_eq!((first.verdict, first.reasons[0]), (Verdict::Skipped, Reason::CapabilityMissing));
}

#[test]
fn f_008_a_refusal_of_content_is_the_answer_unless_the_route_says_otherwise() {
    for (policy, starts, source) in [
        (OnPolicy::Error, 1, Source::Error(AttemptId(0))),
        (OnPolicy::Default, 1, Source::Certain(PathId(2))),
        (OnPolicy::Next, 2, Source::Attempt(AttemptId(1))),
    ] {
        let mut revision = revision(1);
        revision.routes[0].on_policy = policy;
        let mut kit = Kit::new(revision);
        kit.admit(Operation::Chat);
        kit.end(R::ContentFiltered, 400);
        if policy == OnPolicy::Next {
            kit.end(R::Ok, 200);
        }
        assert_eq!((kit.starts().len(), kit.source()), (starts, source), "{policy:?}");
        assert_eq!(kit.decision().reason, Reason::SafetyBlock);
    }
}

#[test]
fn f_127_a_stream_that_breaks_after_commit_is_never_a_short_success() {
    for (result, silent) in [(R::Truncated, false), (R::Stall, true)] {
        let mut kit = Kit::new(revision(1));
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        match silent {
            false => kit.end(result, 200),
            true => kit.until(2 * SECOND),
        }
        assert_eq!(kit.source(), Source::Broken(AttemptId(0), result));
        assert_eq!(kit.decision().outcome.end, End::Broken(result));
        assert_eq!((kit.decision().outcome.tier, kit.starts().len()), (Some(0), 1));
    }
}

#[test]
fn f_170_a_client_that_goes_leaves_no_evidence_and_nothing_running() {
    let mut kit = Kit::new(revision(1));
    let request = kit.admit(Operation::ChatStream);
    kit.feed(Input::ClientGone { request });
    assert!(kit.out.iter().any(|output| matches!(output, Output::Cancel { attempt: AttemptId(0), .. })));
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.reason), (499, Reason::ClientGone));
    assert_eq!(kit.results(), ["cancelled.client_gone"]);
    assert_eq!((kit.core.open(), kit.core.next_timeout()), (0, None));
    assert_eq!(decision.outcome.tier, None, "nothing had been promised");

    let request = kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.feed(Input::ClientGone { request });
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.outcome.tier), (499, Some(0)), "CL-01: as its headers had said");
    assert_eq!(decision.candidates[0].verdict, Verdict::Selected);
}

#[test]
fn f_165_exhausted_names_the_soonest_recovery_and_f_168_a_client_may_refuse_degradation() {
    let mut revision = revision(1);
    revision.routes[0].tiers.truncate(2);
    let mut kit = Kit::new(revision);
    let refusal = |kit: &Kit| {
        kit.out.iter().rev().find_map(|output| match output {
            Output::Refuse { why, retry_after, .. } => Some((*why, *retry_after)),
            _ => None,
        })
    };
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.end(R::ConnectFailed, 0);
        kit.end(R::ConnectFailed, 0);
    }
    kit.until(SECOND);
    kit.admit(Operation::Chat);
    let (why, after) = refusal(&kit).expect("nobody is left");
    let after = after.expect("it says when");
    assert_eq!((why, kit.decision().reason), (Refusal::Exhausted, Reason::AllTiersExhausted));
    assert!((9 * SECOND..=12 * SECOND).contains(&after), "{after}");
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).phase, Phase::Exhausted);

    kit.admit_as(Operation::Chat, |admit| admit.max_tier = Some(0));
    assert_eq!(refusal(&kit).expect("refused").0, Refusal::Degradation);
    assert_eq!(kit.decision().reason, Reason::ClientMaxTier);
}

#[test]
fn f_167_a_deadline_that_passes_where_the_last_tier_can_fail() {
    let mut revision = revision(1);
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.until(20 * SECOND);
    assert_eq!((kit.decision().outcome.status, kit.decision().reason), (504, Reason::Timeout));
}

#[test]
fn f_074_a_reload_keeps_the_state_of_the_paths_it_keeps() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.end(R::ConnectFailed, 0);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Open);
    let (mut same, mut moved) = (revision(1), revision(1));
    same.digest = [8; 32];
    kit.feed(Input::Revision(Arc::new(same)));
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Open);
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tier, 1);
    moved.upstreams[0].replicas = vec!["http://elsewhere".to_string()];
    kit.feed(Input::Revision(Arc::new(moved)));
    assert_eq!(
        kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker,
        BreakerState::Closed,
        "another address, another state"
    );
    assert_eq!(
        (kit.core.route_state(kit.now, RouteId(0)).tier, kit.core.route_state(kit.now, RouteId(0)).phase),
        (0, Phase::Normal)
    );
}

#[test]
fn f_175_a_drain_ends_every_open_request() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.admit(Operation::Chat);
    kit.feed(Input::Drain);
    assert_eq!(kit.source(), Source::Broken(AttemptId(0), R::Drained));
    assert_eq!((kit.decision().outcome.status, kit.decision().reason), (503, Reason::Draining));
    assert_eq!((kit.core.open(), kit.core.next_timeout()), (0, None));
}

/// The worked example of `failures.md`, section 4: one request every 4 s, bare 503 for 60 s, then healthy.
#[test]
fn ov_01_a_minute_of_503_at_low_traffic_costs_four_attempts_and_comes_back() {
    let mut kit = Kit::new(revision(1));
    let (mut sick, mut back) = (0, None);
    for n in 0..30 {
        kit.until(n * 4 * SECOND);
        let before = kit.starts().len();
        kit.admit(Operation::Chat);
        let ill = kit.now < 60 * SECOND;
        while kit.core.open() > 0 {
            let primary = kit.starts().len() > before && kit.start().tier == 0;
            match primary && ill {
                true => (sick += 1, kit.end(R::Status5xx, 503)).1,
                false => kit.end(R::Ok, 200),
            }
            kit.until(kit.now + 300 * MILLISECOND);
        }
        let tier = kit.decision().outcome.tier.expect("every request is answered");
        if tier == 0 && !ill {
            back.get_or_insert(n * 4 * SECOND);
        }
    }
    assert!(sick <= 4, "{sick} attempts in the outage");
    assert!(back.expect("it comes back") <= 76 * SECOND, "within 16 s");
    let ways: Vec<_> = kit.transitions().iter().map(|it| (it.from, it.to, it.reason)).collect();
    assert_eq!(ways[0], (0, 1, Reason::Upstream5xx));
    let trip = kit.transitions()[0].trip.expect("the way down has a cause");
    assert_eq!((trip.rule, trip.bad, trip.of), ("F-063", 2, 2));
}
