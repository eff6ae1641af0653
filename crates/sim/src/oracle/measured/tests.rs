//! Forgeries of what was measured: the core hears one thing and the oracle another, or what follows is changed.

use evenkeel_core::{Guard, Input, Operation, Output, PathId, Reason, RouteSignal, Trip};

use super::{
    super::tests::{Forge, Forger, HONEST, SCRIPT},
    *,
};

/// The script of the others, with a route that does this about drift.
fn forger(mode: &str) -> Forger {
    let drift = format!("drift: {{then: {{start_at: small, mode: {mode}}}}}\n      tiers:");
    Forger::of(&SCRIPT.replace("tiers:", &drift))
}

fn says(value: u64) -> Input {
    Input::Signal { route: RouteId(0), name: RouteSignal::Drift, value, samples: 5_000 }
}

/// Tells the core and the oracle the same.
fn told(forger: &mut Forger, value: u64, forge: Forge<'_>) {
    forger.feed(says(value), &says(value), None, forge);
    forger.now += 1;
}

#[test]
fn g_003_a_tier_that_is_asked_while_its_route_drifts_is_found() {
    let mut honest = forger("enforce");
    told(&mut honest, 2, HONEST);
    honest.admit(Operation::Chat, HONEST);
    assert_eq!((honest.found.as_slice(), honest.last.map(|it| it.tier)), ([].as_slice(), Some(1)));
    let mut deaf = forger("enforce");
    deaf.feed(Input::Timeout, &says(2), None, HONEST);
    deaf.now += 1;
    deaf.admit(Operation::Chat, HONEST);
    assert_eq!(deaf.found, ["G-003"]);
    // What nobody has said for a minute is unknown, and holds nobody.
    let mut stale = forger("enforce");
    stale.feed(Input::Timeout, &says(2), None, HONEST);
    stale.now += BELIEVED + 1;
    stale.admit(Operation::Chat, HONEST);
    assert_eq!(stale.found, [""; 0]);
    let mut recommends = forger("recommend");
    told(&mut recommends, 2, HONEST);
    recommends.admit(Operation::Chat, HONEST);
    assert_eq!(recommends.found, [""; 0], "its tiers are asked as before");
}

#[test]
fn g_003_a_tier_that_is_asked_in_spite_of_a_guard_is_found() {
    for (signal, threshold, value, found) in [
        (Signal::AnomalyP, 10, 10, vec!["G-003"]),
        (Signal::AnomalyP, 10, 11, vec![]),
        (Signal::DistanceP, 10, 10, vec!["G-003"]),
        (Signal::DistanceP, 10, 11, vec![]),
        (Signal::Noise, 0, 1, vec!["G-003"]),
        (Signal::Noise, 0, 0, vec![]),
    ] {
        let mut forger = forger("observe");
        let mut revision = (**forger.core.revision()).clone();
        revision.routes[0].guards = vec![Guard { signal, threshold, start_at: 1 }];
        forger.restart(revision.into());
        forger.admit_unlike(Operation::Chat, [(signal, value)].into_iter().collect());
        assert_eq!(forger.found, found, "{} {value}", signal.name());
    }
}

#[test]
fn g_001_a_route_that_moves_for_drift_against_what_is_said_or_too_soon_is_found() {
    let moves = |forger: &Forger, at: Nanos, (from, to): (u8, u8)| {
        let trip = Trip { rule: "drift", result: None, bad: 2, of: 2, reason: Reason::InputDrift };
        Output::Transition(Box::new(Transition {
            at,
            revision: forger.core.revision().clone(),
            route: RouteId(0),
            from,
            to,
            reason: trip.reason,
            rule: Rule::Drift,
            path: PathId(0),
            trip: (to > from).then_some(trip),
            episode: 1,
        }))
    };
    let judge = |mode: &str, said: &[u64], (from, to): (u8, u8)| {
        let mut forger = forger(mode);
        for value in said {
            told(&mut forger, *value, HONEST);
        }
        let output = moves(&forger, forger.now, (from, to));
        forger.feed(Input::Timeout, &Input::Timeout, None, &move |_| vec![output.clone()]);
        forger.found
    };
    assert_eq!(judge("enforce", &[], (0, 1)), ["G-001"], "nobody said anything");
    assert_eq!(judge("recommend", &[2], (0, 1)), ["G-001"], "it may not be moved");
    assert_eq!(judge("enforce", &[2], (1, 0)), ["G-001"], "the alarm stands");
    assert_eq!(judge("enforce", &[2, 0], (1, 0)), ["G-001"], "back before its time");
}

#[test]
fn drift_5_a_reason_that_is_not_what_was_said_is_found() {
    let says = |name, value| Input::Signal { route: RouteId(0), name, value, samples: 5_000 };
    let judge = |mode: &str, told: RouteSignal, said: RouteSignal| {
        let mut forger = forger(mode);
        forger.feed(says(told, 2), &says(said, 2), None, HONEST);
        forger.found
    };
    use RouteSignal::{Drift, OutputDrift};
    for name in [Drift, OutputDrift] {
        assert_eq!([judge("enforce", name, name), judge("recommend", name, name)], [[""; 0]; 2]);
    }
    for (told, said) in [(Drift, OutputDrift), (OutputDrift, Drift)] {
        assert_eq!(judge("enforce", told, said), ["G-001"]);
        assert_eq!(judge("recommend", told, said), ["DRIFT-2"]);
    }
}

#[test]
fn drift_2_a_proposal_out_of_turn_is_found() {
    let mut silent = forger("recommend");
    told(&mut silent, 2, &|mut outputs| {
        outputs.retain(|it| !matches!(it, Output::Proposed(_)));
        outputs
    });
    told(&mut silent, 0, HONEST);
    assert_eq!(silent.found, ["DRIFT-2"], "an end of what never began");
    let mut honest = forger("recommend");
    [2, 0, 2].into_iter().for_each(|value| told(&mut honest, value, HONEST));
    assert_eq!(honest.found, [""; 0]);
    let twice: Forge<'_> = &|mut outputs| {
        let again = outputs.iter().find(|it| matches!(it, Output::Proposed(_))).cloned();
        outputs.extend(again);
        outputs
    };
    told(&mut honest, 0, twice);
    assert_eq!(honest.found, ["DRIFT-2"]);
}
