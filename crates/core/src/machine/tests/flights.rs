//! Requests that may have the same answer: one asks, the others wait for what it gets (F-145).

use super::{cached::caching, *};
use crate::{Cancelled, Lookup};

/// Admits one of many requests of the same.
fn same(kit: &mut Kit) -> RequestId {
    same_as(kit, Operation::Chat, |_| ())
}

fn same_as(kit: &mut Kit, operation: Operation, change: impl FnOnce(&mut Admit)) -> RequestId {
    kit.admit_as(operation, |admit| {
        admit.cache = Lookup { key: Some(100), ..Lookup::default() };
        change(admit);
    })
}

/// A route that lets so many wait.
fn kit(waiters: u32) -> Kit {
    let mut revision = caching(true);
    revision.routes[0].cache.as_mut().expect("it has one").waiters = waiters;
    Kit::new(revision)
}

impl Kit {
    fn land(&mut self, request: RequestId, kept: bool) {
        self.feed(Input::Landed { request, kept });
    }

    fn decision_of(&self, request: RequestId) -> Decision {
        let of = |output: &Output| match output {
            Output::Decision(decision) if decision.request == request => Some((**decision).clone()),
            _ => None,
        };
        let decision = self.out.iter().find_map(of).expect("it is over");
        assert!(decision.rederives(), "rule 10: {decision:?}");
        decision
    }

    /// Who was answered, by what tier, and why.
    fn ended(&self, request: RequestId) -> (Option<u8>, Reason) {
        let decision = self.decision_of(request);
        (decision.outcome.tier, decision.reason)
    }

    fn nth_start(&self, at: usize) -> Start {
        let start = |output: &Output| if let Output::Start(start) = output { Some(start.clone()) } else { None };
        self.out.iter().filter_map(start).nth(at).expect("so many were started")
    }

    fn is_quiet(&self) -> bool {
        (self.core.open(), self.core.waiting(), self.core.flights(), self.core.in_flight()) == (0, 0, 0, 0)
    }
}

#[test]
fn f_145_ten_thousand_of_the_same_ask_once_and_all_are_answered() {
    let mut kit = kit(10_000);
    let all: Vec<_> = (0..10_000).map(|_| same(&mut kit)).collect();
    assert_eq!((kit.starts(), kit.core.waiting()), (vec![(0, 0)], 9_999));
    kit.now = SECOND;
    kit.end(R::Ok, 200);
    assert_eq!(kit.core.open(), 9_999, "they wait until the shell has the answer");
    let late = same(&mut kit);
    kit.land(all[0], true);
    assert_eq!(kit.starts(), [(0, 0)]);
    assert_eq!(kit.ended(all[0]), (Some(0), Reason::PrimaryHealthy));
    for request in [all[1], all[9_999], late] {
        assert_eq!(kit.ended(request), (Some(0), Reason::CacheFreshHit));
    }
    assert!(kit.is_quiet(), "no waiter and no timer is left");
    assert_eq!(kit.core.next_timeout(), None);
    let waited = kit.decision_of(all[1]).facts.into_iter().find(|fact| fact.signal == Signal::FlightWaited);
    assert_eq!(waited.map(|fact| fact.value), Some(SECOND), "it shows that it waited");
}

#[test]
fn f_145_beyond_the_bound_the_next_tier_is_asked_and_not_the_one_that_is() {
    let mut kit = kit(2);
    let all: Vec<_> = (0..4).map(|_| same(&mut kit)).collect();
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    kit.end(R::Ok, 200);
    assert_eq!(kit.ended(all[3]), (Some(1), Reason::CapacityExhausted));
    let alone = Kit::new(caching(true));
    assert_eq!(alone.core.flights(), 0);
    let mut each = super::flights::kit(0);
    for _ in 0..3 {
        same(&mut each);
    }
    assert_eq!(each.starts(), [(0, 0); 3], "where nobody may wait each asks");
}

