//! Weights and stops by table, how the limit moves, and a server with a hidden capacity that it has to find.

use std::{collections::VecDeque, vec::Vec};

use super::*;

/// Bits whose lot is 0: the stop of the class stands as it is.
fn no_lot() -> u64 {
    (0..).find(|&entropy| Permille::lot(entropy) == 0).expect("one in a thousand is")
}

fn full(limit: u64) -> Limiter {
    let mut limiter = Limiter::new(LimitPolicy::Fixed(limit));
    limiter.start(0, AttemptId(0), limit);
    limiter
}

/// Starts and ends an attempt beside what is in flight.
fn pass(limiter: &mut Limiter, now: Nanos, said: Said) {
    limiter.start(now, AttemptId(u64::MAX), 0);
    limiter.end(now, AttemptId(u64::MAX), said);
}

#[test]
fn f_080_weights_by_table() {
    let table = [(0, 0, 1), (100, 100, 1), (1_024, 0, 1), (2_047, 0, 1), (1_024, 2_048, 2), (10_240, 0, 10)];
    for (prompt, max_tokens, weight) in table {
        assert_eq!(weight_of_chat(prompt, max_tokens), weight, "{prompt} + {max_tokens}");
    }
    assert_eq!(weight_of_chat(u64::MAX, u64::MAX), u64::MAX / 1_024, "nothing overflows");
    for (bytes, weight) in [(0, 1), (1_000_000, 1), (1 << 20, 1), (10 << 20, 10)] {
        assert_eq!(weight_of_tensors(bytes), weight, "{bytes} bytes");
    }
}

#[test]
fn f_084_a_class_stops_at_its_share_of_the_limit() {
    for (limit, stops) in
        [(100, [100, 95, 80]), (64, [64, 61, 51]), (20, [20, 19, 16]), (4, [4, 4, 3]), (2, [2, 2, 2]), (1, [1, 1, 1])]
    {
        for (priority, stop) in Priority::ALL.into_iter().zip(stops) {
            let mut limiter = Limiter::new(LimitPolicy::Fixed(limit));
            limiter.start(0, AttemptId(0), 0);
            limiter.start(0, AttemptId(1), stop - 1);
            for (weight, admitted) in [(1, true), (2, stop == 1)] {
                let room = limiter.ask(1, no_lot(), weight, priority);
                assert_eq!(room.admits(), admitted, "{limit}: {} with {weight}: {room:?}", priority.name());
            }
        }
    }
}

#[test]
fn f_085_in_the_edge_the_lot_decides_and_the_same_bits_decide_the_same() {
    let mut limiter = Limiter::new(LimitPolicy::Fixed(1_000));
    limiter.start(0, AttemptId(0), 1);
    let admitted = |limiter: &Limiter, priority| {
        (0..10_000).filter(|&entropy| limiter.ask(1, entropy, 1, priority).admits()).count()
    };
    for (used, priority, expected) in [
        (899, Priority::Default, 10_000),
        (924, Priority::Default, 5_000),
        (950, Priority::Default, 0),
        (749, Priority::Sheddable, 10_000),
        (774, Priority::Sheddable, 5_000),
        (800, Priority::Sheddable, 0),
        (999, Priority::Critical, 10_000),
        (1_000, Priority::Critical, 0),
    ] {
        limiter.start(0, AttemptId(1), used - 1);
        let count = admitted(&limiter, priority);
        assert!(count.abs_diff(expected) <= 300, "{} at {used}: {count}", priority.name());
        assert_eq!(count, admitted(&limiter, priority), "LIM-5");
    }
}

#[test]
fn f_086_one_attempt_a_second_is_admitted_whatever_the_limit_says() {
    let mut limiter = full(8);
    let mut started = 0;
    for tick in 1..=100 {
        let now = tick * 100 * MILLISECOND;
        if limiter.ask(now, 0, 1, Priority::Sheddable).admits() {
            limiter.start(now, AttemptId(tick), 1);
            started += 1;
            assert_eq!(limiter.recovers_in(now), SECOND);
        }
    }
    assert_eq!(started, 10, "LIM-4");
}

#[test]
fn f_086_a_request_that_weighs_more_than_the_limit_goes_alone() {
    let mut limiter = Limiter::new(LimitPolicy::Fixed(4));
    assert!(limiter.ask(0, 0, 125, Priority::Sheddable).admits(), "LIM-4");
    limiter.start(0, AttemptId(0), 125);
    assert!(!limiter.ask(1, 0, 1, Priority::Critical).admits());
    limiter.end(2, AttemptId(0), Said::Good);
    limiter.start(3, AttemptId(1), 1);
    assert!(!limiter.ask(4, 0, 125, Priority::Critical).admits());
    assert!(limiter.ask(4, 0, 3, Priority::Critical).admits());
}

#[test]
fn f_081_push_back_takes_three_tenths_once_per_median_latency() {
    let mut limiter = Limiter::new(LimitPolicy::default());
    // Nothing is known yet: a second.
    let limits: Vec<u64> = (0..30)
        .map(|tick| {
            pass(&mut limiter, tick * 100 * MILLISECOND, Said::Pushed);
            limiter.limit()
        })
        .collect();
    assert_eq!((limits[0], limits[9], limits[10], limits[20]), (44, 44, 30, 21), "LIM-3");

    let mut quick = Limiter::new(LimitPolicy::default());
    pass(&mut quick, 0, Said::Good);
    for (at, limit) in [(100, 44), (199, 44), (200, 30), (300, 21), (400, 14), (500, 9), (600, 6), (700, 4), (800, 4)] {
        pass(&mut quick, at * MILLISECOND, Said::Pushed);
        assert_eq!(quick.limit(), limit, "LIM-2: at {at} ms");
        assert_eq!(quick.pushed(), Some(at * MILLISECOND));
    }
    assert_eq!(quick.lowered(), Some(800 * MILLISECOND));
}

