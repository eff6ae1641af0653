//! Votes: which answer of an ensemble stands, and how far its members agree (`signals.md` §10).
//!
//! ```text
//! labels    canonical class per member -> Ballot -> Tally                  (tally)
//! numbers   value per member           -> Estimate -> Median               (median)
//! texts     text -> read -> canonical -> clusters -> Ballot -> Tally       (text, cluster)
//! records   canonical fields -> record -> records    -> Ballot -> Tally    (fields)
//! ```
//! Not here: quorum, clocks and who is asked, which the core decides; who is trusted how far, which [`weight`] turns into a weight.
//!
//! # Invariants
//! - `VOTE-1`: any order of arrival gives the same bytes. Weights are whole millionths, so that sums do not depend on order; every
//!   tie has a rule, and the last one cannot be equal.
//! - `VOTE-2`: what is said to be decided stays: whatever those who are still out say, the winning class is the same.
//! - `VOTE-3`: an answer is one that a member gave; nothing is averaged into a value that nobody said.
//!
//! # When it misleads
//! Members err together. Shares computed as if they did not (this one, and every Dawid-Skene posterior) claim too much: a share is
//! shown as a confidence only after its own calibrator saw it. A plain majority can lose to the best member by 20 points.
//!
//! # Source
//! Log-odds weights: Nitzan and Paroush 1982.

mod cluster;
mod fields;
mod median;
mod number;
mod read;
mod tally;
mod text;
mod trust;
mod weight;

pub use cluster::{Spoken, clusters};
pub use fields::{record, records};
pub use median::{Agreement, Estimate, Tolerance, median, median_decided};
pub use number::canonical_number;
pub use read::{Read, read};
pub use tally::{Ballot, Rivals, Standing, Tally};
pub use text::canonical;
use text::plain;
pub use trust::{Lesson, trust, trusted};
pub use weight::{Bounds, EQUAL, weight};
