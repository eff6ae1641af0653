//! Weights and stops by table, how the limit moves, and a server with a hidden capacity that it has to find.

use std::{collections::VecDeque, vec::Vec};

use super::*;

fn fixed(limit: u64) -> Limiter {
    Limiter { policy: LimitPolicy::Fixed(limit), ..Limiter::default() }
}

/// One that was pushed back at the start, with this much in flight.
fn pushed(used: u64) -> Limiter {
    let mut limiter = Limiter::default();
    limiter.start(0, AttemptId(0), used);
    pass(&mut limiter, 0, Said::Pushed);
    limiter
}

/// Starts and ends an attempt beside what is in flight.
fn pass(limiter: &mut Limiter, now: Nanos, said: Said) {
    limiter.start(now, AttemptId(u64::MAX), 0);
    limiter.end(now, AttemptId(u64::MAX), said);
}

/// Bits whose lot is 0: the stop of the class stands as it is.
fn no_lot() -> u64 {
    (0..).find(|&entropy| Permille::lot(entropy) == 0).expect("one in a thousand is")
}

fn admits(limiter: &Limiter, now: Nanos, weight: u64, class: Priority) -> bool {
    limiter.ask(now, no_lot(), weight, class).is_none_or(Room::admits)
}

#[test]
fn f_080_weights_by_table() {
    let table = [(0, 0, 1), (100, 100, 1), (1_024, 0, 1), (2_047, 0, 1), (1_024, 2_048, 2), (10_240, 0, 10)];
    for (prompt, max_tokens, weight) in table {
        assert_eq!(weight_of_tokens(prompt, max_tokens), weight, "{prompt} + {max_tokens}");
    }
    assert_eq!(weight_of_tokens(u64::MAX, u64::MAX), u64::MAX / 1_024, "nothing overflows");
    for (bytes, weight) in [(0, 1), (1_000_000, 1), (1 << 20, 1), (10 << 20, 10)] {
        assert_eq!(weight_of_bytes(bytes), weight, "{bytes} bytes");
    }
}

#[test]
fn f_080_each_attempt_is_counted_once_whatever_comes() {
    let mut limiter = Limiter::default();
    let mut naive: Vec<(u64, u64)> = Vec::new();
    for n in 0..20_000u64 {
        let (bits, attempt) = (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32, AttemptId(n.wrapping_mul(7_919) % 50));
        let was = naive.iter().any(|(id, _)| *id == attempt.0);
        naive.retain(|(id, _)| *id != attempt.0);
        if bits.is_multiple_of(2) {
            naive.push((attempt.0, bits % 9));
            limiter.start(n, attempt, bits % 9);
        } else {
            assert_eq!(limiter.end(n, attempt, [Said::Good, Said::Pushed, Said::Other][bits as usize % 3]), was);
        }
        assert_eq!(limiter.in_flight(), naive.iter().map(|(_, weight)| weight).sum(), "LIM-1");
        assert!(limiter.limit(n).is_none_or(|limit| limit >= LEAST), "LIM-2");
    }
}

#[test]
fn f_081_nothing_is_limited_before_the_server_pushes_back() {
    let mut limiter = Limiter::default();
    for n in 0..5_000 {
        assert!(admits(&limiter, 0, 100, Priority::Sheddable));
        limiter.start(0, AttemptId(n), 100);
    }
    limiter.end(1, AttemptId(0), Said::Pushed);
    assert_eq!(limiter.limit(1), Some(350_000), "seven tenths of what was there");
    assert!(!admits(&limiter, 1, 1, Priority::Critical));
    assert_eq!(pushed(3).limit(0), Some(44), "or of 64 where that was less");
    let forgotten = 1 + FORGOTTEN;
    assert_eq!(limiter.limit(forgotten), None, "ten minutes without push-back say that there is room");
}

