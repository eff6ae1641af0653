//! Copies: what the copy of a request said, beside what its client got (F-150).

use super::Value;
use crate::shadow::Shadowed;

/// What a copy said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copied {
    pub(super) id: u128,
    /// When, ns.
    pub(super) at: u64,
    pub(super) route: String,
    /// The tier, or the member of one, that was asked.
    pub(super) path: String,
    /// What it said of each row, where a label is compared with that.
    pub(super) said: Vec<Option<Value>>,
    /// Rows that could be compared with what the client got, and how many agreed.
    pub(super) compared: (u64, u64),
}

impl Copied {
    pub(super) fn new((id, at): (u128, u64), it: &Shadowed, said: Vec<Option<Value>>) -> Self {
        let compared = it.compared.as_ref().map_or((0, 0), |it| (it.rows, it.agreed));
        Self { id, at, route: it.route.clone(), path: it.path.clone(), said, compared }
    }
}
