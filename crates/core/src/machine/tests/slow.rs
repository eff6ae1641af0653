//! Paths that answer, but late or little at a time: when they are left, and for whom (`failures.md`, F-029, F-064, F-070).

use super::*;
use crate::{Cancelled, CommitPoint};

/// Nineteen tokens in ten seconds, where two a second are asked.
const SLOW: Event = Event::Slow { said: 19 };

impl Kit {
    /// Lets one request be answered by whom it may, the primary after so long; says by which tier.
    fn served(&mut self, operation: Operation, took: Nanos) -> u8 {
        self.admit(operation);
        let tier = self.start().tier;
        self.until(self.now + if tier == 0 { took } else { 30 * MILLISECOND });
        if operation.is_stream() {
            self.event(Event::FirstContent);
        }
        self.end(R::Ok, 200);
        tier
    }

    /// Lets the primary answer quickly for a while.
    fn quick(&mut self, operation: Operation) {
        (0..200).for_each(|_| assert_eq!(self.served(operation, 20 * MILLISECOND), 0));
    }

    /// Lets the primary answer slowly until it is left; says after how many answers.
    fn left_after(&mut self, operation: Operation) -> usize {
        (1..500)
            .find(|_| self.served(operation, 200 * MILLISECOND) == 0 && self.breaker(0) != BreakerState::Closed)
            .expect("it is left")
    }
}

fn promised(mut revision: Revision) -> Revision {
    revision.paths[0].objective = Some(100 * MILLISECOND);
    revision
}

#[test]
fn f_064_a_path_that_turns_ten_times_slower_is_left_by_its_objective_or_its_median() {
    for operation in [Operation::Chat, Operation::ChatStream] {
        for (revision, reason) in
            [(promised(revision(1)), Reason::LatencySloBreach), (revision(1), Reason::LatencySpike)]
        {
            let mut kit = Kit::new(revision);
            kit.quick(operation);
            // One after the other they are five a second: the window of ten seconds has to fill with them.
            let answers = kit.left_after(operation);
            assert!((20..=60).contains(&answers), "{answers}");
            let it = kit.transitions().pop().expect("a way down");
            assert_eq!((it.from, it.to, it.reason), (0, 1, reason));
            let trip = it.trip.expect("it has a cause");
            assert_eq!((trip.rule, trip.result), ("F-064", Some(R::Slow)));
            assert!(trip.bad * 10 >= trip.of * 8 && trip.of >= 20, "{trip:?}");
            assert_eq!(kit.served(operation, 0), 1);
            assert_eq!(kit.decision().reason, Reason::BreakerOpen);
        }
    }
}

#[test]
fn f_064_what_one_request_has_used_up_keeps_no_other_on_a_slow_path() {
    let mut revision = promised(revision(1));
    revision.routes[0].max_attempts = 1;
    let mut kit = Kit::new(revision);
    kit.quick(Operation::Chat);
    assert!(kit.left_after(Operation::Chat) <= 60);
}

#[test]
fn f_064_a_slow_path_is_not_left_for_a_safe_default_or_for_nobody() {
    for tiers in [1, 2] {
        let mut revision = promised(revision(1));
        revision.routes[0].tiers.drain(1..4 - tiers);
        let mut kit = Kit::new(revision);
        (0..200).for_each(|_| assert_eq!(kit.served(Operation::Chat, 200 * MILLISECOND), 0, "{tiers} tiers"));
        assert_eq!(kit.breaker(0), BreakerState::Closed);
    }
    let mut kit = Kit::new(promised(revision(1)));
    for _ in 0..2 {
        kit.admit(Operation::Chat);
        kit.end(R::EmptyAnswer, 200);
        kit.end(R::TlsFailed, 0);
    }
    assert_eq!(kit.breaker(1), BreakerState::Open, "the tier below is out");
    let slow = (0..40).filter(|_| kit.served(Operation::Chat, 200 * MILLISECOND) == 0).count();
    assert_eq!(slow, 40, "a slow answer beats none");
}

#[test]
fn f_070_a_late_probe_of_a_slow_path_opens_it_again_and_two_in_time_ramp_it() {
    for operation in [Operation::Chat, Operation::ChatStream] {
        let mut kit = Kit::new(promised(revision(1)));
        kit.quick(operation);
        kit.left_after(operation);
        kit.until(kit.now + 12 * SECOND);
        assert_eq!((kit.breaker(0), kit.served(operation, 200 * MILLISECOND)), (BreakerState::HalfOpen, 0));
        assert_eq!(kit.breaker(0), BreakerState::Open, "it is slow still");
        kit.until(kit.now + 24 * SECOND);
        for _ in 0..2 {
            assert_eq!((kit.breaker(0), kit.served(operation, 20 * MILLISECOND)), (BreakerState::HalfOpen, 0));
        }
        assert_eq!(kit.breaker(0), BreakerState::Ramp);
    }
}

