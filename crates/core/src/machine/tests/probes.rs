//! Probes: what replicas say of themselves, and how little it decides (`failures.md`, section 8).

use super::*;
use crate::{
    fact::Signal,
    output::Probe,
    probe::{Found, Readiness},
    revision::ProbePolicy,
};

const EVERY: Nanos = 10 * SECOND;

fn probed(replicas: usize) -> Kit {
    let mut revision = revision(replicas);
    revision.upstreams[0].probe = Some(ProbePolicy { every: EVERY, timeout: 2 * SECOND });
    Kit::new(revision)
}

impl Kit {
    /// Lets time pass until the next probe of a replica is wanted, and answers it; probes of others stay without answer.
    fn probe(&mut self, replica: u16, found: Found) {
        let before = self.out.len();
        loop {
            let probe = self.out[before..].iter().find_map(|output| match output {
                Output::Probe(Probe { probe, replica: ReplicaId(it), .. }) if *it == replica => Some(*probe),
                _ => None,
            });
            if let Some(probe) = probe {
                return self.feed(Input::Probed { probe, found });
            }
            let (at, _) = self.core.next_timeout().expect("a probe comes");
            self.until(at);
        }
    }

    /// Answers so many probes of replica 0.
    fn hear(&mut self, found: &[Found]) {
        found.iter().for_each(|found| self.probe(0, *found));
    }

    fn probes(&self) -> usize {
        self.out.iter().filter(|it| matches!(it, Output::Probe(_))).count()
    }

    fn readiness(&self) -> Vec<Readiness> {
        self.core.readiness(UpstreamId(0))
    }

    fn good(&mut self, operation: Operation) {
        self.admit(operation);
        assert_eq!(self.start().tier, 0);
        self.end(R::Ok, 200);
    }

    /// Lets so many streams pass, one a second, by whichever tier is chosen.
    fn pass(&mut self, requests: usize) {
        for _ in 0..requests {
            self.until(self.now + SECOND);
            self.admit(Operation::ChatStream);
            self.end(R::Ok, 200);
        }
    }
}

#[test]
fn f_113_three_refusals_in_a_row_take_the_only_replica_out_and_the_ladder_decides() {
    let mut kit = probed(1);
    kit.good(Operation::ChatStream);
    kit.hear(&[Found::Refused, Found::Refused, Found::Good, Found::Refused, Found::Refused]);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::Closed, vec![Readiness::Refused]), "not in a row");
    kit.probe(0, Found::Refused);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::Open, vec![Readiness::Out]));
    let moved = &kit.transitions()[0];
    assert_eq!((moved.to, moved.reason, moved.trip.map(|it| it.rule)), (1, Reason::HealthcheckFailed, Some("F-113")));
    assert_eq!(
        moved.trip.and_then(|it| it.result),
        None,
        "no attempt was made: a probe may have been answered, by a no"
    );
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 1);
    kit.end(R::Ok, 200);
    let decision = kit.decision();
    assert_eq!(decision.reason, Reason::HealthcheckFailed);
    let fact = decision.facts.iter().find(|fact| fact.signal == Signal::Refusals).expect("what was compared");
    assert_eq!((fact.tier, fact.value, fact.threshold), (0, 3, 3));
}

#[test]
fn f_113_a_path_that_was_never_used_is_not_asked_while_its_replica_is_out() {
    let mut kit = probed(1);
    kit.hear(&[Found::Refused; 3]);
    assert_eq!((kit.breaker(0), kit.transitions()[0].reason), (BreakerState::Open, Reason::HealthcheckFailed));
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 1);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().reason, Reason::HealthcheckFailed);
    kit.hear(&[Found::Good; 2]);
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen, "F-112: nothing has proven it yet");
    assert_eq!(kit.core.breaker(PathId(0), Operation::ChatStream), BreakerState::HalfOpen);
    kit.until(kit.now + 60 * SECOND);
    assert_eq!(kit.transitions().len(), 1, "the route stays where it is until requests have closed it");
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "one lease");
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 1, "rule 4");
}

#[test]
fn f_060_f_113_a_path_that_was_never_used_is_told_of_and_ramps() {
    let mut kit = probed(1);
    kit.hear(&[Found::Refused; 3]);
    kit.hear(&[Found::Good; 2]);
    kit.pass(2);
    assert_eq!(kit.breaker(0), BreakerState::Ramp, "as the operation that is asked for");
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).phase, Phase::Recovering);
    kit.pass(200);
    assert_eq!((kit.breaker(0), kit.transitions().last().map(|it| it.to)), (BreakerState::Closed, Some(0)));
    let told = |operation: Operation| {
        let change = |output: &Output| match output {
            Output::Breaker(it) if it.operation == operation => Some((it.turn.to.name(), it.turn.rule())),
            _ => None,
        };
        kit.out.iter().filter_map(change).collect::<Vec<_>>()
    };
    let back = [("open", "F-113"), ("half_open", "F-113"), ("ramp", "F-070"), ("closed", "F-071")];
    assert_eq!(told(Operation::ChatStream), back);
    assert_eq!(told(Operation::Chat), [back[0], back[1], ("closed", "F-113")], "it follows");
    assert_eq!(told(Operation::Infer), [], "no client of the route asks for that");
}

