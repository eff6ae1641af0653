//! When a hedge starts, each sign against it, and what hedges cost when all is slow.

use std::vec::Vec;

use super::*;

const SMALL: Size = Size::of(0);
const FAR: Nanos = 3_600 * SECOND;

/// A path of which 200 times are known: 1 to 200 ms, all within their delay.
fn known() -> Hedging {
    let mut hedging = Hedging::new(HedgePolicy::of(Operation::Infer));
    (1..=200).for_each(|n| hedging.content(FAR, SMALL, n * MILLISECOND, false));
    hedging
}

fn calm() -> Standing {
    Standing { pushed: None, lowered: None, breaker: BreakerState::Closed, in_flight: 10, limit: 64, cost: 5, purse: 5 }
}

fn sign(hedging: &Hedging, now: Nanos, standing: Standing) -> Option<Signal> {
    hedging.ask(now, SMALL, &standing).map(|suppressed| suppressed.signal)
}

#[test]
fn f_091_the_delay_is_the_p95_and_at_least_the_floor() {
    let mut hedging = Hedging::new(HedgePolicy::of(Operation::Infer));
    (1..=199).for_each(|n| hedging.content(FAR, SMALL, n * MILLISECOND, false));
    assert_eq!(hedging.delay(FAR, SMALL), None, "HEDGE-1");
    hedging.content(FAR, SMALL, 200 * MILLISECOND, false);
    let delay = hedging.delay(FAR, SMALL).expect("200 times");
    assert!((190 * MILLISECOND..=238 * MILLISECOND).contains(&delay), "{delay}");
    assert_eq!(hedging.delay(FAR, Size::of(100_000)), None, "HEDGE-1: each size has its own");
    assert_eq!(hedging.delay(FAR + 120 * SECOND, SMALL), None, "HEDGE-1: old times are forgotten");

    for (operation, floor) in [
        (Operation::Infer, MILLISECOND),
        (Operation::Embeddings, MILLISECOND),
        (Operation::Chat, 500 * MILLISECOND),
        (Operation::ChatStream, 500 * MILLISECOND),
    ] {
        let mut quick = Hedging::new(HedgePolicy::of(operation));
        (0..200).for_each(|_| quick.content(FAR, SMALL, 0, false));
        assert_eq!(quick.delay(FAR, SMALL), Some(floor), "{}", operation.name());
    }
}

#[test]
fn f_094_ov_11_every_sign_by_table() {
    let (hedging, now) = (known(), FAR + SECOND);
    assert_eq!(hedging.ask(now, SMALL, &calm()), None);
    for (standing, sign, value, threshold) in [
        (Standing { pushed: Some(now), ..calm() }, Signal::HedgePushed, 0, 10 * SECOND),
        (Standing { pushed: Some(now - 10 * SECOND + 1), ..calm() }, Signal::HedgePushed, 10 * SECOND - 1, 10 * SECOND),
        (Standing { lowered: Some(now - SECOND), ..calm() }, Signal::HedgeLowered, SECOND, 10 * SECOND),
        (Standing { breaker: BreakerState::Ramp, ..calm() }, Signal::HedgeBreaker, 1, 0),
        (Standing { breaker: BreakerState::HalfOpen, ..calm() }, Signal::HedgeBreaker, 2, 0),
        (Standing { breaker: BreakerState::Open, ..calm() }, Signal::HedgeBreaker, 3, 0),
        (Standing { in_flight: 52, ..calm() }, Signal::HedgeRoom, 812, 800),
        (Standing { in_flight: u64::MAX, limit: 0, ..calm() }, Signal::HedgeRoom, u64::MAX, 800),
        (Standing { cost: 6, ..calm() }, Signal::HedgeCost, 6, 5),
    ] {
        assert_eq!(
            hedging.ask(now, SMALL, &standing),
            Some(Suppressed { signal: sign, value, threshold }),
            "{}",
            sign.name()
        );
    }
    for standing in [
        Standing { pushed: Some(now - 10 * SECOND), lowered: Some(now - 10 * SECOND), ..calm() },
        Standing { in_flight: 51, ..calm() },
        Standing { in_flight: 0, limit: 0, ..calm() },
    ] {
        assert_eq!(hedging.ask(now, SMALL, &standing), None, "{standing:?}");
    }
    let none = hedging.ask(now, Size::of(100_000), &calm());
    assert_eq!(none, Some(Suppressed { signal: Signal::HedgeSamples, value: 0, threshold: 200 }), "HEDGE-1");
}

