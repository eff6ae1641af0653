//! Another try on the same path: for what, when, and who pays (`failures.md`, section 3).

use super::*;

#[test]
fn f_031_at_most_max_attempts() {
    let mut revision = revision(1);
    revision.routes[0].max_attempts = 1;
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts(), [(0, 0)]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.candidates[1].reasons[0]), (Some(2), Reason::AttemptsExhausted));
}

#[test]
fn f_035_cl_16_a_request_that_breaks_models_is_answered_by_what_is_none() {
    let mut revision = revision(1);
    revision.paths[0].retries = 3;
    let mut kit = Kit::new(revision.clone());
    kit.admit(Operation::Chat);
    kit.end(R::Reset, 0);
    kit.until(SECOND);
    kit.end(R::Reset, 0);
    assert_eq!(kit.starts(), [(0, 0), (0, 0)], "the third would be the second to be broken on purpose");
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.candidates[1].reasons[0]), (Some(2), Reason::SuspectRequest));
    assert_eq!(kit.breaker(0), BreakerState::Closed, "F-065: it alone opens nothing");
    // Without a tier that is no model, a suspicion is no reason to leave the client without an answer.
    revision.routes[0].tiers.pop();
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::Reset, 0);
    kit.until(SECOND);
    kit.end(R::Reset, 0);
    kit.until(2 * SECOND);
    kit.end(R::Ok, 200);
    assert_eq!((kit.decision().outcome.tier, kit.breaker(0)), (Some(0), BreakerState::Closed));
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
fn f_011_a_redirect_is_not_asked_again() {
    for (status, starts) in [(302, vec![(0, 0), (1, 0)]), (200, vec![(0, 0)])] {
        let mut kit = Kit::new(revision(1));
        kit.admit(Operation::Chat);
        kit.end(R::ProtocolError, status);
        assert_eq!(kit.starts(), starts, "{status}: a broken answer waits for its second try, a redirect has none");
    }
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
fn f_044_another_try_costs_what_its_path_puts_before_the_request_too() {
    for (context, cost) in [(None, 1_501_000), (Some(1_000), 1_001_000)] {
        let mut revision = revision(1);
        (revision.paths[0].context, revision.paths[0].added) = (context, Added { least: 0, most: 1_500 });
        let mut kit = Kit::new(revision);
        kit.admit(Operation::Chat);
        kit.end(R::Status5xx, 500);
        kit.until(SECOND);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        let asked = decision.facts.iter().find(|fact| fact.signal == Signal::RetryBudget).expect("it was asked again");
        assert_eq!(asked.value, cost, "{context:?}");
    }
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
fn f_043_an_unsent_request_leaves_no_evidence_either_when_what_came_of_it_was_slow() {
    let slow = [Event::FirstContent, Event::Slow { said: 15 }];
    for (soft, name) in [(R::Ok, "ok_slow"), (R::OkEventSkipped, "ok_event_skipped")] {
        let mut kit = Kit::new(revision(1));
        for _ in 0..2 {
            kit.admit(Operation::ChatStream);
            kit.end(R::Unsent, 0);
            assert!(kit.start().fresh);
            slow.iter().take(if soft == R::Ok { 2 } else { 1 }).for_each(|event| kit.event(*event));
            kit.end(soft, 200);
            assert_eq!(kit.results()[1], name, "whole");
        }
        assert_eq!(kit.breaker(0), BreakerState::Closed, "two hard failures in a row would have opened it: F-063");
    }
}
