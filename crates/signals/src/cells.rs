//! Cells: a distribution as counts in up to 256 cells, the only form in which one is kept (`signals.md` §3).
//!
//! Numbers lie in intervals of about equal depth; a value that holds its 1/256 of the rows has a cell of its own, so a column of few
//! values, a constant or a spike at zero is told apart from its neighbours. Categories have one cell each. Missing is a cell like any
//! other: a rising null rate is drift.
//!
//! # Invariants
//! - `CEL-1`: the order of cells is fixed: missing, the regular ones ascending, unseen (categories alone), invalid.
//! - `CEL-2`: every value has a cell: NaN, infinities and values of another type are invalid.
//! - `CEL-3`: a merge adds; other ends or names are refused.
//!
//! # When it misleads
//! Within a cell nothing is seen: beyond the ends of the reference one value is like another.

mod categories;
mod ends;
mod live;
mod reference;
mod report;
mod seasons;

pub use categories::Categories;
pub use ends::Ends;
pub use live::{HOUR_NS, Live, WINDOW_NS};
pub use reference::{Cells, Kind, Label, Value};
pub use report::{Report, js_bits, psi};
pub use seasons::{Season, Seasons};

/// Regular cells at most.
pub const CELLS: usize = 256;
