//! Push-back: what a 429 does to the request, to its siblings, and to those who come later (`failures.md`, section 3).

use super::*;
use crate::{GateTurn, Phase, WhenExhausted};

/// Both models draw on one quota.
fn shared() -> Revision {
    let mut revision = revision(1);
    revision.paths[..2].iter_mut().for_each(|path| path.domain = Some("org".into()));
    revision
}

/// Each model has a quota of its own.
pub(super) fn apart() -> Revision {
    let mut revision = revision(1);
    for (path, name) in revision.paths.iter_mut().zip(["big/model", "little/model"]) {
        path.domain = Some(name.into());
    }
    revision
}

impl Kit {
    pub(super) fn limited(&mut self, after: Option<Nanos>) {
        self.event(Event::Ended { result: R::RateLimited, status: Some(429), after });
    }
}

#[test]
fn up_01_a_short_wait_keeps_the_primary_and_its_gate_keeps_the_others_away() {
    let mut kit = Kit::new(apart());
    kit.admit(Operation::Chat);
    kit.limited(Some(2 * SECOND));
    kit.until(SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)], "F-051: gated meanwhile");
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().reason, Reason::CapacityDomainLimited);
    kit.until(2 * SECOND - 1);
    assert_eq!(kit.starts().len(), 2, "F-052: after it, never before");
    kit.until(2 * SECOND + SECOND / 5);
    assert_eq!(kit.starts(), [(0, 0), (1, 0), (0, 0)]);
    kit.end(R::Ok, 200);
    assert_eq!((kit.results(), kit.decision().outcome.tier), (vec!["capacity.rate_limited", "ok"], Some(0)));
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "F-055: an answer lifts the gate");
}

#[test]
fn up_02_always_429_costs_two_attempts_and_then_only_what_its_gate_lets_through() {
    let mut kit = Kit::new(apart());
    let mut asked = Vec::new();
    for n in 0..600 {
        kit.until(n * 50 * MILLISECOND);
        kit.admit(Operation::Chat);
        for _ in 0..2 {
            while !kit.core.running.is_empty() {
                let attempt = *kit.core.running.keys().next().expect("one runs");
                let tier = kit.tier_of(attempt);
                let (result, status) = if tier == 0 { (R::RateLimited, 429) } else { (R::Ok, 200) };
                if tier == 0 {
                    asked.push(kit.now);
                }
                let after = (tier == 0).then_some(2 * SECOND);
                let event = Event::Ended { result, status: Some(status), after };
                kit.feed(Input::Attempt { attempt, event });
            }
        }
    }
    let most = |within| asked.iter().map(|at| asked.iter().filter(|it| (*at..at + within).contains(it)).count()).max();
    assert!(most(3 * SECOND).expect("it was asked") <= 4, "{asked:?}");
    assert!(asked.len() <= 8, "F-055: twice as long each time: {asked:?}");
}

#[test]
fn f_054_a_server_that_is_full_is_told_apart_from_one_that_limits() {
    for (result, status, reason) in
        [(R::RateLimited, 429, Reason::Upstream429), (R::PushBack, 503, Reason::UpstreamBusy)]
    {
        let mut kit = Kit::new(apart());
        kit.admit(Operation::Chat);
        kit.end(result, status);
        kit.end(R::Ok, 200);
        let decision = kit.decision();
        assert_eq!((decision.outcome.tier, decision.reason), (Some(1), reason), "{result:?}");
    }
}

#[test]
fn up_03_f_054_without_a_word_the_next_tier_is_asked_at_once() {
    let mut kit = Kit::new(apart());
    kit.admit(Operation::Chat);
    kit.limited(None);
    assert_eq!(kit.starts(), [(0, 0), (1, 0)]);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().reason, Reason::Upstream429);
    kit.until(SECOND - 1);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 1, "gated for a second");
    kit.until(SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 1, "F-055: one at a time");
}

#[test]
fn up_04_a_sibling_on_the_same_quota_is_no_fallback() {
    let mut kit = Kit::new(shared());
    kit.admit(Operation::Chat);
    kit.limited(None);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, kit.starts()), (Some(2), vec![(0, 0)]));
    assert_eq!(decision.candidates[1].reasons, [Reason::CapacityDomainLimited]);
}

