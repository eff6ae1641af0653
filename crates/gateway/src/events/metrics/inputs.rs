//! Metrics of the log of inputs.

use std::sync::atomic::Ordering;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::Gauges;
use crate::{driver::inputs::Standing, names};

/// How the log of inputs stands.
#[derive(Default)]
pub(super) struct Inputs {
    records: Counter,
    bytes: Gauge,
    ended: Gauges,
}

impl Inputs {
    pub(super) fn register(&self, it: &mut Registry) {
        it.register(names::INPUTS, "Records of the log of inputs that are on disk", self.records.clone());
        it.register(names::INPUTS_BYTES, "Bytes of the log of inputs, of earlier processes, too", self.bytes.clone());
        it.register(names::INPUTS_ENDED, "1 for why the log of inputs has ended, where it has", self.ended.clone());
    }

    pub(super) fn stand(&self, log: Option<Standing>) {
        self.ended.clear();
        let Some(Standing { records, bytes, ended }) = log else { return };
        self.records.inner().store(records, Ordering::Relaxed);
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        ended.iter().for_each(|why| {
            self.ended.get_or_create(&vec![("why", (*why).into())]).set(1);
        });
    }
}
