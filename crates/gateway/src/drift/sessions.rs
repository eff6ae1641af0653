//! Sessions: of the rows of one session at most one a minute is looked at, since they depend on one another.
//!
//! # Invariants
//! - `SESS-1`: which one is drawn by a hash of its request, never by its value or its place.
//! - `SESS-2`: what belongs to no session is looked at once; what does waits for the end of its minute.
//! - `SESS-3`: [`MOST`] sessions wait at once; the rows of more are left out, and counted.

use std::collections::BTreeMap;

use super::row::Row;

const MINUTE: u64 = 60_000_000_000;
/// Sessions that wait for the end of their minute.
const MOST: usize = 4_096;

/// The rows that wait for the end of a minute.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    minute: u64,
    drawn: BTreeMap<u128, Row>,
    /// Bytes of them.
    bytes: usize,
}

/// What is to be looked at once a row has come.
#[derive(Debug, PartialEq)]
pub(super) struct Taken {
    /// The rows of the minute that it has ended.
    pub(super) over: Vec<Row>,
    /// The row itself, where it belongs to no session.
    pub(super) row: Option<Row>,
    /// How many were left out for want of room.
    pub(super) left_out: u64,
}

impl Sessions {
    /// Takes a row; returns what is to be looked at now.
    pub(super) fn take(&mut self, row: Row) -> Taken {
        let over = self.pass(row.at);
        let Some(session) = row.session else { return Taken { over, row: Some(row), left_out: 0 } };
        if self.drawn.len() >= MOST && !self.drawn.contains_key(&session) {
            return Taken { over, row: None, left_out: 1 };
        }
        if self.drawn.get(&session).is_none_or(|held| held.drawn() > row.drawn()) {
            self.bytes += row.bytes();
            self.bytes -= self.drawn.insert(session, row).map_or(0, |before| before.bytes());
        }
        Taken { over, row: None, left_out: 0 }
    }

    /// Returns the bytes of the rows that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the rows whose minute is over.
    pub(super) fn pass(&mut self, now: u64) -> Vec<Row> {
        let minute = now / MINUTE;
        if minute <= self.minute {
            return Vec::new();
        }
        (self.minute, self.bytes) = (minute, 0);
        std::mem::take(&mut self.drawn).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Scalars;

    fn row(at: u64, entropy: u64, session: Option<u128>) -> Row {
        Row { at, entropy, session, inputs: Scalars::default(), score: None, outputs: Vec::new(), text: None }
    }

    #[test]
    fn sess_1_one_row_of_a_session_and_minute_is_looked_at_whichever_came_first() {
        let rows: Vec<Row> = (0..10).map(|n| row(5 * MINUTE + n, n * 77, Some(3))).collect();
        let least = rows.iter().min_by_key(|it| it.drawn()).cloned().expect("some");
        for order in [rows.clone(), rows.iter().rev().cloned().collect()] {
            let mut sessions = Sessions::default();
            for row in order {
                let none = Taken { over: vec![], row: None, left_out: 0 };
                assert_eq!(sessions.take(row), none, "SESS-2: the minute is not over");
            }
            assert_eq!(sessions.pass(6 * MINUTE), std::slice::from_ref(&least));
            assert_eq!(sessions.pass(7 * MINUTE), []);
        }
    }

    #[test]
    fn sess_2_sess_3_what_belongs_to_none_is_looked_at_at_once_and_too_many_sessions_are_counted() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.take(row(MINUTE, 1, None)).row, Some(row(MINUTE, 1, None)));
        let left_out = |n: u64| sessions.take(row(MINUTE + 1, n, Some(n.into()))).left_out;
        assert_eq!((0..MOST as u64 + 10).map(left_out).sum::<u64>(), 10);
        assert_eq!(sessions.take(row(MINUTE + 2, 9, Some(5))).left_out, 0, "one that waits already has its place");
        let taken = sessions.take(row(2 * MINUTE, 1, None));
        assert_eq!((taken.over.len(), taken.row.is_some()), (MOST, true), "the minute is over");
    }
}
