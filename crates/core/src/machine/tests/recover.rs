//! A stream that broke after its commit: who mends it, by what right, for how long (`failures.md`, F-034, F-122 to F-127).

use super::*;
use crate::{Cancelled, Rescue, Role, Splice};

impl Kit {
    /// Begins a stream and breaks it.
    fn broken(&mut self, result: R) {
        self.broken_as(result, |_| ());
    }

    fn broken_as(&mut self, result: R, change: impl FnOnce(&mut Admit)) {
        self.admit_as(Operation::ChatStream, change);
        self.event(Event::FirstContent);
        self.end(result, 200);
    }

    fn splice(&mut self, splice: Splice) {
        let attempt = self.start().attempt;
        self.feed(Input::Splice { attempt, splice });
    }

    fn roles(&self) -> Vec<(u8, Role)> {
        let role = |output: &Output| match output {
            Output::Start(start) => Some((start.tier, start.role)),
            _ => None,
        };
        self.out.iter().filter_map(role).collect()
    }

    /// Says that nothing was mended.
    fn is_truncated(&self, result: R) {
        let decision = self.decision();
        assert_eq!((decision.outcome.end, decision.outcome.tier), (End::Broken(result), Some(0)));
        assert_eq!(decision.rescue(), Rescue::Truncated);
    }
}

fn prefilling(tiers: &[usize]) -> Kit {
    let mut revision = revision(1);
    tiers.iter().for_each(|tier| revision.paths[*tier].prefill = true);
    Kit::new(revision)
}

#[test]
fn f_122_f_123_a_broken_stream_is_mended_by_the_next_model() {
    for result in [R::Truncated, R::Stall, R::ErrorInStream, R::DecodeFailed, R::RateLimited, R::Reset] {
        let mut kit = Kit::new(revision(1));
        kit.broken(result);
        assert_eq!(kit.roles(), [(0, Role::Answer), (1, Role::Splice)], "{result:?}");
        kit.event(Event::FirstContent);
        kit.splice(Splice::Matched);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.outcome.end), (Some(1), End::Answered));
        assert_eq!((decision.rescue(), decision.reason), (Rescue::Spliced, result.reason().expect("it is a failure")));
        assert_eq!(kit.source(), Source::Attempt(kit.start().attempt));
        assert_eq!(kit.core.next_timeout().filter(|it| matches!(it.1, Why::Request(_))), None);
    }
}

#[test]
fn f_123_another_replica_of_the_same_path_comes_first_and_what_it_mends_counts_there_alone() {
    let mut kit = Kit::new(revision(2));
    for n in 0..2 {
        kit.now = n * 5 * SECOND;
        kit.broken_as(R::Stall, |admit| admit.entropy = 0);
        assert_eq!(kit.starts()[2 * n as usize + 1].0, 0);
        kit.splice(Splice::Matched);
        kit.end(R::Ok, 200);
        assert_eq!((kit.decision().outcome.tier, kit.decision().rescue()), (Some(0), Rescue::Spliced));
        let [broke, mended] = [0, 1].map(|it| kit.starts()[2 * n as usize + it].1);
        assert_ne!(broke, mended, "F-042");
    }
    assert_eq!(kit.breaker(0), BreakerState::Closed, "F-073");
}

#[test]
fn f_123_with_nobody_else_the_same_path_is_asked_after_a_cut_and_not_after_a_stall() {
    let mut alone = revision(1);
    alone.routes[0].tiers.remove(1);
    for (result, again) in [(R::Truncated, true), (R::ErrorInStream, true), (R::Stall, false), (R::RateLimited, false)]
    {
        let mut kit = Kit::new(alone.clone());
        kit.broken(result);
        assert_eq!(kit.roles().len(), if again { 2 } else { 1 }, "{result:?}");
        if again {
            kit.splice(Splice::Matched);
            kit.end(R::Ok, 200);
            assert_eq!((kit.decision().outcome.tier, kit.decision().rescue()), (Some(0), Rescue::Spliced));
        } else {
            kit.is_truncated(result);
        }
    }
}

#[test]
fn st_10_f_122_a_recovery_that_fails_is_the_only_one_and_the_first_failure_is_told() {
    for matched in [false, true] {
        let mut kit = prefilling(&[0, 1]);
        kit.broken(R::Truncated);
        kit.event(Event::FirstContent);
        if matched {
            kit.splice(Splice::Matched);
        }
        kit.end(R::ErrorInStream, 200);
        kit.is_truncated(R::Truncated);
        assert_eq!(kit.results(), ["target.truncated", "target.error_in_stream"]);
        assert_eq!(kit.decision().reason, Reason::StreamTruncated);
    }
}

