//! Sequences: one replica keeps the state, nobody else goes on with it, and what is lost is said (F-034, OIP-36).

use super::*;
use crate::{ImputedPolicy, Permille, RowRule, Rows, Sequence};

const KEY: u128 = 7;

impl Kit {
    /// A request of a sequence; returns what it is refused for, where it is at once.
    fn member(&mut self, start: bool, end: bool) -> Option<Refusal> {
        self.member_of(KEY, start, end)
    }

    fn member_of(&mut self, key: u128, start: bool, end: bool) -> Option<Refusal> {
        let before = self.refusals().len();
        self.admit_as(Operation::Infer, |admit| admit.sequence = Some(Sequence { key, start, end }));
        self.refusals().get(before).copied()
    }

    /// A request of a sequence that its upstream answers; returns the tier and the replica that it was asked of.
    fn answered(&mut self, start: bool, end: bool) -> (u8, u16) {
        assert_eq!(self.member(start, end), None);
        self.end(R::Ok, 200);
        *self.starts().last().expect("it was started")
    }

    fn last_refusal(&self) -> Option<Refusal> {
        self.refusals().last().copied()
    }
}

#[test]
fn oip_36_every_later_request_goes_to_the_replica_that_answered_the_start() {
    let mut kit = Kit::new(revision(4));
    let kept = kit.answered(true, false);
    for _ in 0..40 {
        kit.now += SECOND;
        assert_eq!(kit.answered(false, false), kept);
    }
    assert_eq!(kit.answered(false, true), kept);
    assert_eq!(kit.core.sequences(), 0, "SEQ-2: it has ended");
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceLost));
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.reason), (409, Reason::CapabilityMissing));
    assert!(decision.attempts.is_empty());
}

#[test]
fn oip_36_a_start_may_fall_to_another_tier_and_what_follows_stays_there() {
    let mut kit = Kit::new(revision(2));
    kit.member(true, false);
    kit.end(R::Status5xx, 500);
    assert_eq!(kit.starts().last(), Some(&(1, 0)), "no second try on a path that may have begun it (F-034)");
    kit.end(R::Ok, 200);
    // The primary is well, and has no state.
    assert_eq!(kit.answered(false, false), (1, 0));
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::CapabilityMissing));
    assert_eq!(decision.candidates[0].verdict, Verdict::Skipped);
    let fact = decision.facts.iter().find(|fact| fact.signal == Signal::Sequence).expect("it was compared");
    assert_eq!((fact.tier, fact.value, fact.threshold), (0, 1, 0));
}

#[test]
fn oip_36_f_043_a_start_that_was_not_taken_is_sent_again_and_what_follows_is_not() {
    let mut kit = Kit::new(revision(1));
    kit.member(true, false);
    kit.end(R::Unsent, 0);
    assert_eq!((kit.starts().last(), kit.start().fresh), (Some(&(0, 0)), true));
    kit.end(R::Ok, 200);
    assert_eq!(kit.results(), ["target.unsent", "ok"]);
    kit.member(false, false);
    kit.end(R::Unsent, 0);
    assert_eq!(kit.results(), ["target.unsent"], "whether it was added up is not known");
    assert_eq!(kit.last_refusal(), Some(Refusal::SequenceLost));
    assert_eq!(kit.breaker(0), BreakerState::Closed, "nor whether that was its fault");
}

#[test]
fn oip_36_what_fails_in_the_middle_is_lost_whatever_stands_below() {
    for result in [R::Status5xx, R::Reset, R::Unsent, R::DecodeFailed, R::ContractShape, R::CallerSuspected] {
        let mut kit = Kit::new(revision(2));
        kit.answered(true, false);
        kit.member(false, false);
        let starts = kit.starts().len();
        kit.end(result, 500);
        assert_eq!(kit.last_refusal(), Some(Refusal::SequenceLost), "{result:?}");
        assert_eq!((kit.starts().len(), kit.core.sequences()), (starts, 0), "{result:?}: nobody else was asked");
        let decision = kit.decision();
        assert_eq!((decision.outcome.status, decision.outcome.tier), (409, None));
        assert_eq!(Some(decision.candidates[0].reasons[0]), result.reason());
        // And again, until it is begun anew.
        assert_eq!(kit.member(false, true), Some(Refusal::SequenceLost));
        kit.answered(true, false);
        assert_eq!(kit.core.sequences(), 1);
    }
}

