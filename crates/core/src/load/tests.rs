//! The choice of two, the estimate that feeds it, and a replica that fails fast.

use std::{collections::BTreeMap, vec::Vec};

use super::*;

const SMALL: Size = Size::of(0);
const USUAL_MS: Nanos = 20 * MILLISECOND;

/// Replicas that have all answered in the usual time for a while.
fn settled(replicas: usize) -> (Loads, Nanos) {
    let mut loads = Loads::new(replicas);
    for n in 0..100 {
        loads.record(n * MILLISECOND, n as usize % replicas, SMALL, Shown::Answered(USUAL_MS));
    }
    (loads, 100 * MILLISECOND)
}

fn bits(n: u64) -> u64 {
    let mut bits = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits ^ (bits >> 29)
}

#[test]
fn f_100_two_are_drawn_and_the_lower_one_wins() {
    assert_eq!(choose(7, &[]), None);
    assert_eq!(choose(7, &[5]), Some(0));
    assert!((0..1_000).all(|n| choose(bits(n), &[9, 3]) == Some(1)), "of two both are drawn");
    let first = (0..1_000).filter(|n| choose(bits(*n), &[3, 3]) == Some(0)).count();
    assert!((400..600).contains(&first), "LOAD-3: ties are shared: {first}");
    let mut counts = [0; 4];
    (0..12_000).for_each(|n| counts[choose(bits(n), &[1, 2, 3, 4]).expect("some")] += 1);
    // Of six pairs the best is in three, the next in two of the others, the third in one, and the worst wins none.
    for (count, expected) in counts.into_iter().zip([6_000u32, 4_000, 2_000, 0]) {
        assert!(u32::abs_diff(count, expected) < 200, "{counts:?}");
    }
}

#[test]
fn f_100_the_same_bits_choose_the_same() {
    for n in 0..1_000 {
        let scores: Vec<u64> = (0..n % 7).map(|at| bits(n + at) % 10).collect();
        assert_eq!(choose(bits(n), &scores), choose(bits(n), &scores), "LOAD-3");
        assert!(choose(bits(n), &scores).is_none_or(|at| at < scores.len()));
    }
}

#[test]
fn f_100_busy_replicas_score_higher_and_nothing_overflows() {
    let (loads, now) = settled(2);
    assert_eq!([0, 1, 9].map(|in_flight| loads.score(now, 0, (in_flight, false))), [1_000, 2_000, 10_000]);
    assert_eq!(loads.score(now, 0, (u64::MAX, false)), u64::MAX);
    assert_eq!(loads.score(now, 99, (0, false)), 1_000, "one that is not there is as its peers");
}

#[test]
fn f_100_long_prompts_do_not_make_a_replica_look_slow() {
    let mut loads = Loads::new(2);
    for n in 0..2_000 {
        let now = n * 10 * MILLISECOND;
        loads.record(now, 0, SMALL, Shown::Answered(USUAL_MS));
        loads.record(now, 1, Size::of(100_000), Shown::Answered(2 * SECOND));
    }
    assert_eq!(loads.score(20 * SECOND, 0, (0, false)), loads.score(20 * SECOND, 1, (0, false)));
}

#[test]
fn f_101_a_failure_enters_as_five_seconds_or_its_clock_or_ten_times_the_usual() {
    let (mut loads, now) = settled(2);
    for (shown, usual, points) in [
        (Shown::Failed(0), USUAL_MS, 250_000),
        (Shown::Failed(20 * SECOND), USUAL_MS, 1_000_000),
        (Shown::Failed(0), 20 * SECOND, 10_000),
        (Shown::Failed(Nanos::MAX), USUAL_MS, MOST),
    ] {
        loads.usual = [Running::default(); SIZES];
        loads.usual[0].record(usual);
        assert_eq!(loads.record(now, 0, SMALL, shown), points, "{shown:?} where {usual} is usual");
    }
    assert_eq!(loads.record(now, 0, Size::of(100_000), Shown::Failed(0)), 10_000, "nothing is known of this size");
}

#[test]
fn f_101_half_of_it_is_gone_after_ten_seconds() {
    let (mut loads, now) = settled(2);
    loads.record(now, 0, SMALL, Shown::Failed(0));
    for (after, score) in [(0, 250_000), (10, 125_500), (20, 63_250), (100, 1_243), (1_000, 1_000)] {
        let is = loads.score(now + after * SECOND, 0, (0, false));
        assert!(is.abs_diff(score) <= 1, "LOAD-2: {is} after {after} s");
    }
    assert_eq!(loads.score(now + 1_000 * SECOND, 1, (0, false)), 1_000);
}

