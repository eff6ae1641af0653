//! Worth: what the votes of an answer are worth, where that was learnt.

use std::sync::Arc;

use evenkeel_api as api;
use evenkeel_config::Learnt;
use evenkeel_core::digest_name;
use jiff::Timestamp;

use crate::sure::{Kind, Sure, time};

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
        Some(Sure { kind: Kind::Votes, rows: self.rows.as_deref()?.into(), n: self.n, as_of: self.as_of() })
    }

    /// Returns when the rows were seen by which that is known.
    fn as_of(&self) -> Timestamp {
        time(self.by.votes.as_of)
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