#[test]
fn f_145_if_the_leader_fails_one_leads_and_the_rest_take_the_next_tier() {
    let mut kit = kit(10);
    let all: Vec<_> = (0..4).map(|_| same(&mut kit)).collect();
    kit.end(R::Truncated, 200);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)], "the leader goes down its ladder, and the others wait for that");
    kit.end(R::Truncated, 200);
    assert_eq!(kit.ended(all[0]), (Some(3), Reason::StreamTruncated), "its safe default is nobody else's answer");
    kit.land(all[0], false);
    assert_eq!(kit.starts()[2..], [(0, 0)], "one asks again");
    for request in [all[2], all[3]] {
        assert_eq!(kit.ended(request), (Some(3), Reason::CooldownHold));
        let reasons: Vec<_> = kit.decision_of(request).candidates.iter().map(|it| it.reasons[0]).collect();
        assert_eq!(reasons, [Reason::CooldownHold, Reason::CooldownHold, Reason::CacheMiss, Reason::LastResort]);
    }
    let behind = same(&mut kit);
    kit.end(R::Ok, 200);
    kit.land(all[1], true);
    assert_eq!([all[1], behind].map(|it| kit.ended(it).0), [Some(0); 2], "who comes then waits for the new one");
    assert!(kit.is_quiet());
}

#[test]
fn f_145_an_answer_of_a_lower_tier_is_shared_as_that_and_not_with_who_refuses_it() {
    let mut kit = kit(10);
    let leader = same(&mut kit);
    let (waiter, picky) = (same(&mut kit), same_as(&mut kit, Operation::Chat, |admit| admit.max_tier = Some(0)));
    kit.end(R::Truncated, 200);
    kit.end(R::Ok, 200);
    kit.land(leader, true);
    assert_eq!(kit.ended(leader), (Some(1), Reason::StreamTruncated));
    assert_eq!(kit.ended(waiter), (Some(1), Reason::CacheFreshHit));
    assert_eq!(kit.ended(picky), (None, Reason::ClientMaxTier));
    assert!(kit.is_quiet());
}

#[test]
fn flight_4_f_145_what_cannot_be_shared_or_is_the_callers_own_fault_sends_twice_as_many_each_time() {
    for (result, kept) in [(R::Ok, false), (R::CallerInvalid, false), (R::ContentFiltered, false)] {
        let mut kit = kit(100);
        for _ in 0..21 {
            same(&mut kit);
        }
        let mut asked = Vec::new();
        loop {
            let before: usize = asked.iter().sum();
            asked.push(kit.starts().len() - before);
            if kit.core.waiting() == 0 {
                break;
            }
            // The first of those who have just asked leads.
            let leader = kit.nth_start(before);
            let ended = Event::Ended { result, status: Some(400), after: None };
            kit.feed(Input::Attempt { attempt: leader.attempt, event: ended });
            kit.land(leader.request, kept);
        }
        assert_eq!(asked, [1, 1, 2, 4, 8, 5], "{}", result.name());
        assert_eq!(kit.starts(), vec![(0, 0); 21], "each asks once");
    }
}

#[test]
fn flight_4_f_145_what_the_next_one_gets_is_everybodys_who_still_waits() {
    let mut kit = kit(100);
    let all: Vec<_> = (0..10).map(|_| same(&mut kit)).collect();
    kit.end(R::Ok, 200);
    kit.land(all[0], false);
    assert_eq!((kit.starts().len(), kit.core.waiting()), (2, 8), "one asks again, and nobody else");
    kit.end(R::Ok, 200);
    kit.land(all[1], true);
    for request in &all[2..] {
        assert_eq!(kit.ended(*request), (Some(0), Reason::CacheFreshHit));
    }
    assert!(kit.is_quiet());
}

