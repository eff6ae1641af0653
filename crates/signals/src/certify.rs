//! Certify: thresholds with a promise (`signals.md` §6).
//!
//! A cheaper policy may answer worse than the primary. On rows that both answered the extra loss of each row, `d = loss(policy) −
//! loss(primary)` in [−1, 1], is known; an engine bets that its mean is below ε. Policies are walked from the safest to the cheapest,
//! and the last one for which the bets were won is taken.
//!
//! ```text
//! policies, safest first, ordered on other rows ─┐
//! extra losses on calibration rows ──────────────┴─> walk -> the last that passed -> Certificate -> Standing
//! ```
//!
//! # Guarantee
//! P(extra risk of the chosen policy > ε) ≤ δ, for any loss and any number of rows, if rows are like those to come, in an order that does
//! not depend on what they lose, and the policies were ordered without these rows. It is *extra risk against the primary*: it says nothing of the primary's own errors.
//!
//! # Invariants
//! - `CERT-1`: the walk stops at the first policy that does not pass; none after it is taken, however good.
//! - `CERT-2`: a policy passes at the first row at which the odds reach 1/δ; what comes later does not take those odds back (Ville). It
//!   does not pass whose mean extra loss on all rows is above ε: nobody is promised what these very rows do not show.
//! - `CERT-3`: the first tuning of a route has the whole δ, the k-th one δ_k = 6δ/(π²k²): all re-tunings together err with at most .393 δ,
//!   and with the first one with at most 1.393 δ.
//! - `CERT-4`: a certificate says valid, void since when and because of what, or expired; never a bare yes.
//!
//! # Source
//! Learn then Test: Angelopoulos, Bates, Candès, Jordan, Lei 2021, with e-values in place of p-values; fixed-sequence testing.

mod certificate;
mod thresholds;
mod walk;

pub use certificate::{Alarm, Because, Certificate, Issue, Standing};
pub use thresholds::{Answers, AtLeast, Tuned, Untunable, digest, order, tune};
pub use walk::{Passed, Walk, walk};

/// ε and δ of a promise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    epsilon: f64,
    delta: f64,
    tuning: u32,
}

impl Terms {
    /// The promise that extra risk is at most ε but for a chance of δ, made for the k-th time for this route (from 1). None where ε or
    /// δ is not strictly between 0 and 1, or k is 0.
    pub fn new(epsilon: f64, delta: f64, tuning: u32) -> Option<Self> {
        let open = |it: f64| it > 0.0 && it < 1.0;
        (open(epsilon) && open(delta) && tuning > 0).then_some(Self { epsilon, delta, tuning })
    }

    /// Returns the extra risk that is accepted.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Returns the chance to err that this tuning has, the whole of it the first time: `CERT-3`.
    pub fn delta(&self) -> f64 {
        let k = f64::from(self.tuning);
        match self.tuning {
            1 => self.delta,
            _ => 6.0 * self.delta / (std::f64::consts::PI * std::f64::consts::PI * k * k),
        }
    }

    /// Returns how often this route has been tuned, this time included.
    pub fn tuning(&self) -> u32 {
        self.tuning
    }
}
