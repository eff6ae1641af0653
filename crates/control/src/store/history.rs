//! History: what decisions came to, in spans, from the roll-ups alone.

use evenkeel_api::{History, Span};
use jiff::Timestamp;

use super::{
    engine::{Of, Value},
    query::{Columns, Filters, Wanted},
    record::text,
    rollup::{SPANS, SUMS},
};

/// Spans that are told at most; those that begin at one moment are told together.
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
            "SELECT start_ms, route, tier, reason, {} FROM rollups{} ORDER BY start_ms, route, tier, reason LIMIT {}",
            SUMS.join(", "),
            filters.sql,
            MOST_SPANS + 1
        );
        (sql, filters.values)
    }

    /// Takes rows for a history; of more than are told, whole moments are left for the next one.
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
        let is_cut = rows.len() > MOST_SPANS;
        let mut spans: Vec<Span> = rows.into_iter().filter_map(span).collect();
        let (mut next, mut incomplete) = (None, None);
        if is_cut {
            next = spans.last().map(|it| it.start);
            spans.retain(|it| Some(it.start) != next);
            if spans.is_empty() {
                incomplete = Some(format!("more than {MOST_SPANS} of one moment: ask for one `route`"));
            }
        }
        History { span_s: self.span_s.try_into().unwrap_or_default(), spans, next, incomplete }
    }
}

/// The kinds of the columns of a history.
pub(super) const SPAN_KINDS: &[Of] = &{
    let mut kinds = [Of::Int; 4 + SUMS.len()];
    (kinds[1], kinds[3]) = (Of::Text, Of::Text);
    kinds
};

#[cfg(test)]
mod tests {
    use super::*;

    /// What one decision of each of so many routes comes to at a moment.
    fn crowd(start: Timestamp, routes: u64) -> impl Iterator<Item = Vec<Value>> {
        let int = |it: i64| Value::Int(Some(it));
        (0..routes).map(move |route| {
            let key = [int(start.as_millisecond()), text(&format!("r{route:05}")), int(-1), text("COST_CAP")];
            key.into_iter().chain(SUMS.map(|_| int(1))).collect()
        })
    }

    #[test]
    fn a_history_of_more_than_is_told_at_once_says_how_it_goes_on() {
        let minute = |n: i64| Timestamp::from_second(n * 60).expect("a time");
        let times = Times { route: None, from: minute(0), to: minute(9), span_s: 60 };
        assert!(times.statement().0.ends_with(" LIMIT 10001"), "one more shows that there are more");
        let told = |moments: &[(i64, u64)]| {
            let history = times.told(moments.iter().flat_map(|(at, routes)| crowd(minute(*at), *routes)).collect());
            (history.spans.len(), history.next, history.incomplete)
        };
        assert_eq!(told(&[]), (0, None, None));
        assert_eq!(told(&[(0, 6_000), (1, 4_000)]), (10_000, None, None));
        assert_eq!(told(&[(0, 6_000), (1, 4_001)]), (6_000, Some(minute(1)), None), "no moment is told in part");
        let why = "more than 10000 of one moment: ask for one `route`";
        assert_eq!(told(&[(3, 10_001)]), (0, Some(minute(3)), Some(why.into())));
    }
}
