//! Metrics of what guards find.

use std::collections::BTreeMap;

use evenkeel_core::{Decision, RouteId};
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{Counters, digest};
use crate::{
    guard::{Came, Told},
    names,
};

/// Which series: of which revision, route and guard, and what came of it.
type Key = (u64, RouteId, &'static str, Came);

/// What is counted of guards.
#[derive(Default)]
pub(super) struct Guards {
    checks: Counters,
    /// The series that records have used under the revision in force.
    series: Mutex<BTreeMap<Key, Counter>>,
}

impl Guards {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "Requests whose input a guard has looked at: passed, breached, or unmeasured";
        it.register(names::GUARD_CHECKS, help, self.checks.clone());
    }

    pub(super) fn judged(&self, decision: &Decision, told: &Told) {
        let (revision, mut series) = (digest(&decision.revision), self.series.lock());
        for (guard, came) in told.came() {
            let count = series.entry((revision, decision.route, guard, came)).or_insert_with(|| {
                let route = decision.revision.routes[decision.route.index()].name.clone();
                let labels = vec![("route", route), ("guard", guard.into()), ("result", came.name().into())];
                self.checks.get_or_create_owned(&labels)
            });
            count.inc();
        }
    }

    /// Forgets the series of earlier revisions; what was counted stays.
    pub(super) fn applied(&self) {
        self.series.lock().clear();
    }
}
