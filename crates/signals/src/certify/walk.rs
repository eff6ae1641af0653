//! Walk: from the safest policy to the cheapest, until one does not pass.

use super::Terms;
use crate::eproc::{EProc, Form, Null};

/// The bounds of an extra loss.
pub(super) const BOUNDS: (f64, f64) = (-1.0, 1.0);

/// A policy that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its place in the order.
    pub policy: usize,
    /// The rows that it took.
    pub rows: u64,
}

/// What a walk found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The last policy that passed; none where the first did not: the primary alone is left.
    pub passed: Option<Passed>,
    /// Policies that were tested, the one that did not pass included.
    pub tested: usize,
}

/// Walks down. For each policy, safest first, come the extra losses of its rows, in an order that does not depend on them.
///
/// Policies are asked for only as far as the walk goes. What is no number is no row; what is out of [−1, 1] is clipped.
pub fn walk<P, L>(terms: &Terms, policies: P) -> Walk
where
    P: IntoIterator<Item = L>,
    L: IntoIterator<Item = f64>,
{
    let mut found = Walk::default();
    for (policy, losses) in policies.into_iter().enumerate() {
        found.tested += 1;
        match passes(terms, losses) {
            Some(rows) => found.passed = Some(Passed { policy, rows }),
            None => break,
        }
    }
    found
}

/// Returns the row at which the odds against "extra risk is at least ε" reach 1/δ, where all rows together do not speak against it
/// (`CERT-2`).
fn passes(terms: &Terms, losses: impl IntoIterator<Item = f64>) -> Option<u64> {
    let null = Null::at_least(terms.epsilon(), BOUNDS)?;
    let mut engine = EProc::new(Form::Plain, null);
    let odds = 1.0 / terms.delta();
    let (mut passed, mut rows, mut lost) = (None, 0.0, 0.0);
    for loss in losses.into_iter().filter(|it| !it.is_nan()) {
        (rows, lost) = (rows + 1.0, lost + loss.clamp(BOUNDS.0, BOUNDS.1));
        if passed.is_none() {
            engine.update(0, loss);
            passed = engine.reaches(odds).then(|| engine.counts()[0]);
        }
    }
    passed.filter(|_| lost / rows <= terms.epsilon())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(epsilon: f64, delta: f64) -> Terms {
        Terms::new(epsilon, delta, 1).expect("sound")
    }

    #[test]
    fn a_policy_that_never_differs_passes_at_the_rows_of_the_design() {
        for (epsilon, delta, row) in [(0.01, 0.05, 576), (0.01, 0.1, 478), (0.02, 0.05, 286)] {
            let passed = walk(&terms(epsilon, delta), [vec![0.0; 1_000]]).passed;
            assert_eq!(passed, Some(Passed { policy: 0, rows: row }), "{epsilon} {delta}");
            assert_eq!(walk(&terms(epsilon, delta), [vec![0.0; 400 * 2 / 3]]).passed, None, "too few rows");
        }
    }

    #[test]
    fn cert_1_the_walk_ends_at_the_first_that_fails() {
        let (good, bad) = (vec![0.0; 600], vec![0.1; 600]);
        let found = walk(&terms(0.01, 0.05), [good.clone(), good.clone(), bad.clone(), good.clone()]);
        assert_eq!((found.passed.expect("two pass").policy, found.tested), (1, 3));
        assert_eq!(walk(&terms(0.01, 0.05), [bad, good]), Walk { passed: None, tested: 1 });
        assert_eq!(walk(&terms(0.01, 0.05), Vec::<Vec<f64>>::new()), Walk::default());
    }

    #[test]
    fn cert_2_what_was_won_is_not_taken_back_and_what_is_no_number_is_no_row() {
        let rows = |rest: f64| (0..600).map(|_| 0.0).chain((0..600).map(move |_| rest));
        // Eight of 1,200 lose: odds that were reached stay reached.
        let later = rows(0.0).enumerate().map(|(at, it)| if at >= 1_192 { 1.0 } else { it });
        let found = [later.collect(), rows(0.0).collect::<Vec<f64>>()].map(|it| walk(&terms(0.01, 0.05), [it]));
        assert_eq!((found[0], found[0].passed.is_some()), (found[1], true));
        let with_nan = (0..1_200).map(|at| if at % 2 == 0 { f64::NAN } else { 0.0 });
        assert_eq!(walk(&terms(0.01, 0.05), [with_nan]).passed, Some(Passed { policy: 0, rows: 576 }));
    }

    #[test]
    fn cert_2_no_policy_passes_that_loses_more_than_is_promised_on_these_very_rows() {
        // The odds suffice at row 576, and then every fourth row loses.
        let losses = (0..6_000).map(|at| if at >= 600 && at % 4 == 0 { 1.0 } else { 0.0 });
        assert_eq!(walk(&terms(0.01, 0.05), [losses]), Walk { passed: None, tested: 1 });
        let at_most = (0..1_000).map(|at| if at >= 990 { 1.0 } else { 0.0 });
        assert_eq!(walk(&terms(0.01, 0.05), [at_most]).passed, Some(Passed { policy: 0, rows: 576 }), "ε is allowed");
    }

    #[test]
    fn cert_3_the_first_tuning_has_all_and_all_later_ones_share_less_than_half_as_much() {
        let delta = |k| Terms::new(0.01, 0.05, k).expect("sound").delta();
        assert_eq!(delta(1), 0.05);
        assert!((delta(2) - 0.05 * 6.0 / (9.869_604_401 * 4.0)).abs() < 1e-9);
        assert!((1..100).all(|k| delta(k + 1) < delta(k)), "each has less than the one before");
        let later: f64 = (2..100_000).map(delta).sum();
        assert!((0.392 * 0.05..0.393 * 0.05).contains(&later), "{later}");
        assert!((1.392 * 0.05..1.393 * 0.05).contains(&(delta(1) + later)), "what is said of all of them together");
        for (epsilon, delta, k) in [(0.0, 0.1, 1), (0.1, 1.0, 1), (f64::NAN, 0.1, 1), (0.1, 0.1, 0)] {
            assert_eq!(Terms::new(epsilon, delta, k), None);
        }
    }

    #[test]
    fn the_promise_is_kept_on_policies_at_the_boundary() {
        // 2,000 walks over one policy whose extra risk is ε exactly: at most δ of them may pass (three sigma).
        let mut bits = 7_u64;
        let mut draw = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bits >> 33
        };
        let mut passed = 0;
        for _ in 0..2_000 {
            // −1 for 10 of 200, +1 for 12 of 200: a mean of .01.
            let losses = (0..1_500).map(|_| match draw() % 200 {
                0..10 => -1.0,
                10..22 => 1.0,
                _ => 0.0,
            });
            passed += u32::from(walk(&terms(0.01, 0.1), [losses]).passed.is_some());
        }
        assert!(passed > 0 && passed <= 240, "{passed} of 2,000");
    }
}
