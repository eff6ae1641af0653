//! Recent: what requests of the last 30 s were like and how they went, slot by slot, as points of triggers are made of it.

use std::collections::{BTreeMap, VecDeque};

use evenkeel_core::Nanos;
use evenkeel_signals::sketch::Sketch;

/// Slots of which points are made: 30 s.
const SLOTS: usize = 6;
/// Requests that a point takes.
const ENOUGH: u64 = 20;

/// What requests of the last 30 s were like, the latest slot first; what still grows stands at the front.
#[derive(Default)]
pub(super) struct Recent(VecDeque<Slot>);

/// What came between two points.
#[derive(Default)]
struct Slot {
    times: Sketch,
    /// Answers of the first tier whose confidence is known, and its sum.
    sure: (u64, f64),
    /// By guard: requests that it could measure, and those that it moved.
    guards: BTreeMap<&'static str, (u64, u64)>,
}

impl Recent {
    /// Begins another slot.
    pub(super) fn turn(&mut self) {
        self.0.push_front(Slot::default());
        self.0.truncate(SLOTS);
    }

    /// Takes note of a time to first content.
    pub(super) fn took(&mut self, at: u64, took: Nanos) {
        if let Some(slot) = self.0.front_mut() {
            slot.times.update(at, took as f64 / 1e3);
        }
    }

    /// Takes note of how sure the first tier was of an answer.
    pub(super) fn sure(&mut self, confidence: f64) {
        if let Some(slot) = self.0.front_mut() {
            slot.sure = (slot.sure.0 + 1, slot.sure.1 + confidence);
        }
    }

    /// Takes note of whether a guard moves a request.
    pub(super) fn guard(&mut self, name: &'static str, moves: bool) {
        if let Some(slot) = self.0.front_mut() {
            let (all, moved) = slot.guards.entry(name).or_default();
            (*all, *moved) = (*all + 1, *moved + u64::from(moves));
        }
    }

    /// Returns the 95th percentile of times to first content, ms.
    pub(super) fn p95(&self) -> Option<f64> {
        let mut all = Sketch::default();
        for slot in &self.0 {
            // All sketches have the same buckets.
            let _ = all.merge(&slot.times);
        }
        all.read(0.95, ENOUGH).map(|it| it.value / 1e3)
    }

    /// Returns how sure the first tier is on average.
    pub(super) fn confidence(&self) -> Option<f64> {
        let (n, sum) = self.0.iter().fold((0, 0.0), |(n, sum), it| (n + it.sure.0, sum + it.sure.1));
        (n >= ENOUGH).then(|| sum / n as f64)
    }

    /// Returns the share of requests that a guard moves.
    pub(super) fn moved(&self, guard: &str) -> Option<f64> {
        let counts = self.0.iter().filter_map(|it| it.guards.get(guard));
        let (all, moved) = counts.fold((0, 0), |(all, moved), it| (all + it.0, moved + it.1));
        (all >= ENOUGH).then(|| moved as f64 / all as f64)
    }
}