#[test]
fn cl_02_f_145_a_leader_whose_client_leaves_goes_on_for_others_and_for_nobody_else() {
    let mut kit = kit(10);
    let leader = same(&mut kit);
    let waiters = [same(&mut kit), same(&mut kit)];
    kit.feed(Input::ClientGone { request: leader });
    assert_eq!(kit.core.open(), 3, "the call goes on");
    kit.feed(Input::ClientGone { request: waiters[1] });
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision_of(leader).outcome.status, 499);
    kit.land(leader, true);
    assert_eq!(kit.ended(waiters[0]), (Some(0), Reason::CacheFreshHit));
    assert!(kit.is_quiet());

    let leader = same(&mut kit);
    let waiter = same(&mut kit);
    kit.feed(Input::ClientGone { request: leader });
    kit.feed(Input::ClientGone { request: waiter });
    let last = kit.start().attempt;
    let cancelled =
        |it: &Output| matches!(it, Output::Cancel { attempt, why: Cancelled::ClientGone, .. } if *attempt == last);
    assert!(kit.out.iter().any(cancelled), "with nobody left it is cancelled");
    kit.land(leader, false);
    assert!(kit.is_quiet());
}

#[test]
fn f_145_the_next_one_leads_where_a_leader_does_not_read() {
    let mut kit = kit(10);
    let leader = same_as(&mut kit, Operation::ChatStream, |_| ());
    let waiters = [same(&mut kit), same(&mut kit)];
    kit.event(Event::FirstContent);
    kit.end(R::ClientSlow, 200);
    kit.land(leader, false);
    assert_eq!((kit.starts(), kit.core.waiting()), (vec![(0, 0), (0, 0)], 1), "no tier has failed");
    kit.end(R::Ok, 200);
    kit.land(waiters[0], true);
    assert_eq!(kit.ended(waiters[1]), (Some(0), Reason::CacheFreshHit));
    assert!(kit.is_quiet());
}

#[test]
fn f_145_each_waits_by_its_own_deadline_and_leaves_the_tiers_below_their_time() {
    let mut kit = kit(10);
    let leader = same(&mut kit);
    let hasty = same_as(&mut kit, Operation::Chat, |admit| admit.deadline = Some(4 * SECOND));
    let patient = same(&mut kit);
    kit.until(3 * SECOND);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)], "half of its four seconds is kept for what is below");
    assert_eq!(kit.start().request, hasty);
    kit.end(R::Ok, 200);
    assert_eq!(kit.ended(hasty), (Some(1), Reason::DeadlineInsufficient));
    kit.until(19 * SECOND);
    assert!(
        kit.starts().iter().filter(|it| it.0 == 0).count() == 1,
        "nobody asks it a second time: {:?}",
        kit.starts()
    );
    kit.until(21 * SECOND);
    assert!([leader, patient].iter().all(|it| kit.decision_of(*it).outcome.latency <= 20 * SECOND), "rule 3");
    kit.land(leader, false);
    assert!(kit.is_quiet());
}

#[test]
fn f_145_a_stream_that_speaks_is_not_waited_for_longer_than_halfway() {
    for speaks in [true, false] {
        let mut kit = kit(10);
        same_as(&mut kit, Operation::ChatStream, |_| ());
        let waiter = same_as(&mut kit, Operation::ChatStream, |_| ());
        if speaks {
            kit.event(Event::FirstContent);
        }
        for half in 1..=18 {
            kit.until(half * SECOND / 2);
            kit.feed(Input::Attempt {
                attempt: AttemptId(0),
                event: if speaks { Event::Progress } else { Event::Alive },
            });
        }
        let asked: Vec<_> = kit.starts();
        let own =
            kit.out.iter().any(|it| matches!(it, Output::Start(start) if start.request == waiter && start.tier == 0));
        assert_eq!(own, speaks, "one that speaks is well, and may be asked: {asked:?}");
    }
}

#[test]
fn f_145_who_wants_a_new_answer_or_has_no_memory_to_wait_in_does_not_wait() {
    let mut kit = kit(10);
    same(&mut kit);
    same_as(&mut kit, Operation::Chat, |admit| admit.cache.max_age = Some(0));
    assert_eq!(kit.starts(), [(0, 0); 2]);
    let full = same_as(&mut kit, Operation::Chat, |admit| admit.bodies = crate::Permille::new(1_000));
    assert_eq!(kit.ended(full), (Some(3), Reason::CapacityExhausted), "F-087: no model is asked");
    kit.feed(Input::Drain);
    assert_eq!(kit.core.open(), 0);
}
