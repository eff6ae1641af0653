//! Enriched requests: what was imputed bars the tiers that were not made for it, and fetching takes of the deadline (F-037).

use super::*;
use crate::{ImputedPolicy, Permille};

/// Tiers from the second on take rows in which more than half of what is enriched is imputed.
fn enriched() -> Revision {
    let mut revision = revision(1);
    revision.routes[0].imputed = ImputedPolicy { most: Permille::new(500), start_at: 1, split: false };
    revision
}

#[test]
fn f_037_a_tier_is_skipped_where_more_is_imputed_than_it_takes_and_the_record_says_so() {
    for (imputed, tier) in [(0, 0), (500, 0), (501, 1), (1_000, 1)] {
        let mut kit = Kit::new(enriched());
        kit.admit_as(Operation::Infer, |admit| admit.imputed = Permille::new(imputed));
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!(decision.outcome.tier, Some(tier), "{imputed}");
        let fact = decision.facts.iter().find(|fact| fact.signal == Signal::Imputed).expect("it is compared always");
        assert_eq!((fact.tier, fact.value, fact.threshold), (0, imputed.into(), 500));
        assert!(decision.rederives(), "rule 10");
        if tier == 1 {
            assert_eq!(decision.reason, Reason::FeatureMissing);
            let candidate = &decision.candidates[0];
            assert_eq!(
                (candidate.verdict, candidate.reasons.as_slice()),
                (Verdict::Skipped, [Reason::FeatureMissing].as_slice())
            );
        }
    }
}

#[test]
fn f_037_what_is_imputed_counts_only_where_its_route_compares_it_and_moves_no_breaker() {
    let mut kit = Kit::new(revision(1));
    kit.admit_as(Operation::Infer, |admit| admit.imputed = Permille::ALL);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(0), "it has no rule");
    let mut kit = Kit::new(enriched());
    for _ in 0..20 {
        kit.admit_as(Operation::Infer, |admit| admit.imputed = Permille::ALL);
        kit.end(R::Ok, 200);
    }
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.phase), (0, Phase::Normal), "it lay in the requests");
}

#[test]
fn f_037_a_request_waits_for_no_tier_that_does_not_take_it() {
    let mut revision = enriched();
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Infer, |admit| admit.imputed = Permille::ALL);
    assert_eq!(kit.refusals(), [crate::Refusal::Exhausted]);
    assert_eq!(kit.decision().outcome.latency, 0);
}

#[test]
fn f_037_f_021_time_that_was_spent_before_admission_comes_out_of_the_deadline() {
    let mut kit = Kit::new(enriched());
    kit.now = 100 * SECOND;
    kit.admit_as(Operation::Infer, |admit| (admit.spent, admit.deadline) = (SECOND, Some(15 * SECOND)));
    let whole = kit.start().budget;
    kit.until(200 * SECOND);
    let decision = kit.decision();
    assert_eq!((decision.at, decision.deadline), (99 * SECOND, 15 * SECOND));
    assert!(whole < 14 * SECOND, "what is left less what is kept for the tiers below: {whole}");
    assert!(decision.outcome.latency <= 15 * SECOND, "{}", decision.outcome.latency);
    let mut kit = Kit::new(enriched());
    kit.now = 100 * SECOND;
    kit.admit_as(Operation::Infer, |admit| (admit.spent, admit.deadline) = (SECOND, Some(SECOND)));
    assert_eq!(kit.source(), Source::Certain(PathId(2)), "with nothing left the safe default answers");
}
