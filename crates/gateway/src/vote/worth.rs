//! Worth: what the votes of an answer are worth, where that was learnt.

use std::sync::Arc;

use evenkeel_api as api;
use evenkeel_config::Learnt;
use evenkeel_core::digest_name;
use jiff::Timestamp;

/// By what a confidence is known that the votes of an ensemble give.
pub(crate) const VOTES: &str = "votes";

/// What the votes of an answer are worth, once they are over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Worth {
    /// The share of the votes that the winner has in the row where it is least likely right, in thousandths.
    pub(crate) share: u16,
    /// How likely each row is right, in thousandths; none where that is not known of some row.
    pub(crate) rows: Option<Vec<u16>>,
    /// The rows, at least, by which that is known.
    pub(crate) n: u64,
    /// By what that is known.
    pub(crate) by: Arc<Learnt>,
}

impl Worth {
    /// Returns how likely the row is right of which that is least likely, in thousandths.
    pub(crate) fn least(&self) -> Option<u16> {
        self.rows.as_ref()?.iter().min().copied()
    }

    /// Returns what a client is told of it; none where that is nothing.
    pub(crate) fn sure(&self) -> Option<Sure> {
        Some(Sure { rows: self.rows.as_deref()?.into(), n: self.n, as_of: self.as_of() })
    }

    /// Returns when the rows were seen by which that is known.
    fn as_of(&self) -> Timestamp {
        let seconds = i64::try_from(self.by.votes.as_of).ok();
        seconds.and_then(|it| Timestamp::from_second(it).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Writes in names what it is.
    pub(crate) fn render(&self) -> api::Votes {
        api::Votes {
            calibration: digest_name(&self.by.sha256),
            as_of: self.as_of(),
            n: self.n,
            share_permille: self.share,
            confidence_permille: self.least(),
        }
    }
}

/// What a client is told of how likely an answer is right. It is kept with the answer, and told again with it (F-142).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sure {
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
        api::Confidence { kind: VOTES.into(), value, n: self.n, as_of: self.as_of }
    }
}
