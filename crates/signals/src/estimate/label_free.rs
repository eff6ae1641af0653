//! Label-free: accuracy as the mean of calibrated confidences (CBPE), until labels say that it is off.
//!
//! # When it misleads
//! It sees answers become less sure. It cannot see answers go wrong at the same confidence (concept drift): for that it takes labels,
//! and as soon as some come, [`ConceptDrift`] compares. Not offered for regression, whose answers are not right or wrong.
//!
//! # Source
//! NannyML's confidence-based performance estimation, over our cell calibrator. No finite-sample guarantee.

use super::{Estimate, Method, Sum, float};
use crate::{
    eproc::{EProc, Every, Form, Null, Overlap},
    shape::Incompatible,
};

/// Below so many rows a window says nothing.
const ENOUGH: u64 = 20;
/// What confidence and truth may differ by on average.
const TOLERANCE: f64 = 0.02;
/// The mean time between false alarms, ns: 30 days.
const EVERY_NS: u64 = 30 * 86_400 * 1_000_000_000;

/// Why there is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// The window has fewer than 20 rows.
    TooFew,
    /// Labels say that confidence and truth differ, since about then (ns): the number is withdrawn.
    ConceptDrift {
        /// Since about when, ns.
        since: u64,
    },
}

/// The calibrated confidences of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelFree {
    n: u64,
    left_out: u64,
    as_of: u64,
    sum: Sum,
}

impl LabelFree {
    /// Counts an answer by its calibrated confidence in [0, 1]; what lies outside or is no number is left out and counted.
    pub fn update(&mut self, at: u64, p: f64) {
        if !(0.0..=1.0).contains(&p) {
            self.left_out += 1;
            return;
        }
        self.n += 1;
        self.as_of = self.as_of.max(at);
        self.sum.add(p);
    }

    /// Adds what another one counted, of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.left_out += other.left_out;
        self.as_of = self.as_of.max(other.as_of);
        self.sum.merge(other.sum);
    }

    /// Returns how many rows were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Says the accuracy of the window. It has no interval: the method promises none.
    ///
    /// # Errors
    /// There are too few rows, or labels have shown that the number is off.
    pub fn read(&self, labels: &ConceptDrift) -> Result<Estimate, Silent> {
        if let Some(since) = labels.since() {
            return Err(Silent::ConceptDrift { since });
        }
        if self.n < ENOUGH {
            return Err(Silent::TooFew);
        }
        let value = self.sum.value() / float(self.n);
        let (samples, as_of) = (self.n, self.as_of);
        Ok(Estimate { value, lo: value, hi: value, samples, as_of, state: Method::LabelFree })
    }
}

/// Watches whether what is said comes true: on rows with labels, confidence less truth has a mean within ±0.02.
///
/// # Guarantee
/// At most one false alarm in 30 days on average, at any rate of labels, if rows with labels are like the others.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptDrift {
    /// Bets that confidence is too high, and that it is too low.
    engines: [EProc; 2],
    alarmed: Option<u64>,
}

impl Default for ConceptDrift {
    fn default() -> Self {
        let bounds = (-1.0, 1.0);
        let nulls = [Null::at_most(TOLERANCE, bounds), Null::at_least(-TOLERANCE, bounds)];
        let engine = |null: Option<Null>| EProc::new(Form::Sr(Every::Nanos(EVERY_NS)), null.expect("sound bounds"));
        Self { engines: nulls.map(engine), alarmed: None }
    }
}

impl ConceptDrift {
    /// Compares a row whose label has come. An alarm stays until there is a calibrator that was taught anew, and a new watch with it.
    pub fn update(&mut self, at: u64, p: f64, right: bool) {
        let x = p - f64::from(u8::from(right));
        self.engines.iter_mut().for_each(|it| it.update(at, x));
        let [high, low] = [0, 1].map(|at| self.engines[at].wealth());
        let alarm = high.plus(low) >= crate::eproc::Wealth::of(2.0);
        if alarm && self.alarmed.is_none() {
            self.alarmed = Some(self.engines[usize::from(low > high)].since());
        }
    }

    /// Returns since about when confidence and truth differ, ns; none where no alarm was.
    pub fn since(&self) -> Option<u64> {
        self.alarmed
    }

    /// Puts the watches of two replicas together.
    ///
    /// # Errors
    /// None today: all watches test the same.
    pub fn merge(&mut self, other: &Self, rows: Overlap) -> Result<(), Incompatible> {
        for (ours, theirs) in self.engines.iter_mut().zip(&other.engines) {
            ours.merge(theirs, rows)?;
        }
        self.alarmed = self.alarmed.into_iter().chain(other.alarmed).min();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    /// A watch over rows a minute apart, of which so many of ten are right at confidence 0.8.
    fn watch(rows: u64, right: u64) -> ConceptDrift {
        let mut watch = ConceptDrift::default();
        (0..rows).for_each(|at| watch.update(at * MINUTE, 0.8, at * 7 % 10 < right));
        watch
    }

    #[test]
    fn the_number_is_the_mean_and_stays_away_below_twenty_rows() {
        let mut window = LabelFree::default();
        let (quiet, mut other) = (ConceptDrift::default(), LabelFree::default());
        (0..19).for_each(|at| window.update(at, 0.9));
        assert_eq!(window.read(&quiet), Err(Silent::TooFew));
        window.update(50, f64::NAN);
        window.update(50, 1.2);
        assert_eq!((window.read(&quiet), window.left_out()), (Err(Silent::TooFew), 2));
        other.update(30, 0.5);
        window.merge(&other);
        let said = window.read(&quiet).expect("twenty rows");
        assert!((said.value - (19.0 * 0.9 + 0.5) / 20.0).abs() < 1e-9);
        assert_eq!((said.samples, said.as_of, said.state), (20, 30, Method::LabelFree));
        assert!(said.state.assumption().contains("when the calibrator was taught"));
    }

    #[test]
    fn labels_that_disagree_withdraw_the_number_in_either_direction() {
        assert_eq!(watch(20_000, 8).since(), None, "true to what was said");
        let mut window = LabelFree::default();
        (0..100).for_each(|at| window.update(at, 0.8));
        for right in [5, 10] {
            let watch = watch(3_000, right);
            let since = watch.since().expect("an alarm");
            assert_eq!(window.read(&watch), Err(Silent::ConceptDrift { since }));
            assert!(since < 500 * MINUTE, "it was so from the start: {}", since / MINUTE);
        }
    }

    #[test]
    fn an_alarm_of_one_replica_is_an_alarm_of_both() {
        let mut good = watch(100, 8);
        good.merge(&watch(3_000, 5), Overlap::Disjoint).expect("alike");
        assert!(good.since().is_some());
    }
}
