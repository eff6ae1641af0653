//! The lines of a drift alarm and of its end: which streams, since when, how strong; not a value of any input.

use evenkeel_signals::drift::Evidence;
use jiff::Timestamp;
use serde_json::json;

use crate::drift::{Seen, thousandths};

/// Writes the line of an alarm.
pub(crate) fn drift_alarm(route: &str, it: &Evidence) {
    let culprits: Vec<_> =
        it.culprits.iter().map(|it| json!([it.name, thousandths(it.wealth), at(it.since)])).collect();
    tracing::warn!(
        target: "evenkeel::drift",
        route,
        since = at(it.since),
        score_permille = thousandths(it.wealth),
        samples = it.rows,
        culprits = %json!(culprits),
        "what comes in or goes out is no longer like the reference",
    );
}

/// Writes the line of the end of an alarm.
pub(crate) fn drift_over(route: &str, it: &Seen) {
    tracing::info!(
        target: "evenkeel::drift",
        route,
        score_permille = it.score,
        samples = it.rows,
        "no more is seen of the drift",
    );
}

fn at(nanos: u64) -> String {
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::MAX).to_string()
}