#[test]
fn f_081_one_client_that_asks_for_ten_million_tokens_makes_no_room_for_others() {
    let huge = weight_of_tokens(0, 10_000_000);
    assert_eq!(huge, 4_882);
    for (flights, limit) in [(&[huge][..], 89), (&[huge, 10], 96), (&[100; 10], 700), (&[huge, huge, 1], 179)] {
        let mut limiter = Limiter::default();
        let each = flights.iter().enumerate();
        each.for_each(|(at, weight)| limiter.start(0, AttemptId(at as u64), *weight));
        pass(&mut limiter, 0, Said::Pushed);
        assert_eq!(limiter.limit(0), Some(limit), "{flights:?}");
    }
    let mut alone = Limiter::default();
    alone.start(0, AttemptId(0), huge);
    alone.end(0, AttemptId(0), Said::Pushed);
    assert_eq!(alone.limit(0), Some(89), "nor does its own push-back");
}

#[test]
fn f_081_push_back_takes_three_tenths_once_per_median_latency() {
    let mut limiter = Limiter::default();
    // Nothing is known yet: a second.
    let mut at = |tick: u64| {
        pass(&mut limiter, tick * 100 * MILLISECOND, Said::Pushed);
        limiter.limit(tick * 100 * MILLISECOND).expect("learned")
    };
    let limits: Vec<u64> = (0..30).map(&mut at).collect();
    assert_eq!((limits[0], limits[9], limits[10], limits[20]), (44, 44, 30, 21), "LIM-3");

    let mut quick = Limiter::default();
    pass(&mut quick, 0, Said::Good);
    for (at, limit) in [(100, 44), (199, 44), (200, 30), (300, 21), (400, 14), (500, 9), (600, 6), (700, 4), (800, 4)] {
        pass(&mut quick, at * MILLISECOND, Said::Pushed);
        assert_eq!(quick.limit(at * MILLISECOND), Some(limit), "LIM-2: at {at} ms");
    }
}

#[test]
fn f_081_one_more_per_window_only_while_half_of_it_is_used() {
    for (used, limit) in [(0, 44), (21, 44), (22, 45), (44, 55)] {
        let mut limiter = pushed(used);
        // Answers that take nothing, every 10 ms for eleven of the shortest windows.
        (0..=110).for_each(|tick| pass(&mut limiter, tick * 10 * MILLISECOND, Said::Good));
        assert_eq!(limiter.limit(0), Some(limit), "LIM-3: {used} in use");
    }
}

#[test]
fn f_081_a_fixed_limit_stays_and_another_policy_keeps_what_is_in_flight() {
    let mut limiter = fixed(8);
    limiter.start(0, AttemptId(0), 8);
    for tick in 0..100 {
        pass(&mut limiter, tick * SECOND, if tick % 2 == 0 { Said::Pushed } else { Said::Good });
    }
    assert_eq!(limiter.limit(100 * SECOND), Some(8), "LIM-2");
    for (policy, limit) in [(LimitPolicy::Fixed(2), Some(2)), (LimitPolicy::Auto, Some(5))] {
        limiter.adopt(policy);
        assert_eq!((limiter.limit(100 * SECOND), limiter.in_flight()), (limit, 8), "{policy:?}");
    }
}

#[test]
fn f_081_the_limit_finds_the_room_of_a_server() {
    for (room, takes) in [(10, 50 * MILLISECOND), (40, 200 * MILLISECOND), (100, 200 * MILLISECOND)] {
        let (limit, pushed) = found(room, takes);
        assert!((room as u64 * 6 / 10..=room as u64 * 11 / 10).contains(&limit), "{room}: {limit}");
        assert!(pushed < 100, "{room}: {pushed} permille pushed back");
    }
}

