//! Shadows: who is copied to which tier, what that may cost, and what its end is worth (F-150 to F-153).

use super::*;
use crate::{Cancelled, Lookup, Permille, Redundancy, Sequence, ShadowPolicy, Stored};

const HOUR: Nanos = 3_600 * SECOND;

fn shadowed(share: u16, cost: u16) -> Revision {
    let mut revision = revision(1);
    revision.routes[0].shadow = ShadowPolicy { share: Permille::new(share), cost: Permille::new(cost) };
    revision.routes[0].rehearsal = 24 * HOUR;
    revision
}

impl Kit {
    fn shadows(&self) -> Vec<Start> {
        let shadow = |output: &Output| match output {
            Output::Shadow(start) => Some(start.clone()),
            _ => None,
        };
        self.out.iter().filter_map(shadow).collect()
    }

    /// Lets the primary answer a request; returns the shadow that follows, if any.
    fn copied(&mut self, operation: Operation, change: impl FnOnce(&mut Admit)) -> Option<Start> {
        let before = self.shadows().len();
        self.admit_as(operation, change);
        self.end(R::Ok, 200);
        self.shadows().get(before).cloned()
    }

    /// Ends a shadow.
    fn settled(&mut self, shadow: &Start, result: R) {
        let event = Event::Ended { result, status: None, after: None };
        self.feed(Input::Attempt { attempt: shadow.attempt, event });
    }

    fn redundancy(&self, tier: usize) -> Redundancy {
        self.core.route_state(self.now, RouteId(0)).tiers[tier].redundancy
    }
}

#[test]
fn f_150_a_copy_follows_the_answer_and_touches_neither_it_nor_its_record() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    let shadow = kit.copied(Operation::Chat, |_| ()).expect("all are copied");
    assert_eq!((shadow.tier, shadow.path, shadow.request), (1, PathId(1), RequestId(1)));
    let kind = |output: &Output| match output {
        Output::Start(_) => "start",
        Output::Answer { .. } => "answer",
        Output::Shadow(_) => "shadow",
        Output::Decision(_) => "decision",
        _ => "other",
    };
    assert_eq!(kit.out.iter().map(kind).collect::<Vec<_>>(), ["start", "answer", "shadow", "decision"]);
    assert_eq!((kit.decision().attempts.len(), kit.core.open()), (1, 0), "F-151: no attempt of it");
    assert!(!kit.core.is_quiet() && kit.core.is_shadowing(shadow.attempt));
    assert!(kit.copied(Operation::Chat, |_| ()).is_none(), "SHA-2: one at a path at once");
    let said = kit.out.len();
    kit.settled(&shadow, R::Ok);
    assert_eq!(kit.out.len(), said, "F-151: nobody is told");
    assert!(kit.core.is_quiet() && kit.core.next_timeout().is_none(), "nothing is left behind");
    assert!(kit.copied(Operation::Chat, |_| ()).is_some());
}

#[test]
fn f_150_f_151_what_may_not_be_copied_is_not() {
    type Change = fn(&mut Admit);
    let cases: [(&str, Change, bool); 6] = [
        ("plain", |_| (), true),
        ("impure", |admit| admit.pure = false, false),
        ("private", |admit| admit.private = true, false),
        ("a sequence", |admit| admit.sequence = Some(Sequence { key: 1, start: true, end: true }), false),
        ("little memory", |admit| admit.bodies = Permille::new(641), false),
        ("a region", |admit| admit.wants.regions = Some(0), false),
    ];
    for (what, change, expected) in cases {
        let mut revision = shadowed(1_000, 1_000);
        // Where the primary is, it may go; the tier below says nothing of where that is.
        revision.paths[0].can = Can::ANYTHING;
        let mut kit = Kit::new(revision);
        assert_eq!(kit.copied(Operation::Chat, change).is_some(), expected, "{what}");
    }
    let mut revision = shadowed(1_000, 1_000);
    revision.paths[1].effects = true;
    assert!(Kit::new(revision).copied(Operation::Chat, |_| ()).is_none(), "what changes something");
    assert!(Kit::new(shadowed(0, 1_000)).copied(Operation::Chat, |_| ()).is_none(), "a share of 0 is off");
}

#[test]
fn f_150_only_tiers_below_the_one_that_answered_and_none_that_is_certain() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    kit.admit(Operation::Chat);
    kit.end(R::EmptyAnswer, 200);
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(1));
    kit.admit(Operation::Chat);
    kit.end(R::ContentFiltered, 400);
    assert_eq!((kit.shadows().len(), kit.redundancy(2)), (0, Redundancy::Counts), "an error is no answer");
}