#[test]
fn st_09_f_124_an_attempt_that_says_something_else_is_cancelled_and_is_no_evidence() {
    for (ended, shown) in [(false, true), (true, true), (true, false)] {
        let mut kit = Kit::new(revision(1));
        for n in 0..8 {
            kit.now = n * 60 * SECOND;
            kit.broken(R::Truncated);
            if shown {
                kit.event(Event::FirstContent);
            }
            match ended {
                true => kit.end(R::Ok, 200),
                false => kit.splice(Splice::Diverged),
            }
            kit.is_truncated(R::Truncated);
            assert_eq!(kit.results(), ["target.truncated", "cancelled.splice_diverged"]);
            if kit.breaker(0) != BreakerState::Closed {
                break;
            }
        }
        let cancelled = kit.out.iter().any(|it| matches!(it, Output::Cancel { why: Cancelled::Diverged, .. }));
        assert_eq!(cancelled, !ended);
        assert_eq!(kit.breaker(1), BreakerState::Closed, "neutral");
    }
}

#[test]
fn f_124_f_034_what_cannot_be_said_again_is_not() {
    let several = |admit: &mut Admit| admit.needs = Features::N;
    let impure = |admit: &mut Admit| admit.pure = false;
    for change in [several, impure] as [fn(&mut Admit); 2] {
        let mut kit = Kit::new(revision(1));
        kit.broken_as(R::Truncated, change);
        kit.is_truncated(R::Truncated);
        let unrepeatable = |fact: &crate::Fact| fact.signal == Signal::Unrepeatable && fact.breached();
        assert!(kit.decision().facts.iter().any(unrepeatable));
    }
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    [Event::FirstContent, Event::Unrepeatable].into_iter().for_each(|event| kit.event(event));
    kit.end(R::Truncated, 200);
    kit.is_truncated(R::Truncated);
    for off in [|it: &mut Revision| it.routes[0].rescue = false, |it: &mut Revision| it.paths[0].effects = true] {
        let mut revision = revision(1);
        off(&mut revision);
        let mut kit = Kit::new(revision);
        kit.broken(R::Truncated);
        kit.is_truncated(R::Truncated);
        assert_eq!(kit.starts().len(), 1);
    }
}

#[test]
fn rule_10_f_123_a_canned_answer_that_mends_nothing_lacks_nothing_in_the_record() {
    let mut alone = revision(1);
    alone.routes[0].tiers.remove(1);
    let mut kit = Kit::new(alone);
    kit.broken(R::Stall);
    kit.is_truncated(R::Stall);
    assert_eq!(kit.decision().candidates[1].reasons, [Reason::LowerPreference], "the default");
    // One that could say the same again, but not go on in the middle, does lack something.
    let mut kit = prefilling(&[]);
    kit.broken(R::Truncated);
    kit.splice(Splice::Diverged);
    kit.is_truncated(R::Truncated);
    let reasons = |kit: &Kit, at: usize| kit.decision().candidates[at].reasons.to_vec();
    assert_eq!(reasons(&kit, 2), [Reason::LowerPreference]);
    // In between it bars, so that the record follows.
    let mut between = revision(1);
    between.routes[0].tiers.swap(1, 2);
    let mut kit = Kit::new(between);
    kit.broken(R::Truncated);
    assert_eq!(kit.start().role, Role::Splice);
    kit.splice(Splice::Matched);
    kit.end(R::Ok, 200);
    assert_eq!((kit.decision().outcome.tier, reasons(&kit, 1)), (Some(2), [Reason::LowerPreference].into()));
}

#[test]
fn f_134_what_ended_for_other_reasons_is_not_mended() {
    for result in [R::AnswerTooLarge, R::ContentFiltered, R::ClientSlow] {
        let mut kit = Kit::new(revision(1));
        kit.broken(result);
        assert_eq!(kit.starts().len(), 1, "{result:?}");
    }
}

#[test]
fn f_122_a_recovery_is_paid_by_the_ledger() {
    let mut revision = revision(1);
    let policy = BreakerPolicy { consecutive: 99, low: [99, 99], ..BreakerPolicy::default() };
    revision.paths.iter_mut().for_each(|path| (path.breaker, path.after_break) = (policy.clone(), 1));
    let mut kit = Kit::new(revision);
    for n in 0..4u64 {
        kit.now = n * SECOND;
        // A good answer in between, so that three bad of five never come together.
        (0..3).for_each(|_| {
            kit.admit_as(Operation::ChatStream, |admit| admit.cost = 1);
            kit.end(R::Ok, 200);
        });
        kit.broken(R::Truncated);
        if n < 3 {
            kit.splice(Splice::Matched);
            kit.end(R::Ok, 200);
            assert_eq!(kit.decision().rescue(), Rescue::Spliced, "the floor pays {n}");
        }
    }
    kit.is_truncated(R::Truncated);
    assert!(kit.decision().candidates[1].reasons.contains(&Reason::RetryBudgetEmpty), "F-046");
}

