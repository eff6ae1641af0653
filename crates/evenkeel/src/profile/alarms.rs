//! Alarms: what the drift detector says of a reference's own rows, and how long it says nothing of others, in words and as JSON.

use evenkeel_signals::{drift::Delay, eproc::Every, replay::Replayed};
use serde_json::{Value as Json, json};

use super::{build::rows, words::span_of};

/// Says what a replay found.
pub(super) fn replayed(it: &Replayed) -> String {
    let over = it.span_ns.map_or_else(|| rows(it.rows), span_of);
    let wanted = match it.every {
        Every::Nanos(every) => span_of(every),
        Every::Rows(every) => rows(every),
    };
    let thinned = "the rows of the sample";
    match it.alarms {
        0 => format!("none in {over} ({thinned}); wanted: one in {wanted} at most"),
        alarms => {
            let each = it.span_ns.map_or_else(|| rows(it.rows / alarms), |span| span_of(span / alarms));
            let by: Vec<_> = it.culprits.iter().take(3).map(|(name, alarms)| format!("`{name}` {alarms}")).collect();
            format!(
                "{alarms} in {over} ({thinned}), one in {each}, by {}; wanted: one in {wanted} at most",
                by.join(", ")
            )
        }
    }
}

/// Says how long shifts go unnoticed.
pub(super) fn unnoticed(of: &Delay, every_rows: u64) -> String {
    let after = |it: Option<u64>| it.map_or_else(|| "more than 50000".into(), |it| it.to_string());
    let [quarter, half, whole] = [of.quarter, of.half, of.whole].map(after);
    format!(
        "{quarter} rows by ¼ of its standard deviation, {half} by ½, {whole} by 1 (medians, at a false alarm in {})",
        rows(every_rows)
    )
}

/// Writes what a replay found.
pub(super) fn replayed_json(of: &Replayed) -> Json {
    let (every_ns, every_rows) = match of.every {
        Every::Nanos(it) => (Some(it), None),
        Every::Rows(it) => (None, Some(it)),
    };
    let culprits: Vec<_> = of.culprits.iter().map(|it| json!({"name": it.0, "alarms": it.1})).collect();
    json!({
        "alarms": of.alarms, "rows": of.rows, "span_ns": of.span_ns, "wanted_ns": every_ns,
        "wanted_rows": every_rows, "culprits": culprits,
    })
}
