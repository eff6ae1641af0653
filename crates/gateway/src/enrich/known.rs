//! Known: the last values that a feature server had, to stand in for those that do not come.
//!
//! # Invariants
//! - `KNOWN-1`: it holds no more than [`MOST`] values, and of whom was heard lately rather than of others: what is full
//!   becomes the older half, and the older half before it is forgotten.
//! - `KNOWN-2`: a value is never replaced by an older one.

use std::collections::BTreeMap;

use super::choice::Value;

/// Values that are kept of a route: some megabytes.
const MOST: usize = 1 << 16;

/// What is known of each entity, by feature.
type Half = BTreeMap<String, Box<[Option<Value>]>>;

/// The last known values of one route.
pub(super) struct Known {
    features: usize,
    /// Entities that a half holds.
    most: usize,
    young: Half,
    old: Half,
}

impl Known {
    pub(super) fn new(features: usize) -> Self {
        let features = features.max(1);
        Self { features, most: (MOST / 2 / features).max(1), young: Half::new(), old: Half::new() }
    }

    /// Returns the last known value.
    pub(super) fn get(&self, entity: &str, feature: usize) -> Option<Value> {
        self.young.get(entity).or_else(|| self.old.get(entity))?[feature]
    }

    /// Keeps a value of which it is known of when it is.
    pub(super) fn keep(&mut self, entity: &str, feature: usize, value: Value) {
        if value.of.is_none() || self.get(entity, feature).is_some_and(|known| known.of >= value.of) {
            return;
        }
        if !self.young.contains_key(entity) {
            if self.young.len() >= self.most {
                self.old = std::mem::take(&mut self.young);
            }
            let before = self.old.remove(entity).unwrap_or_else(|| vec![None; self.features].into());
            self.young.insert(entity.into(), before);
        }
        self.young.get_mut(entity).expect("it was just put there")[feature] = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn value(number: f32, second: i64) -> Value {
        let of = Timestamp::from_second(second).expect("a time");
        Value { number, of: Some(of), outdated: false }
    }

    #[test]
    fn known_2_the_newest_is_kept_and_nothing_of_which_the_age_is_unknown() {
        let mut known = Known::new(2);
        known.keep("a", 1, value(1.0, 100));
        known.keep("a", 1, value(2.0, 99));
        known.keep("a", 0, Value { of: None, ..value(3.0, 0) });
        assert_eq!((known.get("a", 1), known.get("a", 0), known.get("b", 1)), (Some(value(1.0, 100)), None, None));
        known.keep("a", 1, value(4.0, 101));
        assert_eq!(known.get("a", 1), Some(value(4.0, 101)));
    }

    #[test]
    fn known_1_what_was_heard_lately_stays_and_the_rest_is_forgotten() {
        let mut known = Known::new(2);
        known.most = 2;
        for (at, entity) in ["a", "b", "c", "a", "d", "e"].into_iter().enumerate() {
            known.keep(entity, 0, value(1.0, at as i64 + 1));
            assert!(known.young.len() + known.old.len() <= 4);
        }
        let left: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().filter(|it| known.get(it, 0).is_some()).collect();
        assert_eq!(left, ["a", "c", "d", "e"]);
        assert_eq!(Known::new(64).most * 64 * 2, MOST);
    }
}
