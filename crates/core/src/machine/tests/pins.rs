//! A route that falls too often (`failures.md`, section 13).

use super::*;

/// Nothing but the pin dampens it.
fn flappy() -> Revision {
    let mut revision = revision(1);
    for path in &mut revision.paths {
        path.breaker.open = SECOND;
        path.breaker.open_max = SECOND;
        path.breaker.flap_max = 0;
        path.retries = 0;
    }
    revision
}

impl Kit {
    /// Lets the primary fail until the route has fallen, then serve until the route is back; says whether it came back.
    fn falls_and_comes_back(&mut self) -> bool {
        while self.tier() == 0 {
            self.admit(Operation::Chat);
            self.end(R::ConnectFailed, 0);
            self.end(R::Ok, 200);
        }
        self.all_answer();
        self.tier() == 0
    }

    /// Everything that is asked answers, for half a minute.
    fn all_answer(&mut self) {
        for _ in 0..60 {
            self.until(self.now + SECOND / 2);
            self.admit(Operation::Chat);
            if self.core.open() > 0 {
                self.end(R::Ok, 200);
            }
        }
    }

    fn tier(&self) -> u8 {
        self.core.route_state(self.now, RouteId(0)).tier
    }
}

/// A kit whose route has fallen seven times.
fn pinned() -> Kit {
    let mut kit = Kit::new(flappy());
    for fall in 1..=7 {
        assert_eq!(kit.falls_and_comes_back(), fall < 7, "fall {fall}");
    }
    kit
}

#[test]
fn f_183_a_route_that_fell_seven_times_stays_below_for_ten_minutes_and_then_comes_back() {
    let mut kit = pinned();
    let down: Vec<_> = kit.transitions().into_iter().filter(|it| it.to > it.from).collect();
    let reasons: Vec<_> = down.iter().map(|it| it.reason).collect();
    assert_eq!(reasons[..6], [Reason::ConnectFailed; 6]);
    assert_eq!(reasons[6], Reason::FlapLimitHold, "which is how people are told");
    assert!(down[6].trip.is_some(), "G-001: and what tripped it is still said");
    let fell = down[6].at;
    // The primary would serve; and it is not asked, not even for a probe.
    let before = kit.starts().len();
    kit.until(fell + 599 * SECOND);
    kit.admit(Operation::Chat);
    kit.end(R::Ok, 200);
    assert_eq!(kit.starts()[before..], [(1, 0)]);
    let decision = kit.decision();
    assert_eq!((decision.outcome.tier, decision.reason), (Some(1), Reason::FlapLimitHold));
    let held = decision.facts.iter().find(|fact| fact.signal == Signal::RouteHeld).expect("it is compared");
    assert_eq!((held.tier, held.value), (0, SECOND));
    assert!(!kit.core.route_state(kit.now, RouteId(0)).tiers[0].eligible);
    kit.until(fell + 600 * SECOND);
    assert!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].eligible, "it expires by itself");
    kit.all_answer();
    assert_eq!((kit.tier(), kit.start().tier), (0, 0));
}

#[test]
fn f_183_who_has_no_other_model_below_is_answered_from_above_a_pin() {
    let mut kit = pinned();
    kit.admit_as(Operation::Chat, |admit| admit.max_tier = Some(0));
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(0), "its client takes no other");
    while kit.breaker(1) == BreakerState::Closed {
        kit.admit(Operation::Chat);
        kit.end(R::ConnectFailed, 0);
    }
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0, "the tier below is down: the primary is probed");
    kit.end(R::Ok, 200);
    for _ in 0..60 {
        kit.until(kit.now + SECOND / 2);
        kit.admit(Operation::Chat);
        while kit.core.open() > 0 {
            kit.end(if kit.start().tier == 0 { R::Ok } else { R::ConnectFailed }, 0);
        }
    }
    assert_eq!(kit.tier(), 0, "and the route starts there again");
    // The tier below comes back, by one in ten that the primary does not answer: that is no reason to leave the primary, which is well.
    kit.all_answer();
    for n in 0..600 {
        kit.until(kit.now + SECOND / 2);
        kit.admit(Operation::Chat);
        kit.end(if n % 10 == 0 { R::EmptyAnswer } else { R::Ok }, 200);
        if kit.core.open() > 0 {
            kit.end(R::Ok, 200);
        }
    }
    assert_eq!((kit.breaker(1), kit.tier(), kit.core.open()), (BreakerState::Closed, 0, 0));
    assert!(kit.core.route_state(kit.now, RouteId(0)).tiers[0].eligible);
    let without_cause = kit.transitions().into_iter().filter(|it| it.to > it.from && it.trip.is_none());
    assert_eq!(without_cause.collect::<Vec<_>>(), [], "G-001");
}

#[test]
fn f_183_a_route_with_nothing_but_a_default_below_is_not_pinned() {
    let mut revision = flappy();
    revision.routes[0].tiers.remove(1);
    let mut kit = Kit::new(revision);
    for fall in 1..=9 {
        while kit.tier() == 0 {
            kit.admit(Operation::Chat);
            kit.end(R::ConnectFailed, 0);
        }
        kit.all_answer();
        assert_eq!(kit.tier(), 0, "fall {fall}");
    }
}

#[test]
fn f_183_a_new_revision_lifts_a_pin() {
    let mut kit = pinned();
    kit.feed(Input::Revision(Arc::new(flappy())));
    kit.until(kit.now + 2 * SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 0);
}
