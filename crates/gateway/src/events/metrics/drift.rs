//! Metrics of drift: how strong the evidence is, stream by stream, and what was not looked at.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{Counters, Labels};
use crate::{drift::Standing, names};

/// Streams of a route that have a series of their own, the strongest first; the others share one.
const MOST: usize = 20;

/// What is measured of drift.
#[derive(Default)]
pub(super) struct Drifts {
    score: Family<Labels, Gauge<f64, AtomicU64>>,
    rows: Counters,
    dropped: Counters,
}

impl Drifts {
    pub(super) fn register(&self, it: &mut Registry) {
        let help = "How strong the evidence of drift is, 1 at an alarm: of a route (feature `all`), and of its 20 strongest streams";
        it.register(names::DRIFT_SCORE, help, self.score.clone());
        it.register(names::DRIFT_ROWS, "Rows that were compared with the reference of a route", self.rows.clone());
        let dropped = self.dropped.clone();
        it.register(names::DRIFT_ROWS_DROPPED, "Rows that were not compared, for want of room", dropped);
    }

    /// Writes how routes stand.
    pub(super) fn stand(&self, routes: impl Iterator<Item = (String, Standing)>) {
        self.score.clear();
        for (route, standing) in routes {
            let of = || ("route", route.clone());
            let count = |family: &Counters, number| {
                family.get_or_create(&vec![of()]).inner().store(number, Ordering::Relaxed);
            };
            count(&self.rows, standing.seen.as_ref().map_or(0, |it| it.rows));
            count(&self.dropped, standing.dropped);
            for (feature, score) in scores(&standing) {
                self.score.get_or_create(&vec![of(), ("feature", feature)]).set(score as f64 / 1_000.0);
            }
        }
    }
}

/// Returns the scores that have a series, in thousandths.
fn scores(standing: &Standing) -> Vec<(String, i64)> {
    let mut streams: Vec<_> = standing.streams.iter().filter_map(|it| Some((it.score?, it.name.clone()))).collect();
    streams.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let other = streams.get(MOST).map(|it| ("other".to_owned(), it.0));
    let all = standing.seen.as_ref().map(|it| ("all".to_owned(), it.score));
    all.into_iter().chain(streams.into_iter().take(MOST).map(|(score, name)| (name, score))).chain(other).collect()
}
