//! Time: the clocks of an attempt, what is kept for the tiers below, and who gives how much (`failures.md`, section 2).

use super::*;

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
fn f_022_f_026_a_stream_without_content_is_left_after_first_token() {
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
fn f_023_f_024_reasoning_stops_the_first_clock_starts_the_second_and_commits_nothing() {
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
fn f_025_total_ends_a_stream_that_goes_on_and_on() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    let mut pieces = 0;
    while kit.core.open() > 0 {
        pieces += 1;
        kit.until(pieces * SECOND / 2);
        if kit.core.open() > 0 {
            kit.event(Event::Progress);
        }
    }
    assert_eq!(pieces, 2 * 600, "ten minutes, whatever it says");
    assert_eq!(kit.results(), ["target.total_timeout"], "what ran out of total is not mended");
    assert!(matches!(kit.source(), Source::Broken(..)));
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
fn pr_09_the_silence_of_a_process_that_stood_still_is_not_the_upstreams() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..3 {
        kit.admit(Operation::ChatStream);
        kit.now += 8 * SECOND;
        kit.event(Event::FirstContent);
        kit.now += 5 * SECOND;
        kit.event(Event::Progress);
        kit.end(R::Ok, 200);
        assert_eq!((kit.decision().outcome.tier, kit.results()), (Some(0), vec!["ok"]));
    }
    // Past the deadline nothing helps the request, but nobody is blamed.
    for _ in 0..3 {
        kit.admit(Operation::Chat);
        kit.now += 30 * SECOND;
        kit.feed(Input::Timeout);
        assert_eq!((kit.decision().outcome.tier, kit.results()), (Some(2), vec!["cancelled.local_pause"]));
    }
    assert_eq!((kit.breaker(0), kit.breaker(1)), (BreakerState::Closed, BreakerState::Closed));
}

#[test]
fn pr_09_a_short_pause_does_not_excuse_a_long_silence() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.admit(Operation::Chat);
    // The clock of the stream is heard a second late; most of the time that the answer in one piece has was listened to.
    kit.now = 3 * SECOND;
    kit.feed(Input::Timeout);
    kit.now = 5 * SECOND;
    kit.feed(Input::Timeout);
    kit.until(20 * SECOND);
    let decision = kit.out.iter().find_map(|output| match output {
        Output::Decision(decision) if decision.request == RequestId(2) => Some(decision.attempts[0].result.name()),
        _ => None,
    });
    assert_eq!(decision, Some("target.total_timeout"));
}

#[test]
fn pr_09_a_probe_of_a_process_that_stood_still_has_not_failed() {
    let mut kit = Kit::new(revision(1));
    kit.open_primary();
    kit.until(13 * SECOND);
    kit.admit(Operation::ChatStream);
    assert_eq!((kit.start().tier, kit.breaker(0)), (0, BreakerState::HalfOpen));
    kit.now += 7 * SECOND;
    kit.event(Event::FirstContent);
    kit.end(R::Ok, 200);
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen, "one good probe of two");
}

#[test]
fn pr_10_a_timeout_that_is_a_little_late_is_no_pause() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.now += 4 * SECOND + 900 * MILLISECOND;
    kit.feed(Input::Timeout);
    assert_eq!(kit.start().tier, 1, "the primary was silent, and what it says now comes too late");
}
