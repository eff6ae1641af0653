//! Ensemble: several paths that are asked at once for one answer, and what is told of their votes.
//!
//! What the members say, and who follows from it, is the shell's to see: it counts votes, and tells how they stand in integers.
//! Whether that is enough, and when nobody has to be waited for any more, is decided here and in `request/vote`.
//!
//! # Invariants
//! - `ENS-1`: a tier has an ensemble exactly where its path is [`Where::Ensemble`](crate::Where::Ensemble); 2 to
//!   [`MEMBERS`] members; a quorum of 1 to all of them.
//!
//! # Source
//! `docs/design/signals.md`, section 10; ADR 8.

use alloc::vec::Vec;

use crate::{
    id::{AttemptId, PathId},
    unit::Permille,
};

/// Members of an ensemble, at most: each of them is asked for every request.
pub const MEMBERS: usize = 8;

/// Several paths that are asked at once, and what their votes must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensemble {
    /// Who votes, in the order of the file.
    pub members: Vec<PathId>,
    /// Votes that each row must have, at least.
    pub quorum: u8,
    /// The share of the votes that the winner must have, in the row where it has the smallest; 0 asks nothing. Where something
    /// is asked, every vote is waited for.
    pub agree: Permille,
}

/// How the votes of an ensemble stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Members of whose end it knows, however they ended.
    pub heard: u8,
    /// Votes in the row that has the fewest.
    pub votes: u8,
    /// Rows in which the leader may still be passed by those who have not ended.
    pub open: u64,
    /// The leader's share of the votes, in the row where it is smallest.
    pub agreement: Permille,
    /// The member that stands for the answer.
    pub leader: AttemptId,
}
