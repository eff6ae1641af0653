//! Commit: what may happen before and after the first byte belongs to the client (F-120).
//!
//! # Invariants
//! - `COM-1`: it moves in one direction, `Held` to `Given` to `Over`, and enters each state at most once (rule 7).

use crate::id::AttemptId;

/// How far a request has bound itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Nothing has left: every failure may still be answered elsewhere.
    Held,
    /// This attempt's stream belongs to the client: its failure ends the answer.
    Given(AttemptId),
    /// The terminal outcome is out.
    Over,
}

impl Commit {
    /// Gives the stream of this attempt to the client; says whether that was still possible.
    pub(crate) fn give(&mut self, attempt: AttemptId) -> bool {
        let held = *self == Self::Held;
        if held {
            *self = Self::Given(attempt);
        }
        held
    }

    /// Closes the request; says whether it was still open.
    pub(crate) fn close(&mut self) -> bool {
        core::mem::replace(self, Self::Over) != Self::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_07_a_second_commit_is_impossible() {
        let mut commit = Commit::Held;
        assert!(commit.give(AttemptId(1)));
        assert!(!commit.give(AttemptId(2)), "COM-1");
        assert_eq!(commit, Commit::Given(AttemptId(1)));
        assert!(commit.close());
        assert!(!commit.close(), "COM-1");
        assert!(!commit.give(AttemptId(3)));
    }
}