#[test]
fn f_052_only_short_waits_and_only_four_of_them() {
    for (deadline, after, waits) in [
        (20 * SECOND, 3 * SECOND, true),
        (20 * SECOND, 3 * SECOND + 1, false),
        (8 * SECOND, 2 * SECOND + MILLISECOND, false),
    ] {
        let mut kit = Kit::new(apart());
        kit.admit_as(Operation::Chat, |admit| admit.deadline = Some(deadline));
        kit.limited(Some(after));
        assert_eq!(kit.starts().len() == 1, waits, "{after} of {deadline}");
    }
    let mut kit = Kit::new(apart());
    kit.core.routes.get_mut("chat").expect("the route").budget.policy.floor = 100;
    let attempts: Vec<_> = (0..6).map(|_| (kit.admit(Operation::Chat), kit.start().attempt).1).collect();
    for attempt in attempts {
        let event = Event::Ended { result: R::RateLimited, status: Some(429), after: Some(SECOND) };
        kit.feed(Input::Attempt { attempt, event });
    }
    assert_eq!(kit.starts().iter().filter(|start| start.0 == 1).count(), 2, "GATE-3");
}

#[test]
fn f_050_f_055_a_server_that_names_a_past_date_is_asked_once_more_and_then_left_alone() {
    let mut kit = Kit::new(apart());
    kit.admit(Operation::Chat);
    kit.limited(Some(0));
    kit.until(MILLISECOND);
    kit.limited(Some(0));
    assert_eq!(kit.starts(), [(0, 0), (0, 0), (1, 0)], "at once, since it was told so");
    kit.end(R::Ok, 200);
    kit.until(SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 1, "and not twice for each request that comes");
    kit.until(2 * SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "F-055");
}

#[test]
fn f_052_nobody_waits_for_a_gate_that_another_word_keeps_closed_for_longer() {
    let mut kit = Kit::new(apart());
    let attempts = [(); 2].map(|()| (kit.admit(Operation::Chat), kit.start().attempt).1);
    for (attempt, seconds) in attempts.into_iter().zip([60, 1]) {
        let event = Event::Ended { result: R::RateLimited, status: Some(429), after: Some(seconds * SECOND) };
        kit.feed(Input::Attempt { attempt, event });
    }
    assert_eq!(kit.starts(), [(0, 0), (0, 0), (1, 0), (1, 0)]);
}

#[test]
fn f_170_a_client_that_leaves_while_it_waits_gives_its_place_back() {
    let mut kit = Kit::new(apart());
    for _ in 0..5 {
        let request = kit.admit(Operation::Chat);
        if kit.start().tier == 0 {
            kit.limited(Some(SECOND));
        }
        kit.feed(Input::ClientGone { request });
        kit.until(kit.now + 70 * SECOND);
        kit.admit(Operation::Chat);
        kit.end(R::Ok, 200);
    }
    kit.admit(Operation::Chat);
    kit.limited(Some(SECOND));
    assert!(kit.start().tier == 0, "WAIT-1");
}

#[test]
fn f_051_undeclared_replicas_have_a_quota_each_and_push_back_speaks_for_one() {
    for result in [R::RateLimited, R::PushBack] {
        let mut kit = Kit::new(revision(2));
        kit.admit(Operation::Chat);
        let limited = kit.start().replica;
        kit.event(Event::Ended { result, status: Some(429), after: None });
        kit.end(R::Ok, 200);
        kit.admit(Operation::Chat);
        assert_eq!(kit.start().tier, 0);
        assert_ne!(kit.start().replica, limited, "{result:?}");
    }
}

#[test]
fn f_051_a_replica_that_pushes_back_again_is_not_asked_by_who_waited_for_it() {
    let mut kit = Kit::new(revision(2));
    let admit = |kit: &mut Kit| {
        kit.admit(Operation::Chat);
        kit.start().attempt
    };
    let push_back = |kit: &mut Kit, attempt, after| {
        let event = Event::Ended { result: R::PushBack, status: Some(503), after: Some(after) };
        kit.feed(Input::Attempt { attempt, event });
    };
    // The second is asked of the other replica, which is idle.
    let [one, other, two] = [(); 3].map(|()| admit(&mut kit));
    push_back(&mut kit, other, 3 * SECOND / 2);
    push_back(&mut kit, one, 2 * SECOND);
    kit.until(SECOND);
    push_back(&mut kit, two, 60 * SECOND);
    let starts = [(0, 0), (0, 1), (0, 0), (0, 0), (1, 0)];
    assert_eq!(kit.starts(), starts, "one goes to the other replica, one waits, one falls on");
    kit.until(4 * SECOND);
    assert_eq!(kit.starts()[5..], [(0, 1)], "the other replica is asked in its place");
}

/// Three replicas of the first model, each with a quota of its own.
fn three() -> Revision {
    revision(3)
}

