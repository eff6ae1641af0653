//! Calibrate: what rows teach about one tier: its scores beside the primary's, or the votes of its members beside the truth.
//!
//! ```text
//! rows.csv -> table -> asked (a path in this process, or columns) -> learnt, and judged by rows that have not taught -> a file
//! ```

pub(crate) mod asked;
pub(crate) mod scores;
pub(crate) mod table;
pub(crate) mod votes;
