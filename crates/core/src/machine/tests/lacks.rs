//! Lacks and refusals: what a tier cannot do or will not say (`failures.md`, section 1).

use super::*;

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
fn oip_39_f_002_who_is_suspected_costs_its_path_nothing_and_may_be_answered_below() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..20 {
        kit.admit(Operation::Chat);
        kit.end(R::CallerSuspected, 500);
        assert_eq!(kit.start().tier, 1, "the next tier at once, and the path not again");
        kit.end(R::Ok, 200);
    }
    let decision = kit.decision();
    assert_eq!((decision.reason, decision.outcome.tier), (Reason::CallerError, Some(1)));
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.phase), (0, Phase::Normal), "rule 5");

    kit.admit(Operation::Chat);
    kit.end(R::CallerSuspected, 500);
    kit.end(R::TotalTimeout, 0);
    assert_eq!(kit.source(), Source::Certain(PathId(2)), "it may be another's fault after all");
}

#[test]
fn oip_39_f_007_who_is_suspected_is_told_so_where_no_tier_can_answer() {
    let mut bare = revision(1);
    bare.routes[0].tiers.pop();
    let mut kit = Kit::new(bare);
    kit.admit(Operation::Chat);
    let first = kit.start().attempt;
    kit.end(R::CallerSuspected, 500);
    kit.end(R::TotalTimeout, 0);
    assert_eq!(kit.source(), Source::Error(first));
    let outcome = kit.decision().outcome;
    assert_eq!(
        (outcome.status, outcome.end),
        (400, End::Error(R::CallerSuspected)),
        "no 503: to come back would not help"
    );
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
fn f_036_what_a_path_puts_before_a_request_has_to_fit_with_it() {
    let added = Added { least: 100, most: 1_500 };
    for (tokens, starts) in [(1_900, vec![(0, 0)]), (1_901, vec![(1, 0)])] {
        let mut revision = revision(1);
        (revision.paths[0].context, revision.paths[0].added, revision.paths[1].context) =
            (Some(2_000), added, Some(2_000));
        let mut kit = Kit::new(revision);
        kit.admit_as(Operation::Chat, |admit| admit.tokens = tokens);
        assert_eq!(kit.starts(), starts, "{tokens}");
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        let fact = decision.facts.iter().find(|fact| fact.signal == Signal::Context).expect("its window was compared");
        assert_eq!((fact.tier, fact.value, fact.threshold), (0, tokens + 100, 2_000));
        assert!(decision.rederives(), "rule 10");
    }
}

#[test]
fn f_036_who_fails_by_what_it_added_bars_nobody_of_the_same_window_who_adds_nothing() {
    let added = Added { least: 100, most: 1_500 };
    for (first, second, tried) in [(added, Added::default(), true), (Added::default(), added, false)] {
        let mut revision = revision(1);
        (revision.paths[0].context, revision.paths[1].context) = (Some(8_000), Some(8_000));
        (revision.paths[0].added, revision.paths[1].added) = (first, second);
        let mut kit = Kit::new(revision);
        kit.admit(Operation::Chat);
        kit.end(R::ContextExceeded, 400);
        assert_eq!(kit.starts().len() == 2, tried, "{first:?}");
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
fn f_036_each_capability_that_a_tier_lacks_skips_it_and_the_safe_default_has_them_all() {
    let can = Can { languages: 0b01, datatypes: 0b01, regions: 0b01 };
    for (wants, signal, reason) in [
        (Wants { languages: 0b10, ..Wants::default() }, Signal::LanguagesMissing, Reason::CapabilityMissing),
        (Wants { datatypes: 0b11, ..Wants::default() }, Signal::DatatypesMissing, Reason::CapabilityMissing),
        (Wants { regions: Some(0b10), ..Wants::default() }, Signal::RegionsBarred, Reason::DataResidency),
    ] {
        let mut revision = revision(1);
        (revision.paths[0].can, revision.paths[1].can, revision.paths[2].can) = (can, can, Can::ANYTHING);
        let mut kit = Kit::new(revision);
        kit.admit_as(Operation::Chat, |admit| admit.wants = wants);
        assert_eq!((kit.starts(), kit.source()), (vec![], Source::Certain(PathId(2))), "{signal:?}: no call");
        let decision = kit.decision();
        assert!(decision.rederives() && decision.reason == reason, "rule 10: {decision:?}");
        for (tier, candidate) in decision.candidates[..2].iter().enumerate() {
            assert_eq!((candidate.verdict, candidate.reasons.as_slice()), (Verdict::Skipped, [reason].as_slice()));
            let barring = decision.facts.iter().filter(|fact| usize::from(fact.tier) == tier && fact.breached());
            assert_eq!(barring.map(|fact| fact.signal).collect::<Vec<_>>(), [signal]);
        }
        // Who wants nothing is answered above.
        kit.admit(Operation::Chat);
        assert_eq!(kit.starts(), [(0, 0)]);
    }
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
