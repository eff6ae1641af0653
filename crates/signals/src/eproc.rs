//! EProc: one engine that bets against "all is well" (`signals.md` §4).
//!
//! Picture a gambler who may only place fair bets: as long as all is well he cannot expect to grow rich, however often he plays and
//! whenever somebody looks at his purse. If his purse is full, all is not well. A row becomes a number `z` that is at least −1 and
//! whose mean is at most 0 while all is well; bet `λ` of the purse on it and the purse is multiplied by `1 + λz`. As nobody knows
//! the right `λ`, six gamblers share the stake.
//!
//! # Guarantee
//! [`Form::Plain`]: P(the wealth ever reaches 1/α) ≤ α, at any number of looks (Ville's inequality). [`Form::Sr`], [`Form::Cusum`]:
//! the mean time to a false alarm is at least T, since the wealth less the deposits so far is a supermartingale. Deposits follow the
//! clock, so T holds in time, at any rate of rows.
//!
//! # Invariants
//! - `EPR-1`: wealth neither over- nor underflows: 10^6 lost rows can be won back.
//! - `EPR-2`: the plain form does not depend on the order of rows, but for the last bits; halves multiply to the whole.
//! - `EPR-3`: a restarted form never gets more than a thousandth of T for one row, however long the silence before it.
//! - `EPR-4`: what is no number is not bet on, and counted; what is out of bounds is clipped, and counted.
//!
//! # When it misleads
//! The null must hold for each row given all before: autocorrelated rows, retries of one client, arrival times that depend on the
//! value, or a wrong mean break the promise.
//!
//! # Source
//! Shin, Ramdas, Rinaldo (e-detectors); Waudby-Smith, Ramdas (betting); Vovk, Wang (combining e-values).

mod bets;
mod engine;
mod every;
mod null;
mod sequence;
mod streams;
mod wealth;

pub(crate) use bets::{Bets, Given};
pub use engine::{EProc, Form, GRID, Overlap};
pub use every::Every;
pub use null::Null;
pub use sequence::{Means, of_counts};
pub use streams::{combined, culprits};
pub use wealth::Wealth;
