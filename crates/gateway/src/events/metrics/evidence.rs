//! Metrics of what is kept on disk: how far it is durable, what is missing, what waits to be read.

use std::sync::atomic::Ordering;

use evenkeel_api::evidence::Evidence;
use prometheus_client::registry::Registry;

use super::{Counters, Gauges, Metrics};
use crate::names;

/// What is measured of the spool.
#[derive(Default)]
pub(super) struct Kept {
    durable: Gauges,
    missing: Counters,
    bytes: Gauges,
}

impl Kept {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "The last line of a stream that is on disk, with all before it: up to it, lines are acknowledged";
        it.register(names::AUDIT_DURABLE, help, self.durable.clone());
        let help = "Lines that are missing on disk, by why; a stop that nobody counted is one";
        it.register(names::AUDIT_GAP, help, self.missing.clone());
        it.register(names::AUDIT_SPOOL, "Bytes on disk that wait for whoever reads them", self.bytes.clone());
    }
}

impl Metrics {
    /// Notes how what is kept on disk is kept, where something is.
    pub(crate) fn evidence(&self, now: Option<Evidence>) {
        self.kept.durable.clear();
        self.kept.bytes.clear();
        let Some(now) = now else { return };
        let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
        self.kept.bytes.get_or_create(&Vec::new()).set(number(now.spool_bytes));
        for (stream, it) in now.streams {
            self.kept.durable.get_or_create(&vec![("stream", stream.clone())]).set(number(it.durable));
            for (why, count) in it.missing {
                let labels = vec![("stream", stream.clone()), ("why", why)];
                self.kept.missing.get_or_create(&labels).inner().store(count, Ordering::Relaxed);
            }
        }
    }
}