#[test]
fn oip_36_a_clock_that_fires_in_the_middle_loses_it_and_one_before_does_not() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    kit.member(false, false);
    kit.until(kit.now + 30 * SECOND);
    assert_eq!((kit.last_refusal(), kit.core.sequences()), (Some(Refusal::SequenceLost), 0));
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    let late = |admit: &mut Admit| {
        (admit.deadline, admit.spent) = (Some(SECOND), SECOND);
        admit.sequence = Some(Sequence { key: KEY, start: false, end: false });
    };
    kit.now += 10 * SECOND;
    kit.admit_as(Operation::Infer, late);
    assert_eq!((kit.last_refusal(), kit.core.sequences()), (Some(Refusal::Deadline), 1), "nothing was done");
    assert_eq!(kit.answered(false, false), (0, 0));
}

#[test]
fn oip_36_a_fault_of_the_client_or_a_full_server_leaves_it_as_it_was() {
    for (result, status, told) in [
        (R::CallerInvalid, 400, End::Error(R::CallerInvalid)),
        (R::MessageTooLarge, 413, End::Error(R::MessageTooLarge)),
        (R::PushBack, 503, End::Refused(Refusal::Exhausted)),
    ] {
        let mut kit = Kit::new(revision(2));
        let kept = kit.answered(true, false);
        kit.member(false, true);
        kit.event(Event::Ended { result, status: Some(status), after: Some(SECOND) });
        let decision = kit.decision();
        assert_eq!((decision.outcome.end, decision.attempts.len()), (told, 1));
        kit.until(kit.now + 5 * SECOND);
        assert_eq!(kit.answered(false, false), kept, "{result:?}");
    }
}

#[test]
fn oip_36_a_keeper_that_may_not_be_asked_has_lost_it_and_one_that_says_not_now_has_not() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    for _ in 0..2 {
        kit.admit(Operation::Infer);
        kit.end(R::ConnectFailed, 0);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceLost));
    let reasons = kit.decision().candidates.into_iter().map(|it| it.reasons[0]).collect::<Vec<_>>();
    assert_eq!(reasons, [Reason::BreakerOpen, Reason::CapabilityMissing, Reason::CapabilityMissing]);
    assert_eq!((kit.decision().reason, kit.core.sequences()), (Reason::BreakerOpen, 0));
    // The gate of one of two replicas is shut.
    let mut kit = Kit::new(revision(2));
    let kept = kit.answered(true, false);
    kit.member(false, false);
    kit.event(Event::Ended { result: R::PushBack, status: Some(503), after: Some(20 * SECOND) });
    assert_eq!(kit.member(false, false), Some(Refusal::Exhausted), "the other replica has no state");
    assert!(kit.decision().candidates[0].reasons.contains(&Reason::CapacityDomainLimited));
    kit.until(kit.now + 21 * SECOND);
    assert_eq!(kit.answered(false, false), kept);
}

#[test]
fn oip_36_a_start_begins_anew_and_who_was_slower_is_not_heard() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    kit.member(false, true);
    let slower = kit.start().attempt;
    assert_eq!(kit.answered(true, false), (0, 0));
    kit.feed(Input::Attempt { attempt: slower, event: Event::Ended { result: R::Ok, status: None, after: None } });
    assert_eq!(kit.core.sequences(), 1, "SEQ-1: it ended another");
    assert_eq!(kit.answered(false, false), (0, 0));
}

#[test]
fn oip_36_nobody_goes_on_while_the_start_is_answered_and_a_start_that_fails_leaves_nothing() {
    let mut kit = Kit::new(revision(1));
    kit.member(true, false);
    let start = kit.start().attempt;
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceBusy));
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.reason), (409, Reason::CallerError));
    assert_eq!(kit.member(true, false), Some(Refusal::SequenceBusy), "not even anew");
    assert_eq!(kit.core.sequences(), 1);
    kit.feed(Input::Attempt {
        attempt: start,
        event: Event::Ended { result: R::CallerInvalid, status: Some(400), after: None },
    });
    assert_eq!(kit.core.sequences(), 0);
    kit.member(true, false);
    kit.feed(Input::ClientGone { request: RequestId(kit.requests) });
    assert_eq!((kit.core.sequences(), kit.core.open()), (0, 0), "its client left");
}

#[test]
fn oip_36_a_start_that_is_the_end_as_well_keeps_nothing() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, true);
    assert_eq!(kit.core.sequences(), 0);
}

