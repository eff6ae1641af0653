//! Shown: the figures of routes as they were computed last, for those who read often.
//!
//! # Invariants
//! - `QUAL-4`: a scrape computes nothing, however many answers are held: it reads what the last tick, or whoever asked for figures
//!   since then, has left. A tick computes what has changed, and the rest once a minute, since labels that do not come say something,
//!   too.

use std::{collections::BTreeMap, sync::Arc};

use evenkeel_api as api;
use parking_lot::Mutex;

use super::{ledger::Ledger, nanos};

/// What was computed this long ago counts as now for who asks, if nothing has changed, ns.
const FRESH: u64 = 5_000_000_000;
/// The same for a tick.
const AGED: u64 = 60_000_000_000;

/// The figures of routes, by name.
#[derive(Default)]
pub(super) struct Shown(Mutex<BTreeMap<String, Arc<api::RouteQuality>>>);

impl Shown {
    /// Returns what was computed last of every route.
    pub(super) fn all(&self) -> Vec<Arc<api::RouteQuality>> {
        self.0.lock().values().cloned().collect()
    }

    /// Forgets routes that are gone.
    pub(super) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.0.lock().retain(|name, _| is_there(name));
    }

    /// Returns the figures of a route for whoever asks now.
    pub(super) fn asked(&self, route: &str, ledger: &mut Ledger, now: u64) -> Arc<api::RouteQuality> {
        self.of(route, ledger, (now, FRESH))
    }

    /// Computes the figures of a route where it is time to.
    pub(super) fn tick(&self, route: &str, ledger: &mut Ledger, now: u64) {
        self.of(route, ledger, (now, AGED));
    }

    fn of(&self, route: &str, ledger: &mut Ledger, (now, most): (u64, u64)) -> Arc<api::RouteQuality> {
        let last = self.0.lock().get(route).cloned();
        let changed = std::mem::take(&mut ledger.changed);
        if let Some(last) = last.filter(|it| !changed && now.saturating_sub(nanos(it.as_of)) < most) {
            return last;
        }
        let read = Arc::new(ledger.read(route, now));
        self.0.lock().insert(route.into(), read.clone());
        read
    }
}
