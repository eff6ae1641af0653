//! What a route does about drift (`signals.md`, sections 2 and 5; `failures.md`, section 13).

use super::*;
use crate::{DriftMode, DriftPolicy, Permille, Proposal, RouteSignal, Rule, drift::MAX_AGE};

const EVERY: Nanos = 10 * SECOND;
const RAMP: [u16; 3] = [50, 500, 1_000];

fn drifting(mode: DriftMode) -> Revision {
    let mut revision = revision(1);
    let ramp = RAMP.map(Permille::new).into();
    revision.routes[0].drift = Some(DriftPolicy { start_at: 1, mode, ramp, every: EVERY });
    revision
}

impl Kit {
    fn says(&mut self, value: u64) {
        self.feed(Input::Signal { route: RouteId(0), name: RouteSignal::Drift, value, samples: 5_000 });
    }

    fn says_of_outputs(&mut self, value: u64) {
        self.feed(Input::Signal { route: RouteId(0), name: RouteSignal::OutputDrift, value, samples: 5_000 });
    }

    /// The detector says the same every ten seconds until a moment.
    fn tells(&mut self, value: u64, until: Nanos) {
        while self.now < until {
            self.says(value);
            self.until((self.now + 10 * SECOND).min(until));
        }
    }

    /// Asks once, by this lot of the ramp, and returns the tier that answered.
    fn asks(&mut self, entropy: u64) -> Decision {
        self.admit_as(Operation::Chat, |admit| admit.entropy = entropy);
        self.end(R::Ok, 200);
        self.decision()
    }

    /// Asks a thousand times, and returns how many of those tier 0 answered.
    fn share(&mut self) -> usize {
        (0..1_000).filter(|n| self.asks(n * 0x9E37_79B9).outcome.tier == Some(0)).count()
    }

    fn drift(&self) -> crate::DriftState {
        self.core.route_state(self.now, RouteId(0)).drift.expect("it has a policy")
    }

    fn proposals(&self) -> Vec<Proposal> {
        let proposal = |output: &Output| match output {
            Output::Proposed(it) => Some((**it).clone()),
            _ => None,
        };
        self.out.iter().filter_map(proposal).collect()
    }

    /// What moved it, from where, to where and why.
    fn moves(&self) -> Vec<(Rule, u8, u8, Reason)> {
        self.transitions().into_iter().map(|it| (it.rule, it.from, it.to, it.reason)).collect()
    }
}

#[test]
fn drift_2_under_enforce_an_alarm_moves_the_route_and_each_record_says_so() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.says(1);
    assert_eq!(kit.asks(1).outcome.tier, Some(0), "a warning moves nothing");
    kit.says(2);
    let decision = kit.asks(1);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::InputDrift));
    let fact = decision.facts.iter().find(|fact| fact.signal == Signal::Drift).expect("it is compared");
    assert_eq!((fact.tier, fact.value, fact.threshold, fact.breached()), (0, 2, 2, true));
    let candidate = &decision.candidates[0];
    assert_eq!((candidate.verdict, candidate.reasons.as_slice()), (Verdict::Rejected, [Reason::InputDrift].as_slice()));
    assert!(decision.rederives(), "rule 10");
    assert_eq!((decision.phase, decision.episode), (Phase::Degraded, Some(1)));
    assert_eq!(kit.moves(), [(Rule::Drift, 0, 1, Reason::InputDrift)], "G-001");
    let transition = &kit.transitions()[0];
    let trip = transition.trip.expect("G-001: the way down names its cause");
    assert_eq!((trip.rule, trip.result, trip.bad, trip.of, transition.path), ("drift", None, 2, 2, PathId(0)));
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.reason, state.tiers[0].eligible), (1, Reason::InputDrift, false));
    assert_eq!((state.tiers[0].breaker, state.tiers[1].eligible), (BreakerState::Closed, true));
    assert_eq!(kit.drift().told, Some((2, 5_000)));
}

