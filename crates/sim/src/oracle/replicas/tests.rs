//! Forgeries of replicas: what an honest core says of one of several is changed, and the oracle names the rule.

use evenkeel_core::{BreakerPolicy, Input, Output, ReplicaId, ResultCode as R, SECOND};

use super::{
    super::tests::{Forge, Forger, HONEST, SCRIPT},
    BreakerState::{Closed, HalfOpen, Open, Ramp},
    *,
};

const PRIMARY: PathId = PathId(0);

/// The script of the others, with so many replicas of its primary.
fn forger(replicas: usize, min_available: usize) -> Forger {
    let urls: Vec<String> = (0..replicas).map(|at| format!("\"http://big-{at}.example/v1\"")).collect();
    let several = format!("urls: [{}], min_available: {min_available}", urls.join(", "));
    Forger::of(&SCRIPT.replace("url: \"http://big.example/v1\"", &several))
}

fn stands(forger: &Forger, replica: ReplicaId) -> BreakerState {
    forger.core.replicas(PRIMARY, Operation::ChatStream)[replica.index()]
}

/// Asks so often at once that every replica gets more than one, and returns what was started.
fn many(forger: &mut Forger) -> Vec<Start> {
    let asked = (0..12).map(|_| {
        forger.admit(Operation::ChatStream, HONEST);
        forger.last.clone().expect("it is admitted")
    });
    asked.collect()
}

/// Lets time pass, with the times of the core that come.
fn until(forger: &mut Forger, end: Nanos) {
    while let Some((due, _)) = forger.core.next_timeout().filter(|(due, _)| *due <= end) {
        forger.now = due;
        forger.feed(Input::Timeout, &Input::Timeout, None, HONEST);
    }
    forger.now = end;
}

const fn ended(result: R) -> Event {
    Event::Ended { result, status: None, after: None }
}

/// Lets an answer come whole.
fn answer(forger: &mut Forger, attempt: (AttemptId, evenkeel_core::RequestId)) {
    forger.event_of(attempt, Event::FirstContent, HONEST);
    forger.event_of(attempt, ended(R::Ok), HONEST);
}

/// Opens a replica: it refuses connections, and others answer in its place.
fn cut_off(forger: &mut Forger, replica: ReplicaId, forge: Forge<'_>) {
    for start in many(forger) {
        let attempt = (start.attempt, start.request);
        if start.replica == replica {
            forger.event_of(attempt, ended(R::ConnectFailed), forge);
            answer(forger, forger.last());
        } else {
            answer(forger, attempt);
        }
    }
    assert_eq!(stands(forger, replica), Open);
}

/// Lets it be told that the next attempt starts at a replica.
fn at(replica: ReplicaId) -> impl Fn(Vec<Output>) -> Vec<Output> {
    move |outputs| {
        let forged = |output| match output {
            Output::Start(start) => Output::Start(Start { replica, ..start }),
            other => other,
        };
        outputs.into_iter().map(forged).collect()
    }
}

const FIRST: ReplicaId = ReplicaId(0);

#[test]
fn an_honest_core_breaks_nothing_with_replicas() {
    let mut forger = forger(3, 1);
    cut_off(&mut forger, FIRST, HONEST);
    many(&mut forger);
    assert_eq!(forger.found, [""; 0]);
}

#[test]
fn rule_04_a_start_at_a_replica_that_is_open_is_found() {
    let mut forger = forger(3, 1);
    cut_off(&mut forger, FIRST, HONEST);
    forger.admit(Operation::ChatStream, &at(FIRST));
    assert_eq!(forger.found, ["rule 4"]);
}

/// Lets the open time of the first replica end.
fn half_open() -> Forger {
    let mut forger = forger(3, 1);
    cut_off(&mut forger, FIRST, HONEST);
    until(&mut forger, 13 * SECOND);
    assert_eq!((stands(&forger, FIRST), forger.found.as_slice()), (HalfOpen, [""; 0].as_slice()));
    forger
}

#[test]
fn rule_04_f_068_one_probe_of_a_replica_too_many_is_found() {
    let mut forger = half_open();
    forger.admit(Operation::ChatStream, HONEST);
    assert_eq!(forger.last.clone().map(|it| it.replica), Some(FIRST), "what is half open comes first");
    forger.admit(Operation::ChatStream, &at(FIRST));
    assert_eq!(forger.found, ["rule 4"], "none has shown content yet");

    let mut forger = half_open();
    forger.admit(Operation::ChatStream, HONEST);
    forger.event_of(forger.last(), Event::FirstContent, HONEST);
    for _ in 0..2 {
        forger.admit(Operation::ChatStream, HONEST);
        assert_eq!(forger.last.clone().map(|it| it.replica), Some(FIRST), "three at once may be");
    }
    assert_eq!(forger.found, [""; 0]);
    forger.admit(Operation::ChatStream, &at(FIRST));
    assert_eq!(forger.found, ["rule 4"]);
}

