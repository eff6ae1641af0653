//! The limiter in the machine: who is let in, who goes down the ladder, who is refused, and when room is free again.

use super::*;
use crate::{LimitPolicy, Priority, WhenExhausted};

/// The route with so much room on each of its two models.
fn limited(primary: u64, small: u64) -> Revision {
    let mut revision = revision(1);
    (revision.paths[0].limit, revision.paths[1].limit) = (LimitPolicy::Fixed(primary), LimitPolicy::Fixed(small));
    revision
}

/// The same, where nothing stands below the two.
fn without_default(primary: u64, small: u64) -> Revision {
    let mut revision = limited(primary, small);
    revision.routes[0].tiers.truncate(2);
    revision
}

impl Kit {
    /// Lets so many requests in.
    fn crowd(&mut self, requests: usize) {
        for _ in 0..requests {
            self.admit(Operation::Chat);
        }
    }

    /// Ends an attempt.
    fn finish(&mut self, attempt: AttemptId, result: R) {
        let event = Event::Ended { result, status: Some(200), after: None };
        self.feed(Input::Attempt { attempt, event });
    }

    /// The tiers that were started, in order.
    fn started(&self) -> Vec<u8> {
        self.starts().into_iter().map(|(tier, _)| tier).collect()
    }
}

#[test]
fn f_083_f_154_what_a_tier_has_no_room_for_goes_further_down_at_once() {
    let mut kit = Kit::new(limited(3, 2));
    kit.crowd(7);
    assert_eq!(kit.started(), [0, 0, 0, 1, 1]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(2), Reason::CapacityExhausted), "OV-04");
    assert!(decision.rederives());
    let full: Vec<_> = decision.facts.iter().filter(|it| it.signal == Signal::InFlight && it.breached()).collect();
    assert_eq!(full.iter().map(|it| (it.tier, it.value, it.threshold)).collect::<Vec<_>>(), [(0, 4, 3), (1, 3, 2)]);

    kit.finish(AttemptId(0), R::Ok);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "one has ended, one may start");
}

#[test]
fn f_080_a_heavy_request_takes_the_room_of_many() {
    let mut kit = Kit::new(limited(10, 10));
    kit.admit_as(Operation::Chat, |admit| admit.weight = 8);
    kit.admit_as(Operation::Chat, |admit| admit.weight = 3);
    kit.admit_as(Operation::Chat, |admit| admit.weight = 2);
    assert_eq!(kit.started(), [0, 1, 0]);
    assert_eq!(kit.core.in_flight(), 13);
}

#[test]
fn f_080_no_request_weighs_more_than_the_window_that_its_answer_has_to_fit_in() {
    let mut revision = limited(16, 10);
    revision.paths[0].context = Some(8_192);
    let mut kit = Kit::new(revision);
    for _ in 0..2 {
        kit.admit_as(Operation::Chat, |admit| admit.weight = 4_882);
    }
    assert_eq!((kit.started(), kit.core.in_flight()), ([0, 0].into(), 16), "ten million tokens were asked for");
    kit.admit_as(Operation::Chat, |admit| admit.weight = 4_882);
    assert_eq!(
        (kit.started()[2], kit.core.in_flight()),
        (1, 16 + 4_882),
        "where no window is declared it counts as it is"
    );
}

#[test]
fn f_080_a_request_weighs_with_what_its_path_puts_before_it() {
    for (context, weighs) in [(None, 3), (Some(2_048), 2)] {
        let mut revision = limited(16, 10);
        (revision.paths[0].context, revision.paths[0].added) = (context, Added { least: 0, most: 2_100 });
        let mut kit = Kit::new(revision);
        kit.admit_as(Operation::Chat, |admit| admit.weight = 1);
        assert_eq!((kit.started(), kit.core.in_flight()), ([0].into(), weighs), "{context:?}");
    }
}

#[test]
fn f_085_where_the_ladder_ends_it_is_refused_as_overloaded_and_told_when_to_come_back() {
    let mut revision = without_default(1, 1);
    revision.routes[0].when_exhausted = WhenExhausted::Refuse;
    let mut kit = Kit::new(revision);
    kit.crowd(3);
    assert_eq!(kit.refusals(), [Refusal::Overloaded]);
    let after = kit.out.iter().find_map(|output| match output {
        Output::Refuse { retry_after, .. } => *retry_after,
        _ => None,
    });
    assert_eq!(after, Some(SECOND));
    let decision = kit.decision();
    assert_eq!((decision.outcome.status, decision.reason), (503, Reason::CapacityExhausted));
    assert!(decision.rederives());
}