#[test]
fn f_113_a_replica_of_a_path_that_was_never_used_comes_back_half_open() {
    let mut kit = probed(2);
    for found in [Found::Refused, Found::Refused, Found::Refused, Found::Good, Found::Good] {
        kit.probe(1, found);
    }
    assert_eq!(kit.core.replicas(PathId(0), Operation::Chat), [BreakerState::Closed, BreakerState::HalfOpen]);
    assert!(kit.transitions().is_empty(), "F-073");
}

#[test]
fn f_112_f_113_two_good_probes_bring_it_back_half_open_and_only_requests_close_it() {
    let mut kit = probed(1);
    kit.good(Operation::ChatStream);
    kit.hear(&[Found::Refused, Found::Refused, Found::Refused, Found::Good]);
    assert_eq!(kit.breaker(0), BreakerState::Open, "one is not enough");
    kit.probe(0, Found::Good);
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen, "without any traffic");
    kit.hear(&[Found::Good; 9]);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::HalfOpen, vec![Readiness::Ready]), "F-112");
    kit.pass(2);
    assert_eq!(kit.breaker(0), BreakerState::Ramp);
    kit.pass(200);
    assert_eq!(kit.breaker(0), BreakerState::Closed);
    assert_eq!(kit.transitions().last().map(|it| it.to), Some(0));
}

#[test]
fn f_113_an_operation_that_nobody_asks_for_is_back_with_the_one_that_is() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.good(Operation::ChatStream);
    kit.hear(&[Found::Refused; 3]);
    kit.hear(&[Found::Good; 2]);
    kit.pass(200);
    assert_eq!(kit.breaker(0), BreakerState::Closed, "the worst of both");
}

#[test]
fn f_112_f_116_up_33_readiness_that_lies_neither_closes_nor_shortens_what_real_outcomes_have_opened() {
    let mut often = revision(1);
    often.upstreams[0].probe = Some(ProbePolicy { every: 2 * SECOND, timeout: SECOND });
    let mut kit = Kit::new(often);
    kit.open_primary();
    for _ in 0..4 {
        kit.probe(0, Found::Good);
        assert_eq!(kit.breaker(0), BreakerState::Open, "F-112");
    }
    kit.until(10 * SECOND - 1);
    assert_eq!(kit.breaker(0), BreakerState::Open, "not a moment sooner");
    kit.until(12 * SECOND);
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen);
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 0);
    kit.end(R::Status5xx, 503);
    assert_eq!(kit.breaker(0), BreakerState::Open, "the dead engine is found by the request");
    // What is open by real outcomes is not made to wait for readiness either.
    let until = kit.now + 60 * SECOND;
    while kit.now < until {
        kit.probe(0, Found::Refused);
    }
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen, "F-116");
}

#[test]
fn f_113_up_34_a_probe_that_times_out_is_busy_and_never_out() {
    let mut kit = probed(1);
    kit.hear(&[Found::Busy; 12]);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::Closed, vec![Readiness::Busy]));
    kit.good(Operation::Chat);
    assert_eq!(kit.readiness(), [Readiness::Unasked], "it answers: that outranks what its probes said (F-110)");
}

#[test]
fn f_113_a_busy_replica_gets_less_and_a_refused_one_nothing() {
    let share = |found: Found| {
        let mut kit = probed(2);
        for _ in 0..3 {
            kit.probe(1, found);
            kit.probe(0, Found::Good);
        }
        for _ in 0..200 {
            kit.admit(Operation::ChatStream);
        }
        kit.starts().iter().filter(|(tier, replica)| (*tier, *replica) == (0, 1)).count()
    };
    let (good, busy, refused) = (share(Found::Good), share(Found::Busy), share(Found::Refused));
    assert!((80..=120).contains(&good), "{good} of 200");
    assert!((20..=60).contains(&busy), "{busy} of 200: lower weight, not out");
    assert_eq!(refused, 0);
}

#[test]
fn f_113_what_is_out_comes_back_when_it_is_busy_and_no_longer_refuses() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Refused; 3]);
    kit.hear(&[Found::Busy, Found::Busy]);
    assert_eq!(kit.breaker(0), BreakerState::HalfOpen);
}

#[test]
fn f_114_up_35_a_probe_that_is_turned_away_is_unknown_and_changes_nothing() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Unknown; 9]);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::Closed, vec![Readiness::Misconfigured]));
    kit.good(Operation::Chat);
    assert_eq!(kit.readiness(), [Readiness::Misconfigured], "requests do not mend our configuration");
}

