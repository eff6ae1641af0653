//! Doubly robust: what another path would have given, from the rows in which it was asked too.
//!
//! Every row has a guess (the path's calibrated probability); where the path was asked, by a chance that is logged, what it really
//! gave corrects the guess, weighed by one over that chance. With guesses of 0 it is plain inverse weighting (IPW).
//!
//! # When it misleads
//! If the logged chance is not the true one; if answers change what is asked next; if many weights are clipped, which is shown.
//!
//! # Source
//! Dudík, Langford, Li 2011.

use super::{Estimate, Method, NORMAL_97_5, Sum, float};

/// The least chance of being asked that is accepted: what is asked more rarely says nothing within a year.
const LEAST_CHANCE: f64 = 0.01;
/// Weights are clipped at this: one row may not speak for more.
const MOST_WEIGHT: f64 = 50.0;

/// Why a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// The chance of being asked is below 0.01, above 1, or no number.
    Chance,
    /// The guess or the outcome is not within [0, 1].
    Value,
}

/// Sums of terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoublyRobust {
    n: u64,
    seen: u64,
    clipped: u64,
    unusable: u64,
    as_of: u64,
    terms: Sum,
    squares: Sum,
    weights: Sum,
    weights_squared: Sum,
}

/// What another path would have given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustReading {
    /// The estimate; its samples are all rows. Its interval is the normal one of the terms; [`DoublyRobust::bounds`] is for a sequence.
    pub estimate: Estimate,
    /// Rows in which the path was asked.
    pub seen: u64,
    /// The share of these whose weight was clipped: above 0 the estimate leans to the guess.
    pub clipped_ratio: f64,
    /// Rows of equal weight that would say as much as those seen.
    pub effective: f64,
    /// Rows that could not be used.
    pub unusable: u64,
}

impl DoublyRobust {
    /// Counts a row: the guess, the chance of being asked, and what the path gave where it was asked. A row whose outcome is still to
    /// come waits: it is counted when it is there.
    ///
    /// Returns the row's term, from which a confidence sequence may be made.
    ///
    /// # Errors
    /// A number is out of its bounds; the row is counted as unusable.
    pub fn update(&mut self, at: u64, guess: f64, chance: f64, outcome: Option<f64>) -> Result<f64, Unusable> {
        let unit = 0.0..=1.0;
        let unusable = if !(LEAST_CHANCE..=1.0).contains(&chance) {
            Some(Unusable::Chance)
        } else if !unit.contains(&guess) || outcome.is_some_and(|it| !unit.contains(&it)) {
            Some(Unusable::Value)
        } else {
            None
        };
        if let Some(why) = unusable {
            self.unusable += 1;
            return Err(why);
        }
        self.n += 1;
        self.as_of = self.as_of.max(at);
        let mut term = guess;
        if let Some(outcome) = outcome {
            let weight = (1.0 / chance).min(MOST_WEIGHT);
            self.seen += 1;
            self.clipped += u64::from(1.0 / chance > MOST_WEIGHT);
            self.weights.add(weight);
            self.weights_squared.add(weight * weight);
            term += weight * (outcome - guess);
        }
        self.terms.add(term);
        self.squares.add(term * term);
        Ok(term)
    }

    /// Returns between what terms lie where no row is asked with less than this chance: `(x − low) / (high − low)` is in [0, 1].
    pub fn bounds(least_chance: f64) -> (f64, f64) {
        let most = (1.0 / least_chance.clamp(LEAST_CHANCE, 1.0)).min(MOST_WEIGHT);
        (1.0 - most, most)
    }