/// A server that has room for `room` at once and pushes back beyond; more work than that always waits at the door.
/// Returns the mean limit, and the share of attempts that were pushed back, in the second half of two minutes.
fn found(room: usize, takes: Nanos) -> (u64, u64) {
    let mut limiter = Limiter::default();
    let mut serving: VecDeque<(Nanos, AttemptId)> = VecDeque::new();
    let (mut sum, mut ticks, mut all, mut pushed) = (0, 0, 0, 0);
    for (n, now) in (0..120 * SECOND).step_by(5 * MILLISECOND as usize).enumerate() {
        while serving.front().is_some_and(|(until, _)| *until <= now) {
            let (_, attempt) = serving.pop_front().expect("there is one");
            limiter.end(now, attempt, Said::Good);
        }
        for k in 0..3 {
            let attempt = AttemptId(n as u64 * 3 + k);
            if !admits(&limiter, now, 1, Priority::Critical) {
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
            (sum, ticks) = (sum + limiter.limit(now).expect("learned"), ticks + 1);
        }
    }
    (sum / ticks, pushed * 1_000 / all.max(1))
}

#[test]
fn f_084_a_class_stops_at_its_share_where_a_higher_one_has_a_claim() {
    for (limit, stops) in
        [(100, [100, 95, 80]), (64, [64, 61, 51]), (20, [20, 19, 16]), (4, [4, 4, 3]), (2, [2, 2, 2]), (1, [1, 1, 1])]
    {
        for (class, stop) in Priority::ALL.into_iter().zip(stops) {
            let mut limiter = fixed(limit);
            limiter.claim(class);
            limiter.start(0, AttemptId(0), 0);
            limiter.start(0, AttemptId(1), limit - 1);
            assert!(admits(&limiter, 1, 1, class), "{limit}: {} alone has all of it", class.name());
            limiter.claim(Priority::Critical);
            limiter.start(0, AttemptId(1), stop - 1);
            for (weight, admitted) in [(1, true), (2, stop == 1)] {
                assert_eq!(admits(&limiter, 1, weight, class), admitted, "{limit}: {} with {weight}", class.name());
            }
        }
    }
}

#[test]
fn f_085_in_the_edge_the_lot_decides_and_the_same_bits_decide_the_same() {
    let mut limiter = fixed(1_000);
    limiter.claim(Priority::Critical);
    limiter.start(0, AttemptId(0), 1);
    let admitted = |limiter: &Limiter, class| {
        let admits = |&entropy: &u64| limiter.ask(1, entropy, 1, class).is_none_or(Room::admits);
        (0..10_000).filter(admits).count()
    };
    for (used, class, expected) in [
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
        let count = admitted(&limiter, class);
        assert!(count.abs_diff(expected) <= 300, "{} at {used}: {count}", class.name());
        assert_eq!(count, admitted(&limiter, class), "LIM-5");
    }
}

#[test]
fn f_086_under_a_learned_limit_one_attempt_a_second_is_admitted_and_under_a_fixed_one_none() {
    for (mut limiter, expected) in [(pushed(100), 10), (fixed(8), 0)] {
        limiter.start(0, AttemptId(0), 100);
        let mut started = 0;
        for tick in 1..=100 {
            let now = tick * 100 * MILLISECOND;
            if admits(&limiter, now, 1, Priority::Sheddable) {
                limiter.start(now, AttemptId(tick), 1);
                started += 1;
            }
        }
        assert_eq!(started, expected, "LIM-4");
    }
}

#[test]
fn f_086_a_request_that_weighs_more_than_the_limit_goes_alone() {
    let mut limiter = fixed(4);
    assert!(admits(&limiter, 0, 125, Priority::Sheddable), "LIM-4");
    limiter.start(0, AttemptId(0), 125);
    assert!(!admits(&limiter, 1, 1, Priority::Critical));
    limiter.end(2, AttemptId(0), Said::Good);
    limiter.start(3, AttemptId(1), 1);
    assert!(!admits(&limiter, 4, 125, Priority::Critical), "LIM-2");
    assert!(admits(&limiter, 4, 3, Priority::Critical));
}

#[test]
fn f_106_only_a_servers_own_word_moves_a_limit() {
    for &result in ResultCode::ALL {
        let mut limiter = Limiter::default();
        pass(&mut limiter, 0, Said::by(result));
        let told = matches!(result, ResultCode::RateLimited | ResultCode::PushBack);
        assert_eq!(limiter.limit(0).is_some(), told, "{}", result.name());
    }
}
