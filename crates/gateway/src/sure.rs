//! Sure: what a client is told of how likely an answer is right, by what that is known, and how much that is worth.
//!
//! # Invariants
//! - `SURE-1`: there is no number without its kind, the rows behind it and their time (`interfaces.md`, section 3; signals.md, section
//!   14).

use std::sync::Arc;

use evenkeel_api as api;
use jiff::Timestamp;

/// By what it is known how likely an answer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By how often such votes were right.
    Votes,
    /// By how often the path was right that was so sure.
    Calibrated,
}

impl Kind {
    /// Returns the word that clients and records read.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Calibrated => "calibrated",
        }
    }
}

/// What a client is told of how likely an answer is right. It is kept with the answer, and told again with it (F-142).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sure {
    /// By what that is known.
    pub(crate) kind: Kind,
    /// How likely each row is right, in thousandths; there is one at least.
    pub(crate) rows: Arc<[u16]>,
    /// The rows, at least, by which that is known.
    pub(crate) n: u64,
    /// When those were seen.
    pub(crate) as_of: Timestamp,
}

impl Sure {
    /// Returns how likely the row is right of which that is least likely, in thousandths.
    pub(crate) fn least(&self) -> u16 {
        self.rows.iter().min().copied().unwrap_or(0)
    }

    /// Writes it in names.
    pub(crate) fn render(&self) -> api::Confidence {
        let value = format!("{:.3}", f64::from(self.least()) / 1e3);
        api::Confidence { kind: self.kind.name().into(), value, n: self.n, as_of: self.as_of }
    }
}

/// Returns a time that a file has, in seconds since 1970; what cannot be one is 1970.
pub(crate) fn time(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|it| Timestamp::from_second(it).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}