#[test]
fn f_051_a_request_goes_from_a_replica_that_says_not_now_to_another_before_the_next_tier() {
    for result in [R::RateLimited, R::PushBack, R::QuotaExhausted] {
        for after in [None, Some(SECOND), Some(5 * SECOND)] {
            let mut kit = Kit::new(three());
            kit.core.routes.get_mut("chat").expect("the route").budget.policy.floor = 1;
            kit.admit(Operation::Chat);
            let first = kit.start().replica;
            kit.event(Event::Ended { result, status: Some(429), after });
            assert_eq!(kit.start().tier, 0, "{result:?} {after:?}: at once, and in another domain");
            assert_ne!(kit.start().replica, first);
            let purse = kit.core.routes["chat"].budget.purse(0);
            assert!(purse < 1_000, "it is paid as a retry: {purse}");
            kit.end(R::Ok, 200);
            assert_eq!((kit.starts().len(), kit.decision().outcome.tier), (2, Some(0)));
            assert_eq!(kit.decision().reason, Reason::PrimaryHealthy);
            assert_eq!(kit.breaker(0), BreakerState::Closed);
        }
    }
}

#[test]
fn f_051_a_request_goes_to_another_replica_once_and_then_falls_on() {
    let mut kit = Kit::new(three());
    kit.admit(Operation::ChatStream);
    for _ in 0..2 {
        kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(5 * SECOND) });
    }
    assert_eq!(kit.starts().iter().map(|it| it.0).collect::<Vec<_>>(), [0, 0, 1]);
    kit.end(R::Ok, 200);
    kit.admit(Operation::ChatStream);
    kit.end(R::RateLimited, 429);
    assert_eq!(kit.start().tier, 1, "no other is left, and nobody waits without a word");
    kit.end(R::Ok, 200);
    let against = kit.decision().candidates[0].reasons.clone();
    assert_eq!(against, [Reason::Upstream429, Reason::NoEndpoints]);
}

#[test]
fn f_051_f_052_the_last_replica_that_says_not_now_is_waited_for() {
    let mut kit = Kit::new(revision(2));
    kit.admit(Operation::Chat);
    for _ in 0..2 {
        kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(2 * SECOND) });
    }
    assert_eq!((kit.starts().len(), kit.core.open()), (2, 1));
    kit.until(2 * SECOND + SECOND / 5);
    assert_eq!(kit.starts().iter().map(|it| it.0).collect::<Vec<_>>(), [0; 3]);
}

#[test]
fn f_051_where_the_quota_is_shared_or_nothing_may_be_asked_twice_no_other_replica_is_asked() {
    let mut declared = three();
    declared.paths[0].domain = Some("org".into());
    for (result, tier) in [(R::RateLimited, 1), (R::QuotaExhausted, 1), (R::PushBack, 0)] {
        let mut kit = Kit::new(declared.clone());
        kit.admit(Operation::Chat);
        kit.event(Event::Ended { result, status: Some(429), after: Some(5 * SECOND) });
        assert_eq!(kit.start().tier, tier, "{result:?}: push-back speaks for its server alone");
    }
    let limited = |kit: &mut Kit| {
        kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(5 * SECOND) });
        kit.start().tier
    };
    let mut kit = Kit::new(three());
    kit.admit_as(Operation::Chat, |admit| admit.pure = false);
    assert_eq!(limited(&mut kit), 1, "F-034");
    let mut kit = Kit::new(three());
    kit.core.routes.get_mut("chat").expect("the route").budget.policy.floor = 0;
    kit.admit(Operation::Chat);
    assert_eq!(limited(&mut kit), 1, "F-046");
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().candidates[0].reasons, [Reason::Upstream429, Reason::RetryBudgetEmpty]);
    let mut revision = three();
    revision.routes[0].max_attempts = 1;
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    limited(&mut kit);
    assert_eq!((kit.starts().len(), kit.decision().outcome.tier), (1, Some(2)), "F-031");
}

#[test]
fn up_05_a_spent_quota_is_left_alone_for_a_minute() {
    let mut kit = Kit::new(apart());
    kit.admit(Operation::Chat);
    kit.end(R::QuotaExhausted, 402);
    kit.end(R::Ok, 200);
    for (at, tier) in [(59 * SECOND, 1), (60 * SECOND, 0)] {
        kit.until(at);
        kit.admit(Operation::Chat);
        assert_eq!(kit.start().tier, tier, "{at}");
    }
    assert_eq!(kit.breaker(0), BreakerState::Closed, "no evidence");
}

#[test]
fn up_21_a_refused_credential_is_not_tried_again_for_a_minute_by_anybody() {
    let mut kit = Kit::new(apart());
    kit.admit(Operation::Chat);
    kit.end(R::CredentialRejected, 401);
    kit.end(R::Ok, 200);
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 1, "another operation, the same credential");
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().reason, Reason::CredentialRejected);
}

