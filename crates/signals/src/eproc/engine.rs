//! Engine: rows in, evidence out.

use super::{Bets, Every, Null, Wealth};
use crate::{
    quantise,
    shape::{Incompatible, Reading},
};

/// The parts of its purse that each gambler bets. One grid for all jobs but drift, which has its own.
pub const GRID: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

/// How wealth is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One test that never starts again: E may reach 1/α with a probability of at most α, if ever.
    Plain,
    /// Shiryaev–Roberts: a new gambler at every moment, all kept. Alarm at 1.
    Sr(Every),
    /// The best of these gamblers alone: later than `Sr`, and with fewer false alarms. Alarm at 1.
    Cusum(Every),
}

/// Which rows two engines saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// No row was seen by both.
    Disjoint,
    /// Some may have been.
    Shared,
}

/// An engine that tests one mean.
///
/// # Cost
/// Six additions and multiplications a row, 160 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct EProc {
    form: Form,
    null: Null,
    discount: f64,
    /// Each purse's `1 / (1 + λδ)`.
    paid: [f64; 6],
    bets: Bets<6>,
    rows: u64,
    as_of: Option<u64>,
    clipped: u64,
    invalid: u64,
    /// Engines that it is the average of.
    parts: u32,
}

impl EProc {
    /// An engine without a row.
    pub fn new(form: Form, null: Null) -> Self {
        Self {
            form,
            null,
            discount: 0.0,
            paid: [1.0; 6],
            bets: Bets::new(form),
            rows: 0,
            as_of: None,
            clipped: 0,
            invalid: 0,
            parts: 1,
        }
    }

    /// Has every bet pay a discount of `δ ≥ 0`, for a null that is itself an estimate. To be said before the first row.
    #[must_use]
    pub fn discounted(self, discount: f64) -> Self {
        let discount = if discount > 0.0 { discount.min(1.0) } else { 0.0 };
        Self { discount, paid: GRID.map(|bet| 1.0 / (1.0 + bet * discount)), ..self }
    }

    /// Bets on a row. `at` is its time, ns.
    pub fn update(&mut self, at: u64, x: f64) {
        let Some((z, clipped)) = self.null.bet(x) else {
            self.invalid += 1;
            return;
        };
        let deposit = match self.form {
            Form::Plain => 0.0,
            Form::Sr(every) | Form::Cusum(every) => every.deposit(self.as_of, at),
        };
        let paid = self.paid;
        self.bets.play(self.form, Bets::<6>::each(at, deposit), |at| (1.0 + GRID[at] * z) * paid[at]);
        self.rows += 1;
        self.clipped += u64::from(clipped);
        self.as_of = Some(self.as_of.map_or(at, |it| it.max(at)));
    }

    /// Returns the wealth: E of the plain form, W of the others.
    pub fn wealth(&self) -> Wealth {
        self.bets.wealth()
    }

    /// Says whether the wealth reaches a threshold: 1/α for the plain form, 1 for the others.
    pub fn reaches(&self, threshold: f64) -> bool {
        self.wealth() >= Wealth::of(threshold)
    }

    /// Returns since about when the fullest purse of a restarted form wins, ns.
    pub fn since(&self) -> u64 {
        self.bets.since()
    }

    /// Returns how many rows were bet on, were clipped among them, and were no numbers besides.
    pub fn counts(&self) -> [u64; 3] {
        [self.rows, self.clipped, self.invalid]
    }

    /// Starts again with empty purses, after an alarm. The clock goes on: what passed since the last row is still to be given.
    pub fn restart(&mut self) {
        self.bets = Bets::new(self.form);
    }

    /// Reads the wealth; the state says whether a restarted form alarms. The plain form has no threshold of its own: never.
    pub fn read(&self, _now: u64) -> Reading<bool> {
        let value = self.wealth().number();
        let state = self.form != Form::Plain && self.reaches(1.0);
        Reading { value, lo: value, hi: value, samples: self.rows, as_of: self.as_of.unwrap_or(0), state }
    }

    /// Returns the common logarithm of the wealth in thousandths; none of an empty purse.
    pub fn quantise(&self) -> Option<i64> {
        quantise(self.wealth().log10(), 1_000)
    }

    /// Puts two engines together. Plain ones that saw different rows multiply, purse by purse: as if one had seen all. All others
    /// average, which is valid whatever they have in common.
    ///
    /// # Errors
    /// They test for something else, or with another clock or discount.
    pub fn merge(&mut self, other: &Self, rows: Overlap) -> Result<(), Incompatible> {
        if (self.form, self.null, self.discount) != (other.form, other.null, other.discount) {
            return Err(Incompatible::Setting);
        }
        match (self.form, rows) {
            (Form::Plain, Overlap::Disjoint) => self.bets.multiply(&other.bets),
            _ => {
                self.bets.average(&other.bets, self.parts, other.parts);
                self.parts = self.parts.saturating_add(other.parts);
            }
        }
        let both = |ours: u64, theirs: u64| match rows {
            Overlap::Disjoint => ours + theirs,
            Overlap::Shared => ours.max(theirs),
        };
        self.rows = both(self.rows, other.rows);
        self.clipped = both(self.clipped, other.clipped);
        self.invalid = both(self.invalid, other.invalid);
        self.as_of = self.as_of.max(other.as_of);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
