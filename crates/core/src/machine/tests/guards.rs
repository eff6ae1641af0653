//! What guards measured bars the tiers above the one that a guard names, and blames nobody (`signals.md`, sections 2 and 7).

use super::*;
use crate::{Guard, GuardVerdict, Sequence};

/// One guard, from whose tier on everything is taken.
fn guarded(signal: Signal, threshold: u64, start_at: u8) -> Revision {
    let mut revision = revision(1);
    revision.routes[0].guards = vec![Guard { signal, threshold, start_at }];
    revision
}

fn measured(signal: Signal, value: u64) -> GuardVerdict {
    [(signal, value)].into_iter().collect()
}

#[test]
fn grd_1_each_signal_breaches_beyond_its_threshold_and_the_record_says_by_which_reason() {
    use Reason::{FeatureMissing, InputAnomaly, OutOfDistribution, SchemaMismatch};
    // What is held against what, the last value that is borne, and the first that is not.
    const TABLE: &[(Signal, u64, u64, u64, Reason)] = &[
        (Signal::AnomalyP, 1_000, 1_001, 1_000, InputAnomaly),
        (Signal::MissingRatio, 2_000, 2_000, 2_001, FeatureMissing),
        (Signal::InputContract, 0, 0, 1, SchemaMismatch),
        (Signal::InputRange, 0, 0, 1, OutOfDistribution),
        (Signal::InputUnseen, 0, 0, 1, OutOfDistribution),
        (Signal::InputNorm, 0, 0, 1, OutOfDistribution),
        (Signal::Staleness, 60_000, 60_000, 60_001, FeatureMissing),
        (Signal::Noise, 0, 0, 1, InputAnomaly),
        (Signal::FallbackRisk, 5_000, 4_999, 5_000, InputAnomaly),
        (Signal::DistanceP, 1_000, 1_001, 1_000, OutOfDistribution),
    ];
    let inputs = Signal::ALL.iter().filter(|it| it.is_about_input()).count();
    assert_eq!(inputs, TABLE.len(), "every signal of the input is in the table");
    for &(signal, threshold, borne, too_much, reason) in TABLE {
        assert!(signal.is_about_input(), "{}", signal.name());
        for (value, tier) in [(borne, 0), (too_much, 1)] {
            let mut kit = Kit::new(guarded(signal, threshold, 1));
            kit.admit_as(Operation::Chat, |admit| admit.verdict = measured(signal, value));
            kit.end(R::Ok, 200);
            let decision = kit.decision();
            assert_eq!(decision.outcome.tier, Some(tier), "{} {value}", signal.name());
            let fact = decision.facts.iter().find(|fact| fact.signal == signal).expect("it is compared always");
            assert_eq!((fact.tier, fact.value, fact.threshold), (0, value, threshold), "DEC-2");
            assert!(decision.rederives(), "rule 10");
            if tier == 1 {
                let candidate = &decision.candidates[0];
                let why = (candidate.verdict, candidate.reasons.as_slice(), decision.reason);
                assert_eq!(why, (Verdict::Skipped, [reason].as_slice(), reason));
            }
        }
    }
}

#[test]
fn grd_1_f_184_what_was_not_measured_or_has_no_guard_compares_nothing() {
    let mut kit = Kit::new(guarded(Signal::AnomalyP, 1_000, 1));
    kit.admit(Operation::Chat);
    kit.end(R::Ok, 200);
    kit.admit_as(Operation::Chat, |admit| admit.verdict = measured(Signal::Noise, 1));
    kit.end(R::Ok, 200);
    let mut unguarded = Kit::new(revision(1));
    unguarded.admit_as(Operation::Chat, |admit| admit.verdict = measured(Signal::AnomalyP, 0));
    unguarded.end(R::Ok, 200);
    for decision in [kit.decision(), unguarded.decision()] {
        assert_eq!((decision.outcome.tier, decision.reason), (Some(0), Reason::PrimaryHealthy));
        assert!(decision.facts.iter().all(|fact| !fact.signal.is_about_input()));
    }
}

#[test]
fn a_suspicious_request_starts_at_the_tier_of_the_lowest_guard_that_it_breaches_and_moves_no_breaker() {
    let mut revision = guarded(Signal::AnomalyP, 1_000, 1);
    revision.routes[0].guards.push(Guard { signal: Signal::Noise, threshold: 0, start_at: 2 });
    let mut kit = Kit::new(revision);
    for _ in 0..20 {
        let both = [(Signal::AnomalyP, 1), (Signal::Noise, 1)];
        kit.admit_as(Operation::Chat, |admit| admit.verdict = both.into_iter().collect());
    }
    assert_eq!(kit.source(), Source::Certain(PathId(2)));
    let decision = kit.decision();
    let reasons: Vec<_> = decision.candidates.iter().map(|it| it.reasons.clone()).collect();
    assert_eq!(reasons, [vec![Reason::InputAnomaly], vec![Reason::InputAnomaly], vec![Reason::LastResort]]);
    let compared = |tier| decision.facts.iter().filter(move |fact| fact.tier == tier && fact.signal.is_about_input());
    assert_eq!((compared(0).count(), compared(1).count(), compared(2).count()), (2, 1, 0));
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.phase), (0, Phase::Normal), "it lay in the requests");
}

#[test]
fn a_suspicious_request_is_refused_where_no_tier_takes_it_and_waits_for_none() {
    let mut revision = guarded(Signal::Noise, 0, 1);
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.admit_as(Operation::Chat, |admit| admit.verdict = measured(Signal::Noise, 1));
    assert_eq!(kit.refusals(), [crate::Refusal::Exhausted]);
    assert_eq!(kit.decision().outcome.latency, 0);
}

#[test]
fn grd_2_oip_36_what_goes_on_with_a_sequence_goes_where_its_state_is() {
    let mut kit = Kit::new(guarded(Signal::Noise, 0, 1));
    let part = |start, noise| {
        move |admit: &mut Admit| {
            admit.sequence = Some(Sequence { key: 7, start, end: false });
            admit.verdict = measured(Signal::Noise, noise);
        }
    };
    kit.admit_as(Operation::Infer, part(true, 0));
    kit.end(R::Ok, 200);
    kit.admit_as(Operation::Infer, part(false, 1));
    assert_eq!(kit.start().tier, 0, "nobody else has its state");
    kit.end(R::Ok, 200);
    assert!(kit.decision().rederives());
    kit.admit_as(Operation::Infer, |admit| {
        part(true, 1)(admit);
        admit.sequence = Some(Sequence { key: 8, start: true, end: false });
    });
    assert_eq!(kit.start().tier, 1, "one that begins is compared");
}
