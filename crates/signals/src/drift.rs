//! Drift: notices that what comes in or goes out no longer looks like the reference (`signals.md` §5).
//!
//! Each row is placed among the rows of the reference: while nothing changed, its place is uniform, whatever the distribution, and
//! however many ties, categories and missing values it has. Twelve gamblers bet that places move up, down, apart or together
//! ([`Stream`]); many streams share one alarm and one promise ([`Panel`]).
//!
//! # Guarantee
//! The mean time between false alarms of a panel is at least T, given a fair reference: the discount pays for its being a sample, up
//! to three standard errors (of some 0.3 % of references more is wanted, for a pair of bets).
//!
//! # Invariants
//! - `DRI-1`: a place is uniform while nothing changed; equal rows share their places evenly.
//! - `DRI-2`: an alarm latches, keeps what it saw, and all purses start anew; it ends after a time and some rows without another,
//!   after a longer one where those who carried it were not seen since ([`carriers`]).
//! - `DRI-3`: replicas average, and each stands alone where it hears nothing.
//! - `DRI-4`: a reference of fewer than 1,000 rows is refused: a discount that pays for it would leave nothing.
//!
//! # When it misleads
//! Daily cycles (use seasons), rows that depend on one another (one row a session and minute is to enter: the caller sees to that), a
//! reference that was taken during an incident, drift so slow that its gain is below the discount. That labels mean something else while no
//! input moves is not seen at all.
//!
//! # Source
//! Shin, Ramdas, Rinaldo (e-detectors); Vovk, Nouretdinov, Gammerman (conformal test martingales); the bets are ours.

mod carriers;
mod delay;
mod evidence;
mod latch;
mod panel;
mod place;
mod stream;

pub use delay::{Delay, delay};
pub use evidence::{Culprit, Evidence};
pub use latch::{Hold, State};
pub use panel::{Panel, Refused, Settings, Watched};
pub use place::{discount, place, share};
pub use stream::{Group, Stream, weights};

/// Rows that a reference has at least.
pub const LEAST_ROWS: u64 = 1_000;
