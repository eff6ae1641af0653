//! A tier that is not asked again says why in the record, as one that is not asked at all does (rule 10).

use super::*;
use crate::{Fact, Role, Splice};

impl Kit {
    /// Returns what spoke against another attempt on a tier.
    fn against(&self, tier: u8) -> Vec<Signal> {
        let against = |fact: &&Fact| fact.tier == tier && fact.again && fact.breached();
        self.decision().facts.iter().filter(against).map(|fact| fact.signal).collect()
    }

    /// Begins a stream and breaks it.
    fn torn(&mut self, change: impl FnOnce(&mut Admit)) {
        self.admit_as(Operation::ChatStream, change);
        self.event(Event::FirstContent);
        self.end(R::Truncated, 200);
    }
}

#[test]
fn rule_10_a_retry_that_nothing_is_left_for_says_so() {
    let mut few = revision(1);
    few.routes[0].max_attempts = 1;
    let mut kit = Kit::new(few);
    kit.admit(Operation::Chat);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.against(0), [Signal::Attempts], "F-031");
    let decision = kit.decision();
    assert_eq!(decision.candidates[0].reasons, [Reason::Upstream5xx, Reason::AttemptsExhausted]);
    assert_eq!((decision.candidates[0].verdict, decision.reason), (Verdict::Rejected, Reason::Upstream5xx));

    let mut patient = revision(1);
    patient.paths[0].retries = 3;
    let mut kit = Kit::new(patient);
    kit.admit(Operation::Chat);
    kit.end(R::Reset, 0);
    kit.until(SECOND);
    kit.end(R::Reset, 0);
    assert_eq!(kit.against(0), [Signal::Crashes], "F-035");

    let mut kit = Kit::new(revision(1));
    kit.admit_as(Operation::Chat, |admit| admit.pure = false);
    kit.end(R::Status5xx, 500);
    kit.end(R::Ok, 200);
    assert_eq!(kit.against(0), [Signal::Unrepeatable], "F-034");
    assert_eq!(kit.decision().facts.iter().filter(|fact| fact.tier == 1 && fact.again).count(), 0);
}

#[test]
fn rule_10_what_would_not_be_asked_again_in_any_case_needs_no_fact() {
    for (result, status) in [(R::Stall, 200), (R::CallerInvalid, 400), (R::TotalTimeout, 0)] {
        let mut kit = Kit::new(revision(1));
        kit.admit_as(Operation::Chat, |admit| admit.pure = false);
        kit.end(result, status);
        if kit.start().tier == 1 {
            kit.end(R::Ok, 200);
        }
        assert_eq!(kit.against(0), [], "{result:?}");
    }
}

#[test]
fn rule_10_a_retry_whose_path_went_away_in_its_pause_says_what_bars_it() {
    let mut kit = Kit::new(revision(1));
    let waiting = kit.admit(Operation::Chat);
    let attempt = kit.start().attempt;
    let others: Vec<_> = (0..2).map(|_| (kit.admit(Operation::Chat), kit.start().attempt).1).collect();
    let failed =
        |result, attempt| Input::Attempt { attempt, event: Event::Ended { result, status: None, after: None } };
    kit.feed(failed(R::Status5xx, attempt));
    for other in others {
        kit.feed(failed(R::ConnectFailed, other));
    }
    assert_eq!(kit.breaker(0), BreakerState::Open);
    kit.until(SECOND);
    let attempt = kit.start().attempt;
    kit.feed(failed(R::Ok, attempt));
    let decision = kit.decision();
    assert_eq!((decision.request, kit.against(0)), (waiting, vec![Signal::OpenFor]));
    assert_eq!(decision.candidates[0].reasons, [Reason::Upstream5xx, Reason::BreakerOpen]);
}

#[test]
fn rule_10_a_gate_that_is_not_waited_for_says_why() {
    let limited = |kit: &mut Kit, attempt, after| {
        let event = Event::Ended { result: R::RateLimited, status: Some(429), after: Some(after) };
        kit.feed(Input::Attempt { attempt, event });
    };
    let mut kit = Kit::new(revision(1));
    kit.admit(Operation::Chat);
    let attempt = kit.start().attempt;
    limited(&mut kit, attempt, 60 * SECOND);
    kit.end(R::Ok, 200);
    assert_eq!(kit.against(0), [Signal::GateFor], "F-052: too long");
    let mut kit = Kit::new(revision(1));
    kit.core.routes.get_mut("chat").expect("the route").budget.policy.floor = 100;
    let attempts: Vec<_> = (0..5).map(|_| (kit.admit(Operation::Chat), kit.start().attempt).1).collect();
    attempts.into_iter().for_each(|attempt| limited(&mut kit, attempt, SECOND));
    assert_eq!(kit.start().tier, 1, "four wait");
    kit.end(R::Ok, 200);
    assert_eq!(kit.against(0), [Signal::GateWaiters], "GATE-3");
}

#[test]
fn rule_10_f_123_a_tier_that_is_not_asked_to_mend_its_own_stream_says_why() {
    let mut few = revision(1);
    few.routes[0].max_attempts = 1;
    let mut kit = Kit::new(few.clone());
    kit.torn(|_| ());
    assert_eq!(kit.against(0), [Signal::Attempts], "F-031");
    // Both refusals, of the other replica and of the same, are one.
    few.upstreams = revision(2).upstreams;
    let mut kit = Kit::new(few);
    kit.torn(|_| ());
    assert_eq!(kit.against(0), [Signal::Attempts]);
}

#[test]
fn rule_10_f_126_a_tier_that_is_not_asked_to_go_on_says_why() {
    let diverges = |kit: &mut Kit| {
        let attempt = kit.start().attempt;
        kit.feed(Input::Splice { attempt, splice: Splice::Diverged });
    };
    let mut able = revision(1);
    able.paths[1].prefill = true;
    let mut kit = Kit::new(able.clone());
    kit.torn(|admit| admit.needs = Features::JSON);
    diverges(&mut kit);
    assert_eq!(kit.against(0), [Signal::Unrepeatable], "a machine reads it");
    // The first has no prefill and the second, which has, goes on.
    let mut kit = Kit::new(able);
    kit.torn(|_| ());
    diverges(&mut kit);
    assert_eq!((kit.start().tier, kit.start().role), (1, Role::Continue));
    kit.event(Event::FirstContent);
    kit.feed(Input::Splice { attempt: kit.start().attempt, splice: Splice::Matched });
    kit.end(R::Ok, 200);
    assert_eq!(kit.against(1), []);
    // With none that has, both lack it.
    let mut kit = Kit::new(revision(1));
    kit.torn(|_| ());
    diverges(&mut kit);
    assert_eq!((kit.against(0), kit.against(1)), (vec![Signal::FeaturesMissing], vec![Signal::FeaturesMissing]));
}
