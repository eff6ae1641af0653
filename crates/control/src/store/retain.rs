//! Retain: deletes what is older than it is kept, a few rows at a time, so that nobody waits long for it.
//!
//! What is deleted from a file of SQLite leaves room for what comes; the file itself does not shrink.

use jiff::{SignedDuration, Timestamp};

use super::{
    engine::{Engine, Statement, Value},
    fault::Fault,
    rollup::SPANS,
};

/// Rows that go at once.
const STEP: u64 = 2_000;

/// Deletes decisions and events that ended before `keep`, and spans that did; returns how many rows.
pub(super) async fn sweep(engine: &dyn Engine, now: Timestamp, keep: SignedDuration) -> Result<u64, Fault> {
    let int = |it: i64| Value::Int(Some(it));
    let (now, keep) = (now.as_millisecond(), i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let mut deleted = 0;
    for table in ["decisions", "events"] {
        let sql = format!(
            "DELETE FROM {table} WHERE (instance, n) IN \
             (SELECT instance, n FROM {table} WHERE time_ms < $1 ORDER BY time_ms LIMIT {STEP})"
        );
        loop {
            let values = vec![int(now.saturating_sub(keep))];
            let gone = engine.write(vec![Statement { sql: sql.clone().into(), values, changes: None }]).await?;
            deleted += gone;
            if gone < STEP {
                break;
            }
        }
    }
    for (span, kept) in SPANS {
        let sql = "DELETE FROM rollups WHERE span_s = $1 AND start_ms < $2";
        // It is kept until its last moment is too old.
        let until = now.saturating_sub(kept.unwrap_or(keep)).saturating_sub(span * 1_000);
        let values = vec![int(span), int(until)];
        deleted += engine.write(vec![Statement { sql: sql.into(), values, changes: None }]).await?;
    }
    Ok(deleted)
}
