//! Choice: which value a place gets that a client left out: what the feature server has, the last known one, or the default.
//!
//! Accepted: a value of a minute ago, where `max_age` is an hour. Imputed: the same of three hours ago, as the last known one where
//! `keep` is a day, else the default.
//!
//! # Invariants
//! - `CHOICE-1`: of two values that may stand in the newer does; a value of which nobody knows the age never does.

use evenkeel_config::Fetched;
use jiff::Timestamp;

use crate::{protocol::feast::Found, tensor::Values};

/// A value that a column takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) number: f32,
    /// Of when it is, where that is known.
    pub(super) of: Option<Timestamp>,
    /// The feature server says itself that it is too old.
    pub(super) outdated: bool,
}

/// What a place gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Choice {
    /// What the feature server has.
    Fetched(f32),
    /// The last known value, which is so many nanoseconds old.
    LastKnown(f32, u64),
    /// The default.
    Default(f32),
}

impl Value {
    /// Takes a value, where its column does.
    pub(super) fn of(found: Found, column: &Values) -> Option<Self> {
        let number = found.number as f32;
        let fits = number.is_finite() && column.stray(f64::from(number)).is_none();
        fits.then_some(Self { number, of: found.of, outdated: found.outdated })
    }

    /// Returns its age in nanoseconds; one of the future is new.
    fn age(self, now: Timestamp) -> Option<u64> {
        let age = now.as_nanosecond() - self.of?.as_nanosecond();
        Some(u64::try_from(age.max(0)).unwrap_or(u64::MAX))
    }
}

impl Choice {
    /// Chooses between what the server has and the last known value.
    pub(super) fn of((found, known): (Option<Value>, Option<Value>), spec: &Fetched, now: Timestamp) -> Self {
        let is_good = |value: &Value| {
            let young = spec.max_age.is_none_or(|most| value.age(now).is_some_and(|age| age <= most));
            young && !value.outdated
        };
        if let Some(value) = found.filter(is_good) {
            return Self::Fetched(value.number);
        }
        let newest = found.into_iter().chain(known).filter_map(|value| Some((value.age(now)?, value.number)));
        let newest = newest.min_by_key(|(age, _)| *age);
        match newest.filter(|(age, _)| spec.keep.is_some_and(|most| *age <= most)) {
            Some((age, number)) => Self::LastKnown(number, age),
            None => Self::Default(spec.default),
        }
    }

    /// Returns how old it is, in nanoseconds, where `found` is what the server has; none for a default, and what nobody knows.
    pub(super) fn age(self, found: Option<Value>, now: Timestamp) -> Option<u64> {
        match self {
            Self::Fetched(_) => found?.age(now),
            Self::LastKnown(_, age) => Some(age),
            Self::Default(_) => None,
        }
    }

    pub(super) fn number(self) -> f32 {
        match self {
            Self::Fetched(number) | Self::LastKnown(number, _) | Self::Default(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    fn now() -> Timestamp {
        "2026-11-26T12:00:00Z".parse().expect("a time")
    }

    /// A value that is so many minutes old.
    fn old(number: f32, minutes: i64) -> Option<Value> {
        let of = Timestamp::from_second(now().as_second() - minutes * 60).expect("a time");
        Some(Value { number, of: Some(of), outdated: false })
    }

    fn spec(max_age: Option<u64>, keep: Option<u64>) -> Fetched {
        let minutes = |it: Option<u64>| it.map(|it| it * MINUTE);
        Fetched {
            name: "f".into(),
            column: 0,
            view: "v".into(),
            feature: "f".into(),
            max_age: minutes(max_age),
            keep: minutes(keep),
            default: -1.0,
        }
    }

    #[test]
    fn f_037_choice_1_what_is_fresh_is_taken_and_what_is_not_is_imputed_by_the_newest_known() {
        use Choice::{Default, Fetched, LastKnown};
        let (ageless, outdated) = (old(5.0, 1).map(|it| Value { of: None, ..it }), old(5.0, 1));
        let outdated = outdated.map(|it| Value { outdated: true, ..it });
        let table = [
            // max_age, keep, what the server has, what is known, what is taken.
            (Some(60), Some(1440), old(1.0, 60), old(2.0, 1), Fetched(1.0)),
            (Some(60), Some(1440), old(1.0, 61), None, LastKnown(1.0, 61 * MINUTE)),
            (Some(60), Some(1440), old(1.0, 61), old(2.0, 90), LastKnown(1.0, 61 * MINUTE)),
            (Some(60), Some(1440), old(1.0, 90), old(2.0, 61), LastKnown(2.0, 61 * MINUTE)),
            (Some(60), Some(1440), None, old(2.0, 5), LastKnown(2.0, 5 * MINUTE)),
            (Some(60), Some(1440), None, old(2.0, 1441), Default(-1.0)),
            (Some(60), Some(1440), old(1.0, 1441), old(2.0, 1442), Default(-1.0)),
            (Some(60), Some(1440), None, None, Default(-1.0)),
            (Some(60), None, old(1.0, 61), old(2.0, 61), Default(-1.0)),
            (Some(60), Some(30), old(1.0, 61), old(2.0, 30), LastKnown(2.0, 30 * MINUTE)),
            (None, None, old(1.0, 999_999), None, Fetched(1.0)),
            (None, None, ageless, None, Fetched(5.0)),
            (Some(60), Some(1440), ageless, None, Default(-1.0)),
            (Some(60), Some(1440), ageless, old(2.0, 9), LastKnown(2.0, 9 * MINUTE)),
            (None, None, outdated, None, Default(-1.0)),
            (None, Some(5), outdated, None, LastKnown(5.0, MINUTE)),
            // A clock of the server that goes before ours.
            (Some(60), None, old(1.0, -10), None, Fetched(1.0)),
        ];
        for (max_age, keep, found, known, expected) in table {
            let chosen = Choice::of((found, known), &spec(max_age, keep), now());
            assert_eq!(chosen, expected, "{max_age:?} {keep:?} {found:?} {known:?}");
        }
    }

    #[test]
    fn f_037_a_value_that_the_column_does_not_take_is_none() {
        let column = Values { finite: true, whole: true, min: Some(0.0), max: Some(500.0), ..Values::default() };
        let value = |number| Value::of(Found { number, of: None, outdated: false }, &column).map(|it| it.number);
        assert_eq!([7.0, 500.0, -1.0, 501.0, 0.5].map(value), [Some(7.0), Some(500.0), None, None, None]);
        let any = |number| Value::of(Found { number, of: None, outdated: false }, &Values::default());
        assert!(any(1e39).is_none(), "beyond FP32");
    }
}
