//! Proof: when a path was last asked, and last answered well (F-150, F-153).
//!
//! A fallback that nobody has tried lately is a hope. Any good answer counts, be it to a request or to a shadow.
//!
//! # Invariants
//! - `PROOF-1`: what is certain needs no proof; anything else counts as redundancy only within the `rehearsal` of its route
//!   after a good answer, and only while requests are given to it as to a path that is well: half open it is tried, not trusted.

use crate::clock::{Nanos, SECOND};

/// A tier is asked for a shadow at least this often (F-150).
pub(crate) const HOUR: Nanos = 3_600 * SECOND;

/// What is known of when a path was exercised.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Proof {
    /// Since when it could have been asked.
    since: Option<Nanos>,
    asked: Option<Nanos>,
    good: Option<Nanos>,
}

impl Proof {
    /// Notes that it is asked.
    pub(crate) fn ask(&mut self, now: Nanos) {
        self.asked = Some(now);
    }

    /// Notes that it has answered well.
    pub(crate) fn answered(&mut self, now: Nanos) {
        self.good = Some(now);
    }

    /// Says whether it was not asked for an hour in which it could have been.
    pub(crate) fn is_due(&mut self, now: Nanos) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_sub(self.asked.unwrap_or(since)) >= HOUR
    }

    /// Returns when it was last asked; none where it never was.
    pub(crate) fn last_asked(&self) -> Option<Nanos> {
        self.asked
    }

    /// Returns when it last answered well.
    pub(crate) fn exercised(&self) -> Option<Nanos> {
        self.good
    }
}

/// Whether a tier counts as redundancy, and else why not (F-153).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redundancy {
    /// It does.
    Counts,
    /// A request may not be started on it now, or only to find out whether it is well again.
    Barred,
    /// It has not answered well since this process has it.
    Unproven,
    /// Its last good answer is older than the `rehearsal` of its route.
    Stale,
}

impl Redundancy {
    /// Returns the word that status uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Barred => "barred",
            Self::Unproven => "unproven",
            Self::Stale => "stale",
        }
    }

    /// Judges a tier by whether it is certain, whether it may be started on, and how long ago it answered well.
    pub(crate) fn of((certain, eligible): (bool, bool), good: Option<Nanos>, rehearsal: Nanos) -> Self {
        match good {
            _ if certain => Self::Counts,
            _ if !eligible => Self::Barred,
            None => Self::Unproven,
            Some(ago) if ago > rehearsal => Self::Stale,
            Some(_) => Self::Counts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_150_a_path_is_due_an_hour_after_it_was_asked_and_not_before_it_could_have_been() {
        let mut proof = Proof::default();
        assert!(!proof.is_due(5 * HOUR), "it could not have been asked before");
        assert!(!proof.is_due(6 * HOUR - 1));
        assert!(proof.is_due(6 * HOUR));
        proof.ask(6 * HOUR);
        assert!(!proof.is_due(7 * HOUR - 1) && proof.is_due(7 * HOUR));
    }

    #[test]
    fn f_153_what_counts_as_redundancy_is_certain_or_proven_lately() {
        use Redundancy::{Barred, Counts, Stale, Unproven};
        for (certain, eligible, good, expected) in [
            (true, true, None, Counts),
            (true, false, None, Counts),
            (false, true, Some(HOUR), Counts),
            (false, true, Some(HOUR + 1), Stale),
            (false, true, None, Unproven),
            (false, false, Some(0), Barred),
        ] {
            assert_eq!(Redundancy::of((certain, eligible), good, HOUR), expected, "PROOF-1: {certain} {eligible}");
        }
    }
}
