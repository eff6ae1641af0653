//! Record: a line of a segment as a row of a table.
//!
//! # Invariants
//! - `STO-6`: a line that this version does not know is counted and passed over: what a newer writer adds holds up nobody.

use evenkeel_api::{Decision, evidence::DecisionLine};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::engine::Value;

/// A decision as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) line: DecisionLine,
    /// The whole record, where it was kept.
    pub(super) record: Option<String>,
}

/// An event as a row: what it says of itself, which is the text of its JSON.
#[derive(Deserialize)]
pub(super) struct EventRow<'a> {
    time: Timestamp,
    r#type: String,
    actor: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

/// What a row needs of a record.
#[derive(Deserialize)]
struct Whole {
    id: String,
    time: Timestamp,
    route: String,
    revision: String,
    operation: String,
    phase: String,
    attempts: Vec<IgnoredAny>,
    outcome: Outcome,
    reason: String,
}

#[derive(Deserialize)]
struct Outcome {
    tier: Option<u8>,
    method: Option<String>,
    degraded: bool,
    end: String,
    status: u16,
    latency_us: u64,
}

/// Columns of `decisions`, in the order of [`Decided::values`].
pub(super) const DECISION: [&str; 17] = [
    "instance",
    "n",
    "id",
    "time_ms",
    "route",
    "revision",
    "operation",
    "phase",
    "tier",
    "method",
    "degraded",
    "ended",
    "reason",
    "status",
    "latency_us",
    "attempts",
    "record",
];
/// Columns of `events`, in the order of [`EventRow::values`].
pub(super) const EVENT: [&str; 6] = ["instance", "n", "time_ms", "type", "actor", "data"];

impl Decided {
    /// Reads a line; none where this version does not know it.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let text = str::from_utf8(line).ok()?;
        let Schema { schema } = serde_json::from_str(text).ok()?;
        match schema.as_str() {
            Decision::SCHEMA => serde_json::from_str(text).ok().map(|it| Self::whole(it, text)),
            DecisionLine::SCHEMA => serde_json::from_str(text).ok().map(|line| Self { line, record: None }),
            _ => None,
        }
    }

    fn whole(it: Whole, text: &str) -> Self {
        let line = DecisionLine {
            schema: DecisionLine::SCHEMA.into(),
            id: it.id,
            time: it.time,
            route: it.route,
            revision: it.revision,
            operation: it.operation,
            phase: it.phase,
            tier: it.outcome.tier,
            method: it.outcome.method,
            degraded: it.outcome.degraded,
            end: it.outcome.end,
            reason: it.reason,
            status: it.outcome.status,
            latency_us: it.outcome.latency_us,
            attempts: it.attempts.len() as u64,
        };
        Self { line, record: Some(text.into()) }
    }

    pub(super) fn values(&self, instance: &str, n: u64) -> Vec<Value> {
        let it = &self.line;
        vec![
            text(instance),
            int(n),
            text(&it.id),
            Value::Int(Some(it.time.as_millisecond())),
            text(&it.route),
            text(&it.revision),
            text(&it.operation),
            text(&it.phase),
            Value::Int(it.tier.map(i64::from)),
            Value::Text(it.method.clone()),
            Value::Flag(it.degraded),
            text(&it.end),
            text(&it.reason),
            int(it.status.into()),
            int(it.latency_us),
            int(it.attempts),
            Value::Text(self.record.clone()),
        ]
    }
}

impl<'a> EventRow<'a> {
    /// Reads a line; none where this version does not know it.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    pub(super) fn values(&self, instance: &str, n: u64) -> Vec<Value> {
        let Self { time, r#type, actor, data } = self;
        vec![
            text(instance),
            int(n),
            Value::Int(Some(time.as_millisecond())),
            text(r#type),
            text(actor),
            text(data.get()),
        ]
    }
}

pub(super) fn text(it: &str) -> Value {
    Value::Text(Some(it.into()))
}

pub(super) fn int(it: u64) -> Value {
    // Numbers of a record are below 2^53.
    Value::Int(Some(it.min(i64::MAX as u64) as i64))
}
