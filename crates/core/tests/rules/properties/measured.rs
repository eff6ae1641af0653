//! What was measured of inputs: it bars the tiers that it is about, and nothing else (G-003, F-184).

use std::collections::BTreeMap;

use evenkeel_core::*;
use proptest::prelude::*;

use crate::{
    history::{Entry, History},
    sample::sample,
    world::{ARRIVALS, World},
};

fn is_measured(fact: &&Fact) -> bool {
    fact.signal.is_about_input() || matches!(fact.signal, Signal::Drift | Signal::OutputDrift | Signal::DriftLot)
}

fn revision(seed: u64, mode: Option<DriftMode>) -> Revision {
    let mut revision = sample(seed);
    for route in &mut revision.routes {
        route.guards = vec![Guard { signal: Signal::InputRange, threshold: 0, start_at: 2 }];
        let ramp = vec![Permille::new(300), Permille::ALL];
        route.drift = mode.map(|mode| DriftPolicy { start_at: 1, mode, ramp, every: 5 * SECOND });
    }
    revision
}

fn play(seed: u64, mode: Option<DriftMode>) -> History {
    World::new(seed, revision(seed, mode)).history_of(ARRIVALS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_10_grd_1_what_is_compared_of_an_input_is_what_was_measured_and_no_tier_answers_that_it_bars(seed: u64) {
        let history = play(seed, Some(DriftMode::Enforce));
        let admits: BTreeMap<_, _> = history.admits().map(|(_, admit)| (admit.request, admit.clone())).collect();
        let mut compared = 0;
        for decision in history.decisions() {
            let admit = &admits[&decision.request];
            for fact in decision.facts.iter().filter(is_measured) {
                compared += 1;
                if fact.signal.is_about_input() {
                    prop_assert_eq!(Some(fact.value), admit.verdict.of(fact.signal), "GRD-1");
                }
                let asked = decision.attempts.iter().any(|attempt| attempt.tier == fact.tier);
                prop_assert!(!fact.breached() || !asked, "{:?}: {:?}", fact, decision);
                prop_assert!(!fact.breached() || decision.outcome.tier != Some(fact.tier), "{:?}", decision);
            }
            prop_assert!(decision.rederives(), "rule 10");
        }
        prop_assert!(compared > ARRIVALS / 2, "{} facts", compared);
    }

    #[test]
    fn drift_2_recommend_and_observe_decide_as_a_route_without_drift_does(seed: u64) {
        let decisions = |mode| {
            let decisions: Vec<_> = play(seed, mode).decisions().map(|it| (it.request, it.facts.clone(), it.outcome)).collect();
            decisions
        };
        let without = decisions(None);
        for mode in [DriftMode::Observe, DriftMode::Recommend] {
            prop_assert_eq!(&decisions(Some(mode)), &without);
        }
    }

    #[test]
    fn drift_2_a_proposal_begins_and_ends_in_turn(seed: u64) {
        let history = play(seed, Some(DriftMode::Recommend));
        let mut stands: BTreeMap<RouteId, bool> = BTreeMap::new();
        for (at, entry) in &history.entries {
            if let Entry::Output(Output::Proposed(it)) = entry {
                prop_assert_eq!(it.at, *at);
                prop_assert!(stands.insert(it.route, it.stands).unwrap_or(false) != it.stands, "{:?}", it);
            }
        }
        prop_assert!(stands.values().all(|stands| !stands), "DRIFT-1: nobody says any more that it should");
    }

    #[test]
    fn drift_5_the_reason_is_that_of_what_was_said_last(seed: u64) {
        for mode in [DriftMode::Recommend, DriftMode::Enforce] {
            let (mut said, mut found): (BTreeMap<RouteId, RouteSignal>, BTreeMap<RequestId, RouteSignal>) = Default::default();
            let reason = |it: Option<&RouteSignal>| match it {
                Some(RouteSignal::OutputDrift) => Reason::PredictionDrift,
                _ => Reason::InputDrift,
            };
            for (_, entry) in &play(seed, Some(mode)).entries {
                match entry {
                    Entry::Input(Input::Signal { name: RouteSignal::Certificate, .. }) => {}
                    Entry::Input(Input::Signal { route, name, .. }) => drop(said.insert(*route, *name)),
                    Entry::Input(Input::Admit(it)) => found.extend(said.get(&it.route).map(|name| (it.request, *name))),
                    Entry::Output(Output::Proposed(it)) if it.stands => {
                        prop_assert_eq!(it.reason, reason(said.get(&it.route)));
                    }
                    Entry::Output(Output::Transition(it)) if it.rule == Rule::Drift && it.to > it.from => {
                        prop_assert_eq!(it.reason, reason(said.get(&it.route)));
                    }
                    Entry::Output(Output::Decision(it)) => {
                        let alarms = it.facts.iter().filter(|it| matches!(it.signal, Signal::Drift | Signal::OutputDrift));
                        for fact in alarms {
                            prop_assert_eq!(fact.signal.reason(), reason(found.get(&it.request)));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}
