//! History: the score of a route over the last hour, minute by minute, for people.
//!
//! # Invariants
//! - `HIST-1`: of a minute the strongest score is kept, of the last hour at most 60; a minute of which nothing was seen is not there.

use std::collections::VecDeque;

/// Minutes that are kept.
const MOST: u64 = 60;
const MINUTE: u64 = 60_000_000_000;

/// The last hour.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<(u64, i64)>);

impl History {
    /// Notes a score, in thousandths, at a time in nanoseconds since the epoch.
    pub(super) fn note(&mut self, wall: u64, score: i64) {
        let minute = wall / MINUTE;
        match self.0.back_mut() {
            Some((last, most)) if *last == minute => *most = score.max(*most),
            // A clock that was set back says nothing of an earlier minute.
            Some((last, _)) if *last > minute => return,
            _ => self.0.push_back((minute, score)),
        }
        while self.0.front().is_some_and(|it| it.0 + MOST <= minute) {
            self.0.pop_front();
        }
    }

    /// Returns when each minute began, and its score.
    pub(super) fn read(&self) -> Vec<(u64, i64)> {
        self.0.iter().map(|(minute, score)| (minute * MINUTE, *score)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hist_1_an_hour_is_kept_by_the_strongest_score_of_each_minute() {
        let mut history = History::default();
        for (wall, score) in [(0, 100), (1, 300), (MINUTE - 1, 200), (3 * MINUTE, 50), (MINUTE, 900)] {
            history.note(wall, score);
        }
        assert_eq!(history.read(), [(0, 300), (3 * MINUTE, 50)]);
        (4..=62).for_each(|minute| history.note(minute * MINUTE, 7));
        let read = history.read();
        assert_eq!((read.len(), read[0], read[59]), (60, (3 * MINUTE, 50), (62 * MINUTE, 7)));
        history.note(u64::MAX, 1);
        assert_eq!(history.read().len(), 1, "a jump leaves nothing of long ago");
    }
}
