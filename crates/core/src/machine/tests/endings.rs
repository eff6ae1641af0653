//! Endings: every request has one, and says what helps its client most (`failures.md`, sections 9 and 12).

use super::*;

#[test]
fn f_127_a_stream_that_breaks_after_commit_is_never_a_short_success() {
    for (result, silent) in [(R::Truncated, false), (R::Stall, true)] {
        let mut unmended = revision(1);
        unmended.routes[0].rescue = false;
        let mut kit = Kit::new(unmended);
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

#[test]
fn f_175_whoever_comes_after_the_drain_is_refused_and_starts_nothing() {
    let mut kit = Kit::new(revision(1));
    kit.feed(Input::Drain);
    kit.feed(Input::Revision(Arc::new(revision(2))));
    kit.admit(Operation::Chat);
    assert_eq!((kit.starts().len(), kit.decision().reason), (0, Reason::Draining));
}
