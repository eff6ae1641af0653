//! Answers that are judged row by row: left for their confidence, or kept in part (OIP-35).

use super::*;
use crate::{Fact, ImputedPolicy, Permille, Refusal, RowRule, Rows};

/// A route that judges the answers of its first tier, or of both its models.
fn judged(primary: RowRule, small: Option<RowRule>) -> Revision {
    let mut revision = revision(1);
    (revision.paths[0].accept, revision.paths[1].accept) = (Some(primary), small);
    revision
}

/// The same, where rows of which much is imputed are set apart for the default, or for the second tier.
fn apart(start_at: u8, primary: Option<RowRule>) -> Revision {
    let mut revision = revision(1);
    revision.routes[0].imputed = ImputedPolicy { most: Permille::new(500), start_at, split: true };
    revision.paths[0].accept = primary;
    revision
}

impl Kit {
    fn batch(&mut self, all: u64, apart: u64) {
        self.admit_as(Operation::Infer, |admit| admit.rows = Rows { all, apart });
    }

    /// Ends the attempt that runs with an answer of which so many rows are low.
    fn low(&mut self, low: u64) {
        self.event(Event::Judged { low, sure: Permille::new(0) });
        self.end(R::Ok, 200);
    }

    fn keeps(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Keep { .. })).count()
    }
}

fn fact(decision: &Decision, signal: Signal) -> Vec<(u8, u64, u64)> {
    let facts = decision.facts.iter().filter(|fact| fact.signal == signal);
    facts.map(|Fact { tier, value, threshold, .. }| (*tier, *value, *threshold)).collect()
}

/// The rows that each attempt was asked for, and those that were kept.
fn rows(decision: &Decision) -> Vec<(u8, u64, u64)> {
    let rows = decision.attempts.iter().filter_map(|it| Some((it.tier, it.rows?)));
    rows.map(|(tier, rows)| (tier, rows.asked, rows.kept)).collect()
}

#[test]
fn oip_35_an_answer_is_left_where_more_rows_are_low_than_its_tier_bears() {
    let share = RowRule::Share(Permille::new(200));
    for (rule, low, tier, borne) in [
        (RowRule::Any, 0, 0, 0),
        (RowRule::Any, 1, 1, 0),
        (RowRule::All, 9, 0, 9),
        (RowRule::All, 10, 1, 9),
        (share, 1, 0, 1),
        (share, 2, 1, 1),
        (RowRule::Split, 0, 0, 0),
        (RowRule::Split, 10, 1, 0),
    ] {
        let mut kit = Kit::new(judged(rule, None));
        kit.batch(10, 0);
        kit.low(low);
        if tier == 1 {
            kit.end(R::Ok, 200);
        }
        let decision = kit.decision();
        assert_eq!(decision.outcome.tier, Some(tier), "{rule:?} {low}");
        assert_eq!(fact(&decision, Signal::RowsLow), [(0, low, borne)], "it is compared always");
        assert!(decision.rederives(), "rule 10");
        assert_eq!(kit.keeps(), 0);
        if tier == 1 {
            assert_eq!(decision.attempts[0].result, R::LowConfidence);
            assert_eq!((decision.reason, decision.candidates[0].verdict), (Reason::LowConfidence, Verdict::Rejected));
            assert_eq!(rows(&decision), [(0, 10, 0), (1, 10, 10)]);
        }
    }
}

#[test]
fn oip_35_where_nobody_has_counted_rows_each_that_is_low_is_one_too_many() {
    for rule in [RowRule::Any, RowRule::All, RowRule::Split] {
        let mut kit = Kit::new(judged(rule, None));
        kit.batch(0, 0);
        kit.low(2);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.attempts[0].rows), (Some(1), None), "{rule:?}");
    }
}

#[test]
fn oip_35_low_confidence_is_no_evidence_and_is_not_asked_for_again() {
    let mut kit = Kit::new(judged(RowRule::Any, None));
    for _ in 0..60 {
        kit.batch(1, 0);
        kit.low(1);
        kit.end(R::Ok, 200);
        assert_eq!(kit.decision().attempts.len(), 2);
    }
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.phase), (0, Phase::Normal));
}

#[test]
fn oip_35_a_split_goes_down_one_ladder_with_what_is_left_and_tells_the_lowest_tier() {
    let mut kit = Kit::new(judged(RowRule::Split, Some(RowRule::Split)));
    kit.batch(10, 0);
    kit.low(4);
    assert_eq!((kit.keeps(), kit.start().tier), (1, 1));
    kit.low(1);
    assert_eq!(kit.keeps(), 2);
    assert_eq!(kit.source(), Source::Certain(PathId(2)), "what is left is the default's");
    let decision = kit.decision();
    assert_eq!(rows(&decision), [(0, 10, 6), (1, 4, 3)]);
    assert_eq!((decision.outcome.tier, decision.outcome.end), (Some(2), End::Answered));
    assert_eq!(decision.reason, Reason::LowConfidence);
    let verdicts: Vec<_> = decision.candidates.iter().map(|it| (it.verdict, it.reasons.as_slice())).collect();
    let low: &[Reason] = &[Reason::LowConfidence];
    assert_eq!(
        verdicts,
        [(Verdict::Selected, low), (Verdict::Selected, low), (Verdict::Selected, [Reason::LastResort].as_slice())]
    );
    assert!(decision.rederives(), "rule 10");
    let told = kit.out.iter().rev().find_map(|output| match output {
        Output::Answer { disclosure, .. } => Some(disclosure.clone()),
        _ => None,
    });
    let told = told.expect("it was answered");
    assert_eq!((told.answered.map(|it| it.0), told.degraded, told.attempts), (Some(2), true, 2));
}

