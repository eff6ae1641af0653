//! The numbers behind the decisions: evidence that all is not well, votes, calibrators, cascades and their certificates, canaries,
//! estimates of accuracy, forecasts, score maps, how near two questions are (`docs/design/signals.md`).
//!
//! It measures and never decides: what it finds is quantised at the door ([`quantise`]), and the core compares integers. No IO, no
//! clock, no entropy, no threads: time comes in as an argument.
//!
//! # Invariants
//! - `SIG-1`: the same bits everywhere. State changes by `+ - * / sqrt` alone; `ln` and `exp` are those of [`math`], never the
//!   platform's; no sum is fused or reordered.
//! - `SIG-2`: what was counted is the same in whatever order it came.
//! - `SIG-3`: NaN and infinities never enter arithmetic: they are no vote, no pair, no row.

pub mod anomaly;
pub mod calibrate;
pub mod canary;
pub mod cascade;
pub mod cells;
pub mod certify;
pub mod cosine;
pub mod drift;
pub mod eproc;
pub mod estimate;
pub mod forecast;
pub mod guards;
pub mod math;
mod quantise;
pub mod reference;
pub mod replay;
pub mod risk;
pub mod row;
pub mod score_map;
pub mod shape;
pub mod sketch;
pub mod text;
pub mod votes;
pub mod wording;

pub use quantise::{RATIO, quantise};
