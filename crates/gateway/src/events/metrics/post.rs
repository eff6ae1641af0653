//! Metrics of what the steps of a route change in answers.

use super::Metrics;
use crate::events::Record;

impl Metrics {
    /// Counts what was changed, by the key of the step.
    pub(in crate::events) fn posted(&self, record: &Record) {
        let decision = &record.decision;
        for posted in record.notes.iter().flat_map(|(_, notes)| &notes.posted).filter(|it| it.is_change()) {
            let route = decision.revision.routes[decision.route.index()].name.clone();
            let labels = vec![("route", route), ("step", posted.name.to_owned())];
            self.post_changes.get_or_create(&labels).inc_by(posted.changes);
        }
    }
}
