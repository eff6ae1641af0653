//! First: how long a stream may take to its first content, where that is learned (F-022, `first_token: auto`).
//!
//! It keeps the times of one path by the size of the prompt, and says the clock. What the clock ends is `attempt`'s, and what is
//! kept for lower tiers is `plan`'s. What breaks the silence counts, content or reasoning: it is what stops the clock (F-023).
//!
//! # Why four times the 95th percentile
//! The clock is there for those that hang, not for those that are slow: a slow answer that is cut off has cost its prompt twice.
//! With two seconds at least a busy moment ends nobody, and with twenty at most nobody waits for a server that has always been
//! slow until nothing is left for the tiers below.
//!
//! # Invariants
//! - `FIRST-1`: below 50 times of a size its clock is the default; else it lies between 2 s and 20 s.
//! - `FIRST-2`: a silence that the clock has ended counts as twice the clock, so that a path that has become slower for good
//!   lengthens it until it is heard again; any other silence that was ended only ever lengthens it.
//!
//! # When it misleads
//! The percentile is known within a quarter, so "four times" is up to five. When a path falls silent that was quick, its clock
//! grows, too, after some ten timeouts; the breaker opens before.

use crate::{
    clock::{Nanos, SECOND},
    latency::Latency,
    size::{SIZES, Size},
};

/// How many percentiles long it is.
const TIMES: Nanos = 4;
/// The shortest and the longest clock that is learned. Shorter, and a busy moment would end streams that are well.
pub const FIRST_CLOCKS: [Nanos; 2] = [2 * SECOND, 20 * SECOND];
/// Times of one size at which the older ones lose half of their weight. More, and a path that has become slower for good would
/// have to time out for longer until that is known: each twentieth of so many, once in an open time of its breaker.
const MEMORY: u32 = 256;

/// The times to first content of the streams of one path.
#[derive(Clone, Debug)]
pub(crate) struct First {
    times: [Latency; SIZES],
}

impl First {
    /// The clock of a size that too little is known of: that of a tier that names none.
    pub(crate) const UNKNOWN: Nanos = 10 * SECOND;

    pub(crate) fn new() -> Self {
        Self { times: core::array::from_fn(|_| Latency::keeping(MEMORY, 1)) }
    }

    /// Returns how long the first content of a stream of this size may take (FIRST-1).
    pub(crate) fn clock(&self, size: Size) -> Nanos {
        let p95 = self.times[size.index()].p95();
        let [least, most] = FIRST_CLOCKS;
        p95.map_or(Self::UNKNOWN, |p95| p95.saturating_mul(TIMES).clamp(least, most))
    }

    /// Takes in how long a stream was silent before it spoke.
    pub(crate) fn spoke(&mut self, size: Size, took: Nanos) {
        self.times[size.index()].record(took);
    }

    /// Takes in a stream that this clock has ended before it spoke (FIRST-2).
    pub(crate) fn timed_out(&mut self, size: Size, clock: Nanos) {
        self.times[size.index()].record(clock.saturating_mul(2));
    }

    /// Takes in a silence that something else has ended: a client that left, or the deadline.
    pub(crate) fn silent(&mut self, size: Size, took: Nanos) {
        self.times[size.index()].at_least(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MILLISECOND;

    const SHORT: Size = Size::of(10);

    fn after(times: u64, took: Nanos) -> First {
        let mut first = First::new();
        (0..times).for_each(|_| first.spoke(SHORT, took));
        first
    }

    #[test]
    fn f_022_below_fifty_times_of_a_size_the_clock_is_the_default() {
        assert_eq!(after(49, MILLISECOND).clock(SHORT), 10 * SECOND, "FIRST-1");
        assert_eq!(after(50, MILLISECOND).clock(SHORT), 2 * SECOND);
        assert_eq!(after(50, MILLISECOND).clock(Size::of(10_000)), 10 * SECOND, "no other prompt length");
    }

    #[test]
    fn f_022_the_clock_is_four_times_the_percentile_between_two_seconds_and_twenty() {
        for (took, least, most) in [(100, 2_000, 2_000), (1_000, 4_000, 5_000), (4_000, 16_000, 20_000)] {
            let clock = after(60, took * MILLISECOND).clock(SHORT);
            assert!((least * MILLISECOND..=most * MILLISECOND).contains(&clock), "{took} ms: {clock}");
        }
        assert_eq!(after(60, 60 * SECOND).clock(SHORT), 20 * SECOND);
        assert_eq!(after(60, Nanos::MAX).clock(SHORT), 20 * SECOND);
    }

    #[test]
    fn f_022_one_in_twenty_that_is_late_is_heard_and_fewer_are_not() {
        let mixed = |late: u64| {
            let mut first = after(100 - late, 200 * MILLISECOND);
            (0..late).for_each(|_| first.spoke(SHORT, 3 * SECOND));
            first.clock(SHORT)
        };
        assert_eq!(mixed(4), 2 * SECOND);
        assert!(mixed(5) >= 12 * SECOND);
    }

    #[test]
    fn f_022_what_timed_out_counts_as_twice_its_clock_until_the_path_is_heard_again() {
        let mut first = after(10_000, 100 * MILLISECOND);
        let mut timeouts = 0;
        while first.clock(SHORT) < 6 * SECOND {
            let clock = first.clock(SHORT);
            first.timed_out(SHORT, clock);
            timeouts += 1;
        }
        assert!((5..=13).contains(&timeouts), "FIRST-2: {timeouts}");
        assert!(first.clock(SHORT) >= 16 * SECOND, "four times twice two seconds");
        (0..600).for_each(|_| first.spoke(SHORT, 100 * MILLISECOND));
        assert_eq!(first.clock(SHORT), 2 * SECOND, "and it is forgotten");
    }

    #[test]
    fn f_173_a_silence_that_was_ended_by_others_only_lengthens_the_clock() {
        let mut first = after(60, SECOND);
        let clock = first.clock(SHORT);
        (0..600).for_each(|_| first.silent(SHORT, MILLISECOND));
        assert_eq!(first.clock(SHORT), clock);
        (0..10).for_each(|_| first.silent(SHORT, 4 * SECOND));
        assert!(first.clock(SHORT) > clock);
        let mut none = First::new();
        (0..600).for_each(|_| none.silent(SHORT, SECOND));
        assert_eq!(none.clock(SHORT), 10 * SECOND, "FIRST-1");
    }
}
