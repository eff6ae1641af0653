//! Keys: values that a list is asked for, by what they are.

use std::collections::BTreeMap;

use crate::tensor::Data;

/// A value as a key. Zero is zero whatever its sign; a NaN is only where the operator says that it is itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Whole(i64),
    Fraction(u64),
    Text(String),
}

/// Where each key stands in the list that it came from.
#[derive(Debug)]
pub(super) struct Keys {
    places: BTreeMap<Key, usize>,
    /// A NaN is found where a NaN is listed.
    nan_is_itself: bool,
    sample: Data,
}

impl Keys {
    /// Reads a list; of equal keys the first counts, or the last.
    pub(super) fn of(list: Data, nan_is_itself: bool, last_counts: bool) -> Self {
        let mut keys = Self { places: BTreeMap::new(), nan_is_itself, sample: list };
        for at in 0..keys.sample.len() {
            let Some(key) = keys.key(&keys.sample, at) else { continue };
            match last_counts {
                true => _ = keys.places.insert(key, at),
                false => _ = keys.places.entry(key).or_insert(at),
            }
        }
        keys
    }

    /// Says whether elements are of the kind of the keys.
    pub(super) fn are_of(&self, data: &Data) -> bool {
        std::mem::discriminant(&self.sample) == std::mem::discriminant(data)
    }

    /// Finds an element in the list.
    pub(super) fn find(&self, data: &Data, at: usize) -> Option<usize> {
        self.places.get(&self.key(data, at)?).copied()
    }

    /// Finds a whole number in the list.
    pub(super) fn find_whole(&self, number: i64) -> Option<usize> {
        self.places.get(&Key::Whole(number)).copied()
    }

    fn key(&self, data: &Data, at: usize) -> Option<Key> {
        let fraction = |it: f64| match it.is_nan() {
            true => self.nan_is_itself.then_some(Key::Fraction(f64::NAN.to_bits())),
            false => Some(Key::Fraction((it + 0.0).to_bits())),
        };
        match data {
            Data::F32(it) => fraction(f64::from(it[at])),
            Data::F64(it) => fraction(it[at]),
            Data::I32(it) => Some(Key::Whole(i64::from(it[at]))),
            Data::I64(it) => Some(Key::Whole(it[at])),
            Data::Bool(it) => Some(Key::Whole(i64::from(it[at]))),
            Data::Text(it) => Some(Key::Text(it[at].clone())),
        }
    }
}

/// Cuts a fraction off as the processor does: what no i64 holds is the least of them.
pub(super) fn truncated(number: f64) -> i64 {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}