#[test]
fn drift_5_what_has_moved_is_told_of_the_route_of_each_request_and_of_a_proposal() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.says_of_outputs(1);
    assert_eq!(kit.asks(1).outcome.tier, Some(0), "a warning moves nothing");
    kit.says_of_outputs(2);
    let decision = kit.asks(1);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::PredictionDrift));
    let fact = decision.facts.iter().find(|fact| fact.signal == Signal::OutputDrift).expect("it is compared");
    assert_eq!((fact.tier, fact.value, fact.threshold, fact.breached()), (0, 2, 2, true));
    assert!(decision.rederives(), "rule 10");
    // Inputs have moved as well: that is the reason from now on, and no second transition.
    kit.says(2);
    assert_eq!(kit.asks(1).reason, Reason::InputDrift);
    assert_eq!(kit.moves(), [(Rule::Drift, 0, 1, Reason::PredictionDrift)], "G-001");
    // However the end is told, it is the end.
    kit.says_of_outputs(0);
    kit.until(kit.now + EVERY);
    assert_eq!(kit.asks(1).reason, Reason::RecoveryRamp);
    let mut kit = Kit::new(drifting(DriftMode::Recommend));
    kit.says_of_outputs(2);
    kit.says(0);
    let told: Vec<_> = kit.proposals().iter().map(|it| (it.stands, it.reason)).collect();
    assert_eq!(told, [(true, Reason::PredictionDrift), (false, Reason::PrimaryHealthy)]);
}

#[test]
fn drift_4_f_181_it_comes_back_step_by_step_and_each_step_stands_for_its_time() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.tells(2, 100 * SECOND);
    let over = kit.now;
    kit.says(0);
    let mut shares = Vec::new();
    for step in 0..RAMP.len() as u64 {
        kit.until(over + step * EVERY);
        shares.push((kit.drift().share, kit.share()));
        kit.until(over + (step + 1) * EVERY - 1);
        assert_eq!(kit.drift().share, shares[step as usize].0, "DRIFT-4: step {step} stands");
    }
    assert_eq!(
        shares.iter().map(|it| it.0).collect::<Vec<_>>(),
        [Some(Permille::new(50)), Some(Permille::new(500)), None]
    );
    let tried: Vec<usize> = shares.iter().map(|it| it.1).collect();
    assert!((30..=70).contains(&tried[0]) && (450..=550).contains(&tried[1]) && tried[2] == 1_000, "{tried:?}");
    let back = [(Rule::Drift, 0, 1, Reason::InputDrift), (Rule::Drift, 1, 0, Reason::RecoveryRamp)];
    assert_eq!((kit.moves().as_slice(), kit.transitions()[1].at), (back.as_slice(), over + 2 * EVERY));
    assert_eq!(kit.core.next_timeout(), None, "nothing is left behind");
    let bounced = kit.out.iter().find_map(|it| match it {
        Output::Decision(it) if it.reason == Reason::RecoveryRamp => Some((**it).clone()),
        _ => None,
    });
    let bounced = bounced.expect("most are not let through at first");
    let fact = bounced.facts.iter().find(|fact| fact.signal == Signal::DriftLot).expect("it is compared");
    assert!(bounced.rederives() && fact.value >= fact.threshold && bounced.phase == Phase::Recovering);
}

#[test]
fn drift_1_f_184_what_nobody_says_any_more_is_unknown_and_the_route_comes_back_by_its_ramp() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.tells(2, 30 * SECOND);
    let last = 20 * SECOND;
    kit.until(last + MAX_AGE);
    assert_eq!((kit.asks(1).outcome.tier, kit.drift().told), (Some(1), Some((2, 5_000))));
    kit.until(last + MAX_AGE + 1);
    assert_eq!((kit.drift().told, kit.drift().share), (None, Some(Permille::new(50))), "not at once");
    kit.until(last + MAX_AGE + 1 + 2 * EVERY);
    assert_eq!((kit.asks(1).outcome.tier, kit.drift().share), (Some(0), None));
    // One that was told once and never again, before anything was held.
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.says(1);
    kit.until(10 * MAX_AGE);
    assert_eq!((kit.asks(1).outcome.tier, kit.moves()), (Some(0), vec![]));
}

#[test]
fn drift_3_f_182_however_often_it_turns_the_route_switches_no_more_than_once_a_step() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    for _ in 0..300 {
        kit.says(2);
        kit.until(kit.now + SECOND / 2);
        kit.says(0);
        kit.until(kit.now + SECOND / 2);
    }
    assert_eq!(kit.moves(), [(Rule::Drift, 0, 1, Reason::InputDrift)], "it never gets beyond the first step");
    kit.until(kit.now + EVERY - SECOND - 1);
    assert_eq!(kit.drift().share, Some(Permille::new(0)), "the dwell is over a step's time after the last alarm");
    assert_eq!(kit.asks(1).reason, Reason::RecoveryRamp);
    kit.until(kit.now + 1);
    assert_eq!(kit.drift().share, Some(Permille::new(50)));
    kit.says(2);
    assert_eq!((kit.drift().share, kit.asks(1).reason), (Some(Permille::new(0)), Reason::InputDrift), "a new alarm");
}

