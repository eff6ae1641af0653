//! What a route does about a promise that was not kept (`signals.md`, sections 2 and 6).

use super::*;
use crate::{RouteSignal, Rule, StepPolicy, drift::MAX_AGE};

/// Two thresholds are safer than those of the configuration, then the second tier answers alone.
fn promised() -> Revision {
    let mut revision = revision(1);
    revision.routes[0].certificate = Some(StepPolicy { last: 1, thresholds: 2 });
    revision
}

impl Kit {
    fn steps(&mut self, value: u64) {
        self.feed(Input::Signal { route: RouteId(0), name: RouteSignal::Certificate, value, samples: 90 });
    }

    /// Asks once; returns how many steps safer the first attempt had to be, and the decision.
    fn asks_stepped(&mut self) -> (u8, Decision) {
        self.admit(Operation::Chat);
        let steps = self.start().steps;
        self.end(R::Ok, 200);
        (steps, self.decision())
    }

    fn turns(&self) -> Vec<(Rule, u8, u8, Reason)> {
        self.transitions().into_iter().map(|it| (it.rule, it.from, it.to, it.reason)).collect()
    }
}

#[test]
fn step_1_each_attempt_is_told_how_many_steps_safer_it_must_be_and_the_record_says_so() {
    let mut kit = Kit::new(promised());
    assert_eq!(kit.asks_stepped().0, 0);
    for value in [1, 2] {
        kit.steps(value);
        let (steps, decision) = kit.asks_stepped();
        assert_eq!((u64::from(steps), decision.outcome.tier), (value, Some(0)));
        let fact = decision.facts.iter().find(|it| it.signal == Signal::CertificateSteps).expect("it is compared");
        assert_eq!((fact.tier, fact.value, fact.threshold, fact.breached()), (0, value, 2, false));
        assert!(decision.rederives(), "rule 10");
    }
    assert!(kit.turns().is_empty(), "the route starts where it did");
    // What is said while a request is open is for the next one.
    kit.admit(Operation::Chat);
    kit.steps(0);
    for _ in 0..4 {
        if kit.start().tier == 0 {
            assert_eq!(kit.start().steps, 2);
            kit.end(R::Status5xx, 500);
            kit.until(kit.now + SECOND);
        }
    }
    assert_eq!(kit.start().steps, 0, "of the tier that is compared with nothing is promised");
    kit.end(R::Ok, 200);
    let decision = kit.decision();
    let compared: Vec<_> = decision.facts.iter().filter(|it| it.signal == Signal::CertificateSteps).collect();
    assert!(compared.iter().all(|it| (it.tier, it.value) == (0, 2)) && !compared.is_empty(), "{compared:?}");
}

#[test]
fn step_3_beyond_the_last_threshold_the_tier_that_is_compared_with_answers_alone() {
    let mut kit = Kit::new(promised());
    kit.steps(3);
    let (steps, decision) = kit.asks_stepped();
    assert_eq!((steps, decision.outcome.tier, decision.reason), (0, Some(1), Reason::ConceptDrift));
    let candidate = &decision.candidates[0];
    assert_eq!((candidate.verdict, &candidate.reasons[..]), (Verdict::Rejected, &[Reason::ConceptDrift][..]));
    assert!(decision.rederives(), "rule 10");
    assert_eq!(kit.turns(), [(Rule::Certificate, 0, 1, Reason::ConceptDrift)], "G-001");
    let trip = kit.transitions()[0].trip.expect("G-001: the way down names its cause");
    assert_eq!((trip.rule, trip.result, trip.bad, trip.of), ("certificate", None, 3, 2));
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tier, state.reason, state.tiers[0].eligible), (1, Reason::ConceptDrift, false));
    assert_eq!((state.tiers[0].breaker, state.tiers[1].eligible), (BreakerState::Closed, true));
}

#[test]
fn step_2_neither_time_nor_silence_nor_a_reload_takes_it_back_up_but_the_shell_s_word() {
    let mut kit = Kit::new(promised());
    kit.steps(3);
    kit.until(kit.now + 60 * MAX_AGE);
    assert_eq!(kit.asks_stepped().1.outcome.tier, Some(1));
    kit.feed(Input::Revision(Arc::new(promised())));
    assert_eq!(kit.asks_stepped().1.outcome.tier, Some(1), "it stands");
    // A route that has none is not held by what was said of another.
    kit.feed(Input::Revision(Arc::new(revision(1))));
    kit.steps(3);
    let (steps, decision) = kit.asks_stepped();
    assert_eq!((steps, decision.outcome.tier), (0, Some(0)));
    assert!(decision.facts.iter().all(|it| it.signal != Signal::CertificateSteps));
    kit.feed(Input::Revision(Arc::new(promised())));
    kit.steps(0);
    let (steps, decision) = kit.asks_stepped();
    assert_eq!((steps, decision.outcome.tier), (0, Some(0)), "a new certificate");
    let last = kit.turns().pop();
    assert!(matches!(last, Some((Rule::Certificate, 1, 0, Reason::RecoveryRamp))), "{last:?}");
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).reason, Reason::PrimaryHealthy);
}