#[test]
fn f_070_a_late_probe_of_a_path_that_failed_proves_nothing() {
    let mut kit = Kit::new(promised(revision(1)));
    kit.open_primary();
    kit.until(12 * SECOND);
    for _ in 0..5 {
        assert_eq!(kit.served(Operation::ChatStream, 200 * MILLISECOND), 0);
        assert_eq!(kit.breaker(0), BreakerState::HalfOpen, "neither good nor bad");
    }
    for _ in 0..2 {
        kit.served(Operation::ChatStream, 20 * MILLISECOND);
    }
    assert_eq!(kit.breaker(0), BreakerState::Ramp);
}

#[test]
fn f_064_a_path_that_is_slow_in_its_ramp_opens_as_by_a_trip() {
    let mut kit = Kit::new(promised(revision(1)));
    kit.open_primary();
    kit.until(12 * SECOND);
    while kit.breaker(0) != BreakerState::Ramp {
        kit.served(Operation::ChatStream, 20 * MILLISECOND);
    }
    while kit.breaker(0) == BreakerState::Ramp {
        kit.served(Operation::ChatStream, 200 * MILLISECOND);
        assert!(kit.now < 120 * SECOND, "it never closes");
    }
    assert_eq!(kit.breaker(0), BreakerState::Open);
    let lane = kit.core.paths.state(kit.core.generation.slots[0]).seen(Operation::ChatStream).expect("used");
    assert_eq!(lane.trip().map(|trip| trip.rule), Some("F-064"));
}

#[test]
fn f_064_a_reload_turns_the_objective() {
    let mut kit = Kit::new(revision(1));
    kit.feed(Input::Revision(Arc::new(promised(revision(1)))));
    kit.quick(Operation::Chat);
    kit.left_after(Operation::Chat);
    assert_eq!(kit.transitions()[0].reason, Reason::LatencySloBreach);
}

#[test]
fn f_029_a_stream_that_says_too_little_fails_before_the_commit_where_another_may_answer() {
    for (commit, spoken) in
        [(CommitPoint::FirstContent, false), (CommitPoint::Chars(50), true), (CommitPoint::Full, true)]
    {
        let mut revision = revision(1);
        revision.routes[0].commit = commit;
        let mut kit = Kit::new(revision);
        kit.admit(Operation::ChatStream);
        // Without content it thinks, which is progress as well.
        kit.event(if spoken { Event::FirstContent } else { Event::Progress });
        let first = kit.start().attempt;
        kit.event(SLOW);
        let cancelled = |it: &Output| matches!(it, Output::Cancel { attempt, why: Cancelled::Clock(R::Slow), .. } if *attempt == first);
        assert!(kit.out.iter().any(cancelled), "{commit:?}");
        assert_eq!(kit.starts(), [(0, 0), (1, 0)], "not the same path again: {commit:?}");
        kit.event(Event::FirstContent);
        kit.end(R::Ok, 200);
        assert_eq!(kit.results(), ["target.slow", "ok"], "{commit:?}");
        assert_eq!(kit.decision().outcome.tier, Some(1));
        assert_eq!(kit.breaker(0), BreakerState::Closed, "soft");
    }
}

#[test]
fn f_029_a_stream_that_says_too_little_goes_on_after_the_commit_and_its_record_tells() {
    for (end, told) in [
        (R::Ok, "ok_slow"),
        (R::OkDoneMissing, "ok_slow"),
        (R::OkEventSkipped, "ok_event_skipped"),
        (R::Truncated, "target.truncated"),
    ] {
        let mut revision = revision(1);
        revision.routes[0].rescue = false;
        let mut kit = Kit::new(revision);
        kit.admit(Operation::ChatStream);
        kit.event(Event::FirstContent);
        kit.event(SLOW);
        kit.event(SLOW);
        assert!(!kit.out.iter().any(|it| matches!(it, Output::Cancel { .. })), "it goes on");
        kit.end(end, 200);
        assert_eq!((kit.results(), kit.starts()), (vec![told], vec![(0, 0)]));
        assert_eq!(kit.decision().outcome.end == End::Answered, end.is_ok());
    }
}

#[test]
fn f_029_the_ratios_know_and_no_streak_does() {
    let mut kit = Kit::new(revision(1));
    for at in 0..40_u64 {
        kit.until(at * 600 * MILLISECOND);
        kit.admit(Operation::ChatStream);
        if kit.start().tier != 0 {
            break;
        }
        kit.event(Event::FirstContent);
        kit.event(SLOW);
        kit.end(R::Ok, 200);
        if at < 2 {
            assert_eq!(kit.breaker(0), BreakerState::Closed, "hard failures would have opened it: F-063");
        }
    }
    let trip = kit.transitions().pop().expect("it is left").trip.expect("it has a cause");
    assert_eq!(trip.result, Some(R::OkSlow), "{trip:?}");
}

#[test]
fn f_029_nobody_is_left_for_a_safe_default() {
    let mut revision = revision(1);
    revision.routes[0].commit = CommitPoint::Full;
    revision.routes[0].tiers.remove(1);
    let mut kit = Kit::new(revision);
    kit.admit(Operation::ChatStream);
    kit.event(Event::FirstContent);
    kit.event(SLOW);
    kit.end(R::Ok, 200);
    assert_eq!((kit.results(), kit.decision().outcome.tier), (vec!["ok_slow"], Some(0)));
}
