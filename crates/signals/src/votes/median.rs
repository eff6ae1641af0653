//! Median: votes for numbers. The weighted median is a value that a member gave, and half the weight cannot drag it away.

use std::cmp::Ordering;

use crate::RATIO;

/// One member's number. NaN and infinities are no vote, nor is a weight of nothing or less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The member, by its place in the tier.
    pub voter: usize,
    /// What it counts, in millionths.
    pub weight: i64,
    /// The number.
    pub value: f64,
}

/// How near a number must be to agree with the median: within the larger of both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tolerance {
    /// In the unit of the numbers.
    pub absolute: f64,
    /// As a part of the median.
    pub relative: f64,
}

/// What the numbers come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// The member whose number it is.
    pub voter: usize,
    /// The weighted median.
    pub value: f64,
    /// The part of the weight within the tolerance, in 1/10,000.
    pub share: i64,
    /// How many of those who voted are within the tolerance.
    pub near: u32,
    /// How many voted.
    pub voters: u32,
}

/// Returns the weighted median: the least number with half the weight at or below it. Where exactly half lies below, the numbers on
/// both sides fit, and that of the member earlier in the tier is taken. None where nobody voted.
pub fn median(estimates: &[Estimate], tolerance: Tolerance) -> Option<Agreement> {
    let votes = sorted(estimates);
    let found = middle(&votes)?;
    let within = tolerance.absolute.max(tolerance.relative * found.value.abs());
    let near = || votes.iter().filter(|it| (it.value - found.value).abs() <= within);
    let (part, all) = (sum(near()), sum(votes.iter()));
    let share = halves_to_even(part * i128::from(RATIO), all);
    let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
    Some(Agreement {
        voter: found.voter,
        value: found.value,
        share,
        near: count(near().count()),
        voters: count(votes.len()),
    })
}

/// Says that the median is the same whatever those who are still out say (`VOTE-2`); `out` holds the most that each can weigh.
///
/// If all of them were below the median, or above, it would still have more than half of the weight on neither side.
pub fn median_decided(estimates: &[Estimate], out: &[i64]) -> bool {
    let votes = sorted(estimates);
    let Some(found) = middle(&votes) else { return false };
    let rest: i128 = out.iter().map(|it| i128::from((*it).max(0))).sum();
    let all = sum(votes.iter());
    let below = sum(votes.iter().filter(|it| it.value < found.value));
    let above = sum(votes.iter().filter(|it| it.value > found.value));
    rest == 0 || below.max(above) * 2 + rest < all
}

/// Votes that count, by value, then by place.
fn sorted(estimates: &[Estimate]) -> Vec<Estimate> {
    let mut votes: Vec<_> = estimates.iter().copied().filter(|it| it.value.is_finite() && it.weight > 0).collect();
    // Minus zero and zero are one number.
    let order = |a: &Estimate, b: &Estimate| a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal);
    votes.sort_by(|a, b| order(a, b).then(a.voter.cmp(&b.voter)));
    votes
}

/// The vote whose number is the weighted median.
fn middle(votes: &[Estimate]) -> Option<Estimate> {
    let all = sum(votes.iter());
    let mut so_far = 0;
    let at = votes.iter().position(|it| {
        so_far += i128::from(it.weight);
        so_far * 2 >= all
    })?;
    // The first in the tier among those who said this number.
    let first = |value: f64| votes.iter().filter(move |it| it.value == value).min_by_key(|it| it.voter).copied();
    let low = first(votes[at].value)?;
    let high = votes.get(at + 1).filter(|_| so_far * 2 == all).and_then(|it| first(it.value));
    Some(high.filter(|it| it.voter < low.voter).unwrap_or(low))
}

fn sum<'a>(votes: impl Iterator<Item = &'a Estimate>) -> i128 {
    votes.map(|it| i128::from(it.weight)).sum()
}

/// A quotient of whole numbers that are not negative, half to even.
fn halves_to_even(part: i128, all: i128) -> i64 {
    let (whole, rest) = (part / all, part % all);
    let up = match (rest * 2).cmp(&all) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => whole % 2 == 1,
    };
    i64::try_from(whole + i128::from(up)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn votes(of: &[(i64, f64)]) -> Vec<Estimate> {
        of.iter()
            .enumerate()
            .map(|(voter, (weight, value))| Estimate { voter, weight: *weight, value: *value })
            .collect()
    }

    #[test]
    fn the_weighted_median_is_somebodys_number() {
        let none = Tolerance::default();
        for (given, voter, share) in [
            (votes(&[(1, 3.0), (1, 1.0), (1, 2.0)]), 2, 3_333),
            (votes(&[(5, 9.0), (1, 1.0), (1, 2.0)]), 0, 7_143),
            (votes(&[(1, 2.0), (1, 1.0)]), 0, 5_000),
            (votes(&[(1, 1.0), (1, 2.0)]), 0, 5_000),
            (votes(&[(1, f64::NAN), (1, 2.0), (0, 7.0), (-4, 8.0)]), 1, 10_000),
            (votes(&[(1, 5.0), (1, 5.0), (1, 4.0)]), 0, 6_667),
            (votes(&[(1, -0.0), (1, 0.0)]), 0, 10_000),
        ] {
            let found = median(&given, none).expect("a median");
            assert_eq!((found.voter, found.share), (voter, share), "{given:?}");
        }
        assert_eq!(median(&votes(&[(1, f64::INFINITY)]), none), None);
    }

    #[test]
    fn agreement_counts_what_is_within_the_larger_tolerance() {
        let given = votes(&[(2, 100.0), (1, 104.0), (1, 111.0)]);
        let share = |absolute, relative| {
            let found = median(&given, Tolerance { absolute, relative }).expect("a median");
            (found.share, found.near)
        };
        assert_eq!([share(0.0, 0.0), share(4.0, 0.01), share(1.0, 0.11)], [(5_000, 1), (7_500, 2), (10_000, 3)]);
    }

    #[test]
    fn a_median_is_decided_when_the_rest_cannot_move_it() {
        let given = votes(&[(1, 1.0), (3, 2.0), (1, 3.0)]);
        assert!(median_decided(&given, &[1, 1]));
        assert!(!median_decided(&given, &[3]), "it could be between");
        assert!(!median_decided(&[], &[]));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_what_is_decided_stays(
            of in prop::collection::vec((0_i64..4, -3_i32..4), 1..8), turn in 0_usize..8, seen in 1_usize..8,
        ) {
            let given = votes(&of.iter().map(|(weight, value)| (*weight, f64::from(*value))).collect::<Vec<_>>());
            let mut other = given.clone();
            other.rotate_left(turn % of.len());
            let all = median(&given, Tolerance { absolute: 1.0, relative: 0.0 });
            prop_assert_eq!(all, median(&other, Tolerance { absolute: 1.0, relative: 0.0 }));
            let seen = seen.min(given.len());
            let out: Vec<_> = given[seen..].iter().map(|it| it.weight).collect();
            if median_decided(&given[..seen], &out) {
                let early = median(&given[..seen], Tolerance::default()).expect("decided");
                prop_assert_eq!(early.value, all.expect("somebody voted").value);
            }
        }
    }
}
