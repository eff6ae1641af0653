//! Calibrate: P(an answer is right | path, label, confidence), with how many rows stand behind it (`signals.md` §8).
//!
//! A path's own confidence is a number on its own scale. Rows whose outcome is known fill cells, label by label and confidence by
//! confidence, and what a cell has seen is pulled towards its label, and its label towards its path, by ten rows each: a cell
//! that saw little says little.
//!
//! # Invariants
//! - `CAL-1`: a merge adds; whose grid differs is refused.
//! - `CAL-2`: old rows fade with a half-life of 7 days and are never dropped at once.
//! - `CAL-3`: below 50 rows there is no confidence.
//!
//! # When it misleads
//! It holds for rows like those it was taught by: under drift it does not, and nothing here notices. Taught by agreement with the
//! primary it says how often both agree, never how often they are right.
//!
//! # Source
//! The temperature is Guo et al. 2017; the shrinkage is ours.

mod cells;
mod decay;
mod ece;
mod grid;
mod temperature;
mod vote;

pub use cells::{Calibrator, CalibratorState, CellState, Chances, Incompatible, Kind, Reading, Row, Teacher};
pub(crate) use decay::Decay;
pub use decay::HALF_LIFE_NS;
pub use ece::{ece, scale_error};
pub use grid::Grid;
pub use temperature::temperature;
pub use vote::{Asked, Said, VoteCalibration, VoteState};