#[test]
fn oip_36_it_is_forgotten_a_minute_after_its_last_request_has_ended() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    kit.now += 59 * SECOND;
    kit.member(false, false);
    kit.now += 19 * SECOND;
    kit.end(R::Ok, 200);
    kit.now += 60 * SECOND - 1;
    kit.feed(Input::Timeout);
    assert_eq!(kit.core.sequences(), 1);
    kit.now += 1;
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceLost));
    assert_eq!((kit.core.sequences(), kit.core.next_timeout()), (0, None), "SEQ-2: and no timer is left");
}

#[test]
fn oip_36_there_are_no_more_than_so_many_and_none_is_given_up_for_another() {
    let mut kit = Kit::new(revision(1));
    for key in 0..65_536 {
        kit.admit_as(Operation::Infer, |admit| admit.sequence = Some(Sequence { key, start: true, end: false }));
        kit.end(R::Ok, 200);
        kit.out.clear();
    }
    assert_eq!(kit.member_of(65_536, true, false), Some(Refusal::Overloaded));
    assert_eq!(kit.decision().outcome.status, 503);
    assert_eq!(kit.core.sequences(), 65_536, "SEQ-2");
    kit.member_of(0, true, false);
    kit.end(R::Ok, 200);
    assert_eq!(kit.core.sequences(), 65_536, "who begins anew takes no more room");
    kit.member_of(0, false, true);
    kit.end(R::Ok, 200);
    assert_eq!(kit.member_of(65_536, true, false), None, "there is room again");
}

#[test]
fn oip_36_a_reload_keeps_what_keeps_its_path_and_its_address() {
    let mut kit = Kit::new(revision(2));
    let (_, at) = kit.answered(true, false);
    // Another replica comes, and they are told in another order.
    let mut more = revision(2);
    more.upstreams[0].replicas.insert(0, "http://big-new".into());
    kit.feed(Input::Revision(Arc::new(more.clone())));
    assert_eq!(kit.answered(false, false), (0, at + 1));
    // The path stands at another tier now.
    more.routes[0].tiers.swap(0, 1);
    kit.feed(Input::Revision(Arc::new(more.clone())));
    assert_eq!(kit.answered(false, false), (1, at + 1));
    // Its replica is gone.
    more.upstreams[0].replicas.remove(usize::from(at) + 1);
    kit.feed(Input::Revision(Arc::new(more)));
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceLost));
    assert_eq!(kit.core.sequences(), 0);
}

#[test]
fn oip_36_a_tier_without_a_server_goes_on_with_what_it_began() {
    let mut local = revision(1);
    local.paths[0].place = Where::Local;
    let mut kit = Kit::new(local);
    assert_eq!([kit.answered(true, false), kit.answered(false, false)], [(0, 0), (0, 0)]);
    let mut certain = revision(1);
    certain.routes[0].tiers.drain(..2);
    let mut kit = Kit::new(certain);
    for start in [true, false, false] {
        assert_eq!(kit.member(start, false), None);
        assert_eq!(kit.source(), Source::Certain(PathId(2)));
    }
}

#[test]
fn oip_36_a_core_that_starts_anew_knows_no_sequence() {
    let mut kit = Kit::new(revision(1));
    kit.answered(true, false);
    kit.core = kit.core.restarted(kit.now);
    assert_eq!(kit.member(false, false), Some(Refusal::SequenceLost));
}

#[test]
fn oip_36_oip_35_the_rows_of_a_sequence_stay_together() {
    let mut split = revision(1);
    split.paths[0].accept = Some(RowRule::Split);
    let mut kit = Kit::new(split);
    let whole = |admit: &mut Admit| {
        (admit.rows, admit.sequence) =
            (Rows { all: 5, apart: 2 }, Some(Sequence { key: KEY, start: true, end: false }));
    };
    kit.admit_as(Operation::Infer, whole);
    kit.event(Event::Judged { low: 2, sure: Permille::new(0) });
    kit.end(R::Ok, 200);
    assert_eq!(kit.results(), ["ok"], "nobody else could go on with it");
    let mut apart = revision(1);
    apart.routes[0].imputed = ImputedPolicy { most: Permille::new(500), start_at: 1, split: true };
    for (imputed, tier) in [(400, 0), (600, 1)] {
        let mut kit = Kit::new(apart.clone());
        kit.admit_as(Operation::Infer, |admit| {
            whole(admit);
            admit.imputed = Permille::new(imputed);
        });
        assert_eq!((kit.start().tier, kit.start().rows), (tier, 5), "{imputed}");
    }
}
