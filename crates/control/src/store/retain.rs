//! Retain: deletes what is older than it is kept, a few rows at a time, so that nobody waits long for it.
//!
//! What is deleted from a file of SQLite leaves room for what comes; the file itself does not shrink.

use jiff::{SignedDuration, Timestamp};

use super::{
    engine::{Engine, Statement, Value},
    fault::Fault,
    rollup::{KEY, SPANS},
};

/// Rows that go at once.
const STEP: u64 = 2_000;
/// Steps that one sweep does in each table; what is left waits until lines were stored. Of a day that has passed as many go as came that
/// day, and this is several times what comes between two sweeps that follow each other.
const STEPS: u64 = 2;

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows that are gone.
    pub gone: u64,
    /// Whether there are more that are too old.
    pub is_more: bool,
}

/// Deletes decisions and events that ended before `keep`, and spans that did, a few.
pub(super) async fn sweep(engine: &dyn Engine, now: Timestamp, keep: SignedDuration) -> Result<Swept, Fault> {
    let int = |it: i64| Value::Int(Some(it));
    let (now, keep) = (now.as_millisecond(), i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let mut swept = Swept::default();
    for table in ["decisions", "events"] {
        let sql = format!(
            "DELETE FROM {table} WHERE (instance, n) IN \
             (SELECT instance, n FROM {table} WHERE time_ms < $1 ORDER BY time_ms LIMIT {STEP})"
        );
        swept.steps(engine, &sql, vec![int(now.saturating_sub(keep))]).await?;
    }
    for (span, kept) in SPANS {
        let key = KEY.join(", ");
        let sql = format!(
            "DELETE FROM rollups WHERE ({key}) IN \
             (SELECT {key} FROM rollups WHERE span_s = $1 AND start_ms < $2 ORDER BY start_ms LIMIT {STEP})"
        );
        // It is kept until its last moment is too old.
        let until = now.saturating_sub(kept.unwrap_or(keep)).saturating_sub(span * 1_000);
        swept.steps(engine, &sql, vec![int(span), int(until)]).await?;
    }
    Ok(swept)
}

impl Swept {
    /// Deletes a few rows, again while there are more, but not for long.
    async fn steps(&mut self, engine: &dyn Engine, sql: &str, values: Vec<Value>) -> Result<(), Fault> {
        for _ in 0..STEPS {
            let step = Statement { sql: sql.to_owned().into(), values: values.clone(), changes: None };
            let gone = engine.write(vec![step]).await?;
            self.gone += gone;
            if gone < STEP {
                return Ok(());
            }
        }
        self.is_more = true;
        Ok(())
    }
}