#[test]
fn f_101_good_answers_wear_a_failure_off_at_the_same_pace_however_many() {
    for rate in [1, 10, 1_000, 20_000] {
        let (mut loads, now) = settled(2);
        loads.record(now, 0, SMALL, Shown::Failed(0));
        for n in 1..=10 * rate {
            loads.record(now + n * SECOND / rate, 0, SMALL, Shown::Answered(USUAL_MS));
        }
        let score = loads.score(now + 10 * SECOND, 0, (0, false));
        assert!(score.abs_diff(125_500) < 2_000, "{score} at {rate}/s");
    }
}

#[test]
fn f_101_a_new_replica_starts_as_its_peers_are() {
    let (mut loads, now) = settled(2);
    loads.record(now, 1, SMALL, Shown::Failed(0));
    let grown = loads.carry([Some(1), None, Some(0), Some(7)].into_iter());
    let scores: Vec<u64> = (0..4).map(|at| grown.score(now, at, (0, false))).collect();
    assert_eq!(scores, [250_000, 1_000, 1_000, 1_000]);
}

#[test]
fn f_173_silence_before_a_cancellation_only_ever_slows() {
    let (mut loads, now) = settled(1);
    let later = now + 10 * SECOND;
    loads.record(later, 0, SMALL, Shown::Silent(MILLISECOND));
    assert_eq!(loads.score(later, 0, (0, false)), 1_000, "LOAD-1");
    loads.record(later + 10 * SECOND, 0, SMALL, Shown::Silent(3 * SECOND));
    assert!(loads.score(later + 10 * SECOND, 0, (0, false)) > 70_000, "at least this long");
    loads.record(later + 11 * SECOND, 0, SMALL, Shown::Failed(0));
    let before = loads.score(later + 12 * SECOND, 0, (0, false));
    loads.record(later + 12 * SECOND, 0, SMALL, Shown::Silent(0));
    assert_eq!(loads.score(later + 12 * SECOND, 0, (0, false)), before, "LOAD-1");
}

#[test]
fn what_is_kept_is_a_half_per_half_life() {
    for (elapsed, thousandths) in
        [(0, 1_000), (1, 933), (5, 707), (10, 500), (15, 354), (20, 250), (640, 0), (u64::MAX / SECOND, 0)]
    {
        let kept = (kept(elapsed * SECOND) * 1_000 / ONE) as u64;
        assert!(kept.abs_diff(thousandths) <= 4, "{kept} after {elapsed} s");
    }
}

/// Plays four replicas under P2C for a minute. Replica 0 is done in `takes`, with `shown`; the others answer in 20 ms.
/// Returns the share of requests that replica 0 got, in permille.
fn share(takes: Nanos, shown: Shown) -> u64 {
    let mut loads = Loads::new(4);
    let mut flying: BTreeMap<(Nanos, u64), usize> = BTreeMap::new();
    let mut in_flight = [0u64; 4];
    let mut got = [0u64; 4];
    for n in 0..30_000 {
        let now = n * 2 * MILLISECOND;
        while let Some(((at, _), replica)) =
            flying.first_key_value().map(|(key, replica)| (*key, *replica)).filter(|it| it.0.0 <= now)
        {
            flying.pop_first();
            in_flight[replica] -= 1;
            loads.record(at, replica, SMALL, if replica == 0 { shown } else { Shown::Answered(USUAL_MS) });
        }
        let scores: Vec<u64> = (0..4).map(|at| loads.score(now, at, (in_flight[at], false))).collect();
        let replica = choose(bits(n), &scores).expect("four");
        got[replica] += 1;
        in_flight[replica] += 1;
        flying.insert((now + if replica == 0 { takes } else { USUAL_MS }, n), replica);
    }
    got[0] * 1_000 / got.iter().sum::<u64>()
}

#[test]
fn up_37_a_replica_that_fails_fast_attracts_no_traffic() {
    let failing = share(MILLISECOND, Shown::Failed(0));
    assert!(failing <= 5, "{failing} permille went to it");
    let attracted = share(MILLISECOND, Shown::Answered(MILLISECOND));
    assert!(attracted >= 400, "the play can fail: taken at its word it gets {attracted} permille");
}

#[test]
fn f_100_equal_replicas_share_alike_and_a_slow_one_gets_less() {
    let equal = share(USUAL_MS, Shown::Answered(USUAL_MS));
    assert!((200..=300).contains(&equal), "{equal}");
    let slow = share(3 * USUAL_MS, Shown::Answered(3 * USUAL_MS));
    assert!((20..=150).contains(&slow), "{slow}");
}
