//! Ramp: gives traffic back to a recovered path, step by step (F-071, F-072).
//!
//! It is not a breaker: `breaker` judges whether the path is well, starts a ramp after good probes, drops it at a trip.
//!
//! # Why steps
//! A server with cold caches that gets all its traffic back at once fails again, and the route flaps. A step stands
//! still long enough to be judged, and it is a number an operator can name.
//!
//! # Invariants
//! - `RAMP-1`: the share rises only after a step was tried long enough, or stood long without a bad outcome.
//! - `RAMP-2`: a bad step drops one step; the first has none below it, so the path opens again. One bad outcome makes no step bad.
//! - `RAMP-3`: without bad outcomes the ramp ends, with or without traffic.
//! - `RAMP-4`: at least one request a second is admitted at any step, so that a step can be judged.
//!
//! # When it misleads
//! A quiet route can walk through a step on time alone, without one request having tried the path.
//!
//! # Source
//! Own design; a relative of the slow start of load balancers, in steps where they slope.

use alloc::vec::Vec;

use crate::{
    clock::{Nanos, SECOND},
    unit::Permille,
};

/// What a judged step asks of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Stay,
    Up,
    Down,
    Close,
    /// The first step was bad: how many outcomes, of how many.
    Reopen {
        bad: u32,
        of: u32,
    },
}

/// Good outcomes that let a step end after it was tried long enough (F-071).
const TRIED_GOOD: u32 = 10;
/// Outcomes from which a step may be judged bad, and one bad in how many does it, but never one alone (F-072): of a path that
/// is well, and fails once in fifty, one of the first five of a step would be bad in a ramp of three.
const JUDGED: u32 = 5;
const RELAPSE: u32 = 2;

/// One walk back to full traffic. `config` compiled the steps: ascending, never empty.
#[derive(Clone, Debug)]
pub(crate) struct Ramp {
    steps: Vec<Permille>,
    /// A step lasts at least this long.
    tried: Nanos,
    /// A step ends after this long without a bad outcome.
    quiet: Nanos,
    at: usize,
    since: Nanos,
    calm: Nanos,
    admitted: Nanos,
    good: u32,
    bad: u32,
}

impl Ramp {
    /// Stands on the first step. A step lasts at least `tried`, and ends after three times that without a bad outcome.
    pub(crate) fn start(now: Nanos, steps: &[Permille], tried: Nanos) -> Self {
        let quiet = tried.saturating_mul(3);
        Self { steps: steps.into(), tried, quiet, at: 0, since: now, calm: now, admitted: now, good: 0, bad: 0 }
    }

    /// Returns the share that is admitted at this moment: all, where nothing was for a second (RAMP-4).
    pub(crate) fn share(&self, now: Nanos) -> Permille {
        if now.saturating_sub(self.admitted) >= SECOND { Permille::ALL } else { self.steps[self.at] }
    }

    /// Notes that a request was admitted.
    pub(crate) fn admit(&mut self, now: Nanos) {
        self.admitted = now;
    }

    /// Counts one outcome and judges the step.
    pub(crate) fn record(&mut self, now: Nanos, good: bool) -> Turn {
        if good {
            self.good += 1;
        } else {
            self.bad += 1;
            self.calm = now;
        }
        self.judge(now)
    }

    /// Judges the step as it stands; a timeout asks this too.
    pub(crate) fn judge(&mut self, now: Nanos) -> Turn {
        let (age, calm) = (now.saturating_sub(self.since), now.saturating_sub(self.calm));
        let seen = self.good + self.bad;
        if seen >= JUDGED && self.bad >= RELAPSE && self.bad * JUDGED >= seen {
            return self.turn(now, self.at.checked_sub(1), Turn::Down, Turn::Reopen { bad: self.bad, of: seen });
        }
        if (age >= self.tried && self.good >= TRIED_GOOD) || calm >= self.quiet {
            let above = (self.at + 1 < self.steps.len()).then_some(self.at + 1);
            return self.turn(now, above, Turn::Up, Turn::Close);
        }
        Turn::Stay
    }

    /// Returns when the step would be judged again without an outcome.
    pub(crate) fn due(&self, now: Nanos) -> Nanos {
        let (tried, quiet) = (self.since + self.tried, self.calm + self.quiet);
        if self.good >= TRIED_GOOD && tried > now { tried.min(quiet) } else { quiet }
    }

    /// Stands on a new step with clean counts, or says what leaving the ladder means.
    fn turn(&mut self, now: Nanos, to: Option<usize>, moved: Turn, left: Turn) -> Turn {
        let Some(to) = to else { return left };
        (self.at, self.since, self.calm, self.good, self.bad) = (to, now, now, 0, 0);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Ramp {
        Ramp::start(0, &[50, 250, 1_000].map(Permille::new), 10)
    }

    #[test]
    fn f_071_a_quiet_ramp_ends_and_a_tried_step_rises() {
        let mut quiet = ramp();
        assert_eq!(
            [29, 30, 60, 90].map(|now| quiet.judge(now)),
            [Turn::Stay, Turn::Up, Turn::Up, Turn::Close],
            "RAMP-3"
        );

        let mut tried = ramp();
        assert!((1..=9).all(|now| tried.record(now, true) == Turn::Stay), "RAMP-1");
        assert_eq!(tried.record(9, true), Turn::Stay, "ten good, but not ten long");
        assert_eq!(tried.due(9), 10);
        assert_eq!(tried.judge(10), Turn::Up, "RAMP-1");
    }

    #[test]
    fn f_072_a_bad_step_drops_one_and_the_first_reopens() {
        let mut ramp = ramp();
        ramp.judge(30);
        let turns: Vec<_> = (0..5).map(|n| ramp.record(31 + n, n > 1)).collect();
        assert_eq!(turns[4], Turn::Down, "RAMP-2");
        let turns: Vec<_> = (0..5).map(|n| ramp.record(40, n > 1)).collect();
        assert_eq!(turns[4], Turn::Reopen { bad: 2, of: 5 }, "RAMP-2");
    }

    #[test]
    fn f_072_one_bad_answer_is_not_a_relapse_wherever_it_comes() {
        for bad in 0..10 {
            let mut ramp = ramp();
            let turns: Vec<_> = (0..10).map(|n| ramp.record(n, n != bad)).collect();
            assert_eq!(turns, [Turn::Stay; 10], "RAMP-2: number {bad}");
            assert_eq!(ramp.record(10, true), Turn::Up, "RAMP-1: ten good");
        }
        // Two of ten are a fifth, and two of eleven are not.
        for (good, turn) in [(8, Turn::Reopen { bad: 2, of: 10 }), (9, Turn::Stay)] {
            let mut ramp = ramp();
            ramp.record(0, false);
            (0..good).for_each(|_| assert_eq!(ramp.record(1, true), Turn::Stay));
            assert_eq!(ramp.record(2, false), turn, "{good} good");
        }
    }

    #[test]
    fn f_071_one_request_a_second_is_admitted_at_any_step() {
        let mut ramp = ramp();
        assert_eq!(ramp.share(SECOND - 1), Permille::new(50));
        assert_eq!(ramp.share(SECOND), Permille::ALL, "RAMP-4");
        ramp.admit(SECOND);
        assert_eq!(ramp.share(SECOND + 1), Permille::new(50));
    }
}
