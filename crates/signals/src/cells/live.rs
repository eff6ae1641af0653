//! Live: what comes now, in the same cells; old rows fade by halves, and the last hour is there in windows.

use std::collections::BTreeMap;

use crate::shape::Incompatible;

/// After so long all counts are halved, ns.
pub const HOUR_NS: u64 = 3_600 * 1_000_000_000;
/// A window, ns: 5 minutes.
pub const WINDOW_NS: u64 = 300 * 1_000_000_000;
/// Windows that are kept.
const WINDOWS: u64 = 12;

/// A live histogram.
///
/// # Cost
/// An addition or two a row; four bytes a cell, thirteen times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    counts: Vec<u32>,
    /// Hours since the epoch at which all counts stand.
    hour: u64,
    /// By window since the epoch; the last twelve.
    windows: BTreeMap<u64, Vec<u32>>,
    as_of: u64,
}

impl Live {
    /// A histogram of so many cells, without a row.
    pub fn new(cells: usize) -> Self {
        Self { counts: vec![0; cells], hour: 0, windows: BTreeMap::new(), as_of: 0 }
    }

    /// Counts a row, by its cell. A cell that does not exist is nothing.
    pub fn update(&mut self, at: u64, cell: usize) {
        if cell >= self.counts.len() {
            return;
        }
        self.move_to(at);
        let cells = self.counts.len();
        let window = self.as_of / WINDOW_NS;
        let counts = self.windows.entry(window).or_insert_with(|| vec![0; cells]);
        for count in [&mut self.counts[cell], &mut counts[cell]] {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the counts, those of former hours halved once for each.
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Returns the time of the latest row, ns.
    pub fn as_of(&self) -> u64 {
        self.as_of
    }

    /// Returns the counts of the last so many windows, the one of `now` included; 12 at most.
    pub fn window(&self, now: u64, windows: u64) -> Vec<u32> {
        let last = now / WINDOW_NS;
        let first = (last + 1).saturating_sub(windows.min(WINDOWS));
        let mut sum = vec![0_u32; self.counts.len()];
        for counts in self.windows.range(first..=last.max(first)).map(|it| it.1) {
            add(&mut sum, counts);
        }
        sum
    }

    /// Adds what another one counted, after the older of both was halved to the later hour.
    ///
    /// # Errors
    /// It has another number of cells.
    pub fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        if self.counts.len() != other.counts.len() {
            return Err(Incompatible::Grid);
        }
        let mut other = other.clone();
        let at = self.as_of.max(other.as_of);
        self.move_to(at);
        other.move_to(at);
        add(&mut self.counts, &other.counts);
        for (window, theirs) in other.windows {
            self.windows.entry(window).and_modify(|ours| add(ours, &theirs)).or_insert(theirs);
        }
        Ok(())
    }

    /// Moves on to a time: halves the counts for each hour, forgets old windows. A clock that went back stays where it was.
    fn move_to(&mut self, at: u64) {
        self.as_of = self.as_of.max(at);
        let hour = self.as_of / HOUR_NS;
        let passed = u32::try_from(hour - self.hour).unwrap_or(u32::MAX);
        if passed > 0 {
            self.counts.iter_mut().for_each(|it| *it = it.checked_shr(passed).unwrap_or(0));
            self.hour = hour;
        }
        let oldest = (self.as_of / WINDOW_NS).saturating_sub(WINDOWS - 1);
        while self.windows.first_entry().is_some_and(|it| *it.key() < oldest) {
            self.windows.pop_first();
        }
    }
}

fn add(ours: &mut [u32], theirs: &[u32]) {
    ours.iter_mut().zip(theirs).for_each(|(our, their)| *our = our.saturating_add(*their));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_halved_every_hour_and_windows_hold_five_minutes() {
        let mut live = Live::new(3);
        (0..8).for_each(|_| live.update(1, 0));
        live.update(WINDOW_NS, 2);
        live.update(WINDOW_NS, 99);
        assert_eq!((live.counts(), live.window(WINDOW_NS, 1)), (&[8, 0, 1][..], vec![0, 0, 1]));
        assert_eq!(live.window(WINDOW_NS, 12), [8, 0, 1]);
        live.update(HOUR_NS, 1);
        assert_eq!((live.counts(), live.window(HOUR_NS, 12)), (&[4, 1, 0][..], vec![0, 1, 1]));
        live.update(5, 1);
        assert_eq!((live.counts()[1], live.as_of()), (2, HOUR_NS), "a clock that went back");
        live.update(HOUR_NS * 60, 1);
        assert_eq!((live.counts(), live.window(HOUR_NS * 60, 12)), (&[0, 1, 0][..], vec![0, 1, 0]));
        assert_eq!(live.window(0, 12), [0, 0, 0]);
    }

    #[test]
    fn merged_histograms_are_one_that_saw_all_of_an_hour() {
        let (mut one, mut other, mut all) = (Live::new(4), Live::new(4), Live::new(4));
        for at in 0..400_u64 {
            let cell = usize::try_from(at * 7 % 4).expect("small");
            all.update(at * 1_000_000_000, cell);
            if at % 3 == 0 { one.update(at * 1_000_000_000, cell) } else { other.update(at * 1_000_000_000, cell) }
        }
        one.merge(&other).expect("alike");
        assert_eq!(one, all);
        assert_eq!(one.merge(&Live::new(5)), Err(Incompatible::Grid));
        let mut late = Live::new(4);
        late.update(HOUR_NS * 2, 0);
        late.merge(&one).expect("alike");
        assert_eq!(late.counts()[1], all.counts()[1] / 4, "halved twice before it is added");
    }
}
