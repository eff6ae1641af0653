//! Window: exact counts of good and bad outcomes over the last while, in a ring of slots.
//!
//! Not a moving average: averages hide bursts, and a count is a number that an operator can check (F-062).
//!
//! # Invariants
//! - `WIN-1`: an outcome leaves the count at the window's length at the latest, and at most one slot before it.

use alloc::{vec, vec::Vec};

use crate::clock::Nanos;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    epoch: u64,
    good: u32,
    bad: u32,
}

/// Outcomes of the last while.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    slots: Vec<Slot>,
    /// Length of one slot.
    width: Nanos,
}

/// What a window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) bad: u32,
    pub(crate) all: u32,
}

impl Window {
    /// Divides `length` into `slots` slots.
    pub(crate) fn new(length: Nanos, slots: u16) -> Self {
        let width = (length / Nanos::from(slots)).max(1);
        Self { slots: vec![Slot::default(); usize::from(slots)], width }
    }

    pub(crate) fn record(&mut self, now: Nanos, bad: bool) {
        // Epochs begin at 1, so that an untouched slot never looks current.
        let epoch = now / self.width + 1;
        let at = (epoch % self.slots.len() as u64) as usize;
        let slot = &mut self.slots[at];
        if slot.epoch != epoch {
            *slot = Slot { epoch, good: 0, bad: 0 };
        }
        if bad {
            slot.bad = slot.bad.saturating_add(1);
        } else {
            slot.good = slot.good.saturating_add(1);
        }
    }

    pub(crate) fn counts(&self, now: Nanos) -> Counts {
        let oldest = (now / self.width + 2).saturating_sub(self.slots.len() as u64);
        let live = self.slots.iter().filter(|slot| slot.epoch >= oldest.max(1));
        live.fold(Counts { bad: 0, all: 0 }, |sum, slot| Counts {
            bad: sum.bad + slot.bad,
            all: sum.all + slot.bad + slot.good,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.slots.fill(Slot::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_leaves_within_the_last_slot_of_the_window() {
        let mut window = Window::new(100, 10);
        window.record(5, true);
        window.record(95, false);
        assert_eq!(window.counts(99), Counts { bad: 1, all: 2 });
        assert_eq!(window.counts(100), Counts { bad: 0, all: 1 }, "WIN-1");
        assert_eq!(window.counts(10_000), Counts { bad: 0, all: 0 });
    }

    #[test]
    fn a_slot_is_clean_when_the_ring_comes_round() {
        let mut window = Window::new(100, 10);
        (0..50).for_each(|_| window.record(7, true));
        window.record(107, false);
        assert_eq!(window.counts(107), Counts { bad: 0, all: 1 });
    }
}