#[test]
fn f_081_one_more_per_window_only_while_half_of_it_is_used() {
    for (used, limit) in [(0, 64), (31, 64), (32, 65), (64, 75)] {
        let mut limiter = Limiter::new(LimitPolicy::default());
        limiter.start(0, AttemptId(0), used);
        // Answers that take nothing, every 10 ms for eleven of the shortest windows.
        (0..=110).for_each(|tick| pass(&mut limiter, tick * 10 * MILLISECOND, Said::Good));
        assert_eq!(limiter.limit(), limit, "LIM-3: {used} in use");
    }
}

#[test]
fn f_081_the_limit_keeps_its_range_and_a_fixed_one_stays() {
    let mut limiter = Limiter::new(LimitPolicy::Auto { start: 64, min: 4, max: 70 });
    limiter.start(0, AttemptId(0), 1_000);
    (0..10_000).for_each(|tick| pass(&mut limiter, tick * 10 * MILLISECOND, Said::Good));
    assert_eq!(limiter.limit(), 70, "LIM-2");

    let mut fixed = full(8);
    for tick in 0..100 {
        pass(&mut fixed, tick * SECOND, if tick % 2 == 0 { Said::Pushed } else { Said::Good });
    }
    assert_eq!((fixed.limit(), fixed.lowered(), fixed.pushed()), (8, None, Some(98 * SECOND)), "LIM-2");
}

#[test]
fn f_106_our_own_faults_and_cancellations_move_nothing() {
    let mut limiter = full(8);
    limiter.adopt(LimitPolicy::default());
    (0..100).for_each(|tick| pass(&mut limiter, tick * SECOND, Said::Other));
    assert_eq!((limiter.limit(), limiter.pushed()), (64, None));
}

#[test]
fn f_081_another_policy_keeps_what_is_in_flight() {
    let mut limiter = full(8);
    for (policy, limit) in [
        (LimitPolicy::Auto { start: 64, min: 4, max: 1_024 }, 64),
        (LimitPolicy::Auto { start: 64, min: 100, max: 1_024 }, 100),
        (LimitPolicy::Auto { start: 64, min: 4, max: 50 }, 50),
        (LimitPolicy::Fixed(2), 2),
    ] {
        limiter.adopt(policy);
        assert_eq!((limiter.limit(), limiter.in_flight()), (limit, 8), "{policy:?}");
    }
}

#[test]
fn f_080_each_attempt_is_counted_once_whatever_comes() {
    let mut limiter = Limiter::new(LimitPolicy::default());
    let mut naive: Vec<(u64, u64)> = Vec::new();
    for n in 0..20_000u64 {
        let (bits, attempt) = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32, AttemptId(n.wrapping_mul(7_919) % 50));
        naive.retain(|(id, _)| *id != attempt.0);
        if bits.is_multiple_of(2) {
            naive.push((attempt.0, bits % 9));
            limiter.start(n, attempt, bits % 9);
        } else {
            limiter.end(n, attempt, [Said::Good, Said::Pushed, Said::Other][bits as usize % 3]);
        }
        assert_eq!(limiter.in_flight(), naive.iter().map(|(_, weight)| weight).sum(), "LIM-1");
        assert!((4..=1_024).contains(&limiter.limit()), "LIM-2");
    }
}

/// A server that has room for `room` at once and pushes back beyond; more work than that always waits at the door.
/// Returns the mean limit, and the share of attempts that were pushed back, in the second half of two minutes.
fn found(room: usize, takes: Nanos) -> (u64, u64) {
    let mut limiter = Limiter::new(LimitPolicy::default());
    let mut serving: VecDeque<(Nanos, AttemptId)> = VecDeque::new();
    let (mut sum, mut ticks, mut all, mut pushed) = (0, 0, 0, 0);
    for (n, now) in (0..120 * SECOND).step_by(5 * MILLISECOND as usize).enumerate() {
        while serving.front().is_some_and(|(until, _)| *until <= now) {
            let (_, attempt) = serving.pop_front().expect("there is one");
            limiter.end(now, attempt, Said::Good);
        }
        for k in 0..3 {
            let attempt = AttemptId(n as u64 * 3 + k);
            if !limiter.ask(now, 0, 1, Priority::Critical).admits() {
                break;
            }
            limiter.start(now, attempt, 1);
            all += u64::from(now > 60 * SECOND);
            if serving.len() < room {
                serving.push_back((now + takes, attempt));
            } else {
                limiter.end(now, attempt, Said::Pushed);
                pushed += u64::from(now > 60 * SECOND);
            }
        }
        if now > 60 * SECOND {
            (sum, ticks) = (sum + limiter.limit(), ticks + 1);
        }
    }
    (sum / ticks, pushed * 1_000 / all.max(1))
}

#[test]
fn f_081_the_limit_finds_the_room_of_a_server() {
    for (room, takes) in [(10, 50 * MILLISECOND), (40, 200 * MILLISECOND), (100, 200 * MILLISECOND)] {
        let (limit, pushed) = found(room, takes);
        assert!((room as u64 * 6 / 10..=room as u64 * 11 / 10).contains(&limit), "{room}: {limit}");
        assert!(pushed < 100, "{room}: {pushed} permille pushed back");
    }
}