#[test]
fn f_166_four_wait_for_room_and_whoever_finds_it_is_answered() {
    let mut kit = Kit::new(without_default(1, 1));
    kit.crowd(8);
    assert_eq!((kit.core.open(), kit.refusals().len()), (6, 2));
    kit.finish(AttemptId(1), R::Ok);
    kit.until(SECOND);
    assert_eq!((kit.started(), kit.core.open()), ([0, 1, 1].into(), 5), "one found room, three wait on");
    kit.until(3 * SECOND);
    assert_eq!((kit.core.open(), kit.refusals().len()), (2, 5), "three found none");
}

#[test]
fn f_084_f_154_at_fail_over_critical_requests_come_first() {
    let mut revision = limited(100, 100);
    let mut other = revision.routes[0].clone();
    (other.name, other.priority) = ("urgent".into(), Priority::Critical);
    other.tiers = other.tiers.iter().map(|it| Tier { path: PathId(it.path.0 + 3), ..it.clone() }).collect();
    let paths: Vec<_> = revision.paths.iter().map(|it| Path { route: RouteId(1), ..it.clone() }).collect();
    revision.paths.extend(paths);
    revision.routes.push(other);
    let mut kit = Kit::new(revision);
    // The primary of both is full.
    kit.admit_as(Operation::Chat, |admit| admit.weight = 100);
    let mut admitted = |route| {
        let before = kit.started().len();
        for _ in 0..200 {
            kit.admit_as(Operation::Chat, |admit| admit.route = RouteId(route));
        }
        kit.started().len() - before
    };
    let default = admitted(0);
    assert!((90..=95).contains(&default), "OV-05: {default}");
    assert_eq!(default + admitted(1), 100, "the rest is kept for what is critical");
}

#[test]
fn f_106_pr_03_our_own_limits_are_no_evidence_and_the_next_tier_answers() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..100 {
        kit.admit(Operation::Chat);
        kit.end(R::OwnLimit, 0);
        kit.end(R::OwnLimit, 0);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.reason), (Some(2), Reason::CapacityExhausted));
    }
    assert_eq!((kit.breaker(0), kit.breaker(1)), (BreakerState::Closed, BreakerState::Closed));
    let mut kit = Kit::new(without_default(9, 9));
    kit.admit(Operation::Chat);
    kit.end(R::OwnLimit, 0);
    kit.end(R::OwnLimit, 0);
    assert_eq!(kit.refusals(), [Refusal::Overloaded]);
}

#[test]
fn f_172_a_cancelled_attempt_is_in_flight_until_its_close_is_seen() {
    let mut kit = Kit::new(limited(1, 1));
    kit.deaf = true;
    for (wait, event, ignored) in [
        (SECOND, Some(Event::Closed), 0),
        (SECOND, Some(Event::Ended { result: R::Ok, status: Some(200), after: None }), 0),
        (30 * SECOND, None, 1),
    ] {
        let request = kit.admit(Operation::Chat);
        let attempt = kit.start().attempt;
        kit.feed(Input::ClientGone { request });
        let end = kit.now + wait;
        kit.until(end - 1);
        assert_eq!((kit.core.open(), kit.core.in_flight()), (0, 1), "UP-32");
        kit.until(end);
        event.into_iter().for_each(|event| kit.feed(Input::Attempt { attempt, event }));
        assert_eq!((kit.core.in_flight(), kit.core.next_timeout()), (0, None), "LIMS-1: {event:?}");
        let counted = kit.out.iter().filter(|it| matches!(it, Output::CancelIgnored { .. })).count();
        assert_eq!(counted, ignored, "{event:?}");
    }
}

#[test]
fn f_081_routes_that_name_the_same_model_at_the_same_address_share_its_room() {
    for (model, started) in [("", 1), ("another", 2)] {
        let mut revision = limited(1, 1);
        revision.paths[1].place = revision.paths[0].place;
        revision.paths[1].model = model.into();
        let mut kit = Kit::new(revision);
        kit.crowd(3);
        assert_eq!(kit.started().len(), started, "`{model}`");
    }
}

