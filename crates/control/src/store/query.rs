//! Query: which decisions somebody wants to see, and the statement that finds them.
//!
//! A statement has the filters that are asked for and no others, so that an engine can take the index that fits.

use evenkeel_api::{Told, evidence::DecisionLine};
use jiff::Timestamp;

use super::{
    engine::{Of, Value},
    record::{int, text},
};

/// Decisions that are told where nobody says how many.
pub(super) const LAST: usize = 20;
/// Decisions that are told at most: a few MiB.
pub(super) const MOST: usize = 1_000;

/// Which decisions are wanted; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this route.
    pub route: Option<String>,
    /// Answered by this tier.
    pub tier: Option<u8>,
    /// For this reason.
    pub reason: Option<String>,
    /// Ended then or later.
    pub from: Option<Timestamp>,
    /// Ended before.
    pub to: Option<Timestamp>,
    /// Answered by another tier than 0, or by tier 0 or none.
    pub degraded: Option<bool>,
    /// With this status.
    pub status: Option<u16>,
    /// Those that follow this one, going back in time.
    pub before: Option<Before>,
    /// How many at most; none: as many as usual.
    pub last: Option<usize>,
}

/// A place in a list: a moment in milliseconds, and a decision that ended then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before(i64, String);

impl Before {
    /// The place of a decision.
    pub fn of(told: &Told) -> Self {
        Self(told.time().as_millisecond(), told.id().into())
    }

    fn read(text: &str) -> Option<Self> {
        let (time, id) = text.split_once('-')?;
        let plain = !id.is_empty() && id.len() <= 64 && id.bytes().all(|it| it.is_ascii_alphanumeric());
        Some(Self(time.parse().ok().filter(|_| plain)?, id.into()))
    }
}

impl std::fmt::Display for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl Wanted {
    /// The keys that a query may have.
    const KEYS: &str = "route, tier, reason, from, to, degraded, status, last, before";

    /// Reads the query of an address.
    ///
    /// # Errors
    /// A key that there is not, one that comes twice, or a value that it does not take, by name.
    pub fn read<'a>(query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let (mut it, mut seen) = (Self::default(), Vec::new());
        for (key, value) in query {
            if seen.contains(&key) {
                return Err(format!("`{key}` comes twice"));
            }
            seen.push(key);
            it.set(key, value)?;
        }
        Ok(it)
    }

    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| format!("`{key}` is {what}");
        let time = || value.parse().map_err(|_| wrong("a moment such as 2026-11-23T08:51:07Z"));
        match key {
            "route" => self.route = Some(value.into()),
            "tier" => self.tier = Some(value.parse().map_err(|_| wrong("the number of a tier"))?),
            "reason" => {
                let known = evenkeel_core::Reason::ALL.iter().any(|it| it.name() == value);
                self.reason = Some(known.then(|| value.into()).ok_or_else(|| wrong("a code such as UPSTREAM_5XX"))?);
            }
            "from" => self.from = Some(time()?),
            "to" => self.to = Some(time()?),
            "degraded" => self.degraded = Some(value.parse().map_err(|_| wrong("`true` or `false`"))?),
            "status" => self.status = Some(value.parse().map_err(|_| wrong("a status of HTTP"))?),
            "last" => self.last = Some(value.parse().map_err(|_| wrong("a number"))?),
            "before" => self.before = Some(Before::read(value).ok_or_else(|| wrong("the `next` of another list"))?),
            _ => return Err(format!("there is no `{key}`; there are {}", Self::KEYS)),
        }
        Ok(())
    }

    /// Returns how many are told at most.
    pub fn most(&self) -> usize {
        self.last.unwrap_or(LAST).min(MOST)
    }

    /// Says whether more is asked for than the last ones, of a route or of all.
    pub fn is_narrow(&self) -> bool {
        *self != Self { route: self.route.clone(), last: self.last, ..Self::default() }
    }

    /// Says whether a decision is one of them.
    pub fn takes(&self, told: &Told) -> bool {
        let it = told.line();
        let time = it.time.as_millisecond();
        let before = self.before.as_ref().is_none_or(|before| (time, &it.id) < (before.0, &before.1));
        self.route.as_ref().is_none_or(|route| it.route == *route)
            && self.tier.is_none_or(|tier| it.tier == Some(tier))
            && self.reason.as_ref().is_none_or(|reason| it.reason == *reason)
            && self.from.is_none_or(|from| time >= from.as_millisecond())
            && self.to.is_none_or(|to| time < to.as_millisecond())
            && self.degraded.is_none_or(|degraded| it.degraded == degraded)
            && self.status.is_none_or(|status| it.status == status)
            && before
    }

    /// Returns the statement that finds them, the newest first, with its values.
    pub(super) fn statement(&self) -> (String, Vec<Value>) {
        let mut filters = Filters::default();
        let Self { route, tier, reason, from, to, degraded, status, before, .. } = self;
        route.iter().for_each(|it| filters.add("route = $", text(it)));
        tier.iter().for_each(|it| filters.add("tier = $", int((*it).into())));
        reason.iter().for_each(|it| filters.add("reason = $", text(it)));
        from.iter().for_each(|it| filters.add("time_ms >= $", Value::Int(Some(it.as_millisecond()))));
        to.iter().for_each(|it| filters.add("time_ms < $", Value::Int(Some(it.as_millisecond()))));
        // As the index has it: a value in the place of it would hide that it fits.
        degraded.iter().for_each(|it| filters.plain(if *it { "degraded" } else { "NOT degraded" }));
        status.iter().for_each(|it| filters.add("status = $", int((*it).into())));
        if status.is_some_and(|it| it >= 400) {
            // It follows from the one before, and shows that the index of what failed fits.
            filters.plain("status >= 400");
        }
        if let Some(Before(time, id)) = before {
            filters.add("(time_ms, id) < ($", Value::Int(Some(*time)));
            filters.more(", $", text(id), ")");
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM decisions{} ORDER BY time_ms DESC, id DESC LIMIT {}",
            filters.sql,
            self.most()
        );
        (sql, filters.values)
    }
}

