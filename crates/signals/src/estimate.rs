//! Estimates of accuracy: with labels that are few, late, or another path's (`signals.md` §9).
//!
//! | what there is | what tells the accuracy |
//! |---|---|
//! | calibrated confidences alone | [`LabelFree`]: their mean, until labels say that it is off |
//! | few labels and confidences of all rows | [`Powered`]: PPI++ |
//! | labels that come late | [`Delayed`]: weighed by how likely a label of that age is there |
//! | what another path would have given | [`DoublyRobust`]: a guess, corrected where it was asked |
//!
//! # Invariants
//! - `EST-1`: no number without how many rows stand behind it, its time, its method, and what it takes for granted, in words.
//! - `EST-2`: sums are of fixed-point numbers: the same in whatever order rows came, and a merge is exact.
//! - `EST-3`: what is no number is left out and counted.
//!
//! # When it misleads
//! Each method takes something for granted ([`Method::assumption`]) that the rows cannot show. Nothing here is the only reason of a
//! transition.

mod delayed;
mod doubly_robust;
mod label_free;
mod powered;

pub use delayed::{Delayed, DelayedReading, Joined, MOST_DELAY_NS, MOST_ROWS};
pub use doubly_robust::{DoublyRobust, RobustReading, Unusable};
pub use label_free::{ConceptDrift, LabelFree, Silent};
pub use powered::{Powered, PoweredReading};

use crate::shape::Reading;

/// How an accuracy was estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The mean of calibrated confidences.
    LabelFree,
    /// The rows that have labels, alone.
    Labels,
    /// Labels and predictions of the rest (PPI++).
    Powered,
    /// Labels that came so far, weighed by how likely they were there.
    Delayed,
    /// A guess for every row, corrected by those that were seen.
    DoublyRobust,
}

impl Method {
    /// Returns the word of records and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LabelFree => "label_free",
            Self::Labels => "labels",
            Self::Powered => "powered",
            Self::Delayed => "delayed",
            Self::DoublyRobust => "doubly_robust",
        }
    }

    /// Returns what the method takes for granted: it is shown wherever the number is.
    pub fn assumption(self) -> &'static str {
        match self {
            Self::LabelFree => {
                "true only while answers are as often right, at the same confidence, as when the calibrator was taught"
            }
            Self::Labels => "true if rows with labels are like those without",
            Self::Powered => "true for many rows, if labels are missing at random",
            Self::Delayed => "true if how late a label is does not depend on whether the answer was right",
            Self::DoublyRobust => {
                "true if the logged chance of being asked is the true one and answers do not change what is asked next"
            }
        }
    }
}

/// An accuracy, as a share, with its interval at 95 % (the number itself where the method has none), the rows behind it, the time of
/// the latest of them, and how it was found.
pub type Estimate = Reading<Method>;

/// The 97.5th percentile of the normal distribution.
const NORMAL_97_5: f64 = 1.959_963_984_540_054;

/// A sum that does not depend on the order of what was added (`EST-2`): whole parts of 2^-32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum(i128);

impl Sum {
    /// Parts of 1.
    const PARTS: f64 = 4_294_967_296.0;

    /// Adds a finite number below 10^6.
    fn add(&mut self, x: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        let parts = (x * Self::PARTS).round_ties_even() as i128;
        self.0 += parts;
    }

    fn merge(&mut self, other: Self) {
        self.0 += other.0;
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum that is read as a float")]
    fn value(self) -> f64 {
        self.0 as f64 / Self::PARTS
    }
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

/// Returns how many rows of equal weight would say as much as these: (Σw)² / Σw². 0 without weight.
///
/// # Source
/// Kish 1965.
pub fn effective_sample_size(weights: impl IntoIterator<Item = f64>) -> f64 {
    let (mut all, mut squares) = (0.0, 0.0);
    for weight in weights.into_iter().filter(|it| it.is_finite()) {
        all += weight;
        squares += weight * weight;
    }
    if squares > 0.0 { all * all / squares } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_count_whole_and_one_heavy_row_counts_alone() {
        assert_eq!(effective_sample_size([2.0; 7]), 7.0);
        assert_eq!(effective_sample_size([]), 0.0);
        assert!(effective_sample_size([1_000.0, 1.0, 1.0]) < 1.01);
        assert_eq!(effective_sample_size([1.0, f64::NAN, 1.0]), 2.0);
    }

    #[test]
    fn est_1_every_method_says_what_it_takes_for_granted() {
        use Method::{Delayed, DoublyRobust, LabelFree, Labels, Powered};
        assert!(
            [LabelFree, Labels, Powered, Delayed, DoublyRobust].iter().all(|it| it.assumption().starts_with("true "))
        );
    }

    #[test]
    fn est_2_sums_do_not_depend_on_their_order() {
        let numbers: Vec<f64> = (0..1_000_u32).map(|at| f64::from(at % 97) * 0.1 - 3.0).collect();
        let (mut forth, mut back) = (Sum::default(), Sum::default());
        numbers.iter().for_each(|it| forth.add(*it));
        numbers.iter().rev().for_each(|it| back.add(*it));
        assert_eq!(forth, back);
        assert!((forth.value() - numbers.iter().sum::<f64>()).abs() < 1e-6);
    }
}