    /// Adds what another one counted, of other rows.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.seen += other.seen;
        self.clipped += other.clipped;
        self.unusable += other.unusable;
        self.as_of = self.as_of.max(other.as_of);
        self.terms.merge(other.terms);
        self.squares.merge(other.squares);
        self.weights.merge(other.weights);
        self.weights_squared.merge(other.weights_squared);
    }

    /// Says what is known; none where the path was asked in no row, or in one.
    pub fn read(&self) -> Option<RobustReading> {
        if self.seen < 2 {
            return None;
        }
        let n = float(self.n);
        let mean = self.terms.value() / n;
        let variance = ((self.squares.value() - n * mean * mean) / (n - 1.0)).max(0.0);
        let half = NORMAL_97_5 * (variance / n).sqrt();
        let within = |x: f64| x.clamp(0.0, 1.0);
        let estimate = Estimate {
            value: within(mean),
            lo: within(mean - half),
            hi: within(mean + half),
            samples: self.n,
            as_of: self.as_of,
            state: Method::DoublyRobust,
        };
        let weights = self.weights.value();
        Some(RobustReading {
            estimate,
            seen: self.seen,
            clipped_ratio: float(self.clipped) / float(self.seen),
            effective: weights * weights / self.weights_squared.value(),
            unusable: self.unusable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_of_the_design_is_met() {
        let mut robust = DoublyRobust::default();
        let rows = [(0.8, Some(1.0)), (0.6, None), (0.7, Some(0.0)), (0.5, None)];
        let terms: Vec<_> = rows.iter().map(|(q, r)| robust.update(7, *q, 0.5, *r).expect("in bounds")).collect();
        assert!(terms.iter().zip([1.2, 0.6, -0.7, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12), "{terms:?}");
        let said = robust.read().expect("two were seen");
        assert!((said.estimate.value - 0.4).abs() < 1e-9, "{said:?}");
        assert_eq!((said.estimate.samples, said.seen, said.effective, said.estimate.as_of), (4, 2, 2.0, 7));
        assert_eq!(DoublyRobust::bounds(0.5), (-1.0, 2.0));
    }

    #[test]
    fn with_the_true_chance_the_estimate_is_unbiased_however_bad_the_guess() {
        // All 2^n patterns of who is asked, each by its chance: the mean over them is the truth, exactly.
        let (truth, guess, chance) = ([1.0, 0.0, 1.0, 1.0], 0.1, 0.25);
        let mut mean = 0.0;
        for pattern in 0..16_u32 {
            let mut likely = 1.0;
            let mut sum = 0.0;
            for (at, truth) in truth.iter().enumerate() {
                let asked = pattern >> at & 1 == 1;
                likely *= if asked { chance } else { 1.0 - chance };
                let mut robust = DoublyRobust::default();
                sum += robust.update(0, guess, chance, asked.then_some(*truth)).expect("in bounds") / 4.0;
            }
            mean += likely * sum;
        }
        assert!((mean - 0.75).abs() < 1e-12, "{mean}");
    }

    #[test]
    fn clipping_is_shown_and_what_is_out_of_bounds_is_refused() {
        let mut robust = DoublyRobust::default();
        assert_eq!(robust.update(0, 0.0, 0.01, Some(1.0)), Ok(50.0), "one over .01 is clipped at 50");
        assert_eq!(robust.update(0, 0.0, 0.02, Some(1.0)), Ok(50.0), "and one over .02 is 50");
        assert_eq!(robust.update(0, 0.5, 0.009, Some(1.0)), Err(Unusable::Chance));
        assert_eq!(robust.update(0, 0.5, f64::NAN, None), Err(Unusable::Chance));
        assert_eq!(robust.update(0, f64::NAN, 0.5, None), Err(Unusable::Value));
        assert_eq!(robust.update(0, 0.5, 0.5, Some(1.1)), Err(Unusable::Value));
        let said = robust.read().expect("two were seen");
        assert_eq!((said.clipped_ratio, said.unusable, said.estimate.samples), (0.5, 4, 2));
        assert_eq!(DoublyRobust::bounds(0.0), (-49.0, 50.0));
    }

    #[test]
    fn est_2_a_merge_is_as_if_one_had_counted_all() {
        let row = |at: u32| (f64::from(at % 10) / 10.0, at.is_multiple_of(3).then(|| f64::from(at % 2)));
        let count = |rows: &mut dyn Iterator<Item = u32>| {
            let mut robust = DoublyRobust::default();
            rows.for_each(|at| {
                let _ = robust.update(u64::from(at), row(at).0, 1.0 / 3.0, row(at).1);
            });
            robust
        };
        let mut halves = count(&mut (50..100).rev());
        halves.merge(&count(&mut (0..50)));
        assert_eq!(halves, count(&mut (0..100)));
    }
}
