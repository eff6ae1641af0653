//! Repute: what is known of one model of an upstream by those that ask it beside the tiers, whichever paths and caches they are of.
//!
//! What one of them has found out holds for all: that it fails, which of its replicas does not, and how many wait for it.
//!
//! # Invariants
//! - `REP-1`: there is one of each model for as long as somebody holds it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use evenkeel_core::{Aside, BreakerPolicy};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// Requests that wait for one model at once.
const CALLS: usize = 64;

/// What is known of a model.
pub(crate) struct Repute {
    /// Its breaker.
    pub(crate) aside: Mutex<Aside>,
    /// Places for those that wait for it.
    pub(crate) calls: Semaphore,
    /// The replica that is asked first.
    first: AtomicUsize,
}

impl Repute {
    fn new() -> Self {
        let aside = Mutex::new(Aside::new(BreakerPolicy::default()));
        Self { aside, calls: Semaphore::new(CALLS), first: AtomicUsize::new(0) }
    }

    /// Returns the replica that is asked first.
    pub(crate) fn first(&self) -> usize {
        self.first.load(Ordering::Relaxed)
    }

    /// Lets another replica be asked first, unless somebody has done so since it was `before`: of many who wait for one that hangs, one
    /// passes it over.
    pub(crate) fn turn(&self, before: usize, first: usize) {
        let _ = self.first.compare_exchange(before, first, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The reputes of an upstream, by model.
#[derive(Default)]
pub(super) struct Reputes(Mutex<BTreeMap<String, Weak<Repute>>>);

impl Reputes {
    /// Returns that of a model.
    pub(super) fn of(&self, model: &str) -> Arc<Repute> {
        let mut all = self.0.lock();
        all.retain(|_, it| it.strong_count() > 0);
        if let Some(known) = all.get(model).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::new(Repute::new());
        all.insert(model.to_owned(), Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rep_1_whoever_asks_the_same_model_shares_what_is_known_of_it() {
        let reputes = Reputes::default();
        let [one, same, other] = ["a", "a", "b"].map(|it| reputes.of(it));
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        drop((one, same));
        reputes.of("c");
        assert_eq!(reputes.0.lock().len(), 2, "what nobody holds is forgotten");
    }

    #[test]
    fn of_many_who_wait_for_a_replica_that_hangs_one_passes_it_over() {
        let repute = Repute::new();
        let before = repute.first();
        repute.turn(before, 1);
        repute.turn(before, 2);
        assert_eq!((before, repute.first()), (0, 1));
    }
}
