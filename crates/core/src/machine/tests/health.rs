//! Evidence: what failures do to paths and replicas, and how these come back (`failures.md`, section 4).

use super::*;

#[test]
fn rule_04_a_lease_that_has_expired_is_a_failure_before_the_next_request_is_decided() {
    let mut kit = Kit::new(revision(1));
    kit.open_primary();
    kit.now = kit.core.next_timeout().expect("the open time ends").0;
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 0, "a probe");
    kit.now = kit.core.next_timeout().expect("its lease expires").0 + SECOND / 2;
    kit.admit(Operation::ChatStream);
    assert_eq!(kit.start().tier, 1, "CORE-3");
}

#[test]
fn f_065_a_request_counts_once_at_each_path_that_it_fails() {
    let mut revision = revision(1);
    revision.paths.iter_mut().for_each(|path| path.retries = 0);
    let mut kit = Kit::new(revision);
    for _ in 0..2 {
        kit.admit(Operation::ChatStream);
        kit.end(R::ProtocolError, 0);
        kit.end(R::ProtocolError, 0);
    }
    assert_eq!([kit.breaker(0), kit.breaker(1)], [BreakerState::Open; 2]);
}

#[test]
fn f_061_a_success_counts_at_its_verified_end_and_not_where_it_begins() {
    for (ended, state) in [(false, BreakerState::Open), (true, BreakerState::Closed)] {
        let mut revision = revision(1);
        revision.paths.iter_mut().for_each(|path| path.retries = 0);
        let mut kit = Kit::new(revision);
        let fails = |kit: &mut Kit| {
            kit.admit(Operation::ChatStream);
            kit.end(R::Status5xx, 502);
            kit.end(R::Ok, 200);
        };
        fails(&mut kit);
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        kit.event(Event::Progress);
        if ended {
            kit.end(R::Ok, 200);
        }
        fails(&mut kit);
        assert_eq!(kit.breaker(0), state, "two in a row, unless a stream between them was whole: {ended}");
    }
}

/// Lets the primary of a kit fail, and come back as far as its ramp.
fn ramping(revision: Revision) -> Kit {
    let mut kit = Kit::new(revision);
    while kit.breaker(0) == BreakerState::Closed {
        kit.admit(Operation::Chat);
        while kit.core.open() > 0 {
            kit.end(R::TlsFailed, 0);
        }
    }
    kit.until(20 * SECOND);
    while kit.breaker(0) != BreakerState::Ramp {
        kit.admit(Operation::Chat);
        kit.end(R::Ok, 200);
    }
    kit
}

#[test]
fn f_071_f_075_who_has_nobody_else_is_admitted_beyond_the_share_of_a_ramp() {
    for (tiers, replicas) in [(1, 1), (1, 2), (3, 1), (3, 2)] {
        let mut revision = revision(replicas);
        revision.routes[0].tiers.drain(1..4 - tiers);
        revision.paths.iter_mut().for_each(|path| path.retries = 0);
        let mut kit = ramping(revision);
        let before = kit.starts().len();
        for _ in 0..100 {
            kit.admit(Operation::Chat);
            if kit.core.open() > 0 {
                kit.end(R::Ok, 200);
            }
            assert!(kit.decision().facts.iter().all(|fact| fact.tier > 0 || !fact.breached()) || tiers > 1);
        }
        let primary = kit.starts()[before..].iter().filter(|start| start.0 == 0).count();
        match tiers {
            1 => assert_eq!(primary, 100, "{replicas} replicas: a refusal helps nobody"),
            _ => assert!((1..20).contains(&primary), "{replicas} replicas: {primary} are about the share of 5 %"),
        }
    }
}

#[test]
fn f_071_a_client_that_accepts_no_other_tier_has_nobody_else() {
    let mut kit = ramping(revision(1));
    for _ in 0..20 {
        kit.admit_as(Operation::Chat, |admit| admit.max_tier = Some(0));
        kit.end(R::Ok, 200);
        assert_eq!(kit.decision().outcome.tier, Some(0));
    }
}

#[test]
fn rule_04_the_leases_of_a_half_open_path_bind_also_who_has_nobody_else() {
    let mut alone = revision(1);
    alone.routes[0].tiers.truncate(1);
    alone.routes[0].when_exhausted = crate::WhenExhausted::Refuse;
    let mut kit = Kit::new(alone);
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.end(R::TlsFailed, 0);
    }
    kit.until(20 * SECOND);
    let before = kit.starts().len();
    for _ in 0..10 {
        kit.admit(Operation::Chat);
    }
    assert_eq!(kit.starts().len() - before, 1, "one probe");
}

#[test]
fn f_074_a_reload_keeps_the_state_of_the_paths_it_keeps() {
    let mut kit = Kit::new(revision(1));
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.end(R::ConnectFailed, 0);
        kit.end(R::Ok, 200);
    }
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Open);
    let (mut same, mut moved) = (revision(1), revision(1));
    same.digest = [8; 32];
    kit.feed(Input::Revision(Arc::new(same)));
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker, BreakerState::Open);
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tier, 1);
    moved.upstreams[0].replicas = vec!["http://elsewhere".to_string()];
    kit.feed(Input::Revision(Arc::new(moved)));
    assert_eq!(
        kit.core.route_state(kit.now, RouteId(0)).tiers[0].breaker,
        BreakerState::Closed,
        "another address, another state"
    );
    assert_eq!(
        (kit.core.route_state(kit.now, RouteId(0)).tier, kit.core.route_state(kit.now, RouteId(0)).phase),
        (0, Phase::Normal)
    );
}

/// The worked example of `failures.md`, section 4: one request every 4 s, bare 503 for 60 s, then healthy.
#[test]
fn ov_01_a_minute_of_503_at_low_traffic_costs_four_attempts_and_comes_back() {
    let mut kit = Kit::new(revision(1));
    let (mut sick, mut back) = (0, None);
    for n in 0..30 {
        kit.until(n * 4 * SECOND);
        let before = kit.starts().len();
        kit.admit(Operation::Chat);
        let ill = kit.now < 60 * SECOND;
        while kit.core.open() > 0 {
            let primary = kit.starts().len() > before && kit.start().tier == 0;
            match primary && ill {
                true => (sick += 1, kit.end(R::Status5xx, 503)).1,
                false => kit.end(R::Ok, 200),
            }
            kit.until(kit.now + 300 * MILLISECOND);
        }
        let tier = kit.decision().outcome.tier.expect("every request is answered");
        if tier == 0 && !ill {
            back.get_or_insert(n * 4 * SECOND);
        }
    }
    assert!(sick <= 4, "{sick} attempts in the outage");
    assert!(back.expect("it comes back") <= 76 * SECOND, "within 16 s");
    let ways: Vec<_> = kit.transitions().iter().map(|it| (it.from, it.to, it.reason)).collect();
    assert_eq!(ways[0], (0, 1, Reason::Upstream5xx));
    let trip = kit.transitions()[0].trip.expect("the way down has a cause");
    assert_eq!((trip.rule, trip.bad, trip.of), ("F-063", 2, 2));
}