#[test]
fn drift_2_recommend_proposes_once_for_an_alarm_and_once_for_its_end_and_moves_nothing() {
    let mut kit = Kit::new(drifting(DriftMode::Recommend));
    kit.tells(2, 100 * SECOND);
    let decision = kit.asks(1);
    assert_eq!((decision.outcome.tier, decision.reason), (Some(0), Reason::PrimaryHealthy));
    assert!(decision.facts.iter().all(|fact| !matches!(fact.signal, Signal::Drift | Signal::DriftLot)));
    assert_eq!((kit.drift().proposed, kit.drift().since), (Some(1), Some(0)));
    kit.says(1);
    assert_eq!(kit.drift().proposed, None);
    kit.tells(2, 130 * SECOND);
    kit.until(300 * SECOND);
    let told: Vec<_> =
        kit.proposals().into_iter().map(|it| (it.at / SECOND, it.stands, it.reason, it.start_at)).collect();
    let expected = [
        (0, true, Reason::InputDrift, 1),
        (100, false, Reason::PrimaryHealthy, 1),
        (100, true, Reason::InputDrift, 1),
        (180, false, Reason::SignalStale, 1),
    ];
    assert_eq!((told.as_slice(), kit.moves()), (expected.as_slice(), vec![]));
    assert_eq!(kit.proposals()[0].samples, 5_000);
    assert_eq!(kit.core.next_timeout(), None, "nothing is left behind");
}

#[test]
fn drift_2_observe_and_a_route_without_a_policy_do_nothing() {
    for revision in [drifting(DriftMode::Observe), revision(1)] {
        let mut kit = Kit::new(revision);
        kit.tells(2, 100 * SECOND);
        assert_eq!(kit.asks(1).outcome.tier, Some(0));
        assert_eq!((kit.moves(), kit.proposals().len(), kit.core.next_timeout()), (vec![], 0, None));
    }
    let mut kit = Kit::new(revision(1));
    kit.feed(Input::Signal { route: RouteId(9), name: RouteSignal::Drift, value: 2, samples: 1 });
    assert_eq!(kit.asks(1).outcome.tier, Some(0), "nobody's route");
}

#[test]
fn a_reload_keeps_what_is_known_and_follows_the_new_policy() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    kit.says(2);
    kit.feed(Input::Revision(Arc::new(drifting(DriftMode::Enforce))));
    assert_eq!(kit.asks(1).reason, Reason::InputDrift, "it stands");
    kit.feed(Input::Revision(Arc::new(drifting(DriftMode::Recommend))));
    assert_eq!((kit.asks(1).outcome.tier, kit.drift().proposed), (Some(0), Some(1)));
    kit.feed(Input::Revision(Arc::new(revision(1))));
    assert_eq!(kit.asks(1).outcome.tier, Some(0));
    assert_eq!(kit.moves(), [(Rule::Drift, 0, 1, Reason::InputDrift), (Rule::Drift, 1, 0, Reason::RecoveryRamp)]);
    assert_eq!(kit.proposals().iter().map(|it| it.stands).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn g_003_a_guard_stands_before_drift_and_drift_before_a_breaker() {
    let mut revision = drifting(DriftMode::Enforce);
    revision.routes[0].guards = vec![crate::Guard { signal: Signal::Noise, threshold: 0, start_at: 1 }];
    let mut kit = Kit::new(revision);
    kit.open_primary();
    kit.says(2);
    kit.admit_as(Operation::ChatStream, |admit| admit.verdict = [(Signal::Noise, 1)].into_iter().collect());
    kit.end(R::Ok, 200);
    let reasons = [Reason::InputAnomaly, Reason::InputDrift, Reason::BreakerOpen];
    assert_eq!(kit.decision().candidates[0].reasons, reasons);
    // The breaker closes while the alarm stands, and the alarm alone keeps the route below.
    kit.tells(2, 60 * SECOND);
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tier, 1);
}

#[test]
fn what_goes_on_with_a_sequence_stays_where_its_state_is_while_the_route_is_held() {
    let mut kit = Kit::new(drifting(DriftMode::Enforce));
    let part = |start| move |admit: &mut Admit| admit.sequence = Some(crate::Sequence { key: 7, start, end: false });
    kit.admit_as(Operation::Infer, part(true));
    kit.end(R::Ok, 200);
    kit.says(2);
    kit.admit_as(Operation::Infer, part(false));
    assert_eq!(kit.start().tier, 0);
    kit.end(R::Ok, 200);
    kit.admit_as(Operation::Infer, part(true));
    assert_eq!(kit.start().tier, 1, "one that begins anew begins below");
}
