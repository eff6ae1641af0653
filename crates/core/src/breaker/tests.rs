//! The trip rules by table, the half-open leases, and the way back.

use std::{format, string::String, vec};

use super::*;
use crate::clock::{MILLISECOND, SECOND};

fn breaker() -> Breaker {
    Breaker::new(BreakerPolicy::default())
}

fn verdict(attempt: u64, result: ResultCode, status: Option<u16>) -> Verdict {
    let evidence = result.evidence();
    Verdict { attempt: AttemptId(attempt), result, status, evidence, repeated: false, entropy: attempt }
}

/// Feeds outcomes at an interval: `+` good, `-` hard, `~` soft, `.` no evidence. Returns at which one it opened, and why.
fn opens_at(outcomes: &str, every: Nanos) -> Option<(usize, &'static str)> {
    let mut breaker = breaker();
    for (n, outcome) in outcomes.chars().enumerate() {
        let result = match outcome {
            '+' => ResultCode::Ok,
            '-' => ResultCode::Status5xx,
            '~' => ResultCode::EmptyAnswer,
            _ => ResultCode::RateLimited,
        };
        breaker.record(n as Nanos * every, verdict(n as u64, result, Some(500)));
        if breaker.state() == BreakerState::Open {
            return Some((n + 1, breaker.trip().expect("an open breaker was tripped").rule));
        }
    }
    None
}

#[test]
fn f_062_f_063_the_trip_rules_by_table() {
    let busy = "+".repeat(60);
    type Row = (&'static str, String, Nanos, Option<(usize, &'static str)>);
    let table: &[Row] = &[
        ("five in a row where traffic is high", format!("{busy}-----"), 10 * MILLISECOND, Some((65, "F-062a"))),
        ("four are not enough there", format!("{busy}----+----+"), 10 * MILLISECOND, None),
        ("two in a row where traffic is low", "+--".into(), SECOND, Some((3, "F-063"))),
        ("three in a row at 20 to 49 outcomes", format!("{}---", "+".repeat(25)), SECOND, Some((28, "F-063"))),
        ("three of the last five, low traffic", "+-+-+-".into(), 30 * SECOND, Some((6, "F-063"))),
        ("but not over more than ten minutes", "+-+-+-".into(), 200 * SECOND, None),
        (
            "half of the fast window",
            format!("{}{}", "+".repeat(25), "-+".repeat(60)),
            500 * MILLISECOND,
            Some((44, "F-062b")),
        ),
        ("a fifth of the slow window", format!("{busy}{}", "-++".repeat(60)), 200 * MILLISECOND, Some((145, "F-062c"))),
        ("soft ones count in ratios only", "~~~~".into(), SECOND, Some((3, "F-063"))),
        ("what is no evidence never counts", ".".repeat(200), MILLISECOND, None),
    ];
    for (claim, outcomes, every, expected) in table {
        assert_eq!(opens_at(outcomes, *every), *expected, "{claim}");
    }
}

#[test]
fn f_065_one_request_counts_once_unless_it_cannot_be_its_fault() {
    for (status, opens) in [(Some(500), false), (Some(503), true)] {
        let mut breaker = breaker();
        breaker.record(0, verdict(1, ResultCode::Status5xx, status));
        breaker.record(1, Verdict { repeated: true, ..verdict(2, ResultCode::Status5xx, status) });
        assert_eq!(breaker.state() == BreakerState::Open, opens, "{status:?}");
    }
}

/// Opens it at time 0 and returns when it lets probes through.
fn trip(breaker: &mut Breaker, now: Nanos) -> Nanos {
    for n in 0..2 {
        breaker.record(now, verdict(n, ResultCode::ConnectFailed, None));
    }
    breaker.due(now).expect("an open breaker has a time")
}

#[test]
fn f_066_open_times_grow_to_their_bound_and_jitter_by_a_fifth() {
    let mut breaker = breaker();
    let mut at = trip(&mut breaker, 0);
    let mut lengths = vec![at];
    for n in 10..14 {
        breaker.start(at, AttemptId(n), Nanos::MAX);
        breaker.record(at, verdict(n, ResultCode::Status5xx, Some(500)));
        let until = breaker.due(at).expect("it is open again");
        lengths.push(until - at);
        at = until;
    }
    for (length, base) in lengths.iter().zip([10, 20, 30, 30, 30]) {
        assert!((base * SECOND..=base * SECOND * 6 / 5).contains(length), "BRK-4: {length} for {base} s");
    }
}

