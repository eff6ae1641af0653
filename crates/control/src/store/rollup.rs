//! Roll-ups: what decisions come to in a second, a minute and an hour, so that a year of history is read in no time.
//!
//! # Invariants
//! - `ROLL-1`: they are written in the transaction that writes the rows, so they are what counting the rows would give, as long as both
//!   are kept.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    engine::{Statement, Value},
    record::{Decided, int, text},
    write::insert,
};

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// Spans in seconds, and for how many milliseconds each is kept; none: as long as decisions are. The one place that says so.
///
/// A second is for looking at what happens now, a minute for the last days, an hour for all there is: about 3,600 spans of each of the
/// first two, whatever the traffic.
pub(super) const SPANS: [(i64, Option<i64>); 3] = [(1, Some(HOUR)), (60, Some(72 * HOUR)), (3_600, None)];

/// Upper ends of the buckets of latency, in microseconds; what is above the last has a bucket of its own. They are columns of the table:
/// another one is another migration.
pub(super) const BUCKETS: [u64; 15] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000, 20_000_000, 60_000_000,
];

/// Columns that name a span.
pub(super) const KEY: [&str; 5] = ["span_s", "start_ms", "route", "tier", "reason"];
/// Columns that add up.
pub(super) const SUMS: [&str; 21] = [
    "requests",
    "degraded",
    "refused",
    "errors",
    "latency_us",
    "to_1ms",
    "to_2ms",
    "to_5ms",
    "to_10ms",
    "to_20ms",
    "to_50ms",
    "to_100ms",
    "to_200ms",
    "to_500ms",
    "to_1s",
    "to_2s",
    "to_5s",
    "to_10s",
    "to_20s",
    "to_60s",
    "longer",
];

/// What the decisions of a batch come to.
#[derive(Debug, Default)]
pub(super) struct Rollups(BTreeMap<(i64, i64, String, i64, String), [u64; 21]>);

impl Rollups {
    /// Counts a decision, in each of its spans.
    pub(super) fn add(&mut self, it: &Decided) {
        let time = it.line.time.as_millisecond();
        let tier = it.line.tier.map_or(-1, i64::from);
        let bucket = BUCKETS.partition_point(|to| *to < it.line.latency_us);
        for (span, _) in SPANS {
            let start = time - time.rem_euclid(span * 1_000);
            let sums = self.0.entry((span, start, it.line.route.clone(), tier, it.line.reason.clone())).or_default();
            sums[0] += 1;
            sums[1] += u64::from(it.line.degraded);
            sums[2] += u64::from(it.line.end == "refused");
            sums[3] += u64::from(matches!(it.line.end.as_str(), "error" | "broken"));
            sums[4] += it.line.latency_us;
            sums[5 + bucket] += 1;
        }
    }

    /// Returns what adds them to those that are there.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let rows = self.0.iter().map(|((span, start, route, tier, reason), sums)| {
            let key =
                [Value::Int(Some(*span)), Value::Int(Some(*start)), text(route), Value::Int(Some(*tier)), text(reason)];
            key.into_iter().chain(sums.iter().map(|it| int(*it))).collect()
        });
        let add = SUMS.map(|it| format!("{it} = rollups.{it} + excluded.{it}")).join(", ");
        let tail = format!(" ON CONFLICT ({}) DO UPDATE SET {add}", KEY.join(", "));
        insert("rollups", &[&KEY[..], &SUMS[..]].concat(), rows.collect(), &Cow::Owned(tail))
    }
}
