//! Metrics of what guards find.

use std::collections::BTreeMap;

use evenkeel_core::{Decision, RouteId};
use parking_lot::Mutex;
use prometheus_client::{metrics::counter::Counter, registry::Registry};

use super::{Counters, digest};
use crate::{guard::Told, names};

/// Which series: of which revision, route and guard, and what came of it; of no guard where it is how asking what a text means has ended.
type Key = (u64, RouteId, Option<&'static str>, &'static str);

/// What is counted of guards.
#[derive(Default)]
pub(super) struct Guards {
    checks: Counters,
    embedder: Counters,
    /// The series that records have used under the revision in force.
    series: Mutex<BTreeMap<Key, Counter>>,
}

impl Guards {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "Requests whose input a guard has looked at: passed, breached, or unmeasured";
        it.register(names::GUARD_CHECKS, help, self.checks.clone());
        let help = "How asking an encoder what the text of a request means has ended: ok, or why nobody has said it";
        it.register(names::GUARD_EMBEDDER, help, self.embedder.clone());
    }

    pub(super) fn judged(&self, decision: &Decision, told: &Told) {
        let (revision, mut series) = (digest(&decision.revision), self.series.lock());
        let checks = told.came().map(|(guard, came)| (Some(guard), came.name()));
        for (guard, result) in checks.chain(told.meaning.map(|it| (None, it))) {
            let count = series.entry((revision, decision.route, guard, result)).or_insert_with(|| {
                let route = ("route", decision.revision.routes[decision.route.index()].name.clone());
                match guard {
                    Some(guard) => self.checks.get_or_create_owned(&vec![
                        route,
                        ("guard", guard.into()),
                        ("result", result.into()),
                    ]),
                    None => self.embedder.get_or_create_owned(&vec![route, ("result", result.into())]),
                }
            });
            count.inc();
        }
    }

    /// Forgets the series of earlier revisions; what was counted stays.
    pub(super) fn applied(&self) {
        self.series.lock().clear();
    }
}
