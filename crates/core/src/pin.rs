//! Pin: a route that falls too often stays below for a while, and comes back by itself (F-183).
//!
//! The times of one path that flaps grow already (F-067). This is for what they do not see: several paths that take turns, and
//! a path whose back-off is switched off.
//!
//! # Invariants
//! - `PIN-1`: of any seven falls within ten minutes the last one pins, unless it ended at no model, or a pin holds.
//! - `PIN-2`: a pin ends ten minutes after it began, or where no model is left at its tier or below: a route that answers from
//!   above is not taken down again by what comes back.

use alloc::collections::VecDeque;

use crate::clock::{Nanos, SECOND};

/// Falls within a [`PERIOD`] that are borne.
const MOST: usize = 6;
/// The time in which falls are counted, and that a pin lasts.
const PERIOD: Nanos = 600 * SECOND;

/// How often a route has fallen, and where it stays for that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pin {
    falls: VecDeque<Nanos>,
    held: Option<Held>,
}

/// Where a route stays, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Those above it are asked only where no other model can answer.
    pub(crate) tier: u8,
    /// On the shell's clock.
    pub(crate) until: Nanos,
}

impl Held {
    /// Returns how long a tier is left alone for it; 0 where it is not.
    pub(crate) fn left(&self, now: Nanos, tier: u8) -> Nanos {
        if tier < self.tier { self.until.saturating_sub(now) } else { 0 }
    }
}

impl Pin {
    /// Notes that the route has fallen, to this tier if that is a model; says whether it stays there.
    pub(crate) fn fell(&mut self, now: Nanos, to: Option<u8>) -> bool {
        self.falls.retain(|at| now.saturating_sub(*at) < PERIOD);
        if self.falls.len() > MOST {
            self.falls.pop_front();
        }
        self.falls.push_back(now);
        let too_often = self.falls.len() > MOST && self.at(now).is_none();
        let Some(tier) = to.filter(|_| too_often) else { return false };
        self.held = Some(Held { tier, until: now.saturating_add(PERIOD) });
        true
    }

    /// Ends it.
    pub(crate) fn lift(&mut self) {
        self.held = None;
    }

    /// Returns where the route stays now.
    pub(crate) fn at(&self, now: Nanos) -> Option<Held> {
        self.held.filter(|held| now < held.until)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// Falls every so many seconds, to this tier; returns which of the falls pinned, counted from 1.
    fn pinned(falls: u64, every: u64, to: Option<u8>) -> Vec<u64> {
        let mut pin = Pin::default();
        (1..=falls).filter(|n| pin.fell(n * every * SECOND, to)).collect()
    }

    #[test]
    fn f_183_the_seventh_fall_within_ten_minutes_pins_for_ten() {
        // Seconds between falls, and which of thirty pin.
        const TABLE: &[(&str, u64, &[u64])] = &[
            ("all at once: the pin holds", 0, &[7]),
            ("a minute apart: the seventh, and each ten minutes", 60, &[7, 17, 27]),
            ("99 s: seven in 594 s", 99, &[7, 14, 21, 28]),
            ("100 s: the first is ten minutes old", 100, &[]),
        ];
        for &(claim, every, expected) in TABLE {
            assert_eq!(pinned(30, every, Some(1)), expected, "PIN-1, PIN-2: {claim}");
        }
        assert_eq!(pinned(30, 1, None), [], "PIN-1: there is no model to stay at");
    }

    #[test]
    fn f_183_it_is_the_tiers_above_that_are_left_alone() {
        let held = Held { tier: 2, until: 10 };
        assert_eq!([0, 1, 2, 3].map(|tier| held.left(4, tier)), [6, 6, 0, 0]);
        assert_eq!(held.left(10, 0), 0, "PIN-2");
    }
}