#[test]
fn oip_35_rows_that_are_set_apart_wait_for_their_tier() {
    // All that is left at the second tier waits for the third.
    let mut kit = Kit::new(apart(2, None));
    kit.batch(5, 2);
    kit.end(R::Ok, 200);
    assert_eq!(kit.source(), Source::Certain(PathId(2)));
    let decision = kit.decision();
    assert_eq!(rows(&decision), [(0, 3, 3)]);
    assert_eq!(fact(&decision, Signal::RowsFit), [(0, 3, 1), (1, 0, 1)]);
    assert_eq!(fact(&decision, Signal::RowsApart), [(0, 2, 0)]);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(2), Reason::FeatureMissing));
    assert_eq!(decision.candidates[1].verdict, Verdict::Skipped);
    assert!(decision.rederives(), "rule 10");

    // All are set apart: the tier is skipped. None is: it is asked.
    for (apart_rows, tier) in [(5, 1), (0, 0)] {
        let mut kit = Kit::new(apart(1, None));
        kit.batch(5, apart_rows);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.attempts.len(), kit.keeps()), (Some(tier), 1, 0));
        assert!(decision.rederives(), "rule 10");
    }
    let mut kit = Kit::new(apart(1, None));
    kit.batch(0, 0);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(0), "no rows are not too few");
}

#[test]
fn oip_35_both_judges_of_one_batch_and_a_tier_that_fails_on_the_way() {
    let mut kit = Kit::new(apart(1, Some(RowRule::Split)));
    kit.batch(6, 2);
    kit.low(1);
    assert_eq!(kit.start().tier, 1);
    kit.end(R::DecodeFailed, 200);
    assert_eq!(kit.source(), Source::Certain(PathId(2)));
    let decision = kit.decision();
    assert_eq!(rows(&decision), [(0, 4, 3), (1, 3, 0)]);
    assert_eq!(decision.candidates[0].reasons, [Reason::LowConfidence, Reason::FeatureMissing]);
    assert_eq!(decision.candidates[1].verdict, Verdict::Rejected);
    assert!(decision.rederives(), "rule 10");
}

#[test]
fn oip_35_rows_that_nobody_can_answer_refuse_the_whole_and_what_was_kept_is_success_of_its_path() {
    let mut revision = judged(RowRule::Split, None);
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.batch(10, 0);
    kit.low(4);
    assert_eq!(kit.refusals(), [Refusal::Exhausted]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.candidates[0].verdict), (None, Verdict::Rejected));
    assert!(decision.rederives(), "rule 10");
    assert_eq!(R::OkPart.evidence(), crate::Evidence::Success);
}

#[test]
fn oip_35_a_failure_is_retried_with_the_same_rows_and_a_part_is_not() {
    let mut kit = Kit::new(judged(RowRule::Split, None));
    kit.batch(8, 0);
    kit.end(R::Status5xx, 500);
    kit.until(kit.now + SECOND);
    assert_eq!(kit.start().tier, 0, "again");
    kit.low(3);
    assert_eq!(kit.start().tier, 1);
    kit.end(R::Ok, 200);
    let decision = kit.decision();
    assert_eq!(rows(&decision), [(0, 8, 0), (0, 8, 5), (1, 3, 3)]);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::LowConfidence));
    assert!(decision.rederives(), "rule 10");
}

#[test]
fn oip_35_a_client_that_leaves_between_two_parts_is_answered_by_nobody() {
    let mut kit = Kit::new(judged(RowRule::Split, None));
    kit.batch(8, 0);
    kit.low(3);
    let request = RequestId(1);
    kit.feed(Input::ClientGone { request });
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.outcome.end), (None, End::Refused(Refusal::ClientGone)));
    assert!(decision.rederives(), "rule 10");
}

#[test]
fn oip_35_a_higher_tier_that_is_waited_for_takes_the_rest_and_the_lowest_is_told() {
    // The first tier is throttled for longer than anybody waits for it at once, the second keeps a part, and no other is left.
    let mut revision = judged(RowRule::Any, Some(RowRule::Split));
    revision.routes[0].tiers.truncate(2);
    let mut kit = Kit::new(revision);
    kit.batch(1, 0);
    kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(4 * SECOND) });
    kit.low(0);
    kit.until(kit.now + 2 * SECOND);
    kit.batch(8, 0);
    assert_eq!(kit.start().tier, 1);
    kit.low(3);
    kit.until(kit.now + 3 * SECOND);
    assert_eq!(kit.start().tier, 0, "it waited for it");
    kit.low(0);
    let decision = kit.decision();
    assert_eq!(rows(&decision), [(1, 8, 5), (0, 3, 3)]);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::LowConfidence));
    assert!(decision.rederives(), "rule 10");
}

#[test]
fn oip_35_f_066_a_model_that_is_not_sure_has_answered_and_its_path_comes_back() {
    let mut kit = Kit::new(judged(RowRule::Any, None));
    for _ in 0..2 {
        kit.batch(10, 0);
        kit.end(R::ConnectFailed, 0);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.breaker(0), BreakerState::Open);
    kit.until(13 * SECOND);
    for at in 0..2 {
        kit.batch(10, 0);
        assert_eq!((kit.start().tier, kit.breaker(0)), (0, BreakerState::HalfOpen), "{at}");
        kit.low(1);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.breaker(0), BreakerState::Ramp, "what is judged is its model, not whether it answers");
}
