//! Outcomes: what an attempt's end counts, and when it is enough to cut a path off (F-062, F-063).
//!
//! It counts and compares; what becomes of the path is the breaker's.
//!
//! # Why counts
//! "Five in a row" alone misses a brown-out that fails every second request; an average hides a burst. So: a streak, a
//! fast window and a slow window, all exact counts, and a shorter streak where traffic is low, because there five
//! failures are five users.
//!
//! # When it misleads
//! After a long quiet time the windows are empty, so two failures in a row open a path that serves one request a
//! minute; that is meant.

use super::Verdict;
use crate::{
    class::{Evidence, ResultCode},
    clock::{Nanos, SECOND},
    revision::{BreakerPolicy, Rate},
    transition::Trip,
    window::Window,
};

/// How far apart the last five outcomes may be and still count together (F-063).
const RECENT: Nanos = 600 * SECOND;
/// Outcomes in the slow window below which traffic is low, and very low (F-063).
const LOW: [u32; 2] = [20, 50];

/// The outcomes since the breaker last moved.
#[derive(Clone, Debug)]
pub(super) struct Outcomes {
    fast: Window,
    slow: Window,
    /// The last five outcomes, newest first.
    recent: [Option<(Nanos, bool)>; 5],
    streak: u32,
}

impl Outcomes {
    pub(super) fn new(policy: &BreakerPolicy) -> Self {
        let (fast, slow) = (Window::new(policy.fast.window, 10), Window::new(policy.slow.window, 6));
        Self { fast, slow, recent: [None; 5], streak: 0 }
    }

    /// Goes on under another policy; windows are counted anew only where their lengths differ.
    pub(super) fn adopt(&mut self, before: &BreakerPolicy, policy: &BreakerPolicy) {
        if before.fast.window != policy.fast.window {
            self.fast = Window::new(policy.fast.window, 10);
        }
        if before.slow.window != policy.slow.window {
            self.slow = Window::new(policy.slow.window, 6);
        }
    }

    /// Counts one, and says whether it was bad.
    pub(super) fn record(&mut self, now: Nanos, verdict: Verdict) -> bool {
        let bad = verdict.evidence != Evidence::Success;
        self.fast.record(now, bad);
        self.slow.record(now, bad);
        self.recent.rotate_right(1);
        self.recent[0] = Some((now, bad));
        match verdict.evidence {
            Evidence::Success => self.streak = 0,
            Evidence::Hard if !verdict.repeated || verdict.result.blameless(verdict.status) => self.streak += 1,
            _ => {}
        }
        bad
    }

    /// Applies the trip rules in their order. In a ramp only the streaks count: its own rule judges the ratio (F-072).
    pub(super) fn judge(
        &self,
        now: Nanos,
        policy: &BreakerPolicy,
        (result, ramping): (ResultCode, bool),
    ) -> Option<Trip> {
        let slow = self.slow.counts(now);
        let streak =
            |limit: u32, rule| (self.streak >= limit).then(|| Trip::new(rule, result, (self.streak, self.streak)));
        let ratio = |window: &Window, rate: Rate, rule| {
            let counts = window.counts(now);
            let over = u64::from(counts.bad) * 1_000 >= u64::from(counts.all) * u64::from(rate.bad.thousandths());
            (counts.all >= rate.samples && over).then(|| Trip::new(rule, result, (counts.bad, counts.all)))
        };
        let quiet = match slow.all {
            all if all < LOW[0] => streak(policy.low[0], "F-063").or_else(|| self.three_of_five(now, result)),
            all if all < LOW[1] => streak(policy.low[1], "F-063"),
            _ => None,
        };
        let trip = streak(policy.consecutive, "F-062a").or(quiet);
        if ramping {
            return trip;
        }
        trip.or_else(|| ratio(&self.fast, policy.fast, "F-062b")).or_else(|| ratio(&self.slow, policy.slow, "F-062c"))
    }

    fn three_of_five(&self, now: Nanos, result: ResultCode) -> Option<Trip> {
        let recent = self.recent.iter().flatten().filter(|(at, _)| now.saturating_sub(*at) <= RECENT);
        let (of, bad) = recent.fold((0, 0), |(of, bad), it| (of + 1, bad + u32::from(it.1)));
        (bad >= 3).then(|| Trip::new("F-063", result, (bad, of)))
    }

    /// Forgets all: what happened before the breaker moved says nothing about after it.
    pub(super) fn clear(&mut self) {
        self.fast.clear();
        self.slow.clear();
        (self.recent, self.streak) = ([None; 5], 0);
    }
}