#[test]
fn f_114_a_probe_that_is_turned_away_mends_no_row_of_refusals() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Refused, Found::Refused, Found::Unknown]);
    assert_eq!(kit.breaker(0), BreakerState::Closed, "nor does it add to it");
    kit.probe(0, Found::Refused);
    assert_eq!(kit.breaker(0), BreakerState::Open);
}

#[test]
fn f_114_what_is_out_and_turns_probes_away_is_tried_by_requests_and_not_left_out_for_ever() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Refused, Found::Refused, Found::Refused, Found::Unknown]);
    assert_eq!(kit.breaker(0), BreakerState::Open);
    kit.probe(0, Found::Unknown);
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::HalfOpen, vec![Readiness::Misconfigured]));
}

#[test]
fn f_110_probes_pause_while_requests_succeed() {
    let mut kit = probed(1);
    kit.until(SECOND);
    let before = kit.probes();
    for _ in 0..60 {
        kit.good(Operation::Chat);
        kit.until(kit.now + 5 * SECOND);
    }
    assert_eq!(kit.probes(), before);
    kit.until(kit.now + 12 * SECOND);
    assert_eq!(kit.probes(), before + 1, "ten seconds after the last success");
}

#[test]
fn f_110_a_probe_that_was_overtaken_by_a_success_is_not_heard() {
    let mut kit = probed(1);
    kit.hear(&[Found::Refused; 2]);
    kit.until(kit.core.next_timeout().expect("the next probe").0);
    let probe = kit.out.iter().rev().find_map(|output| match output {
        Output::Probe(it) => Some(it.probe),
        _ => None,
    });
    kit.good(Operation::Chat);
    kit.feed(Input::Probed { probe: probe.expect("it is on its way"), found: Found::Refused });
    assert_eq!(kit.readiness(), [Readiness::Unasked]);
}

#[test]
fn f_111_nobody_is_asked_where_probes_are_off_and_what_was_out_is_half_open_then() {
    let mut kit = Kit::new(revision(1));
    kit.until(100 * SECOND);
    assert_eq!(kit.probes(), 0);
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Refused; 3]);
    kit.feed(Input::Revision(revision(1).into()));
    assert_eq!((kit.breaker(0), kit.readiness()), (BreakerState::HalfOpen, vec![Readiness::Unasked]));
    assert_eq!(kit.core.readiness(UpstreamId(1)), [Readiness::Unasked]);
}

#[test]
fn f_074_what_probes_have_said_survives_a_reload_also_to_more_replicas() {
    let mut kit = probed(1);
    kit.good(Operation::Chat);
    kit.hear(&[Found::Refused; 3]);
    let mut more = revision(2);
    more.upstreams[0].probe = Some(ProbePolicy { every: EVERY, timeout: 2 * SECOND });
    kit.feed(Input::Revision(more.into()));
    assert_eq!(kit.readiness(), [Readiness::Out, Readiness::Unasked]);
    for operation in [Operation::ChatStream, Operation::Chat].repeat(9) {
        kit.admit(operation);
        assert_eq!((kit.start().tier, kit.start().replica), (0, ReplicaId(1)));
        kit.end(R::Ok, 200);
    }
}

#[test]
fn f_111_a_replica_is_asked_about_every_so_often_in_no_step_with_others() {
    let mut kit = probed(1);
    kit.until(EVERY - 1);
    assert_eq!(kit.probes(), 0, "the first after `every`");
    let start = kit.now + 1;
    for asked in 0..20 {
        kit.until(kit.core.next_timeout().expect("the next probe").0);
        let Some(Output::Probe(Probe { probe, within, .. })) = kit.out.last().cloned() else { panic!("a probe") };
        assert_eq!(kit.now, start + asked * EVERY, "in the mean");
        assert_eq!(within, EVERY / 5);
        // In the middle of the time that entropy draws from.
        kit.until(kit.now + within / 2);
        kit.feed(Input::Probed { probe, found: Found::Good });
    }
}

#[test]
fn f_111_a_probe_that_no_shell_answers_is_made_again() {
    let mut kit = probed(1);
    let (within, timeout) = (EVERY / 5, 2 * SECOND);
    kit.until(EVERY + within + 2 * timeout + EVERY - 1);
    assert_eq!(kit.probes(), 1, "PROBE-2");
    kit.until(kit.now + 1);
    assert_eq!(kit.probes(), 2);
}

#[test]
fn a_core_that_was_restarted_does_not_hear_a_probe_of_the_one_before() {
    let mut kit = probed(1);
    kit.until(EVERY);
    kit.core = kit.core.restarted(kit.now);
    kit.until(kit.now + EVERY);
    let probes = kit.out.iter().filter_map(|output| match output {
        Output::Probe(it) => Some(it.probe),
        _ => None,
    });
    let [before, after] = probes.collect::<Vec<_>>()[..] else { panic!("a probe of each") };
    assert_ne!(before, after);
    kit.feed(Input::Probed { probe: before, found: Found::Refused });
    assert_eq!(kit.readiness(), [Readiness::Unasked]);
}