#[test]
fn f_074_a_reload_keeps_what_is_in_flight_and_a_new_limit_counts_at_once() {
    let mut kit = Kit::new(limited(2, 9));
    kit.crowd(2);
    kit.feed(Input::Revision(Arc::new(limited(3, 9))));
    kit.crowd(2);
    assert_eq!(kit.started(), [0, 0, 0, 1]);
    // What leaves the configuration is forgotten once it is empty.
    let mut moved = limited(3, 9);
    moved.upstreams[0].replicas = vec!["http://elsewhere".into()];
    kit.feed(Input::Revision(Arc::new(moved)));
    (0..4).for_each(|attempt| kit.finish(AttemptId(attempt), R::Ok));
    assert_eq!((kit.core.in_flight(), kit.core.open()), (0, 0));
}

#[test]
fn f_081_each_replica_has_room_of_its_own_and_the_one_with_room_is_taken() {
    let mut revision = revision(2);
    revision.paths[0].limit = LimitPolicy::Fixed(2);
    let mut kit = Kit::new(revision);
    kit.crowd(5);
    assert_eq!(kit.started(), [0, 0, 0, 0, 1]);
    let mut replicas = [0; 2];
    for output in &kit.out {
        if let Output::Start(Start { tier: 0, replica, .. }) = output {
            replicas[replica.index()] += 1;
        }
    }
    assert_eq!(replicas, [2, 2], "each has room for two");
}

#[test]
fn f_087_pr_04_near_the_limit_of_memory_only_this_process_answers_and_the_lowest_class_is_shed_first() {
    for (class, most) in [(Priority::Critical, 800), (Priority::Default, 760), (Priority::Sheddable, 640)] {
        let mut revision = revision(1);
        revision.routes[0].priority = class;
        revision.paths[1].place = Where::Local;
        for (bodies, tier) in [(0, 0), (most, 0), (most + 1, 1), (1_000, 1)] {
            let mut kit = Kit::new(revision.clone());
            kit.admit_as(Operation::Chat, |admit| admit.bodies = crate::Permille::new(bodies));
            kit.end(R::Ok, 200);
            let decision = kit.decision();
            assert_eq!(decision.outcome.tier, Some(tier), "{} at {bodies}", class.name());
            let reason = if tier == 0 { Reason::PrimaryHealthy } else { Reason::CapacityExhausted };
            assert_eq!(decision.reason, reason);
        }
    }
    let mut kit = Kit::new(without_default(9, 9));
    kit.admit_as(Operation::Chat, |admit| admit.bodies = crate::Permille::ALL);
    assert_eq!(kit.refusals(), [Refusal::Overloaded]);
}

#[test]
fn what_is_under_way_and_who_waits_can_be_seen() {
    let mut kit = Kit::new(limited(3, 2));
    kit.admit_as(Operation::Chat, |admit| admit.weight = 2);
    let work = kit.core.work(kit.now);
    let seen: Vec<_> = work.iter().map(|it| (it.path.0, it.replica.0, it.in_flight, it.limit)).collect();
    assert_eq!(seen, [(0, 0, 2, Some(3)), (1, 0, 0, Some(2))], "what runs in this process has no replica");
    kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(SECOND) });
    let waiting = [0, 1].map(|path| kit.core.waiting_at(PathId(path)));
    assert_eq!((waiting, kit.core.work(kit.now)[0].in_flight), ([1, 0], 0), "F-052: it waits, and does nothing");
    kit.until(2 * SECOND);
    assert_eq!((kit.core.waiting_at(PathId(0)), kit.core.work(kit.now)[0].in_flight), (0, 2));
}

#[test]
fn f_044_what_is_left_of_a_purse_can_be_seen() {
    let mut kit = Kit::new(revision(1));
    let seen = |kit: &Kit| kit.core.purses(kit.now, RouteId(0)).map(|(what, it)| (what, it.balance, it.floor));
    let [retry, hedge] = seen(&kit);
    assert_eq!((retry, hedge.0), (("retry", 0, 3), "hedge"));
    kit.admit(Operation::Chat);
    assert_eq!(seen(&kit)[0], ("retry", 100, 3), "a tenth of what the first attempt cost");
    kit.end(R::Status5xx, 500);
    kit.until(kit.now + SECOND);
    assert_eq!(seen(&kit)[0], ("retry", 100, 2), "more than is in it: the floor has paid");
}