#[test]
fn f_122_a_recovery_has_its_own_time_and_not_the_deadlines() {
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    for n in 1..=60 {
        kit.until(n * 900 * MILLISECOND);
        kit.event(Event::Progress);
    }
    kit.end(R::Truncated, 200);
    assert_eq!(kit.roles().len(), 2, "long after the deadline");
    let from = kit.now;
    kit.event(Event::FirstContent);
    for n in 1..=6 {
        kit.until(from + n * 800 * MILLISECOND);
        kit.event(Event::Progress);
    }
    kit.until(from + 5 * SECOND - 1);
    assert_eq!(kit.core.open(), 1);
    kit.until(from + 5 * SECOND);
    kit.is_truncated(R::Truncated);
    assert_eq!(kit.results(), ["target.truncated", "target.total_timeout"], "first_token and stall");
    // A second failure of `small` would open it, if this had been one.
    kit.admit(Operation::ChatStream);
    kit.end(R::EmptyAnswer, 200);
    assert_eq!(kit.start().tier, 1);
    kit.end(R::ConnectFailed, 0);
    assert_eq!(kit.breaker(1), BreakerState::Closed, "it spoke all the time: that is no evidence");
}

#[test]
fn f_122_after_it_has_caught_up_a_recovery_has_the_ordinary_clocks() {
    let mut kit = Kit::new(revision(1));
    kit.broken(R::Truncated);
    kit.event(Event::FirstContent);
    kit.splice(Splice::Matched);
    for n in 1..=20 {
        kit.until(n * 900 * MILLISECOND);
        kit.event(Event::Progress);
    }
    kit.until(30 * SECOND);
    kit.is_truncated(R::Truncated);
    assert_eq!(kit.results(), ["target.truncated", "target.stall"]);
    let mut silent = Kit::new(revision(1));
    silent.broken(R::Truncated);
    silent.until(4 * SECOND);
    assert_eq!(silent.results(), ["target.truncated", "target.first_token_timeout"]);
}

#[test]
fn f_126_what_says_something_else_may_go_on_with_what_was_said() {
    for (tiers, who) in [(&[1][..], 1), (&[0, 1], 1), (&[0], 0)] {
        let mut kit = prefilling(tiers);
        kit.broken(R::Truncated);
        kit.splice(Splice::Diverged);
        assert_eq!(kit.roles(), [(0, Role::Answer), (1, Role::Splice), (who, Role::Continue)]);
        kit.event(Event::FirstContent);
        kit.splice(Splice::Matched);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!((decision.rescue(), decision.outcome.tier), (Rescue::Continued, Some(who)));
    }
}

#[test]
fn st_05_f_126_a_rejected_beginning_is_told_as_the_first_failure_and_is_no_evidence() {
    for result in [R::CallerInvalid, R::UnsupportedFeature] {
        let mut kit = prefilling(&[1]);
        kit.broken(R::Truncated);
        kit.splice(Splice::Diverged);
        kit.end(result, 400);
        kit.is_truncated(R::Truncated);
        let expected = ["target.truncated", "cancelled.splice_diverged", "capability.prefill_rejected"];
        assert_eq!(kit.results(), expected);
        assert_eq!(kit.breaker(1), BreakerState::Closed);
    }
}

#[test]
fn f_126_an_answer_for_machines_is_not_gone_on_with() {
    for needs in [Features::TOOLS, Features::JSON, Features::SCHEMA] {
        let mut kit = prefilling(&[0, 1]);
        kit.broken_as(R::Truncated, |admit| admit.needs = needs);
        kit.splice(Splice::Diverged);
        kit.is_truncated(R::Truncated);
    }
}

#[test]
fn f_034_what_may_have_changed_something_is_not_asked_again() {
    for (result, tries) in [(R::Status5xx, 1), (R::Reset, 1), (R::Unsent, 1), (R::RateLimited, 1), (R::DnsFailed, 2)] {
        let mut kit = Kit::new(revision(2));
        kit.admit_as(Operation::Chat, |admit| admit.pure = false);
        kit.event(Event::Ended { result, status: None, after: Some(MILLISECOND) });
        kit.until(SECOND);
        let primary = kit.starts().iter().filter(|start| start.0 == 0).count();
        assert_eq!(primary, tries, "{result:?}");
        assert_eq!(kit.start().tier, if tries == 1 { 1 } else { 0 }, "a fallback is not a retry");
    }
}

#[test]
fn f_125_f_133_a_client_that_leaves_while_its_stream_is_mended_is_nobodys_fault() {
    let mut kit = Kit::new(revision(1));
    let request = kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.end(R::Truncated, 200);
    kit.feed(Input::ClientGone { request });
    let decision = kit.decision();
    assert_eq!((decision.outcome.end, decision.outcome.tier), (End::Refused(Refusal::ClientGone), Some(0)));
    assert_eq!((decision.rescue(), kit.results()[1]), (Rescue::None, "cancelled.client_gone"));
    assert_eq!(kit.core.open(), 0);
}
