//! Carriers: the streams that carried the last alarm, and whether enough of their rows were seen since.
//!
//! An alarm may take away the very rows that would show that all is well again: a route that is held keeps requests from its first
//! tier, whose outputs are then seen no more. Silence is no evidence. Where the route came back without it, and alarmed anew, it is
//! held twice as long each time.
//!
//! # Invariants
//! - `HOLD-1`: a hold is as long as it is set where each carrier has had the rows of a hold since the last evidence.
//! - `HOLD-2`: else it is twice as long for each time in a row that an alarm came before they had, up to [`MOST`] doublings: so what is
//!   wrong for good is tried again ever more rarely, and what is mended comes back by itself.

use std::collections::BTreeMap;

use super::Hold;

/// Doublings: 30 minutes become 16 hours at most.
pub(super) const MOST: u32 = 5;

/// Who carried the last alarm.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Carriers {
    /// Of each stream the rows that it had had at the last evidence.
    at: BTreeMap<usize, u64>,
    /// How often in a row an alarm came before the carriers of the one before had been seen enough.
    unseen: u32,
}

impl Carriers {
    /// Notes who carries an alarm, or carries it anew. `rows` says how many a stream has had.
    pub(super) fn carry(
        &mut self,
        new: bool,
        by: impl Iterator<Item = usize>,
        least: u64,
        rows: impl Fn(usize) -> u64,
    ) {
        if new {
            self.unseen = if self.are_seen(least, &rows) { 0 } else { (self.unseen + 1).min(MOST) };
            self.at.clear();
        }
        self.at.extend(by.map(|it| (it, rows(it))));
    }

    /// Returns how long the hold is.
    pub(super) fn hold(&self, hold: Hold, rows: impl Fn(usize) -> u64) -> Hold {
        if self.unseen == 0 || self.are_seen(hold.rows, rows) {
            return hold;
        }
        Hold { nanos: hold.nanos.saturating_mul(1 << self.unseen), ..hold }
    }

    fn are_seen(&self, least: u64, rows: impl Fn(usize) -> u64) -> bool {
        self.at.iter().all(|(stream, at)| rows(*stream).saturating_sub(*at) >= least)
    }

    /// Takes those of both; rows are those of both from now on.
    pub(super) fn merge(&mut self, other: &Self, rows: impl Fn(usize) -> u64) {
        let streams: Vec<usize> = self.at.keys().chain(other.at.keys()).copied().collect();
        self.at = streams.into_iter().map(|it| (it, rows(it))).collect();
        self.unseen = self.unseen.max(other.unseen);
    }
}
