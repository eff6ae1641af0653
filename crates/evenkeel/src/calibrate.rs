//! Calibrate: what rows teach about one tier: its scores beside the primary's, or the truth beside its confidence, or beside the votes of
//! its members.
//!
//! ```text
//! rows.csv -> table -> asked (a path in this process, or columns) -> learnt, and judged by rows that have not taught -> a file
//! ```

pub(crate) mod asked;
pub(crate) mod confidence;
pub(crate) mod scores;
pub(crate) mod table;
pub(crate) mod thresholds;
pub(crate) mod votes;