#[test]
fn f_094_a_sign_has_the_reason_of_what_it_measures() {
    use crate::reason::Reason::{
        BreakerOpen, CapacityExhausted, LatencySpike, RetryBudgetEmpty, SignalNoData, UpstreamBusy,
    };
    for (sign, reason) in [
        (Signal::HedgeSamples, SignalNoData),
        // By a 429 or a 503 that asks to wait: it says that there was one, and not which (`UPSTREAM_429` is that of an attempt).
        (Signal::HedgePushed, UpstreamBusy),
        (Signal::HedgeLowered, CapacityExhausted),
        (Signal::HedgeBreaker, BreakerOpen),
        (Signal::HedgeRoom, CapacityExhausted),
        (Signal::HedgeLate, LatencySpike),
        (Signal::HedgeWins, SignalNoData),
        (Signal::HedgeCost, RetryBudgetEmpty),
    ] {
        assert_eq!(sign.reason(), reason, "{}", sign.name());
        assert!(sign.is_about_hedge() && !sign.is_about_tier(), "{}: no reason against its tier", sign.name());
    }
    let told_to_slow_down = Signal::ALL.iter().filter(|it| it.reason() == crate::reason::Reason::Upstream429);
    assert_eq!(told_to_slow_down.count(), 0, "no comparison is an answer of 429");
}

#[test]
fn f_094_the_first_sign_is_told() {
    let mut hedging = known();
    (0..300).for_each(|_| hedging.passed(FAR));
    (0..200).for_each(|_| hedging.settle(FAR, false));
    let mut standing = Standing {
        pushed: Some(FAR),
        lowered: Some(FAR),
        breaker: BreakerState::Open,
        in_flight: 99,
        limit: 64,
        cost: 1,
        purse: 0,
    };
    let mut told: Vec<Signal> = Vec::new();
    while let Some(sign) = sign(&hedging, FAR, standing) {
        told.push(sign);
        match sign {
            Signal::HedgePushed => standing.pushed = None,
            Signal::HedgeLowered => standing.lowered = None,
            Signal::HedgeBreaker => standing.breaker = BreakerState::Closed,
            Signal::HedgeRoom => standing.in_flight = 0,
            Signal::HedgeLate => (hedging.late.clear(), hedging.recent = 0).1,
            Signal::HedgeWins => hedging.settled.clear(),
            Signal::HedgeCost => standing.purse = 1,
            other => unreachable!("{}", other.name()),
        }
    }
    assert_eq!(told.len(), 7, "HEDGE-2");
    assert!(told.is_sorted(), "HEDGE-2: {told:?}");
}

#[test]
fn f_094_more_than_a_fifth_past_the_delay_is_shared_slowness() {
    let mut hedging = known();
    (0..55).for_each(|_| hedging.passed(FAR));
    (0..20).for_each(|_| hedging.content(FAR, SMALL, MILLISECOND, false));
    assert_eq!(sign(&hedging, FAR, calm()), None, "55 of 275 are a fifth");
    hedging.passed(FAR);
    assert_eq!(sign(&hedging, FAR, calm()), Some(Signal::HedgeLate));
    assert_eq!(sign(&hedging, FAR + 10 * SECOND, calm()), None, "ten seconds later it is forgotten");

    let mut hedging = known();
    (0..4).for_each(|_| hedging.passed(FAR));
    assert_eq!(sign(&hedging, FAR, calm()), None, "4 of the last 20 are a fifth");
    hedging.passed(FAR);
    assert_eq!(sign(&hedging, FAR, calm()), Some(Signal::HedgeLate), "long before it shows in ten seconds");
}

#[test]
fn f_094_content_after_the_delay_is_counted_once() {
    let mut hedging = known();
    for _ in 0..50 {
        hedging.passed(FAR);
        hedging.content(FAR, SMALL, SECOND, true);
    }
    assert_eq!(hedging.late.counts(FAR), Counts { bad: 50, all: 250 });
}

#[test]
fn f_094_less_than_a_twentieth_of_200_hedges_won() {
    for (won, expected) in [(9, Some(Signal::HedgeWins)), (10, None)] {
        let mut hedging = known();
        (0..199).for_each(|n| hedging.settle(FAR, n < won));
        assert_eq!(sign(&hedging, FAR, calm()), None, "199 say nothing");
        hedging.settle(FAR, false);
        assert_eq!(sign(&hedging, FAR, calm()), expected, "{won} of 200");
    }
}

