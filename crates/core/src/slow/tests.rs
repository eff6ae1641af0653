//! A path that turns slow is found in time; one that is only odd, or new, is not.

use std::vec::Vec;

use super::*;
use crate::clock::MILLISECOND;

const SMALL: Size = Size::of(0);

fn found(pace: &mut Pace, now: Nanos, size: Size, took: Nanos) -> Option<Slow> {
    pace.record(now, size, took)?.slow
}

/// Plays a path at a steady rate: each request starts at its time, and its first content comes after `takes(start)`.
/// Returns when it was first found slow, and how.
fn play(pace: &mut Pace, rate: u64, until: Nanos, takes: impl Fn(Nanos, u64) -> Nanos) -> Option<(Nanos, Slow)> {
    let starts = (0..).map(|n| (n, n * SECOND / rate)).take_while(|(_, start)| *start < until);
    let mut contents: Vec<(Nanos, Nanos)> = starts
        .map(|(n, start)| {
            let took = takes(start, n);
            (start + took, took)
        })
        .collect();
    contents.sort_unstable();
    contents.into_iter().find_map(|(now, took)| Some((now, found(pace, now, SMALL, took)?)))
}

#[test]
fn f_064_a_path_that_turns_ten_times_slower_is_found_within_1_2_s() {
    let turn = 10 * SECOND;
    for (objective, made) in [(Some(100 * MILLISECOND), Made::Objective), (None, Made::Median)] {
        for rate in [100, 200, 1_000] {
            let mut pace = Pace::new(objective);
            let takes = |start, _| if start < turn { 20 * MILLISECOND } else { 200 * MILLISECOND };
            let (at, slow) = play(&mut pace, rate, turn + 5 * SECOND, takes).expect("it is slow");
            assert!(
                at > turn && at <= turn + 1_200 * MILLISECOND,
                "{objective:?}: found after {} ms",
                (at - turn) / 1_000_000
            );
            assert_eq!(pace.bound(at, SMALL).map(|bound| bound.made), Some(made));
            assert!(slow.of >= ENOUGH && slow.bad * 10 >= slow.of * 8, "{slow:?}");
        }
    }
}

#[test]
fn f_064_at_a_few_a_second_it_is_found_in_ten_seconds() {
    let turn = 60 * SECOND;
    let mut pace = Pace::new(None);
    let takes = |start, _| if start < turn { 20 * MILLISECOND } else { 200 * MILLISECOND };
    let (at, _) = play(&mut pace, 5, turn + 30 * SECOND, takes).expect("it is slow");
    assert!((turn + 5 * SECOND..=turn + 10 * SECOND).contains(&at), "{at}");
}

#[test]
fn f_064_occasional_slow_requests_are_not_a_slow_path() {
    for every in [2, 3, 10, 100] {
        let takes = |_, n: u64| if n.is_multiple_of(every) { 5 * SECOND } else { 20 * MILLISECOND };
        for objective in [None, Some(100 * MILLISECOND)] {
            let found = play(&mut Pace::new(objective), 200, 20 * SECOND, takes);
            // After the last start only slow ones are still to come; that is the end of the play, not of the path.
            assert!(found.is_none_or(|(at, _)| at > 20 * SECOND), "every {every}: {found:?}");
        }
    }
}

#[test]
fn f_064_a_path_that_is_half_as_fast_is_not_slow() {
    let takes = |start, _| if start < 10 * SECOND { 20 * MILLISECOND } else { 45 * MILLISECOND };
    assert_eq!(play(&mut Pace::new(None), 200, 30 * SECOND, takes), None);
}

#[test]
fn f_064_a_slow_start_is_silent_without_an_objective() {
    let takes = |_, _| 5 * SECOND;
    assert_eq!(play(&mut Pace::new(None), 200, 30 * SECOND, takes), None, "SLOW-2");
    let found = play(&mut Pace::new(Some(SECOND)), 200, 30 * SECOND, takes).expect("the objective is broken");
    assert_eq!(found.1, Slow { bad: 20, of: 20 }, "SLOW-1");
}

#[test]
fn f_064_nothing_is_found_below_20_judged_times() {
    let mut pace = Pace::new(Some(MILLISECOND));
    let found: Vec<bool> = (0..20).map(|now| found(&mut pace, now, SMALL, SECOND).is_some()).collect();
    assert_eq!(found.iter().filter(|found| **found).count(), 1, "SLOW-1");
    assert!(found[19], "SLOW-1");
}

#[test]
fn f_064_exactly_four_of_five_are_enough() {
    for (good, slow) in [(4, true), (5, false)] {
        let mut pace = Pace::new(Some(MILLISECOND));
        (0..good).for_each(|now| assert_eq!(pace.record(now, SMALL, 0), None));
        let last = (0..16).map(|n| found(&mut pace, good + n, SMALL, SECOND)).last().flatten();
        assert_eq!(last.is_some(), slow, "{good} good ones");
    }
}

#[test]
fn f_064_what_takes_milliseconds_is_not_slow_before_50() {
    let takes = |start, _| if start < 10 * SECOND { MILLISECOND } else { 40 * MILLISECOND };
    assert_eq!(play(&mut Pace::new(None), 200, 30 * SECOND, takes), None, "SLOW-2");
}

#[test]
fn f_064_each_size_has_a_bound_of_its_own() {
    let (small, large) = (SMALL, Size::of(100_000));
    let mut pace = Pace::new(None);
    for now in 0..50 {
        assert_eq!(pace.bound(now, small), None, "SLOW-2");
        pace.record(now, small, 20 * MILLISECOND);
        pace.record(now, large, 2 * SECOND);
    }
    let limits = [small, large].map(|size| pace.bound(50, size).expect("50 times").limit);
    assert!((60 * MILLISECOND..=75 * MILLISECOND).contains(&limits[0]), "{limits:?}");
    assert!((6 * SECOND..=7_500 * MILLISECOND).contains(&limits[1]), "{limits:?}");
    assert_eq!(pace.bound(50, Size::of(1_000)), None, "SLOW-2");
}

#[test]
fn f_064_the_median_is_of_the_last_hour() {
    let mut pace = Pace::new(None);
    (0..50).for_each(|now| assert_eq!(pace.record(now, SMALL, 20 * MILLISECOND), None));
    assert!(pace.bound(HALF_HOUR, SMALL).is_some());
    assert_eq!(pace.bound(2 * HALF_HOUR, SMALL), None, "an hour later nothing is known");
}

#[test]
fn f_064_a_cleared_judgement_keeps_the_history() {
    let mut pace = Pace::new(None);
    (0..50).for_each(|now| assert_eq!(pace.record(now, SMALL, 20 * MILLISECOND), None));
    (50..69).for_each(|now| assert_eq!(found(&mut pace, now, SMALL, SECOND), None));
    pace.forget();
    assert_eq!(found(&mut pace, 70, SMALL, SECOND), None);
    assert!(pace.bound(70, SMALL).is_some());
    pace.adopt(Some(SECOND));
    assert_eq!(pace.bound(70, SMALL), Some(Bound { limit: SECOND, made: Made::Objective }));
}
