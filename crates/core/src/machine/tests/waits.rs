//! Where the ladder ends: how long a request waits there (F-166), and when a refusal says to come back (F-056, F-165).

use super::{gates::apart, *};
use crate::{LimitPolicy, Permille};

/// So many tiers of two that have a quota each, and nothing below them.
fn tiers(tiers: usize) -> Revision {
    let mut revision = apart();
    revision.routes[0].tiers.truncate(tiers);
    revision
}

/// Tiers with room for so many requests each, and nothing below them.
fn rooms(deadline: Nanos, limits: &[u64]) -> Revision {
    let mut revision = revision(1);
    revision.routes[0].tiers.truncate(limits.len());
    revision.routes[0].deadline = deadline;
    for (path, limit) in revision.paths.iter_mut().zip(limits) {
        path.limit = LimitPolicy::Fixed(*limit);
    }
    revision
}

impl Kit {
    /// Lets so many requests in at once.
    fn come(&mut self, requests: usize) {
        (0..requests).for_each(|_| _ = self.admit(Operation::Chat));
    }

    /// Ends attempts by their numbers, well.
    fn answer(&mut self, attempts: core::ops::Range<u64>) {
        for attempt in attempts.map(AttemptId) {
            let event = Event::Ended { result: R::Ok, status: Some(200), after: None };
            self.feed(Input::Attempt { attempt, event });
        }
    }

    /// What the records say of waits for a recovery: how long, and how long at most.
    fn waits(&self) -> Vec<(Nanos, Nanos)> {
        let decisions = self.out.iter().filter_map(|output| match output {
            Output::Decision(decision) => Some(decision),
            _ => None,
        });
        let facts = decisions.flat_map(|it| &it.facts).filter(|fact| fact.signal == Signal::Waited);
        facts.map(|fact| (fact.value, fact.threshold)).collect()
    }

    /// What the last refusal says of when to come back.
    fn retry_after(&self) -> Nanos {
        let last = self.out.iter().rev().find_map(|output| match output {
            Output::Refuse { retry_after, .. } => Some(*retry_after),
            _ => None,
        });
        last.expect("something was refused").expect("it says when")
    }
}

#[test]
fn f_056_f_165_the_first_refusal_says_what_the_next_one_says() {
    for seconds in [&[20][..], &[40, 7], &[7, 40]] {
        let mut kit = Kit::new(tiers(seconds.len()));
        kit.admit(Operation::Chat);
        seconds.iter().for_each(|it| kit.limited(Some(it * SECOND)));
        let soonest = seconds.iter().min().expect("one at least") * SECOND;
        assert_eq!(
            (kit.refusals().len(), kit.retry_after()),
            (1, soonest),
            "the tiers that it asked itself: {seconds:?}"
        );
        kit.admit(Operation::Chat);
        assert_eq!((kit.refusals().len(), kit.retry_after()), (2, soonest), "asked by nobody: {seconds:?}");
    }
}

#[test]
fn f_165_a_tier_that_failed_and_is_not_barred_may_be_asked_soon() {
    let mut kit = Kit::new(tiers(2));
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    kit.end(R::ConnectFailed, 0);
    assert_eq!(kit.retry_after(), SECOND);
    kit.admit(Operation::Chat);
    kit.end(R::ConnectFailed, 0);
    let after = kit.retry_after();
    assert!((9 * SECOND..=12 * SECOND).contains(&after), "the second failure has opened it: {after}");
}

#[test]
fn f_165_a_tier_that_cannot_do_what_was_asked_is_nothing_to_come_back_for() {
    let mut kit = Kit::new(tiers(2));
    kit.admit(Operation::Chat);
    kit.limited(Some(40 * SECOND));
    kit.end(R::ContextExceeded, 400);
    assert_eq!(kit.retry_after(), 40 * SECOND);
}

#[test]
fn f_166_who_waits_for_room_waits_again_until_a_slot_is_free() {
    for (limits, requests) in [(&[2, 2][..], 8), (&[4], 6)] {
        let mut kit = Kit::new(rooms(10 * SECOND, limits));
        kit.come(requests);
        kit.until(SECOND);
        assert_eq!(
            (kit.starts().len(), kit.core.open(), kit.refusals().len()),
            (4, requests, 0),
            "each takes a second"
        );
        kit.now += MILLISECOND;
        kit.answer(0..4);
        assert_eq!((kit.starts().len(), kit.refusals().len()), (requests, 0), "{limits:?}");
        kit.answer(4..requests as u64);
        assert_eq!(kit.waits(), vec![(1_001 * MILLISECOND, 3 * SECOND); requests - 4], "one fact, which has grown");
        assert!(kit.decision().rederives());
    }
}

#[test]
fn f_166_it_waits_three_seconds_in_all_or_half_of_what_was_left_and_no_longer() {
    // One slot is expected to be free a second later, a third of that with three.
    for (deadline, limit, most) in [(10, 1, 3_000), (10, 3, 3_000), (5, 1, 2_500), (4, 3, 2_000)] {
        let mut kit = Kit::new(rooms(deadline * SECOND, &[limit]));
        kit.come(limit as usize + 1);
        kit.until(most * MILLISECOND - 10 * MILLISECOND);
        assert_eq!((kit.refusals().len(), kit.core.waiting()), (0, 1), "{deadline} s, {limit}");
        kit.until(most * MILLISECOND);
        assert_eq!(
            (kit.refusals(), kit.core.waiting()),
            (vec![Refusal::Overloaded], 0),
            "WAIT-2: {deadline} s, {limit}"
        );
        let (waited, threshold) = kit.waits()[0];
        assert_eq!((kit.waits().len(), threshold), (1, most * MILLISECOND));
        assert!((threshold - 10 * MILLISECOND..=threshold).contains(&waited), "{waited}");
    }
}