#[test]
fn f_166_with_a_recovery_near_the_request_waits_for_it_instead_of_a_refusal() {
    let mut revision = apart();
    revision.routes[0].tiers.truncate(2);
    let mut kit = Kit::new(revision.clone());
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.limited(None);
        kit.limited(None);
        kit.until(kit.now + 100 * MILLISECOND);
    }
    assert_eq!(kit.refusals(), [Refusal::Exhausted], "both were asked: nobody is left to wait for");
    assert_eq!(kit.core.open(), 1, "the second waits");
    kit.until(SECOND);
    assert_eq!(kit.start().tier, 0);
    kit.end(R::Ok, 200);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.attempts.len()), (Some(0), 1));
    assert!(decision.facts.iter().any(|fact| fact.signal == Signal::Waited));

    revision.routes[0].when_exhausted = WhenExhausted::Refuse;
    let mut kit = Kit::new(revision);
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.limited(None);
        kit.limited(None);
    }
    assert_eq!(kit.refusals(), [Refusal::Exhausted; 2]);
}

#[test]
fn f_166_four_of_a_route_wait_and_the_others_are_told_when_to_come_back() {
    let mut revision = apart();
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.limited(Some(300 * SECOND));
    kit.until(299 * SECOND);
    for _ in 0..6 {
        kit.admit(Operation::Chat);
    }
    assert_eq!((kit.core.open(), kit.refusals().len()), (4, 3));
}

#[test]
fn f_116_a_tier_behind_a_closed_gate_is_not_eligible_until_its_time_is_over() {
    let mut kit = Kit::new(apart());
    let eligible = |kit: &Kit| {
        let tiers = kit.core.route_state(kit.now, RouteId(0)).tiers;
        tiers.iter().map(|tier| tier.eligible).collect::<Vec<_>>()
    };
    kit.admit(Operation::Chat);
    kit.limited(None);
    assert_eq!(eligible(&kit), [false, true, true]);
    kit.until(SECOND);
    assert_eq!(eligible(&kit), [true, true, true]);
}

#[test]
fn f_051_a_reload_keeps_the_gates_of_what_it_keeps_and_tries_credentials_again() {
    let mut kit = Kit::new(apart());
    for result in [R::CredentialRejected, R::QuotaExhausted] {
        kit.admit(Operation::Chat);
        kit.end(result, 401);
        kit.end(R::Ok, 200);
        kit.feed(Input::Revision(Arc::new(apart())));
        kit.admit(Operation::Chat);
        assert_eq!(kit.start().tier, u8::from(result == R::QuotaExhausted), "{result:?}");
        kit.end(R::Ok, 200);
    }
    let mut moved = apart();
    moved.paths[0].domain = Some("another".into());
    kit.feed(Input::Revision(Arc::new(moved)));
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "another quota");
}

#[test]
fn f_051_a_route_whose_tiers_are_gated_says_so_and_since_when() {
    let mut kit = Kit::new(apart());
    let state = |kit: &Kit| {
        let state = kit.core.route_state(kit.now, RouteId(0));
        (state.phase, state.tier, state.reason, state.since)
    };
    kit.until(SECOND);
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    assert_eq!(state(&kit), (Phase::Degraded, 1, Reason::CapacityDomainLimited, SECOND));
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].gate.map(|it| it.until), Some(41 * SECOND));
    kit.until(2 * SECOND);
    kit.end(R::QuotaExhausted, 429);
    assert_eq!(state(&kit), (Phase::Degraded, 2, Reason::CapacityDomainLimited, SECOND), "the default is left");
    kit.until(41 * SECOND);
    assert_eq!(state(&kit), (Phase::Normal, 0, Reason::PrimaryHealthy, 0), "the next request is a try");
    let mut revision = apart();
    revision.routes[0].tiers.truncate(1);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::Chat);
    kit.end(R::CredentialRejected, 401);
    assert_eq!(state(&kit), (Phase::Exhausted, 1, Reason::CredentialRejected, 0));
}

#[test]
fn f_051_a_gate_that_closes_or_lifts_is_told_once() {
    let mut kit = Kit::new(apart());
    let told = |kit: &Kit| {
        let one = |output: &Output| match output {
            Output::Gate(it) => Some((it.gate.name(), it.result, it.turn)),
            _ => None,
        };
        kit.out.iter().filter_map(one).collect::<Vec<_>>()
    };
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    kit.end(R::Ok, 200);
    let closed = |seconds| GateTurn::Closed(seconds * SECOND);
    assert_eq!(told(&kit), [("domain", R::RateLimited, closed(40))]);
    kit.until(40 * SECOND);
    kit.admit(Operation::Chat);
    kit.limited(Some(SECOND));
    assert_eq!(told(&kit)[1..], [("domain", R::RateLimited, closed(100))], "F-055: twice as long");
    kit.end(R::Ok, 200);
    kit.until(100 * SECOND);
    kit.admit(Operation::Chat);
    kit.end(R::Ok, 200);
    assert_eq!(told(&kit)[2..], [("domain", R::Ok, GateTurn::Lifted)]);
    kit.admit(Operation::Chat);
    kit.end(R::CredentialRejected, 401);
    assert_eq!(told(&kit)[3..], [("credential", R::CredentialRejected, closed(160))]);
}
