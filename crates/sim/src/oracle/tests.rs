//! Forgeries: what an honest core says is passed on with one thing changed, and the oracle names the rule.

mod flaps;
mod recovery;

use evenkeel_core::{
    Admit, AttemptId, BreakerState, Cancelled, Features, GuardVerdict, MILLISECOND, Operation, Permille,
    ResultCode as R, Role, RouteId, Source, Start, Wants,
};

use super::*;
use crate::scenario::Scenario;

/// Where the places of requests end, as in the world.
const PLACE: u32 = 20;

pub(super) const SCRIPT: &str = "
about: a route with a safe default
requests: 1
workload: [{route: chat, rate: 1}]
config:
  version: 1
  upstreams:
    big: {protocol: openai, url: \"http://big.example/v1\"}
    small: {protocol: openai, url: \"http://small.example/v1\"}
  routes:
    chat:
      protocol: openai-chat
      tiers:
        - {name: primary, openai: {upstream: big, model: m}}
        - {name: small, openai: {upstream: small, model: m}}
        - {name: default, fixed: {content: none}}
";

/// A core whose word passes through a forger before the oracle hears it.
pub(super) struct Forger {
    pub(super) core: Core,
    oracle: Oracle,
    pub(super) now: Nanos,
    requests: u64,
    /// What was started last, as the oracle was told.
    pub(super) last: Option<Start>,
    pub(super) found: Vec<&'static str>,
}

pub(super) type Forge<'a> = &'a dyn Fn(Vec<Output>) -> Vec<Output>;

pub(super) const HONEST: Forge<'static> = &|outputs| outputs;

impl Forger {
    fn new() -> Self {
        Self::of(SCRIPT)
    }

    pub(super) fn of(script: &str) -> Self {
        let scenario = Scenario::read("s.yaml", script, None).expect("nothing is wrong with it");
        let revision = scenario.revision;
        let (core, oracle) = (Core::new(0, revision.clone()), Oracle::new(revision, None));
        Self { core, oracle, now: 0, requests: 0, last: None, found: Vec::new() }
    }

    /// Begins again with another revision.
    pub(super) fn restart(&mut self, revision: Arc<Revision>) {
        (self.core, self.oracle) = (Core::new(self.now, revision.clone()), Oracle::new(revision, None));
    }

    /// Feeds the core one thing and the oracle another.
    pub(super) fn feed(&mut self, real: Input, told: &Input, about: Option<RequestId>, forge: Forge<'_>) {
        self.oracle.before(self.now, &self.core, told, about);
        self.core.handle(self.now, real);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.core.poll()).collect();
        for output in forge(outputs) {
            if let Output::Start(start) = &output {
                self.last = Some(start.clone());
            }
            self.found.extend(self.oracle.hear(self.now, &output).err().map(|it| it.rule));
        }
        self.found.extend(self.oracle.after(self.now, &self.core).err().map(|it| it.rule));
    }

    pub(super) fn admit(&mut self, operation: Operation, forge: Forge<'_>) {
        self.admit_as((operation, GuardVerdict::default()), forge);
    }

    /// Admits a request of which guards have measured this; the core is told nothing of it.
    pub(super) fn admit_unlike(&mut self, operation: Operation, verdict: GuardVerdict) {
        self.admit_as((operation, verdict), HONEST);
    }

    fn admit_as(&mut self, (operation, verdict): (Operation, GuardVerdict), forge: Forge<'_>) {
        self.requests += 1;
        // A place of its own: several may be open at once.
        let request = RequestId(self.requests << PLACE | self.requests);
        let admit = Admit {
            request,
            route: RouteId(0),
            operation,
            deadline: None,
            entropy: self.requests,
            cost: 1_000,
            weight: 1,
            needs: Features::NONE,
            wants: Default::default(),
            tokens: 1,
            max_tier: None,
            min_confidence: None,
            pure: true,
            private: false,
            bodies: Permille::new(0),
            spent: 0,
            imputed: Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: GuardVerdict::default(),
        };
        let told = Input::Admit(Admit { verdict, ..admit.clone() });
        self.feed(Input::Admit(admit), &told, Some(request), forge);
    }

    fn event(&mut self, event: Event, forge: Forge<'_>) {
        self.event_of(self.last(), event, forge);
    }

    /// Lets an attempt report something, of those that were started.
    pub(super) fn event_of(&mut self, (attempt, request): (AttemptId, RequestId), event: Event, forge: Forge<'_>) {
        let input = Input::Attempt { attempt, event };
        self.feed(input.clone(), &input, Some(request), forge);
    }

    /// The attempt that was started last, and for whom.
    pub(super) fn last(&self) -> (AttemptId, RequestId) {
        self.last.as_ref().map(|it| (it.attempt, it.request)).expect("something was started")
    }

    pub(super) fn end(&mut self, result: R, after: Option<Nanos>, forge: Forge<'_>) {
        self.event(Event::Ended { result, status: Some(500), after }, forge);
    }

    /// Opens tier 0, honestly: two failures of different requests, which tier 1 mends.
    fn open_primary(&mut self) {
        for _ in 0..2 {
            self.admit(Operation::ChatStream, HONEST);
            self.end(R::Truncated, None, HONEST);
            self.event(Event::FirstContent, HONEST);
            self.end(R::Ok, None, HONEST);
        }
        assert_eq!(self.core.breaker(evenkeel_core::PathId(0), Operation::ChatStream), BreakerState::Open);
        assert_eq!(self.found, [""; 0], "nothing was forged yet");
    }
}

/// Plays one good answer with a forged end.
fn answered(forge: Forge<'_>) -> Vec<&'static str> {
    let mut forger = Forger::new();
    forger.admit(Operation::Chat, HONEST);
    forger.now += MILLISECOND;
    forger.end(R::Ok, None, forge);
    forger.found
}

fn first<T: Clone>(outputs: &[T], of: impl Fn(&T) -> bool) -> T {
    outputs.iter().find(|it| of(it)).expect("it is there").clone()
}

#[test]
fn an_honest_core_breaks_nothing() {
    assert_eq!(answered(HONEST), [""; 0]);
}

#[test]
fn rule_01_a_second_outcome_a_lost_record_and_a_lost_outcome_are_found() {
    let answer = |it: &Output| matches!(it, Output::Answer { .. });
    assert_eq!(answered(&|mut it| (it.insert(0, first(&it, answer)), it).1)[0], "rule 1", "twice");
    assert_eq!(answered(&|it| it.into_iter().filter(answer).collect())[0], "rule 1", "no record");
    assert_eq!(answered(&|it| it.into_iter().filter(|it| !answer(it)).collect())[0], "rule 1", "no outcome");
}

#[test]
fn f_166_a_request_that_nobody_is_asked_for_in_time_is_found() {
    let started = |after: Nanos| {
        let (mut forger, held) = (Forger::new(), std::cell::RefCell::new(Vec::new()));
        forger.admit(Operation::Chat, &|outputs| (held.borrow_mut().extend(outputs), Vec::new()).1);
        let found = forger.oracle.hear(after, &held.take()[0]);
        found.err().map(|it| it.rule)
    };
    assert_eq!([started(0), started(3 * SECOND)], [None, None]);
    assert_eq!(started(3 * SECOND + 1), Some("F-166"));
}

#[test]
fn rule_02_a_start_after_the_outcome_or_with_too_much_time_is_found() {
    let mut forger = Forger::new();
    let more = |outputs: Vec<Output>| -> Vec<Output> {
        outputs
            .into_iter()
            .map(|it| match it {
                Output::Start(start) => Output::Start(Start { budget: 31 * SECOND, ..start }),
                other => other,
            })
            .collect()
    };
    forger.admit(Operation::Chat, &more);
    assert_eq!(forger.found, ["rule 2"]);
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event(Event::FirstContent, &|mut outputs| {
        let Output::Commit { request, attempt, .. } = outputs[0] else { panic!("a stream commits") };
        let (attempt, path) = (AttemptId(attempt.0 + 1), evenkeel_core::PathId(1));
        let start = Start {
            request,
            attempt,
            tier: 1,
            path,
            replica: evenkeel_core::ReplicaId(0),
            budget: 1,
            fresh: false,
            role: Role::Answer,
            rows: 0,
            steps: 0,
        };
        outputs.push(Output::Start(start));
        outputs
    });
    assert_eq!(forger.found[0], "rule 2");
}

#[test]
fn rule_03_a_late_answer_and_a_refusal_beside_a_safe_default_are_found() {
    let mut forger = Forger::new();
    forger.admit(Operation::Chat, HONEST);
    let answer = {
        let (attempt, request) = forger.last();
        let event = Event::Ended { result: R::Ok, status: None, after: None };
        let input = Input::Attempt { attempt, event };
        forger.oracle.before(0, &forger.core, &input, Some(request));
        forger.core.handle(0, input);
        forger.core.poll().expect("an answer")
    };
    let late = forger.oracle.hear(31 * SECOND, &answer).expect_err("a second late");
    assert_eq!(late.rule, "rule 3");
    let refused = answered(&|outputs| {
        let Output::Answer { request, disclosure, .. } = outputs[0].clone() else { panic!("it is answered") };
        let why = evenkeel_core::Refusal::Exhausted;
        let disclosure = evenkeel_core::Disclosure { answered: None, ..disclosure };
        vec![Output::Refuse { request, why, retry_after: Some(SECOND), disclosure }]
    });
    assert_eq!(refused[0], "rule 3");
}

#[test]
fn rule_04_a_start_on_an_open_path_is_found() {
    let mut forger = Forger::new();
    forger.open_primary();
    forger.admit(Operation::ChatStream, &|outputs| {
        let Output::Start(start) = outputs[0].clone() else { panic!("tier 1 is started") };
        assert_eq!(start.tier, 1);
        vec![Output::Start(Start { tier: 0, path: evenkeel_core::PathId(0), ..start })]
    });
    assert_eq!(forger.found, ["rule 4"]);
}

#[test]
fn f_026_a_silent_path_that_is_asked_again_is_found() {
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.now = forger.core.next_timeout().expect("the clock of its first token").0;
    forger.feed(Input::Timeout, &Input::Timeout, None, &|outputs| {
        let again = |output: Output| match output {
            Output::Start(start) => Output::Start(Start { tier: 0, path: evenkeel_core::PathId(0), ..start }),
            other => other,
        };
        outputs.into_iter().map(again).collect()
    });
    assert_eq!(forger.found, ["F-026"]);
}

#[test]
fn f_034_f_036_f_126_a_path_that_is_asked_for_what_it_may_not_be_is_found() {
    // Whether it may be asked twice, what it needs, and as what a path is asked on which its first attempt has failed.
    let (none, away) = (Wants::default(), Wants { regions: Some(0), ..Wants::default() });
    let cases = [
        (true, (Features::NONE, none), Role::Answer, None),
        (false, (Features::NONE, none), Role::Answer, Some("F-034")),
        (true, (Features(1 << 15), none), Role::Answer, Some("F-036")),
        (true, (Features::NONE, away), Role::Answer, Some("F-036")),
        (true, (Features::TOOLS, none), Role::Continue, Some("F-126")),
    ];
    for (pure, (needs, wants), role, expected) in cases {
        let forger = Forger::new();
        let revision = forger.core.revision();
        let admit = Admit {
            request: RequestId(1),
            route: RouteId(0),
            operation: Operation::Chat,
            deadline: None,
            entropy: 1,
            cost: 1,
            weight: 1,
            needs,
            wants,
            tokens: 1,
            max_tier: None,
            min_confidence: None,
            pure,
            private: false,
            bodies: Permille::new(0),
            spent: 0,
            imputed: Permille::new(0),
            rows: Default::default(),
            sequence: None,
            cache: Default::default(),
            verdict: Default::default(),
        };
        let mut promises = Promises::new(revision.clone());
        promises.admitted(0, &admit);
        let (request, attempt) = (admit.request, AttemptId(1));
        let watch = promises.open_one(request).expect("it was admitted").0;
        watch.done.push(0);
        let start = Start {
            request,
            attempt,
            tier: 0,
            path: evenkeel_core::PathId(0),
            replica: evenkeel_core::ReplicaId(0),
            budget: SECOND,
            fresh: false,
            role,
            rows: 0,
            steps: 0,
        };
        let found = watch.may_ask(&start, &revision.paths[0]).err().map(|it| it.0);
        assert_eq!(found, expected);
    }
}

#[test]
fn f_150_f_151_a_copy_of_what_may_not_be_copied_is_found() {
    type Change = fn(&mut super::watch::Watch);
    let private: Change = |watch| watch.admit.private = true;
    let cases: [(Change, u8, Option<&str>); 7] = [
        (|_| (), 1, None),
        (private, 1, Some("F-150")),
        (|watch| watch.admit.pure = false, 1, Some("F-150")),
        (|watch| watch.over = None, 1, Some("F-150")),
        (|watch| watch.over = Some(Some(1)), 1, Some("F-150")),
        (|watch| watch.admit.wants.regions = Some(0), 1, Some("F-036")),
        (|_| (), 2, Some("F-150")),
    ];
    for (change, tier, expected) in cases {
        let mut forger = Forger::new();
        forger.admit(Operation::Chat, &|outputs| outputs);
        let (request, revision) =
            (forger.last.clone().expect("it was started").request, forger.core.revision().clone());
        let watch = forger.oracle.promises.open_one(request).expect("it was admitted").0;
        watch.over = Some(Some(0));
        change(watch);
        let watch = watch.clone();
        let path = revision.routes[0].tiers[usize::from(tier)].path;
        let start = Start { attempt: AttemptId(9), tier, path, ..forger.last.clone().expect("it was started") };
        let mut shadows = super::shadows::Shadows::new(&revision);
        let mut found = || shadows.started(0, &start, (&watch, &revision.paths[path.index()])).err().map(|it| it.0);
        assert_eq!(found(), expected, "tier {tier}");
        assert_eq!(expected.or(found()), expected.or(Some("F-150")), "a second one at once");
    }
}

#[test]
fn f_067_a_path_that_stays_away_for_longer_than_it_may_is_found() {
    for (late, found) in [(12, [""; 0].as_slice()), (37, &["F-067"])] {
        let mut forger = Forger::new();
        forger.open_primary();
        forger.now = late * SECOND;
        forger.feed(Input::Timeout, &Input::Timeout, None, HONEST);
        assert_eq!(forger.found, *found, "{late} s");
    }
}

#[test]
fn rule_05_a_breaker_that_opens_by_a_callers_fault_is_found() {
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.end(R::Truncated, None, HONEST);
    forger.event(Event::FirstContent, HONEST);
    forger.end(R::Ok, None, HONEST);
    forger.admit(Operation::ChatStream, HONEST);
    let (attempt, request) = forger.last();
    let event = |result| Event::Ended { result, status: None, after: None };
    let real = Input::Attempt { attempt, event: event(R::Truncated) };
    let told = Input::Attempt { attempt, event: event(R::CallerInvalid) };
    forger.feed(real, &told, Some(request), &|_| Vec::new());
    assert_eq!(forger.found, ["rule 5"]);
}

#[test]
fn rule_06_f_045_re_attempts_beyond_the_purse_are_found() {
    let mut revision = Revision::default();
    let scenario = Scenario::read("s.yaml", SCRIPT, None).expect("nothing is wrong with it");
    revision.routes = scenario.revision.routes.clone();
    revision.routes[0].budget.ratio = Permille::new(100);
    let mut purses = Purses::new(&revision);
    let mut start = |again| purses.started(0, RouteId(0), again, 1_000).err().map(|it| it.0);
    for _ in 0..100 {
        assert_eq!(start(watch::Again::First), None);
        assert_eq!(start(watch::Again::Fallback), None, "F-045");
    }
    let found: Vec<_> = (0..20).filter_map(|_| start(watch::Again::Paid)).collect();
    assert_eq!(found, ["rule 6"; 4], "ten are deposited, six are the floor of two periods");
}

#[test]
fn rule_07_a_second_commit_and_a_second_answer_are_found() {
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event(Event::FirstContent, &|outputs| vec![outputs[0].clone(), outputs[0].clone()]);
    assert_eq!(forger.found, ["rule 7"]);
    let mut forger = Forger::new();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event(Event::FirstContent, HONEST);
    forger.end(R::Ok, None, &|mut outputs| {
        let Output::Answer { source, .. } = &mut outputs[0] else { panic!("it is answered") };
        *source = Source::Certain(evenkeel_core::PathId(2));
        outputs
    });
    assert_eq!(forger.found[0], "rule 7");
}

#[test]
fn rule_09_rule_10_a_record_of_another_revision_or_another_tier_is_found() {
    let forged = |change: &dyn Fn(&mut evenkeel_core::Decision)| {
        answered(&|mut outputs| {
            if let Some(Output::Decision(decision)) = outputs.last_mut() {
                change(decision);
            }
            outputs
        })
    };
    assert_eq!(forged(&|it| Arc::make_mut(&mut it.revision).digest[0] ^= 1)[0], "rule 9");
    assert_eq!(forged(&|it| it.outcome.tier = Some(1))[0], "rule 10");
    assert_eq!(forged(&|it| it.attempts.clear())[0], "rule 10");
}

#[test]
fn f_051_a_server_that_is_asked_before_its_time_is_found() {
    let mut forger = Forger::new();
    forger.admit(Operation::Chat, HONEST);
    forger.end(R::RateLimited, Some(30 * SECOND), HONEST);
    forger.end(R::Ok, None, HONEST);
    forger.admit(Operation::Chat, &|outputs| {
        let Output::Start(start) = outputs[0].clone() else { panic!("tier 1 is started") };
        vec![Output::Start(Start { tier: 0, path: evenkeel_core::PathId(0), ..start })]
    });
    assert_eq!(forger.found, ["F-051"]);
}

#[test]
fn f_051_a_request_that_goes_round_all_replicas_that_say_not_now_is_found() {
    let urls =
        "urls: [\"http://a.example/v1\", \"http://b.example/v1\", \"http://c.example/v1\", \"http://d.example/v1\"]";
    let mut forger = Forger::of(&SCRIPT.replace("url: \"http://big.example/v1\"", urls));
    forger.admit(Operation::Chat, HONEST);
    let first = forger.last.as_ref().expect("it was started").replica;
    forger.end(R::RateLimited, None, HONEST);
    let second = forger.last.clone().expect("it was started");
    assert!(second.tier == 0 && second.replica != first, "an honest core turns to another: {second:?}");
    let others: Vec<_> =
        (0..4).map(evenkeel_core::ReplicaId).filter(|it| ![first, second.replica].contains(it)).collect();
    let round =
        |start: Start, replica| Output::Start(Start { tier: 0, path: evenkeel_core::PathId(0), replica, ..start });
    forger.end(R::RateLimited, None, &|outputs| {
        // It says before that the gate has closed.
        let start =
            outputs.iter().find_map(|it| if let Output::Start(start) = it { Some(start.clone()) } else { None });
        vec![round(start.expect("tier 1 is started"), others[0])]
    });
    assert_eq!(forger.found, [""; 0], "one more could have waited for its time");
    let last = forger.last.clone().expect("it was started");
    forger.end(R::RateLimited, None, &|_| vec![round(Start { attempt: AttemptId(9), ..last.clone() }, others[1])]);
    assert_eq!(forger.found[0], "F-051");
}

#[test]
fn f_081_f_172_more_work_than_was_said_and_a_call_that_is_forgotten_are_found() {
    let script = SCRIPT.replace("model: m}}", "model: m}, limit: 1}");
    let mut forger = Forger::of(&script);
    forger.admit(Operation::Chat, HONEST);
    assert_eq!(forger.found, [""; 0], "an honest core");
    forger.admit(Operation::Chat, &|outputs| {
        let Output::Start(start) = outputs[0].clone() else { panic!("tier 1 is started") };
        vec![Output::Start(Start { tier: 0, path: evenkeel_core::PathId(0), ..start })]
    });
    assert_eq!(forger.found, ["F-081"]);

    let mut forger = Forger::of(&script);
    forger.admit(Operation::Chat, HONEST);
    let (attempt, request) = forger.last();
    forger.feed(Input::ClientGone { request }, &Input::ClientGone { request }, Some(request), HONEST);
    assert_eq!(forger.found, [""; 0], "it is in flight until its close is seen");
    forger.feed(Input::Timeout, &Input::Attempt { attempt, event: Event::Closed }, None, HONEST);
    assert_eq!(forger.found, ["F-172"]);
}

#[test]
fn rule_11_f_190_what_stays_open_and_what_is_left_behind_is_found() {
    let mut forger = Forger::new();
    let end = |forger: &Forger, calls| forger.oracle.end(forger.now, &forger.core, calls, Some(SECOND));
    assert_eq!(end(&forger, 0), Ok(()));
    assert!(end(&forger, 1).is_err(), "a call at a server that nobody waits for");
    forger.open_primary();
    assert!(end(&forger, 0).is_err(), "an open path for good");
    forger.admit(Operation::Chat, HONEST);
    assert!(end(&forger, 0).is_err(), "a request that is not over");
    let why = Cancelled::ClientGone;
    let (attempt, request) = forger.last();
    forger.found.extend(forger.oracle.hear(0, &Output::Cancel { request, attempt, why }).err().map(|it| it.rule));
    assert_eq!(forger.found, [""; 0]);
}
