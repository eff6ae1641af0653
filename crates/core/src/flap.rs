//! Flap: a path that comes back and fails again stays away longer each time (F-067).
//!
//! It is not the growth of open times within one outage (F-066), which is the breaker's. It says how long the first open time
//! is, the base that those grow from.
//!
//! # Why service
//! Trust that returns by time alone is given to a path that nobody asked: it comes back as bad as it left. Trust that a
//! single success returns is no back-off. So an hour is worth nothing without requests, and requests nothing without time.
//!
//! # Invariants
//! - `FLAP-1`: the base is at least `open`, and at most the longer of `open` and `flap_max`.
//! - `FLAP-2`: it doubles only at a trip within ten minutes of the last close.
//! - `FLAP-3`: it halves at most once per ten minutes in which the path was closed, and only after ten successes in them.
//! - `FLAP-4`: from its bound it takes as many halvings down as it took doublings up.
//!
//! # When it misleads
//! A path with one request an hour needs ten hours for a halving, however well it is.

use crate::{
    clock::{Nanos, SECOND},
    revision::BreakerPolicy,
};

/// A trip that is this close to the last close is a flap; and a period of service lasts at least this long.
const PERIOD: Nanos = 600 * SECOND;
/// Successes without which a period of service proves nothing.
const PROOF: u32 = 10;

/// A time of service: since when, and how many requests it has served well.
#[derive(Clone, Copy, Debug)]
struct Service {
    since: Nanos,
    good: u32,
}

/// How often a path has come back in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flap {
    doublings: u8,
    /// When it was closed the last time; none before its first outage has ended.
    closed: Option<Nanos>,
    /// None while it is not closed, or was never tripped.
    service: Option<Service>,
}

impl Flap {
    /// Returns the first open time of the next outage.
    pub(crate) fn base(&self, policy: &BreakerPolicy) -> Nanos {
        let doubled = 1u64.checked_shl(self.doublings.into()).and_then(|times| policy.open.checked_mul(times));
        doubled.unwrap_or(Nanos::MAX).min(policy.flap_max).max(policy.open)
    }

    /// Notes that the breaker was closed: service begins.
    pub(crate) fn close(&mut self, now: Nanos) {
        self.closed = Some(now);
        self.service = Some(Service { since: now, good: 0 });
    }

    /// Counts a verified success; those that come while the breaker is not closed prove nothing yet.
    pub(crate) fn succeed(&mut self, now: Nanos) {
        let Some(service) = &mut self.service else { return };
        service.good = service.good.saturating_add(1);
        if service.good >= PROOF && now.saturating_sub(service.since) >= PERIOD {
            self.doublings = self.doublings.saturating_sub(1);
            *service = Service { since: now, good: 0 };
        }
    }

    /// Notes a trip: of a closed breaker, or of a ramp by its streaks (F-072). Failed probes are no trips.
    pub(crate) fn trip(&mut self, now: Nanos, policy: &BreakerPolicy) {
        let flapped = self.closed.is_some_and(|closed| now.saturating_sub(closed) < PERIOD);
        if flapped && self.base(policy) < policy.flap_max {
            self.doublings += 1;
        }
        self.service = None;
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn policy() -> BreakerPolicy {
        BreakerPolicy { open: 10 * SECOND, flap_max: 300 * SECOND, ..BreakerPolicy::default() }
    }

    /// Comes back and fails again at once, `times` times.
    fn flapped(times: u64) -> (Flap, Nanos) {
        let mut flap = Flap::default();
        let mut now = 0;
        for _ in 0..times {
            flap.trip(now, &policy());
            now += 60 * SECOND;
            flap.close(now);
            now += SECOND;
        }
        (flap, now)
    }

    fn seconds(flap: &Flap) -> u64 {
        flap.base(&policy()) / SECOND
    }

    #[test]
    fn f_067_the_base_doubles_up_to_its_bound() {
        let bases: Vec<u64> = (0..10).map(|times| seconds(&flapped(times).0)).collect();
        assert_eq!(bases, [10, 10, 20, 40, 80, 160, 300, 300, 300, 300], "FLAP-1, FLAP-2");
    }

    #[test]
    fn f_067_a_trip_ten_minutes_after_the_close_is_no_flap() {
        for (after, base) in [(599, 20), (600, 10), (6_000, 10)] {
            let (mut flap, _) = flapped(1);
            flap.trip((60 + after) * SECOND, &policy());
            assert_eq!(seconds(&flap), base, "FLAP-2: {after} s");
        }
    }

    #[test]
    fn f_067_a_ramp_that_trips_soon_after_the_last_close_doubles_again() {
        let (mut flap, now) = flapped(1);
        flap.trip(now, &policy());
        flap.trip(now + 60 * SECOND, &policy());
        assert_eq!(seconds(&flap), 40);
        flap.trip(now + 600 * SECOND, &policy());
        assert_eq!(seconds(&flap), 40, "the last close is too long ago");
    }

    #[test]
    fn f_067_halved_by_time_and_successes_together() {
        // Successes, seconds between them, and the base after them.
        const TABLE: &[(&str, u64, u64, u64)] = &[
            ("time alone", 9, 3_600, 300),
            ("successes alone", 100_000, 0, 300),
            ("both", 10, 60, 160),
            ("twice as long", 20, 60, 80),
            ("ten successes, but slowly", 10, 600, 160),
            ("until nothing is left", 1_000, 60, 10),
        ];
        for &(claim, successes, every, base) in TABLE {
            let (mut flap, now) = flapped(9);
            (1..=successes).for_each(|n| flap.succeed(now + n * every * SECOND));
            assert_eq!(seconds(&flap), base, "FLAP-3: {claim}");
        }
    }

    #[test]
    fn f_067_from_the_bound_it_takes_five_periods_down() {
        let (mut flap, mut now) = flapped(100);
        assert_eq!(flap.doublings, 5, "FLAP-4");
        let mut periods = 0;
        while seconds(&flap) > 10 {
            now += 600 * SECOND;
            (0..10).for_each(|_| flap.succeed(now));
            periods += 1;
        }
        assert_eq!(periods, 5, "FLAP-4");
    }

    #[test]
    fn f_067_successes_of_probes_and_ramps_prove_nothing() {
        let (mut flap, now) = flapped(9);
        flap.trip(now, &policy());
        (1..=1_000).for_each(|n| flap.succeed(now + n * 60 * SECOND));
        assert_eq!(seconds(&flap), 300);
    }

    #[test]
    fn f_067_a_bound_below_the_open_time_turns_it_off() {
        let policy = BreakerPolicy { flap_max: 5 * SECOND, ..policy() };
        let (mut flap, now) = flapped(1);
        flap.trip(now, &policy);
        assert_eq!((flap.base(&policy), flap.doublings), (10 * SECOND, 0), "FLAP-1");
    }

    #[test]
    fn f_067_every_history_of_seven_events_keeps_the_base_in_its_bounds() {
        for history in 0..3u32.pow(7) {
            let (mut flap, mut now, mut rest) = (Flap::default(), 0, history);
            for _ in 0..7 {
                let before = flap.base(&policy());
                match rest % 3 {
                    0 => flap.trip(now, &policy()),
                    1 => flap.close(now),
                    _ => (0..10).for_each(|_| flap.succeed(now)),
                }
                let after = flap.base(&policy());
                assert!((10 * SECOND..=300 * SECOND).contains(&after), "FLAP-1: {history}");
                assert!(after <= before * 2 && before <= after * 2, "{history}");
                (now, rest) = (now + 300 * SECOND, rest / 3);
            }
        }
    }
}