#[test]
fn f_166_it_looks_again_after_ten_milliseconds_at_the_soonest() {
    let mut kit = Kit::new(rooms(10 * SECOND, &[1_000]));
    kit.come(1_001);
    let (mut looked, mut rounds) = (0, 0);
    while let Some((at, _)) = kit.core.next_timeout().filter(|_| kit.refusals().is_empty()) {
        assert!(at - looked >= 10 * MILLISECOND, "a thousand slots are no reason to spin: {looked}, {at}");
        kit.until(at);
        (looked, rounds) = (at, rounds + 1);
    }
    assert_eq!((looked, rounds), (3 * SECOND, 300));
}

#[test]
fn f_166_a_place_is_kept_from_wait_to_wait() {
    let mut kit = Kit::new(rooms(10 * SECOND, &[2, 2]));
    kit.come(8);
    for at in [0, 500, 750, 1_400, 2_900] {
        kit.until(at * MILLISECOND);
        kit.admit(Operation::Chat);
        assert_eq!((kit.core.waiting(), kit.core.open()), (4, 8), "who comes later is told so at once: {at} ms");
    }
    kit.until(3 * SECOND);
    assert_eq!((kit.core.waiting(), kit.core.open(), kit.refusals().len()), (0, 4, 9), "WAIT-1");
}

#[test]
fn f_166_a_slot_that_is_free_is_for_who_has_waited_longest() {
    let mut kit = Kit::new(rooms(10 * SECOND, &[1]));
    let start = kit.admit(Operation::Chat);
    let first = kit.admit(Operation::Chat);
    kit.until(700 * MILLISECOND);
    let second = kit.admit(Operation::Chat);
    // The first has looked in the meantime, and is still the first.
    kit.until(1_400 * MILLISECOND);
    for (attempt, request) in [start, first, second].into_iter().enumerate() {
        assert_eq!(kit.start().request, request);
        kit.answer(attempt as u64..attempt as u64 + 1);
        kit.admit(Operation::Chat);
    }
    assert_eq!(kit.refusals(), [], "those who came later wait");
}

#[test]
fn f_166_those_behind_a_gate_wait_on_while_its_one_lease_is_out() {
    let mut kit = Kit::new(tiers(1));
    kit.admit(Operation::Chat);
    kit.limited(Some(10 * SECOND));
    kit.until(8 * SECOND);
    kit.come(4);
    kit.until(10 * SECOND + 500 * MILLISECOND);
    assert_eq!((kit.starts().len(), kit.core.waiting()), (2, 3), "one may ask whether it is well");
    kit.answer(1..2);
    kit.until(10 * SECOND + 510 * MILLISECOND);
    assert_eq!((kit.starts().len(), kit.core.waiting(), kit.refusals().len()), (5, 0, 1));
}

#[test]
fn f_166_nobody_waits_for_what_is_known_to_come_too_late_or_never() {
    let mut kit = Kit::new(tiers(1));
    kit.admit(Operation::Chat);
    kit.limited(Some(10 * SECOND));
    kit.until(9 * SECOND);
    kit.come(2);
    kit.until(10 * SECOND + MILLISECOND);
    kit.limited(Some(60 * SECOND));
    assert_eq!((kit.core.open(), kit.retry_after()), (0, 60 * SECOND), "its gate is closed again");

    let mut kit = Kit::new(tiers(1));
    kit.admit(Operation::Chat);
    kit.limited(Some(10 * SECOND));
    kit.until(9 * SECOND);
    kit.admit_as(Operation::Chat, |admit| admit.bodies = Permille::new(1_000));
    assert_eq!((kit.core.open(), kit.retry_after()), (0, SECOND), "it found no memory, and holds some");
}

#[test]
fn rule_10_a_request_that_asked_the_last_tier_and_waited_for_the_first_rederives() {
    let mut revision = revision(1);
    revision.routes[0].tiers[2].method = Method::Rules;
    revision.paths[2].place = Where::Local;
    let mut kit = Kit::new(revision);
    // Both models are throttled for longer than anybody waits for it at once.
    kit.admit(Operation::Chat);
    for _ in 0..2 {
        kit.event(Event::Ended { result: R::RateLimited, status: Some(429), after: Some(4 * SECOND) });
    }
    kit.end(R::Ok, 200);
    kit.until(kit.now + 2 * SECOND);
    kit.admit(Operation::Chat);
    assert_eq!(kit.start().tier, 2);
    kit.end(R::DecodeFailed, 200);
    kit.until(kit.now + 3 * SECOND);
    assert_eq!(kit.start().tier, 0, "it waited for it");
    kit.end(R::Ok, 200);
    assert_eq!(kit.decision().outcome.tier, Some(0));
}
