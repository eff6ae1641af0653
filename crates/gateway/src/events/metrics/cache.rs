//! Metrics of the cache: how requests found it, and why answers are not kept (F-140, DA-07).

use std::sync::atomic::Ordering;

use evenkeel_core::Decision;
use prometheus_client::registry::Registry;

use super::{Counters, Gauges};
use crate::{cache::Noted, names};

/// What is counted of caches.
#[derive(Default)]
pub(super) struct Caches {
    requests: Counters,
    writes: Counters,
    bytes: Gauges,
    waiters: Gauges,
    shared: Counters,
    semantic: Counters,
}

impl Caches {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register(
            names::CACHE_REQUESTS,
            "Requests of routes with a cache, by how they found it",
            self.requests.clone(),
        );
        it.register(names::CACHE_WRITES, "Answers that were kept, and why others were not", self.writes.clone());
        let shared = self.shared.clone();
        it.register(
            names::SHARED_CACHE,
            "Look-ups in the shared store of answers, and writes, by what came of them",
            shared,
        );
        let semantic = self.semantic.clone();
        it.register(
            names::SEMANTIC_CACHE,
            "Look-ups of answers to other words, and what was kept for them, by what came",
            semantic,
        );
        let waiters = self.waiters.clone();
        it.register(names::CACHE_WAITERS, "Requests that wait for the answer to another one of the same", waiters);
        it.register(names::CACHE_BYTES, "Bytes that the answers kept of a route take", self.bytes.clone());
    }

    pub(super) fn noted(&self, decision: &Decision, noted: &Noted) {
        let route = || ("route", decision.revision.routes[decision.route.index()].name.clone());
        self.requests.get_or_create(&vec![route(), ("result", noted.status.into())]).inc();
        if let Some(written) = noted.written {
            self.writes.get_or_create(&vec![route(), ("result", written.into())]).inc();
        }
    }

    pub(super) fn shared(&self, counts: impl Iterator<Item = (&'static str, u64)>) {
        for (result, count) in counts {
            self.shared.get_or_create(&vec![("result", result.into())]).inner().store(count, Ordering::Relaxed);
        }
    }

    pub(super) fn semantic(&self, counts: impl Iterator<Item = (String, &'static str, u64)>) {
        for (route, result, count) in counts {
            let labels = vec![("route", route), ("result", result.into())];
            self.semantic.get_or_create(&labels).inner().store(count, Ordering::Relaxed);
        }
    }

    pub(super) fn stand(&self, routes: impl Iterator<Item = (String, [u64; 2])>) {
        [&self.bytes, &self.waiters].into_iter().for_each(Gauges::clear);
        for (route, numbers) in routes {
            for (gauge, number) in [&self.bytes, &self.waiters].into_iter().zip(numbers) {
                gauge.get_or_create(&vec![("route", route.clone())]).set(i64::try_from(number).unwrap_or(i64::MAX));
            }
        }
    }
}