#[test]
fn f_150_sha_3_the_share_and_what_it_may_cost_are_both_kept() {
    for (share, cost, least, most) in [(100, 1_000, 60, 140), (1_000, 10, 9, 10), (1_000, 1_000, 1_000, 1_000)] {
        let mut kit = Kit::new(shadowed(share, cost));
        for _ in 0..1_000 {
            if let Some(shadow) = kit.copied(Operation::Chat, |_| ()) {
                kit.settled(&shadow, R::Ok);
            }
        }
        let found = kit.shadows().len();
        assert!((least..=most).contains(&found), "{found} of 1,000 by a share of {share} and a cost of {cost}");
    }
}

#[test]
fn f_150_sha_5_an_answer_that_nobody_was_asked_for_draws_no_copy_and_pays_for_none() {
    let mut revision = super::cached::caching(true);
    revision.routes[0].shadow = ShadowPolicy { share: Permille::new(1_000), cost: Permille::new(1_000) };
    let mut kit = Kit::new(revision);
    let of_cache = |kit: &mut Kit, stored: Option<Stored>| {
        kit.admit_as(Operation::Chat, |admit| admit.cache = Lookup { key: Some(100), stored, ..Lookup::default() });
    };
    // While the first copy runs there is no other: the purse fills.
    let first = kit.copied(Operation::Chat, |_| ()).expect("it was never asked");
    for _ in 0..10 {
        assert_eq!(kit.copied(Operation::Chat, |_| ()), None);
    }
    kit.settled(&first, R::Ok);
    for _ in 0..10 {
        of_cache(&mut kit, Some(Stored { age: SECOND, tier: 0 }));
        assert_eq!((kit.decision().reason, kit.shadows().len()), (Reason::CacheFreshHit, 1), "no copy of a hit");
    }
    // Four of the same ask once: that one is copied, and who waited for it is not.
    (0..4).for_each(|_| of_cache(&mut kit, None));
    kit.end(R::Ok, 200);
    let leader = kit.decision().request;
    let copy = kit.shadows().last().filter(|it| it.request == leader).cloned().expect("who asked is copied");
    kit.settled(&copy, R::Ok);
    kit.feed(Input::Landed { request: leader, kept: true });
    assert_eq!((kit.core.open(), kit.decision().reason), (0, Reason::CacheFreshHit), "they waited");
    assert_eq!(kit.shadows().len(), 2, "no copy of who waited");
    // A tier whose hour is over is asked for what no tier was asked for, too: where all is kept, nothing else would.
    kit.until(2 * HOUR);
    of_cache(&mut kit, Some(Stored { age: SECOND, tier: 0 }));
    assert_eq!((kit.decision().reason, kit.shadows().len()), (Reason::CacheFreshHit, 3));
}

#[test]
fn f_150_a_tier_that_nobody_asked_for_an_hour_is_asked_whatever_it_costs() {
    let mut kit = Kit::new(shadowed(1, 0));
    let mut found = Vec::new();
    for minute in 0..=240 {
        kit.until(minute * 60 * SECOND);
        if let Some(shadow) = kit.copied(Operation::Chat, |_| ()) {
            kit.settled(&shadow, R::Ok);
            found.push(minute);
        }
    }
    assert_eq!(found, [60, 120, 180, 240]);
}

#[test]
fn f_151_sha_4_who_pushes_back_is_left_alone() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    let shadow = kit.copied(Operation::Chat, |_| ()).expect("all are copied");
    kit.settled(&shadow, R::RateLimited);
    for (second, expected) in [(1, false), (59, false), (60, false), (62, true)] {
        kit.until(second * SECOND);
        assert_eq!(
            kit.copied(Operation::Chat, |_| ()).is_some(),
            expected,
            "closed for 1 s, then left to requests: {second} s"
        );
    }
}

#[test]
fn f_151_sha_4_half_of_the_room_is_left_to_requests() {
    for (limit, in_flight, expected) in [(4, 0, true), (4, 1, true), (4, 2, false), (1, 0, true)] {
        let mut revision = shadowed(1_000, 1_000);
        revision.paths[1].limit = crate::LimitPolicy::Fixed(limit);
        let mut kit = Kit::new(revision);
        for _ in 0..in_flight {
            kit.admit_as(Operation::Chat, |admit| admit.needs = Features::NONE);
            kit.end(R::EmptyAnswer, 200);
        }
        assert_eq!(kit.copied(Operation::Chat, |_| ()).is_some(), expected, "{in_flight} of {limit}");
    }
}