#[test]
fn f_067_a_path_that_flaps_stays_away_for_longer_each_time_and_a_failed_probe_is_no_flap() {
    let mut breaker = Breaker::new(BreakerPolicy { ramp: [Permille::ALL].into(), ..BreakerPolicy::default() });
    let mut lengths = vec![];
    let mut now = 0;
    for n in (0..7).map(|n| n * 10) {
        let mut at = trip(&mut breaker, now);
        lengths.push((at - now) / SECOND);
        // One probe fails, two are good, and the ramp is over after 30 s without a bad outcome.
        for (probe, result) in [(n, ResultCode::Status5xx), (n + 1, ResultCode::Ok), (n + 2, ResultCode::Ok)] {
            breaker.start(at, AttemptId(probe), Nanos::MAX);
            breaker.record(at, verdict(probe, result, None));
            at = if result.is_ok() { at } else { breaker.due(at).expect("it is open again") };
        }
        now = at + 30 * SECOND;
        breaker.tick(now, 0);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
    for (length, base) in lengths.iter().zip([10, 20, 40, 80, 160, 300, 300]) {
        assert!((base..=base * 6 / 5).contains(length), "BRK-4: {lengths:?}");
    }
}

#[test]
fn f_068_half_open_admits_one_probe_until_it_shows_content_then_three() {
    let mut breaker = breaker();
    let at = trip(&mut breaker, 0);
    assert!(!breaker.ask(at - 1, 0).admits(), "BRK-1");
    assert!(breaker.ask(at, 0).admits());
    assert!(breaker.start(at, AttemptId(10), Nanos::MAX), "it is a probe");
    assert!(!breaker.ask(at, 0).admits(), "BRK-1: one until it shows content");
    breaker.content(at + 1, AttemptId(10));
    for n in 11..13 {
        assert!(breaker.ask(at, 0).admits());
        breaker.start(at, AttemptId(n), Nanos::MAX);
    }
    assert!(!breaker.ask(at, 0).admits(), "BRK-1: three are out");
}

#[test]
fn f_069_a_lease_ends_by_verdict_release_or_expiry() {
    let lease = |expires| {
        let mut breaker = breaker();
        let at = trip(&mut breaker, 0);
        breaker.start(at, AttemptId(10), at + expires);
        (breaker, at)
    };
    let (mut released, at) = lease(5);
    released.record(at + 1, verdict(10, ResultCode::ClientGone, None));
    assert_eq!(released.state(), BreakerState::HalfOpen, "BRK-3");
    assert!(released.ask(at + 1, 0).admits(), "BRK-2");

    let (mut expired, at) = lease(5);
    expired.tick(at + 4, 0);
    assert_eq!(expired.state(), BreakerState::HalfOpen);
    expired.tick(at + 5, 0);
    assert_eq!((expired.state(), expired.trip().map(|trip| trip.rule)), (BreakerState::Open, Some("F-069")), "BRK-2");

    let (mut renewed, at) = lease(5);
    renewed.renew(AttemptId(10), at + 9);
    renewed.tick(at + 5, 0);
    assert_eq!(renewed.state(), BreakerState::HalfOpen);
}

#[test]
fn f_070_two_good_probes_start_the_ramp_and_push_back_is_not_good() {
    let mut breaker = breaker();
    let at = trip(&mut breaker, 0);
    let probe = |breaker: &mut Breaker, n, result| {
        breaker.start(at, AttemptId(n), Nanos::MAX);
        breaker.record(at, verdict(n, result, None));
        breaker.state()
    };
    assert_eq!(probe(&mut breaker, 10, ResultCode::PushBack), BreakerState::HalfOpen);
    assert_eq!(probe(&mut breaker, 11, ResultCode::Ok), BreakerState::HalfOpen);
    assert_eq!(probe(&mut breaker, 12, ResultCode::RateLimited), BreakerState::HalfOpen);
    assert_eq!(probe(&mut breaker, 13, ResultCode::Ok), BreakerState::Ramp);
}

#[test]
fn f_070_unbroken_content_is_a_good_probe_before_its_end() {
    let mut breaker = breaker();
    let at = trip(&mut breaker, 0);
    for n in [10, 11] {
        breaker.start(at, AttemptId(n), Nanos::MAX);
        breaker.content(at, AttemptId(n));
    }
    for n in [10, 11] {
        breaker.content(at + 10 * SECOND, AttemptId(n));
    }
    assert_eq!(breaker.state(), BreakerState::Ramp);
}

#[test]
fn f_071_the_ramp_closes_by_itself_and_forgets_the_trip() {
    let mut breaker = breaker();
    let at = trip(&mut breaker, 0);
    for n in [10, 11] {
        breaker.start(at, AttemptId(n), Nanos::MAX);
        breaker.record(at, verdict(n, ResultCode::Ok, None));
    }
    let mut now = at;
    while let Some(due) = breaker.due(now) {
        now = due;
        breaker.tick(now, 0);
    }
    assert_eq!((breaker.state(), breaker.trip()), (BreakerState::Closed, None));
    assert_eq!(now - at, 4 * 30 * SECOND, "four quiet steps");
    let jittered = |base| base + Permille::new(Permille::lot(1) / 5).of(base);
    let mut soon = breaker.clone();
    assert_eq!(trip(&mut soon, now) - now, jittered(20 * SECOND), "F-067: a flap");
    let later = now + 600 * SECOND;
    assert_eq!(trip(&mut breaker, later) - later, jittered(10 * SECOND), "ten minutes later it is none");
}

#[test]
fn f_072_a_bad_first_step_opens_for_as_long_as_before() {
    let mut breaker = breaker();
    let at = trip(&mut breaker, 0);
    for n in [10, 11] {
        breaker.start(at, AttemptId(n), Nanos::MAX);
        breaker.record(at, verdict(n, ResultCode::Ok, None));
    }
    for n in 0..5 {
        let result = if n == 1 || n == 3 { ResultCode::Status5xx } else { ResultCode::Ok };
        breaker.record(at + n, verdict(20 + n, result, None));
    }
    let reopened = breaker.trip().expect("it is open again");
    assert_eq!((breaker.state(), reopened.rule, reopened.bad, reopened.of), (BreakerState::Open, "F-072", 2, 5));
    let open = breaker.due(at).expect("an open time ends") - (at + 4);
    assert!((10 * SECOND..=12 * SECOND).contains(&open), "{open}");
}