/// What stands behind WHERE.
#[derive(Default)]
pub(super) struct Filters {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Filters {
    fn plain(&mut self, filter: &str) {
        self.sql += if self.sql.is_empty() { " WHERE " } else { " AND " };
        self.sql += filter;
    }

    pub(super) fn add(&mut self, filter: &str, value: Value) {
        self.plain(filter);
        self.values.push(value);
        self.sql += &self.values.len().to_string();
    }

    fn more(&mut self, text: &str, value: Value, end: &str) {
        self.sql += text;
        self.values.push(value);
        self.sql += &self.values.len().to_string();
        self.sql += end;
    }
}

/// What is read of a decision.
pub(super) const COLUMNS: &str = "record, id, time_ms, route, revision, operation, phase, tier, method, degraded, ended, reason, status, latency_us, attempts";
/// The kinds of these.
pub(super) const KINDS: &[Of] = &[
    Of::Text,
    Of::Text,
    Of::Int,
    Of::Text,
    Of::Text,
    Of::Text,
    Of::Text,
    Of::Int,
    Of::Text,
    Of::Flag,
    Of::Text,
    Of::Text,
    Of::Int,
    Of::Int,
    Of::Int,
];

/// Takes a row for a decision.
pub(super) fn told(row: Vec<Value>) -> Option<Told> {
    let mut row = row.into_iter();
    let mut words = || match row.next() {
        Some(Value::Text(it)) => it,
        _ => None,
    };
    // A record is read by whoever knows it, and newer ones have more (G-111); one that is none has its line still.
    if let Some(whole) = words().and_then(|it| serde_json::from_str(&it).ok()) {
        return Some(Told::Whole(Box::new(whole)));
    }
    let id = words()?;
    let mut row = Columns(row);
    Some(Told::Line(Box::new(DecisionLine {
        schema: DecisionLine::SCHEMA.into(),
        id,
        time: Timestamp::from_millisecond(row.int()?).ok()?,
        route: row.text()?,
        revision: row.text()?,
        operation: row.text()?,
        phase: row.text()?,
        tier: row.int().and_then(|it| it.try_into().ok()),
        method: row.text(),
        degraded: row.flag(),
        end: row.text()?,
        reason: row.text()?,
        status: row.int()?.try_into().ok()?,
        latency_us: row.int()?.try_into().ok()?,
        attempts: row.int()?.try_into().ok()?,
    })))
}

/// The columns of a row that are still to be read.
pub(super) struct Columns(pub(super) std::vec::IntoIter<Value>);

impl Columns {
    pub(super) fn int(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Value::Int(it)) => it,
            _ => None,
        }
    }

    pub(super) fn text(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Value::Text(it)) => it,
            _ => None,
        }
    }

    fn flag(&mut self) -> bool {
        matches!(self.0.next(), Some(Value::Flag(true)))
    }
}
