//! Metrics of copies of requests, and of when tiers were exercised (F-150, F-153).

use std::{collections::BTreeMap, sync::atomic::AtomicU64};

use evenkeel_core::{Nanos, Revision, RouteState};
use parking_lot::Mutex;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Counters, Histograms, Labels, durations, seconds};
use crate::{names, shadow::Shadowed};

/// Rows after which those of before count half: a ratio is of the last few thousand.
const FULL: u64 = 2_000;

type Ratios = Family<Labels, Gauge<f64, AtomicU64>>;

/// What is counted of copies.
pub(super) struct Shadows {
    attempts: Counters,
    duration: Histograms,
    rows: Counters,
    disagreement: Ratios,
    age: Ratios,
    /// By route and path: rows that were compared lately, and those that disagreed.
    lately: Mutex<BTreeMap<(String, String), (u64, u64)>>,
}

impl Default for Shadows {
    fn default() -> Self {
        let (attempts, rows) = (Counters::default(), Counters::default());
        let (disagreement, age, lately) = (Ratios::default(), Ratios::default(), Mutex::default());
        Self { attempts, duration: durations(), rows, disagreement, age, lately }
    }
}

impl Shadows {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register(names::SHADOWS, "Copies of requests to lower tiers, by result", self.attempts.clone());
        it.register(names::SHADOW_DURATION, "Time of a copy of a request", self.duration.clone());
        it.register(names::SHADOW_ROWS, "Rows, or texts, of copies that were compared", self.rows.clone());
        it.register(
            names::SHADOW_DISAGREEMENT,
            "Share of the last compared rows, or texts, that differ from what clients got",
            self.disagreement.clone(),
        );
        it.register(names::REHEARSAL_AGE, "Time since a tier last answered well", self.age.clone());
    }

    pub(super) fn over(&self, it: &Shadowed) {
        let labels = vec![("route", it.route.clone()), ("path", it.path.clone())];
        self.duration.get_or_create(&labels).observe(seconds(it.took));
        if let Some(compared) = &it.compared {
            self.rows.get_or_create(&labels).inc_by(compared.rows);
            let mut lately = self.lately.lock();
            let (rows, bad) = lately.entry((it.route.clone(), it.path.clone())).or_default();
            (*rows, *bad) = (*rows + compared.rows, *bad + compared.rows - compared.agreed);
            self.disagreement.get_or_create(&labels).set(*bad as f64 / (*rows).max(1) as f64);
            if *rows > FULL {
                (*rows, *bad) = (*rows / 2, *bad / 2);
            }
        }
        let labels = [labels, vec![("result", it.result.into())]].concat();
        self.attempts.get_or_create(&labels).inc();
    }

    /// Notes how long ago each tier was exercised, as it stands now.
    pub(super) fn stand(&self, now: Nanos, revision: &Revision, routes: &[RouteState]) {
        self.age.clear();
        for (route, state) in revision.routes.iter().zip(routes) {
            for (tier, state) in route.tiers.iter().zip(&state.tiers) {
                let Some(at) = state.exercised else { continue };
                let labels = vec![("route", route.name.clone()), ("path", tier.name.clone())];
                self.age.get_or_create(&labels).set(seconds(now.saturating_sub(at)));
            }
        }
    }
}
