//! Answers that were not accepted and stand, and clients that want to be told how likely an answer is right (F-168).

use super::*;
use crate::{Permille, Refusal, RowRule};

const LIMIT: u16 = 850;

/// A route whose models are judged; what is not accepted stands.
fn standing(tiers: usize) -> Revision {
    let mut revision = revision(1);
    revision.routes[0].tiers.truncate(tiers);
    for path in &mut revision.paths[..2] {
        (path.accept, path.stands) = (Some(RowRule::Any), true);
    }
    revision
}

/// A route whose first tier tells how likely its answers are right, at most by so much.
fn telling(most: u16) -> Revision {
    let mut revision = revision(1);
    (revision.paths[0].accept, revision.paths[0].sure) = (Some(RowRule::All), Permille::new(most));
    revision
}

impl Kit {
    fn said(&mut self, low: u64, sure: u16) {
        self.event(Event::Judged { low, sure: Permille::new(sure) });
        self.end(R::Ok, 200);
    }

    fn picky(&mut self, change: impl FnOnce(&mut Admit)) {
        self.admit_as(Operation::Chat, |admit| {
            admit.min_confidence = Some(Permille::new(LIMIT));
            change(admit);
        });
    }

    fn refused(&self) -> Option<Refusal> {
        self.out.iter().rev().find_map(|it| if let Output::Refuse { why, .. } = it { Some(*why) } else { None })
    }
}

#[test]
fn oip_35_part_2_the_surest_that_was_not_accepted_stands_before_what_is_no_model() {
    for (tiers, sure, tier) in [(3, [400, 700], 1), (3, [700, 400], 0), (3, [500, 500], 0), (2, [400, 700], 1)] {
        let mut kit = Kit::new(standing(tiers));
        kit.admit(Operation::Chat);
        kit.said(1, sure[0]);
        assert_eq!(kit.start().tier, 1, "who is below is asked first");
        kit.said(1, sure[1]);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.outcome.end), (Some(tier), End::Answered), "{tiers} {sure:?}");
        assert_eq!(kit.source(), Source::Attempt(decision.attempts[usize::from(tier)].attempt));
        assert_eq!(decision.reason, Reason::LowConfidence);
        let selected = (Verdict::Selected, vec![Reason::LowConfidence]);
        let candidate = &decision.candidates[usize::from(tier)];
        assert_eq!((candidate.verdict, candidate.reasons.clone()), selected);
        assert!(decision.rederives(), "rule 10: {decision:?}");
    }
}

#[test]
fn oip_35_part_2_it_stands_where_those_below_fail_and_not_where_one_is_accepted() {
    let mut kit = Kit::new(standing(3));
    kit.admit(Operation::Chat);
    kit.said(1, 300);
    kit.said(0, 100);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::LowConfidence), "it was accepted");
    assert!(decision.rederives());
    kit.admit(Operation::Chat);
    kit.said(1, 300);
    kit.end(R::Truncated, 200);
    while kit.out.last().is_some_and(|it| matches!(it, Output::Start(_))) {
        kit.end(R::Truncated, 200);
    }
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.outcome.end), (Some(0), End::Answered));
    assert!(decision.rederives());
    let mut kit = Kit::new(judged_only());
    kit.admit(Operation::Chat);
    kit.said(1, 900);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(1), "nothing stands that was not written to");
}

#[test]
fn oip_35_part_2_what_was_kept_below_is_not_put_together_with_what_stands_above() {
    let mut revision = standing(3);
    (revision.paths[1].accept, revision.paths[1].stands) = (Some(RowRule::Split), false);
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Infer, |admit| admit.rows = crate::Rows { all: 10, apart: 0 });
    kit.said(4, 700);
    kit.said(3, 500);
    assert_eq!(kit.source(), Source::Certain(PathId(2)), "three rows are left, and the first has said ten");
    assert!(kit.decision().rederives());
}

/// The same without anything that stands.
fn judged_only() -> Revision {
    let mut revision = standing(3);
    revision.paths.iter_mut().for_each(|it| it.stands = false);
    revision.paths[1].accept = None;
    revision
}

#[test]
fn f_168_tiers_that_tell_less_than_a_client_wants_are_not_asked() {
    for most in [0, LIMIT - 1] {
        let mut kit = Kit::new(telling(most));
        kit.picky(|_| ());
        assert_eq!(kit.refused(), Some(Refusal::Degradation));
        let decision = kit.decision();
        assert_eq!((decision.reason, decision.outcome.status), (Reason::ClientMinConfidence, 503));
        assert!(decision.attempts.is_empty() && decision.rederives(), "{decision:?}");
        assert!(decision.candidates.iter().all(|it| it.verdict == Verdict::Skipped), "{decision:?}");
        let facts: Vec<_> = decision.facts.iter().filter(|it| it.signal == Signal::MinConfidence).collect();
        let compared: Vec<_> = facts.iter().map(|it| (it.tier, it.value, it.threshold)).collect();
        let least = u64::from(LIMIT);
        assert_eq!(compared, [(0, most.into(), least), (1, 0, least), (2, 0, least)]);
    }
}

#[test]
fn f_168_an_answer_of_which_its_model_is_less_sure_is_refused_and_a_surer_one_given() {
    for (low, end) in [(0, End::Answered), (1, End::Refused(Refusal::Degradation))] {
        let mut kit = Kit::new(telling(990));
        kit.picky(|admit| admit.rows = crate::Rows { all: 4, apart: 0 });
        kit.said(low, 900 - 100 * low as u16);
        let decision = kit.decision();
        assert_eq!(decision.outcome.end, end, "one row is enough, whatever the tier bears");
        assert!(decision.rederives(), "{decision:?}");
    }
    let mut kit = Kit::new(telling(990));
    kit.picky(|admit| admit.max_tier = Some(0));
    kit.said(1, 700);
    assert_eq!(kit.decision().reason, Reason::ClientMaxTier, "the tiers below are refused for what they are");
}

#[test]
fn f_168_what_stands_is_not_given_to_who_wants_more() {
    let mut revision = standing(3);
    revision.paths[0].sure = Permille::new(990);
    let mut kit = Kit::new(revision);
    kit.picky(|_| ());
    kit.said(1, 700);
    assert_eq!(kit.refused(), Some(Refusal::Degradation));
    assert!(kit.decision().rederives());
}