#[test]
fn f_094_losing_is_forgiven_after_ten_minutes() {
    let mut hedging = known();
    (0..1_000).for_each(|_| hedging.settle(FAR, false));
    assert_eq!(hedging.settled.len(), 200, "what is held is bounded");
    let later = FAR + 600 * SECOND;
    (1..=200).for_each(|n| hedging.content(later - 1, SMALL, n * MILLISECOND, false));
    assert_eq!(sign(&hedging, later - 1, calm()), Some(Signal::HedgeWins));
    assert_eq!(sign(&hedging, later, calm()), None, "HEDGE-4");
    hedging.settle(later, false);
    assert_eq!(hedging.settled.len(), 1, "HEDGE-4");
}

/// Plays a route of 500 requests a second for two minutes, each as long as `takes` says. Every attempt past its delay asks.
/// Returns the hedges in permille of the requests, in the second half and in all.
fn hedged(takes: impl Fn(u64, Nanos) -> Nanos, standing: Standing) -> [u64; 2] {
    let policy = HedgePolicy::of(Operation::Infer);
    let mut hedging = Hedging::new(policy);
    let mut route = Budget::new(BudgetPolicy::default());
    let mut hedges = Budget::new(policy.purse());
    let (mut count, mut half) = (0, 0);
    // By time: a start, a delay that passes, a first content.
    let mut events: std::collections::BTreeMap<(Nanos, u64), (Nanos, bool)> = std::collections::BTreeMap::new();
    for n in 0..60_000u64 {
        let now = n * 2 * MILLISECOND;
        while let Some((key, (took, passed))) =
            events.first_key_value().map(|it| (*it.0, *it.1)).filter(|it| it.0.0 <= now)
        {
            events.remove(&key);
            let (at, id) = key;
            if took == 0 {
                hedging.passed(at);
                let asked = Standing { cost: 1_000, purse: purse(at, &route, &hedges), ..standing };
                if hedging.ask(at, SMALL, &asked).is_none() {
                    route.withdraw(at, 1_000);
                    hedges.withdraw(at, 1_000);
                    hedging.settle(at, true);
                    count += 1;
                    half += u64::from(id >= 60_000);
                }
            } else {
                hedging.content(at, SMALL, took, passed);
            }
        }
        route.deposit(now, 1_000);
        hedges.deposit(now, 1_000);
        let took = takes(n, now);
        let delay = hedging.delay(now, SMALL).filter(|delay| *delay < took);
        if let Some(delay) = delay {
            events.insert((now + delay, 2 * n), (0, true));
        }
        events.insert((now + took, 2 * n + 1), (took, delay.is_some()));
    }
    [half * 1_000 / 30_000, count * 1_000 / 60_000]
}

/// Mostly 20 ms, one in thirty 400 ms.
fn unlucky(n: u64) -> Nanos {
    if n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0xFFFF < 2_185 { 400 * MILLISECOND } else { 20 * MILLISECOND }
}

#[test]
fn f_093_hedges_of_a_lucky_path_are_its_tail_and_at_most_a_twentieth() {
    let [half, all] = hedged(|n, _| unlucky(n), calm());
    assert!((20..=50).contains(&half), "{half} permille");
    assert!(all <= 50, "HEDGE-3: {all} permille");
}

#[test]
fn f_093_a_heavy_tail_is_bounded_by_the_purse() {
    // One in twenty-five is slow, then one in seven, while the delay still speaks of before.
    let takes = |n: u64, now: Nanos| {
        let slow = if now < 60 * SECOND { 25 } else { 7 };
        if n.is_multiple_of(slow) { 400 * MILLISECOND } else { 20 * MILLISECOND }
    };
    let [half, all] = hedged(takes, calm());
    assert!((10..=50).contains(&half), "HEDGE-3: {half} permille");
    assert!(all <= 50, "HEDGE-3: {all} permille");
}

#[test]
fn ov_11_while_all_replicas_get_slower_hedges_stop() {
    let jammed = |_, now: Nanos| 20 * MILLISECOND + now.saturating_sub(60 * SECOND) / 10;
    let [half, _] = hedged(jammed, calm());
    assert!(half <= 10, "{half} permille in the minute of slowness: what the purse held, until the share was known");
    let ramping = Standing { breaker: BreakerState::Ramp, ..calm() };
    assert_eq!(hedged(|n, _| unlucky(n), ramping), [0, 0], "and none where the breaker is not closed");
}

#[test]
fn f_093_a_path_that_is_slower_for_good_has_a_tail_again() {
    let takes = |n: u64, now: Nanos| if now < 60 * SECOND { unlucky(n) } else { unlucky(n) * 10 };
    let [half, all] = hedged(takes, calm());
    assert!((20..=55).contains(&half), "{half} permille");
    assert!(all <= 50, "HEDGE-3: {all} permille");
}
