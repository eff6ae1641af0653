//! Metrics of what is promised of the thresholds of routes: whether it holds, and by how many answers that was tested again in service.

use evenkeel_api::Certificate;
use prometheus_client::registry::Registry;

use super::{Gauges, Metrics};
use crate::names;

/// What is measured of certificates.
#[derive(Default)]
pub(super) struct Promises {
    standing: Gauges,
    rows: Gauges,
    steps: Gauges,
}

impl Promises {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "How the certificate of a route's thresholds stands: 1 valid, 2 void, 3 expired";
        it.register(names::CERTIFICATE, help, self.standing.clone());
        let help = "Answers by which it was tested again in service";
        it.register(names::CERTIFICATE_ROWS, help, self.rows.clone());
        let help = "Steps that a route has gone back from the thresholds of its certificate";
        it.register(names::CERTIFICATE_STEPS, help, self.steps.clone());
    }
}

impl Metrics {
    /// Notes how certificates stand.
    pub(crate) fn promises(&self, now: impl Iterator<Item = (String, Certificate)>) {
        self.promises.standing.clear();
        self.promises.rows.clear();
        self.promises.steps.clear();
        for (route, it) in now {
            let standing = ["valid", "void", "expired"].iter().position(|name| *name == it.standing);
            let labels = vec![("route", route)];
            self.promises.standing.get_or_create(&labels).set(standing.map_or(0, |at| at as i64 + 1));
            self.promises.rows.get_or_create(&labels).set(i64::try_from(it.tested).unwrap_or(i64::MAX));
            self.promises.steps.get_or_create(&labels).set(it.steps.into());
        }
    }
}
