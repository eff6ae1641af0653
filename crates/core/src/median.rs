//! Median: the middle of numbers, exactly of a few, roughly and in a few bytes of many.
//!
//! Not a quantile in general: where a tail matters, or what was an hour ago must be forgotten, `histogram` and `fading` count.
//!
//! # Invariants
//! - `MED-1`: of an even number it is the lower of the two in the middle: a number that was there.
//! - `MED-2`: from the eighth on, one number moves a running median by at most a thirty-second of it, or by one, however far
//!   off the number is.
//! - `MED-3`: of the first seven a running median is exact: a first number that is far off misleads until the third.
//!
//! # When it misleads
//! A running median needs about seventy-five numbers to follow a change by ten.
//!
//! # Source
//! FAME (Feldman and Shavitt, 2007), with steps in proportion to the value in place of ones that shrink.

/// The part of a running median by which it moves.
const STEP: u64 = 32;
/// Numbers at first that are kept.
const FIRST: usize = 7;

/// Returns the median; none of nothing.
pub(crate) fn median(mut numbers: impl AsMut<[u64]>) -> Option<u64> {
    let numbers = numbers.as_mut();
    numbers.sort_unstable();
    numbers.get(numbers.len().checked_sub(1)? / 2).copied()
}

/// The median of all numbers so far, the later ones more than the earlier.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Running {
    first: [u64; FIRST],
    /// How many numbers there were, as far as the first ones go.
    seen: u8,
    value: u64,
}

impl Running {
    /// Takes in a number.
    pub(crate) fn record(&mut self, number: u64) {
        if let Some(place) = self.first.get_mut(usize::from(self.seen)) {
            *place = number;
            self.seen += 1;
            let mut seen = self.first;
            self.value = median(&mut seen[..usize::from(self.seen)]).expect("there is one");
            return;
        }
        let step = (self.value / STEP).max(1);
        self.value = match number > self.value {
            true => self.value.saturating_add(step).min(number),
            false => self.value.saturating_sub(step).max(number),
        };
    }

    /// Returns the median; none while there was no number.
    pub(crate) fn value(self) -> Option<u64> {
        (self.seen > 0).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_median_is_a_number_that_was_there() {
        assert_eq!(median([0; 0]), None);
        assert_eq!(median([7]), Some(7));
        assert_eq!(median([9, 1, 5]), Some(5));
        assert_eq!(median([9, 1, 5, 7]), Some(5), "MED-1");
    }

    #[test]
    fn a_running_median_finds_the_middle_and_shrugs_at_outliers() {
        let mut running = Running::default();
        for n in 0..5_000u64 {
            running.record(if n % 5 == 0 { 1_000_000 } else { 1_000 + n * 7_919 % 100 });
        }
        let middle = running.value().expect("numbers");
        assert!((970..=1_130).contains(&middle), "MED-2: {middle}");
        (0..80).for_each(|_| running.record(10_000));
        assert_eq!(running.value(), Some(10_000), "it has followed");
    }

    #[test]
    fn a_running_median_never_leaves_the_numbers() {
        let mut running = Running::default();
        for number in [0, u64::MAX, 0, 1, 0, 1, 1, u64::MAX, u64::MAX] {
            running.record(number);
        }
        assert!(running.value().is_some_and(|value| value <= 10), "MED-2");
    }

    #[test]
    fn f_103_a_first_number_that_is_far_off_does_not_mislead_for_long() {
        for first in [1, 1_000_000] {
            let mut running = Running::default();
            running.record(first);
            (0..2).for_each(|_| running.record(200));
            assert_eq!(running.value(), Some(200), "MED-3");
        }
    }
}
