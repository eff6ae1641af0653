//! Member: how one member of an ensemble stands, and what it says of each row.

use evenkeel_core::AttemptId;

/// How a member stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Member {
    /// It was not asked.
    Unasked,
    Out(AttemptId),
    /// It has ended without a vote.
    Silent(AttemptId),
    /// For each row what it says; none where it says nothing of it.
    Labels(AttemptId, Vec<Option<Vote>>),
    Numbers(AttemptId, Vec<Option<f64>>),
}

/// What a member says of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Vote {
    /// The number of its class.
    pub(super) class: u32,
    /// What it counts, in millionths.
    pub(super) weight: i64,
}

impl Member {
    pub(super) fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::Unasked => None,
            Self::Out(it) | Self::Silent(it) | Self::Labels(it, _) | Self::Numbers(it, _) => Some(*it),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        !matches!(self, Self::Unasked | Self::Out(_))
    }

    pub(super) fn votes_at_all(&self) -> bool {
        matches!(self, Self::Labels(..) | Self::Numbers(..))
    }

    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Labels(_, rows) => rows.len(),
            Self::Numbers(_, rows) => rows.len(),
            Self::Unasked | Self::Out(_) | Self::Silent(_) => 0,
        }
    }

    /// Counts the rows of which it says something.
    pub(super) fn voted(&self) -> u64 {
        match self {
            Self::Labels(_, rows) => rows.iter().flatten().count() as u64,
            Self::Numbers(_, rows) => rows.iter().flatten().count() as u64,
            Self::Unasked | Self::Out(_) | Self::Silent(_) => 0,
        }
    }

    /// Returns what its votes count, on the mean; none where it has none that were weighed.
    pub(super) fn mean_weight(&self) -> Option<i64> {
        let Self::Labels(_, rows) = self else { return None };
        let (sum, n) = rows.iter().flatten().fold((0_i128, 0), |(sum, n), it| (sum + i128::from(it.weight), n + 1));
        (n > 0).then(|| i64::try_from(sum / n).unwrap_or(i64::MAX))
    }

    pub(super) fn label(&self, row: usize) -> Option<Vote> {
        if let Self::Labels(_, rows) = self { rows.get(row).copied().flatten() } else { None }
    }

    pub(super) fn value(&self, row: usize) -> Option<f64> {
        if let Self::Numbers(_, rows) = self { rows.get(row).copied().flatten() } else { None }
    }
}
