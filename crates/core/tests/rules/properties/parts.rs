//! Answers in part (OIP-35): every row is answered once, or none is.

use std::collections::BTreeMap;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::Entry,
    sample::sample,
    world::{ARRIVALS, World},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_01_oip_35_every_row_is_answered_once_or_none_is(seed: u64) {
        let history = World::play(seed, 2 * ARRIVALS);
        let admits: BTreeMap<_, _> = history.admits().map(|(_, admit)| (admit.request, admit.clone())).collect();
        let revision = sample(seed);
        for decision in history.decisions().filter(|it| it.operation == Operation::Infer) {
            let rows = admits[&decision.request].rows;
            // Those of a sequence stay together (OIP-36).
            let may_split = admits[&decision.request].sequence.is_none();
            let route = &revision.routes[decision.route.index()];
            let (mut kept, mut kept_apart) = (0, false);
            for attempt in &decision.attempts {
                let of = attempt.rows.expect("each request has rows");
                let waits = may_split && route.imputed.split && attempt.tier < route.imputed.start_at && !kept_apart;
                let left = rows.all - kept - if waits { rows.apart } else { 0 };
                prop_assert!(of.asked == left, "{:?} is asked for {} of {}", attempt, of.asked, left);
                prop_assert!(of.kept <= of.asked && of.asked > 0);
                let whole = of.kept == of.asked;
                match attempt.result {
                    ResultCode::OkPart => {
                        let splits = may_split && revision.paths[attempt.path.index()].accept == Some(RowRule::Split);
                        prop_assert!(of.kept > 0 && (splits || waits), "ROWS-1: {:?}", attempt);
                        prop_assert!(whole || splits);
                    }
                    result if result.is_ok() => prop_assert!(whole, "{:?}", attempt),
                    _ => prop_assert_eq!(of.kept, 0),
                }
                kept_apart |= attempt.result.is_ok() && !waits;
                kept += of.kept;
            }
            let answered = decision.outcome.end == End::Answered;
            prop_assert!(!answered || kept == rows.all, "PART-1: {} of {}: {:?}", kept, rows.all, decision);
            let lowest = decision.attempts.iter().filter(|it| it.result.is_ok()).map(|it| it.tier).max();
            prop_assert!(!answered || decision.outcome.tier == lowest, "the lowest tier is told: {:?}", decision);
            prop_assert!(decision.rederives(), "rule 10");
        }
    }

    #[test]
    fn oip_35_a_part_is_kept_before_anybody_is_asked_for_the_rest(seed: u64) {
        let history = World::play(seed, 2 * ARRIVALS);
        let mut kept: BTreeMap<RequestId, Vec<AttemptId>> = BTreeMap::new();
        for (_, entry) in &history.entries {
            match entry {
                Entry::Output(Output::Keep { request, attempt }) => kept.entry(*request).or_default().push(*attempt),
                Entry::Output(Output::Start(start)) => {
                    let before = kept.get(&start.request).and_then(|kept| kept.last());
                    prop_assert!(before.is_none_or(|before| *before < start.attempt));
                }
                Entry::Output(Output::Decision(decision)) => {
                    let mut parts: Vec<_> = decision.attempts.iter().filter(|it| it.result == ResultCode::OkPart)
                        .map(|it| it.attempt).collect();
                    parts.sort_unstable();
                    prop_assert_eq!(kept.remove(&decision.request).unwrap_or_default(), parts);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn oip_35_the_random_worlds_keep_parts() {
    let parts = (0..64).flat_map(|seed| {
        let history = World::play(seed, ARRIVALS);
        history
            .decisions()
            .map(|it| it.attempts.iter().filter(|it| it.result == ResultCode::OkPart).count())
            .collect::<Vec<_>>()
    });
    let parts: Vec<usize> = parts.collect();
    assert!(
        parts.iter().filter(|parts| **parts > 0).count() > 200,
        "one part: {}",
        parts.iter().filter(|it| **it > 0).count()
    );
    assert!(parts.iter().any(|parts| *parts > 1), "two parts");
}