#[test]
fn rule_05_a_replica_that_opens_by_a_callers_fault_is_found() {
    let mut forger = forger(3, 1);
    let ill: Vec<Start> = many(&mut forger).into_iter().filter(|it| it.replica == FIRST).collect();
    forger.event_of((ill[0].attempt, ill[0].request), ended(R::ConnectFailed), HONEST);
    assert_eq!((stands(&forger, FIRST), forger.found.as_slice()), (Closed, [""; 0].as_slice()));
    let said = |result| Input::Attempt { attempt: ill[1].attempt, event: ended(result) };
    forger.feed(said(R::ConnectFailed), &said(R::CallerInvalid), Some(ill[1].request), &|_| Vec::new());
    assert_eq!(forger.found, ["rule 5"]);
}

#[test]
fn f_067_a_replica_that_stays_away_for_longer_than_it_may_is_found() {
    for (late, found) in [(12, [""; 0].as_slice()), (37, &["F-067"])] {
        let mut forger = forger(3, 1);
        cut_off(&mut forger, FIRST, HONEST);
        forger.now = late * SECOND;
        forger.feed(Input::Timeout, &Input::Timeout, None, HONEST);
        assert_eq!(forger.found, *found, "{late} s");
    }
}

#[test]
fn rule_05_rule_08_f_066_f_067_a_way_that_a_replica_may_not_go_is_found() {
    let (plain, policy) = (Moves::default(), BreakerPolicy::default());
    let (neutral, due) = (Moves { neutral: true, ..plain }, Moves { neutral: true, due: true, ..plain });
    let (open, ramp, longest) = (policy.open, policy.open * policy.ramp.len() as u64, policy.open_max * 6 / 5);
    let cases = [
        (Closed, Open, 0, plain, None),
        (Closed, Open, 0, neutral, Some("rule 5")),
        (Ramp, Open, 0, neutral, Some("rule 5")),
        (HalfOpen, Open, 0, due, None),
        (Open, HalfOpen, open - 1, plain, Some("F-066")),
        (Open, HalfOpen, open, plain, None),
        (Open, HalfOpen, longest, plain, None),
        (Open, HalfOpen, longest + 1, plain, Some("F-067")),
        (HalfOpen, Ramp, 0, plain, None),
        (Ramp, Closed, ramp - 1, plain, Some("rule 8")),
        (Ramp, Closed, ramp, plain, None),
        (Open, Ramp, longest, plain, Some("rule 8")),
        (Open, Closed, longest, plain, Some("rule 8")),
        (HalfOpen, Closed, ramp, plain, Some("rule 8")),
        (Closed, HalfOpen, ramp, plain, Some("rule 8")),
        (Closed, Ramp, ramp, plain, Some("rule 8")),
        (Ramp, HalfOpen, ramp, plain, Some("rule 8")),
    ];
    for (from, to, stood, moves, expected) in cases {
        let mut replica = Replica { state: from, ..Replica::new() };
        let found = turned(stood, &mut replica, to, (&policy, moves)).err().map(|it| it.0);
        assert_eq!(found, expected, "{} to {} after {stood} ns, {moves:?}", from.name(), to.name());
    }
}

#[test]
fn f_113_what_readiness_took_out_has_its_own_time_and_nothing_else_has() {
    let policy = BreakerPolicy::default();
    let go = |replica: &mut Replica, to, probed| {
        turned(0, replica, to, (&policy, Moves { probed, ..Moves::default() })).err().map(|it| it.0)
    };
    let mut replica = Replica::new();
    let ways = [(Open, true), (HalfOpen, true), (Closed, false)];
    assert_eq!(ways.map(|(to, probed)| go(&mut replica, to, probed)), [None; 3], "and follows another operation");
    assert_eq!([Open, HalfOpen].map(|to| go(&mut replica, to, false)), [None, Some("F-066")], "that is over");
}

/// Lets replicas be cut off, one after the other, and has it told that a comparison did.
fn compared((replicas, min_available): (usize, usize), cut: &[(u64, u16)]) -> Vec<&'static str> {
    let mut forger = forger(replicas, min_available);
    let by_comparison = |mut outputs: Vec<Output>| {
        for output in &mut outputs {
            if let Output::Breaker(it) = output
                && let Some(trip) = &mut it.turn.trip
            {
                trip.rule = "F-103";
            }
        }
        outputs
    };
    for &(at, replica) in cut {
        until(&mut forger, at * SECOND);
        cut_off(&mut forger, ReplicaId(replica), &by_comparison);
    }
    forger.found
}

#[test]
fn f_103_f_104_a_comparison_that_leaves_too_few_or_remembers_too_much_is_found() {
    assert_eq!(compared((3, 1), &[(1, 0)]), [""; 0]);
    assert_eq!(compared((2, 1), &[(1, 0)]), ["F-103"], "with one other there is nothing to compare");
    assert_eq!(compared((3, 1), &[(1, 0), (2, 1)]), ["F-103"], "nor where one of three is out already");
    assert_eq!(compared((4, 3), &[(1, 0)]), [""; 0]);
    assert_eq!(compared((4, 4), &[(1, 0)]), ["F-104"], "all four have to be there");
    assert_eq!(compared((5, 4), &[(1, 0), (40, 1)]), ["F-104"], "as many as there have to be are left");
    assert_eq!(compared((5, 1), &[(1, 0), (20, 1)]), ["F-104"], "twice in a row takes twenty seconds");
    assert_eq!(compared((5, 1), &[(1, 0), (21, 1)]), [""; 0]);
}
