//! Sample: the rows with the smallest hash of source and number, which make a merge exact: the smallest of both are the smallest
//! of all.

use super::{SAMPLE, scalar::Held};
use crate::row::RowId;

/// Salt of the draw: one for all references, or two could not be put together.
const DRAW: u64 = 0x53_41_4d_50;

/// A row of the sample, in its public scalars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sampled {
    pub(super) id: RowId,
    /// Its time, ns since the epoch.
    pub(super) at: Option<u64>,
    pub(super) values: Vec<Held>,
}

/// What a row is drawn by.
pub(super) fn key(id: RowId) -> (u64, RowId) {
    (id.drawn(DRAW), id)
}

/// Keeps the smallest, in their order; one that is there twice is one.
pub(super) fn smallest(mut rows: Vec<Sampled>) -> Vec<Sampled> {
    rows.sort_by_key(|it| key(it.id));
    rows.dedup_by_key(|it| it.id);
    rows.truncate(SAMPLE);
    rows
}