#[test]
fn f_152_a_dead_tier_is_found_before_it_is_needed_and_is_found_well_again() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    for _ in 0..2 {
        let shadow = kit.copied(Operation::Chat, |_| ()).expect("all are copied");
        kit.settled(&shadow, R::ConnectFailed);
    }
    let state = kit.core.route_state(kit.now, RouteId(0));
    assert_eq!((state.tiers[1].breaker, state.tiers[1].redundancy), (BreakerState::Open, Redundancy::Barred));
    assert_eq!(
        (state.tier, state.phase, kit.transitions().len()),
        (0, Phase::Normal, 0),
        "the route stands as it stood"
    );
    assert!(kit.copied(Operation::Chat, |_| ()).is_none(), "rule 4: none on an open path");
    // Half open, its probes are shadows (F-068), one at a time.
    kit.until(20 * SECOND);
    assert_eq!(
        (kit.breaker(1), kit.redundancy(1)),
        (BreakerState::HalfOpen, Redundancy::Barred),
        "PROOF-1: it is tried, not trusted"
    );
    for _ in 0..2 {
        let shadow = kit.copied(Operation::Chat, |_| ()).expect("a probe");
        kit.settled(&shadow, R::Ok);
    }
    assert_eq!((kit.breaker(1), kit.redundancy(1)), (BreakerState::Ramp, Redundancy::Counts));
}

#[test]
fn f_152_a_silent_tier_is_stopped_by_its_clock_and_counts() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    for round in 1..=2 {
        let shadow = kit.copied(Operation::ChatStream, |_| ()).expect("all are copied");
        let (due, why) = kit.core.next_timeout().expect("its clock");
        assert_eq!(why, Why::Shadow(shadow.attempt));
        kit.until(due);
        let stopped = |output: &&Output| {
            let clock = Cancelled::Clock(R::FirstTokenTimeout);
            matches!(output, Output::ShadowStop { attempt, why } if *attempt == shadow.attempt && *why == clock)
        };
        assert_eq!(kit.out.iter().filter(stopped).count(), 1);
        kit.feed(Input::Attempt { attempt: shadow.attempt, event: Event::Closed });
        assert_eq!((kit.core.in_flight(), kit.breaker(1) == BreakerState::Open), (0, round == 2));
    }
}

#[test]
fn f_152_a_shadow_has_the_clocks_of_a_stream() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    let shadow = kit.copied(Operation::ChatStream, |_| ()).expect("all are copied");
    let tell = |kit: &mut Kit, event| kit.feed(Input::Attempt { attempt: shadow.attempt, event });
    tell(&mut kit, Event::FirstContent);
    kit.until(SECOND / 2);
    tell(&mut kit, Event::Progress);
    kit.until(SECOND + SECOND / 4);
    assert!(kit.core.is_shadowing(shadow.attempt), "it speaks");
    kit.until(2 * SECOND);
    assert!(!kit.core.is_shadowing(shadow.attempt), "it has stalled");
}

#[test]
fn f_153_a_tier_counts_while_its_last_good_answer_is_young_whoever_got_it() {
    let mut kit = Kit::new(shadowed(1, 0));
    kit.copied(Operation::Chat, |_| ());
    assert_eq!((kit.redundancy(0), kit.redundancy(1)), (Redundancy::Counts, Redundancy::Unproven));
    // Who is answered by it proves it.
    kit.admit(Operation::Chat);
    kit.end(R::EmptyAnswer, 200);
    kit.end(R::Ok, 200);
    let at = kit.now;
    assert_eq!(kit.redundancy(1), Redundancy::Counts);
    assert_eq!(kit.core.route_state(kit.now, RouteId(0)).tiers[1].exercised, Some(at));
    kit.until(at + 24 * HOUR);
    assert_eq!(kit.redundancy(1), Redundancy::Counts);
    kit.until(at + 24 * HOUR + 1);
    assert_eq!((kit.redundancy(1), kit.redundancy(2)), (Redundancy::Stale, Redundancy::Counts));
    // It may still answer, and its hour is over.
    let shadow = kit.copied(Operation::Chat, |_| ()).expect("its hour is over");
    kit.settled(&shadow, R::Ok);
    assert_eq!(kit.redundancy(1), Redundancy::Counts);
}

#[test]
fn shadows_end_with_the_process_and_live_on_the_revision_that_they_began_on() {
    let mut kit = Kit::new(shadowed(1_000, 1_000));
    let shadow = kit.copied(Operation::Chat, |_| ()).expect("all are copied");
    kit.feed(Input::Revision(Arc::new(Revision { digest: [8; 32], ..Revision::default() })));
    kit.settled(&shadow, R::Ok);
    assert!(kit.core.is_quiet());

    let mut kit = Kit::new(shadowed(1_000, 1_000));
    let shadow = kit.copied(Operation::Chat, |_| ()).expect("all are copied");
    kit.feed(Input::Drain);
    assert!(kit.out.iter().any(|it| matches!(it, Output::ShadowStop { why: Cancelled::Drained, .. })));
    kit.feed(Input::Attempt { attempt: shadow.attempt, event: Event::Closed });
    assert_eq!((kit.core.in_flight(), kit.core.is_shadowing(shadow.attempt)), (0, false));
    assert_eq!(kit.breaker(1), BreakerState::Closed, "rule 5: no evidence");
}
