//! History: what decisions came to, in spans, from the roll-ups alone.

use evenkeel_api::{History, Span};
use jiff::Timestamp;

use super::{
    engine::{Of, Value},
    query::{Columns, Filters, Wanted},
    record::text,
    rollup::{SPANS, SUMS},
};

/// Spans that are told at most.
const MOST_SPANS: usize = 10_000;

/// Which history is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// Of this route, or of all.
    pub route: Option<String>,
    /// Spans that begin then or later.
    pub from: Timestamp,
    /// Spans that begin before.
    pub to: Timestamp,
    /// Seconds of a span: 1, 60 or 3600.
    pub span_s: i64,
}

impl Times {
    /// Reads the query of an address; without `from` it is the last hour in minutes.
    ///
    /// # Errors
    /// A key that there is not, one that comes twice, or a value that it does not take, by name.
    pub fn read<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>, now: Timestamp) -> Result<Self, String> {
        let (mut span, mut wanted, mut seen) = (60, Wanted::default(), Vec::new());
        for (key, value) in query {
            if seen.contains(&key) {
                return Err(format!("`{key}` comes twice"));
            }
            seen.push(key);
            match key {
                "route" | "from" | "to" => wanted.set(key, value)?,
                "span" => {
                    let known = [("1s", 1), ("1m", 60), ("1h", 3_600)].into_iter().find(|(name, _)| *name == value);
                    span = known.ok_or("`span` is 1s, 1m or 1h")?.1;
                }
                _ => return Err(format!("there is no `{key}`; there are route, from, to, span")),
            }
        }
        let to = wanted.to.unwrap_or(now);
        let from = wanted.from.unwrap_or_else(|| to.saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap_or(to));
        Ok(Self { route: wanted.route, from, to, span_s: span })
    }

    /// Returns the statement that finds it, with its values.
    pub(super) fn statement(&self) -> (String, Vec<Value>) {
        let mut filters = Filters::default();
        filters.add("span_s = $", Value::Int(Some(self.span_s)));
        filters.add("start_ms >= $", Value::Int(Some(self.from.as_millisecond())));
        filters.add("start_ms < $", Value::Int(Some(self.to.as_millisecond())));
        self.route.iter().for_each(|it| filters.add("route = $", text(it)));
        let sql = format!(
            "SELECT start_ms, route, tier, reason, {} FROM rollups{} ORDER BY start_ms, route, tier, reason LIMIT {MOST_SPANS}",
            SUMS.join(", "),
            filters.sql
        );
        (sql, filters.values)
    }

    /// Takes rows for a history.
    pub(super) fn told(&self, rows: Vec<Vec<Value>>) -> History {
        let span = |row: Vec<Value>| {
            let mut row = Columns(row.into_iter());
            let (start, route, tier, reason) = (row.int()?, row.text()?, row.int()?, row.text()?);
            let sums: Vec<u64> = std::iter::from_fn(|| row.int()).map(|it| it.try_into().unwrap_or_default()).collect();
            let [requests, degraded, refused, errors, latency_us, latency @ ..] = sums.as_slice() else { return None };
            Some(Span {
                start: Timestamp::from_millisecond(start).ok()?,
                route,
                tier: tier.try_into().ok(),
                reason,
                requests: *requests,
                degraded: *degraded,
                refused: *refused,
                errors: *errors,
                latency_us: *latency_us,
                latency: latency.to_vec(),
            })
        };
        debug_assert!(SPANS.iter().any(|(span, _)| *span == self.span_s));
        History {
            span_s: self.span_s.try_into().unwrap_or_default(),
            spans: rows.into_iter().filter_map(span).collect(),
        }
    }
}

/// The kinds of the columns of a history.
pub(super) const SPAN_KINDS: &[Of] = &{
    let mut kinds = [Of::Int; 4 + SUMS.len()];
    (kinds[1], kinds[3]) = (Of::Text, Of::Text);
    kinds
};
